"""Threshold search over MinHash signatures by banded locality-sensitive hashing.

A signature is cut into `bands` bands of `rows` permutations. Two signatures are candidates if
all rows of at least one band agree; candidates are then compared in full. For sets with Jaccard
similarity s the probability of becoming candidates is

    1 - (1 - s ** rows) ** bands

an S-shaped curve that is steepest near (1 / bands) ** (1 / rows) (Leskovec, Rajaraman, Ullman,
"Mining of Massive Datasets", section 3.4). More bands find more and compare more; more rows the
reverse. With 32 bands of 4 rows, for example, sets at s = 0.5 are found with probability 0.873,
at s = 0.7 with 0.9998.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference_index.brute_force import checked_signatures, empty_signatures, no_hits, ordered
from reference_index.interface import Hits

_QUERY_BLOCK = 512
_PAIR_BUDGET = 1 << 21
"""Candidate pairs held at a time, before duplicates among bands are dropped."""
_COMPARE_BLOCK = 1 << 14
"""Candidate pairs compared in full at a time."""


def candidate_probability(jaccard: float, bands: int, rows: int) -> float:
    """The chance that sets of this Jaccard similarity agree in at least one band."""
    return float(1.0 - (1.0 - jaccard**rows) ** bands)


class MinHashIndex:
    """Pairs that agree in at least one band and whose estimated Jaccard reaches a threshold.

    Each band is held as a sorted array of 32-bit hashes with the entries' numbers beside it:
    8 bytes for an entry and band, besides the signatures themselves. Two different bands may
    share a hash, so a candidate counts only if its band truly agrees: the candidates are
    exactly those of the definition above, and of `datasketch.MinHashLSH(params=(bands, rows))`.
    Signatures of nothing (see `brute_force.empty_signatures`) match nothing.

    Args:
        signatures: uint32 or uint64 (n, permutations), n may be 0.
        bands, rows: both at least 1, `bands * rows` at most the number of permutations. Bands
            take the first permutations; the estimate uses all.

    Raises:
        ValueError: if signatures or parameters are of another form.
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
        held = np.flatnonzero(~empty_signatures(self._signatures)).astype(np.int32)
        self._hashes: list[NDArray[np.uint32]] = []
        self._entries: list[NDArray[np.int32]] = []
        for band in range(bands):
            hashes = self._band_hashes(self._signatures, band)[held]
            order = np.argsort(hashes, kind="stable")
            self._hashes.append(hashes[order])
            self._entries.append(held[order])

    def __len__(self) -> int:
        return len(self._signatures)

    def above(self, queries: NDArray[Any], threshold: float) -> Hits:
        """Candidate pairs whose estimated Jaccard similarity is >= threshold, best first.

        Args:
            queries: of the entries' dtype, (m, permutations), m may be 0.
            threshold: inclusive; 0 gives every candidate.

        Raises:
            ValueError: if `queries` are not of the entries' form.
        """
        queries = checked_signatures(queries, self._signatures)
        asked = np.flatnonzero(~empty_signatures(queries))
        found = []
        for start in range(0, len(asked), _QUERY_BLOCK):
            for query, entry in self._colliding(queries, asked[start : start + _QUERY_BLOCK]):
                for at in range(0, len(query), _COMPARE_BLOCK):
                    part = slice(at, at + _COMPARE_BLOCK)
                    found.append(self._compared(queries, query[part], entry[part], threshold))
        if not found:
            return no_hits()
        query, entry, score = (np.concatenate(part) for part in zip(*found, strict=True))
        return ordered(query, entry, score, smallest_first=False)

    def _band_hashes(self, signatures: NDArray[Any], band: int) -> NDArray[np.uint32]:
        """A 32-bit hash of each row's band: multiply, xor and shift, as in splitmix64."""
        state = np.full(len(signatures), 0x9E3779B97F4A7C15, np.uint64)
        for column in range(band * self.rows, (band + 1) * self.rows):
            state ^= signatures[:, column].astype(np.uint64)
            state *= np.uint64(0xBF58476D1CE4E5B9)
            state ^= state >> np.uint64(29)
        return (state >> np.uint64(32)).astype(np.uint32)

    def _colliding(
        self, queries: NDArray[Any], asked: NDArray[np.int64]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Distinct (query, entry) pairs sharing a band's hash, within the pair budget."""
        first = np.empty((len(asked), self.bands), np.int64)
        last = np.empty_like(first)
        signatures = queries[asked]
        for band, hashes in enumerate(self._hashes):
            wanted = self._band_hashes(signatures, band)
            first[:, band] = np.searchsorted(hashes, wanted, "left")
            last[:, band] = np.searchsorted(hashes, wanted, "right")
        sizes = (last - first).sum(axis=1)
        start = 0
        while start < len(asked):
            stop = start + 1
            total = sizes[start]
            while stop < len(asked) and total + sizes[stop] <= _PAIR_BUDGET:
                total += sizes[stop]
                stop += 1
            if total > _PAIR_BUDGET:
                yield self._one_crowded(asked[start], first[start], last[start])
            elif total:
                yield self._several(asked[start:stop], first[start:stop], last[start:stop])
            start = stop

    def _several(
        self, asked: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        count = len(self._signatures)
        codes = []
        for band, entries in enumerate(self._entries):
            sizes = last[:, band] - first[:, band]
            if not sizes.any():
                continue
            row = np.repeat(np.arange(len(asked)), sizes)
            ends = np.cumsum(sizes)
            at = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
            codes.append(row * count + entries[at + np.repeat(first[:, band], sizes)])
        pairs = np.unique(np.concatenate(codes))
        return asked[pairs // count], pairs % count

    def _one_crowded(
        self, asked: np.int64, first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """One query that shares bands with very many entries: marked, not listed per band."""
        hit = np.zeros(len(self._signatures), np.bool_)
        for band, entries in enumerate(self._entries):
            hit[entries[first[band] : last[band]]] = True
        entry = np.flatnonzero(hit)
        return np.full(len(entry), asked, np.int64), entry

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
        kept = banded.all(axis=2).any(axis=1) & (score >= threshold)
        return query[kept], entry[kept], score[kept]
