"""The risk table in a terminal: the most urgent rows of a run, on one line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from pipeline.explain_terminal import band_text, shown
from pipeline.plain_words import count, risk_number
from pipeline.records import RiskRow
from pipeline.results import RISK_CSV
from pipeline.table import urgency
from reference_index.interface import Work

REASON_CHARACTERS = 90


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
    table.add_column("Asset", ratio=3)
    table.add_column("Strongest match", ratio=2)
    table.add_column("Why", ratio=4)
    ordered = sorted(rows, key=urgency)
    for row in ordered[:limit]:
        work_id = row.matches[0].work_id if row.matches else ""
        work = (works or {}).get(work_id)
        table.add_row(
            band_text(row.band),
            risk_number(row.risk),
            shown(row.asset.asset_path),
            shown(work.title if work else work_id),
            shown(_why(row)),
        )
    if ordered:
        console.print(table)
    left = len(ordered) - limit
    if left > 0:
        console.print(shown(f"{count(left, 'more row')} in {RISK_CSV}", "dim"))


def _why(row: RiskRow) -> str:
    """What the evidence says, without the lead that repeats band and title, cut to a line."""
    if not row.reasons:
        return ""
    said = row.reasons[1] if row.matches and len(row.reasons) > 1 else row.reasons[0]
    return said if len(said) <= REASON_CHARACTERS else f"{said[: REASON_CHARACTERS - 1]}…"
