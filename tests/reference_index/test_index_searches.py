"""The fast searches equal brute force, on random and adversarial data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_index.brute_force import CosineBruteForce, HammingBruteForce
from reference_index.cosine import CosineIndex
from reference_index.hamming import HammingIndex
from reference_index.interface import CosineSearch, HammingSearch, Hits


def equal(hits: Hits, expected: Hits, tolerance: float = 0.0) -> None:
    np.testing.assert_array_equal(hits.query, expected.query)
    np.testing.assert_array_equal(hits.entry, expected.entry)
    np.testing.assert_allclose(hits.score, expected.score, rtol=0, atol=tolerance)
    assert [part.dtype for part in hits] == [np.int64, np.int64, np.float32]
    assert [part.dtype for part in expected] == [np.int64, np.int64, np.float32]


def bits_of(seed: int, count: int, distinct: int, width: int) -> np.ndarray:
    """Few distinct rows, near each other: duplicates and ties are the rule."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((distinct, width), np.uint8)
    rows[:, 0] = rng.integers(0, 256, distinct)
    return rows[rng.integers(0, distinct, count)]


@given(
    st.integers(0, 2**31),
    st.integers(0, 40),
    st.integers(0, 6),
    st.sampled_from([8, 32]),
    st.integers(1, 6),
    st.integers(-1, 300),
)
def test_hamming_equals_the_oracle(seed, stored, query_count, width, distinct, radius):
    bits = bits_of(seed, stored, distinct, width)
    queries = bits_of(seed + 1, query_count, distinct, width)
    fast: HammingSearch = HammingIndex(bits)
    plain: HammingSearch = HammingBruteForce(bits)
    equal(fast.within(queries, radius), plain.within(queries, radius))


@pytest.mark.parametrize("search", [HammingIndex, HammingBruteForce])
def test_hamming_radius_is_inclusive(search):
    bits = np.zeros((3, 8), np.uint8)
    bits[1, 0], bits[2, 0] = 0b0000_0111, 0b0000_1111
    query = np.zeros((1, 8), np.uint8)
    assert search(bits).within(query, 2).entry.tolist() == [0]
    assert search(bits).within(query, 3).entry.tolist() == [0, 1]
    assert search(bits).within(query, 4).entry.tolist() == [0, 1, 2]
    assert search(bits).within(query, 4).score.tolist() == [0, 3, 4]
    assert search(bits).within(query, 0).entry.tolist() == [0]


@pytest.mark.parametrize("search", [HammingIndex, HammingBruteForce])
def test_hamming_complement_is_at_the_full_width(search):
    ones = np.full((1, 32), 255, np.uint8)
    zeros = np.zeros((1, 32), np.uint8)
    assert len(search(ones).within(zeros, 255).entry) == 0
    assert search(ones).within(zeros, 256).score.tolist() == [256]


@pytest.mark.parametrize("search", [HammingIndex, HammingBruteForce])
def test_hamming_refuses_other_forms(search):
    with pytest.raises(ValueError, match="uint8"):
        search(np.zeros((2, 8), np.int64))
    with pytest.raises(ValueError, match=r"\(n, 8\)"):
        search(np.zeros((2, 8), np.uint8)).within(np.zeros((1, 16), np.uint8), 3)


def vectors_of(seed: int, count: int, distinct: int, dim: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((distinct, dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows[rng.integers(0, distinct, count)].astype(np.float32)


@given(
    st.integers(0, 2**31),
    st.integers(0, 60),
    st.integers(0, 5),
    st.sampled_from([1, 3, 64]),
    st.integers(1, 60),
    st.integers(0, 70),
)
def test_cosine_equals_the_oracle(seed, stored, query_count, dim, distinct, k):
    vectors = vectors_of(seed, stored, distinct, dim)
    queries = vectors_of(seed if seed % 2 else seed + 1, query_count, distinct, dim)
    fast: CosineSearch = CosineIndex(vectors)
    plain: CosineSearch = CosineBruteForce(vectors)
    equal(fast.nearest(queries, k), plain.nearest(queries, k), 1e-5)


@settings(max_examples=20)
@given(st.integers(1, 50), st.integers(50, 200))
def test_cosine_ties_go_to_the_first_entries(k, stored):
    """More tied entries than requested, among which FAISS would choose arbitrarily."""
    vectors = vectors_of(7, 1, 1, 16).repeat(stored, axis=0)
    hits = CosineIndex(vectors).nearest(vectors[:2], k)
    assert hits.entry.tolist() == [*range(k), *range(k)]
    equal(hits, CosineBruteForce(vectors).nearest(vectors[:2], k), 1e-5)


def test_cosine_of_zero_vectors_is_zero_and_in_order():
    zeros = np.zeros((40, 8), np.float32)
    query = vectors_of(3, 1, 1, 8)
    hits = CosineIndex(zeros).nearest(query, 3)
    assert hits.entry.tolist() == [0, 1, 2]
    assert hits.score.tolist() == [0, 0, 0]
    equal(hits, CosineBruteForce(zeros).nearest(query, 3))


@pytest.mark.parametrize("search", [CosineIndex, CosineBruteForce])
def test_cosine_refuses_other_forms(search):
    vectors = vectors_of(0, 3, 3, 4)
    with pytest.raises(ValueError, match="finite"):
        search(np.full((1, 4), np.nan, np.float32))
    with pytest.raises(ValueError, match="finite"):
        search(vectors).nearest(np.full((1, 4), np.inf, np.float32), 1)
    with pytest.raises(ValueError, match=r"\(n, 4\)"):
        search(vectors).nearest(vectors[:, :3], 1)
    with pytest.raises(ValueError, match="negative"):
        search(vectors).nearest(vectors, -1)


def test_half_precision_vectors_are_widened():
    vectors = vectors_of(1, 9, 9, 8).astype(np.float16)
    hits = CosineIndex(vectors).nearest(vectors[:1].astype(np.float32), 1)
    assert hits.entry.tolist() == [0]
