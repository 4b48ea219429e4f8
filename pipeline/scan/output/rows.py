"""The rows of a scan's tables, from what is kept of contents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.errors import Reason
from pipeline.core.records import Asset, Fault, RiskRow
from pipeline.drops.places import Place
from pipeline.results.files import RunInfo, StoredRun
from pipeline.scan.incremental import IncrementalScreener
from pipeline.scan.listing import Listing
from pipeline.scan.memory import serialization
from pipeline.scan.memory.cache_keys import content_of
from pipeline.scan.memory.index_change import IndexChange
from pipeline.scan.memory.state import ScanCache
from pipeline.screening.config import Config
from pipeline.screening.recorded import Recorded
from pipeline.screening.rows import Facts, Rows
from pipeline.screening.stage_runner import StageRunner, run_stages_cached
from reference_index.store import ReferenceIndex


@dataclass(frozen=True)
class Context:
    """Everything that the answer is made from."""

    cache: ScanCache
    index: ReferenceIndex
    runners: Sequence[StageRunner]
    config: Config
    listing: Listing
    screener: IncrementalScreener
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
    rows = Rows(context.index, context.runners, context.config, context.recorded.suppressions)
    for asset in assets:
        content = content_of(asset)
        passing = context.screener.passing.get(content or "")
        if passing is not None:
            yield rows.row(asset, *passing)
            continue
        known = context.screener.known(content) if content is not None else None
        outcomes = context.cache.outcomes(content) if content is not None else None
        if known is not None and outcomes is not None:
            facts = serialization.facts_from_json(known.facts)
            yield rows.row(asset, facts, serialization.outcomes_from_bytes(outcomes.data))
            continue
        fault = asset.fault or _UNSEEN
        [answered] = run_stages_cached([(asset, fault)], context.runners, [{}])
        yield rows.row(asset, Facts(fault), answered.outcomes)


_UNSEEN = Fault(
    Reason.UNREADABLE,
    "its drop could not be read, and it was not judged before; the next scan that reads the drop "
    "judges it",
)
