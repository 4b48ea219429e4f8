"""What a scan writes: its tables, what changed since the scan before, and a page of that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.config import Config
from pipeline.errors import Reason
from pipeline.fuse import in_part
from pipeline.judge import Bench, judge_with
from pipeline.load.workers import load_apart
from pipeline.places import Place, absolute
from pipeline.plain_words import BANDS, count, risk_number
from pipeline.recorded import Recorded, RecordUse, write_decisions
from pipeline.records import Asset, Band, Fault, Outcome, RiskRow, StageOutcome
from pipeline.report import ChangeLine, Changes, ReportLimits, why_unscreened, write_report
from pipeline.results import (
    DELTA,
    DELTA_CSV,
    DELTA_HTML,
    DELTA_JSON,
    RUN,
    ResultFiles,
    RunInfo,
    StoredRun,
)
from pipeline.rows import Facts, Rows
from pipeline.run_record import run_manifest
from pipeline.scan import codec
from pipeline.scan.delta import Change, Suppressed, change_counts, delta_of, suppressed_works
from pipeline.scan.index_change import IndexChange
from pipeline.scan.judging import Judging
from pipeline.scan.keys import content_of
from pipeline.scan.listing import Listing
from pipeline.scan.state import State
from pipeline.shown import Judged, Shown
from pipeline.shown import content_of as shown_content
from pipeline.spreadsheet import write_csv
from pipeline.table import tables_in_order, write_built, write_parquet
from pipeline.table_checks import FLAGGED
from pipeline.visible import visible
from reference_index.store import ReferenceIndex

TITLES: Mapping[Change, str] = {
    Change.NEW: "new",
    Change.NEWLY_FLAGGED: "newly flagged",
    Change.RISEN: "risen",
    Change.ANOTHER_WORK: "flagged for another work",
    Change.NEWLY_NOT_SCREENED: "newly not screened",
    Change.FALLEN: "fallen",
    Change.NEWLY_SCREENED: "screened at last",
    Change.OTHER_BYTES: "with other bytes",
    Change.GONE: "no longer present",
}
"""The kinds of change in words."""


@dataclass(frozen=True)
class Context:
    """Everything that the answer is made from."""

    state: State
    index: ReferenceIndex
    benches: Sequence[Bench]
    config: Config
    listing: Listing
    judging: Judging
    info: RunInfo
    before: StoredRun | None
    change: IndexChange | None
    drops: Mapping[str, Place]
    recorded: Recorded
    notes: tuple[str, ...]


def rows_of(context: Context, assets: Sequence[Asset]) -> Iterator[RiskRow]:
    """Rows of assets, in their order, from what is kept of their contents.

    What is kept was judged without suppression, which is applied here.
    """
    rows = Rows(context.index, context.benches, context.config, context.recorded.suppressions)
    for asset in assets:
        content = content_of(asset)
        passing = context.judging.passing.get(content or "")
        if passing is not None:
            yield rows.row(asset, *passing)
            continue
        known = context.judging.known(content) if content is not None else None
        outcomes = context.state.outcomes(content) if content is not None else None
        if known is not None and outcomes is not None:
            facts = codec.facts_from_json(known.facts)
            yield rows.row(asset, facts, codec.outcomes_from_bytes(outcomes.data))
            continue
        fault = asset.fault or _UNSEEN
        [answered] = judge_with([(asset, fault)], context.benches, [{}])
        yield rows.row(asset, Facts(fault), answered.outcomes)


_UNSEEN = Fault(
    Reason.UNREADABLE,
    "its drop could not be read, and it was not judged before; the next scan that reads the drop "
    "judges it",
)


def write_answer(context: Context, folder: Path) -> dict[str, Any]:
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
        fresh, before, light = dict[str, RiskRow](), _paths_of(context.before), _Light()
        stages = {bench.name: Counter[str]() for bench in context.benches}

        def counted() -> Iterator[RiskRow]:
            nonlocal partly
            for row in rows_of(context, assets):
                partly += row.band in FLAGGED and in_part(row)
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
        _write_page(context, files, delta, counts, told, fresh)
        run = {
            "drops": {name: absolute(where) for name, where in context.drops.items()},
            "unreachable": [one.drop for one in context.listing.unreachable],
            "record": {**context.recorded.to_json(), "suppressed": pairs},
            **run_manifest(
                info, context.index, context.config, context.benches, len(assets), counts
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


def _write_page(
    context: Context,
    files: ResultFiles,
    delta: pa.Table,
    counts: Mapping[str, int],
    told: tuple[str, ...],
    fresh: Mapping[str, RiskRow],
) -> None:
    limit = context.config.report.max_rows
    lines = [_line(row) for row in delta.slice(0, limit).to_pylist()]
    changed = set(delta.column("asset_path").to_pylist())
    there = [asset for asset in context.listing.assets if asset.asset_path in changed]
    rows, shown = [], Shown(limit if context.config.report.thumbnails else 0)
    light = _Light()
    others = rows_of(context, [asset for asset in there if asset.asset_path not in fresh])
    for asset in there:
        row = fresh.get(asset.asset_path) or light.row(next(others))
        rows.append(row)
        if row.band in FLAGGED and shown.limit:
            loaded = load_apart(asset, context.config.limits)
            shown.take(Judged(row, None if isinstance(loaded, Fault) else loaded))
    before = context.before
    write_report(
        files,
        run=context.info,
        rows=rows,
        works={work.work_id: work for work in context.index.works},
        content=shown_content(rows, context.index, shown),
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


def _paths_of(run: StoredRun | None) -> frozenset[str]:
    return frozenset(run.risk_rows.column("asset_path").to_pylist()) if run is not None else _NONE


_NONE: frozenset[str] = frozenset()


class _Light:
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


def unreachable_notes(listing: Listing) -> tuple[str, ...]:
    """A sentence for each drop, and each folder of one, that could not be read."""
    drops = (
        f"The drop {one.drop} could not be read: {visible(one.why)} Its "
        f"{count(one.files, 'file')} stand as they were last seen."
        for one in listing.unreachable
    )
    folders = (
        f"The folder {visible(path)} could not be read; its {count(files, 'file')} stand as they "
        "were last seen."
        for path, files in listing.shut.items()
    )
    return (*drops, *folders)


def arriving_notes(said: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence on files that are still arriving, apart from others that were not screened, from a
    scan's summary; none if there are no such files.
    """
    arriving = said["still_arriving"]
    if not arriving:
        return ()
    others = said["counts"][Band.NOT_SCREENED] - arriving
    one = f"{count(arriving, 'file is', 'files are')} still arriving and "
    waits = "waits" if arriving == 1 else "wait"
    rest = f"; {count(others, 'other was', 'others were')} not screened" if others else ""
    return (f"{one}{waits} for the next scan{rest}.",)


def suppressed_notes(said: Mapping[str, Any]) -> tuple[str, ...]:
    """Sentences on matches that people agreed are false, from a scan's summary."""
    pairs, again = said["suppressed"], said["no_longer_suppressed"]
    notes = []
    if pairs:
        notes.append(
            f"{count(pairs, 'match is', 'matches are')} suppressed, because people agreed that "
            f"{'it is' if pairs == 1 else 'they are'} false."
        )
    if again:
        notes.append(
            f"{count(again, 'match counts', 'matches count')} again, because the band is another "
            "one than people decided on."
        )
    return tuple(notes)


def record_notes(recorded: Recorded, named: bool) -> tuple[str, ...]:
    """What a reader must know of the record of decisions.

    Args:
        recorded: what was taken from it.
        named: whether somebody named it, and so takes it to be there.
    """
    if recorded.use is RecordUse.UNUSABLE:
        said = "No match was suppressed, because the record of decisions could not be used"
        return (f"{said}: {visible(recorded.why)}",)
    if recorded.use is RecordUse.NONE and named:
        return ("The record of decisions that was named is not there yet; the first decision "
                "makes it.",)  # fmt: skip
    return (visible(recorded.why),) if recorded.why else ()


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
