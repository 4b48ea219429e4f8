import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_index.brute_force import winnow_brute_force
from reference_index.postings import Postings, gram_keys, winnow

few = st.lists(st.integers(0, 6), max_size=60)


@given(few, st.integers(1, 12))
def test_winnowing_equals_its_definition(values, window):
    hashes = np.array(values, np.uint64)
    assert winnow(hashes, window).tolist() == winnow_brute_force(hashes, window).tolist()


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=80), st.integers(1, 9))
def test_every_window_has_a_selected_gram(values, window):
    selected = set(winnow(np.array(values, np.uint64), window).tolist())
    for start in range(len(values) - window + 1):
        assert selected & set(range(start, start + window))


def hits_brute_force(keys, positions, query, max_postings, window):
    """The definition of `hits`, key by key."""
    postings = {}
    for key, position in sorted(zip(keys, positions, strict=True)):
        postings.setdefault(key, []).append(position)
    count = [len(postings.get(key, ())) for key in query]
    rarest = set()
    width = min(window, len(query))
    for start in range(len(query) - width + 1):
        occurring = [n for n in range(start, start + width) if count[n]]
        if occurring:
            rarest.add(max(occurring, key=lambda n: (-count[n], n)))
    return [
        (n, position)
        for n, key in enumerate(query)
        if count[n] and (count[n] <= max_postings or n in rarest)
        for position in postings[key][:max_postings]
    ]


@given(few, st.lists(st.integers(0, 8), max_size=30), st.integers(1, 5), st.integers(1, 6))
def test_hits_equal_the_oracle(stored, query, max_postings, window):
    keys = np.array(stored, np.uint32)
    positions = np.random.default_rng(1).permutation(len(stored))
    postings = Postings.build(keys, positions)
    ranges = postings.ranges(np.array(query, np.uint32))
    hits = postings.hits(*ranges, max_postings=max_postings, window=window)
    expected = hits_brute_force(stored, positions.tolist(), query, max_postings, window)
    assert list(zip(hits.query.tolist(), hits.position.tolist(), strict=True)) == expected


@pytest.mark.parametrize(("count", "hits_of_key"), [(3, 3), (4, 4), (5, 0)])
def test_a_frequent_key_at_below_and_above_the_bound(count, hits_of_key):
    """With a rarer key in every window, a key beyond the bound is skipped."""
    keys = np.array([7] * count + [9, 9], np.uint32)
    postings = Postings.build(keys, np.arange(len(keys)))
    hits = postings.hits(*postings.ranges(np.array([9, 7, 9], np.uint32)), max_postings=4, window=2)
    assert (hits.query == 1).sum() == hits_of_key


def test_of_a_frequent_key_that_is_the_only_one_in_its_window_some_postings_are_used():
    postings = Postings.build(np.full(50, 3, np.uint32), np.arange(50))
    hits = postings.hits(*postings.ranges(np.array([1, 3, 1], np.uint32)), max_postings=4, window=2)
    assert hits.position.tolist() == [0, 1, 2, 3]


def test_an_empty_index_and_an_empty_query():
    none = Postings.build(np.empty(0, np.uint32), np.empty(0, np.int64))
    ranges = none.ranges(np.array([1, 2], np.uint32))
    assert len(none.hits(*ranges, max_postings=3, window=2).query) == 0
    some = Postings.build(np.array([1], np.uint32), np.array([5]))
    assert len(some.hits(*some.ranges(np.empty(0, np.uint32)), max_postings=3, window=2).query) == 0


def test_places_beyond_32_bits_are_refused():
    with pytest.raises(ValueError, match="4,294,967,295"):
        Postings.build(np.array([1], np.uint32), np.array([1 << 32]))
    with pytest.raises(ValueError, match="sorted"):
        Postings(np.array([2, 1], np.uint32), np.array([0, 1], np.uint32))


def test_keys_are_upper_halves():
    assert gram_keys(np.array([0xABCDEF0100000007], np.uint64)).tolist() == [0xABCDEF01]
