"""Winnowed k-grams in sorted postings: where a run of words stands in the stored texts.

Of every `window` k-grams that follow each other, winnowing keeps the one with the least hash
(Schleimer, Wilkerson, Aiken 2003, "Winnowing: local algorithms for document fingerprinting"). A
text that is asked for with all of its k-grams therefore shares a kept one with the index wherever
`window + k - 1` words agree without a break: that is certain, not likely. Kept k-grams lie in two
arrays, sorted by hash, which can be memory-mapped as they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class PostingHits(NamedTuple):
    """Equal k-grams, sorted by query place, then by place.

    Attributes:
        query: int64 (n,), place of the k-gram among those asked for.
        place: int64 (n,), its place in the index.
    """

    query: NDArray[np.int64]
    place: NDArray[np.int64]


def winnowed(hashes: NDArray[np.uint64], window: int) -> NDArray[np.int64]:
    """Places of the k-grams that winnowing keeps, ascending.

    Args:
        hashes: uint64 (n,), of every k-gram of one text, in order.
        window: k-grams of which the least is kept, the last of equals; at least 1. A text with
            fewer keeps its least.

    Returns:
        int64 (m,), m <= n, equal to `brute_force.winnowed_plainly`.
    """
    count = len(hashes)
    if count == 0:
        return np.empty(0, np.int64)
    width = min(window, count)
    windows = count - width + 1
    least = hashes[width - 1 :].copy()
    at = np.arange(width - 1, count)
    # From the last place of each window to its first: the last of equals is met first.
    for offset in range(width - 2, -1, -1):
        here = hashes[offset : offset + windows]
        smaller = here < least
        least[smaller] = here[smaller]
        at[smaller] = np.flatnonzero(smaller) + offset
    kept = np.zeros(count, np.bool_)
    kept[at] = True
    return np.flatnonzero(kept)


def gram_keys(hashes: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """The upper 32 bits of k-grams' hashes, by which postings are sorted."""
    return (hashes >> np.uint64(32)).astype(np.uint32)


class Postings:
    """Sorted keys of k-grams with their places.

    Args:
        keys: uint32 (n,), ascending.
        places: uint32 (n,), of each key's k-gram, ascending among equal keys.

    Raises:
        ValueError: if the arrays are not of this form.
    """

    def __init__(self, keys: NDArray[np.uint32], places: NDArray[np.uint32]) -> None:
        if (
            keys.dtype != np.uint32
            or places.dtype != np.uint32
            or keys.ndim != 1
            or keys.shape != places.shape
            or bool((keys[1:] < keys[:-1]).any())
        ):
            raise ValueError("postings are two uint32 arrays of one length, sorted by key")
        self.keys, self.places = keys, places

    @classmethod
    def of(cls, keys: NDArray[np.uint32], places: NDArray[np.int64]) -> Postings:
        """Postings of k-grams in any order.

        Raises:
            ValueError: if a place is beyond 32 bits.
        """
        if len(places) and (int(places.max()) >= 1 << 32 or int(places.min()) < 0):
            raise ValueError("an index of more than 4,294,967,295 words can't be searched at once")
        # One sort of both together: by key, then by place.
        both = (keys.astype(np.uint64) << np.uint64(32)) | places.astype(np.uint64)
        both.sort()
        return cls((both >> np.uint64(32)).astype(np.uint32), both.astype(np.uint32))

    def __len__(self) -> int:
        return len(self.keys)

    def ranges(self, keys: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each key, the first posting that has it and the one after the last, int64 (m,)."""
        asked, back = np.unique(keys, return_inverse=True)
        first = np.searchsorted(self.keys, asked, "left").astype(np.int64)
        last = np.searchsorted(self.keys, asked, "right").astype(np.int64)
        return first[back], last[back]

    def hits(
        self, first: NDArray[np.int64], last: NDArray[np.int64], *, most: int, together: int
    ) -> PostingHits:
        """Places of the k-grams asked for, without those that are too frequent to tell anything.

        A key with more than `most` postings is passed over, unless it is the rarest of the
        `together` keys that follow each other somewhere around it; then the first `most` of its
        postings count. So something of every stretch of `together` k-grams is looked at, and the
        number of hits is bounded however large the index is.

        Args:
            first, last: int64 (m,), as `ranges` gives them of every k-gram of a text, in order.
            most: at least 1.
            together: at least 1.
        """
        count = last - first
        wanted = (count > 0) & ((count <= most) | _rarest(count, together))
        asked = np.flatnonzero(wanted)
        sizes = np.minimum(count[asked], most)
        ends = np.cumsum(sizes)
        total = int(ends[-1]) if len(ends) else 0
        within = np.arange(total) - np.repeat(ends - sizes, sizes)
        places = self.places[np.repeat(first[asked], sizes) + within]
        return PostingHits(np.repeat(asked, sizes), places.astype(np.int64))


def _rarest(count: NDArray[np.int64], together: int) -> NDArray[np.bool_]:
    """Which keys are the rarest that occur at all in some stretch of `together`."""
    never = np.iinfo(np.int64).max
    order = np.where(count > 0, count, never).astype(np.uint64)
    kept = np.zeros(len(count), np.bool_)
    kept[winnowed(order, together)] = True
    return kept
