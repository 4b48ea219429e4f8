"""One vector for all of a picture's descriptors, and its code.

VLAD: Jégou, Douze, Schmid and Pérez, "Aggregating local descriptors into a compact image
representation" (CVPR 2010). Intra-normalised: Arandjelović and Zisserman, "All about VLAD" (CVPR
2013). Of residuals of unit length, turned into each centroid's own axes: Delhumeau, Gosselin, Jégou
and Pérez, "Revisiting the VLAD image representation" (ACM Multimedia 2013). Codes are those of
Jégou, Douze and Schmid, "Product quantization for nearest neighbor search" (PAMI 2011).
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
PARTS, WORDS = 2048, 16
CODE_BYTES = PARTS // 2
"""A code holds `PARTS` words of 4 bits, the first of each pair in the lower half of its byte."""


@dataclass(frozen=True)
class Aggregates:
    """What pictures' descriptors are aggregated and compressed with.

    Attributes:
        mean: float32 (128,), of descriptors.
        axes: float32 (128, 64), principal axes of descriptors.
        centroids: float32 (128, 64), of reduced descriptors.
        turns: float32 (128, 64, 64), for each centroid the principal axes of what it leaves.
        words: float32 (2048, 16, 4), for each four numbers of a vector, what stands for them.
        sha256: of the file (hex).
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    centroids: NDArray[np.float32]
    turns: NDArray[np.float32]
    words: NDArray[np.float32]
    sha256: str

    def vectors(
        self, descriptors: NDArray[np.float32], parts: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """A vector for each part of a picture.

        Args:
            descriptors: float32 (n, 128), n may be 0.
            parts: bool (m, n), which descriptors each part has.

        Returns:
            float32 (m, 8192) of unit length; 0 for a part without descriptors.
        """
        centroid, rest = residuals(descriptors, self.mean, self.axes, self.centroids)
        order = np.argsort(centroid, kind="stable")
        present, starts = np.unique(centroid[order], return_index=True)
        sums = np.zeros((CENTROIDS, len(parts), REDUCED), np.float32)
        if len(present):
            chosen = rest[order][:, None] * parts.T[order][:, :, None]
            sums[present] = np.add.reduceat(chosen, starts, axis=0)
        sums = np.matmul(sums, self.turns)
        roots = np.sign(sums) * np.sqrt(np.abs(sums))
        roots /= np.maximum(np.linalg.norm(roots, axis=2, keepdims=True), 1e-6)
        flat = np.ascontiguousarray(roots.transpose(1, 0, 2)).reshape(len(parts), SIZE)
        unit: NDArray[np.float32] = flat / np.maximum(
            np.linalg.norm(flat, axis=1, keepdims=True), np.float32(1e-6)
        )
        return unit

    def encode(self, vectors: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Codes uint8 (n, 1024) of vectors (n, 8192)."""
        cut = vectors.reshape(len(vectors), PARTS, -1)
        codes = np.empty((len(vectors), CODE_BYTES), np.uint8)
        for row, one in enumerate(cut):
            products = np.matmul(self.words, one[:, :, None])[:, :, 0]
            nearest = (self._squares - 2 * products).argmin(axis=1)
            codes[row] = nearest[::2] | (nearest[1::2] << 4)
        return codes

    @cached_property
    def _squares(self) -> NDArray[np.float32]:
        return np.asarray(np.square(self.words).sum(axis=2), np.float32)

    def decode(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Vectors float32 (n, 8192), as near as the codes (n, 1024) keep them."""
        words = np.empty((len(codes), PARTS), np.intp)
        words[:, ::2], words[:, 1::2] = codes & 15, codes >> 4
        vectors: NDArray[np.float32] = self.words[np.arange(PARTS), words]
        return vectors.reshape(len(codes), SIZE)


def residuals(
    descriptors: NDArray[np.float32],
    mean: NDArray[np.float32],
    axes: NDArray[np.float32],
    centroids: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Each descriptor's nearest centroid, int64 (n,), and the direction from there to it, float32
    (n, 64) of unit length. Arguments as in `Aggregates`.
    """
    reduced = (descriptors - mean) @ axes
    distances = np.square(centroids).sum(axis=1) - 2 * (reduced @ centroids.T)
    nearest = distances.argmin(axis=1)
    rest = reduced - centroids[nearest]
    rest /= np.maximum(np.linalg.norm(rest, axis=1, keepdims=True), 1e-6)
    return nearest, rest.astype(np.float32)


@lru_cache(maxsize=1)
def aggregates() -> Aggregates:
    """What comes with the package."""
    packaged, digest = packaged_arrays(FILE)
    arrays = {name: values.astype(np.float32) for name, values in packaged.items()}
    return Aggregates(**arrays, sha256=digest)
