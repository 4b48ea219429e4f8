"""The risk table in a terminal: the most urgent rows of a run, on one line each."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from pipeline.cli.terminal.tables import Column, band_text, print_line, print_path, safe_text, table
from pipeline.core.layout import REPORT, RISK_CSV, RISK_TABLE
from pipeline.core.records import Band, RiskRow
from pipeline.core.wording.text import (
    BANDS,
    capitalized,
    count,
    risk_number,
    suppressed_sentences,
)
from pipeline.report.row_view import deciding_evidence_in_short
from pipeline.report.unscreened import reason_counts, reasons_in_words
from pipeline.results.table import urgency
from pipeline.stages import stage_title
from reference_index.interface import Work

if TYPE_CHECKING:
    from pipeline.screening.screen import ScreenedRun

REASON_CHARACTERS = 110


def print_run(done: ScreenedRun, console: Console, *, limit: int = 20) -> None:
    """Prints a run: its most urgent rows, the counts by band, and where the results are.

    Args:
        done: the run.
        console: where to print.
        limit: rows shown.
    """
    print_table(done.rows, console, done.works, limit=limit)
    console.print()
    counts = band_counts(done.counts)
    print_line(
        console,
        f"{count(len(done.rows), 'file')}, against {count(len(done.works), 'work')}: {counts}.",
    )
    unscreened = (Band.NOT_SCREENED, Band.PARTLY_SCREENED)
    print_not_screened({band: reason_counts(done.rows, band) for band in unscreened}, console)
    for sentence in suppressed_sentences(done.suppressed, done.suppressed_by_rules):
        print_line(console, sentence)
    print_stages_not_run(done.run["not_run"], done.run["calibration"]["other_weights"], console)
    if done.moved is not None:
        print_path(console, "Earlier results and decisions moved to", done.moved)
        console.print(safe_text(f"--record {done.moved} uses those decisions."), soft_wrap=True)
    if done.record_not_used is not None:
        note = "holds a record of decisions that was not used; --record"
        console.print(safe_text(f"{done.out} {note} {done.out} uses it.", "yellow"), soft_wrap=True)
    print_path(console, "Report", done.out / REPORT)
    print_path(console, "Table", done.out / RISK_TABLE)


def print_stages_not_run(
    not_run: Mapping[str, str], other_weights: Iterable[str], console: Console
) -> None:
    """Warns of stages that did not run, and of those that were calibrated for other weights.

    Args:
        not_run: by the stage's name, why.
        other_weights: names of stages.
        console: where to print.
    """
    for stage, why in not_run.items():
        told = f"{capitalized(stage_title(stage))} did not run: {why.rstrip('.')}."
        print_line(console, told, "yellow")
    for stage in other_weights:
        print_line(
            console,
            f"The risks were calibrated with other weights than the index's for "
            f"{stage_title(stage)}; see docs/models.md.",
            "yellow",
        )


def print_not_screened(reasons: Mapping[Band, Mapping[str, int]], console: Console) -> None:
    """Prints for how many files what kept them from being screened.

    Args:
        reasons: by band, how many rows by reason; a band without rows is left out.
        console: where to print.
    """
    for band, counted in reasons.items():
        if counted:
            print_line(console, f"{BANDS[band]}: {reasons_in_words(counted)}.")


def band_counts(counts: Mapping[str, int]) -> str:
    """How many rows are in each band: `escalate 2, not screened 1`; `nothing` if there are none."""
    listed = (
        f"{BANDS[Band(band)].lower()} {number:,}" for band, number in counts.items() if number
    )
    return ", ".join(listed) or "nothing"


def print_table(
    rows: Sequence[RiskRow],
    console: Console,
    works: Mapping[str, Work] | None = None,
    *,
    limit: int = 20,
) -> None:
    """Prints up to `limit` rows, the most urgent first, and says how many are not shown.

    Args:
        rows: the risk table's.
        console: where to print.
        works: by work id, for the titles; without it work ids are shown.
        limit: rows shown.
    """
    ordered = sorted(rows, key=urgency)
    if ordered:
        columns = (
            Column("Band", wrap=False),
            Column("Risk", number=True),
            Column("Asset", ratio=2),
            Column("Strongest match, and why", ratio=3),
        )
        console.print(table(columns, (_cells(row, works or {}) for row in ordered[:limit])))
    if len(ordered) > limit:
        more = count(len(ordered) - limit, "more row")
        print_line(console, f"{more} in {RISK_CSV}", "dim")


def _cells(row: RiskRow, works: Mapping[str, Work]) -> tuple[str | Text, ...]:
    work_id = row.strongest.work_id if row.strongest is not None else ""
    title = works[work_id].title if work_id in works else work_id
    match = Text.assemble(safe_text(title, "bold"), ": " if title else "", safe_text(_why(row)))
    return band_text(row.band), risk_number(row.risk), row.asset.asset_path, match


def _why(row: RiskRow) -> str:
    """What sets the row apart from others: the evidence in a few words, or why it was not screened.

    What each row of a band would repeat is in the band's name.
    """
    top = row.strongest
    if top is not None:
        return deciding_evidence_in_short(
            top.measures, identical=top.identical_file, likeness_only=top.likeness_only
        )
    if row.band is Band.NO_MATCH or not row.reasons:
        return ""
    # The first sentence of a row without a match begins with its band, or says no more.
    partly = row.band is Band.PARTLY_SCREENED and len(row.reasons) > 1
    reason = row.reasons[1 if partly else 0].removeprefix(f"{BANDS[row.band]}: ")
    return textwrap.shorten(reason, REASON_CHARACTERS, placeholder=" …")
