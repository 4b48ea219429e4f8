"""Greyscale, and the texture gate: whether a frame has enough detail to be compared with others.

A white, a red and a gradient picture share one perceptual hash, and the embeddings of blank
pictures are close to each other. So every image stage abstains below this gate ("too little
detail").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LARGEST_EDGE = 256
"""Pixels of the longer side of a greyscale frame. SIFT doubles it for its finest octave."""

SIDE = 64
BLOCK = 8
MIN_BLOCK_STD = 2.0
"""Standard deviation, in grey levels of 255, above which a block has texture."""
MIN_BLOCKS = 10
"""Of 64 blocks, those that must have texture."""
ENOUGH_BLOCKS = 16
"""Blocks that suffice wherever they are: a straight edge, at any angle, crosses 15 at most."""
MIN_SPREAD = 0.6
"""Standard deviation of the blocks' positions across their main axis, in blocks; applies to fewer
than `ENOUGH_BLOCKS`.

Blocks crossed by one straight edge have centres within 0.71 of it, and a deviation of about 0.41;
ten blocks in a clump have 0.8 or more.
"""


def to_grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey levels of a frame, averaged down to a longer side of at most `LARGEST_EDGE` pixels.

    Args:
        frame: uint8 (height, width, 3) sRGB.

    Returns:
        uint8 (height, width), each side at least 1.
    """
    import cv2

    height, width = frame.shape[:2]
    # Before scaling: averaging three channels costs three times as much.
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    scale = LARGEST_EDGE / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)


def detailed_blocks(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which blocks of a frame have texture, bool (8, 8).

    The frame is averaged down to 64 × 64 grey levels and cut into 8 × 8 blocks. A plane is fitted
    to each and subtracted, so that flat areas and smooth gradients have no texture.

    Args:
        grey: uint8 (height, width), from `to_grey`.
    """
    import cv2

    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    count = SIDE // BLOCK
    blocks = small.reshape(count, BLOCK, count, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK * BLOCK)
    residual = blocks - blocks @ _PLANES.T @ _PLANES
    textured: NDArray[np.bool_] = residual.std(axis=1) > MIN_BLOCK_STD
    return textured.reshape(count, count)


def has_detail(frame: NDArray[np.uint8]) -> bool:
    """Whether a frame, uint8 (height, width, 3) sRGB, passes the texture gate."""
    return grey_has_detail(to_grey(frame))


def grey_has_detail(grey: NDArray[np.uint8]) -> bool:
    """Whether enough blocks have texture, and not all of them along one straight edge.

    Args:
        grey: uint8 (height, width), from `to_grey`.
    """
    positions = np.argwhere(detailed_blocks(grey)).astype(np.float64)
    if not MIN_BLOCKS <= len(positions) < ENOUGH_BLOCKS:
        return len(positions) >= ENOUGH_BLOCKS
    # Singular values over the square root of the count are the deviations along the two main axes.
    singular = np.linalg.svd(positions - positions.mean(axis=0), compute_uv=False)
    return bool(singular[1] >= MIN_SPREAD * len(positions) ** 0.5)


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
