"""A nightly scan on one screen of a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from pipeline.cli.terminal.explain import band_text, shown
from pipeline.core.layout import DELTA, DELTA_HTML, RISK_TABLE
from pipeline.core.records import Band, Outcome
from pipeline.core.wording.terms import BANDS, count, risk_number
from pipeline.scan.history import HistoryRow
from pipeline.scan.output.delta import Change
from pipeline.scan.output.notes import TITLES, arriving_notes, suppressed_notes
from pipeline.scan.run import ScanResult

LINES = 12


def print_scan(done: ScanResult, console: Console) -> None:
    """Prints what a scan found: what changed, where all files stand, and where to read on."""
    said = done.summary
    changes = {name: number for name, number in said["changes"].items() if number}
    since = f" since scan {said['scan_id_before']}" if said["scan_id_before"] else ""
    if changes:
        listed = ", ".join(f"{number:,} {TITLES[Change(name)]}" for name, number in changes.items())
        console.print(shown(f"Changed{since}: {listed}."))
    else:
        console.print(shown(f"Nothing changed{since}."))
    _print_urgent(done, console)
    counts = ", ".join(
        f"{BANDS[Band(band)].lower()} {number:,}"
        for band, number in said["counts"].items()
        if number
    )
    files, works = count(said["files"], "file"), count(said["works"], "work")
    console.print(shown(f"All of it: {files} against {works}: {counts or 'nothing'}."))
    if said["not_screened_for"]:
        why = ", ".join(
            f"{title[:1].lower()}{title[1:]} {number:,}"
            for title, number in said["not_screened_for"].items()
        )
        console.print(shown(f"Not screened: {why}."))
    for note in (*arriving_notes(said), *suppressed_notes(said)):
        console.print(shown(note))
    stages = stages_line(said["stages"])
    if stages:
        console.print(shown(stages))
    for note in done.notes:
        console.print(shown(note, "yellow"))
    console.print(shown(f"What changed: {done.folder / DELTA_HTML}"), soft_wrap=True)
    console.print(shown(f"Table: {done.folder / RISK_TABLE}"), soft_wrap=True)


def _print_urgent(done: ScanResult, console: Console) -> None:
    """The most urgent changes, those with evidence first; files that are still arriving are told of
    by their number alone.
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
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Band", no_wrap=True)
    table.add_column("Risk", justify="right", no_wrap=True)
    table.add_column("Asset", ratio=3, overflow="fold")
    table.add_column("Change", ratio=2)
    for row in urgent[:LINES]:
        table.add_row(
            band_text(Band(row["band"])),
            risk_number(row["risk"]),
            shown(row["asset_path"]),
            shown(f"{TITLES[Change(row['change'])]}: {row['why']}"),
        )
    console.print(table)
    if len(urgent) > LINES:
        console.print(shown(f"and {len(urgent) - LINES:,} more, in delta.html."))


def print_history(asset: str, seen: Sequence[HistoryRow], console: Console) -> None:
    """Prints what each scan said of an asset, the latest first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Scan", no_wrap=True)
    table.add_column("Band", no_wrap=True)
    table.add_column("Risk", justify="right", no_wrap=True)
    table.add_column("Work", ratio=2, overflow="fold")
    table.add_column("Index", justify="right")
    table.add_column("Path and bytes", ratio=3, overflow="fold")
    for one in seen:
        table.add_row(
            shown(one.started),
            band_text(Band(one.band)),
            risk_number(one.risk),
            shown(one.work_id or ""),
            shown(str(one.index_version)),
            shown(f"{one.asset_path} {(one.asset_id or '')[:12]}"),
        )
    console.print(table)
    console.print(shown(f"{count(len(seen), 'row')} of {asset} in the history."))


_HEADINGS: Mapping[str, str] = {
    Outcome.MATCHED: "matched",
    Outcome.NO_MATCH: "no match",
    Outcome.ABSTAINED: "abstained",
    Outcome.SKIPPED: "not run",
    Outcome.FAILED: "failed",
}


def stages_line(stages: Mapping[str, Mapping[str, int]]) -> str:
    """What each stage said, in one or two lines; outcomes that no stage had are left out."""
    used = [one for one in _HEADINGS if any(found[one] for found in stages.values())]
    if not used:
        return ""
    each = ", ".join(
        f"{stage} {' / '.join(f'{found[one]:,}' for one in used)}"
        for stage, found in stages.items()
        if any(found.values())
    )
    return f"By stage ({' / '.join(_HEADINGS[one] for one in used)}): {each}."


def summary_line(said: Mapping[str, Any]) -> str:
    """A scan in one line: counts and ids, nothing of what assets hold."""
    changes = ", ".join(
        f"{number:,} {TITLES[Change(name)]}" for name, number in said["changes"].items() if number
    )
    return f"scan {said['scan_id']}: {said['files']:,} files; {changes or 'nothing changed'}"
