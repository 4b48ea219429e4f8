"""Postings of winnowed k-grams: the positions of a run of words in the stored texts.

Of every `window` consecutive k-grams, winnowing selects the one with the smallest hash (Schleimer,
Wilkerson, Aiken 2003, "Winnowing: local algorithms for document fingerprinting"). A query with all
of its k-grams is therefore guaranteed to share a selected one with a stored text wherever
`window + k - 1` consecutive words are equal. Example: with k = 3 words and a window of 4, any 6
equal words in a row are found.

Postings are two arrays sorted by hash, which can be memory-mapped as they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class PostingHits(NamedTuple):
    """Equal k-grams of a query and the index, sorted by query, then by position.

    Attributes:
        query: int64 (n,), number of the k-gram in the query.
        position: int64 (n,), its position in the index.
    """

    query: NDArray[np.int64]
    position: NDArray[np.int64]


def winnow(hashes: NDArray[np.uint64], window: int) -> NDArray[np.int64]:
    """Positions of the k-grams that winnowing selects, ascending.

    Args:
        hashes: uint64 (n,), of every k-gram of one text, in order.
        window: number of consecutive k-grams of which the smallest hash is selected, the last of
            equal ones; at least 1. Of a text with fewer k-grams the smallest is selected.

    Returns:
        int64 (m,), m <= n, equal to `brute_force.winnow_brute_force`.
    """
    count = len(hashes)
    if count == 0:
        return np.empty(0, np.int64)
    width = min(window, count)
    windows = count - width + 1
    least = hashes[width - 1 :].copy()
    at = np.arange(width - 1, count)
    # From the last position of each window to the first, so that the last of equals wins.
    for offset in range(width - 2, -1, -1):
        values = hashes[offset : offset + windows]
        smaller = values < least
        least[smaller] = values[smaller]
        at[smaller] = np.flatnonzero(smaller) + offset
    selected = np.zeros(count, np.bool_)
    selected[at] = True
    return np.flatnonzero(selected)


def gram_keys(hashes: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Keys of postings, uint32 (n,): the upper 32 bits of the hashes, uint64 (n,)."""
    return (hashes >> np.uint64(32)).astype(np.uint32)


class Postings:
    """Sorted keys of k-grams with their positions.

    Args:
        keys: uint32 (n,), ascending.
        positions: uint32 (n,), of each key's k-gram, ascending among equal keys.

    Raises:
        ValueError: if the arrays are not of this form.
    """

    def __init__(self, keys: NDArray[np.uint32], positions: NDArray[np.uint32]) -> None:
        if (
            keys.dtype != np.uint32
            or positions.dtype != np.uint32
            or keys.ndim != 1
            or keys.shape != positions.shape
            or bool((keys[1:] < keys[:-1]).any())
        ):
            raise ValueError("postings are two uint32 arrays of one length, sorted by key")
        self.keys, self.positions = keys, positions

    @classmethod
    def build(cls, keys: NDArray[np.uint32], positions: NDArray[np.int64]) -> Postings:
        """Postings of k-grams in any order.

        Raises:
            ValueError: if a position does not fit in 32 bits.
        """
        if len(positions) and (int(positions.max()) >= 1 << 32 or int(positions.min()) < 0):
            raise ValueError("an index of more than 4,294,967,295 words can't be searched at once")
        # One sort of 64-bit values sorts by key, then by position.
        combined = (keys.astype(np.uint64) << np.uint64(32)) | positions.astype(np.uint64)
        combined.sort()
        return cls((combined >> np.uint64(32)).astype(np.uint32), combined.astype(np.uint32))

    def __len__(self) -> int:
        return len(self.keys)

    def ranges(self, keys: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each key, its first posting and the one after its last, int64 (m,) each."""
        distinct, inverse = np.unique(keys, return_inverse=True)
        first = np.searchsorted(self.keys, distinct, "left").astype(np.int64)
        last = np.searchsorted(self.keys, distinct, "right").astype(np.int64)
        return first[inverse], last[inverse]

    def hits(
        self, first: NDArray[np.int64], last: NDArray[np.int64], *, max_postings: int, window: int
    ) -> PostingHits:
        """Positions of the k-grams of a query, without those that are too frequent to matter.

        A key with more than `max_postings` postings is skipped, unless it is the rarest key in
        some window of `window` consecutive keys; then its first `max_postings` postings are used.
        So every window of the query is searched with at least one key, and the number of hits is
        bounded whatever the size of the index.

        Args:
            first, last: int64 (m,), from `ranges`, of every k-gram of a text in order.
            max_postings: at least 1.
            window: at least 1.
        """
        count = last - first
        used = (count > 0) & ((count <= max_postings) | _rarest(count, window))
        query = np.flatnonzero(used)
        sizes = np.minimum(count[query], max_postings)
        ends = np.cumsum(sizes)
        total = int(ends[-1]) if len(ends) else 0
        within = np.arange(total) - np.repeat(ends - sizes, sizes)
        positions = self.positions[np.repeat(first[query], sizes) + within]
        return PostingHits(np.repeat(query, sizes), positions.astype(np.int64))


def _rarest(count: NDArray[np.int64], window: int) -> NDArray[np.bool_]:
    """Which keys are, in some window, the rarest of those that occur at all."""
    never = np.iinfo(np.int64).max
    order = np.where(count > 0, count, never).astype(np.uint64)
    rarest = np.zeros(len(count), np.bool_)
    rarest[winnow(order, window)] = True
    return rarest
