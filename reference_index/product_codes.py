"""The likest of many product-quantized vectors, every one compared, with FAISS."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class ProductCodes:
    """The entries of largest inner product with a query, by FAISS `IndexIVFPQFastScan`
    of one cell: `IndexPQFastScan` lets the sums of more than 257 parts overflow.

    Codes are taken as they are stored: nothing is trained or encoded when an index is opened. A
    query is not compressed (Jégou, Douze and Schmid, "Product quantization for nearest neighbor
    search", PAMI 2011, section III). FAISS rounds what each word adds to 8 bits to be quick, so
    that this nominates candidates and decides nothing. Its oracle is the inner product with every
    decoded vector (tests/reference_index/test_product_codes.py).

    Args:
        words: float32 (parts, 16, dim / parts), the words of each part of a vector.
        codes: uint8 (n, parts / 2), two words a byte, the first in the lower half.

    Raises:
        ValueError: if these do not fit together.
    """

    def __init__(self, words: NDArray[np.float32], codes: NDArray[np.uint8]) -> None:
        import faiss

        parts, count, width = words.shape
        if count != 16 or parts % 2 or codes.ndim != 2 or codes.shape[1] != parts // 2:
            raise ValueError("words and codes do not fit together")
        self._count, self._dim = len(codes), parts * width
        # Kept: FAISS only points to it.
        self._cell = faiss.IndexFlatIP(self._dim)
        self._cell.add(np.zeros((1, self._dim), np.float32))
        plain = faiss.IndexIVFPQ(self._cell, self._dim, 1, parts, 4, faiss.METRIC_INNER_PRODUCT)
        plain.by_residual = False
        flat = np.ascontiguousarray(words, np.float32).ravel()
        faiss.copy_array_to_vector(flat, plain.pq.centroids)
        plain.is_trained = True
        # Any: FAISS's stubs know the C++ signatures, not those of its Python layer.
        lists: Any = plain.invlists
        if self._count:
            ids, kept = np.arange(self._count), np.ascontiguousarray(codes, np.uint8)
            lists.add_entries(0, self._count, faiss.swig_ptr(ids), faiss.swig_ptr(kept))
        plain.ntotal = self._count
        self._index: Any = faiss.IndexIVFPQFastScan(plain)

    def __len__(self) -> int:
        return self._count

    def nearest(
        self, queries: NDArray[np.float32], count: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Inner products float32 (m, k), largest first, and entries int64 (m, k); k is `count`,
        or the number of entries if that is less. At the end of a row -inf and entry -1 may stand
        for entries whose product is rounded to the least that any code could have.

        Args:
            queries: float32 (m, dim).
            count: entries asked for.

        Raises:
            ValueError: if the queries are of another form.
        """
        if queries.ndim != 2 or queries.shape[1] != self._dim:
            raise ValueError(f"queries must be (n, {self._dim}), not {queries.shape}")
        count = min(count, self._count)
        if not count or not len(queries):
            shape = (len(queries), count)
            return np.zeros(shape, np.float32), np.zeros(shape, np.int64)
        products, entries = self._index.search_preassigned(
            np.ascontiguousarray(queries, np.float32),
            max(2, count),  # asked for one alone, FAISS lets sums of many parts overflow
            np.zeros((len(queries), 1), np.int64),
            np.zeros((len(queries), 1), np.float32),
        )
        products, entries = products[:, :count], entries[:, :count]
        return np.where(entries < 0, -np.inf, products).astype(np.float32), entries
