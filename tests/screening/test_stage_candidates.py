"""Candidates: stages propose files to a stage that verifies; a failing one affects no other."""

from __future__ import annotations

import pytest
from test_stage_runner import Numbers, asset, picture, runner

from pipeline.core.errors import Reason
from pipeline.core.records import Abstention, Evidence, Kind, Outcome
from pipeline.screening.stage_runner import CANDIDATES, StageRunner, run_stages
from pipeline.stages.base import StageSettings


class Proposing(Numbers):
    """Proposes the files whose numbers are within three of the asset's, nearest first."""

    name = "proposing"
    title = "proposing numbers"

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


class Also(Proposing):
    name = "also"
    title = "also numbers"


class Verifying(Numbers):
    """Returns every candidate as evidence, with the stages that proposed it."""

    name = "verifying"
    title = "verifying"
    verifies = True

    def search_with_candidates(self, fingerprints, entries, settings, candidates):
        assert len(candidates) == len(fingerprints)
        results = []
        for named in candidates:
            files = [(entries.files[position], ways) for position, ways in named.items()]
            results.append(
                [
                    Evidence(f.work_id, f.path, f.file_id, {"found_by": ", ".join(ways)})
                    for f, ways in files
                ]
            )
        return results


class VerifyingLetters(Verifying):
    name = "verifying_letters"
    kind = Kind.SCRIPT


def verified(runners, numbers):
    """Evidence of the last stage for each asset: titles of the proposing stages by work."""
    chunk = [(asset(n), picture(n)) for n in numbers]
    return [
        {one.work_id: one.measures["found_by"] for one in results[-1].evidence}
        for _, _, results in run_stages(chunk, runners)
    ]


def test_a_verifying_stage_gets_the_candidates_of_the_others():
    runners = [runner(Proposing(), 10, 20, 30), runner(Verifying(), 10, 20, 30)]
    assert verified(runners, [11, 50, 29, 0, 20]) == [
        {"work-10": "proposing numbers"},
        {},
        {"work-30": "proposing numbers"},
        {},  # it abstained
        {"work-20": "proposing numbers"},
    ]


def test_a_candidate_lists_every_stage_that_proposed_it_once():
    runners = [runner(stage, 10, 12, 20) for stage in (Proposing(), Also(), Verifying())]
    assert verified(runners, [11]) == [
        {
            "work-10": "proposing numbers, also numbers",
            "work-12": "proposing numbers, also numbers",
        }
    ]


def test_a_stage_proposes_no_more_candidates_than_the_limit():
    numbers = range(10, 17)
    runners = [runner(Proposing(), *numbers), runner(Verifying(), *numbers)]
    [results] = verified(runners, [13])
    assert len(results) == CANDIDATES
    assert "work-13" in results


@pytest.mark.parametrize("count", [1, 4])
def test_a_stage_that_breaks_while_proposing_fails_for_that_asset_only(count, caplog):
    numbers = list(range(11, 11 + count))
    bad = Proposing(breaks_in_candidates=[11])
    runners = [runner(bad, *numbers), runner(Also(), *numbers), runner(Verifying(), *numbers)]
    chunk = [(asset(n), picture(n)) for n in numbers]
    results = [row for _, _, row in run_stages(chunk, runners)]
    # A copy that it would have proposed may be missed, so the row must say that it broke.
    assert [row[0].outcome for row in results] == [Outcome.FAILED] + [Outcome.MATCHED] * (count - 1)
    assert {one.outcome for row in results for one in row[1:]} == {Outcome.MATCHED}
    for number, row in zip(numbers, results, strict=True):
        named = {one.work_id: one.measures["found_by"] for one in row[-1].evidence}
        assert "also numbers" in named[f"work-{number}"]
        assert ("proposing numbers" in named[f"work-{number}"]) == (number != 11)
    assert "candidates 11" not in caplog.text
    assert "ValueError" in caplog.text


def test_no_candidates_are_proposed_if_no_stage_verifies():
    class Unasked(Proposing):
        def candidates(self, *arguments):
            raise AssertionError("no candidates are needed")

    only_proposing = [runner(Unasked(), 10)]
    scripts = [runner(Unasked(), 10), runner(VerifyingLetters(), 10)]
    absent = StageRunner(
        "verifying", Kind.IMAGE, StageSettings(), absent=Abstention(Reason.SWITCHED_OFF, "off")
    )
    for runners in (only_proposing, scripts, [runner(Unasked(), 10), absent]):
        results = [row for _, _, row in run_stages([(asset(10), picture(10))], runners)]
        assert results[0][0].outcome is Outcome.MATCHED


def test_a_verifying_stage_that_breaks_on_one_asset_fails_for_that_asset_only():
    class Breaks(Verifying):
        def search_with_candidates(self, fingerprints, entries, settings, candidates):
            for one in fingerprints:
                if one.rows.column("number")[0].as_py() == 12:
                    raise ValueError("12")
            return super().search_with_candidates(fingerprints, entries, settings, candidates)

    numbers = [11, 12, 13]
    runners = [runner(Proposing(), *numbers), runner(Breaks(), *numbers)]
    chunk = [(asset(n), picture(n)) for n in numbers]
    results = [row[-1] for _, _, row in run_stages(chunk, runners)]
    assert [one.outcome for one in results] == [Outcome.MATCHED, Outcome.FAILED, Outcome.MATCHED]
    # The others still get their own candidates.
    assert results[0].evidence[0].work_id == "work-11"
    assert results[2].evidence[0].work_id == "work-13"


@pytest.mark.parametrize(
    "answer",
    [lambda results: [], lambda results: None, lambda results: results * 2, lambda results: [None]],
)
def test_invalid_candidates_fail_only_that_stage(answer):
    class Wrong(Proposing):
        def candidates(self, *arguments):
            return answer(super().candidates(*arguments))

    runners = [runner(Wrong(), 10, 11), runner(Also(), 10, 11), runner(Verifying(), 10, 11)]
    assert [set(one.values()) for one in verified(runners, [10, 11])] == [{"also numbers"}] * 2
