"""Write the files of a nightly scan: those of any run, the changes since the previous scan, and
delta.html, a page of them. The rows of all are made here from the scan cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core.errors import Reason
from pipeline.core.layout import DELTA, DELTA_CSV, DELTA_HTML, DELTA_JSON
from pipeline.core.records import Asset, Band, Fault, Outcome, RiskRow, StageOutcome
from pipeline.core.wording.text import BANDS, risk_number, visible
from pipeline.drops.places import Place, absolute
from pipeline.load.workers.pool import load_in_worker
from pipeline.report.card import ContentCollector
from pipeline.report.page import ChangeLine, Changes, ReportLimits, write_report
from pipeline.report.unscreened import why_unscreened
from pipeline.results.files import ResultFiles, StoredRun
from pipeline.results.ruled import works_of_rules
from pipeline.results.table import Tables, write_table_and_csv
from pipeline.results.table_checks import FLAGGED
from pipeline.risk.bands import partly_judged
from pipeline.scan.incremental import IncrementalScreener
from pipeline.scan.listing import Listing
from pipeline.scan.memory import serialization
from pipeline.scan.memory.invalidation import IndexChange, content_of
from pipeline.scan.memory.state import ScanCache
from pipeline.scan.output.delta import (
    Change,
    Suppressed,
    Works,
    change_counts,
    delta_of,
    suppressed_works,
    why_ended,
)
from pipeline.scan.output.notes import (
    TITLES,
    arriving_notes,
    moved_from,
    suppressed_notes,
    unreachable_notes,
)
from pipeline.screening.recorded import RecordUse
from pipeline.screening.run_files import Facts, Rows, Run, SystemFiles, write_run
from pipeline.screening.stage_runner import run_stages


@dataclass(frozen=True)
class ScanContext:
    """Everything that the outputs of a scan are made from.

    Attributes:
        run: index, configuration, stages and record, as of any run.
        cache: fingerprints and outcomes.
        listing: the files of all drops.
        screener: what could not be read this time.
        previous: results of the previous scan; None if there is none.
        index_change: what changed in the index since then; None if not known.
        drops: the drops' places, by name.
        notes: sentences for the head of the page.
    """

    run: Run
    cache: ScanCache
    listing: Listing
    screener: IncrementalScreener
    previous: StoredRun | None
    index_change: IndexChange | None
    drops: Mapping[str, Place]
    notes: tuple[str, ...]


def rows_of(context: ScanContext, assets: Sequence[Asset]) -> Iterator[RiskRow]:
    """The rows of assets, in their order, from cached outcomes.

    Outcomes are cached without suppression, which is applied here.
    """
    run = context.run
    rows = Rows(run.index, run.runners, run.config, run.recorded.suppressions, run.recorded.rules)
    for asset in assets:
        content = content_of(asset)
        transient = context.screener.transient.get(content or "")
        if transient is not None:
            yield rows.row(asset, *transient)
            continue
        cached = context.screener.cached(content) if content is not None else None
        outcomes = context.cache.outcomes(content) if content is not None else None
        if cached is not None and outcomes is not None:
            facts = serialization.facts_from_json(cached.facts)
            yield rows.row(asset, facts, serialization.outcomes_from_bytes(outcomes.data))
            continue
        fault = asset.fault or _NEVER_SCREENED
        [(_, _, skipped)] = run_stages([(asset, fault)], run.runners)
        yield rows.row(asset, Facts(fault), skipped)


_NEVER_SCREENED = Fault(
    Reason.UNREADABLE,
    "its drop could not be read, and it was not screened before; the next scan that reads the drop "
    "screens it",
)


def write_outputs(context: ScanContext, folder: Path) -> dict[str, Any]:
    """Writes every file of a scan into `folder`.

    Returns:
        The summary, as delta.json has it.

    Raises:
        DropError: if a file can't be written.
        TableError: if the table would lose or contradict anything.
    """
    assets = context.listing.assets
    tally = RowTally(context)
    summary: dict[str, Any] = {}
    with ResultFiles(folder) as files:

        def write_delta(tables: Tables, counts: Mapping[str, int]) -> None:
            suppressed = _suppressed(context, tables.matches, tally.lapsed)
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
            system_files=tally.system_files,
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
        system_files: files of operating systems, whose rows are left out if configured.
        partly: flagged rows that were not screened in full.
        unscreened: how many rows were not screened, by reason.
        lapsed: by asset path, works that reviewers called a false match in another band.
        new_rows: by asset path, rows of files that the previous scan did not have.
        outcomes: how many rows had each outcome, by stage name.
    """

    def __init__(self, context: ScanContext) -> None:
        self._previous_paths = _paths_of(context.previous)
        self._compact = CompactRows()
        self.system_files = SystemFiles(context.run.config)
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
            if not self.system_files.has_row(row):
                continue
            if row.band is Band.NOT_SCREENED:
                self.unscreened[why_unscreened(row)[1]] += 1
            if row.lapsed:
                self.lapsed[path] = frozenset(row.lapsed)
            if path not in self._previous_paths:
                self.new_rows[path] = self._compact.row(row)
            for outcome in row.outcomes:
                self.outcomes[outcome.stage][outcome.outcome] += 1
            yield row


def _suppressed(context: ScanContext, matches: pa.Table, lapsed: Works) -> Suppressed:
    """The suppressed matches of this scan and of the one before."""
    recorded, previous = context.run.recorded, context.previous
    standings, aliases = recorded.items.standings, context.run.index.aliases
    by_rule = works_of_rules(matches, standings)
    before = works_of_rules(previous.match_rows, standings, aliases) if previous is not None else {}
    return Suppressed(
        suppressed_works(matches),
        suppressed_works(previous.match_rows, aliases) if previous is not None else {},
        lapsed,
        {path: frozenset(works) for path, works in by_rule.items()},
        {
            path: {work: why_ended(rules[0], recorded.day) for work, rules in works.items()}
            for path, works in before.items()
        },
        unusable=recorded.use is RecordUse.UNUSABLE,
    )


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
        "system_files": tally.system_files.to_json(),
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
        "suppressed_by_rules": sum(map(len, suppressed.by_rule.values())),
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
        why=row["why"] + moved_from(row),
    )
