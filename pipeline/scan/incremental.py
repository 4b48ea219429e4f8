"""Judging what a scan found, and no more of it than changed since it was judged last.

Each content is brought up to date by the cheapest of four ways: nothing, if bytes, stages,
settings and index are those of its kept outcomes; a comparison with the works that the index
gained; a search of the whole index with kept fingerprints; loading and fingerprinting. What is
found is committed chunk by chunk, so that a scan that is cut off goes on where it was.
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
from pipeline.scan.memory.cache_keys import CacheKeys, content_of
from pipeline.scan.memory.index_change import IndexChange, IndexChanges, runners_for
from pipeline.scan.memory.state import KnownContent, KnownOutcomes, ScanCache
from pipeline.scan.memory.timeouts import Late
from pipeline.screening.config import Config
from pipeline.screening.rows import Facts, facts_of
from pipeline.screening.stage_runner import (
    FingerprintResult,
    StageResults,
    StageRunner,
    kind_of,
    run_stages_cached,
    two_at_a_time,
)
from pipeline.stages.text.scenes import WorkScenes, with_scenes
from reference_index.store import ReferenceIndex

BATCH = 64
"""Contents searched for together with kept fingerprints."""

UNCHANGED = "unchanged"
"""Why of what is kept as it was judged."""

FAILED = "a stage broke"
"""Search key of outcomes that the next scan tries anew."""

PASSING = frozenset(
    {
        Reason.UNREADABLE,
        Reason.NOT_A_FILE,
        Reason.ARRIVING,
        Reason.TIMED_OUT,
        Reason.DECODER_DIED,
        Reason.NO_DECODER,
    }
)
"""Faults that say nothing of the bytes, or not for certain: the next scan looks again."""


class Way(StrEnum):
    """How a content is brought up to date."""

    KEEP = "unchanged"
    COMPARE = "compared with added works"
    SEARCH = "searched again"
    LOAD = "loaded"


@dataclass(frozen=True, slots=True)
class Due:
    """A content to be judged.

    Attributes:
        content: its name, as in `cache_keys.content_of`.
        asset: one file that has it.
        why: the way, and what is said of it before the scan begins.
    """

    content: str
    asset: Asset
    way: Way
    why: str


class IncrementalScreener:
    """Judges contents for one scan.

    Args:
        cache: what is kept.
        index: the opened index.
        runners: its stages.
        config: how assets are judged.
        keys: of this scan.
        scan_id: its name.

    Attributes:
        passing: by content, facts and outcomes of what could not be read this time. They are not
            kept: what was known of those bytes is as true as before.
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
        self._benches = runners
        self._config = config
        self._cache_keys = cache_keys
        self._scan_id = scan_id
        self._changes = IndexChanges(index)
        self._works = WorkScenes(index)
        self.passing: dict[str, tuple[Facts, tuple[StageOutcome, ...]]] = {}
        self._late = Late(cache, cache_keys.load, scan_id)

    def known(self, content: str) -> KnownContent | None:
        """How a content loaded; None if that is not known, or damaged."""
        known = self._cache.content(content)
        with suppress(ValueError):
            if (
                known is not None
                and Kind(known.kind)
                and serialization.facts_from_json(known.facts)
            ):
                return known
        return None

    def due(self, content: str, asset: Asset) -> Due:
        """What has to be done for a content."""
        due = self._due(content, asset)
        return self._unless_late(due) if due.way is Way.LOAD else due

    def _unless_late(self, due: Due) -> Due:
        """The same, or nothing to do if loading took too long in several scans already."""
        if not self._late.leaves(due.content):
            return due
        fault = timeout_fault(due.asset, self._config.limits)
        [answered] = run_stages_cached([(due.asset, fault)], self._benches, [{}])
        self.passing[due.content] = facts_of(fault), answered.outcomes
        return replace(due, way=Way.KEEP, why="took too long in the scans before")

    def _due(self, content: str, asset: Asset) -> Due:
        known = self.known(content)
        if known is None:
            return Due(content, asset, Way.LOAD, "new or changed files")
        if known.load_key != self._cache_keys.load:
            return Due(content, asset, Way.LOAD, "limits or decoders changed")
        facts = serialization.facts_from_json(known.facts)
        if facts.fault is not None and facts.fault.reason in PASSING:
            return Due(content, asset, Way.LOAD, "could not be read before")
        kind = Kind(known.kind)
        if facts.fault is None and kind is not Kind.OTHER:
            missing = self._missing(content, kind)
            if missing:
                return Due(content, asset, Way.LOAD, f"no fingerprints by {', '.join(missing)}")
        outcomes = self._cache.outcomes(content)
        if outcomes is None or outcomes.search_key != self._search_key(kind):
            way = Way.LOAD if facts.fault is not None else Way.SEARCH
            return Due(content, asset, way, "stages or their settings changed")
        if (outcomes.index_version, outcomes.index_digest) == self._at:
            return Due(content, asset, Way.KEEP, UNCHANGED)
        if self._changes.since(outcomes.index_version, outcomes.index_digest) is None:
            way = Way.LOAD if facts.fault is not None else Way.SEARCH
            return Due(content, asset, way, "another index")
        return Due(content, asset, Way.COMPARE, "works were added or removed")

    @property
    def _at(self) -> tuple[int, str]:
        return self._index.version, self._index.digest

    def _search_key(self, kind: Kind) -> str:
        return self._cache_keys.search.get(str(kind), self._cache_keys.load)

    def _needed(self, kind: Kind) -> list[str]:
        return [b.name for b in self._benches if b.kind is kind and b.stage is not None]

    def _missing(self, content: str, kind: Kind) -> list[str]:
        have = self._cache.answered(content, self._cache_keys.specs)
        return [name for name in self._needed(kind) if name not in have]

    def run(self, due: Sequence[Due], progress: Progress) -> None:
        """Judges every content that is due, and commits what was found chunk by chunk."""
        self._late.count_left()
        total = sum(one.way is not Way.KEEP for one in due)
        done = 0

        def told(count: int) -> None:
            nonlocal done
            done += count
            progress("Judging", min(done, total), total)

        compared = [one for one in due if one.way is Way.COMPARE]
        again = [one for one in due if one.way is Way.SEARCH]
        anew = [one for one in due if one.way is Way.LOAD]
        for concerned, count in self._compare(compared):
            again += concerned
            told(count - len(concerned))
        for lacking, count in self._search(again):
            anew += lacking
            told(count - len(lacking))
        for count in self._load(anew):
            told(count)

    def fetched(
        self, name: str, entries: Mapping[str, Entry], assets: Iterator[Asset]
    ) -> Iterator[tuple[Asset, Due | None]]:
        """Judges assets of a drop in object storage while their bytes are here.

        Args:
            name: of the drop.
            entries: by path, what the listing said of them.
            assets: as they arrive; one's file may be gone once the next result is asked for.

        Yields:
            Each asset under the drop's name, with what is still due for its content.
        """

        def known() -> Iterator[tuple[Asset, Due | None]]:
            for asset in assets:
                renamed = replace(asset, asset_path=f"{name}/{asset.asset_path}")
                content = content_of(renamed)
                yield renamed, self.due(content, renamed) if content is not None else None

        def asset_of(item: tuple[Asset, Due | None]) -> Asset:
            asset, due = item
            wanted = due is not None and due.way is Way.LOAD
            return asset if wanted or asset.fault is not None else replace(asset, fault=_NOT_NOW)

        for chunk in load_all(known(), self._config.limits, asset_of):
            due_now = [(due, loaded) for (_, due), loaded in chunk if _is_loaded(due, loaded)]
            kept = [self._answers(due.content, loaded) for due, loaded in due_now]
            seen = [(due.asset, loaded) for due, loaded in due_now]
            found = run_stages_cached(seen, self._benches, kept)
            with self._cache.change():
                for (due, loaded), answered in zip(due_now, found, strict=True):
                    self._put_loaded(due, loaded, answered)
                for (asset, _), _ in chunk:
                    path = asset.asset_path.removeprefix(f"{name}/")
                    file = file_of(asset, entries[path].stamp)
                    self._cache.saw_file(name, path, file, self._scan_id)
            for (asset, left), loaded in chunk:
                yield asset, None if _is_loaded(left, loaded) else left

    # Comparing with added works

    def _compare(self, due: Sequence[Due]) -> Iterator[tuple[list[Due], int]]:
        """Contents that the added or removed works concern, to be searched for in the whole
        index, and of how many contents they are; the others' outcomes stand.
        """
        by_version: dict[tuple[int, str], list[Due]] = {}
        for one in due:
            kept = self._cache.outcomes(one.content)
            if kept is None:
                raise AssertionError("outcomes that were there are gone")
            by_version.setdefault((kept.index_version, kept.index_digest), []).append(one)
        for at, several in by_version.items():
            change = self._changes.since(*at)
            if change is None:
                raise AssertionError("a change that was known is not")
            added = runners_for(self._benches, change.added) if change.added else None
            for batch in _batches(several, BATCH):
                yield self._concerned(batch, change, added), len(batch)

    def _concerned(
        self, batch: Sequence[Due], change: IndexChange, added: Sequence[StageRunner] | None
    ) -> list[Due]:
        outcomes = [self._cache.outcomes(one.content) for one in batch]
        kept = [self._answers(one.content) for one in batch]
        touched = [stored is None or _mentions(stored, change.removed) for stored in outcomes]
        if added is not None:
            # Faulted files and those of no kind have no answers, and are compared with nothing.
            places = [n for n, answers in enumerate(kept) if answers and not touched[n]]
            found = run_stages_cached(
                [(self._of_kind(batch[n]), None) for n in places],
                added,
                [kept[n] for n in places],
            )
            for n, answered in zip(places, found, strict=True):
                said = {outcome.outcome for outcome in answered.outcomes}
                touched[n] = not said.isdisjoint({Outcome.MATCHED, Outcome.FAILED})
        with self._cache.change():
            for one, stored, hit in zip(batch, outcomes, touched, strict=True):
                if not hit and stored is not None:
                    version, digest = self._at
                    self._cache.put_outcomes(
                        one.content,
                        replace(stored, index_version=version, index_digest=digest),
                    )
        return [one for one, hit in zip(batch, touched, strict=True) if hit]

    def _of_kind(self, due: Due) -> Asset:
        known = self._cache.content(due.content)
        if known is None:
            raise AssertionError("a content that was there is gone")
        return replace(due.asset, kind=Kind(known.kind))

    # Searching with kept fingerprints

    def _search(self, due: Sequence[Due]) -> Iterator[tuple[list[Due], int]]:
        """Contents whose fingerprints turn out to be damaged, and of how many they are."""
        for batch in _batches(due, BATCH):
            answers = [self._answers(one.content) for one in batch]
            assets = [self._of_kind(one) for one in batch]
            whole = [
                set(self._needed(asset.kind)) <= set(kept)
                for asset, kept in zip(assets, answers, strict=True)
            ]
            places = [n for n, sound in enumerate(whole) if sound]
            found = run_stages_cached(
                [(assets[n], None) for n in places], self._benches, [answers[n] for n in places]
            )
            placed = [
                self._placed(assets[n], one.outcomes) for n, one in zip(places, found, strict=True)
            ]
            with self._cache.change():
                for n, outcomes in zip(places, placed, strict=True):
                    self._put_outcomes(batch[n].content, assets[n].kind, outcomes)
            yield [one for one, sound in zip(batch, whole, strict=True) if not sound], len(batch)

    def _placed(self, asset: Asset, outcomes: tuple[StageOutcome, ...]) -> tuple[StageOutcome, ...]:
        """Outcomes with scenes and pages; a script with passages is read again for them."""
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

    def _load(self, due: Sequence[Due]) -> Iterator[int]:
        chunks = load_all(due, self._config.limits, lambda one: one.asset)

        def prepared() -> Iterator[_Chunk]:
            for chunk in chunks:
                # Here, in the thread that holds the database.
                kept = [self._answers(one.content, loaded) for one, loaded in chunk]
                yield chunk, kept

        def judged(work: _Chunk) -> tuple[_Chunk, list[StageResults]]:
            chunk, kept = work
            seen = [(one.asset, loaded) for one, loaded in chunk]
            return work, run_stages_cached(seen, self._benches, kept)

        for (chunk, _), found in two_at_a_time(prepared(), judged):
            with self._cache.change():
                for (one, loaded), answered in zip(chunk, found, strict=True):
                    self._put_loaded(one, loaded, answered)
            yield len(chunk)

    def _put_loaded(self, due: Due, loaded: Loaded | Fault, answered: StageResults) -> None:
        if isinstance(loaded, Fault) and loaded.reason in PASSING:
            self.passing[due.content] = facts_of(loaded), answered.outcomes
            if loaded.reason is Reason.TIMED_OUT:
                self._late.took_too_long(due.content)
            # What is known of the file may be wrong: the next scan reads it again.
            self._cache.look_again(*due.asset.asset_path.split("/", 1))
            return
        self.passing.pop(due.content, None)
        self._late.was_loaded(due.content)
        kind = due.asset.kind if isinstance(loaded, Fault) else kind_of(loaded)
        known = self.known(due.content)
        if known is None or known.load_key != self._cache_keys.load:
            self._cache.drop_answers(due.content)
        facts = serialization.facts_to_json(facts_of(loaded))
        self._cache.put_content(
            due.content, KnownContent(self._cache_keys.load, facts, str(kind)), self._scan_id
        )
        data = {
            stage: packed
            for stage, answer in answered.fingerprints.items()
            if (packed := serialization.answer_to_bytes(answer)) is not None
        }
        self._cache.put_answers(due.content, self._cache_keys.specs, data)
        self._put_outcomes(due.content, kind, self._with_scenes(answered.outcomes, loaded))

    def _put_outcomes(self, content: str, kind: Kind, outcomes: Sequence[StageOutcome]) -> None:
        version, digest = self._at
        broke = any(one.outcome is Outcome.FAILED for one in outcomes)
        key = FAILED if broke else self._search_key(kind)
        data = serialization.outcomes_to_bytes(outcomes)
        self._cache.put_outcomes(content, KnownOutcomes(key, version, digest, data))

    def _answers(
        self, content: str, loaded: Loaded | Fault | None = None
    ) -> dict[str, FingerprintResult]:
        """Kept answers of a content, the damaged ones left out; none if it failed to load, or
        loads in another way now.
        """
        if isinstance(loaded, Fault):
            return {}
        known = self.known(content)
        if known is None or known.load_key != self._cache_keys.load:
            return {}
        answers: dict[str, FingerprintResult] = {}
        for stage, data in self._cache.answers(content, self._cache_keys.specs).items():
            with suppress(ValueError):
                answers[stage] = serialization.answer_from_bytes(stage, data)
        return answers


_NOT_NOW = Fault(Reason.UNREADABLE, "not loaded, for it is known")


def _is_loaded(due: Due | None, loaded: Loaded | Fault) -> TypeGuard[Due]:
    return due is not None and loaded is not _NOT_NOW and due.way is Way.LOAD


_Chunk = tuple[list[tuple[Due, Loaded | Fault]], list[dict[str, FingerprintResult]]]


def _mentions(stored: KnownOutcomes, works: frozenset[str]) -> bool:
    """Whether outcomes rest on a file of one of these works, or can't be read."""
    if not works:
        return False
    try:
        outcomes = serialization.outcomes_from_bytes(stored.data)
    except ValueError:
        return True
    return any(e.work_id in works for outcome in outcomes for e in outcome.evidence)


def _batches(due: Sequence[Due], size: int) -> Iterable[Sequence[Due]]:
    return (due[start : start + size] for start in range(0, len(due), size))
