"""PlagDet and its parts on cases counted by hand."""

from __future__ import annotations

from math import log2

import pytest

from benchmarks.plagdet import Pair, covered, measure, plagdet


def pair(start, end, work_start, work_end, script="a", work="w"):
    return Pair(script, start, end, work, work_start, work_end)


CASE = pair(0, 100, 0, 100)


def test_a_case_found_exactly():
    result = measure([CASE], [CASE])
    assert (result.precision, result.recall, result.granularity, result.score) == (
        1,
        1,
        1,
        1,
    )
    assert (result.micro_precision, result.micro_recall, result.micro_score) == (1, 1, 1)
    assert (result.cases, result.met, result.detections) == (1, 1, 1)


def test_half_a_case():
    # 50 + 50 of the case's 200 characters, all of the detection's 100.
    result = measure([CASE], [pair(0, 50, 0, 50)])
    assert (result.precision, result.recall) == (1.0, 0.5)
    assert result.score == pytest.approx(2 / 3)


def test_a_detection_that_reaches_beyond():
    result = measure([CASE], [pair(50, 150, 50, 150)])
    assert (result.precision, result.recall, result.score) == (0.5, 0.5, 0.5)


def test_a_case_in_two_detections_costs_only_granularity():
    result = measure([CASE], [pair(0, 50, 0, 50), pair(50, 100, 50, 100)])
    assert (result.precision, result.recall, result.granularity) == (1, 1, 2)
    assert result.score == pytest.approx(1 / log2(3))


def test_detections_that_overlap_count_their_characters_once():
    # Of 80 + 80 characters of the two detections together, the case has 60 + 60.
    result = measure([pair(0, 60, 0, 60)], [pair(0, 60, 0, 60), pair(20, 80, 20, 80)])
    assert result.recall == 1.0
    assert result.precision == pytest.approx((1 + 80 / 120) / 2)
    assert result.micro_precision == pytest.approx(120 / 160)
    assert result.granularity == 2


@pytest.mark.parametrize(
    "missed",
    [
        pair(0, 50, 200, 250),  # the right place of the script, another of the work
        pair(200, 250, 0, 50),
        pair(100, 150, 0, 50),  # touches, shares no character
        pair(0, 50, 0, 50, work="x"),
        pair(0, 50, 0, 50, script="b"),
    ],
)
def test_a_detection_counts_only_if_it_meets_the_case_on_both_sides(missed):
    result = measure([CASE], [missed])
    assert (result.precision, result.recall, result.granularity, result.score) == (
        0,
        0,
        1,
        0,
    )
    assert (result.micro_precision, result.micro_recall, result.met) == (0, 0, 0)


def test_macro_counts_cases_alike_and_micro_counts_characters():
    # A case of 200 characters found, one of 20 not; a false detection of 20 characters.
    cases = [CASE, pair(0, 10, 500, 510, script="b")]
    result = measure(cases, [CASE, pair(300, 310, 300, 310)])
    assert (result.precision, result.recall, result.score) == (0.5, 0.5, 0.5)
    assert result.micro_precision == result.micro_recall == pytest.approx(200 / 220)
    assert result.micro_score == pytest.approx(10 / 11)


def test_one_detection_of_two_cases():
    cases = [pair(0, 10, 0, 10), pair(20, 30, 20, 30)]
    result = measure(cases, [pair(0, 30, 0, 30)])
    assert result.precision == pytest.approx(40 / 60)
    assert (result.recall, result.granularity) == (1, 1)
    assert result.score == pytest.approx(0.8)


def test_cases_in_another_order_in_the_work():
    cases = [pair(0, 10, 100, 110), pair(20, 30, 0, 10)]
    result = measure(cases, [pair(0, 30, 0, 110)])
    assert (result.precision, result.recall) == (pytest.approx(40 / 140), 1)


def test_granularity_is_the_mean_over_the_cases_that_are_met():
    cases = [CASE, pair(200, 300, 200, 300), pair(400, 500, 400, 500)]
    detections = [pair(0, 50, 0, 50), pair(50, 100, 50, 100), pair(200, 300, 200, 300)]
    result = measure(cases, detections)
    assert (result.met, result.granularity) == (2, 1.5)
    assert result.recall == pytest.approx(2 / 3)


def test_one_stretch_of_a_work_lifted_into_two_scripts():
    # The work's 100 characters are one set, so 300 characters in all; half of them reported.
    cases = [CASE, pair(0, 100, 0, 100, script="b")]
    result = measure(cases, [pair(0, 50, 0, 100)])
    assert result.micro_recall == pytest.approx(150 / 300)
    assert result.recall == pytest.approx((150 / 200) / 2)


def test_nothing_to_find_and_nothing_found():
    assert measure([], []).score == 1.0
    assert measure([CASE], []).score == 0.0
    assert measure([], [CASE]).precision == 0.0


def test_an_empty_stretch_is_refused():
    with pytest.raises(ValueError, match="empty"):
        measure([CASE], [pair(5, 5, 0, 10)])
    with pytest.raises(ValueError, match="empty"):
        measure([pair(0, 10, 9, 8)], [])


def test_the_score_by_its_formula():
    assert plagdet(0.0, 0.0, 1.0) == 0.0
    assert plagdet(0.5, 1.0, 3.0) == pytest.approx((2 / 3) / 2)


def test_a_union_of_stretches():
    assert covered([]) == 0
    assert covered([(5, 10), (0, 6), (7, 8), (20, 21)]) == 11


def test_the_worked_example_of_the_module_is_what_it_gives():
    cases = [pair(0, 100, 0, 100), pair(300, 400, 500, 600)]
    result = measure(cases, [pair(0, 50, 0, 50), pair(60, 110, 60, 110)])
    assert (result.precision, result.recall) == pytest.approx((0.9, 0.45))
    assert (result.micro_precision, result.micro_recall) == pytest.approx((0.9, 0.45))
    assert result.granularity == 2
    assert result.score == pytest.approx(0.379, abs=0.0005)
