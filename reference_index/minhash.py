"""Threshold search over MinHash signatures by banded locality-sensitive hashing.

A signature is cut into `bands` bands of `rows` permutations. Two signatures are candidates if
all rows of at least one band agree; candidates are then compared in full. For sets with Jaccard
similarity s the probability of becoming candidates is

    1 - (1 - s ** rows) ** bands

an S-shaped curve that is steepest near (1 / bands) ** (1 / rows) (Leskovec, Rajaraman, Ullman,
"Mining of Massive Datasets", section 3.4). More bands give higher recall and more comparisons; more
rows give the reverse. With 32 bands of 4 rows, for example, sets with s = 0.5 become candidates
with probability 0.873, with s = 0.7 with 0.9998.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference_index.brute_force import checked_signatures, empty_signatures, sorted_hits
from reference_index.interface import Hits

_QUERY_BLOCK = 512
_PAIR_BUDGET = 1 << 21
"""Candidate pairs in memory at a time, before duplicates among bands are removed."""
_COMPARE_BLOCK = 1 << 14
"""Candidate pairs compared in full at a time."""


def candidate_probability(jaccard: float, bands: int, rows: int) -> float:
    """The probability that sets of this Jaccard similarity agree in at least one band."""
    return float(1.0 - (1.0 - jaccard**rows) ** bands)


class MinHashIndex:
    """Pairs that agree in at least one band and whose estimated Jaccard reaches a threshold.

    Each band is a sorted array of 32-bit hashes and an array of their entries: 8 bytes for each
    entry and band, besides the signatures themselves. Bands with different values may have the
    same hash, so the values of candidates are compared too: the candidates are exactly those of
    the definition above, and of `datasketch.MinHashLSH(params=(bands, rows))`. Signatures of the
    empty set (see `brute_force.empty_signatures`) match nothing.

    Args:
        signatures: uint32 or uint64 (n, permutations), n may be 0.
        bands, rows: both at least 1, `bands * rows` at most the number of permutations. Bands
            take the first permutations; the estimate uses all.

    Raises:
        ValueError: if `signatures` has another dtype or shape, or the parameters do not fit it.
    """

    def __init__(self, signatures: NDArray[Any], *, bands: int, rows: int) -> None:
        self._signatures = checked_signatures(signatures)
        if bands < 1 or rows < 1 or bands * rows > self._signatures.shape[1]:
            raise ValueError(
                f"{bands} bands of {rows} rows do not fit signatures of "
                f"{self._signatures.shape[1]} permutations"
            )
        if len(self._signatures) >= 1 << 31:
            raise ValueError("more than 2,147,483,647 signatures can't be searched in one index")
        self.bands, self.rows = bands, rows
        entries = np.flatnonzero(~empty_signatures(self._signatures)).astype(np.int32)
        self._hashes: list[NDArray[np.uint32]] = []
        self._entries: list[NDArray[np.int32]] = []
        for band in range(bands):
            hashes = self._band_hashes(self._signatures, band)[entries]
            order = np.argsort(hashes, kind="stable")
            self._hashes.append(hashes[order])
            self._entries.append(entries[order])

    def __len__(self) -> int:
        return len(self._signatures)

    def above(self, queries: NDArray[Any], threshold: float) -> Hits:
        """Candidate pairs whose estimated Jaccard similarity is >= threshold, best first.

        Args:
            queries: of the entries' dtype, (m, permutations), m may be 0.
            threshold: inclusive; 0 gives every candidate.

        Raises:
            ValueError: if `queries` has another dtype or number of permutations.
        """
        queries = checked_signatures(queries, self._signatures)
        rows = np.flatnonzero(~empty_signatures(queries))
        blocks = []
        for start in range(0, len(rows), _QUERY_BLOCK):
            for query, entry in self._colliding(queries, rows[start : start + _QUERY_BLOCK]):
                for at in range(0, len(query), _COMPARE_BLOCK):
                    part = slice(at, at + _COMPARE_BLOCK)
                    blocks.append(self._compared(queries, query[part], entry[part], threshold))
        return sorted_hits(blocks, smallest_first=False)

    def _band_hashes(self, signatures: NDArray[Any], band: int) -> NDArray[np.uint32]:
        """A 32-bit hash of each row's band by the mixing steps of splitmix64."""
        state = np.full(len(signatures), 0x9E3779B97F4A7C15, np.uint64)
        for column in range(band * self.rows, (band + 1) * self.rows):
            state ^= signatures[:, column].astype(np.uint64)
            state *= np.uint64(0xBF58476D1CE4E5B9)
            state ^= state >> np.uint64(29)
        return (state >> np.uint64(32)).astype(np.uint32)

    def _colliding(
        self, queries: NDArray[Any], rows: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Distinct (query, entry) pairs that share a band's hash, within the pair budget."""
        first = np.empty((len(rows), self.bands), np.int64)
        last = np.empty_like(first)
        signatures = queries[rows]
        for band, hashes in enumerate(self._hashes):
            query_hashes = self._band_hashes(signatures, band)
            first[:, band] = np.searchsorted(hashes, query_hashes, "left")
            last[:, band] = np.searchsorted(hashes, query_hashes, "right")
        sizes = (last - first).sum(axis=1)
        start = 0
        while start < len(rows):
            stop = start + 1
            total = sizes[start]
            while stop < len(rows) and total + sizes[stop] <= _PAIR_BUDGET:
                total += sizes[stop]
                stop += 1
            if total > _PAIR_BUDGET:
                yield self._pairs_of_one(rows[start], first[start], last[start])
            elif total:
                yield self._pairs_of_several(rows[start:stop], first[start:stop], last[start:stop])
            start = stop

    def _pairs_of_several(
        self, rows: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        count = len(self._signatures)
        codes = []
        for band, entries in enumerate(self._entries):
            sizes = last[:, band] - first[:, band]
            if not sizes.any():
                continue
            row = np.repeat(np.arange(len(rows)), sizes)
            ends = np.cumsum(sizes)
            at = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
            codes.append(row * count + entries[at + np.repeat(first[:, band], sizes)])
        pairs = np.unique(np.concatenate(codes))
        return rows[pairs // count], pairs % count

    def _pairs_of_one(
        self, query: np.int64, first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs of a query that shares bands with very many entries: these are marked in an array
        of all entries, because a list for each band could need more memory.
        """
        hit = np.zeros(len(self._signatures), np.bool_)
        for band, entries in enumerate(self._entries):
            hit[entries[first[band] : last[band]]] = True
        entry = np.flatnonzero(hit)
        return np.full(len(entry), query, np.int64), entry

    def _compared(
        self,
        queries: NDArray[Any],
        query: NDArray[np.int64],
        entry: NDArray[np.int64],
        threshold: float,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        equal = queries[query] == self._signatures[entry]
        banded = equal[:, : self.bands * self.rows].reshape(len(equal), self.bands, self.rows)
        score = equal.mean(axis=1)
        hit = banded.all(axis=2).any(axis=1) & (score >= threshold)
        return query[hit], entry[hit], score[hit]
