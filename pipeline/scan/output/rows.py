"""The rows of a scan's tables, made from the scan cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.errors import Reason
from pipeline.core.records import Asset, Fault, RiskRow
from pipeline.drops.places import Place
from pipeline.results.files import StoredRun
from pipeline.scan.incremental import IncrementalScreener
from pipeline.scan.listing import Listing
from pipeline.scan.memory import serialization
from pipeline.scan.memory.invalidation import IndexChange, content_of
from pipeline.scan.memory.state import ScanCache
from pipeline.screening.run_files import Facts, Rows, Run
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
    rows = Rows(run.index, run.runners, run.config, run.recorded.suppressions)
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
