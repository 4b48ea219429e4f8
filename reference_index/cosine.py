"""Exact top-k search over unit vectors with FAISS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reference_index.brute_force import COSINE_DECIMALS, checked_vectors, no_hits, sorted_hits
from reference_index.interface import Hits

_BLOCK = 1024
"""Queries searched at a time, which bounds memory."""
_SPARE = 16
"""Neighbours requested beyond k, to see whether the k-th is tied with the next."""
_TOLERANCE = 2e-5
"""Entries whose float32 scores differ by less may be in another order when computed exactly."""


class CosineIndex:
    """The k most similar entries, by FAISS `IndexFlatIP` (exhaustive), ties broken by entry.

    FAISS finds the candidates in float32; their similarity is then computed again in float64 and
    rounded to six decimals, so that the order, and which of several tied entries are among the k,
    are those of `brute_force.CosineBruteForce` and do not depend on threads or block sizes.

    Args:
        vectors: float32 (n, dim), n may be 0; float16 is widened. They must have unit length,
            which is not checked.

    Raises:
        ValueError: if `vectors` has another dtype or shape, or a value that is not finite.
    """

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        import faiss

        vectors = checked_vectors(vectors)
        self._count, self._dim = len(vectors), int(vectors.shape[1])
        self._index = faiss.IndexFlatIP(self._dim)
        self._vectors = vectors
        if self._count:
            self._index.add(vectors)
            # A view of FAISS's own copy, so that the vectors are in memory once.
            stored = faiss.rev_swig_ptr(self._index.get_xb(), self._count * self._dim)
            self._vectors = stored.reshape(self._count, self._dim)

    def __len__(self) -> int:
        return self._count

    def nearest(self, queries: NDArray[np.float32], k: int) -> Hits:
        """The k most similar entries of each query (fewer if fewer are stored).

        Args:
            queries: float32 (m, dim), m may be 0.
            k: number of entries; 0 finds nothing.

        Raises:
            ValueError: if k is negative or `queries` has another dtype or dimension.
        """
        if k < 0:
            raise ValueError(f"k must not be negative, and is {k}")
        queries = checked_vectors(queries, self._dim)
        k = min(k, self._count)
        if k == 0 or not len(queries):
            return no_hits()
        blocks = []
        for start in range(0, len(queries), _BLOCK):
            block = queries[start : start + _BLOCK]
            wide = min(k + _SPARE, self._count)
            approximate, entry = self._index.search(block, wide)
            # If even the last requested neighbour is about as near as the k-th, there may be more
            # tied entries beyond it: such queries are compared with every entry.
            least = approximate[:, k - 1] - _TOLERANCE
            undecided = (approximate[:, -1] >= least) & (wide < self._count)
            for row, query in enumerate(block):
                near = entry[row]
                if undecided[row]:
                    near = np.flatnonzero(self._vectors @ query >= least[row])
                best, score = self._exact(query, near, k)
                blocks.append((np.full(len(best), start + row, np.int64), best, score))
        return sorted_hits(blocks, smallest_first=False)

    def _exact(
        self, query: NDArray[np.float32], near: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        stored = self._vectors[near].astype(np.float64)
        score = np.round((stored * query).sum(axis=1), COSINE_DECIMALS)
        rank = np.lexsort((near, -score))[:k]
        return near[rank], score[rank]
