"""The page of what a scan found changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from pipeline.core.layout import DELTA_HTML
from pipeline.core.records import Band, Fault, RiskRow, StageOutcome
from pipeline.core.wording.terms import BANDS, risk_number
from pipeline.core.wording.visible import visible
from pipeline.load.workers.pool import load_in_worker
from pipeline.report.content import ContentCollector
from pipeline.report.page import ChangeLine, Changes, ReportLimits, write_report
from pipeline.results.files import ResultFiles
from pipeline.results.table_checks import FLAGGED
from pipeline.scan.output.delta import Change, change_counts
from pipeline.scan.output.notes import TITLES, unreachable_notes
from pipeline.scan.output.rows import Context, rows_of


def write_page(
    context: Context,
    files: ResultFiles,
    delta: pa.Table,
    counts: Mapping[str, int],
    told: tuple[str, ...],
    fresh: Mapping[str, RiskRow],
) -> None:
    """Writes delta.html.

    Args:
        context: of the scan.
        files: where it is written.
        delta: the table of changes.
        counts: rows by band.
        told: sentences for its head, after those on places that could not be read.
        fresh: rows of files that the scan before did not have, by path; others are made again.
    """
    limit = context.config.report.max_rows
    lines = [_line(row) for row in delta.slice(0, limit).to_pylist()]
    changed = set(delta.column("asset_path").to_pylist())
    there = [asset for asset in context.listing.assets if asset.asset_path in changed]
    rows, collector = [], ContentCollector(limit if context.config.report.thumbnails else 0)
    light = Light()
    others = rows_of(context, [asset for asset in there if asset.asset_path not in fresh])
    for asset in there:
        row = fresh.get(asset.asset_path) or light.row(next(others))
        rows.append(row)
        if row.band in FLAGGED and collector.limit:
            loaded = load_in_worker(asset, context.config.limits)
            collector.add(row, None if isinstance(loaded, Fault) else loaded)
    before = context.before
    write_report(
        files,
        run=context.info,
        rows=rows,
        works={work.work_id: work for work in context.index.works},
        content=collector.content(rows, context.index),
        limits=ReportLimits(max_rows=limit),
        changes=Changes(
            since=str(before.run.get("started", "")) if before is not None else "",
            counts=counts,
            tallies=tuple(
                (TITLES[Change(name)], number) for name, number in change_counts(delta).items()
            ),
            lines=tuple(lines),
            hidden=delta.num_rows - len(lines),
            notes=(*unreachable_notes(context.listing), *context.notes, *told),
        ),
        name=DELTA_HTML,
    )


class Light:
    """Rows with no more in them than the page shows, and what many of them share kept once: on a
    first night it has a row of every file. Those with evidence are left whole.
    """

    def __init__(self) -> None:
        self._outcomes: dict[tuple[Any, ...], tuple[StageOutcome, ...]] = {}
        self._reasons: dict[tuple[str, ...], tuple[str, ...]] = {}

    def row(self, row: RiskRow) -> RiskRow:
        """The row, to be shown and not to be judged."""
        if row.band in FLAGGED:
            return row
        key = tuple((one.stage, one.outcome, one.reason) for one in row.outcomes)
        if key not in self._outcomes:
            self._outcomes[key] = tuple(StageOutcome(*one) for one in key)
        # Of a row without a match the page has the path alone.
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
