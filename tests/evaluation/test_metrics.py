"""Quality figures against plain oracles that follow the definitions word by word."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.metrics import (
    brier_score,
    expected_calibration_error,
    largest_share,
    likely_shares,
    log_loss,
    micro_average_precision,
    recall_at_precision,
    reliability_table,
)

# Few distinct scores, so that ties are common.
PAIRS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]), st.booleans()),
    min_size=1,
    max_size=40,
)


def operating_points(pairs, positives):
    """(precision, recall) of every threshold, by counting."""
    points = []
    for threshold in sorted({score for score, _ in pairs}, reverse=True):
        labels_above = [label for score, label in pairs if score >= threshold]
        points.append((sum(labels_above) / len(labels_above), sum(labels_above) / positives))
    return points


def oracle_average_precision(pairs, positives):
    area, before = 0.0, 0.0
    for precision, recall in operating_points(pairs, positives):
        area += precision * (recall - before)
        before = recall
    return area


@given(PAIRS, st.integers(0, 5))
def test_average_precision_equals_counting(pairs, missed):
    scores, labels = zip(*pairs, strict=True)
    positives = sum(labels) + missed
    if positives == 0:
        with pytest.raises(ValueError, match="no true pair"):
            micro_average_precision(scores, labels, positives)
        return
    got = micro_average_precision(scores, labels, positives)
    assert got == pytest.approx(oracle_average_precision(pairs, positives))


@given(PAIRS.filter(lambda pairs: any(label for _, label in pairs)), st.integers(1, 20))
def test_recall_at_precision_equals_counting(pairs, twentieths):
    scores, labels = zip(*pairs, strict=True)
    wanted = twentieths / 20
    expected = max(
        (r for p, r in operating_points(pairs, sum(labels)) if p >= wanted),
        default=0.0,
    )
    assert recall_at_precision(scores, labels, wanted) == pytest.approx(expected)


@given(PAIRS)
def test_brier_and_log_loss_equal_their_sums(pairs):
    risks, labels = zip(*pairs, strict=True)
    brier = sum((r - y) ** 2 for r, y in pairs) / len(pairs)
    nats = [-math.log(min(max(r if y else 1 - r, 1e-12), 1 - 1e-12)) for r, y in pairs]
    assert brier_score(risks, labels) == pytest.approx(brier)
    assert log_loss(risks, labels) == pytest.approx(sum(nats) / len(pairs), rel=1e-4, abs=1e-9)


@given(PAIRS, st.integers(1, 12))
def test_calibration_error_equals_a_plain_binning(pairs, bins):
    risks, labels = zip(*pairs, strict=True)
    boxes: dict[int, list[tuple[float, bool]]] = {}
    edges = np.linspace(0, 1, bins + 1)
    for risk, label in pairs:
        box = max(b for b in range(bins) if edges[b] <= risk)
        boxes.setdefault(box, []).append((risk, label))
    expected = sum(
        abs(sum(r for r, _ in box) - sum(y for _, y in box)) for box in boxes.values()
    ) / len(pairs)
    assert expected_calibration_error(risks, labels, bins) == pytest.approx(expected, abs=1e-12)
    table = reliability_table(risks, labels, bins)
    assert sum(row.pairs for row in table) == len(pairs)
    # A mean of equal floats may differ from them in its last bit.
    assert all(row.low - 1e-12 <= row.mean_risk <= row.high + 1e-12 for row in table)


@given(PAIRS.filter(lambda pairs: any(label for _, label in pairs)), st.randoms())
def test_the_order_of_pairs_does_not_matter(pairs, shuffler: random.Random):
    shuffled = list(pairs)
    shuffler.shuffle(shuffled)
    first = micro_average_precision(*zip(*pairs, strict=True))
    assert micro_average_precision(*zip(*shuffled, strict=True)) == pytest.approx(first)


def test_a_perfect_ranking_scores_one_and_a_missed_copy_costs_recall():
    assert micro_average_precision([0.9, 0.8, 0.1], [True, True, False]) == 1.0
    assert micro_average_precision([0.9, 0.8, 0.1], [True, True, False], positives=4) == 0.5
    assert recall_at_precision([0.9, 0.8, 0.1], [True, True, False], 1.0, positives=4) == 0.5


def test_risks_at_a_bin_edge_belong_to_the_bin_above_and_one_to_the_last():
    rows = reliability_table([0.0, 0.1, 1.0], [False, False, True], bins=10)
    assert [(row.low, row.pairs) for row in rows] == [(0.0, 1), (0.1, 1), (0.9, 1)]


@pytest.mark.parametrize(
    ("risks", "labels", "says"),
    [
        ([0.5], [True, False], "one length"),
        ([float("nan")], [True], "finite"),
        ([1.1], [True], r"\[0, 1\]"),
        ([0.5], [2], "true or false"),
    ],
)
def test_bad_input_is_refused(risks, labels, says):
    with pytest.raises(ValueError, match=says):
        brier_score(risks, labels)
    with pytest.raises(ValueError, match="positives"):
        micro_average_precision([0.5, 0.4], [True, True], positives=1)


def test_no_pairs_give_no_figure_not_a_good_one():
    assert math.isnan(brier_score([], []))
    assert math.isnan(log_loss([], []))
    assert math.isnan(expected_calibration_error([], []))
    assert micro_average_precision([], [], positives=3) == 0.0


@pytest.mark.parametrize(("hits", "of"), [(0, 1), (0, 59), (1, 2), (3, 40), (39, 40)])
def test_the_largest_share_leaves_the_hits_just_possible(hits, of):
    """At the bound, this many hits or fewer come about one time in twenty."""
    share = largest_share(hits, of)
    chance = sum(math.comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(hits + 1))
    assert chance == pytest.approx(0.05)


def test_the_largest_share_of_all_or_of_none_is_everything():
    assert largest_share(5, 5) == largest_share(0, 0) == 1.0
    for hits, of, confidence in ((2, 1, 0.95), (-1, 1, 0.95), (0, 1, 1.0)):
        with pytest.raises(ValueError, match="no bound"):
            largest_share(hits, of, confidence)


def test_likely_shares_are_the_roots_of_the_test_that_they_invert():
    """Wilson: the shares p with |hits/of - p| = z * sqrt(p (1 - p) / of)."""
    for hits, of in ((0, 10), (3, 10), (10, 10), (49, 50)):
        low, high = likely_shares(hits, of)
        assert 0 <= low <= hits / of <= high <= 1
        for p in (low, high):
            if 0 < p < 1:
                z = abs(hits / of - p) / math.sqrt(p * (1 - p) / of)
                assert z == pytest.approx(1.959964, rel=1e-6)
    assert likely_shares(0, 0) == (0.0, 1.0)


def test_the_worked_example_of_the_module_is_what_the_metrics_give():
    scores, copies = [0.9, 0.8, 0.8, 0.3], [True, False, True, True]
    assert micro_average_precision(scores, copies, 4) == pytest.approx(0.604, abs=0.0005)
    assert recall_at_precision(scores, copies, 0.7, 4) == 0.75
    assert recall_at_precision(scores, copies, 0.9, 4) == 0.25
    assert expected_calibration_error(scores, copies, 2) == pytest.approx(0.3)
    assert brier_score(scores, copies) == pytest.approx(0.295)
