"""A picture's grey levels, averaged down: what detail, pHash and local features are read from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LARGEST_EDGE = 256
"""Pixels of the longer side. SIFT doubles it for its finest octave."""


def to_grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey levels of a frame, averaged down to a longer side of at most `LARGEST_EDGE` pixels.

    Args:
        frame: uint8 (height, width, 3) sRGB.

    Returns:
        uint8 (height, width), each side at least 1.
    """
    import cv2

    height, width = frame.shape[:2]
    # First: averaging three channels costs three times as much.
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    scale = LARGEST_EDGE / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)
