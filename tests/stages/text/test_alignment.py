from difflib import SequenceMatcher

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.text.alignment import GROUP_GAP, PAD, Box, _apart, shared_passages
from pipeline.stages.text.chaining import FREQUENT, seeds

DEFAULTS = {"max_gap": 12, "min_words": 8, "min_score": 0.0, "min_identity": 0.4}


def aligned(mine, theirs, boxes=None, weight=None, **options):
    a, b = np.array(mine, np.uint32), np.array(theirs, np.uint32)
    where = [Box(0, len(a), 0, len(b))] if boxes is None else boxes
    counts = np.ones(len(a)) if weight is None else np.array(weight, np.float64)
    return shared_passages(a, b, where, counts, **{**DEFAULTS, **options})


def unique(seed, count):
    return np.random.default_rng(seed).integers(1, 2**32, count).tolist()


@given(st.lists(st.integers(0, 5), max_size=40), st.lists(st.integers(0, 5), max_size=40))
def test_seeds_are_equal_shingles(mine, theirs):
    a, b = np.array(mine, np.uint64), np.array(theirs, np.uint64)
    i, j = seeds(a, b)
    assert (a[i] == b[j]).all()
    pairs = set(zip(i.tolist(), j.tolist(), strict=True))
    assert len(pairs) == len(i)
    every = {(x, y) for x in range(len(a)) for y in range(len(b)) if a[x] == b[y]}
    rare = {
        (x, y)
        for x, y in every
        if mine.count(mine[x]) <= FREQUENT and theirs.count(theirs[y]) <= FREQUENT
    }
    assert rare <= pairs <= every


def test_a_planted_passage_has_its_exact_ends():
    passage, before, after = unique(1, 50), unique(2, 80), unique(3, 70)
    work = unique(4, 200) + passage + unique(5, 300)
    (found,) = aligned(before + passage + after, work)
    assert (found.start, found.end) == (80, 130)
    assert (found.other_start, found.other_end) == (200, 250)
    assert (found.words, found.longest, found.identity) == (50, 50, 1.0)


@pytest.mark.parametrize("every", [7, 10, 20])
def test_changed_words_leave_one_passage(every):
    passage = unique(1, 120)
    changed = [word + 1 if n % every == every - 1 else word for n, word in enumerate(passage)]
    (found,) = aligned(unique(2, 60) + changed + unique(3, 60), unique(4, 90) + passage)
    assert 60 <= found.start < found.end <= 180
    assert found.end - found.start >= 120 - 2 * every
    assert 0.4 <= found.identity < 1.0


def test_words_put_in_and_left_out_leave_one_passage():
    passage = unique(1, 100)
    edited = passage[:30] + unique(9, 4) + passage[30:60] + passage[65:]
    (found,) = aligned(unique(2, 40) + edited, passage + unique(3, 40))
    assert found.words == 95
    assert (found.other_start, found.other_end) == (0, 100)


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
    mine = unique(7, 90) + [word for n in order for word in sentences[n]] + unique(8, 90)
    theirs = unique(9, 200) + [word for one in sentences for word in one] + unique(10, 50)
    (found,) = aligned(mine, theirs)
    assert (found.start, found.end) == (90, 174)
    assert (found.other_start, found.other_end) == (200, 284)
    assert (found.words, found.longest, found.chains) == (84, 14, 4)


@pytest.mark.parametrize(("apart", "findings"), [(GROUP_GAP, 1), (GROUP_GAP + 1, 2)])
def test_swapped_halves_apart_at_and_above_the_limit(apart, findings):
    first, second = unique(1, 30), unique(2, 30)
    mine = second + unique(3, apart) + first
    assert len(aligned(mine, first + second)) == findings


def test_two_passages_of_one_work_are_two_findings():
    work = unique(1, 2000)
    mine = unique(2, 100) + work[100:160] + work[1500:1580] + unique(3, 100)
    found = aligned(mine, work)
    assert [(one.start, one.end, one.other_start) for one in found] == [
        (160, 240, 1500),
        (100, 160, 100),
    ]


def test_a_long_passage_with_a_paragraph_put_in_is_one_finding():
    work = unique(1, 600)
    (found,) = aligned(work[:300] + unique(2, 50) + work[300:], work)
    assert (found.start, found.end, found.words) == (0, 650, 600)


def test_the_runs_of_a_passage_are_what_agrees():
    passage = unique(1, 60)
    changed = [word + 1 if n in (9, 30, 31) else word for n, word in enumerate(passage)]
    mine, theirs = unique(2, 25) + changed, unique(3, 70) + passage
    (found,) = aligned(mine, theirs)
    assert found.runs.tolist() == [[25, 70, 9], [35, 80, 20], [57, 102, 28]]
    for start, other, length in found.runs.tolist():
        assert mine[start : start + length] == theirs[other : other + length]


def test_single_words_between_two_changes_count():
    passage = unique(1, 41)
    changed = [word + 1 if n in (10, 12, 14) else word for n, word in enumerate(passage)]
    (found,) = aligned(changed, passage)
    assert found.words == 38


@pytest.mark.parametrize(("score", "findings"), [(14.9, 1), (15.0, 1), (15.1, 0)])
def test_rare_words_count_more_at_below_and_above(score, findings):
    passage = unique(1, 20)
    found = aligned(passage, passage, weight=[0.75] * 20, min_score=score)
    assert len(found) == findings


def test_only_boxes_are_looked_into():
    passage = unique(1, 40)
    mine, theirs = passage + unique(2, 400), unique(3, 400) + passage
    assert aligned(mine, theirs, boxes=[Box(200, 210, 100, 110)]) == []
    assert aligned(mine, theirs, boxes=[]) == []
    (found,) = aligned(mine, theirs, boxes=[Box(20, 24, 420, 424)])
    assert (found.start, found.end) == (0, 40)


@pytest.mark.parametrize(("words", "findings"), [(7, 0), (8, 1), (9, 1)])
def test_least_words_at_below_and_above(words, findings):
    passage = unique(1, words)
    assert len(aligned(unique(2, 30) + passage, passage + unique(3, 30))) == findings


def test_an_identical_text_is_one_passage_even_if_it_repeats_itself():
    verse, chorus = unique(1, 30), unique(2, 12)
    song = (verse + chorus) * 12
    (found, *rest) = aligned(song, song)
    assert (found.start, found.end, found.words, found.identity) == (0, 504, 504, 1.0)
    assert not rest


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=8, max_size=150))
def test_a_text_aligned_with_itself_is_one_finding_that_covers_it(words):
    (found, *rest) = aligned(words, words)
    assert not rest
    assert (found.start, found.end) == (0, len(words))
    assert (found.other_start, found.other_end) == (0, len(words))
    assert (found.words, found.identity, found.chains) == (len(words), 1.0, 1)


def test_unrelated_texts_share_nothing():
    assert aligned(unique(1, 500), unique(2, 500)) == []
    assert aligned([], unique(2, 50)) == []
    assert aligned([1, 2], [1, 2]) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(12, 60), st.integers(0, 60), st.integers(0, 60))
def test_no_less_than_the_longest_common_run(seed, length, before, after):
    """difflib, an independent reference, finds the longest run; a passage holds it."""
    rng = np.random.default_rng(seed)
    passage = rng.integers(1, 400, length).tolist()
    mine = rng.integers(1, 400, before).tolist() + passage + rng.integers(1, 400, after).tolist()
    theirs = rng.integers(1, 400, after).tolist() + passage
    best = SequenceMatcher(None, mine, theirs, autojunk=False).find_longest_match()
    found = aligned(mine, theirs)
    assert found
    assert max(one.longest for one in found) >= best.size
    for one in found:
        assert 0 < one.identity <= 1.0
        assert one.words <= one.end - one.start


def test_a_run_over_frequent_shingles_is_one_run():
    """Frequent shingles are paired in order only; the run through them is not broken by that."""
    refrain = unique(99, 6)
    mine = [word for n in range(FREQUENT + 4) for word in (*unique(n, 15), *refrain)][:-6]
    [found, *rest] = aligned(mine, [*refrain, *mine])
    assert not rest
    assert (found.words, found.longest, found.identity) == (len(mine), len(mine), 1.0)
    [changed] = aligned([*mine[:100], 7, *mine[101:]], [*refrain, *mine])
    assert changed.longest == len(mine) - 101


def overlap(one, two):
    return (
        one.start < two.end
        and two.start < one.end
        and one.other_start < two.other_end
        and two.other_start < one.other_end
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
            max(0, box.start - PAD),
            min(2000, box.end + PAD),
            max(0, box.other_start - PAD),
            min(2000, box.other_end + PAD),
        )
        for box in boxes
    ]
    while found := next(((a, b) for a in left for b in left if a is not b and overlap(a, b)), None):
        left = [box for box in left if box is not found[0] and box is not found[1]]
        (a, b, c, d), (e, f, g, h) = found
        left.append(Box(min(a, e), max(b, f), min(c, g), max(d, h)))
    assert sorted(_apart(boxes, 2000, 2000)) == sorted(left)


def test_many_boxes_cost_little():
    boxes = [Box(at * 200, at * 200 + 10, at * 300, at * 300 + 10) for at in range(20_000)]
    assert len(_apart(boxes, 10**7, 10**7)) == len(boxes)
