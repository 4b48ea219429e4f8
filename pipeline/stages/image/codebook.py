"""Compressed descriptors: a coarse centroid and a product-quantized residual.

Product quantization with an inverted list for each coarse centroid (IVF-PQ) is Jégou, Douze and
Schmid, "Product quantization for nearest neighbor search" (PAMI 2011), by FAISS. Both codebooks
come with the package: the same descriptor has the same code on every machine and in every index.

Worked example: a descriptor, float32 (128,), is nearest to coarse centroid 37 of 512. The residual,
(128,), is cut into 32 parts of 4 numbers, one for each sub-quantizer. Each has 16 codewords (4,);
the index of the nearest is 4 bits. 32 × 4 bits = 16 bytes, and 2 bytes for the centroid (stored in
the column `cells`), stand for 512 bytes. The search compares descriptors in this form. For
verification `packed` keeps 4 bits for each of the 128 numbers, 64 bytes, which lose far less.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import ModelError
from pipeline.stages.image.sift import DIMS

FILE = Path(__file__).with_name("codebook.safetensors")
SUB_QUANTIZERS, CODEWORDS = 32, 16
"""16 codewords: 4 bits each, for which FAISS has a fast search by table look-up."""
CODE_BYTES = SUB_QUANTIZERS // 2
"""Two 4-bit indexes in a byte, the first of each pair in the lower half."""


@dataclass(frozen=True)
class Codebook:
    """Centroids and codewords by which descriptors are compressed.

    Attributes:
        centroids: float32 (512, 128), coarse centroids.
        codewords: float32 (32, 16, 4), of each sub-quantizer, for four of the residual's numbers.
        sha256: of the file that has both (hex).
    """

    centroids: NDArray[np.float32]
    codewords: NDArray[np.float32]
    sha256: str

    def nearest_centroids(
        self, descriptors: NDArray[np.float32], count: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The nearest coarse centroids of descriptors (n, 128), int64 (n, count), and the squared
        distances to them, float32 (n, count).
        """
        # NumPy: an asset has a few hundred descriptors, too few for FAISS's threads to pay.
        products = descriptors @ self.centroids.T
        products *= -2
        products += np.square(self.centroids).sum(axis=1)
        rows = np.arange(len(descriptors))
        cells = np.empty((len(descriptors), count), np.int64)
        distances = np.empty((len(descriptors), count), np.float32)
        # The least of each row, `count` times: quicker than a partial sort of 512.
        for rank in range(count):
            nearest = products.argmin(axis=1)
            cells[:, rank], distances[:, rank] = nearest, products[rows, nearest]
            products[rows, nearest] = np.inf
        distances += np.square(descriptors).sum(axis=1)[:, None]
        return cells, np.maximum(distances, 0)

    def encode(
        self, descriptors: NDArray[np.float32], cells: NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        """Codes uint8 (n, 16) of descriptors (n, 128) with the coarse centroids `cells` (n,)."""
        residuals = np.ascontiguousarray(descriptors - self.centroids[cells])
        codes: NDArray[np.uint8] = self._quantizer.compute_codes(residuals)
        return codes.reshape(-1, CODE_BYTES)

    def decode(self, codes: NDArray[np.uint8], cells: NDArray[np.int64]) -> NDArray[np.float32]:
        """Approximate descriptors float32 (n, 128) of codes (n, 16)."""
        residuals = self._quantizer.decode(np.ascontiguousarray(codes))
        descriptors: NDArray[np.float32] = self.centroids[cells] + residuals.reshape(-1, DIMS)
        return descriptors

    @cached_property
    def _quantizer(self) -> Any:
        import faiss

        quantizer = faiss.ProductQuantizer(DIMS, SUB_QUANTIZERS, 4)
        faiss.copy_array_to_vector(
            np.ascontiguousarray(self.codewords).ravel(), quantizer.centroids
        )
        return quantizer


STEPS = 15
LARGEST = 0.3
"""RootSIFT's numbers are quantized in 15 equal steps from 0 to this; hardly any is larger."""


def packed(descriptors: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Descriptors (n, 128) as uint8 (n, 64): 4 bits a number, the first in the lower half."""
    steps = np.rint(descriptors * (STEPS / LARGEST)).clip(0, STEPS).astype(np.uint8)
    pairs: NDArray[np.uint8] = steps[:, ::2] | (steps[:, 1::2] << 4)
    return pairs


def unpacked(pairs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Approximate descriptors, float32 (n, 128), of `packed` ones (n, 64)."""
    steps = np.empty((len(pairs), DIMS), np.float32)
    steps[:, ::2], steps[:, 1::2] = pairs & 15, pairs >> 4
    descriptors: NDArray[np.float32] = steps * np.float32(LARGEST / STEPS)
    return descriptors


@lru_cache(maxsize=1)
def codebook() -> Codebook:
    """The packaged codebook."""
    arrays, digest = packaged_arrays(FILE)
    return Codebook(
        arrays["cells"].astype(np.float32),
        arrays["words"].astype(np.float32),
        digest,
    )


def packaged_arrays(file: Path) -> tuple[dict[str, NDArray[Any]], str]:
    """The arrays of a packaged safetensors file, and its SHA-256 (hex).

    Raises:
        ModelError: if it is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        data = file.read_bytes()
        return load(data), hashlib.sha256(data).hexdigest()
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{file.name}, which comes with Clearance, can't be read "
            f"({getattr(error, 'strerror', None) or error}); install Clearance again."
        ) from error
