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

MOST_FOUND, MOST_FEATURES = 400, 360
"""Features that are described, the strongest of the picture, and those of them that are kept."""
LAYERS = 2
"""Of each octave of the pyramid."""
PARTS_A_SIDE = 8
"""Parts of a picture, along each side, that have their turns of its features."""
CONTRAST = 0.01
"""SIFT's contrast threshold: low, since copies may be faded; the strongest are kept anyway."""
EDGE = 12.0
DIMS = 128
CELLS, DIRECTIONS = 4, 8


class View(Enum):
    """What an asset is taken for: as it is, mirrored, or a negative of what it shows.

    Mirroring or negating a picture permutes the numbers of a SIFT descriptor, so that these views
    cost no second look at the pixels. Turned pictures need none: SIFT follows a turn.
    """

    AS_IT_IS = "as it is"
    MIRRORED = "mirrored"
    NEGATIVE = "negative"

    @property
    def order(self) -> NDArray[np.intp]:
        """Permutation (128,) of a descriptor's numbers into those of the view.

        OpenCV lays a descriptor out as rows × columns × directions, in the keypoint's own frame.
        Mirroring exchanges the sides of the keypoint's direction, and the directions on them.
        In a negative every gradient points the other way, the keypoint's own direction too: the
        frame is turned by 180° and directions relative to it stay.
        """
        places = np.arange(DIMS).reshape(CELLS, CELLS, DIRECTIONS)
        if self is View.MIRRORED:
            places = places[::-1][:, :, -np.arange(DIRECTIONS) % DIRECTIONS]
        elif self is View.NEGATIVE:
            places = places[::-1, ::-1]
        return places.reshape(-1)


@dataclass(frozen=True)
class Features:
    """Local features of one picture, the strongest of its parts first.

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

    def places(self) -> NDArray[np.float64]:
        """Points (n, 2) on a scale on which the longer side is 1, so that angles are true."""
        return self.points.astype(np.float64) * extent(self.aspect)

    def seen_as(self, view: View) -> Features:
        """The features that the picture's other view would have, in the same order."""
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
        nfeatures=MOST_FOUND, nOctaveLayers=LAYERS, contrastThreshold=CONTRAST, edgeThreshold=EDGE
    )
    # Together: apart, each would make the pyramid of blurred pictures anew.
    found, every = sift.detectAndCompute(grey, None)
    if every is None or not len(found):
        nothing = np.zeros(0, np.float32)
        return (
            Features(nothing.reshape(0, 2), nothing, nothing, width / height),
            np.zeros((0, DIMS), np.float32),
        )
    order = _spread_out(found, width, height)
    kept, raw = [found[place] for place in order], every[order]
    points = np.array([k.pt for k in kept], np.float32)
    features = Features(
        ((points + 0.5) / (width, height)).astype(np.float32),
        np.array([k.size for k in kept], np.float32) / np.float32(max(height, width)),
        (np.array([k.angle for k in kept]) * (np.pi / 180)).astype(np.float32),
        width / height,
    )
    sums = raw.sum(axis=1, keepdims=True)
    descriptors: NDArray[np.float32] = np.sqrt(raw / np.maximum(sums, 1e-9)).astype(np.float32)
    return features, descriptors


def _spread_out(found: Sequence[cv2.KeyPoint], width: int, height: int) -> NDArray[np.intp]:
    """Places of the features that are kept, best first: the strongest of each part of the picture,
    then the second of each, and so on. A plain picture set into a rich one has its share, and the
    first few are as spread out as all.
    """
    places = np.array([k.pt for k in found])
    sizes = np.array([(k.size, k.angle) for k in found])
    strongest = np.lexsort(
        (
            sizes[:, 1],
            sizes[:, 0],
            places[:, 1],
            places[:, 0],
            np.array([-k.response for k in found]),
        )
    )
    grid = np.minimum(
        (places[strongest] * PARTS_A_SIDE / (width, height)).astype(int), PARTS_A_SIDE - 1
    )
    part = grid[:, 0] * PARTS_A_SIDE + grid[:, 1]
    by_part = np.argsort(part, kind="stable")
    starts = np.searchsorted(part[by_part], part[by_part])
    turn = np.empty(len(found), np.int64)
    turn[by_part] = np.arange(len(found)) - starts
    return strongest[np.argsort(turn, kind="stable")][:MOST_FEATURES]
