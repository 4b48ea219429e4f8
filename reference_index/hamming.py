"""Exact range search over packed bits with FAISS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reference_index.brute_force import checked_bits, no_hits, sorted_hits
from reference_index.interface import Hits

_BLOCK = 4096
"""Queries searched at a time, which bounds the memory of FAISS's result."""


class HammingIndex:
    """Every stored entry within a Hamming distance, by FAISS `IndexBinaryFlat` (exhaustive).

    Equal to `brute_force.HammingBruteForce` in every result.

    Args:
        bits: uint8 (n, bytes), n may be 0.

    Raises:
        ValueError: if `bits` has another dtype or shape.
    """

    def __init__(self, bits: NDArray[np.uint8]) -> None:
        import faiss

        bits = checked_bits(bits)
        self._width = bits.shape[1]
        self._count = len(bits)
        self._index = faiss.IndexBinaryFlat(self._width * 8)
        if self._count:
            self._index.add(bits)

    def __len__(self) -> int:
        return self._count

    def within(self, queries: NDArray[np.uint8], radius: int) -> Hits:
        """All pairs with Hamming distance <= radius (inclusive), nearest first.

        Args:
            queries: uint8 (m, bytes), m may be 0.
            radius: bits; a negative radius finds nothing.

        Raises:
            ValueError: if `queries` has another dtype or width.
        """
        queries = checked_bits(queries, self._width)
        if radius < 0 or not self._count or not len(queries):
            return no_hits()
        # FAISS's binary range search is strict (distance < radius), ours is inclusive.
        limit = min(int(radius), self._width * 8) + 1
        blocks = []
        for start in range(0, len(queries), _BLOCK):
            block = queries[start : start + _BLOCK]
            ends, distance, entry = self._index.range_search(block, limit)
            counts: NDArray[np.int64] = (ends[1:] - ends[:-1]).astype(np.int64)
            query = np.repeat(np.arange(start, start + len(block), dtype=np.int64), counts)
            blocks.append((query, entry, distance))
        return sorted_hits(blocks, smallest_first=True)
