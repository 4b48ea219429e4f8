"""What a scan writes: its tables, what changed since the scan before, and a page of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core.layout import DELTA, DELTA_CSV, DELTA_JSON, RUN
from pipeline.core.records import Band, Outcome, RiskRow
from pipeline.core.wording.safe_csv import write_csv
from pipeline.drops.places import absolute
from pipeline.report.page import why_unscreened
from pipeline.results.files import ResultFiles, StoredRun
from pipeline.results.table import tables_in_order, write_built, write_parquet
from pipeline.results.table_checks import FLAGGED
from pipeline.risk.bands import partly_judged
from pipeline.scan.output.delta import Change, Suppressed, change_counts, delta_of, suppressed_works
from pipeline.scan.output.notes import arriving_notes, suppressed_notes
from pipeline.scan.output.page import Light, write_page
from pipeline.scan.output.rows import Context, rows_of
from pipeline.screening.recorded import RecordUse, write_decisions
from pipeline.screening.run_record import run_manifest


def write_outputs(context: Context, folder: Path) -> dict[str, Any]:
    """Writes every file of the answer into `folder`; what delta.json says.

    Raises:
        DropError: if a file can't be written.
        TableError: if the table would lose or contradict anything.
    """
    works = {work.work_id: work for work in context.index.works}
    assets, info = context.listing.assets, context.info
    with ResultFiles(folder) as files:
        partly, unscreened = 0, Counter[str]()
        lapsed: dict[str, frozenset[str]] = {}
        fresh, before, light = dict[str, RiskRow](), _paths_of(context.before), Light()
        stages = {runner.name: Counter[str]() for runner in context.runners}

        def counted() -> Iterator[RiskRow]:
            nonlocal partly
            for row in rows_of(context, assets):
                partly += row.band in FLAGGED and partly_judged(row)
                if row.band is Band.NOT_SCREENED:
                    unscreened[why_unscreened(row)[1]] += 1
                if row.lapsed:
                    lapsed[row.asset.asset_path] = frozenset(row.lapsed)
                if row.asset.asset_path not in before:
                    fresh[row.asset.asset_path] = light.row(row)
                for outcome in row.outcomes:
                    stages[outcome.stage][outcome.outcome] += 1
                yield row

        built = tables_in_order(counted(), info, works, discovered=len(assets))
        write_built(files, built)
        write_decisions(files, built.risk, context.recorded)
        suppressed = Suppressed(
            suppressed_works(built.matches),
            suppressed_works(context.before.match_rows) if context.before is not None else {},
            lapsed,
            unusable=context.recorded.use is RecordUse.UNUSABLE,
        )
        delta = _delta(context, built.risk, suppressed)
        with files.new(DELTA) as file:
            write_parquet(delta, file)
        with files.new(DELTA_CSV) as file:
            write_csv(delta, file)
        bands = Counter(built.risk.column("band").to_pylist())
        counts = {band.value: bands[band.value] for band in Band}
        pairs, again = (
            sum(map(len, works.values())) for works in (suppressed.now, suppressed.lapsed)
        )
        said = {
            **_said(context, counts, delta, partly),
            "not_screened_for": dict(unscreened.most_common()),
            "suppressed": pairs,
            "no_longer_suppressed": again,
            "record": context.recorded.use.value,
            "stages": stage_counts(stages),
        }
        files.write_json(DELTA_JSON, said)
        told = (*arriving_notes(said), *suppressed_notes(said))
        write_page(context, files, delta, counts, told, fresh)
        run = {
            "drops": {name: absolute(where) for name, where in context.drops.items()},
            "unreachable": [one.drop for one in context.listing.unreachable],
            "record": {**context.recorded.to_json(), "suppressed": pairs},
            **run_manifest(
                info, context.index, context.config, context.runners, len(assets), counts
            ),
        }
        run["outputs"] = dict(files.digests)
        files.write_json(RUN, run)
    return said


def _delta(context: Context, risk: pa.Table, suppressed: Suppressed) -> pa.Table:
    before, change = context.before, context.change
    added: frozenset[str] = frozenset()
    if change is not None:
        added = frozenset(context.index.files[at].work_id for at in change.added)
    removed = change.removed if change is not None else frozenset()
    return delta_of(
        risk,
        before.risk_rows if before is not None else None,
        context.info.run_id,
        before.run["run_id"] if before is not None else None,
        added=added.__contains__,
        removed=removed.__contains__,
        suppressed=suppressed,
        arrived=context.listing.arrived,
        arriving=context.listing.arriving(),
    )


def _said(
    context: Context, counts: Mapping[str, int], delta: pa.Table, partly: int
) -> dict[str, Any]:
    """The summary as data: counts and ids, nothing of what assets hold."""
    before = context.before
    urgent = Counter(
        band
        for change, band in zip(
            delta.column("change").to_pylist(), delta.column("band").to_pylist(), strict=True
        )
        if change in (Change.NEW, Change.NEWLY_FLAGGED, Change.RISEN, Change.ANOTHER_WORK)
        and band in set(FLAGGED)
    )
    fresh = (Change.NEW, Change.NEWLY_NOT_SCREENED)
    unsure = {Band.NOT_SCREENED.value, Band.PARTLY_SCREENED.value}
    return {
        "scan_id": context.info.run_id,
        "scan_id_before": before.run["run_id"] if before is not None else None,
        "started": context.info.started,
        "files": len(context.listing.assets),
        "read": context.listing.read,
        "counts": dict(counts),
        "changes": change_counts(delta),
        "flagged_anew": {band.value: urgent[band.value] for band in FLAGGED},
        "flagged_in_part": partly,
        "still_arriving": len(context.listing.arriving()),
        "not_screened_anew": sum(
            change in fresh and band in unsure
            for change, band in zip(
                delta.column("change").to_pylist(), delta.column("band").to_pylist(), strict=True
            )
        ),
        "works": len(context.index.works),
        "index_version": context.index.version,
        "config_fingerprint": context.info.config_fingerprint,
        "unreachable": {one.drop: one.files for one in context.listing.unreachable},
    }


def stage_counts(stages: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """How many assets each stage matched, found nothing for, and so on; those to which it does not
    apply are left out.
    """
    told = [one for one in Outcome if one is not Outcome.NOT_APPLICABLE]
    return {
        stage: {one.value: found.get(one.value, 0) for one in told}
        for stage, found in stages.items()
    }


def _paths_of(run: StoredRun | None) -> frozenset[str]:
    return frozenset(run.risk_rows.column("asset_path").to_pylist()) if run is not None else _NONE


_NONE: frozenset[str] = frozenset()
