"""Approximate nearest neighbours among product-quantized vectors in coarse cells, with FAISS."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class CodedVectors:
    """The nearest of many coded vectors, by FAISS `IndexIVFPQFastScan`.

    Codes are taken as they are stored: nothing is trained or encoded when an index is opened.
    Distances are to what the codes stand for, and FAISS rounds them a little to be quick, so that
    this nominates candidates and decides nothing. Its oracle is a comparison with every decoded
    vector (tests/reference_index/test_coded_vectors.py).

    Args:
        cells: float32 (cells, dim), coarse centroids.
        words: float32 (parts, 16, dim / parts), product quantizer of what the cells leave.
        cell_of: int64 (n,), each vector's cell.
        codes: uint8 (n, parts / 2), its words, two a byte, the first in the lower half.

    Raises:
        ValueError: if these do not fit together.
    """

    def __init__(
        self,
        cells: NDArray[np.float32],
        words: NDArray[np.float32],
        cell_of: NDArray[np.int64],
        codes: NDArray[np.uint8],
    ) -> None:
        import faiss

        dim, parts = cells.shape[1], len(words)
        if words.shape != (parts, 16, dim // parts) or codes.shape != (len(cell_of), parts // 2):
            raise ValueError("cells, words and codes do not fit together")
        if len(cell_of) and not 0 <= cell_of.min() <= cell_of.max() < len(cells):
            raise ValueError("a vector lies in a cell that there is not")
        self._count = len(cell_of)
        # Kept: FAISS only points to it.
        self._coarse = faiss.IndexFlatL2(dim)
        self._coarse.add(np.ascontiguousarray(cells, np.float32))
        plain = faiss.IndexIVFPQ(self._coarse, dim, len(cells), parts, 4)
        flat = np.ascontiguousarray(words, np.float32).ravel()
        faiss.copy_array_to_vector(flat, plain.pq.centroids)
        plain.is_trained = True
        order = np.argsort(cell_of, kind="stable")
        ends = np.searchsorted(cell_of[order], np.arange(len(cells) + 1))
        ids = np.ascontiguousarray(order, np.int64)
        sorted_codes = np.ascontiguousarray(codes[order], np.uint8)
        lists: Any = plain.invlists
        for cell in range(len(cells)):
            start, end = int(ends[cell]), int(ends[cell + 1])
            if end > start:
                lists.add_entries(
                    cell,
                    end - start,
                    faiss.swig_ptr(ids[start:end]),
                    faiss.swig_ptr(sorted_codes[start:end]),
                )
        plain.ntotal = self._count
        # Any: FAISS's stubs know the C++ signatures, not those of its Python layer.
        self._index: Any = faiss.IndexIVFPQFastScan(plain)

    def __len__(self) -> int:
        return self._count

    def nearest(
        self,
        queries: NDArray[np.float32],
        count: int,
        cells: NDArray[np.int64],
        distances: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Squared distances float32 (m, count), nearest first, and entries int64 (m, count).

        Args:
            queries: float32 (m, dim).
            count: entries asked for; where fewer are found, distance inf and entry -1 stand.
            cells: int64 (m, probes), the cells that are looked into, nearest first.
            distances: float32 (m, probes), squared distances of the queries to them.
        """
        if not self._count or not len(queries):
            shape = (len(queries), count)
            return np.full(shape, np.inf, np.float32), np.full(shape, -1, np.int64)
        self._index.nprobe = cells.shape[1]
        near, entries = self._index.search_preassigned(
            np.ascontiguousarray(queries, np.float32),
            count,
            np.ascontiguousarray(cells),
            np.ascontiguousarray(distances),
        )
        return np.where(entries < 0, np.inf, near).astype(np.float32), entries
