"""An evaluation in a terminal: its figures, the bands by truth, and what was missed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.terminal.explain import band_text, shown
from pipeline.core.records import Band
from pipeline.core.wording.terms import count
from pipeline.evaluation.evaluate import Evaluation
from pipeline.evaluation.figures import Figures
from pipeline.evaluation.files import EVALUATION, PAIRS
from pipeline.evaluation.recalibrate import Recalibrated
from pipeline.risk.calibration import HeldOut
from pipeline.stages import STAGES, stage_title

TITLES: Mapping[str, str] = {
    "all": "All",
    "image": "Pictures",
    "script": "Scripts",
    "other": "Others",
}
LISTED = 10
"""Assets named under a heading."""


Cell = Callable[[Figures], str]


def print_evaluation(done: Evaluation, console: Console) -> None:
    """Prints an evaluation, and where its files lie."""
    console.print(_figures(done.figures))
    console.print()
    console.print(_bands(done.figures["all"]))
    _print_not_judged(done, console)
    _print_missed(done, console)
    console.print()
    for caution in done.cautions:
        console.print(shown(caution, "yellow"))
    for stage, why in done.not_run.items():
        if STAGES[stage].kind.value not in done.figures:
            continue
        console.print(shown(f"{stage_title(stage)} did not run: {why}", "yellow"))
    for stage in done.other_weights:
        console.print(
            shown(
                f"The risks were calibrated with other weights than the index's for "
                f"{stage_title(stage)}; see docs/models.md.",
                "yellow",
            )
        )
    if done.calibrated is not None and done.calibration_file is not None:
        _print_calibrated(done.calibrated, done.calibration_file, console)
    if done.out is not None:
        console.print(shown(f"Figures: {done.out / EVALUATION}"), soft_wrap=True)
        console.print(shown(f"Pairs: {done.out / PAIRS}"), soft_wrap=True)
        pictures = [str(done.out / name) for name in done.results if name.endswith(".png")]
        console.print(shown(f"Pictures: {', '.join(pictures)}"), soft_wrap=True)


def _figures(figures: Mapping[str, Figures]) -> Table:
    kinds = {name: its for name, its in figures.items() if name != "all"}
    columns = kinds if len(kinds) == 1 else figures
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for name in columns:
        table.add_column(TITLES[name], justify="right", no_wrap=True)
    rows: tuple[tuple[str, Cell], ...] = (
        ("Assets", lambda f: f"{f.assets:,}"),
        ("  copies of a work", lambda f: f"{f.copied_assets:,}"),
        ("  strangers", lambda f: f"{f.strangers:,}"),
        ("  that could not be judged", lambda f: f"{f.not_judged:,}"),
        ("Labelled copies (asset and work)", lambda f: f"{f.pairs:,}"),
        ("  with evidence", lambda f: f"{f.found:,}"),
        ("Pairs with evidence, copies or not", lambda f: f"{f.pairs_with_evidence:,}"),
        ("µAP", lambda f: _share(f.micro_average_precision)),
        ("Recall at precision 0.90", lambda f: _share(f.recall_at_precision["0.90"])),
        ("Recall at precision 0.99", lambda f: _share(f.recall_at_precision["0.99"])),
        ("Recall at precision 1.00", lambda f: _share(f.recall_at_precision["1.00"])),
        ("False flags per 10,000 strangers", lambda f: _rate(f, "review")),
        ("  at escalate", lambda f: _rate(f, "escalate")),
        ("Calibration error", lambda f: _share(f.expected_calibration_error)),
        ("Brier score", lambda f: _share(f.brier)),
        ("Log loss", lambda f: _share(f.log_loss)),
    )
    for title, cell in rows:
        table.add_row(title, *(cell(its) for its in columns.values()))
    return table


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _rate(figures: Figures, name: str) -> str:
    flags = figures.false_flags[name]
    if flags.per_10_000 is None:
        return "–"
    return f"{flags.per_10_000:,.0f} ({flags.flagged:,} of {flags.of:,})"


def _bands(figures: Figures) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Band")
    for heading in ("Copies", "Right work first", "Strangers"):
        table.add_column(heading, justify="right", no_wrap=True)
    for band in Band:
        its = figures.bands[band.value]
        right = f"{its.right_work:,}" if its.copies else ""
        table.add_row(band_text(band), f"{its.copies:,}", right, f"{its.strangers:,}")
    return table


def _print_not_judged(done: Evaluation, console: Console) -> None:
    if not done.not_judged:
        return
    console.print()
    console.print(shown(f"Not judged: {count(len(done.not_judged), 'asset')}", "bold"))
    for path, why in list(done.not_judged.items())[:LISTED]:
        console.print(Text.assemble("  ", shown(path), ": ", shown(why)))
    _print_left(len(done.not_judged) - LISTED, done, console)


def _print_left(left: int, done: Evaluation, console: Console) -> None:
    if left > 0:
        where = f"in {EVALUATION}" if done.out is not None else "with --json, or in --out"
        console.print(shown(f"  {left:,} more {where}", "dim"))


def _print_missed(done: Evaluation, console: Console) -> None:
    missed = done.missed
    if not missed:
        return
    console.print()
    console.print(shown(f"Missed: {count(len(missed), 'copy', 'copies')}", "bold"))
    for pair in missed[:LISTED]:
        console.print(
            Text.assemble(
                "  ", shown(pair.asset), " of ", shown(pair.work_id or ""), ": ", shown(pair.why)
            )
        )
    _print_left(len(missed) - LISTED, done, console)


def _print_calibrated(made: Recalibrated, file: Path, console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, heading in enumerate(
        ("Held out", "Pairs", "Copies", "µAP", "Calibration error", "Brier", "Log loss")
    ):
        table.add_column(heading, justify="right" if place else "left", no_wrap=True)
    for kind, before in made.before.items():
        after = made.calibration.kinds[kind].held_out
        for words, its in (("before", before), ("now", after)):
            if its is not None:
                table.add_row(f"{TITLES[kind]}, {words}", *_held_out(its))
    console.print(table)
    for kind in made.kept:
        console.print(
            shown(
                f"{TITLES[kind]}: none is labelled, so the model in use was kept as it is.",
                "yellow",
            )
        )
    for caution in made.cautions:
        console.print(shown(caution, "yellow"))
    console.print(
        shown(f"Calibration: {file}. To screen with it, put beside it a configuration that says:"),
        soft_wrap=True,
    )
    console.print(shown("  version: 1"))
    console.print(shown(f"  calibration: {file.name}"), soft_wrap=True)
    console.print()


def _held_out(its: HeldOut) -> tuple[str, ...]:
    return (
        f"{its.pairs:,}",
        f"{its.copies:,}",
        _share(its.micro_average_precision),
        _share(its.expected_calibration_error),
        _share(its.brier),
        _share(its.log_loss),
    )
