"""Running stages: a failure concerns one stage and one asset, and no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

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
from pipeline.load.loaded import LoadedImage, LoadedScript
from pipeline.screening import stage_runner
from pipeline.screening.stage_runner import (
    StageRunner,
    fingerprint_all,
    kind_of,
    open_runners,
    run_stages,
    search_all,
    works_compared,
)
from pipeline.stages.base import Stage, StageSettings
from reference_index.errors import SpecMismatchError
from reference_index.interface import FingerprintSpec, StageEntries, WorkFile
from reference_index.store import ReferenceIndex

SCHEMA = pa.schema([pa.field("number", pa.int32(), nullable=False)])


class Numbers(Stage):
    """A stage over pictures that keeps a picture's first pixel and finds equal ones.

    `breaks` and `breaks_in_search` are pixels that it raises on; `answers` and `finds` change
    its results.
    """

    name = "numbers"
    title = "numbers"
    kind = Kind.IMAGE
    schema = SCHEMA
    measures = ()
    shows_copying = True
    batch_size = 4

    def __init__(self, breaks=(), breaks_in_search=(), answers=list, finds=list):
        self.breaks, self.breaks_in_search = set(breaks), set(breaks_in_search)
        self.answers, self.finds = answers, finds
        self.batches = []

    @classmethod
    def create(cls, **options):
        return cls()

    @classmethod
    def from_spec(cls, spec):
        if spec.parameters.get("weights") == "gone":
            raise ModelError("The weights are gone.")
        return cls()

    @property
    def spec(self):
        return FingerprintSpec(self.name, "numbers/1", canary="x")

    def fingerprint(self, loaded):
        self.batches.append(len(loaded))
        results = []
        for one in loaded:
            number = first(one)
            if number in self.breaks:
                raise ValueError(f"number {number}")
            if number == 0:
                results.append(Abstention(Reason.TOO_LITTLE_DETAIL, "nothing", {"fact": 0}))
            else:
                results.append(printed(number))
        return self.answers(results)

    def search(self, fingerprints, entries, settings):
        stored = entries.rows.column("number").to_pylist()
        results = []
        for one in fingerprints:
            number = one.rows.column("number")[0].as_py()
            if number in self.breaks_in_search:
                raise ValueError(f"search {number}")
            rows = [row for row, other in enumerate(stored) if other == number]
            files = [entries.files[entries.file_of_row[row]] for row in rows]
            results.append([Evidence(f.work_id, f.path, f.file_id, {}) for f in files])
        return self.finds(results)

    def sentence(self, evidence):
        return "It is equal."


class Letters(Numbers):
    name = "letters"
    title = "letters"
    kind = Kind.SCRIPT


def first(loaded):
    return len(loaded.text) if isinstance(loaded, LoadedScript) else int(loaded.frames[0][0, 0, 0])


def printed(number, stage="numbers"):
    rows = pa.RecordBatch.from_arrays([pa.array([number], pa.int32())], schema=SCHEMA)
    return Fingerprint(stage, rows, {"fact": number})


def picture(number):
    return LoadedImage((np.full((2, 2, 3), number, np.uint8),), "PNG")


def asset(number, kind=Kind.IMAGE):
    return Asset(Path(f"{number}.png"), f"{number}.png", f"{number:064x}", kind, 1)


def stored(*numbers):
    files = tuple(
        WorkFile(f"work-{n}", f"{n}.png", f"{n:064x}", "image", "PNG", 1) for n in numbers
    )
    rows = pa.table({"number": pa.array(numbers, pa.int32())}, schema=SCHEMA)
    return StageEntries(rows, np.arange(len(numbers)), files)


def runner(stage, *numbers):
    entries = stored(*numbers)
    works = frozenset(file.work_id for file in entries.files)
    return StageRunner(stage.name, stage.kind, StageSettings(), stage, entries, None, works)


def outcomes(stage, numbers, *, works=(1, 2, 3)):
    chunk = [(asset(n), picture(n)) for n in numbers]
    done = list(run_stages(chunk, [runner(stage, *works)]))
    assert [one for one, _, _ in done] == [one for one, _ in chunk]
    assert all(len(results) == 1 for _, _, results in done)
    return [results[0] for _, _, results in done]


def test_matched_not_matched_and_abstained_in_the_chunks_order():
    results = outcomes(Numbers(), [9, 1, 0, 2])
    assert [one.outcome for one in results] == [
        Outcome.NO_MATCH, Outcome.MATCHED, Outcome.ABSTAINED, Outcome.MATCHED,
    ]  # fmt: skip
    assert [[e.work_id for e in one.evidence] for one in results] == [
        [],
        ["work-1"],
        [],
        ["work-2"],
    ]
    assert [one.facts["fact"] for one in results] == [9, 1, 0, 2]
    assert (results[2].reason, results[2].detail) == (Reason.TOO_LITTLE_DETAIL, "nothing")


@pytest.mark.parametrize("bad", range(1, 10))
def test_a_stage_that_breaks_on_one_asset_fails_for_that_asset_only(bad):
    stage = Numbers(breaks=[bad])
    results = outcomes(stage, range(1, 10))
    assert [one.outcome is Outcome.FAILED for one in results] == [n == bad for n in range(1, 10)]
    failed = results[bad - 1]
    assert failed.reason is Reason.STAGE_FAILED
    assert failed.detail == f"the numbers stage broke (ValueError: number {bad})"
    assert not failed.evidence
    assert [one.outcome is Outcome.MATCHED for one in results] == [
        n in (1, 2, 3) and n != bad for n in range(1, 10)
    ]
    # Only the batch with the fault is taken apart.
    assert sorted(stage.batches) == [1] * (1 if bad == 9 else 4) + [1] * 1 + [4] * 2


def test_a_stage_that_breaks_on_everything_fails_everything():
    results = outcomes(Numbers(breaks=range(10)), range(9))
    assert {one.outcome for one in results} == {Outcome.FAILED}


def test_a_failure_is_logged_without_the_assets_content(caplog):
    outcomes(Numbers(breaks=[7], breaks_in_search=[8]), [7, 8])
    assert len(caplog.records) == 2
    assert "number 7" not in caplog.text
    assert "search 8" not in caplog.text
    assert "ValueError" in caplog.text


@pytest.mark.parametrize(
    "answers",
    [
        lambda results: results[:-1],
        lambda results: [*results, *results[:1]],
        lambda results: [],
        lambda results: results * 2,
        lambda results: None,
        lambda results: [None] * len(results),
        lambda results: [[one] for one in results],
        lambda results: [Fingerprint("numbers", one.rows.slice(0, 0)) for one in results],
    ],
)
@pytest.mark.parametrize("count", [1, 3, 5])
def test_an_invalid_result_is_a_failure_never_no_match(answers, count):
    results = outcomes(Numbers(answers=answers), range(1, count + 1))
    assert len(results) == count
    assert {(one.outcome, one.reason) for one in results} == {(Outcome.FAILED, Reason.STAGE_FAILED)}


def test_a_result_missing_from_a_batch_but_right_singly_is_used():
    # Inputs that fail as a batch may succeed one by one: here the stage drops all but the first.
    results = outcomes(Numbers(answers=lambda results: results[:1]), [1, 2, 9])
    assert [one.outcome for one in results] == [Outcome.MATCHED, Outcome.MATCHED, Outcome.NO_MATCH]


@pytest.mark.parametrize("bad", [1, 5, 9])
def test_a_stage_that_breaks_in_a_search_fails_for_that_asset_only(bad):
    results = outcomes(Numbers(breaks_in_search=[bad]), range(1, 10))
    assert [one.outcome is Outcome.FAILED for one in results] == [n == bad for n in range(1, 10)]
    assert results[bad - 1].detail == f"the numbers stage broke (ValueError: search {bad})"
    assert results[1].outcome is Outcome.MATCHED


@pytest.mark.parametrize(
    "finds",
    [
        lambda results: results[:-1],
        lambda results: results * 2,
        lambda results: None,
        lambda results: [None],
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_an_invalid_result_of_a_search_is_a_failure(finds, count):
    results = outcomes(Numbers(finds=finds), range(1, count + 1))
    assert {one.outcome for one in results} == {Outcome.FAILED}


def test_a_failing_stage_does_not_affect_the_others():
    chunk = [(asset(1), picture(1)), (asset(2), picture(2))]

    class Others(Numbers):
        name = "others"

    runners = [runner(Numbers(breaks=[1, 2]), 1), runner(Others(), 1, 2)]
    results = [[one.outcome for one in row] for _, _, row in run_stages(chunk, runners)]
    assert results == [[Outcome.FAILED, Outcome.MATCHED]] * 2


def test_every_kind_gets_one_outcome_of_every_stage():
    absent = StageRunner(
        "letters", Kind.SCRIPT, StageSettings(), absent=Abstention(Reason.NO_WEIGHTS, "no weights")
    )
    fault = Fault(Reason.CORRUPT, "cut short")
    script = LoadedScript("abc", (), "txt", "utf-8")
    chunk = [
        (asset(1), picture(1)),
        (asset(2, Kind.SCRIPT), script),
        (asset(3), fault),
        (asset(4, Kind.SCRIPT), fault),
        (asset(5, Kind.OTHER), fault),
    ]
    results = [row for _, _, row in run_stages(chunk, [runner(Numbers(), 1), absent])]
    assert [[(one.outcome, one.reason) for one in row] for row in results] == [
        [(Outcome.MATCHED, None), (Outcome.NOT_APPLICABLE, None)],
        [(Outcome.NOT_APPLICABLE, None), (Outcome.SKIPPED, Reason.NO_WEIGHTS)],
        [(Outcome.SKIPPED, Reason.NOT_LOADED), (Outcome.NOT_APPLICABLE, None)],
        [(Outcome.NOT_APPLICABLE, None), (Outcome.SKIPPED, Reason.NOT_LOADED)],
        [(Outcome.NOT_APPLICABLE, None), (Outcome.NOT_APPLICABLE, None)],
    ]
    assert results[1][1].detail == "no weights"
    assert results[2][0].detail == "cut short"


def test_an_empty_chunk_and_no_stage():
    assert list(run_stages([], [runner(Numbers(), 1)])) == []
    assert [row for _, _, row in run_stages([(asset(1), picture(1))], [])] == [()]


def test_nothing_to_do_gives_nothing():
    assert fingerprint_all(Numbers(), []) == []
    assert search_all(Numbers(), [], stored(1), StageSettings(), []) == []
    assert kind_of(picture(1)) is Kind.IMAGE
    assert kind_of(LoadedScript("", (), "txt")) is Kind.SCRIPT


# How many works


def test_works_are_counted_once_over_the_stages_that_ran():
    class Others(Numbers):
        name = "others"

    runners = [runner(Numbers(), 1, 2), runner(Others(), 2, 3), runner(Letters(), 7)]

    def compared(**by_stage):
        results = [StageOutcome(name, outcome) for name, outcome in by_stage.items()]
        return works_compared(results, runners)

    matched, none = Outcome.MATCHED, Outcome.NO_MATCH
    assert compared(numbers=matched, others=none, letters=Outcome.NOT_APPLICABLE) == 3
    assert compared(numbers=none, others=Outcome.ABSTAINED) == 2
    assert compared(numbers=Outcome.FAILED, others=none) == 2
    assert compared(numbers=Outcome.SKIPPED, others=Outcome.FAILED) == 0
    assert compared() == 0
    assert works_compared([StageOutcome("numbers", matched)], []) == 0


# Opening an index


def opened(tmp_path, monkeypatch, *, parameters=None, enabled=True, stages=(Numbers, Letters)):
    monkeypatch.setattr(stage_runner, "STAGES", {stage.name: stage for stage in stages})
    spec = FingerprintSpec("numbers", "numbers/1", parameters or {}, canary="x")
    index = ReferenceIndex.create(tmp_path / "index", [spec], {"numbers": SCHEMA})
    settings = {"numbers": StageSettings(enabled=enabled), "letters": StageSettings()}
    return {one.name: one for one in open_runners(index, settings)}


def test_an_empty_index_is_nothing_to_compare_with(tmp_path, monkeypatch):
    runners = opened(tmp_path, monkeypatch)
    assert runners["numbers"].absent.reason is Reason.NO_WORKS
    assert "no picture" in runners["numbers"].absent.detail
    assert runners["numbers"].works == frozenset()


def test_a_stage_that_the_index_was_made_without_is_absent(tmp_path, monkeypatch):
    assert opened(tmp_path, monkeypatch)["letters"].absent.reason is Reason.NOT_IN_INDEX


def test_a_stage_switched_off_is_absent_and_not_even_loaded(tmp_path, monkeypatch):
    runners = opened(tmp_path, monkeypatch, parameters={"weights": "gone"}, enabled=False)
    assert runners["numbers"].absent.reason is Reason.SWITCHED_OFF


def test_a_stage_without_its_weights_is_absent_and_says_what_is_gone(tmp_path, monkeypatch):
    runners = opened(tmp_path, monkeypatch, parameters={"weights": "gone"})
    assert runners["numbers"].absent == Abstention(Reason.NO_WEIGHTS, "The weights are gone.")
    assert runners["numbers"].stage is None


def test_an_index_with_an_unknown_stage_is_refused(tmp_path, monkeypatch):
    with pytest.raises(SpecMismatchError, match="fingerprints by numbers, which"):
        opened(tmp_path, monkeypatch, stages=(Letters,))
