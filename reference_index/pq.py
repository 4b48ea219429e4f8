"""Largest inner products among product-quantized vectors, exhaustively, with FAISS.

`ivf_pq` explains product quantization; here every stored vector is compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference_index.brute_force import checked_codes


class PQIndex:
    """The entries with the largest inner product with a query.

    It is FAISS's `IndexIVFPQFastScan` with a single centroid at 0, because the sums of
    `IndexPQFastScan` overflow with more than 257 sub-quantizers. Codewords and codes are passed in
    as stored: nothing is trained or encoded when an index is opened. Queries are not quantized
    (asymmetric distance, Jégou, Douze and Schmid 2011, section III). FAISS rounds each
    sub-quantizer's term to 8 bits for speed, so the results are candidates only. The oracle is
    `brute_force.PQBruteForce`.

    Args:
        codewords: float32 (sub_quantizers, 16, dim / sub_quantizers).
        codes: uint8 (n, sub_quantizers / 2), two codewords a byte, the first in the lower half.

    Raises:
        ValueError: if the shapes do not fit together.
    """

    def __init__(self, codewords: NDArray[np.float32], codes: NDArray[np.uint8]) -> None:
        import faiss

        parts, width = checked_codes(codewords, codes)
        self._count, self._dim = len(codes), parts * width
        # An attribute, because FAISS holds only a pointer to it.
        self._coarse = faiss.IndexFlatIP(self._dim)
        self._coarse.add(np.zeros((1, self._dim), np.float32))
        index = faiss.IndexIVFPQ(self._coarse, self._dim, 1, parts, 4, faiss.METRIC_INNER_PRODUCT)
        index.by_residual = False
        flat = np.ascontiguousarray(codewords, np.float32).ravel()
        faiss.copy_array_to_vector(flat, index.pq.centroids)
        index.is_trained = True
        # Any: FAISS's stubs have the C++ signatures, not those of its Python layer.
        lists: Any = index.invlists
        if self._count:
            ids, stored = np.arange(self._count), np.ascontiguousarray(codes, np.uint8)
            lists.add_entries(0, self._count, faiss.swig_ptr(ids), faiss.swig_ptr(stored))
        index.ntotal = self._count
        self._index: Any = faiss.IndexIVFPQFastScan(index)

    def __len__(self) -> int:
        return self._count

    def nearest(
        self, queries: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The k entries with the largest inner product (fewer if fewer are stored).

        Args:
            queries: float32 (m, dim).
            k: number of entries.

        Returns:
            Inner products float32 (m, k), largest first, and entries int64 (m, k). At the end of
            a row there may be -inf and entry -1 for entries whose rounded product is the smallest
            that any code could have.

        Raises:
            ValueError: if the queries are of another shape.
        """
        if queries.ndim != 2 or queries.shape[1] != self._dim:
            raise ValueError(f"queries must be (n, {self._dim}), not {queries.shape}")
        k = min(k, self._count)
        if not k or not len(queries):
            return np.zeros((len(queries), k), np.float32), np.zeros((len(queries), k), np.int64)
        products, entries = self._index.search_preassigned(
            np.ascontiguousarray(queries, np.float32),
            max(2, k),  # with k = 1 FAISS lets sums of many sub-quantizers overflow
            np.zeros((len(queries), 1), np.int64),
            np.zeros((len(queries), 1), np.float32),
        )
        products, entries = products[:, :k], entries[:, :k]
        return np.where(entries < 0, -np.inf, products).astype(np.float32), entries
