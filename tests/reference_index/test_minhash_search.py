"""The banded search finds exactly the pairs that share a band, and scores them exactly."""

from __future__ import annotations

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_index import minhash
from reference_index.brute_force import JaccardBruteForce, empty_signatures
from reference_index.interface import Hits, JaccardSearch
from reference_index.minhash import MinHashIndex, candidate_probability

PERMUTATIONS = 12


def signatures_of(seed, count, values, dtype=np.uint32):
    """Few distinct values, so that bands collide often; some rows are of nothing."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, values, (count, PERMUTATIONS)).astype(dtype)
    rows[rng.random(count) < 0.2] = np.iinfo(dtype).max
    return rows


def restricted(plain: Hits, stored, queries, bands, rows) -> Hits:
    """The oracle's hits that agree in at least one band."""
    a, b = queries[plain.query][:, : bands * rows], stored[plain.entry][:, : bands * rows]
    agree = (a == b).reshape(len(a), bands, rows).all(axis=2).any(axis=1)
    return Hits(*(part[agree] for part in plain))


def same(hits: Hits, expected: Hits) -> None:
    for one, other in zip(hits, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@given(
    st.integers(0, 2**31),
    st.integers(0, 40),
    st.integers(0, 8),
    st.integers(1, 5),
    st.sampled_from([(12, 1), (6, 2), (3, 4), (1, 12), (5, 2), (2, 1)]),
    st.sampled_from([0.0, 0.25, 0.5, 2 / 3, 1.0]),
    st.sampled_from([np.uint32, np.uint64]),
)
def test_equals_the_oracle_among_pairs_that_share_a_band(
    seed, stored, query_count, values, banding, threshold, dtype
):
    bands, rows = banding
    entries = signatures_of(seed, stored, values, dtype)
    queries = signatures_of(seed + 1, query_count, values, dtype)
    fast: JaccardSearch = MinHashIndex(entries, bands=bands, rows=rows)
    plain: JaccardSearch = JaccardBruteForce(entries)
    expected = restricted(plain.above(queries, threshold), entries, queries, bands, rows)
    same(fast.above(queries, threshold), expected)


@settings(max_examples=20)
@given(st.integers(0, 2**31))
def test_small_blocks_change_nothing(seed):
    entries, queries = signatures_of(seed, 60, 2), signatures_of(seed + 1, 30, 2)
    index = MinHashIndex(entries, bands=6, rows=2)
    whole = index.above(queries, 0.3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minhash, "_QUERY_BLOCK", 7)
        patch.setattr(minhash, "_PAIR_BUDGET", 50)
        patch.setattr(minhash, "_COMPARE_BLOCK", 11)
        same(index.above(queries, 0.3), whole)


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.sampled_from([(8, 4), (16, 2), (4, 8), (5, 3)]))
def test_candidates_are_those_of_datasketch(seed, banding):
    bands, rows = banding
    rng = np.random.default_rng(seed)
    sketches = []
    for _ in range(24):
        sketch = MinHash(num_perm=32, seed=1, scheme="affine32")
        sketch.update_batch([b"%d" % n for n in rng.integers(0, 30, rng.integers(5, 30))])
        sketches.append(sketch)
    lsh = MinHashLSH(num_perm=32, params=(bands, rows))
    for number, sketch in enumerate(sketches):
        lsh.insert(number, sketch)
    signatures = np.stack([sketch.hashvalues for sketch in sketches])
    hits = MinHashIndex(signatures, bands=bands, rows=rows).above(signatures, 0.0)
    for number, sketch in enumerate(sketches):
        of_query = hits.query == number
        assert set(hits.entry[of_query]) == set(lsh.query(sketch))
        for entry, score in zip(hits.entry[of_query], hits.score[of_query], strict=True):
            assert score == np.float32(sketch.jaccard(sketches[entry]))


@pytest.mark.parametrize("scheme", ["affine32", "affine64", "legacy"])
def test_signatures_of_nothing_match_nothing(scheme):
    nothing = MinHash(num_perm=PERMUTATIONS, scheme=scheme).hashvalues[None, :]
    something = MinHash(num_perm=PERMUTATIONS, scheme=scheme)
    something.update(b"word")
    both = np.concatenate([nothing, something.hashvalues[None, :]])
    assert empty_signatures(both).tolist() == [True, False]
    for search in (MinHashIndex(both, bands=6, rows=2), JaccardBruteForce(both)):
        assert search.above(both, 0.0).entry.tolist().count(0) == 0
        assert search.above(nothing, 0.0).entry.tolist() == []
        assert search.above(both[1:], 1.0).entry.tolist() == [1]


def test_threshold_at_just_below_and_just_above():
    entry = np.arange(10, dtype=np.uint32)[None, :]
    query = entry.copy()
    query[0, 7:] += 100
    index = MinHashIndex(entry, bands=10, rows=1)
    for search in (index, JaccardBruteForce(entry)):
        assert len(search.above(query, 0.7).entry) == 1
        assert len(search.above(query, 0.70001).entry) == 0
        assert len(search.above(query, 0.69999).entry) == 1


def test_two_bands_of_one_hash_are_not_taken_for_equal(monkeypatch):
    monkeypatch.setattr(
        MinHashIndex, "_band_hashes", lambda self, rows, band: np.zeros(len(rows), np.uint32)
    )
    entries, queries = signatures_of(1, 30, 3), signatures_of(2, 5, 3)
    expected = restricted(JaccardBruteForce(entries).above(queries, 0.0), entries, queries, 6, 2)
    same(MinHashIndex(entries, bands=6, rows=2).above(queries, 0.0), expected)


def test_many_equal_entries_are_all_found():
    entries = np.ones((5000, PERMUTATIONS), np.uint32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minhash, "_PAIR_BUDGET", 1000)
        hits = MinHashIndex(entries, bands=6, rows=2).above(entries[:2], 1.0)
    assert hits.entry.tolist() == [*range(5000)] * 2


def test_refuses_other_forms():
    entries = signatures_of(0, 3, 3)
    with pytest.raises(ValueError, match="do not fit"):
        MinHashIndex(entries, bands=7, rows=2)
    with pytest.raises(ValueError, match="do not fit"):
        MinHashIndex(entries, bands=0, rows=2)
    with pytest.raises(ValueError, match="uint32 or uint64"):
        MinHashIndex(entries.astype(np.int64), bands=6, rows=2)
    with pytest.raises(ValueError, match="stored ones uint32"):
        MinHashIndex(entries, bands=6, rows=2).above(entries.astype(np.uint64), 0.5)


def test_probability_curve():
    assert candidate_probability(0.0, 32, 4) == 0
    assert candidate_probability(1.0, 32, 4) == 1
    assert candidate_probability(0.5, 32, 4) == pytest.approx(0.873, abs=5e-4)
    assert candidate_probability(0.7, 32, 4) == pytest.approx(0.9998, abs=5e-5)
