"""Write the files of a nightly scan: those of any run, the changes since the previous scan, and a
page of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core.layout import DELTA, DELTA_CSV, DELTA_JSON
from pipeline.core.records import Band, Outcome, RiskRow
from pipeline.drops.places import absolute
from pipeline.report.page import why_unscreened
from pipeline.results.files import ResultFiles, StoredRun
from pipeline.results.table import Tables, write_table_and_csv
from pipeline.results.table_checks import FLAGGED
from pipeline.risk.bands import partly_judged
from pipeline.scan.output.delta import Change, Suppressed, change_counts, delta_of, suppressed_works
from pipeline.scan.output.notes import arriving_notes, suppressed_notes
from pipeline.scan.output.page import CompactRows, write_page
from pipeline.scan.output.rows import ScanContext, rows_of
from pipeline.screening.recorded import RecordUse
from pipeline.screening.run_files import write_run


def write_outputs(context: ScanContext, folder: Path) -> dict[str, Any]:
    """Writes every file of a scan into `folder`.

    Returns:
        The summary, as delta.json has it.

    Raises:
        DropError: if a file can't be written.
        TableError: if the table would lose or contradict anything.
    """
    assets, previous = context.listing.assets, context.previous
    tally = RowTally(context)
    summary: dict[str, Any] = {}
    with ResultFiles(folder) as files:

        def write_delta(tables: Tables, counts: Mapping[str, int]) -> None:
            suppressed = Suppressed(
                suppressed_works(tables.matches),
                suppressed_works(previous.match_rows, context.run.index.aliases)
                if previous is not None
                else {},
                tally.lapsed,
                unusable=context.run.recorded.use is RecordUse.UNUSABLE,
            )
            delta = _delta(context, tables.risk, suppressed)
            write_table_and_csv(files, delta, DELTA, DELTA_CSV)
            summary.update(_summary(context, counts, delta, tally, suppressed))
            files.write_json(DELTA_JSON, summary)
            notes = (*arriving_notes(summary), *suppressed_notes(summary))
            write_page(context, files, delta, counts, notes, tally.new_rows)

        write_run(
            files,
            context.run,
            tally.count(rows_of(context, assets)),
            discovered=len(assets),
            source={
                "drops": {name: absolute(place) for name, place in context.drops.items()},
                "unreachable": [drop.drop for drop in context.listing.unreachable],
            },
            write_more=write_delta,
        )
    return summary


class RowTally:
    """Counts of the rows of a scan, taken as they go by; only rows of new files are kept.

    Attributes:
        partly: flagged rows that were not screened in full.
        unscreened: how many rows were not screened, by reason.
        lapsed: by asset path, works that reviewers called a false match in another band.
        new_rows: by asset path, rows of files that the previous scan did not have.
        outcomes: how many rows had each outcome, by stage name.
    """

    def __init__(self, context: ScanContext) -> None:
        self._previous_paths = _paths_of(context.previous)
        self._compact = CompactRows()
        self.partly = 0
        self.unscreened = Counter[str]()
        self.lapsed: dict[str, frozenset[str]] = {}
        self.new_rows: dict[str, RiskRow] = {}
        self.outcomes = {runner.name: Counter[str]() for runner in context.run.runners}

    def count(self, rows: Iterable[RiskRow]) -> Iterator[RiskRow]:
        """The same rows, each counted as it is taken."""
        for row in rows:
            path = row.asset.asset_path
            self.partly += row.band in FLAGGED and partly_judged(row)
            if row.band is Band.NOT_SCREENED:
                self.unscreened[why_unscreened(row)[1]] += 1
            if row.lapsed:
                self.lapsed[path] = frozenset(row.lapsed)
            if path not in self._previous_paths:
                self.new_rows[path] = self._compact.row(row)
            for outcome in row.outcomes:
                self.outcomes[outcome.stage][outcome.outcome] += 1
            yield row


def _delta(context: ScanContext, risk: pa.Table, suppressed: Suppressed) -> pa.Table:
    previous, change = context.previous, context.index_change
    added: frozenset[str] = frozenset()
    if change is not None:
        added = frozenset(context.run.index.files[at].work_id for at in change.added)
    removed = change.removed if change is not None else frozenset()
    return delta_of(
        risk,
        previous.risk_rows if previous is not None else None,
        context.run.info.run_id,
        previous.run["run_id"] if previous is not None else None,
        added=added.__contains__,
        removed=removed.__contains__,
        suppressed=suppressed,
        arrived=context.listing.arrived,
        arriving=context.listing.arriving(),
        aliases=context.run.index.aliases,
    )


def _summary(
    context: ScanContext,
    counts: Mapping[str, int],
    delta: pa.Table,
    tally: RowTally,
    suppressed: Suppressed,
) -> dict[str, Any]:
    """The summary: counts and ids, no content of assets."""
    previous, info, listing = context.previous, context.run.info, context.listing
    changes = list(
        zip(delta.column("change").to_pylist(), delta.column("band").to_pylist(), strict=True)
    )
    urgent = Counter(
        band
        for change, band in changes
        if change in (Change.NEW, Change.NEWLY_FLAGGED, Change.RISEN, Change.ANOTHER_WORK)
        and band in set(FLAGGED)
    )
    unscreened = {Band.NOT_SCREENED.value, Band.PARTLY_SCREENED.value}
    return {
        "scan_id": info.run_id,
        "scan_id_before": previous.run["run_id"] if previous is not None else None,
        "started": info.started,
        "files": len(listing.assets),
        "read": listing.read,
        "counts": dict(counts),
        "changes": change_counts(delta),
        "flagged_anew": {band.value: urgent[band.value] for band in FLAGGED},
        "flagged_in_part": tally.partly,
        "still_arriving": len(listing.arriving()),
        "not_screened_anew": sum(
            change in (Change.NEW, Change.NEWLY_NOT_SCREENED) and band in unscreened
            for change, band in changes
        ),
        "works": len(context.run.index.works),
        "index_version": info.index_version,
        "config_fingerprint": info.config_fingerprint,
        "unreachable": {drop.drop: drop.files for drop in listing.unreachable},
        "not_screened_for": dict(tally.unscreened.most_common()),
        "suppressed": sum(map(len, suppressed.now.values())),
        "no_longer_suppressed": sum(map(len, suppressed.lapsed.values())),
        "record": context.run.recorded.use.value,
        "stages": stage_counts(tally.outcomes),
    }


def stage_counts(outcomes: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Rows by outcome for each stage, without those to which the stage does not apply."""
    counted = [one for one in Outcome if one is not Outcome.NOT_APPLICABLE]
    return {
        stage: {outcome.value: numbers.get(outcome.value, 0) for outcome in counted}
        for stage, numbers in outcomes.items()
    }


def _paths_of(run: StoredRun | None) -> frozenset[str]:
    return (
        frozenset(run.risk_rows.column("asset_path").to_pylist())
        if run is not None
        else frozenset()
    )
