"""The search over PQ codes equals the inner products with all decoded vectors, up to the rounding
of FAISS."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reference_index.brute_force import PQBruteForce
from reference_index.pq import PQIndex


def case(seed, stored, query_count, parts, width, distinct):
    """Codewords, codes of which many are equal, and queries."""
    rng = np.random.default_rng(seed)
    codewords = rng.standard_normal((parts, 16, width)).astype(np.float32)
    codes = rng.integers(0, 256, (distinct, parts // 2), np.uint8)
    codes = codes[rng.integers(0, distinct, stored)]
    queries = rng.standard_normal((query_count, parts * width)).astype(np.float32)
    return codewords, codes, queries


def rounding(codewords, queries):
    """The largest rounding error of FAISS, float64 (m,): the products of each sub-quantizer are
    quantized to at most 255 steps of one size for all, whose sum is at most 65535."""
    products = np.einsum(
        "pwd,mpd->mpw", codewords, queries.reshape(len(queries), len(codewords), -1)
    )
    spans = products.max(axis=2) - products.min(axis=2)
    step = np.maximum(spans.max(axis=1) / 255, spans.sum(axis=1) / 65535)
    return (len(codewords) + 2) * step + 1e-3


@settings(max_examples=40)
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
def test_it_equals_the_oracle_up_to_rounding(
    seed, stored, query_count, parts, width, distinct, count
):
    codewords, codes, queries = case(seed, stored, query_count, parts, width, distinct)
    products, entries = PQIndex(codewords, codes).nearest(queries, count)
    exact, exact_entries = PQBruteForce(codewords, codes).nearest(queries, count)
    assert products.shape == entries.shape == exact.shape == exact_entries.shape
    assert (products.dtype, entries.dtype) == (np.float32, np.int64)
    if not products.size:
        return
    error = rounding(codewords, queries)[:, None]
    parted = np.einsum("pwd,mpd->mpw", codewords, queries.reshape(query_count, parts, width))
    least = parted.min(axis=2).sum(axis=1)[:, None]
    products = np.where(entries < 0, least, products)
    assert (np.diff(products, axis=1) <= 1e-5).all()
    assert (np.abs(products - exact) <= error).all()
    all_products, all_entries = PQBruteForce(codewords, codes).nearest(queries, stored)
    for row in range(query_count):
        valid = entries[row] >= 0
        assert len(set(entries[row][valid].tolist())) == valid.sum()
        product = np.empty(stored)
        product[all_entries[row]] = all_products[row]
        assert (np.abs(product[entries[row]] - products[row])[valid] <= error[row]).all()


@pytest.mark.parametrize("search", [PQIndex, PQBruteForce])
def test_shapes_that_do_not_fit_are_refused(search):
    codewords, codes, queries = case(0, 3, 2, 4, 2, 3)
    for bad in ((codewords[:, :8], codes), (codewords[:3], codes), (codewords, codes[:, :1])):
        with pytest.raises(ValueError, match="fit together"):
            search(*bad)
    with pytest.raises(ValueError, match=r"\(n, 8\)"):
        search(codewords, codes).nearest(queries[:, :4], 1)


def test_the_order_of_codewords_in_a_byte():
    codewords = np.zeros((2, 16, 1), np.float32)
    codewords[0, 3], codewords[1, 5] = 1.0, 10.0
    for search in (PQIndex, PQBruteForce):
        codes = np.array([[0], [3], [5 << 4], [3 | 5 << 4]], np.uint8)
        products, entries = search(codewords, codes).nearest(np.ones((1, 2), np.float32), 3)
        assert entries[0].tolist() == [3, 2, 1]
        assert products[0] == pytest.approx([11, 10, 1], abs=0.2)
