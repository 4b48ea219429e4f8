"""One VLAD vector for all of a picture's descriptors, and its product-quantized code.

VLAD: Jégou, Douze, Schmid and Pérez, "Aggregating local descriptors into a compact image
representation" (CVPR 2010). Intra-normalised: Arandjelović and Zisserman, "All about VLAD" (CVPR
2013). Of residuals of unit length, rotated into each centroid's own axes: Delhumeau, Gosselin,
Jégou and Pérez, "Revisiting the VLAD image representation" (ACM Multimedia 2013). Codes are those
of Jégou, Douze and Schmid, "Product quantization for nearest neighbor search" (PAMI 2011).

Worked example: a picture with 300 descriptors, float32 (300, 128).

1. PCA keeps 64 of the 128 numbers: (300, 64). Each descriptor has a nearest centroid of 128.
2. Residuals, descriptor minus centroid, are scaled to unit length: (300, 64).
3. Those of one centroid are added: (128, 64), with zeros for centroids that have none.
4. Each sum is rotated into the axes of its centroid, (64, 64), so that the signed square root that
   follows dampens the directions in which repeated structures add up, and scaled to unit length.
5. Joined and scaled to unit length: (8192,). The inner product of two such vectors is their cosine
   similarity.
6. Encoded: 2048 sub-quantizers of 4 numbers with 16 codewords: 2048 × 4 bits = 1024 bytes for what
   were 32 KB. Many sub-quantizers of few codewords, because their tables stay small.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.image.codebook import packaged_arrays

FILE = Path(__file__).with_name("aggregates.safetensors")
CENTROIDS, REDUCED = 128, 64
SIZE = CENTROIDS * REDUCED
SUB_QUANTIZERS, CODEWORDS = 2048, 16
CODE_BYTES = SUB_QUANTIZERS // 2
"""Two 4-bit indexes in a byte, the first of each pair in the lower half."""


@dataclass(frozen=True)
class VladCodebook:
    """Centroids, axes and codewords by which descriptors are aggregated and compressed.

    Attributes:
        mean: float32 (128,), of descriptors.
        axes: float32 (128, 64), principal axes of descriptors.
        centroids: float32 (128, 64), of reduced descriptors.
        rotations: float32 (128, 64, 64), for each centroid the principal axes of its residuals.
        codewords: float32 (2048, 16, 4), of each sub-quantizer, for four numbers of a vector.
        sha256: of the file (hex).
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    centroids: NDArray[np.float32]
    rotations: NDArray[np.float32]
    codewords: NDArray[np.float32]
    sha256: str

    def aggregate(
        self, descriptors: NDArray[np.float32], regions: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """A VLAD vector for each region of a picture.

        Args:
            descriptors: float32 (n, 128), n may be 0.
            regions: bool (m, n), which descriptors are in each region.

        Returns:
            float32 (m, 8192) of unit length; 0 for a region without descriptors.
        """
        centroid, directions = residuals(descriptors, self.mean, self.axes, self.centroids)
        order = np.argsort(centroid, kind="stable")
        present, starts = np.unique(centroid[order], return_index=True)
        sums = np.zeros((CENTROIDS, len(regions), REDUCED), np.float32)
        if len(present):
            chosen = directions[order][:, None] * regions.T[order][:, :, None]
            sums[present] = np.add.reduceat(chosen, starts, axis=0)
        sums = np.matmul(sums, self.rotations)
        roots = np.sign(sums) * np.sqrt(np.abs(sums))
        roots /= np.maximum(np.linalg.norm(roots, axis=2, keepdims=True), 1e-6)
        flat = np.ascontiguousarray(roots.transpose(1, 0, 2)).reshape(len(regions), SIZE)
        unit: NDArray[np.float32] = flat / np.maximum(
            np.linalg.norm(flat, axis=1, keepdims=True), np.float32(1e-6)
        )
        return unit

    def encode(self, vectors: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Codes uint8 (n, 1024) of vectors (n, 8192)."""
        parts = vectors.reshape(len(vectors), SUB_QUANTIZERS, -1)
        codes = np.empty((len(vectors), CODE_BYTES), np.uint8)
        for row, one in enumerate(parts):
            products = np.matmul(self.codewords, one[:, :, None])[:, :, 0]
            nearest = (self._squares - 2 * products).argmin(axis=1)
            codes[row] = nearest[::2] | (nearest[1::2] << 4)
        return codes

    @cached_property
    def _squares(self) -> NDArray[np.float32]:
        return np.asarray(np.square(self.codewords).sum(axis=2), np.float32)

    def decode(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Approximate vectors float32 (n, 8192) of codes (n, 1024)."""
        indexes = np.empty((len(codes), SUB_QUANTIZERS), np.intp)
        indexes[:, ::2], indexes[:, 1::2] = codes & 15, codes >> 4
        vectors: NDArray[np.float32] = self.codewords[np.arange(SUB_QUANTIZERS), indexes]
        return vectors.reshape(len(codes), SIZE)


def residuals(
    descriptors: NDArray[np.float32],
    mean: NDArray[np.float32],
    axes: NDArray[np.float32],
    centroids: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Each descriptor's nearest centroid, int64 (n,), and its residual scaled to unit length,
    float32 (n, 64). Arguments as in `VladCodebook`.
    """
    reduced = (descriptors - mean) @ axes
    distances = np.square(centroids).sum(axis=1) - 2 * (reduced @ centroids.T)
    nearest = distances.argmin(axis=1)
    difference = reduced - centroids[nearest]
    difference /= np.maximum(np.linalg.norm(difference, axis=1, keepdims=True), 1e-6)
    return nearest, difference.astype(np.float32)


@lru_cache(maxsize=1)
def vlad_codebook() -> VladCodebook:
    """The packaged codebook."""
    packaged, digest = packaged_arrays(FILE)
    arrays = {name: values.astype(np.float32) for name, values in packaged.items()}
    return VladCodebook(
        arrays["mean"],
        arrays["axes"],
        arrays["centroids"],
        arrays["turns"],
        arrays["words"],
        digest,
    )
