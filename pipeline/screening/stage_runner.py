"""Judging: what every stage says of each loaded asset, failing closed.

A stage that is switched off, lacks its weights, has nothing to compare with, abstains or breaks
says so in its outcome; none of these is ever "no match".
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
Found = TypeVar("Found")

FingerprintResult = Fingerprint | Abstention | StageOutcome
"""What fingerprinting gave: a value to search with, or why there is none."""


def kind_of(loaded: Loaded) -> Kind:
    """The kind of a loaded file."""
    return Kind.IMAGE if isinstance(loaded, LoadedImage) else Kind.SCRIPT


@dataclass(frozen=True)
class StageRunner:
    """One stage made ready against one index, or the reason why it can't run.

    Attributes:
        name, kind: of the stage.
        stage, entries: None if `absent` is set.
        settings: the run's search settings.
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
    """Every registered stage against `index`, made from the index's own specs.

    Args:
        index: what to compare with.
        settings: of every stage, by name.
        opened_before: what `opening_keys` gave when the same stages were opened earlier.

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
    """What to give as `opened_before` next time, of stages that could be opened."""
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
        stage = stage_type.opened_before(spec) if known else stage_type.from_spec(spec)
    except ModelError as error:
        return absent(Reason.NO_WEIGHTS, str(error))
    entries = index.entries(name)
    if len(entries) == 0:
        noun = "picture" if kind is Kind.IMAGE else "script"
        return absent(Reason.NO_WORKS, f"the index holds no {noun} to compare with")
    works = frozenset(entries.files[position].work_id for position in set(entries.file_of_row))
    return StageRunner(name, kind, settings, stage, entries, None, works)


def fingerprint_all(stage: Stage, loaded: Sequence[Loaded]) -> list[FingerprintResult]:
    """One answer for each input; a batch that breaks is taken apart to find the one that did it."""
    answers: list[FingerprintResult] = []
    for start in range(0, len(loaded), stage.batch_size):
        batch = loaded[start : start + stage.batch_size]
        try:
            answers.extend(_fingerprinted(stage, batch))
        except Exception:
            answers.extend(_fingerprint_one(stage, item) for item in batch)
    return answers


def _fingerprinted(stage: Stage, batch: Sequence[Loaded]) -> Sequence[Fingerprint | Abstention]:
    """A stage's answers, if they are what the contract asks for."""
    got = stage.fingerprint(batch)
    if len(got) != len(batch):
        raise RuntimeError(f"{len(got)} answers for {len(batch)} inputs")
    for answer in got:
        if not isinstance(answer, Fingerprint | Abstention):
            raise TypeError(f"an answer of type {type(answer).__name__}")
        # Nothing to search with is never "no match".
        if isinstance(answer, Fingerprint) and answer.rows.num_rows == 0:
            raise ValueError("a fingerprint without rows")
    return got


def _fingerprint_one(stage: Stage, item: Loaded) -> FingerprintResult:
    try:
        return _fingerprinted(stage, [item])[0]
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


Nominated = Mapping[int, tuple[str, ...]]
"""Files that stages nominated for an asset, by position in the index's files, and which stages."""

CANDIDATES = 2
"""How many files a stage nominates for each asset, for a stage that verifies."""


def search_all(
    stage: Stage,
    fingerprints: Sequence[Fingerprint],
    entries: StageEntries,
    settings: StageSettings,
    nominated: Sequence[Nominated],
) -> list[StageOutcome]:
    """The outcome of each search; one that breaks fails alone."""
    try:
        found = stage.search_among(fingerprints, entries, settings, nominated)
        if len(found) != len(fingerprints):
            raise RuntimeError(f"{len(found)} answers for {len(fingerprints)} queries")  # noqa: TRY301
        evidence = [tuple(one) for one in found]
    except Exception as error:
        if len(fingerprints) == 1:
            log.warning("stage %s failed in a search: %s", stage.name, type(error).__name__)
            return [_failed(stage, error)]
        return [
            search_all(stage, [one], entries, settings, [its])[0]
            for one, its in zip(fingerprints, nominated, strict=True)
        ]
    return [_outcome(stage.name, one, its) for one, its in zip(fingerprints, evidence, strict=True)]


def _outcome(name: str, one: Fingerprint, evidence: tuple[Evidence, ...]) -> StageOutcome:
    outcome = Outcome.MATCHED if evidence else Outcome.NO_MATCH
    return StageOutcome(name, outcome, facts=one.facts, evidence=evidence)


class StageResults(NamedTuple):
    """What is known of one asset.

    Attributes:
        outcomes: one of every stage, in their order.
        answers: by stage that judges its kind and ran, what fingerprinting gave.
    """

    outcomes: tuple[StageOutcome, ...]
    answers: Mapping[str, FingerprintResult]


Seen = tuple[Asset, Loaded | Fault | None]
"""An asset and what loading gave; None if it was not loaded because every answer is kept."""


def run_stages(
    chunk: Sequence[tuple[Asset, Loaded | Fault]], runners: Sequence[StageRunner]
) -> Iterator[tuple[Asset, Loaded | Fault, tuple[StageOutcome, ...]]]:
    """Each asset of a chunk with one outcome of every stage, in the chunk's order."""
    found = run_stages_cached(chunk, runners, [{} for _ in chunk])
    for (asset, loaded), one in zip(chunk, found, strict=True):
        yield asset, loaded, one.outcomes


def run_stages_cached(
    chunk: Sequence[Seen],
    runners: Sequence[StageRunner],
    kept: Sequence[Mapping[str, FingerprintResult]],
) -> list[StageResults]:
    """As `judge`, without fingerprinting anew what is kept.

    Args:
        chunk: assets, None for those of which every stage of their kind has its answer in `kept`.
        runners: the stages.
        kept: by asset and stage, what fingerprinting gave earlier, by the runners' own specs.
    """
    outcomes: list[dict[str, StageOutcome]] = [{} for _ in chunk]
    answered: list[dict[str, FingerprintResult]] = [{} for _ in chunk]
    nominated: list[dict[int, tuple[str, ...]]] = [{} for _ in chunk]
    awaited = {
        runner.kind for runner in runners if runner.stage is not None and runner.stage.verifies
    }
    with ThreadPoolExecutor(max(1, len(runners)), thread_name_prefix="stage") as pool:
        # Stages know nothing of each other, and much of what they call lets go of the interpreter
        # lock: together they keep the processors busy.
        begun = []
        for runner in runners:
            places = _judged_by(runner, chunk, outcomes)
            known = [kept[place].get(runner.name) for place in places]
            inputs = [
                chunk[place][1]
                for place, answer in zip(places, known, strict=True)
                if answer is None
            ]
            begun.append((runner, places, known, pool.submit(_answers, runner, inputs)))
        for runner, places, known, computed in begun:
            new = iter(computed.result())
            answers = [next(new) if answer is None else answer for answer in known]
            mine = [nominated[place] for place in places]
            ran = _run(runner, answers, mine, nominates=runner.kind in awaited)
            for place, answer, outcome in zip(places, answers, ran, strict=True):
                answered[place][runner.name] = answer
                outcomes[place][runner.name] = outcome
    return [
        StageResults(tuple(found[runner.name] for runner in runners), answers)
        for found, answers in zip(outcomes, answered, strict=True)
    ]


def run_stages_on_chunks(
    chunks: Iterable[Sequence[tuple[Asset, Loaded | Fault]]], runners: Sequence[StageRunner]
) -> Iterator[tuple[Asset, Loaded | Fault, tuple[StageOutcome, ...]]]:
    """As `judge`, chunk after chunk, in order."""
    for found in two_at_a_time(chunks, lambda chunk: list(run_stages(chunk, runners))):
        yield from found


def two_at_a_time(chunks: Iterable[Chunk], judge_one: Callable[[Chunk], Found]) -> Iterator[Found]:
    """What is found of each chunk, in order; two chunks are under way at a time, so that one is
    fingerprinted while the other is searched for.
    """
    with ThreadPoolExecutor(2, thread_name_prefix="judge") as pool:
        begun: deque[Future[Found]] = deque()
        for chunk in chunks:
            begun.append(pool.submit(judge_one, chunk))
            if len(begun) > 1:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def _judged_by(
    runner: StageRunner, chunk: Sequence[Seen], outcomes: Sequence[dict[str, StageOutcome]]
) -> list[int]:
    """Places of the assets that a stage judges; to `outcomes` of the others it is added why it
    does not.
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


def _answers(
    runner: StageRunner, inputs: Sequence[Loaded | Fault | None]
) -> list[FingerprintResult]:
    if not inputs:
        return []
    if runner.stage is None:
        raise AssertionError("a runner without a stage has `absent` set")
    loaded = [one for one in inputs if isinstance(one, LoadedImage | LoadedScript)]
    if len(loaded) != len(inputs):
        raise AssertionError("an asset that was not loaded lacks a kept answer")
    return fingerprint_all(runner.stage, loaded)


def _run(
    runner: StageRunner,
    answers: Sequence[FingerprintResult],
    nominated: Sequence[dict[int, tuple[str, ...]]],
    *,
    nominates: bool,
) -> list[StageOutcome]:
    """One outcome for each answer; adds to `nominated` what the stage nominates for it."""
    if not answers:
        return []
    stage, entries = runner.stage, runner.entries
    if stage is None or entries is None:
        raise AssertionError("a runner without a stage has `absent` set")
    asked = [place for place, answer in enumerate(answers) if isinstance(answer, Fingerprint)]
    queries = [answer for answer in answers if isinstance(answer, Fingerprint)]
    theirs = [nominated[place] for place in asked]
    searched = search_all(stage, queries, entries, runner.settings, theirs) if queries else []
    if nominates and queries and not stage.verifies:
        found = _nominated(stage, queries, entries, runner.settings)
        for place, (its, files) in enumerate(zip(theirs, found, strict=True)):
            if isinstance(files, StageOutcome):
                searched[place] = files
                continue
            for file in files:
                its[file] = (*its.get(file, ()), stage.title)
    ready = iter(searched)
    outcomes = []
    for answer in answers:
        if isinstance(answer, Fingerprint):
            outcomes.append(next(ready))
        elif isinstance(answer, Abstention):
            outcomes.append(
                StageOutcome(
                    stage.name, Outcome.ABSTAINED, answer.reason, answer.detail, answer.facts
                )
            )
        else:
            outcomes.append(answer)
    return outcomes


def _nominated(
    stage: Stage,
    queries: Sequence[Fingerprint],
    entries: StageEntries,
    settings: StageSettings,
) -> list[list[int] | StageOutcome]:
    """The files that a stage nominates for each query; where it breaks, that it failed there."""
    try:
        found = stage.candidates(queries, entries, settings, CANDIDATES)
        if len(found) != len(queries):
            raise RuntimeError(f"{len(found)} nominations for {len(queries)} queries")  # noqa: TRY301
        return [[_position(file, entries) for file in files] for files in found]
    except Exception as error:
        if len(queries) == 1:
            log.warning("stage %s failed to nominate: %s", stage.name, type(error).__name__)
            return [_failed(stage, error)]
        return [_nominated(stage, [one], entries, settings)[0] for one in queries]


def _position(file: int, entries: StageEntries) -> int:
    if not 0 <= file < len(entries.files):
        raise ValueError(f"{file!r} is no file of the index")
    return int(file)


def works_compared(outcomes: Sequence[StageOutcome], runners: Sequence[StageRunner]) -> int:
    """How many works an asset was compared with: those stored for any stage that ran."""
    ran = {o.stage for o in outcomes if o.outcome in (Outcome.MATCHED, Outcome.NO_MATCH)}
    return len(frozenset().union(*(runner.works for runner in runners if runner.name in ran)))
