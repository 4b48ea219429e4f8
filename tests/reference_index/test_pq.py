"""The search over product codes gives what the products with every decoded vector give, but for
what FAISS rounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reference_index.brute_force import PQBruteForce
from reference_index.pq import PQIndex


def case(seed, stored, asked, parts, width, distinct):
    """Words, codes with many the same, and queries."""
    rng = np.random.default_rng(seed)
    words = rng.standard_normal((parts, 16, width)).astype(np.float32)
    codes = rng.integers(0, 256, (distinct, parts // 2), np.uint8)
    codes = codes[rng.integers(0, distinct, stored)]
    queries = rng.standard_normal((asked, parts * width)).astype(np.float32)
    return words, codes, queries


def rounding(words, queries):
    """The most that FAISS may be off, float64 (m,): each part's products are laid on a scale of at
    most 255 steps, one for all parts, whose sum is at most 65535."""
    products = np.einsum("pwd,mpd->mpw", words, queries.reshape(len(queries), len(words), -1))
    spans = products.max(axis=2) - products.min(axis=2)
    step = np.maximum(spans.max(axis=1) / 255, spans.sum(axis=1) / 65535)
    return (len(words) + 2) * step + 1e-3


@settings(max_examples=40, deadline=None)
@example(0, 1, 2, 2048, 1, 1, 1)
@example(0, 50, 3, 2048, 4, 50, 1)
@given(
    st.integers(0, 2**31),
    st.integers(0, 90),
    st.integers(0, 5),
    st.sampled_from([2, 6, 64, 2048]),
    st.sampled_from([1, 4]),
    st.integers(1, 90),
    st.integers(0, 100),
)
def test_it_equals_the_oracle_but_for_what_is_rounded(
    seed, stored, asked, parts, width, distinct, count
):
    words, codes, queries = case(seed, stored, asked, parts, width, distinct)
    found, entries = PQIndex(words, codes).nearest(queries, count)
    wanted, right = PQBruteForce(words, codes).nearest(queries, count)
    assert found.shape == entries.shape == wanted.shape == right.shape
    assert (found.dtype, entries.dtype) == (np.float32, np.int64)
    if not found.size:
        return
    off = rounding(words, queries)[:, None]
    parted = np.einsum("pwd,mpd->mpw", words, queries.reshape(asked, parts, width))
    least = parted.min(axis=2).sum(axis=1)[:, None]
    found = np.where(entries < 0, least, found)
    assert (np.diff(found, axis=1) <= 1e-5).all()
    assert (np.abs(found - wanted) <= off).all()
    exact, every = PQBruteForce(words, codes).nearest(queries, stored)
    for row in range(asked):
        came = entries[row] >= 0
        assert len(set(entries[row][came].tolist())) == came.sum()
        product = np.empty(stored)
        product[every[row]] = exact[row]
        assert (np.abs(product[entries[row]] - found[row])[came] <= off[row]).all()


@pytest.mark.parametrize("search", [PQIndex, PQBruteForce])
def test_what_does_not_fit_is_refused(search):
    words, codes, queries = case(0, 3, 2, 4, 2, 3)
    for bad in ((words[:, :8], codes), (words[:3], codes), (words, codes[:, :1])):
        with pytest.raises(ValueError, match="fit together"):
            search(*bad)
    with pytest.raises(ValueError, match=r"\(n, 8\)"):
        search(words, codes).nearest(queries[:, :4], 1)


def test_the_order_of_words_in_a_byte():
    words = np.zeros((2, 16, 1), np.float32)
    words[0, 3], words[1, 5] = 1.0, 10.0
    for search in (PQIndex, PQBruteForce):
        codes = np.array([[0], [3], [5 << 4], [3 | 5 << 4]], np.uint8)
        products, entries = search(words, codes).nearest(np.ones((1, 2), np.float32), 3)
        assert entries[0].tolist() == [3, 2, 1]
        assert products[0] == pytest.approx([11, 10, 1], abs=0.2)
