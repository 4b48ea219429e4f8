"""The risk table in a terminal: the most urgent rows of a run, on one line each."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.terminal.explain import band_text, shown
from pipeline.core.layout import REPORT, RISK_CSV, RISK_TABLE
from pipeline.core.records import Band, RiskRow
from pipeline.core.wording.terms import BANDS, count, risk_number
from pipeline.results.table import urgency
from pipeline.stages import stage_title
from reference_index.interface import Work

if TYPE_CHECKING:
    from pipeline.screening.screen import ScreenedRun

REASON_CHARACTERS = 110


def print_run(done: ScreenedRun, console: Console, *, limit: int = 20) -> None:
    """Prints a run: its most urgent rows, the counts by band, and where the results lie.

    Args:
        done: the run.
        console: where to print.
        limit: rows shown.
    """
    print_table(done.rows, console, done.works, limit=limit)
    console.print()
    counts = [
        f"{BANDS[Band(band)].lower()} {number:,}" for band, number in done.counts.items() if number
    ]
    files = count(len(done.rows), "file")
    among = count(len(done.works), "work")
    console.print(shown(f"{files} screened against {among}: {', '.join(counts) or 'nothing'}."))
    if done.suppressed:
        pairs = count(done.suppressed, "match is", "matches are")
        console.print(shown(f"{pairs} suppressed, because people agreed on that by the record."))
    for stage, why in done.run["not_run"].items():
        console.print(shown(f"{stage_title(stage)} did not run: {why}", "yellow"))
    for stage in done.run["calibration"]["other_weights"]:
        console.print(
            shown(
                f"The risks were calibrated with other weights than the index's for "
                f"{stage_title(stage)}; see docs/models.md.",
                "yellow",
            )
        )
    console.print(shown(f"Report: {done.out / REPORT}"), soft_wrap=True)
    console.print(shown(f"Table: {done.out / RISK_TABLE}"), soft_wrap=True)


def print_table(
    rows: Sequence[RiskRow],
    console: Console,
    works: Mapping[str, Work] | None = None,
    *,
    limit: int = 20,
) -> None:
    """Prints up to `limit` rows, the most urgent first, and says how many are left.

    Args:
        rows: the risk table's.
        console: where to print.
        works: by work id, for the titles; without it the work ids stand there.
        limit: rows shown.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Band", no_wrap=True)
    table.add_column("Risk", justify="right", no_wrap=True)
    table.add_column("Asset", ratio=2, overflow="fold")
    table.add_column("Strongest match, and why", ratio=3)
    ordered = sorted(rows, key=urgency)
    for row in ordered[:limit]:
        top = row.strongest
        work_id = top.work_id if top is not None else ""
        work = (works or {}).get(work_id)
        table.add_row(
            band_text(row.band),
            risk_number(row.risk),
            shown(row.asset.asset_path),
            _found(work.title if work else work_id, _why(row)),
        )
    if ordered:
        console.print(table)
    left = len(ordered) - limit
    if left > 0:
        console.print(shown(f"{count(left, 'more row')} in {RISK_CSV}", "dim"))


def _found(title: str, why: str) -> Text:
    return Text.assemble(shown(title, "bold"), ": " if title else "", shown(why))


def _why(row: RiskRow) -> str:
    """What the evidence or the stage says, shortened.

    Without the lead, which repeats the band and the title, unless it is all there is.
    """
    if not row.reasons:
        return ""
    top = row.strongest
    if top is not None and top.identical_file:
        return "The file is, byte for byte, a registered file."
    first = row.band is Band.NO_MATCH or len(row.reasons) == 1 or (row.matches and top is None)
    return textwrap.shorten(row.reasons[0 if first else 1], REASON_CHARACTERS, placeholder=" …")
