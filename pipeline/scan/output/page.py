"""delta.html: the page of the changes that a scan found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from pipeline.core.layout import DELTA_HTML
from pipeline.core.records import Band, Fault, RiskRow, StageOutcome
from pipeline.core.wording.text import BANDS, risk_number, visible
from pipeline.load.workers.pool import load_in_worker
from pipeline.report.content import ContentCollector
from pipeline.report.page import ChangeLine, Changes, ReportLimits, write_report
from pipeline.results.files import ResultFiles
from pipeline.results.table_checks import FLAGGED
from pipeline.scan.output.delta import Change, change_counts
from pipeline.scan.output.notes import TITLES, unreachable_notes
from pipeline.scan.output.rows import ScanContext, rows_of


def write_page(
    context: ScanContext,
    files: ResultFiles,
    delta: pa.Table,
    counts: Mapping[str, int],
    notes: tuple[str, ...],
    new_rows: Mapping[str, RiskRow],
) -> None:
    """Writes delta.html.

    Args:
        context: of the scan.
        files: where it is written.
        delta: the table of changes.
        counts: rows by band.
        notes: sentences for its head, after those on places that could not be read.
        new_rows: by path, rows of files that the previous scan did not have; other rows are made
            again.
    """
    run, previous = context.run, context.previous
    limit = run.config.report.max_rows
    lines = [_line(row) for row in delta.slice(0, limit).to_pylist()]
    changed_paths = set(delta.column("asset_path").to_pylist())
    changed = [asset for asset in context.listing.assets if asset.asset_path in changed_paths]
    rows, collector = [], ContentCollector(limit if run.config.report.thumbnails else 0)
    compact = CompactRows()
    other_rows = rows_of(context, [asset for asset in changed if asset.asset_path not in new_rows])
    for asset in changed:
        row = new_rows.get(asset.asset_path) or compact.row(next(other_rows))
        rows.append(row)
        if row.band in FLAGGED and collector.limit:
            loaded = load_in_worker(asset, run.config.limits)
            collector.add(row, None if isinstance(loaded, Fault) else loaded)
    write_report(
        files,
        run=run.info,
        rows=rows,
        works=run.works,
        content=collector.content(rows, run.index),
        limits=ReportLimits(max_rows=limit),
        changes=Changes(
            since=str(previous.run.get("started", "")) if previous is not None else "",
            counts=counts,
            tallies=tuple(
                (TITLES[Change(name)], number) for name, number in change_counts(delta).items()
            ),
            lines=tuple(lines),
            hidden=delta.num_rows - len(lines),
            notes=(*unreachable_notes(context.listing), *context.notes, *notes),
        ),
        name=DELTA_HTML,
    )


class CompactRows:
    """Reduces rows to what the page shows, and stores equal values once: on a first night the page
    has a row of every file. Rows with evidence stay complete.
    """

    def __init__(self) -> None:
        self._outcomes: dict[tuple[Any, ...], tuple[StageOutcome, ...]] = {}
        self._reasons: dict[tuple[str, ...], tuple[str, ...]] = {}

    def row(self, row: RiskRow) -> RiskRow:
        """The reduced row, for display only."""
        if row.band in FLAGGED:
            return row
        key = tuple((one.stage, one.outcome, one.reason) for one in row.outcomes)
        if key not in self._outcomes:
            self._outcomes[key] = tuple(StageOutcome(*one) for one in key)
        # The page shows only the path of a row without a match.
        reasons = () if row.band is Band.NO_MATCH else row.reasons
        return replace(
            row,
            outcomes=self._outcomes[key],
            reasons=self._reasons.setdefault(reasons, reasons),
            extra=_NOTHING,
        )


_NOTHING: Mapping[str, Any] = {}


def _line(row: Mapping[str, Any]) -> ChangeLine:
    def band(name: str | None) -> str:
        return BANDS[Band(name)] if name else "—"

    return ChangeLine(
        change=TITLES[Change(row["change"])],
        path=visible(row["asset_path"]),
        before=band(row["band_before"]),
        now=band(row["band"]),
        risk=risk_number(row["risk"]) if row["band"] in set(FLAGGED) else "",
        why=row["why"],
    )
