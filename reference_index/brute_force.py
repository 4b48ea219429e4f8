"""The plain comparisons that decide what is right, in numpy alone.

Every fast search (`hamming.py`, `cosine.py`, `minhash.py`) is tested to give equal results. They
compare everything with everything, so they are for tests, small indexes and doubt.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference_index.interface import Hits

COSINE_DECIMALS = 6
"""Cosine similarities are rounded to this many decimals before they are ordered, so that two
entries with equal vectors tie whatever the order of summation was, and the entry decides."""


def no_hits() -> Hits:
    """A search's answer when there is nothing to find."""
    return Hits(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))


def ordered(
    query: NDArray[np.integer[Any]],
    entry: NDArray[np.integer[Any]],
    score: NDArray[Any],
    *,
    smallest_first: bool,
) -> Hits:
    """Hits in the documented order: by query, then best score first, then entry."""
    rank = np.lexsort((entry, score if smallest_first else -score, query))
    return Hits(
        query[rank].astype(np.int64),
        entry[rank].astype(np.int64),
        score[rank].astype(np.float32),
    )


def checked_bits(bits: NDArray[np.uint8], width: int | None = None) -> NDArray[np.uint8]:
    """`bits` as contiguous uint8 (n, bytes). Raises ValueError if it is of another form."""
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
    """`vectors` as contiguous float32 (n, dim). Raises ValueError if of another form, or if a
    value is not finite."""
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
        ValueError: if of another form, or not of the form of `like`.
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


def empty_signatures(signatures: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows are signatures of the empty set, bool (n,).

    A MinHash starts with every permutation at its scheme's largest value, 2^32-1 or 2^64-1, and
    stays there if nothing is put in. Two such signatures agree everywhere and would be judged
    identical, so the searches let them match nothing.
    """
    first = signatures[:, 0]
    largest = (first == np.uint32(0xFFFFFFFF)) | (first == np.iinfo(signatures.dtype).max)
    empty = np.zeros(len(signatures), dtype=np.bool_)
    at = np.flatnonzero(largest)
    empty[at] = (signatures[at] == signatures[at, :1]).all(axis=1)
    return empty


class HammingBruteForce:
    """Range search over packed bits by XOR and a count of bits.

    Args:
        bits: uint8 (n, bytes), n may be 0.
    """

    def __init__(self, bits: NDArray[np.uint8]) -> None:
        self._bits = checked_bits(bits)

    def within(self, queries: NDArray[np.uint8], radius: int) -> Hits:
        """As `HammingSearch.within`: all pairs with distance <= radius, in bits."""
        queries = checked_bits(queries, self._bits.shape[1])
        found = []
        for number, query in enumerate(queries):
            distance = np.bitwise_count(self._bits ^ query).sum(axis=1, dtype=np.int64)
            entry = np.flatnonzero(distance <= radius)
            found.append((np.full(len(entry), number, np.int64), entry, distance[entry]))
        if not found:
            return no_hits()
        query_of, entry, distance = (np.concatenate(part) for part in zip(*found, strict=True))
        return ordered(query_of, entry, distance, smallest_first=True)


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
        found = []
        stored = self._vectors.astype(np.float64)
        for number, query in enumerate(queries):
            score = np.round((stored * query).sum(axis=1), COSINE_DECIMALS)
            entry = np.lexsort((np.arange(len(score)), -score))[:k]
            found.append((np.full(len(entry), number, np.int64), entry, score[entry]))
        if not found:
            return no_hits()
        query_of, entry, score = (np.concatenate(part) for part in zip(*found, strict=True))
        return ordered(query_of, entry, score, smallest_first=False)


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
        """As `JaccardSearch.above`, over every pair; signatures of nothing match nothing."""
        queries = checked_signatures(queries, self._signatures)
        nothing = empty_signatures(queries)
        found = []
        for number, query in enumerate(queries):
            score = (self._signatures == query).mean(axis=1)
            entry = np.flatnonzero((score >= threshold) & ~self._empty & ~nothing[number])
            found.append((np.full(len(entry), number, np.int64), entry, score[entry]))
        if not found:
            return no_hits()
        query_of, entry, score = (np.concatenate(part) for part in zip(*found, strict=True))
        return ordered(query_of, entry, score, smallest_first=False)


class ProductCodesBruteForce:
    """Inner products with every decoded vector, in float64.

    Args:
        words, codes: as of `product_codes.ProductCodes`, whose oracle this is.

    Raises:
        ValueError: if these do not fit together.
    """

    def __init__(self, words: NDArray[np.float32], codes: NDArray[np.uint8]) -> None:
        parts, count, width = words.shape
        if count != 16 or parts % 2 or codes.ndim != 2 or codes.shape[1] != parts // 2:
            raise ValueError("words and codes do not fit together")
        word_of = np.empty((len(codes), parts), np.int64)
        word_of[:, ::2], word_of[:, 1::2] = codes & 15, codes >> 4
        self._vectors = words.astype(np.float64)[np.arange(parts), word_of].reshape(
            -1, parts * width
        )

    def nearest(
        self, queries: NDArray[np.float32], count: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """As `ProductCodes.nearest`; of entries as near, the first."""
        dim = self._vectors.shape[1]
        if queries.ndim != 2 or queries.shape[1] != dim:
            raise ValueError(f"queries must be (n, {dim}), not {queries.shape}")
        products = queries.astype(np.float64) @ self._vectors.T
        entries = np.argsort(-products, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(products, entries, 1).astype(np.float32), entries


def winnowed_plainly(hashes: NDArray[np.uint64], window: int) -> NDArray[np.int64]:
    """Places of the k-grams that winnowing keeps: of every `window` that follow each other the
    least, the last of equals; of a text with fewer, its least.

    Args:
        hashes: uint64 (n,).
        window: at least 1.
    """
    values = hashes.tolist()
    width = min(window, len(values))
    kept = {
        max(range(start, start + width), key=lambda place: (-values[place], place))
        for start in range(len(values) - width + 1)
        if width
    }
    return np.array(sorted(kept), np.int64)
