from difflib import SequenceMatcher

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.text.alignment import SETTINGS, PassageLimits, _merged_boxes, shared_passages
from pipeline.stages.text.chaining import SETTINGS as CHAINING
from pipeline.stages.text.chaining import Box, chains_of, seeds
from pipeline.stages.text.local_alignment import align_end, align_gap

GROUP_GAP, PAD, FREQUENT = SETTINGS.group_gap, SETTINGS.pad, CHAINING.frequent

DEFAULTS = {"max_gap": 12, "min_words": 8, "min_score": 0.0, "min_identity": 0.4}


def aligned(asset, work, boxes=None, weights=None, **options):
    a, b = np.array(asset, np.uint32), np.array(work, np.uint32)
    boxes = [Box(0, len(a), 0, len(b))] if boxes is None else boxes
    weights = np.ones(len(a)) if weights is None else np.array(weights, np.float64)
    return shared_passages(a, b, boxes, weights, PassageLimits(**{**DEFAULTS, **options}))


def unique(seed, count):
    return np.random.default_rng(seed).integers(1, 2**32, count).tolist()


def test_the_worked_examples_of_the_modules():
    number = {}

    def words(text):
        return np.array([number.setdefault(w, len(number) + 1) for w in text.split()], np.uint32)

    asset = words("the ferry left at six as it always did")
    work = words("the ferry left at seven as it always does")
    weights, cumulative = np.ones(9), np.arange(10.0)
    [chain] = chains_of(asset, work, Box(0, 9, 0, 9), weights, cumulative, 15)
    assert (chain.runs.tolist(), chain.weight) == ([[0, 0, 4], [5, 5, 3]], 7.0)
    limits = PassageLimits(max_gap=15, min_words=5, min_score=5.0, min_identity=0.4)
    [shared] = shared_passages(asset, work, [Box(0, 9, 0, 9)], weights, limits)
    assert (shared.asset_start, shared.asset_end, shared.work_start, shared.work_end) == (0, 8) * 2
    assert (shared.words, shared.longest, shared.identity, shared.score) == (7, 4, 0.875, 6.125)

    def end(work):
        asset = words("and then slowly home")
        pieces = align_end(asset, words(work), np.ones(4), 0, 0, forwards=True)
        return [(i, j) for i, j, _ in pieces]

    assert end("and later slowly home") == [(0, 0), (2, 2), (3, 3)]
    assert end("and later quickly away") == [(0, 0)]
    gap = align_gap(words("a x b"), words("a b"), np.ones(3), (0, 3), (0, 2))
    assert gap == [(0, 0, 1), (2, 1, 1)]


@pytest.mark.parametrize(("words", "joined"), [(6, False), (7, True), (8, True)])
def test_a_chain_at_an_end_must_outweigh_the_words_that_it_adds(words, joined):
    first, second = unique(1, 30), unique(2, words)
    asset, work = (first + unique(seed, GROUP_GAP) + second for seed in (3, 4))
    [shared] = aligned(asset, work)
    assert shared.words == (30 + words if joined else 30)


@given(st.lists(st.integers(0, 5), max_size=40), st.lists(st.integers(0, 5), max_size=40))
def test_seeds_are_equal_shingles(asset, work):
    a, b = np.array(asset, np.uint64), np.array(work, np.uint64)
    i, j = seeds(a, b)
    assert (a[i] == b[j]).all()
    pairs = set(zip(i.tolist(), j.tolist(), strict=True))
    assert len(pairs) == len(i)
    every = {(x, y) for x in range(len(a)) for y in range(len(b)) if a[x] == b[y]}
    rare = {
        (x, y)
        for x, y in every
        if asset.count(asset[x]) <= FREQUENT and work.count(work[y]) <= FREQUENT
    }
    assert rare <= pairs <= every


def test_a_planted_passage_has_its_exact_ends():
    passage, before, after = unique(1, 50), unique(2, 80), unique(3, 70)
    work = unique(4, 200) + passage + unique(5, 300)
    (shared,) = aligned(before + passage + after, work)
    assert (shared.asset_start, shared.asset_end) == (80, 130)
    assert (shared.work_start, shared.work_end) == (200, 250)
    assert (shared.words, shared.longest, shared.identity) == (50, 50, 1.0)


@pytest.mark.parametrize("every", [7, 10, 20])
def test_changed_words_leave_one_passage(every):
    passage = unique(1, 120)
    changed = [word + 1 if n % every == every - 1 else word for n, word in enumerate(passage)]
    (shared,) = aligned(unique(2, 60) + changed + unique(3, 60), unique(4, 90) + passage)
    assert 60 <= shared.asset_start < shared.asset_end <= 180
    assert shared.asset_end - shared.asset_start >= 120 - 2 * every
    assert 0.4 <= shared.identity < 1.0


def test_words_put_in_and_left_out_leave_one_passage():
    passage = unique(1, 100)
    edited = passage[:30] + unique(9, 4) + passage[30:60] + passage[65:]
    (shared,) = aligned(unique(2, 40) + edited, passage + unique(3, 40))
    assert shared.words == 95
    assert (shared.work_start, shared.work_end) == (0, 100)


def test_a_gap_at_and_above_the_limit():
    first, second = unique(1, 30), unique(2, 30)
    work = first + second
    at = aligned(first + unique(3, GROUP_GAP) + second, work)
    above = aligned(first + unique(3, GROUP_GAP + 1) + second, work)
    assert len(at) == 1
    assert len(above) == 2


def test_a_passage_in_another_order_is_one_finding_of_several_chains():
    sentences = [unique(seed, 14) for seed in range(6)]
    order = [3, 0, 5, 1, 4, 2]
    asset = unique(7, 90) + [word for n in order for word in sentences[n]] + unique(8, 90)
    work = unique(9, 200) + [word for one in sentences for word in one] + unique(10, 50)
    (shared,) = aligned(asset, work)
    assert (shared.asset_start, shared.asset_end) == (90, 174)
    assert (shared.work_start, shared.work_end) == (200, 284)
    assert (shared.words, shared.longest, shared.chains) == (84, 14, 4)


@pytest.mark.parametrize(("apart", "findings"), [(GROUP_GAP, 1), (GROUP_GAP + 1, 2)])
def test_swapped_halves_apart_at_and_above_the_limit(apart, findings):
    first, second = unique(1, 30), unique(2, 30)
    asset = second + unique(3, apart) + first
    assert len(aligned(asset, first + second)) == findings


def test_two_passages_of_one_work_are_two_findings():
    work = unique(1, 2000)
    asset = unique(2, 100) + work[100:160] + work[1500:1580] + unique(3, 100)
    shared = aligned(asset, work)
    assert [(one.asset_start, one.asset_end, one.work_start) for one in shared] == [
        (160, 240, 1500),
        (100, 160, 100),
    ]


def test_a_long_passage_with_a_paragraph_put_in_is_one_finding():
    work = unique(1, 600)
    (shared,) = aligned(work[:300] + unique(2, 50) + work[300:], work)
    assert (shared.asset_start, shared.asset_end, shared.words) == (0, 650, 600)


def test_the_runs_of_a_passage_are_what_agrees():
    passage = unique(1, 60)
    changed = [word + 1 if n in (9, 30, 31) else word for n, word in enumerate(passage)]
    asset, work = unique(2, 25) + changed, unique(3, 70) + passage
    (shared,) = aligned(asset, work)
    assert shared.runs.tolist() == [[25, 70, 9], [35, 80, 20], [57, 102, 28]]
    for start, other, length in shared.runs.tolist():
        assert asset[start : start + length] == work[other : other + length]


def test_single_words_between_two_changes_count():
    passage = unique(1, 41)
    changed = [word + 1 if n in (10, 12, 14) else word for n, word in enumerate(passage)]
    (shared,) = aligned(changed, passage)
    assert shared.words == 38


@pytest.mark.parametrize(("score", "findings"), [(14.9, 1), (15.0, 1), (15.1, 0)])
def test_rare_words_count_more_at_below_and_above(score, findings):
    passage = unique(1, 20)
    shared = aligned(passage, passage, weights=[0.75] * 20, min_score=score)
    assert len(shared) == findings


def test_only_boxes_are_looked_into():
    passage = unique(1, 40)
    asset, work = passage + unique(2, 400), unique(3, 400) + passage
    assert aligned(asset, work, boxes=[Box(200, 210, 100, 110)]) == []
    assert aligned(asset, work, boxes=[]) == []
    (shared,) = aligned(asset, work, boxes=[Box(20, 24, 420, 424)])
    assert (shared.asset_start, shared.asset_end) == (0, 40)


@pytest.mark.parametrize(("words", "findings"), [(7, 0), (8, 1), (9, 1)])
def test_least_words_at_below_and_above(words, findings):
    passage = unique(1, words)
    assert len(aligned(unique(2, 30) + passage, passage + unique(3, 30))) == findings


def test_an_identical_text_is_one_passage_even_if_it_repeats_itself():
    verse, chorus = unique(1, 30), unique(2, 12)
    song = (verse + chorus) * 12
    (shared, *rest) = aligned(song, song)
    assert (shared.asset_start, shared.asset_end) == (0, 504)
    assert (shared.words, shared.identity) == (504, 1.0)
    assert not rest


@settings(max_examples=80)
@given(st.lists(st.integers(1, 12), min_size=8, max_size=150))
def test_a_text_aligned_with_itself_is_one_finding_that_covers_it(words):
    (shared, *rest) = aligned(words, words)
    assert not rest
    assert (shared.asset_start, shared.asset_end) == (0, len(words))
    assert (shared.work_start, shared.work_end) == (0, len(words))
    assert (shared.words, shared.identity, shared.chains) == (len(words), 1.0, 1)


def test_unrelated_texts_share_nothing():
    assert aligned(unique(1, 500), unique(2, 500)) == []
    assert aligned([], unique(2, 50)) == []
    assert aligned([1, 2], [1, 2]) == []


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(12, 60), st.integers(0, 60), st.integers(0, 60))
def test_no_less_than_the_longest_common_run(seed, length, before, after):
    """difflib, an independent reference, finds the longest run; a passage holds it."""
    rng = np.random.default_rng(seed)
    passage = rng.integers(1, 400, length).tolist()
    asset = rng.integers(1, 400, before).tolist() + passage + rng.integers(1, 400, after).tolist()
    work = rng.integers(1, 400, after).tolist() + passage
    best = SequenceMatcher(None, asset, work, autojunk=False).find_longest_match()
    shared = aligned(asset, work)
    assert shared
    assert max(one.longest for one in shared) >= best.size
    for one in shared:
        assert 0 < one.identity <= 1.0
        assert one.words <= one.asset_end - one.asset_start


def test_a_run_over_frequent_shingles_is_one_run():
    """Frequent shingles are paired in order only; the run through them is not broken by that."""
    refrain = unique(99, 6)
    asset = [word for n in range(FREQUENT + 4) for word in (*unique(n, 15), *refrain)][:-6]
    [shared, *rest] = aligned(asset, [*refrain, *asset])
    assert not rest
    assert (shared.words, shared.longest, shared.identity) == (len(asset), len(asset), 1.0)
    [changed] = aligned([*asset[:100], 7, *asset[101:]], [*refrain, *asset])
    assert changed.longest == len(asset) - 101


def overlap(one, two):
    return (
        one.asset_start < two.asset_end
        and two.asset_start < one.asset_end
        and one.work_start < two.work_end
        and two.work_start < one.work_end
    )


@given(
    st.lists(
        st.tuples(*(st.integers(0, 1900), st.integers(1, 90)) * 2).map(
            lambda at: Box(at[0], at[0] + at[1], at[2], at[2] + at[3])
        ),
        max_size=25,
    )
)
def test_boxes_that_overlap_are_put_together(boxes):
    """As by putting any two together until no two overlap."""
    left = [
        Box(
            max(0, box.asset_start - PAD),
            min(2000, box.asset_end + PAD),
            max(0, box.work_start - PAD),
            min(2000, box.work_end + PAD),
        )
        for box in boxes
    ]
    while pair := next(((a, b) for a in left for b in left if a is not b and overlap(a, b)), None):
        left = [box for box in left if box is not pair[0] and box is not pair[1]]
        (a, b, c, d), (e, f, g, h) = pair
        left.append(Box(min(a, e), max(b, f), min(c, g), max(d, h)))
    assert sorted(_merged_boxes(boxes, 2000, 2000)) == sorted(left)


def test_many_boxes_cost_little():
    boxes = [Box(at * 200, at * 200 + 10, at * 300, at * 300 + 10) for at in range(20_000)]
    assert len(_merged_boxes(boxes, 10**7, 10**7)) == len(boxes)
