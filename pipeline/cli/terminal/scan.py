"""A nightly scan on one screen of a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console

from pipeline.cli.terminal.risk import band_counts, print_not_screened
from pipeline.cli.terminal.tables import Column, band_text, print_line, print_path, table
from pipeline.core.layout import DELTA, DELTA_HTML, RISK_TABLE
from pipeline.core.records import Band, Outcome
from pipeline.core.wording.text import count, risk_number
from pipeline.scan.history import HistoryRow
from pipeline.scan.output.delta import Change
from pipeline.scan.output.notes import TITLES, arriving_notes, moved_from, suppressed_notes
from pipeline.scan.run import ScanResult

LINES = 12


def print_scan(done: ScanResult, console: Console) -> None:
    """Prints what a scan found: what changed, the bands of all files, and the paths of results."""
    summary = done.summary
    changes = change_counts(summary)
    since = f" since scan {summary['scan_id_before']}" if summary["scan_id_before"] else ""
    print_line(console, f"Changed{since}: {changes}." if changes else f"Nothing changed{since}.")
    _print_urgent(done, console)
    files, works = count(summary["files"], "file"), count(summary["works"], "work")
    print_line(console, f"In total: {files} against {works}: {band_counts(summary['counts'])}.")
    print_not_screened({Band.NOT_SCREENED: summary["not_screened_for"]}, console)
    for note in (*arriving_notes(summary), *suppressed_notes(summary)):
        print_line(console, note)
    stages = stages_line(summary["stages"])
    if stages:
        print_line(console, stages)
    for note in done.notes:
        print_line(console, note, "yellow")
    print_path(console, "What changed", done.folder / DELTA_HTML)
    print_path(console, "Table", done.folder / RISK_TABLE)


def change_counts(summary: Mapping[str, Any]) -> str:
    """How many rows there are of each kind of change; empty if nothing changed."""
    return ", ".join(
        f"{number:,} {TITLES[Change(name)]}"
        for name, number in summary["changes"].items()
        if number
    )


def _print_urgent(done: ScanResult, console: Console) -> None:
    """Prints the most urgent changes, those with evidence first, without files that are still
    arriving.
    """
    delta = pq.read_table(done.folder / DELTA, use_threads=False).to_pylist()
    order = {band.value: place for place, band in enumerate(Band)}
    urgent = [
        row
        for row in delta
        if row["band"] not in (None, Band.NO_MATCH.value) and row["asset_path"] not in done.arriving
    ]
    urgent.sort(key=lambda row: (order[row["band"]], -(row["risk"] or 0.0), row["asset_path"]))
    if not urgent:
        return
    columns = (
        Column("Band", wrap=False),
        Column("Risk", number=True),
        Column("Asset", ratio=3),
        Column("Change", ratio=2),
    )
    rows = (
        (
            band_text(row["band"]),
            risk_number(row["risk"]),
            row["asset_path"],
            f"{TITLES[Change(row['change'])]}: {row['why']}{moved_from(row)}",
        )
        for row in urgent[:LINES]
    )
    console.print(table(columns, rows))
    if len(urgent) > LINES:
        print_line(console, f"and {len(urgent) - LINES:,} more, in delta.html.")


def print_history(asset: str, appearances: Sequence[HistoryRow], console: Console) -> None:
    """Prints the row of an asset in each scan, the latest first."""
    columns = (
        Column("Scan", wrap=False),
        Column("Band", wrap=False),
        Column("Risk", number=True),
        Column("Work", ratio=2),
        Column("Index", number=True),
        Column("Path and bytes", ratio=3),
    )
    rows = (
        (
            one.started,
            band_text(one.band),
            risk_number(one.risk),
            one.work_id or "",
            str(one.index_version),
            f"{one.asset_path} {(one.asset_id or '')[:12]}",
        )
        for one in appearances
    )
    console.print(table(columns, rows))
    print_line(console, f"{count(len(appearances), 'row')} of {asset} in the history.")


_HEADINGS: Mapping[str, str] = {
    Outcome.MATCHED: "matched",
    Outcome.NO_MATCH: "no match",
    Outcome.ABSTAINED: "abstained",
    Outcome.SKIPPED: "not run",
    Outcome.FAILED: "failed",
}


def stages_line(stages: Mapping[str, Mapping[str, int]]) -> str:
    """How many files had each outcome of each stage, in one or two lines; outcomes that no stage
    had are left out.
    """
    outcomes = [one for one in _HEADINGS if any(counts[one] for counts in stages.values())]
    if not outcomes:
        return ""
    each = ", ".join(
        f"{stage} {' / '.join(f'{counts[one]:,}' for one in outcomes)}"
        for stage, counts in stages.items()
        if any(counts.values())
    )
    return f"By stage ({' / '.join(_HEADINGS[one] for one in outcomes)}): {each}."
