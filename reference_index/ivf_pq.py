"""Approximate nearest neighbours among product-quantized vectors: an inverted file (IVF) over
coarse centroids, with FAISS.

Product quantization (PQ): a vector of dimension `dim` is cut into `sub_quantizers` parts of equal
length, and each part is replaced by the nearest of 16 codewords, so 4 bits a part. In an inverted
file each vector belongs to its nearest coarse centroid, and PQ encodes only the difference to it; a
query is compared only with the vectors of its nearest few centroids (Jégou, Douze and Schmid,
"Product quantization for nearest neighbor search", PAMI 2011).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class IVFPQIndex:
    """Nearest neighbours in L2 distance, by FAISS `IndexIVFPQFastScan`.

    Centroids, codewords and codes are passed in as stored: nothing is trained or encoded when an
    index is opened. Distances are to the decoded vectors, and FAISS rounds them for speed, so the
    results are candidates only. The oracle is a comparison with every decoded vector
    (tests/reference_index/test_ivf_pq.py).

    Args:
        centroids: float32 (centroids, dim), of the coarse quantizer.
        codewords: float32 (sub_quantizers, 16, dim / sub_quantizers), for the residuals.
        assignments: int64 (n,), the centroid of each vector.
        codes: uint8 (n, sub_quantizers / 2), two codewords a byte, the first in the lower half.

    Raises:
        ValueError: if the shapes do not fit together.
    """

    def __init__(
        self,
        centroids: NDArray[np.float32],
        codewords: NDArray[np.float32],
        assignments: NDArray[np.int64],
        codes: NDArray[np.uint8],
    ) -> None:
        import faiss

        dim, parts = centroids.shape[1], len(codewords)
        if codewords.shape != (parts, 16, dim // parts) or codes.shape != (
            len(assignments),
            parts // 2,
        ):
            raise ValueError("centroids, codewords and codes do not fit together")
        if len(assignments) and not (0 <= assignments.min() <= assignments.max() < len(centroids)):
            raise ValueError("a vector is assigned to a centroid that does not exist")
        self._count = len(assignments)
        # An attribute, because FAISS holds only a pointer to it.
        self._coarse = faiss.IndexFlatL2(dim)
        self._coarse.add(np.ascontiguousarray(centroids, np.float32))
        index = faiss.IndexIVFPQ(self._coarse, dim, len(centroids), parts, 4)
        flat = np.ascontiguousarray(codewords, np.float32).ravel()
        faiss.copy_array_to_vector(flat, index.pq.centroids)
        index.is_trained = True
        order = np.argsort(assignments, kind="stable")
        ends = np.searchsorted(assignments[order], np.arange(len(centroids) + 1))
        ids = np.ascontiguousarray(order, np.int64)
        sorted_codes = np.ascontiguousarray(codes[order], np.uint8)
        lists: Any = index.invlists
        for centroid in range(len(centroids)):
            start, end = int(ends[centroid]), int(ends[centroid + 1])
            if end > start:
                lists.add_entries(
                    centroid,
                    end - start,
                    faiss.swig_ptr(ids[start:end]),
                    faiss.swig_ptr(sorted_codes[start:end]),
                )
        index.ntotal = self._count
        # Any: FAISS's stubs have the C++ signatures, not those of its Python layer.
        self._index: Any = faiss.IndexIVFPQFastScan(index)

    def __len__(self) -> int:
        return self._count

    def nearest(
        self,
        queries: NDArray[np.float32],
        k: int,
        probes: NDArray[np.int64],
        probe_distances: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The k nearest neighbours among the vectors of the probed centroids.

        Args:
            queries: float32 (m, dim).
            k: number of neighbours.
            probes: int64 (m, probes), the centroids to search, nearest first.
            probe_distances: float32 (m, probes), squared distances of the queries to them.

        Returns:
            Squared distances float32 (m, k), nearest first, and entries int64 (m, k). If fewer
            are found, the rest is distance inf and entry -1.
        """
        if not self._count or not len(queries):
            shape = (len(queries), k)
            return np.full(shape, np.inf, np.float32), np.full(shape, -1, np.int64)
        self._index.nprobe = probes.shape[1]
        distances, entries = self._index.search_preassigned(
            np.ascontiguousarray(queries, np.float32),
            k,
            np.ascontiguousarray(probes),
            np.ascontiguousarray(probe_distances),
        )
        return np.where(entries < 0, np.inf, distances).astype(np.float32), entries
