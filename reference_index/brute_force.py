"""Brute-force searches in plain NumPy: the oracles of the fast searches.

Every fast search (`hamming`, `cosine`, `minhash`, `pq`, `postings`) is tested against the one here.
They compare every query with every entry, so they are for tests and small indexes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference_index.interface import Hits

COSINE_DECIMALS = 6
"""Cosine similarities are rounded to this many decimals before they are sorted: equal vectors then
tie whatever the order of summation, and the tie is broken by entry."""


Block = tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]], NDArray[Any]]


def no_hits() -> Hits:
    """The result of a search without hits."""
    return Hits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


def sorted_hits(blocks: Sequence[Block], *, smallest_first: bool) -> Hits:
    """The hits of several blocks, sorted by query, then best score first, then entry.

    Args:
        blocks: queries, entries and scores of some hits each, in any order.
        smallest_first: whether a smaller score is better (a distance) or worse (a similarity).
    """
    if not blocks:
        return no_hits()
    query, entry, score = (np.concatenate(column) for column in zip(*blocks, strict=True))
    order = np.lexsort((entry, score if smallest_first else -score, query))
    return Hits(
        query[order].astype(np.int64),
        entry[order].astype(np.int64),
        score[order].astype(np.float32),
    )


def checked_bits(bits: NDArray[np.uint8], width: int | None = None) -> NDArray[np.uint8]:
    """`bits` as contiguous uint8 (n, bytes). Raises ValueError for another dtype or shape."""
    if (
        bits.dtype != np.uint8
        or bits.ndim != 2
        or bits.shape[1] == 0
        or (width is not None and bits.shape[1] != width)
    ):
        wanted = "bytes" if width is None else width
        raise ValueError(f"packed bits must be uint8 (n, {wanted}), not {bits.dtype} {bits.shape}")
    return np.ascontiguousarray(bits)


def checked_vectors(vectors: NDArray[Any], dim: int | None = None) -> NDArray[np.float32]:
    """`vectors` as contiguous float32 (n, dim). Raises ValueError for another dtype or shape, or
    if a value is not finite."""
    if (
        not np.issubdtype(vectors.dtype, np.floating)
        or vectors.ndim != 2
        or vectors.shape[1] == 0
        or (dim is not None and vectors.shape[1] != dim)
    ):
        wanted = "dim" if dim is None else dim
        raise ValueError(
            f"vectors must be float32 (n, {wanted}), not {vectors.dtype} {vectors.shape}"
        )
    if not np.isfinite(vectors).all():
        raise ValueError("vectors hold values that are not finite")
    return np.ascontiguousarray(vectors, dtype=np.float32)


def checked_signatures(signatures: NDArray[Any], like: NDArray[Any] | None = None) -> NDArray[Any]:
    """MinHash signatures as contiguous uint32 or uint64 (n, permutations).

    Raises:
        ValueError: if dtype or shape is another, or does not fit those of `like`.
    """
    if signatures.dtype not in (np.uint32, np.uint64) or signatures.ndim != 2:
        raise ValueError(
            "signatures must be uint32 or uint64 (n, permutations), "
            f"not {signatures.dtype} {signatures.shape}"
        )
    if signatures.shape[1] == 0:
        raise ValueError("signatures must have at least one permutation")
    if like is not None and (
        signatures.dtype != like.dtype or signatures.shape[1] != like.shape[1]
    ):
        raise ValueError(
            f"the queries' signatures are {signatures.dtype} of {signatures.shape[1]} permutations "
            f"and the stored ones {like.dtype} of {like.shape[1]}"
        )
    return np.ascontiguousarray(signatures)


def checked_codes(codewords: NDArray[np.float32], codes: NDArray[np.uint8]) -> tuple[int, int]:
    """Number of sub-quantizers and dimension of each, of product-quantized vectors.

    Args:
        codewords: (sub_quantizers, 16, width).
        codes: (n, sub_quantizers / 2).

    Raises:
        ValueError: if the shapes do not fit together.
    """
    parts, count, width = codewords.shape
    if count != 16 or parts % 2 or codes.ndim != 2 or codes.shape[1] != parts // 2:
        raise ValueError("codewords and codes do not fit together")
    return parts, width


def empty_signatures(signatures: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows are signatures of the empty set, bool (n,).

    A MinHash starts with every permutation at the largest value of its scheme, 2^32-1 or 2^64-1,
    and stays there for the empty set. Two such signatures would have Jaccard similarity 1, so the
    searches let them match nothing.
    """
    first = signatures[:, 0]
    largest = (first == np.uint32(0xFFFFFFFF)) | (first == np.iinfo(signatures.dtype).max)
    empty = np.zeros(len(signatures), dtype=np.bool_)
    at = np.flatnonzero(largest)
    empty[at] = (signatures[at] == signatures[at, :1]).all(axis=1)
    return empty


class HammingBruteForce:
    """Range search over packed bits by XOR and popcount.

    Args:
        bits: uint8 (n, bytes), n may be 0.
    """

    def __init__(self, bits: NDArray[np.uint8]) -> None:
        self._bits = checked_bits(bits)

    def within(self, queries: NDArray[np.uint8], radius: int) -> Hits:
        """As `HammingSearch.within`: all pairs with distance <= radius, in bits."""
        queries = checked_bits(queries, self._bits.shape[1])
        blocks = []
        for number, query in enumerate(queries):
            distance = np.bitwise_count(self._bits ^ query).sum(axis=1, dtype=np.int64)
            entry = np.flatnonzero(distance <= radius)
            blocks.append((np.full(len(entry), number, np.int64), entry, distance[entry]))
        return sorted_hits(blocks, smallest_first=True)


class CosineBruteForce:
    """Top-k search over unit vectors by the inner product in float64.

    Args:
        vectors: float32 (n, dim), n may be 0; unit length is the caller's to see to.
    """

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._vectors = checked_vectors(vectors)

    def nearest(self, queries: NDArray[np.float32], k: int) -> Hits:
        """As `CosineSearch.nearest`; scores rounded to `COSINE_DECIMALS`.

        Raises:
            ValueError: if k is negative or the queries are not of the entries' form.
        """
        if k < 0:
            raise ValueError(f"k must not be negative, and is {k}")
        queries = checked_vectors(queries, self._vectors.shape[1])
        blocks = []
        stored = self._vectors.astype(np.float64)
        for number, query in enumerate(queries):
            score = np.round((stored * query).sum(axis=1), COSINE_DECIMALS)
            entry = np.lexsort((np.arange(len(score)), -score))[:k]
            blocks.append((np.full(len(entry), number, np.int64), entry, score[entry]))
        return sorted_hits(blocks, smallest_first=False)


class JaccardBruteForce:
    """Threshold search over MinHash signatures by comparing every pair.

    The estimated Jaccard similarity is the share of permutations whose values are equal (Broder,
    "On the resemblance and containment of documents", 1997).

    Args:
        signatures: uint32 or uint64 (n, permutations), n may be 0.
    """

    def __init__(self, signatures: NDArray[Any]) -> None:
        self._signatures = checked_signatures(signatures)
        self._empty = empty_signatures(self._signatures)

    def above(self, queries: NDArray[Any], threshold: float) -> Hits:
        """As `JaccardSearch.above`, over every pair; signatures of the empty set match nothing."""
        queries = checked_signatures(queries, self._signatures)
        empty = empty_signatures(queries)
        blocks = []
        for number, query in enumerate(queries):
            score = (self._signatures == query).mean(axis=1)
            entry = np.flatnonzero((score >= threshold) & ~self._empty & ~empty[number])
            blocks.append((np.full(len(entry), number, np.int64), entry, score[entry]))
        return sorted_hits(blocks, smallest_first=False)


class PQBruteForce:
    """Inner products with every decoded vector, in float64.

    Args:
        codewords, codes: as of `pq.PQIndex`.

    Raises:
        ValueError: if the shapes do not fit together.
    """

    def __init__(self, codewords: NDArray[np.float32], codes: NDArray[np.uint8]) -> None:
        parts, width = checked_codes(codewords, codes)
        codeword_of = np.empty((len(codes), parts), np.int64)
        codeword_of[:, ::2], codeword_of[:, 1::2] = codes & 15, codes >> 4
        self._vectors = codewords.astype(np.float64)[np.arange(parts), codeword_of].reshape(
            -1, parts * width
        )

    def nearest(
        self, queries: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """As `PQIndex.nearest`; ties are broken by entry."""
        dim = self._vectors.shape[1]
        if queries.ndim != 2 or queries.shape[1] != dim:
            raise ValueError(f"queries must be (n, {dim}), not {queries.shape}")
        products = queries.astype(np.float64) @ self._vectors.T
        entries = np.argsort(-products, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(products, entries, 1).astype(np.float32), entries


def winnow_brute_force(hashes: NDArray[np.uint64], window: int) -> NDArray[np.int64]:
    """As `postings.winnow`: positions of the smallest hash of every window, the last of equals.

    Args:
        hashes: uint64 (n,).
        window: at least 1.
    """
    values = hashes.tolist()
    width = min(window, len(values))
    selected = {
        max(range(start, start + width), key=lambda position: (-values[position], position))
        for start in range(len(values) - width + 1)
        if width
    }
    return np.array(sorted(selected), np.int64)
