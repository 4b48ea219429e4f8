"""Judging: one stage's fault on one asset is that asset's and that stage's alone."""

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
from reference_index.interface import StageEntries, WorkFile
from reference_index.spec import FingerprintSpec
from reference_index.store import ReferenceIndex

SCHEMA = pa.schema([pa.field("number", pa.int32(), nullable=False)])


class Numbers(Stage):
    """A stage over pictures that keeps a picture's first pixel and finds equal ones.

    `breaks` and `breaks_in_search` are pixels that it breaks on; `answers` and `finds` change
    what it answers.
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
        found = []
        for one in loaded:
            number = first(one)
            if number in self.breaks:
                raise ValueError(f"number {number}")
            if number == 0:
                found.append(Abstention(Reason.TOO_LITTLE_DETAIL, "nothing", {"fact": 0}))
            else:
                found.append(printed(number))
        return self.answers(found)

    def search(self, fingerprints, entries, settings):
        stored = entries.rows.column("number").to_pylist()
        found = []
        for one in fingerprints:
            number = one.rows.column("number")[0].as_py()
            if number in self.breaks_in_search:
                raise ValueError(f"search {number}")
            rows = [row for row, other in enumerate(stored) if other == number]
            files = [entries.files[entries.file_of_row[row]] for row in rows]
            found.append([Evidence(f.work_id, f.path, f.file_id, {}) for f in files])
        return self.finds(found)

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
    assert all(len(said) == 1 for _, _, said in done)
    return [said[0] for _, _, said in done]


def test_matched_not_matched_and_abstained_in_the_chunks_order():
    said = outcomes(Numbers(), [9, 1, 0, 2])
    assert [one.outcome for one in said] == [
        Outcome.NO_MATCH, Outcome.MATCHED, Outcome.ABSTAINED, Outcome.MATCHED,
    ]  # fmt: skip
    assert [[e.work_id for e in one.evidence] for one in said] == [[], ["work-1"], [], ["work-2"]]
    assert [one.facts["fact"] for one in said] == [9, 1, 0, 2]
    assert (said[2].reason, said[2].detail) == (Reason.TOO_LITTLE_DETAIL, "nothing")


@pytest.mark.parametrize("bad", range(1, 10))
def test_a_stage_that_breaks_on_one_asset_fails_that_asset_alone(bad):
    stage = Numbers(breaks=[bad])
    said = outcomes(stage, range(1, 10))
    assert [one.outcome is Outcome.FAILED for one in said] == [n == bad for n in range(1, 10)]
    failed = said[bad - 1]
    assert failed.reason is Reason.STAGE_FAILED
    assert failed.detail == f"the numbers stage broke (ValueError: number {bad})"
    assert not failed.evidence
    assert [one.outcome is Outcome.MATCHED for one in said] == [
        n in (1, 2, 3) and n != bad for n in range(1, 10)
    ]
    # Only the batch with the fault is taken apart.
    assert sorted(stage.batches) == [1] * (1 if bad == 9 else 4) + [1] * 1 + [4] * 2


def test_a_stage_that_breaks_on_everything_fails_everything():
    said = outcomes(Numbers(breaks=range(10)), range(9))
    assert {one.outcome for one in said} == {Outcome.FAILED}


def test_a_failure_is_logged_without_the_assets_content(caplog):
    outcomes(Numbers(breaks=[7], breaks_in_search=[8]), [7, 8])
    assert len(caplog.records) == 2
    assert "number 7" not in caplog.text
    assert "search 8" not in caplog.text
    assert "ValueError" in caplog.text


@pytest.mark.parametrize(
    "answers",
    [
        lambda found: found[:-1],
        lambda found: [*found, *found[:1]],
        lambda found: [],
        lambda found: found * 2,
        lambda found: None,
        lambda found: [None] * len(found),
        lambda found: [[one] for one in found],
        lambda found: [Fingerprint("numbers", one.rows.slice(0, 0)) for one in found],
    ],
)
@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_wrong_answer_is_a_failure_never_no_match(answers, count):
    said = outcomes(Numbers(answers=answers), range(1, count + 1))
    assert len(said) == count
    assert {(one.outcome, one.reason) for one in said} == {(Outcome.FAILED, Reason.STAGE_FAILED)}


def test_an_answer_too_few_for_a_batch_but_right_alone_is_taken():
    # What a batch got wrong, its parts may get right: here the stage drops all but the first.
    said = outcomes(Numbers(answers=lambda found: found[:1]), [1, 2, 9])
    assert [one.outcome for one in said] == [Outcome.MATCHED, Outcome.MATCHED, Outcome.NO_MATCH]


@pytest.mark.parametrize("bad", [1, 5, 9])
def test_a_stage_that_breaks_in_a_search_fails_that_asset_alone(bad):
    said = outcomes(Numbers(breaks_in_search=[bad]), range(1, 10))
    assert [one.outcome is Outcome.FAILED for one in said] == [n == bad for n in range(1, 10)]
    assert said[bad - 1].detail == f"the numbers stage broke (ValueError: search {bad})"
    assert said[1].outcome is Outcome.MATCHED


@pytest.mark.parametrize(
    "finds",
    [lambda found: found[:-1], lambda found: found * 2, lambda found: None, lambda found: [None]],
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_wrong_answer_of_a_search_is_a_failure(finds, count):
    said = outcomes(Numbers(finds=finds), range(1, count + 1))
    assert {one.outcome for one in said} == {Outcome.FAILED}


def test_a_breaking_stage_leaves_the_others_alone():
    chunk = [(asset(1), picture(1)), (asset(2), picture(2))]

    class Others(Numbers):
        name = "others"

    runners = [runner(Numbers(breaks=[1, 2]), 1), runner(Others(), 1, 2)]
    said = [[one.outcome for one in found] for _, _, found in run_stages(chunk, runners)]
    assert said == [[Outcome.FAILED, Outcome.MATCHED]] * 2


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
    said = [found for _, _, found in run_stages(chunk, [runner(Numbers(), 1), absent])]
    assert [[(one.outcome, one.reason) for one in found] for found in said] == [
        [(Outcome.MATCHED, None), (Outcome.NOT_APPLICABLE, None)],
        [(Outcome.NOT_APPLICABLE, None), (Outcome.SKIPPED, Reason.NO_WEIGHTS)],
        [(Outcome.SKIPPED, Reason.NOT_LOADED), (Outcome.NOT_APPLICABLE, None)],
        [(Outcome.NOT_APPLICABLE, None), (Outcome.SKIPPED, Reason.NOT_LOADED)],
        [(Outcome.NOT_APPLICABLE, None), (Outcome.NOT_APPLICABLE, None)],
    ]
    assert said[1][1].detail == "no weights"
    assert said[2][0].detail == "cut short"


def test_an_empty_chunk_and_no_stage():
    assert list(run_stages([], [runner(Numbers(), 1)])) == []
    assert [found for _, _, found in run_stages([(asset(1), picture(1))], [])] == [()]


def test_nothing_to_do_gives_nothing():
    assert fingerprint_all(Numbers(), []) == []
    assert search_all(Numbers(), [], stored(1), StageSettings(), []) == []
    assert kind_of(picture(1)) is Kind.IMAGE
    assert kind_of(LoadedScript("", (), "txt")) is Kind.SCRIPT


# Nomination


class Nominating(Numbers):
    """Nominates the files whose numbers lie within three of the asset's, nearest first."""

    name = "nominating"
    title = "nominating numbers"

    def __init__(self, breaks_in_candidates=(), **rest):
        super().__init__(**rest)
        self.breaks_in_candidates = set(breaks_in_candidates)

    def candidates(self, fingerprints, entries, settings, limit):
        named = []
        for one in fingerprints:
            number = one.rows.column("number")[0].as_py()
            if number in self.breaks_in_candidates:
                raise ValueError(f"candidates {number}")
            numbers = [int(file.work_id.removeprefix("work-")) for file in entries.files]
            near = [place for place, other in enumerate(numbers) if abs(other - number) <= 3]
            named.append(sorted(near, key=lambda place: abs(numbers[place] - number))[:limit])
        return named


class Also(Nominating):
    name = "also"
    title = "also numbers"


class Verifying(Numbers):
    """Takes every candidate for evidence, and says who named it."""

    name = "verifying"
    title = "verifying"
    verifies = True

    def search_among(self, fingerprints, entries, settings, candidates):
        assert len(candidates) == len(fingerprints)
        found = []
        for named in candidates:
            files = [(entries.files[position], ways) for position, ways in named.items()]
            found.append(
                [
                    Evidence(f.work_id, f.path, f.file_id, {"found_by": ", ".join(ways)})
                    for f, ways in files
                ]
            )
        return found


class VerifyingLetters(Verifying):
    name = "verifying_letters"
    kind = Kind.SCRIPT


def verified(runners, numbers):
    """What the last stage found for each asset: works, and who named them."""
    chunk = [(asset(n), picture(n)) for n in numbers]
    return [
        {one.work_id: one.measures["found_by"] for one in said[-1].evidence}
        for _, _, said in run_stages(chunk, runners)
    ]


def test_a_stage_that_verifies_hears_what_others_nominate():
    runners = [runner(Nominating(), 10, 20, 30), runner(Verifying(), 10, 20, 30)]
    assert verified(runners, [11, 50, 29, 0, 20]) == [
        {"work-10": "nominating numbers"},
        {},
        {"work-30": "nominating numbers"},
        {},  # it abstained
        {"work-20": "nominating numbers"},
    ]


def test_every_stage_that_named_a_file_is_heard_once():
    runners = [runner(stage, 10, 12, 20) for stage in (Nominating(), Also(), Verifying())]
    assert verified(runners, [11]) == [
        {
            "work-10": "nominating numbers, also numbers",
            "work-12": "nominating numbers, also numbers",
        }
    ]


def test_no_more_are_nominated_than_the_limit():
    numbers = range(10, 17)
    runners = [runner(Nominating(), *numbers), runner(Verifying(), *numbers)]
    [found] = verified(runners, [13])
    assert len(found) == stage_runner.CANDIDATES
    assert "work-13" in found


@pytest.mark.parametrize("count", [1, 4])
def test_a_stage_that_breaks_in_its_nomination_has_failed_there_alone(count, caplog):
    numbers = list(range(11, 11 + count))
    bad = Nominating(breaks_in_candidates=[11])
    runners = [runner(bad, *numbers), runner(Also(), *numbers), runner(Verifying(), *numbers)]
    chunk = [(asset(n), picture(n)) for n in numbers]
    said = [found for _, _, found in run_stages(chunk, runners)]
    # A copy that it would have nominated may be missed, so the row must say that it broke.
    assert [found[0].outcome for found in said] == [Outcome.FAILED] + [Outcome.MATCHED] * (
        count - 1
    )
    assert {one.outcome for found in said for one in found[1:]} == {Outcome.MATCHED}
    for number, found in zip(numbers, said, strict=True):
        named = {one.work_id: one.measures["found_by"] for one in found[-1].evidence}
        assert "also numbers" in named[f"work-{number}"]
        assert ("nominating numbers" in named[f"work-{number}"]) == (number != 11)
    assert "candidates 11" not in caplog.text
    assert "ValueError" in caplog.text


def test_nobody_nominates_where_no_stage_verifies():
    class Heard(Nominating):
        def candidates(self, *given):
            raise AssertionError("asked for nothing")

    alone = [runner(Heard(), 10)]
    scripts = [runner(Heard(), 10), runner(VerifyingLetters(), 10)]
    absent = StageRunner(
        "verifying", Kind.IMAGE, StageSettings(), absent=Abstention(Reason.SWITCHED_OFF, "off")
    )
    for runners in (alone, scripts, [runner(Heard(), 10), absent]):
        said = [found for _, _, found in run_stages([(asset(10), picture(10))], runners)]
        assert said[0][0].outcome is Outcome.MATCHED


def test_a_verifying_stage_that_breaks_on_one_asset_fails_that_asset_alone():
    class Breaks(Verifying):
        def search_among(self, fingerprints, entries, settings, candidates):
            for one in fingerprints:
                if one.rows.column("number")[0].as_py() == 12:
                    raise ValueError("12")
            return super().search_among(fingerprints, entries, settings, candidates)

    numbers = [11, 12, 13]
    runners = [runner(Nominating(), *numbers), runner(Breaks(), *numbers)]
    chunk = [(asset(n), picture(n)) for n in numbers]
    said = [found[-1] for _, _, found in run_stages(chunk, runners)]
    assert [one.outcome for one in said] == [Outcome.MATCHED, Outcome.FAILED, Outcome.MATCHED]
    # Each is still heard with its own candidates.
    assert said[0].evidence[0].work_id == "work-11"
    assert said[2].evidence[0].work_id == "work-13"


# How many works


def test_works_are_counted_once_over_the_stages_that_ran():
    class Others(Numbers):
        name = "others"

    runners = [runner(Numbers(), 1, 2), runner(Others(), 2, 3), runner(Letters(), 7)]

    def compared(**said):
        found = [StageOutcome(name, outcome) for name, outcome in said.items()]
        return works_compared(found, runners)

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
    found = opened(tmp_path, monkeypatch)
    assert found["numbers"].absent.reason is Reason.NO_WORKS
    assert "no picture" in found["numbers"].absent.detail
    assert found["numbers"].works == frozenset()


def test_a_stage_that_the_index_was_made_without_is_absent(tmp_path, monkeypatch):
    assert opened(tmp_path, monkeypatch)["letters"].absent.reason is Reason.NOT_IN_INDEX


def test_a_stage_switched_off_is_absent_and_not_even_loaded(tmp_path, monkeypatch):
    found = opened(tmp_path, monkeypatch, parameters={"weights": "gone"}, enabled=False)
    assert found["numbers"].absent.reason is Reason.SWITCHED_OFF


def test_a_stage_without_its_weights_is_absent_and_says_what_is_gone(tmp_path, monkeypatch):
    found = opened(tmp_path, monkeypatch, parameters={"weights": "gone"})
    assert found["numbers"].absent == Abstention(Reason.NO_WEIGHTS, "The weights are gone.")
    assert found["numbers"].stage is None


def test_an_index_with_a_stage_unheard_of_is_refused(tmp_path, monkeypatch):
    with pytest.raises(SpecMismatchError, match="fingerprints by numbers, which"):
        opened(tmp_path, monkeypatch, stages=(Letters,))
