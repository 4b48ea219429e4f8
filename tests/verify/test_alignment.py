from difflib import SequenceMatcher

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.verify.alignment import FREQUENT, seeds, shared_passages
from pipeline.words import shingles_of

DEFAULTS = {"shingle_words": 3, "max_gap": 12, "min_words": 8, "min_identity": 0.4}


def shingles(words):
    return shingles_of(np.array(words, np.uint64), 3)


def aligned(mine, theirs, **options):
    return shared_passages(shingles(mine), shingles(theirs), **{**DEFAULTS, **options})


def unique(seed, count):
    return np.random.default_rng(seed).integers(1, 2**63, count).tolist()


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
    at = aligned(first + unique(3, 12) + second, work, max_gap=12)
    above = aligned(first + unique(3, 13) + second, work, max_gap=12)
    assert len(at) == 1
    assert len(above) == 2


def test_reordered_passages_are_separate_findings():
    first, second = unique(1, 40), unique(2, 60)
    found = aligned(second + first, first + second)
    assert [(one.words, one.other_start) for one in found] == [(60, 40), (40, 0)]


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
