"""Screen again only what changed since the previous scan.

Each content is brought up to date by the cheapest of four actions:

- keep: its bytes, the stages, their settings and the index are those of the cached outcomes;
- compare: works were added, removed or renamed since; cached fingerprints are compared with the
  added works;
- search: cached fingerprints are searched for in the whole index;
- load: the file is loaded and fingerprinted.

Results are committed chunk by chunk, so that an interrupted scan resumes where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeGuard

from pipeline.core.errors import Reason
from pipeline.core.records import Asset, Fault, Kind, Outcome, StageOutcome
from pipeline.drops.discover import Entry
from pipeline.load.loaded import Loaded, LoadedScript
from pipeline.load.workers.pool import load_all, load_in_worker, timeout_fault
from pipeline.runtime.progress import Progress
from pipeline.scan.listing import file_of
from pipeline.scan.memory import serialization
from pipeline.scan.memory.invalidation import (
    CacheKeys,
    IndexChange,
    IndexChanges,
    content_of,
    restricted_to,
)
from pipeline.scan.memory.state import CachedContent, CachedOutcomes, ScanCache
from pipeline.scan.memory.timeouts import RepeatedTimeouts
from pipeline.screening.config import Config
from pipeline.screening.run_files import Facts, facts_of
from pipeline.screening.stage_runner import (
    FingerprintResult,
    StageResults,
    StageRunner,
    kind_of,
    run_stages_cached,
    two_at_a_time,
)
from pipeline.stages.text.elements import WorkScenes, with_scenes
from reference_index.store import ReferenceIndex

SEARCH_BATCH = 64
"""Contents whose cached fingerprints are searched for together."""

UNCHANGED = "unchanged"
"""Reason of contents that are kept as they are."""

STAGE_FAILED_KEY = "a stage broke"
"""Search key of outcomes with a failed stage: it equals no real key, so the next scan retries."""

TRANSIENT_FAULTS = frozenset(
    {
        Reason.UNREADABLE,
        Reason.NOT_A_FILE,
        Reason.ARRIVING,
        Reason.TIMED_OUT,
        Reason.DECODER_DIED,
        Reason.NO_DECODER,
    }
)
"""Faults that need not come from the bytes themselves: the next scan tries again."""


class Action(StrEnum):
    """How a content is brought up to date."""

    KEEP = "unchanged"
    COMPARE = "compared with added works"
    SEARCH = "searched again"
    LOAD = "loaded"


@dataclass(frozen=True, slots=True)
class Pending:
    """A content that a scan brings up to date.

    Attributes:
        content: its key (`invalidation.content_of`).
        asset: one file with this content.
        action: how it is brought up to date.
        reason: why so, for the plan that is announced.
    """

    content: str
    asset: Asset
    action: Action
    reason: str


class IncrementalScreener:
    """Brings the cached outcomes of contents up to date, for one scan.

    Args:
        cache: fingerprints and outcomes of earlier scans.
        index: the opened index.
        runners: its stages.
        config: limits and stage settings.
        cache_keys: of this scan.
        scan_id: its name.

    Attributes:
        transient: by content, facts and outcomes of what could not be read this time. They are not
            cached: earlier results for those bytes are still valid.
    """

    def __init__(
        self,
        cache: ScanCache,
        index: ReferenceIndex,
        runners: Sequence[StageRunner],
        config: Config,
        cache_keys: CacheKeys,
        scan_id: str,
    ) -> None:
        self._cache = cache
        self._index = index
        self._runners = runners
        self._config = config
        self._cache_keys = cache_keys
        self._scan_id = scan_id
        self._changes = IndexChanges(index)
        self._works = WorkScenes(index)
        self.transient: dict[str, tuple[Facts, tuple[StageOutcome, ...]]] = {}
        self._timeouts = RepeatedTimeouts(cache, cache_keys.load, scan_id)

    def cached(self, content: str) -> CachedContent | None:
        """How a content loaded; None if that is not cached, or damaged."""
        cached = self._cache.content(content)
        with suppress(ValueError):
            if (
                cached is not None
                and Kind(cached.kind)
                and serialization.facts_from_json(cached.facts)
            ):
                return cached
        return None

    def plan(self, content: str, asset: Asset) -> Pending:
        """The cheapest action that brings a content up to date."""
        pending = self._plan(content, asset)
        return self._unless_skipped(pending) if pending.action is Action.LOAD else pending

    def _unless_skipped(self, pending: Pending) -> Pending:
        """The same, or nothing to do if loading timed out in several scans already."""
        if not self._timeouts.skips(pending.content):
            return pending
        fault = timeout_fault(pending.asset, self._config.limits)
        [result] = run_stages_cached([(pending.asset, fault)], self._runners, [{}])
        self.transient[pending.content] = facts_of(fault), result.outcomes
        return replace(pending, action=Action.KEEP, reason="took too long in the scans before")

    def _plan(self, content: str, asset: Asset) -> Pending:
        cached = self.cached(content)
        if cached is None:
            return Pending(content, asset, Action.LOAD, "new or changed files")
        if cached.load_key != self._cache_keys.load:
            return Pending(content, asset, Action.LOAD, "limits or decoders changed")
        facts = serialization.facts_from_json(cached.facts)
        if facts.fault is not None and facts.fault.reason in TRANSIENT_FAULTS:
            return Pending(content, asset, Action.LOAD, "could not be read before")
        kind = Kind(cached.kind)
        if facts.fault is None and kind is not Kind.OTHER:
            missing = self._missing(content, kind)
            if missing:
                reason = f"no fingerprints by {', '.join(missing)}"
                return Pending(content, asset, Action.LOAD, reason)
        outcomes = self._cache.outcomes(content)
        if outcomes is None or outcomes.search_key != self._search_key(kind):
            action = Action.LOAD if facts.fault is not None else Action.SEARCH
            return Pending(content, asset, action, "stages or their settings changed")
        if (outcomes.index_version, outcomes.index_digest) == self._index_identity:
            return Pending(content, asset, Action.KEEP, UNCHANGED)
        if self._changes.since(outcomes.index_version, outcomes.index_digest) is None:
            action = Action.LOAD if facts.fault is not None else Action.SEARCH
            return Pending(content, asset, action, "another index")
        return Pending(content, asset, Action.COMPARE, "works were added, removed or renamed")

    @property
    def _index_identity(self) -> tuple[int, str]:
        return self._index.version, self._index.digest

    def _search_key(self, kind: Kind) -> str:
        return self._cache_keys.search.get(str(kind), self._cache_keys.load)

    def _stages_for(self, kind: Kind) -> list[str]:
        return [r.name for r in self._runners if r.kind is kind and r.stage is not None]

    def _missing(self, content: str, kind: Kind) -> list[str]:
        """Stages for this kind of which no fingerprint is cached."""
        cached = self._cache.fingerprinted_by(content, self._cache_keys.specs)
        return [name for name in self._stages_for(kind) if name not in cached]

    def run(self, pending: Sequence[Pending], progress: Progress) -> None:
        """Brings every content up to date; commits results chunk by chunk."""
        self._timeouts.count_skipped()
        total = sum(one.action is not Action.KEEP for one in pending)
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            progress("Judging", min(done, total), total)

        to_compare = [one for one in pending if one.action is Action.COMPARE]
        to_search = [one for one in pending if one.action is Action.SEARCH]
        to_load = [one for one in pending if one.action is Action.LOAD]
        for affected, count in self._compare(to_compare):
            to_search += affected
            advance(count - len(affected))
        for damaged, count in self._search(to_search):
            to_load += damaged
            advance(count - len(damaged))
        for count in self._load(to_load):
            advance(count)

    def screen_fetched(
        self, name: str, entries: Mapping[str, Entry], assets: Iterator[Asset]
    ) -> Iterator[tuple[Asset, Pending | None]]:
        """Screens assets of a drop in object storage while their bytes are on this machine.

        Args:
            name: of the drop.
            entries: its listing, by path.
            assets: as they are fetched. The file of one may be deleted once the next result is
                asked for.

        Yields:
            Each asset under the drop's name, with what is still pending for its content.
        """

        def planned() -> Iterator[tuple[Asset, Pending | None]]:
            for asset in assets:
                renamed = replace(asset, asset_path=f"{name}/{asset.asset_path}")
                content = content_of(renamed)
                yield renamed, self.plan(content, renamed) if content is not None else None

        def asset_of(item: tuple[Asset, Pending | None]) -> Asset:
            asset, pending = item
            load = pending is not None and pending.action is Action.LOAD
            return asset if load or asset.fault is not None else replace(asset, fault=_NOT_LOADED)

        for chunk in load_all(planned(), self._config.limits, asset_of):
            to_screen = [
                (pending, loaded) for (_, pending), loaded in chunk if _is_loaded(pending, loaded)
            ]
            results = run_stages_cached(
                [(pending.asset, loaded) for pending, loaded in to_screen],
                self._runners,
                [self._fingerprints(pending.content, loaded) for pending, loaded in to_screen],
            )
            with self._cache.transaction():
                for (pending, loaded), result in zip(to_screen, results, strict=True):
                    self._put_loaded(pending, loaded, result)
                for (asset, _), _ in chunk:
                    path = asset.asset_path.removeprefix(f"{name}/")
                    file = file_of(asset, entries[path].stamp)
                    self._cache.put_file(name, path, file, self._scan_id)
            for (asset, still_pending), loaded in chunk:
                yield asset, None if _is_loaded(still_pending, loaded) else still_pending

    # Comparing with added works

    def _compare(self, pending: Sequence[Pending]) -> Iterator[tuple[list[Pending], int]]:
        """Compares batches with the works that changed.

        Yields:
            Contents that the change affects, to be searched for in the whole index, and the size of
            the batch. Outcomes of the others stay valid.
        """
        by_version: dict[tuple[int, str], list[Pending]] = {}
        for one in pending:
            outcomes = self._cache.outcomes(one.content)
            if outcomes is None:
                raise AssertionError("cached outcomes disappeared during the scan")
            version = outcomes.index_version, outcomes.index_digest
            by_version.setdefault(version, []).append(one)
        for version, several in by_version.items():
            change = self._changes.since(*version)
            if change is None:
                raise AssertionError("a known change of the index disappeared during the scan")
            added = restricted_to(self._runners, change.added) if change.added else None
            for batch in _batches(several, SEARCH_BATCH):
                yield self._affected(batch, change, added), len(batch)

    def _affected(
        self, batch: Sequence[Pending], change: IndexChange, added: Sequence[StageRunner] | None
    ) -> list[Pending]:
        outcomes = [self._cache.outcomes(one.content) for one in batch]
        fingerprints = [self._fingerprints(one.content) for one in batch]
        affected = [
            stored is None or _mentions(stored, change.removed | change.renamed)
            for stored in outcomes
        ]
        if added is not None:
            # Files with a fault and those of no kind have no fingerprints to compare.
            places = [n for n, prints in enumerate(fingerprints) if prints and not affected[n]]
            results = run_stages_cached(
                [(self._of_cached_kind(batch[n]), None) for n in places],
                added,
                [fingerprints[n] for n in places],
            )
            for n, result in zip(places, results, strict=True):
                values = {outcome.outcome for outcome in result.outcomes}
                affected[n] = not values.isdisjoint({Outcome.MATCHED, Outcome.FAILED})
        with self._cache.transaction():
            for one, stored, is_affected in zip(batch, outcomes, affected, strict=True):
                if not is_affected and stored is not None:
                    version, digest = self._index_identity
                    self._cache.put_outcomes(
                        one.content,
                        replace(stored, index_version=version, index_digest=digest),
                    )
        return [one for one, is_affected in zip(batch, affected, strict=True) if is_affected]

    def _of_cached_kind(self, pending: Pending) -> Asset:
        cached = self._cache.content(pending.content)
        if cached is None:
            raise AssertionError("a cached content disappeared during the scan")
        return replace(pending.asset, kind=Kind(cached.kind))

    # Searching with cached fingerprints

    def _search(self, pending: Sequence[Pending]) -> Iterator[tuple[list[Pending], int]]:
        """Searches for batches in the whole index.

        Yields:
            Contents whose cached fingerprints are damaged, to be loaded, and the size of the batch.
        """
        for batch in _batches(pending, SEARCH_BATCH):
            fingerprints = [self._fingerprints(one.content) for one in batch]
            assets = [self._of_cached_kind(one) for one in batch]
            intact = [
                set(self._stages_for(asset.kind)) <= set(prints)
                for asset, prints in zip(assets, fingerprints, strict=True)
            ]
            places = [n for n, is_intact in enumerate(intact) if is_intact]
            results = run_stages_cached(
                [(assets[n], None) for n in places],
                self._runners,
                [fingerprints[n] for n in places],
            )
            with_places = [
                self._reload_for_scenes(assets[n], result.outcomes)
                for n, result in zip(places, results, strict=True)
            ]
            with self._cache.transaction():
                for n, outcomes in zip(places, with_places, strict=True):
                    self._put_outcomes(batch[n].content, assets[n].kind, outcomes)
            damaged = [one for one, is_intact in zip(batch, intact, strict=True) if not is_intact]
            yield damaged, len(batch)

    def _reload_for_scenes(
        self, asset: Asset, outcomes: tuple[StageOutcome, ...]
    ) -> tuple[StageOutcome, ...]:
        """Outcomes with scenes and pages; a script with passages is loaded again for them."""
        if not any(one.passages for outcome in outcomes for one in outcome.evidence):
            return outcomes
        return self._with_scenes(outcomes, load_in_worker(asset, self._config.limits))

    def _with_scenes(
        self, outcomes: tuple[StageOutcome, ...], loaded: Loaded | Fault
    ) -> tuple[StageOutcome, ...]:
        if not isinstance(loaded, LoadedScript):
            return outcomes
        return with_scenes(outcomes, loaded, self._works)

    # Loading

    def _load(self, pending: Sequence[Pending]) -> Iterator[int]:
        """Loads, fingerprints and searches; yields the size of each chunk that is done."""
        chunks = load_all(pending, self._config.limits, lambda one: one.asset)

        def with_fingerprints() -> Iterator[_Chunk]:
            for chunk in chunks:
                # Read here, in the thread that holds the database.
                yield chunk, [self._fingerprints(one.content, loaded) for one, loaded in chunk]

        def screen(work: _Chunk) -> tuple[_Chunk, list[StageResults]]:
            chunk, fingerprints = work
            inputs = [(one.asset, loaded) for one, loaded in chunk]
            return work, run_stages_cached(inputs, self._runners, fingerprints)

        for (chunk, _), results in two_at_a_time(with_fingerprints(), screen):
            with self._cache.transaction():
                for (one, loaded), result in zip(chunk, results, strict=True):
                    self._put_loaded(one, loaded, result)
            yield len(chunk)

    def _put_loaded(self, pending: Pending, loaded: Loaded | Fault, result: StageResults) -> None:
        content = pending.content
        if isinstance(loaded, Fault) and loaded.reason in TRANSIENT_FAULTS:
            self.transient[content] = facts_of(loaded), result.outcomes
            if loaded.reason is Reason.TIMED_OUT:
                self._timeouts.count(content)
            # What is cached of the file may be out of date: the next scan reads it again.
            self._cache.invalidate_file(*pending.asset.asset_path.split("/", 1))
            return
        self.transient.pop(content, None)
        self._timeouts.reset(content)
        kind = pending.asset.kind if isinstance(loaded, Fault) else kind_of(loaded)
        cached = self.cached(content)
        if cached is None or cached.load_key != self._cache_keys.load:
            self._cache.forget_results(content)
        facts = serialization.facts_to_json(facts_of(loaded))
        self._cache.put_content(
            content, CachedContent(self._cache_keys.load, facts, str(kind)), self._scan_id
        )
        data = {
            stage: packed
            for stage, fingerprint in result.fingerprints.items()
            if (packed := serialization.fingerprint_to_bytes(fingerprint)) is not None
        }
        self._cache.put_fingerprints(content, self._cache_keys.specs, data)
        self._put_outcomes(content, kind, self._with_scenes(result.outcomes, loaded))

    def _put_outcomes(self, content: str, kind: Kind, outcomes: Sequence[StageOutcome]) -> None:
        version, digest = self._index_identity
        failed = any(one.outcome is Outcome.FAILED for one in outcomes)
        key = STAGE_FAILED_KEY if failed else self._search_key(kind)
        data = serialization.outcomes_to_bytes(outcomes)
        self._cache.put_outcomes(content, CachedOutcomes(key, version, digest, data))

    def _fingerprints(
        self, content: str, loaded: Loaded | Fault | None = None
    ) -> dict[str, FingerprintResult]:
        """Cached fingerprints of a content by stage, without damaged ones; none if it failed to
        load, or loads differently now.
        """
        if isinstance(loaded, Fault):
            return {}
        cached = self.cached(content)
        if cached is None or cached.load_key != self._cache_keys.load:
            return {}
        fingerprints: dict[str, FingerprintResult] = {}
        for stage, data in self._cache.fingerprints(content, self._cache_keys.specs).items():
            with suppress(ValueError):
                fingerprints[stage] = serialization.fingerprint_from_bytes(stage, data)
        return fingerprints


_NOT_LOADED = Fault(Reason.UNREADABLE, "not loaded, for it is known")


def _is_loaded(pending: Pending | None, loaded: Loaded | Fault) -> TypeGuard[Pending]:
    return pending is not None and loaded is not _NOT_LOADED and pending.action is Action.LOAD


_Chunk = tuple[list[tuple[Pending, Loaded | Fault]], list[dict[str, FingerprintResult]]]


def _mentions(stored: CachedOutcomes, works: frozenset[str]) -> bool:
    """Whether outcomes rest on a file of one of these works, or can't be read."""
    if not works:
        return False
    try:
        outcomes = serialization.outcomes_from_bytes(stored.data)
    except ValueError:
        return True
    return any(e.work_id in works for outcome in outcomes for e in outcome.evidence)


def _batches(pending: Sequence[Pending], size: int) -> Iterable[Sequence[Pending]]:
    return (pending[start : start + size] for start in range(0, len(pending), size))
