"""The verified overlap of a work and an asset: reading its measures, checking the transform, and
putting it in words.

Values may come from a results file that was altered, so none of them raises an error; a transform
that can't be drawn is `Undrawable` and says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.records import Value
from pipeline.core.wording.text import count, listed, percent, visible

STAGE = "local_features"
"""The stage that measures overlaps."""

MEASURES = (
    "overlap_inliers",
    "overlap_asset_share",
    "overlap_work_share",
    "overlap_agreement",
    "overlap_transform",
    "overlap_negative",
    "overlap_frame",
    "overlap_found_by",
)

LEAST_SHARE = 1e-4
"""Share of the asset and of the work that an overlap must cover to be drawn."""

LEAST_TURN = 1.0
"""Degrees; smaller rotations are errors of the fit and are not mentioned."""

LEAST_SCALING = 0.03
LEAST_TILT = 0.05
"""Difference of depth within the overlap, as a share, below which perspective is not mentioned."""

LEAST_SKEW = 0.1

_WHOLE = 0.999  # a share from which a picture counts as covered completely
_NEAREST = 1e-3  # of the largest depth of a corner: smaller ones are at or behind the horizon
_SHALLOWEST = 1e-6  # of the largest number; below, the work would be a million assets away
_THINNEST = 1e-7  # area of the whole work, in areas of the asset


@dataclass(frozen=True, slots=True)
class Undrawable:
    """Why an overlap can't be drawn: the end of a sentence."""

    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """A transform that can be drawn, with the part of the work that is within the asset.

    Coordinates are fractions of a picture's width and height, (0, 0) its upper left corner.

    Attributes:
        matrix: float64 (3, 3), maps the work's coordinates to the asset's; depth is positive all
            over the work.
        in_asset: float64 (n, 2), the overlap as a convex polygon in the asset, n >= 3.
        in_work: float64 (n, 2), the same corners in the work.
    """

    matrix: NDArray[np.float64]
    in_asset: NDArray[np.float64]
    in_work: NDArray[np.float64]

    @property
    def asset_share(self) -> float:
        """The part of the asset's area that the overlap covers."""
        return _area(self.in_asset)

    @property
    def work_share(self) -> float:
        """The part of the work's area that is within the asset."""
        return _area(self.in_work)


@dataclass(frozen=True, slots=True)
class Overlap:
    """The measures of one verified overlap; None where a value is missing or invalid.

    Attributes:
        inliers: local features that agree with the transform.
        asset_share, work_share: parts of the asset's and the work's area in which the two agree
            under the transform, 0 to 1; the area inside the outline may be larger.
        agreement: correlation of the two pictures within it, 0 to 1.
        transform: as stored; `placement` reads it.
        negative: whether the asset is a negative of the work there.
        frame: frame number in the asset's file.
        found_by: titles of the stages that proposed the work as a candidate.
    """

    inliers: int | None
    asset_share: float | None
    work_share: float | None
    agreement: float | None
    transform: str | None
    negative: bool
    frame: int
    found_by: str

    @property
    def agreed(self) -> tuple[float | None, float | None]:
        """`asset_share` and `work_share`."""
        return self.asset_share, self.work_share


def overlap_of(measures: Mapping[str, Value]) -> Overlap | None:
    """The overlap in a match's measures; None if the stage found none, or did not run."""
    transform, found_by = measures.get("overlap_transform"), measures.get("overlap_found_by")
    inliers, frame = _whole(measures.get("overlap_inliers")), measures.get("overlap_frame")
    if not isinstance(transform, str) and inliers is None:
        return None
    return Overlap(
        inliers=inliers,
        asset_share=_share(measures.get("overlap_asset_share")),
        work_share=_share(measures.get("overlap_work_share")),
        agreement=_share(measures.get("overlap_agreement")),
        transform=transform if isinstance(transform, str) else None,
        negative=measures.get("overlap_negative") is True,
        frame=_whole(frame) or 0,
        found_by=visible(found_by).strip() if isinstance(found_by, str) else "",
    )


def _whole(value: Value) -> int | None:
    good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return int(value) if good and value is not None else None


def _share(value: Value) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0.0 <= value <= 1.0 else None  # NaN is not


def placement(transform: str | None) -> Placement | Undrawable:
    """A stored transform, read and checked.

    Args:
        transform: nine numbers separated by spaces, the rows of a 3×3 homography that maps the
            work's coordinates to the asset's, both in fractions of width and height.
    """
    if transform is None or not transform.strip():
        return Undrawable("no transform is stored")
    try:
        numbers = [float(number) for number in transform.split()]
    except ValueError:
        return Undrawable("the stored transform is not nine numbers")
    if len(numbers) != 9:
        return Undrawable("the stored transform is not nine numbers")
    if not all(math.isfinite(number) for number in numbers):
        return Undrawable("the stored transform holds numbers that are not finite")
    return _placed(np.array(numbers).reshape(3, 3))


def _placed(matrix: NDArray[np.float64]) -> Placement | Undrawable:
    largest = float(np.abs(matrix).max())
    if largest == 0.0:
        return Undrawable("the stored transform is all zeros")
    matrix = matrix / largest
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    corners = np.hstack([square, np.ones((4, 1))]) @ matrix.T
    if corners[:, 2].sum() < 0:
        matrix, corners = -matrix, -corners
    depth = corners[:, 2]
    if depth.min() <= _NEAREST * depth.max():
        return Undrawable("the stored transform puts a part of the work behind the horizon")
    if depth.max() < _SHALLOWEST:
        return Undrawable("the stored transform enlarges the work, or moves it, beyond measure")
    if _area(corners[:, :2] / depth[:, None]) < _THINNEST:
        return Undrawable("the stored transform flattens the work")
    overlap = _within_asset(np.hstack([corners, square]))
    if len(overlap) < 3:
        return Undrawable("the stored transform puts the work outside the asset")
    placed = Placement(matrix, overlap[:, :2] / overlap[:, 2:3], overlap[:, 3:])
    if min(placed.asset_share, placed.work_share) < LEAST_SHARE:
        return Undrawable("the overlap is too small to be drawn")
    return placed


def _within_asset(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """The work's outline clipped to the asset's four edges (Sutherland and Hodgman, 1974).

    Args:
        corners: (n, 5), a corner's homogeneous coordinates in the asset, then its coordinates in
            the work. They are linear in each other, so all five are clipped at once.
    """
    for normal in ((1, 0, 0), (0, 1, 0), (-1, 0, 1), (0, -1, 1)):  # x >= 0, y >= 0, x <= 1, y <= 1
        side = corners[:, :3] @ np.array(normal, dtype=float)
        clipped = []
        for n, corner in enumerate(corners):
            before = n - 1
            if (side[n] >= 0) != (side[before] >= 0):
                part = side[before] / (side[before] - side[n])
                clipped.append(corners[before] + part * (corner - corners[before]))
            if side[n] >= 0:
                clipped.append(corner)
        corners = np.array(clipped).reshape(-1, 5)
    return corners


def _area(polygon: NDArray[np.float64]) -> float:
    """Area of a polygon, clockwise or anticlockwise."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def transform_words(placed: Placement) -> str:
    """What the transform does to the work: `as it is`, or `mirrored, turned by 12° clockwise, …`.

    The angle does not depend on the pictures' sizes, which are not known here: in
    (a b; c d) = scaling · rotation · scaling, both scalings along the axes, tan² of the angle is
    -bc/ad.
    A scale is that of the work's picture to the asset's: at 1 it would fill the asset.
    """
    (a, b), (c, d) = _derivative(placed).tolist()
    mirrored = a * d - b * c < 0
    if mirrored:  # left to right first, then rotated
        a, c = -a, -c
    straight, across = a * d, -b * c
    cosine = math.copysign(math.sqrt(max(straight, 0.0)), a + d)
    sine = math.copysign(math.sqrt(max(across, 0.0)), c - b)
    turn = math.degrees(math.atan2(sine, cosine))
    size = math.sqrt(straight + across)
    words = []
    if mirrored and abs(abs(turn) - 180) < LEAST_TURN:
        words.append("mirrored top to bottom")
    else:
        words += ["mirrored"] * mirrored
        if abs(turn) >= LEAST_TURN:
            words.append(f"turned by {_degrees(turn)}")
    if abs(size - 1) >= LEAST_SCALING:
        words.append(f"scaled by {size:.2g}" if size < 0.1 else f"scaled by {size:.2f}")
    if -min(straight, across) > LEAST_SKEW**2 * max(straight, across):
        words.append("skewed")
    depth = np.hstack([placed.in_work, np.ones((len(placed.in_work), 1))]) @ placed.matrix[2]
    if depth.max() / depth.min() - 1 >= LEAST_TILT:
        words.append("in perspective")
    return ", ".join(words) or "as it is"


def _derivative(placed: Placement) -> NDArray[np.float64]:
    """(2, 2), the asset's coordinates by the work's, in the middle of the overlap."""
    middle = np.append(placed.in_work.mean(axis=0), 1.0)
    x, y, depth = placed.matrix @ middle
    point = np.array([x, y]) / depth
    linear: NDArray[np.float64] = (
        placed.matrix[:2, :2] - np.outer(point, placed.matrix[2, :2])
    ) / depth
    return linear


def _degrees(turn: float) -> str:
    whole = round(abs(turn))
    if whole == 180:
        return "180°"
    return f"{whole}° {'clockwise' if turn > 0 else 'anticlockwise'}"


def overlap_sentence(overlap: Overlap) -> str:
    """The overlap as one sentence for a reviewer; it says only what was measured."""
    placed = placement(overlap.transform)
    facts = [_shares(overlap)]
    if isinstance(placed, Placement):
        words = transform_words(placed)
        facts += [f"{words} (at 1 it would fill the asset)" if "scaled by" in words else words]
    facts += ["as a negative"] * overlap.negative
    if overlap.inliers:
        facts.append(f"{count(overlap.inliers, 'agreeing point')}")
    if overlap.agreement is not None:
        facts.append(f"agreement {overlap.agreement:.2f} (1 is the same picture)")
    if overlap.found_by:
        facts.append(f"proposed by {listed(overlap.found_by.split(', '))}")
    if overlap.frame:
        facts.append(f"in frame {overlap.frame + 1:,} of the file")
    lead = "The work’s picture lies in the asset"
    if (overlap.asset_share or 0.0) >= 0.995 and (overlap.work_share or 1.0) < 0.995:
        lead = "The asset shows a part of the work’s picture"
    return f"{lead}: {'; '.join(fact for fact in facts if fact)}."


def _shares(overlap: Overlap) -> str:
    of = (
        (overlap.asset_share, "of the asset"),
        (overlap.work_share, "of the work"),
    )
    covered = [f"{percent(share, whole=_WHOLE)} {what}" for share, what in of if share is not None]
    return f"the two agree over {' and '.join(covered)}" if covered else ""
