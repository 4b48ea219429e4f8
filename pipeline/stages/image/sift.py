"""Local features: SIFT keypoints of a picture and their RootSIFT descriptors.

SIFT is Lowe, "Distinctive image features from scale-invariant keypoints" (IJCV 2004), by OpenCV;
RootSIFT is Arandjelović and Zisserman, "Three things everyone should know to improve object
retrieval" (CVPR 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

MOST_DETECTED, MOST_FEATURES = 400, 360
"""Features that OpenCV describes, those of the highest response, and how many of them are
stored."""
LAYERS = 2
"""Layers of each octave of the scale space: Lowe has 3; fewer cost less time."""
GRID_SIDE = 8
"""Cells of a picture, along each side, that share out the stored features among them."""
CONTRAST = 0.01
"""SIFT's contrast threshold (OpenCV's default: 0.04): low, since copies may be faded; only the
strongest are stored anyway."""
EDGE = 12.0
"""SIFT's edge threshold (Lowe: 10): the largest ratio of principal curvatures."""
DIMS = 128
"""Numbers of a descriptor: 4 × 4 cells of 8 directions."""
CELLS, DIRECTIONS = 4, 8


class View(Enum):
    """A variant of the asset that is compared: as it is, mirrored, or its (photographic) negative.

    Mirroring or negating a picture permutes the numbers of a SIFT descriptor, so features need not
    be extracted again. Rotation needs no view: SIFT is invariant to it.
    """

    AS_IT_IS = "as it is"
    MIRRORED = "mirrored"
    NEGATIVE = "negative"

    @property
    def order(self) -> NDArray[np.intp]:
        """Permutation (128,) of a descriptor's numbers into those of the view.

        OpenCV stores a descriptor as rows × columns × directions, relative to the keypoint's
        direction. Mirroring exchanges the two sides of that direction, and the directions on them.
        In a negative every gradient is reversed, the keypoint's direction too: the frame is rotated
        by 180° and directions relative to it stay.
        """
        indexes = np.arange(DIMS).reshape(CELLS, CELLS, DIRECTIONS)
        if self is View.MIRRORED:
            indexes = indexes[::-1][:, :, -np.arange(DIRECTIONS) % DIRECTIONS]
        elif self is View.NEGATIVE:
            indexes = indexes[::-1, ::-1]
        return indexes.reshape(-1)


@dataclass(frozen=True)
class Features:
    """Local features of one picture, the strongest of each grid cell first.

    Attributes:
        points: float32 (n, 2), x and y as shares of the picture's width and height.
        sizes: float32 (n,), diameter as a share of the longer side.
        angles: float32 (n,), direction in radians, from the x axis towards the y axis (down).
        aspect: width divided by height.
    """

    points: NDArray[np.float32]
    sizes: NDArray[np.float32]
    angles: NDArray[np.float32]
    aspect: float

    def __len__(self) -> int:
        return len(self.points)

    def positions(self) -> NDArray[np.float64]:
        """Points (n, 2) on a scale on which the longer side is 1, so that angles are true."""
        return self.points.astype(np.float64) * extent(self.aspect)

    def in_view(self, view: View) -> Features:
        """The features that the mirrored or negated picture would have, in the same order."""
        if view is View.MIRRORED:
            points = self.points.copy()
            points[:, 0] = 1 - points[:, 0]
            return Features(points, self.sizes, np.float32(np.pi) - self.angles, self.aspect)
        if view is View.NEGATIVE:
            return Features(self.points, self.sizes, self.angles + np.float32(np.pi), self.aspect)
        return self


def extent(aspect: float) -> NDArray[np.float64]:
    """(width, height) of a picture whose longer side is 1."""
    return np.array([min(1.0, aspect), min(1.0, 1.0 / aspect)])


def extract(grey: NDArray[np.uint8]) -> tuple[Features, NDArray[np.float32]]:
    """Features of a picture and their descriptors.

    Args:
        grey: uint8 (height, width), as made by `pipeline.load.detail`.

    Returns:
        The features, and float32 (n, 128) RootSIFT descriptors of unit length.
    """
    height, width = grey.shape
    sift = cv2.SIFT.create(
        nfeatures=MOST_DETECTED,
        nOctaveLayers=LAYERS,
        contrastThreshold=CONTRAST,
        edgeThreshold=EDGE,
    )
    # In one call: detect() and compute() would each build the scale space.
    keypoints, raw = sift.detectAndCompute(grey, None)
    if raw is None or not len(keypoints):
        nothing = np.zeros(0, np.float32)
        return (
            Features(nothing.reshape(0, 2), nothing, nothing, width / height),
            np.zeros((0, DIMS), np.float32),
        )
    order = _spread_out(keypoints, width, height)
    keypoints, raw = [keypoints[index] for index in order], raw[order]
    points = np.array([k.pt for k in keypoints], np.float32)
    features = Features(
        ((points + 0.5) / (width, height)).astype(np.float32),
        np.array([k.size for k in keypoints], np.float32) / np.float32(max(height, width)),
        (np.array([k.angle for k in keypoints]) * (np.pi / 180)).astype(np.float32),
        width / height,
    )
    sums = raw.sum(axis=1, keepdims=True)
    descriptors: NDArray[np.float32] = np.sqrt(raw / np.maximum(sums, 1e-9)).astype(np.float32)
    return features, descriptors


def _spread_out(keypoints: Sequence[cv2.KeyPoint], width: int, height: int) -> NDArray[np.intp]:
    """Indexes of the features that are stored, best first: the strongest of each cell of an 8 × 8
    grid, then the second of each, and so on. So a plain picture that is set into a detailed one has
    features too, and the first few are as spread out as all.
    """
    points = np.array([k.pt for k in keypoints])
    sizes = np.array([(k.size, k.angle) for k in keypoints])
    # By response; ties by position, size and direction, since OpenCV's order may vary.
    strongest = np.lexsort(
        (
            sizes[:, 1],
            sizes[:, 0],
            points[:, 1],
            points[:, 0],
            np.array([-k.response for k in keypoints]),
        )
    )
    grid = np.minimum((points[strongest] * GRID_SIDE / (width, height)).astype(int), GRID_SIDE - 1)
    cell = grid[:, 0] * GRID_SIDE + grid[:, 1]
    by_cell = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[by_cell], cell[by_cell])
    rank_in_cell = np.empty(len(keypoints), np.int64)
    rank_in_cell[by_cell] = np.arange(len(keypoints)) - starts
    return strongest[np.argsort(rank_in_cell, kind="stable")][:MOST_FEATURES]
