"""Running the demo, by the same calls that serve a user's own files."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.demo.material import OURS, WORKS, Planted, Truth, write_drop, write_works
from pipeline.cli.demo.verdicts import Said, Verdict, conclusions, verdicts
from pipeline.core.errors import DropError
from pipeline.core.wording.terms import risk_number

if TYPE_CHECKING:
    from rich.console import Console

MARKER = ".made-by-clearance-demo"
MADE = ("works", "drop", "index", "out")


def run_demo(folder: Path, console: Console) -> dict[str, Any]:
    """Makes works and a drop in `folder`, indexes the one, screens the other, and tells all.

    A folder that an earlier demo made is made anew. Returns what `--json` prints: the paths,
    the counts by band and a verdict for each file.

    Raises:
        DropError: if `folder` holds something that the demo did not make.
    """
    began = time.monotonic()
    _prepare(folder)
    works = sorted({work.work_id for work in WORKS})
    scripts = [work for work in WORKS if work.rightsholder == OURS]
    _say(
        console,
        f"1. Works: {len(works)} in {folder / 'works'}: {len(works) - len(scripts)} of "
        f"photographs, {len(scripts)} of screenplays written for this demo.",
    )
    manifest = write_works(folder / "works")
    planted = write_drop(folder / "drop")
    _say(
        console,
        f"2. Drop: {len(planted)} files in {folder / 'drop'}: {_count(planted, Truth.COPY)} hold "
        f"material of the works, {_count(planted, Truth.UNRELATED)} have nothing to do with them, "
        f"{_count(planted, Truth.UNJUDGEABLE)} can't be judged.",
    )
    rows, counts = _screened(folder, manifest, console)
    found = verdicts(planted, rows)
    _tell(console, found)
    report = folder / "out" / "report.html"
    _say(console, f"The report: {report}")
    asset = next(file.asset_path for file in planted if file.truth is Truth.COPY)
    _say(console, f"Why a row stands where it does: clearance explain {folder / 'out'} {asset}")
    _say(
        console,
        "These few files were chosen to show the program. They don't say how often it finds "
        "copies in general.",
    )
    _say(console, f"The demo took {time.monotonic() - began:.0f} seconds.")
    return {
        "folder": str(folder),
        "report": str(report),
        "table": str(folder / "out" / "risk_table.parquet"),
        "counts": counts,
        "copies": _count(planted, Truth.COPY),
        "found": sum(verdict.said is Said.FOUND for verdict in found),
        "files": [verdict.to_json() for verdict in found],
    }


def _prepare(folder: Path) -> None:
    marker = folder / MARKER
    if folder.exists() and not folder.is_dir():
        raise DropError(f"{folder} is a file; give the demo another folder with --folder.")
    if folder.exists() and any(folder.iterdir()) and not marker.is_file():
        raise DropError(
            f"{folder} holds files that the demo did not make, and it would write over them; "
            "give it an empty or a new folder with --folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()
    for name in MADE:
        shutil.rmtree(folder / name, ignore_errors=True)


def _screened(
    folder: Path, manifest: Path, console: Console
) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Registers and screens as any user would; the risk table's rows by path, and the counts."""
    import pyarrow.parquet as pq

    from pipeline.cli.terminal.risk import print_run
    from pipeline.runtime.progress import console_progress
    from pipeline.screening.register import add_works, create_index
    from pipeline.screening.screen import screen

    index, out = folder / "index", folder / "out"
    _say(console, f"3. Index: clearance index create {index}")
    create_index(index)
    _say(console, f"          clearance index add {index} {manifest}")
    with console_progress(console) as progress:
        add_works(index, manifest, progress=progress)
    _say(console, f"4. Screen: clearance screen {folder / 'drop'} --index {index} --out {out}")
    with console_progress(console) as progress:
        done = screen(folder / "drop", index, out, progress=progress)
    if not console.quiet:
        print_run(done, console)
    columns = ["asset_path", "band", "risk", "work_id"]
    rows = pq.read_table(out / "risk_table.parquet", columns=columns).to_pylist()
    return {row["asset_path"]: row for row in rows}, dict(done.counts)


def _tell(console: Console, found: Sequence[Verdict]) -> None:
    from rich.table import Table
    from rich.text import Text

    _say(console, "5. What the demo knows of these files, and what the run said:")
    table = Table(box=None, pad_edge=False)
    table.add_column("File, and what it is")
    for heading in ("Band", "Risk", "Work", ""):
        table.add_column(heading, justify="right" if heading == "Risk" else "left", no_wrap=True)
    styles: Mapping[Said, str] = {
        Said.FOUND: "green",
        Said.MISSED: "red",
        Said.OTHER_WORK: "red",
        Said.FALSE_ALARM: "red",
        Said.MISJUDGED: "red",
        Said.FAINT: "yellow",
    }
    for verdict in found:
        table.add_row(
            Text(f"{verdict.planted.asset_path}\n  {verdict.planted.what}", overflow="fold"),
            verdict.band,
            "" if verdict.risk is None else risk_number(verdict.risk),
            verdict.work_id or "",
            Text(verdict.said.value, style=styles.get(verdict.said, "")),
        )
    console.print(table)
    console.print()
    for sentence in conclusions(found):
        _say(console, sentence)


def _count(planted: Sequence[Planted], truth: Truth) -> int:
    return sum(file.truth is truth for file in planted)


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
