"""Runs the demo, by the same calls as for a user's own files."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.demo.material import OURS, WORKS, Planted, Truth, write_drop, write_works
from pipeline.cli.demo.verdicts import Verdict, VerdictKind, conclusions, verdicts
from pipeline.core.errors import DropError
from pipeline.core.wording.text import risk_number

if TYPE_CHECKING:
    from rich.console import Console

MARKER = ".made-by-clearance-demo"
FOLDERS = ("works", "drop", "index", "out")


def run_demo(folder: Path, console: Console) -> dict[str, Any]:
    """Writes works and a drop to `folder`, registers and screens them, and prints the verdicts.

    A folder of an earlier demo is replaced. Returns the object that `--json` prints: the paths, the
    counts by band and a verdict for each file.

    Raises:
        DropError: if `folder` holds something that the demo did not make.
    """
    began = time.monotonic()
    _prepare(folder)
    works = sorted({work.work_id for work in WORKS})
    scripts = [work for work in WORKS if work.rightsholder == OURS]
    _print(
        console,
        f"1. Works: {len(works)} in {folder / 'works'}: {len(works) - len(scripts)} of "
        f"photographs, {len(scripts)} of screenplays written for this demo.",
    )
    manifest = write_works(folder / "works")
    planted = write_drop(folder / "drop")
    _print(
        console,
        f"2. Drop: {len(planted)} files in {folder / 'drop'}: {_count(planted, Truth.COPY)} have "
        f"material of the works, {_count(planted, Truth.UNRELATED)} are unrelated to them, "
        f"{_count(planted, Truth.UNJUDGEABLE)} can't be judged.",
    )
    rows, counts = _register_and_screen(folder, manifest, console)
    all_verdicts = verdicts(planted, rows)
    _print_verdicts(console, all_verdicts)
    report = folder / "out" / "report.html"
    _print(console, f"The report: {report}")
    asset = next(file.asset_path for file in planted if file.truth is Truth.COPY)
    _print(console, f"Why a row has its band: clearance explain {folder / 'out'} {asset}")
    _print(
        console,
        "These few files were chosen to show the program. They don't say how often it finds "
        "copies in general.",
    )
    _print(console, f"The demo took {time.monotonic() - began:.0f} seconds.")
    return {
        "folder": str(folder),
        "report": str(report),
        "table": str(folder / "out" / "risk_table.parquet"),
        "counts": counts,
        "copies": _count(planted, Truth.COPY),
        "found": sum(verdict.kind is VerdictKind.FOUND for verdict in all_verdicts),
        "files": [verdict.to_json() for verdict in all_verdicts],
    }


def _prepare(folder: Path) -> None:
    marker = folder / MARKER
    if folder.exists() and not folder.is_dir():
        raise DropError(f"{folder} is a file; give the demo another folder with --folder.")
    if folder.exists() and any(folder.iterdir()) and not marker.is_file():
        raise DropError(
            f"{folder} has files that the demo did not write, and would overwrite; "
            "give it an empty or a new folder with --folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
    for name in FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)


def _register_and_screen(
    folder: Path, manifest: Path, console: Console
) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """The risk table's rows by path, and the counts by band."""
    import pyarrow.parquet as pq

    from pipeline.cli.terminal.risk import print_run
    from pipeline.runtime.progress import console_progress
    from pipeline.screening.register import add_works, create_index
    from pipeline.screening.screen import screen

    index, out = folder / "index", folder / "out"
    _print(console, f"3. Index: clearance index create {index}")
    create_index(index)
    _print(console, f"          clearance index add {index} {manifest}")
    with console_progress(console) as progress:
        add_works(index, manifest, progress=progress)
    _print(console, f"4. Screen: clearance screen {folder / 'drop'} --index {index} --out {out}")
    with console_progress(console) as progress:
        outcome = screen(folder / "drop", index, out, progress=progress)
    if not console.quiet:
        print_run(outcome, console)
    columns = ["asset_path", "band", "risk", "work_id"]
    rows = pq.read_table(out / "risk_table.parquet", columns=columns).to_pylist()
    return {row["asset_path"]: row for row in rows}, dict(outcome.counts)


def _print_verdicts(console: Console, all_verdicts: Sequence[Verdict]) -> None:
    from rich.table import Table
    from rich.text import Text

    _print(console, "5. What these files are, and what the run found:")
    table = Table(box=None, pad_edge=False)
    table.add_column("File, and what it is")
    for heading in ("Band", "Risk", "Work", ""):
        table.add_column(heading, justify="right" if heading == "Risk" else "left", no_wrap=True)
    styles: Mapping[VerdictKind, str] = {
        VerdictKind.FOUND: "green",
        VerdictKind.MISSED: "red",
        VerdictKind.OTHER_WORK: "red",
        VerdictKind.FALSE_ALARM: "red",
        VerdictKind.MISJUDGED: "red",
        VerdictKind.FAINT: "yellow",
    }
    for verdict in all_verdicts:
        table.add_row(
            Text(f"{verdict.planted.asset_path}\n  {verdict.planted.what}", overflow="fold"),
            verdict.band,
            "" if verdict.risk is None else risk_number(verdict.risk),
            verdict.work_id or "",
            Text(verdict.kind.value, style=styles.get(verdict.kind, "")),
        )
    console.print(table)
    console.print()
    for sentence in conclusions(all_verdicts):
        _print(console, sentence)


def _count(planted: Sequence[Planted], truth: Truth) -> int:
    return sum(file.truth is truth for file in planted)


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
