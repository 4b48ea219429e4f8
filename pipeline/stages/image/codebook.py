"""Compressed descriptors: a coarse cell and a product-quantized remainder.

Product quantization with an inverted list for each coarse cell is Jégou, Douze and Schmid, "Product
quantization for nearest neighbor search" (PAMI 2011), by FAISS. Both codebooks come with the
package: the same descriptor has the same code on every machine and in every index.
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
PARTS, WORDS = 32, 16
CODE_BYTES = PARTS // 2
"""A code holds `PARTS` words of 4 bits, the first of each pair in the lower half of its byte."""


@dataclass(frozen=True)
class Codebook:
    """What descriptors are compressed with.

    Attributes:
        cells: float32 (cells, 128), coarse centroids.
        words: float32 (32, 16, 4), for each four of the 128 numbers, what stands for the remainder
            that the coarse centroid leaves.
        sha256: of both (hex).
    """

    cells: NDArray[np.float32]
    words: NDArray[np.float32]
    sha256: str

    def nearest_cells(
        self, descriptors: NDArray[np.float32], count: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The nearest cells, int64 (n, count), and their squared distances, float32 (n, count)."""
        # Plain matrices: an asset has a few hundred descriptors, too few to be shared out.
        products = descriptors @ self.cells.T
        products *= -2
        products += np.square(self.cells).sum(axis=1)
        rows = np.arange(len(descriptors))
        cells = np.empty((len(descriptors), count), np.int64)
        distances = np.empty((len(descriptors), count), np.float32)
        # The least of each row, a few times over: quicker than any partial sort of 512.
        for rank in range(count):
            nearest = products.argmin(axis=1)
            cells[:, rank], distances[:, rank] = nearest, products[rows, nearest]
            products[rows, nearest] = np.inf
        distances += np.square(descriptors).sum(axis=1)[:, None]
        return cells, np.maximum(distances, 0)

    def encode(
        self, descriptors: NDArray[np.float32], cells: NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        """Codes uint8 (n, 16) of descriptors (n, 128) in their cells (n,)."""
        rest = np.ascontiguousarray(descriptors - self.cells[cells])
        codes: NDArray[np.uint8] = self._quantizer.compute_codes(rest)
        return codes.reshape(-1, CODE_BYTES)

    def decode(self, codes: NDArray[np.uint8], cells: NDArray[np.int64]) -> NDArray[np.float32]:
        """Descriptors float32 (n, 128), as near as the codes (n, 16) keep them."""
        rest = self._quantizer.decode(np.ascontiguousarray(codes))
        whole: NDArray[np.float32] = self.cells[cells] + rest.reshape(-1, DIMS)
        return whole

    @cached_property
    def _quantizer(self) -> Any:
        import faiss

        quantizer = faiss.ProductQuantizer(DIMS, PARTS, 4)
        faiss.copy_array_to_vector(np.ascontiguousarray(self.words).ravel(), quantizer.centroids)
        return quantizer


HALF_STEPS = 15
STRONGEST = 0.3
"""RootSIFT's numbers are kept in 16 equal steps up to this; hardly any is larger."""


def packed(descriptors: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Descriptors (n, 128) as uint8 (n, 64): 4 bits a number, the first in the lower half."""
    steps = np.rint(descriptors * (HALF_STEPS / STRONGEST)).clip(0, HALF_STEPS).astype(np.uint8)
    pairs: NDArray[np.uint8] = steps[:, ::2] | (steps[:, 1::2] << 4)
    return pairs


def unpacked(pairs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What `packed` kept: float32 (n, 128)."""
    steps = np.empty((len(pairs), DIMS), np.float32)
    steps[:, ::2], steps[:, 1::2] = pairs & 15, pairs >> 4
    whole: NDArray[np.float32] = steps * np.float32(STRONGEST / HALF_STEPS)
    return whole


@lru_cache(maxsize=1)
def codebook() -> Codebook:
    """The codebook that comes with the package."""
    arrays, digest = packaged_arrays(FILE)
    return Codebook(
        arrays["cells"].astype(np.float32),
        arrays["words"].astype(np.float32),
        digest,
    )


def packaged_arrays(file: Path) -> tuple[dict[str, NDArray[Any]], str]:
    """The arrays of a file that comes with the package, and its SHA-256 (hex).

    Raises:
        ModelError: if it is not there or damaged.
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
