"""Run every stage on loaded assets: one outcome for each asset and stage.

A stage that is switched off, has no weights, has no works to compare with, abstains or fails says
so in its outcome. None of these is ever "no match".
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from pipeline.core.errors import ModelError, Reason
from pipeline.core.records import (
    Abstention,
    Asset,
    Evidence,
    Fault,
    Fingerprint,
    Kind,
    Outcome,
    StageOutcome,
)
from pipeline.load.loaded import Loaded, LoadedImage, LoadedScript
from pipeline.stages import STAGES, Stage, StageSettings
from reference_index.errors import SpecMismatchError
from reference_index.interface import StageEntries
from reference_index.store import ReferenceIndex

log = logging.getLogger(__name__)

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")

FingerprintResult = Fingerprint | Abstention | StageOutcome
"""Result of fingerprinting one asset: a fingerprint, an abstention, or the outcome of a failure."""

Candidates = Mapping[int, tuple[str, ...]]
"""Candidate files of one asset: position in the index's files -> titles of the stages that
proposed the file."""

CANDIDATES = 2
"""Candidate files that each stage proposes for an asset to a stage that verifies."""


def kind_of(loaded: Loaded) -> Kind:
    """The kind of a loaded file."""
    return Kind.IMAGE if isinstance(loaded, LoadedImage) else Kind.SCRIPT


@dataclass(frozen=True)
class StageRunner:
    """One stage prepared to run against one index, or the reason why it can't run.

    Attributes:
        name, kind: of the stage.
        settings: the run's search settings.
        stage, entries: the stage and what the index stores for it; None if `absent` is set.
        absent: why the stage runs for no asset.
        works: ids of the works with something stored for this stage.
    """

    name: str
    kind: Kind
    settings: StageSettings
    stage: Stage | None = None
    entries: StageEntries | None = None
    absent: Abstention | None = None
    works: frozenset[str] = frozenset()


def open_runners(
    index: ReferenceIndex,
    settings: Mapping[str, StageSettings],
    opened_before: Collection[str] = (),
) -> list[StageRunner]:
    """A runner for each registered stage, built from the specs that `index` stores.

    Args:
        index: what to compare with.
        settings: search settings by stage name.
        opened_before: result of `opening_keys` when the same stages were last opened.

    Raises:
        SpecMismatchError: if the installed code can't fingerprint as the index was made, or the
            index holds a stage that this version does not know.
    """
    unknown = sorted(set(index.specs) - set(STAGES))
    if unknown:
        raise SpecMismatchError(
            f"the index {index.path} holds fingerprints by {', '.join(unknown)}, which this "
            "version of Clearance does not know; screen with the version that made the index."
        )
    return [
        _open_runner(index, stage, settings[name], opened_before) for name, stage in STAGES.items()
    ]


def opening_keys(runners: Iterable[StageRunner]) -> set[str]:
    """Keys of the stages that opened, to pass as `opened_before` next time."""
    keys = (
        type(runner.stage).opening_key(runner.stage.spec)
        for runner in runners
        if runner.stage is not None
    )
    return {key for key in keys if key is not None}


def _open_runner(
    index: ReferenceIndex,
    stage_type: type[Stage],
    settings: StageSettings,
    opened_before: Collection[str],
) -> StageRunner:
    name, kind = stage_type.name, stage_type.kind

    def absent(reason: Reason, detail: str) -> StageRunner:
        return StageRunner(name, kind, settings, absent=Abstention(reason, detail))

    if not settings.enabled:
        return absent(Reason.SWITCHED_OFF, "switched off in the configuration")
    if name not in index.specs:
        return absent(
            Reason.NOT_IN_INDEX,
            "the index was made without it; create a new index and add the works again",
        )
    spec = index.specs[name]
    try:
        known = stage_type.opening_key(spec) in opened_before
        stage = stage_type.from_spec_lazily(spec) if known else stage_type.from_spec(spec)
    except ModelError as error:
        return absent(Reason.NO_WEIGHTS, str(error))
    entries = index.entries(name)
    if len(entries) == 0:
        noun = "picture" if kind is Kind.IMAGE else "script"
        return absent(Reason.NO_WORKS, f"the index holds no {noun} to compare with")
    works = frozenset(entries.files[position].work_id for position in set(entries.file_of_row))
    return StageRunner(name, kind, settings, stage, entries, None, works)


def fingerprint_all(stage: Stage, loaded: Sequence[Loaded]) -> list[FingerprintResult]:
    """A result for each input, in order. Inputs of a batch that fails are tried one by one, so that
    only those that cause it fail.
    """
    results: list[FingerprintResult] = []
    for start in range(0, len(loaded), stage.batch_size):
        batch = loaded[start : start + stage.batch_size]
        try:
            results.extend(_fingerprint_batch(stage, batch))
        except Exception:
            results.extend(_fingerprint_one(stage, item) for item in batch)
    return results


def _fingerprint_batch(stage: Stage, batch: Sequence[Loaded]) -> Sequence[Fingerprint | Abstention]:
    """Fingerprints a batch and checks that the results are what the contract asks for."""
    results = stage.fingerprint(batch)
    if len(results) != len(batch):
        raise RuntimeError(f"{len(results)} answers for {len(batch)} inputs")
    for result in results:
        if not isinstance(result, Fingerprint | Abstention):
            raise TypeError(f"an answer of type {type(result).__name__}")
        # Nothing to search with is never "no match".
        if isinstance(result, Fingerprint) and result.rows.num_rows == 0:
            raise ValueError("a fingerprint without rows")
    return results


def _fingerprint_one(stage: Stage, item: Loaded) -> FingerprintResult:
    try:
        return _fingerprint_batch(stage, [item])[0]
    except Exception as error:
        log.warning("stage %s failed on an asset: %s", stage.name, type(error).__name__)
        return _failed(stage, error)


def _failed(stage: Stage, error: Exception) -> StageOutcome:
    return StageOutcome(
        stage.name,
        Outcome.FAILED,
        Reason.STAGE_FAILED,
        f"the {stage.title} stage broke ({type(error).__name__}: {error})",
    )


def search_all(
    stage: Stage,
    fingerprints: Sequence[Fingerprint],
    entries: StageEntries,
    settings: StageSettings,
    candidates: Sequence[Candidates],
) -> list[StageOutcome]:
    """The outcome of each search, in order. If a joint search fails, the fingerprints are searched
    for one by one, so that only those that cause it fail.
    """
    try:
        matches = stage.search_with_candidates(fingerprints, entries, settings, candidates)
        if len(matches) != len(fingerprints):
            raise RuntimeError(f"{len(matches)} answers for {len(fingerprints)} queries")  # noqa: TRY301
        evidence = [tuple(one) for one in matches]
    except Exception as error:
        if len(fingerprints) == 1:
            log.warning("stage %s failed in a search: %s", stage.name, type(error).__name__)
            return [_failed(stage, error)]
        return [
            search_all(stage, [fingerprint], entries, settings, [files])[0]
            for fingerprint, files in zip(fingerprints, candidates, strict=True)
        ]
    return [
        _search_outcome(stage.name, fingerprint, works)
        for fingerprint, works in zip(fingerprints, evidence, strict=True)
    ]


def _search_outcome(
    name: str, fingerprint: Fingerprint, evidence: tuple[Evidence, ...]
) -> StageOutcome:
    outcome = Outcome.MATCHED if evidence else Outcome.NO_MATCH
    return StageOutcome(name, outcome, facts=fingerprint.facts, evidence=evidence)


class StageResults(NamedTuple):
    """Results of all stages for one asset.

    Attributes:
        outcomes: one of every stage, in the order of the runners.
        fingerprints: by name of each stage that ran on the asset, the result of fingerprinting it.
    """

    outcomes: tuple[StageOutcome, ...]
    fingerprints: Mapping[str, FingerprintResult]


StageInput = tuple[Asset, Loaded | Fault | None]
"""An asset and the result of loading it; None if all its fingerprints are cached."""


def run_stages(
    chunk: Sequence[tuple[Asset, Loaded | Fault]], runners: Sequence[StageRunner]
) -> Iterator[tuple[Asset, Loaded | Fault, tuple[StageOutcome, ...]]]:
    """Each asset of a chunk with one outcome of every stage, in the chunk's order."""
    results = run_stages_cached(chunk, runners, [{} for _ in chunk])
    for (asset, loaded), result in zip(chunk, results, strict=True):
        yield asset, loaded, result.outcomes


def run_stages_cached(
    chunk: Sequence[StageInput],
    runners: Sequence[StageRunner],
    cached: Sequence[Mapping[str, FingerprintResult]],
) -> list[StageResults]:
    """As `run_stages`, but fingerprints only what is not cached.

    Args:
        chunk: assets with the result of loading them; None for an asset whose fingerprints by every
            stage of its kind are in `cached`.
        runners: the stages.
        cached: for each asset, earlier results of fingerprinting it, by stage name. They must have
            been made by the specs of the runners.
    """
    outcomes: list[dict[str, StageOutcome]] = [{} for _ in chunk]
    fingerprints: list[dict[str, FingerprintResult]] = [{} for _ in chunk]
    candidates: list[dict[int, tuple[str, ...]]] = [{} for _ in chunk]
    verified_kinds = {
        runner.kind for runner in runners if runner.stage is not None and runner.stage.verifies
    }
    with ThreadPoolExecutor(max(1, len(runners)), thread_name_prefix="stage") as pool:
        # Stages are independent, and much of what they call releases the interpreter lock, so
        # running them together keeps the processors busy.
        submitted = []
        for runner in runners:
            places = _places_to_run(runner, chunk, outcomes)
            earlier = [cached[place].get(runner.name) for place in places]
            inputs = [
                chunk[place][1]
                for place, result in zip(places, earlier, strict=True)
                if result is None
            ]
            submitted.append((runner, places, earlier, pool.submit(_fingerprint, runner, inputs)))
        for runner, places, earlier, future in submitted:
            computed = iter(future.result())
            results = [next(computed) if result is None else result for result in earlier]
            searched = _search(
                runner,
                results,
                [candidates[place] for place in places],
                propose=runner.kind in verified_kinds,
            )
            for place, result, outcome in zip(places, results, searched, strict=True):
                fingerprints[place][runner.name] = result
                outcomes[place][runner.name] = outcome
    return [
        StageResults(tuple(by_stage[runner.name] for runner in runners), results_by_stage)
        for by_stage, results_by_stage in zip(outcomes, fingerprints, strict=True)
    ]


def two_at_a_time(chunks: Iterable[Chunk], work: Callable[[Chunk], Result]) -> Iterator[Result]:
    """The result of `work` on each chunk, in order. Two chunks are in progress at a time, so that
    one is fingerprinted while the other is searched for.
    """
    with ThreadPoolExecutor(2, thread_name_prefix="chunk") as pool:
        submitted: deque[Future[Result]] = deque()
        for chunk in chunks:
            submitted.append(pool.submit(work, chunk))
            if len(submitted) > 1:
                yield submitted.popleft().result()
        while submitted:
            yield submitted.popleft().result()


def _places_to_run(
    runner: StageRunner, chunk: Sequence[StageInput], outcomes: Sequence[dict[str, StageOutcome]]
) -> list[int]:
    """Places in the chunk of the assets that a stage runs on. For the others, adds to `outcomes`
    why it does not.
    """
    places: list[int] = []
    for place, (asset, loaded) in enumerate(chunk):
        if isinstance(loaded, Fault):
            applies = asset.kind is runner.kind
            outcomes[place][runner.name] = (
                StageOutcome(runner.name, Outcome.SKIPPED, Reason.NOT_LOADED, loaded.detail)
                if applies
                else StageOutcome(runner.name, Outcome.NOT_APPLICABLE)
            )
        elif (asset.kind if loaded is None else kind_of(loaded)) is not runner.kind:
            outcomes[place][runner.name] = StageOutcome(runner.name, Outcome.NOT_APPLICABLE)
        elif runner.absent is not None:
            outcomes[place][runner.name] = StageOutcome(
                runner.name, Outcome.SKIPPED, runner.absent.reason, runner.absent.detail
            )
        else:
            places.append(place)
    return places


def _fingerprint(
    runner: StageRunner, inputs: Sequence[Loaded | Fault | None]
) -> list[FingerprintResult]:
    if not inputs:
        return []
    if runner.stage is None:
        raise AssertionError("a runner without a stage has `absent` set")
    loaded = [one for one in inputs if isinstance(one, LoadedImage | LoadedScript)]
    if len(loaded) != len(inputs):
        raise AssertionError("an asset that was not loaded has no cached fingerprint")
    return fingerprint_all(runner.stage, loaded)


def _search(
    runner: StageRunner,
    results: Sequence[FingerprintResult],
    candidates: Sequence[dict[int, tuple[str, ...]]],
    *,
    propose: bool,
) -> list[StageOutcome]:
    """One outcome for each result of fingerprinting. With `propose`, adds the files that the stage
    proposes to `candidates`, for a later stage that verifies.
    """
    if not results:
        return []
    stage, entries = runner.stage, runner.entries
    if stage is None or entries is None:
        raise AssertionError("a runner without a stage has `absent` set")
    queries = [result for result in results if isinstance(result, Fingerprint)]
    candidates_of_queries = [
        files
        for files, result in zip(candidates, results, strict=True)
        if isinstance(result, Fingerprint)
    ]
    searched = (
        search_all(stage, queries, entries, runner.settings, candidates_of_queries)
        if queries
        else []
    )
    if propose and queries and not stage.verifies:
        proposals = _propose(stage, queries, entries, runner.settings)
        for place, (known, proposed) in enumerate(
            zip(candidates_of_queries, proposals, strict=True)
        ):
            if isinstance(proposed, StageOutcome):
                searched[place] = proposed
                continue
            for file in proposed:
                known[file] = (*known.get(file, ()), stage.title)
    search_outcomes = iter(searched)
    outcomes = []
    for result in results:
        if isinstance(result, Fingerprint):
            outcomes.append(next(search_outcomes))
        elif isinstance(result, Abstention):
            outcomes.append(
                StageOutcome(
                    stage.name, Outcome.ABSTAINED, result.reason, result.detail, result.facts
                )
            )
        else:
            outcomes.append(result)
    return outcomes


def _propose(
    stage: Stage,
    queries: Sequence[Fingerprint],
    entries: StageEntries,
    settings: StageSettings,
) -> list[list[int] | StageOutcome]:
    """For each query, the candidate files that a stage proposes, or that it failed."""
    try:
        proposals = stage.candidates(queries, entries, settings, CANDIDATES)
        if len(proposals) != len(queries):
            raise RuntimeError(f"{len(proposals)} sets of candidates for {len(queries)} queries")  # noqa: TRY301
        return [[_position(file, entries) for file in files] for files in proposals]
    except Exception as error:
        if len(queries) == 1:
            log.warning(
                "stage %s failed to propose candidates: %s", stage.name, type(error).__name__
            )
            return [_failed(stage, error)]
        return [_propose(stage, [query], entries, settings)[0] for query in queries]


def _position(file: int, entries: StageEntries) -> int:
    if not 0 <= file < len(entries.files):
        raise ValueError(f"{file!r} is no file of the index")
    return int(file)


def works_compared(outcomes: Sequence[StageOutcome], runners: Sequence[StageRunner]) -> int:
    """How many works an asset was compared with: those stored for any stage that ran."""
    ran = {o.stage for o in outcomes if o.outcome in (Outcome.MATCHED, Outcome.NO_MATCH)}
    return len(frozenset().union(*(runner.works for runner in runners if runner.name in ran)))
