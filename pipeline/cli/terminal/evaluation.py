"""An evaluation in a terminal: its figures, the bands by truth, and what was missed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline.cli.terminal.risk import print_stages_not_run
from pipeline.cli.terminal.tables import Column, band_text, print_line, print_path, table
from pipeline.core.records import Band
from pipeline.core.wording.text import count
from pipeline.evaluation.evaluate import Evaluation
from pipeline.evaluation.files import EVALUATION, PAIRS
from pipeline.evaluation.quality import QualityMetrics
from pipeline.evaluation.recalibrate import Recalibrated
from pipeline.risk.calibration import HeldOut
from pipeline.stages import STAGES

TITLES: Mapping[str, str] = {
    "all": "All",
    "image": "Pictures",
    "script": "Scripts",
    "other": "Others",
}
LISTED = 10
"""Assets named under a heading."""

_Cell = Callable[[QualityMetrics], str]


def print_evaluation(done: Evaluation, console: Console) -> None:
    """Prints an evaluation and the paths of its files."""
    console.print(_figures(done.metrics))
    console.print()
    console.print(_bands(done.metrics["all"]))
    _print_list(
        f"Not judged: {count(len(done.not_judged), 'asset')}",
        [f"{path}: {why}" for path, why in done.not_judged.items()],
        done,
        console,
    )
    _print_list(
        f"Missed: {count(len(done.missed), 'copy', 'copies')}",
        [f"{pair.asset} of {pair.work_id or ''}: {pair.why}" for pair in done.missed],
        done,
        console,
    )
    console.print()
    for caution in done.cautions:
        print_line(console, caution, "yellow")
    not_run = {
        stage: why for stage, why in done.not_run.items() if STAGES[stage].kind in done.metrics
    }
    print_stages_not_run(not_run, done.other_weights, console)
    if done.calibrated is not None and done.calibration_file is not None:
        _print_calibrated(done.calibrated, done.calibration_file, console)
    if done.out is not None:
        print_path(console, "Metrics", done.out / EVALUATION)
        print_path(console, "Pairs", done.out / PAIRS)
        pictures = [str(done.out / name) for name in done.results if name.endswith(".png")]
        print_path(console, "Plots", ", ".join(pictures))


def _figures(figures: Mapping[str, QualityMetrics]) -> Table:
    kinds = {name: of_kind for name, of_kind in figures.items() if name != "all"}
    columns = kinds if len(kinds) == 1 else figures
    rows: tuple[tuple[str, _Cell], ...] = (
        ("Assets", lambda f: f"{f.assets:,}"),
        ("  copies of a work", lambda f: f"{f.copied_assets:,}"),
        ("  distractors", lambda f: f"{f.strangers:,}"),
        ("  that could not be judged", lambda f: f"{f.not_judged:,}"),
        ("Labelled copies (asset and work)", lambda f: f"{f.pairs:,}"),
        ("  with evidence", lambda f: f"{f.found:,}"),
        ("Pairs with evidence, copies or not", lambda f: f"{f.pairs_with_evidence:,}"),
        ("µAP", lambda f: _share(f.micro_average_precision)),
        ("Recall at precision 0.90", lambda f: _share(f.recall_at_precision["0.90"])),
        ("Recall at precision 0.99", lambda f: _share(f.recall_at_precision["0.99"])),
        ("Recall at precision 1.00", lambda f: _share(f.recall_at_precision["1.00"])),
        ("False flags per 10,000 distractors", lambda f: _rate(f, "review")),
        ("  at escalate", lambda f: _rate(f, "escalate")),
        ("Calibration error", lambda f: _share(f.expected_calibration_error)),
        ("Brier score", lambda f: _share(f.brier)),
        ("Log loss", lambda f: _share(f.log_loss)),
    )
    return table(
        ("", *(Column(TITLES[name], number=True) for name in columns)),
        ((title, *(cell(one) for one in columns.values())) for title, cell in rows),
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _rate(figures: QualityMetrics, name: str) -> str:
    flags = figures.false_flags[name]
    if flags.per_10_000 is None:
        return "–"
    return f"{flags.per_10_000:,.0f} ({flags.flagged:,} of {flags.of:,})"


def _bands(figures: QualityMetrics) -> Table:
    headings = ("Copies", "Right work first", "Distractors")
    rows = []
    for band in Band:
        assets = figures.bands[band.value]
        right = f"{assets.right_work:,}" if assets.copies else ""
        rows.append((band_text(band), f"{assets.copies:,}", right, f"{assets.strangers:,}"))
    return table(("Band", *(Column(heading, number=True) for heading in headings)), rows)


def _print_list(heading: str, lines: Sequence[str], done: Evaluation, console: Console) -> None:
    """Prints the first `LISTED` lines and where the others are; nothing if there are none."""
    if not lines:
        return
    console.print()
    print_line(console, heading, "bold")
    for line in lines[:LISTED]:
        print_line(console, f"  {line}")
    if len(lines) > LISTED:
        where = f"in {EVALUATION}" if done.out is not None else "with --json, or in --out"
        print_line(console, f"  {len(lines) - LISTED:,} more {where}", "dim")


def _print_calibrated(calibrated: Recalibrated, file: Path, console: Console) -> None:
    headings = ("Pairs", "Copies", "µAP", "Calibration error", "Brier", "Log loss")
    rows = [
        (f"{TITLES[kind]}, {when}", *_held_out(figures))
        for kind, before in calibrated.before.items()
        for when, figures in (
            ("before", before),
            ("now", calibrated.calibration.kinds[kind].held_out),
        )
        if figures is not None
    ]
    columns = (
        Column("Held out", wrap=False),
        *(Column(heading, number=True) for heading in headings),
    )
    console.print(table(columns, rows))
    for kind in calibrated.kept:
        print_line(
            console,
            f"{TITLES[kind]}: none is labelled, so the model in use was kept as it is.",
            "yellow",
        )
    for caution in calibrated.cautions:
        print_line(console, caution, "yellow")
    advice = "To screen with it, put next to it a configuration that says:"
    print_path(console, "Calibration", f"{file}. {advice}")
    print_line(console, "  version: 1")
    print_path(console, "  calibration", file.name)
    console.print()


def _held_out(figures: HeldOut) -> tuple[str, ...]:
    return (
        f"{figures.pairs:,}",
        f"{figures.copies:,}",
        _share(figures.micro_average_precision),
        _share(figures.expected_calibration_error),
        _share(figures.brier),
        _share(figures.log_loss),
    )
