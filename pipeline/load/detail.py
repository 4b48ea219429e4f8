"""Whether a picture holds enough detail to be told from others.

A white, a red and a gradient picture share one perceptual hash, and an embedding of nothing is
near every other embedding of nothing. Every image stage asks this question first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.load.grey import to_grey

SIDE = 64
BLOCK = 8
LEAST_ROUGHNESS = 2.0
"""Standard deviation, in grey levels of 255, above which a block shows something."""
LEAST_BLOCKS = 10
"""Blocks of 64 that must show something."""
ENOUGH_BLOCKS = 16
"""Blocks that are detail wherever they lie: a straight edge, at any angle, crosses 15 at most."""
LEAST_BREADTH = 0.6
"""Standard deviation, in blocks, of fewer blocks' places across the line they lie along.

Of the blocks that a straight edge crosses, the middles lie within 0.71 of it, with a deviation of
about 0.41; of ten in a clump, 0.8 or more.
"""


def detailed_blocks(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which blocks of a picture hold detail, bool (8, 8).

    The picture is averaged down to 64 × 64 grey levels and cut into 8 × 8 blocks; a plane is
    fitted to each and taken off, so that flat areas and smooth gradients hold none.

    Args:
        grey: uint8 (height, width), as made by `pipeline.load.grey`.
    """
    import cv2

    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    count = SIDE // BLOCK
    blocks = small.reshape(count, BLOCK, count, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK * BLOCK)
    rest = blocks - blocks @ _PLANES.T @ _PLANES
    rough: NDArray[np.bool_] = rest.std(axis=1) > LEAST_ROUGHNESS
    return rough.reshape(count, count)


def has_detail(frame: NDArray[np.uint8]) -> bool:
    """Whether a picture, uint8 (height, width, 3) sRGB, can be told from others."""
    return grey_has_detail(to_grey(frame))


def grey_has_detail(grey: NDArray[np.uint8]) -> bool:
    """Whether enough blocks of the picture hold detail, and those not along one straight edge.

    Args:
        grey: uint8 (height, width), as made by `pipeline.load.grey`.
    """
    places = np.argwhere(detailed_blocks(grey)).astype(np.float64)
    if not LEAST_BLOCKS <= len(places) < ENOUGH_BLOCKS:
        return len(places) >= ENOUGH_BLOCKS
    lengths = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    return bool(lengths[1] >= LEAST_BREADTH * len(places) ** 0.5)


def _planes() -> NDArray[np.float64]:
    """An orthonormal basis (3, 64) of the planes over a block."""
    y, x = np.mgrid[:BLOCK, :BLOCK] - (BLOCK - 1) / 2
    basis = np.stack([np.ones(BLOCK * BLOCK), x.reshape(-1), y.reshape(-1)])
    scaled: NDArray[np.float64] = basis / np.linalg.norm(basis, axis=1, keepdims=True)
    return scaled


_PLANES = _planes()


def golden_picture(side: int = 160) -> NDArray[np.uint8]:
    """The picture of golden fingerprints: drawn by integer arithmetic, so its bytes are the same on
    every machine.

    Returns:
        uint8 (side, side, 3).
    """
    y, x = np.mgrid[:side, :side].astype(np.int64)
    red = (x * y // 7 + 3 * x) % 256
    green = ((x // 20 + y // 14) % 2) * 150 + (x * x // 31 + y) % 100
    blue = ((x - side // 3) ** 2 + (y - side // 2) ** 2) // 40 % 256
    return np.stack([red, green, blue], axis=2).astype(np.uint8)
