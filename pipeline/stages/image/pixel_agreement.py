"""Whether two pictures show the same where a transform lays one on the other.

Features say that some points agree; this looks at everything that lies between them. A logo or a
line of text that two pictures share gives points that agree and an overlap that does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 128
"""Edge of the grey pictures that are compared, squashed to a square."""
MOST_CELLS, FEWEST_CELLS = 32, 10
"""Cells a side into which what is seen of the work is divided: no finer than either's pixels."""
WINDOW = 7
"""Cells a side over which a correlation is taken."""
FLAT = 2.5
"""Standard deviation in grey levels, of 255, up to which a window shows nothing to compare."""
ALIKE = 0.5
"""Correlation from which a window counts as the same."""
UNLIKE = 0.25
"""Correlation below which a window in which both pictures show something counts as different."""
WHOLE = 0.6
"""Share of a window that must lie in both pictures."""
PATCH, REFINEMENTS = 48, 40
MOST_MOVED = 0.2
"""How far a corner of what overlaps may be moved, as a share of its edge."""
LARGEST_NUMBER = 1e4
"""In a transform between shares; beyond it one picture is a speck in the other."""
NEARBY = 4
"""Shifts of a patch, in its pixels, that are no other place."""
SMALLEST = 6.0
"""Pixels of either reduced picture, along a side, below which nothing can be compared."""


@dataclass(frozen=True)
class Overlap:
    """What of two pictures is the same under a transform.

    Attributes:
        agreement: mean correlation, in [0, 1], of the windows in which the work shows something
            and which lie in the asset; windows of a pattern that repeats count for little.
        contradiction: share, weighted in the same way, of the windows in which both show
            something and show different things, in [0, 1]: what two pictures that share no more
            than a frame or a mark have.
        work_share: share of the work's area that agrees, in [0, 1].
        asset_share: share of the asset's area that it covers, in [0, 1].
    """

    agreement: float
    contradiction: float
    work_share: float
    asset_share: float


def reduced(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture as it is kept for comparison: uint8 (128, 128)."""
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8)


def overlap(
    asset: NDArray[np.uint8],
    work: NDArray[np.uint8],
    transform: NDArray[np.float64],
    *,
    negative: bool,
    patterns: bool = True,
) -> Overlap:
    """Compares the two under a transform, window by window.

    Args:
        asset, work: uint8 (128, 128), as by `reduced`.
        transform: float64 (3, 3), from shares of the work's width and height to the asset's.
        negative: whether the asset shows the work's negative.
        patterns: whether windows of patterns count for less, which takes as long again.
    """
    box = _seen(transform)
    if box is None:
        return NOTHING
    left, top, right, bottom = box
    scale = _scale(transform)
    span = SIDE * float(np.sqrt((right - left) * (bottom - top)))
    pixels = min(span, span * scale)
    if pixels < SMALLEST:
        return NOTHING
    count = int(np.clip(pixels, FEWEST_CELLS, MOST_CELLS))
    centres = (np.arange(count) + 0.5) / count
    x, y = np.meshgrid(left + centres * (right - left), top + centres * (bottom - top))
    at = np.stack([x, y, np.ones_like(x)], axis=-1) @ transform.T
    places = at[..., :2] / at[..., 2:]
    seen = np.asarray(((places > 0) & (places < 1)).all(axis=-1), np.float32)
    theirs = _sampled(work, x, y, span / count)
    mine = _sampled(asset, places[..., 0], places[..., 1], span * scale / count)
    if negative:
        mine = 255 - mine
    return _compared(
        mine, theirs, seen, (right - left) * (bottom - top), scale**2, patterns=patterns
    )


def refined(
    asset: NDArray[np.uint8],
    work: NDArray[np.uint8],
    transform: NDArray[np.float64],
    *,
    negative: bool,
) -> NDArray[np.float64]:
    """The transform, moved a little to where the two pictures agree best.

    Few features place a picture roughly; its pixels place it well. Evangelidis and Psarakis,
    "Parametric image alignment using enhanced correlation coefficient maximization" (PAMI 2008),
    by OpenCV. Arguments as in `overlap`; the same transform where there is nothing to go by.
    """
    patches = _patches(asset, work, transform, negative=negative)
    if patches is None:
        return transform
    mine, theirs, inside, patch = patches
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, REFINEMENTS, 1e-4)
    try:
        _, moved = cv2.findTransformECC(
            theirs,
            mine,
            np.eye(2, 3, dtype=np.float32),
            cv2.MOTION_AFFINE,
            criteria,
            inside.astype(np.uint8) * 255,
            5,
        )
    except cv2.error:  # it did not converge: no better place is known
        return transform
    change = np.vstack([moved.astype(np.float64), [0.0, 0.0, 1.0]])
    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) * [PATCH, PATCH, 1]
    if not np.abs((corners @ change.T - corners) / PATCH).max() <= MOST_MOVED:
        return transform  # it ran away: any two pictures agree in a speck
    better: NDArray[np.float64] = transform @ patch @ change @ np.linalg.inv(patch)
    return better


def repeats(
    asset: NDArray[np.uint8],
    work: NDArray[np.uint8],
    transform: NDArray[np.float64],
    *,
    negative: bool,
) -> float:
    """How well the pictures also agree when the work is shifted: near 1 for a repeated pattern.

    Two checkerboards agree wherever one is laid on the other, and that says little of copying.

    Args:
        asset, work, transform, negative: as in `overlap`.

    Returns:
        The agreement under the likeliest shift, as a share of that without, in [0, 1].
    """
    patches = _patches(asset, work, transform, negative=negative)
    if patches is None:
        return 0.0
    mine, theirs, _, patch = patches
    quarter = PATCH // 4
    middle = theirs[quarter:-quarter, quarter:-quarter]
    if middle.std() < FLAT:
        return 0.0
    near = cv2.matchTemplate(mine, middle, cv2.TM_CCOEFF_NORMED)
    near[quarter - NEARBY : quarter + NEARBY + 1, quarter - NEARBY : quarter + NEARBY + 1] = -1
    _, _, _, (x, y) = cv2.minMaxLoc(near)
    shift = np.eye(3)
    shift[:2, 2] = x - quarter, y - quarter
    moved = transform @ patch @ shift @ np.linalg.inv(patch)
    here = overlap(asset, work, transform, negative=negative, patterns=False).agreement
    there = overlap(asset, work, moved, negative=negative, patterns=False).agreement
    return min(1.0, there / here) if here > 0 else 0.0


def _patches(
    asset: NDArray[np.uint8],
    work: NDArray[np.uint8],
    transform: NDArray[np.float64],
    *,
    negative: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]] | None:
    """Both pictures where they overlap, laid on each other, float32 (48, 48) each; what of that
    lies in the asset; and the matrix from its pixels to shares of the work. None if there is
    nothing to see.
    """
    box = _seen(transform)
    if box is None:
        return None
    left, top, right, bottom = box
    wide, tall = (right - left) / PATCH, (bottom - top) / PATCH
    patch = np.array([[wide, 0.0, left + 0.5 * wide], [0.0, tall, top + 0.5 * tall], [0, 0, 1.0]])
    x, y = np.meshgrid(np.arange(PATCH), np.arange(PATCH))
    at = np.stack([x, y, np.ones_like(x)], axis=-1) @ (transform @ patch).T
    places = at[..., :2] / at[..., 2:]
    scale = _scale(transform)
    span = SIDE * float(np.sqrt((right - left) * (bottom - top)))
    if min(span, span * scale) < SMALLEST:
        return None
    # Both as coarse as the coarser of them.
    coarser = max(span, span * scale) / min(span, span * scale, PATCH)
    theirs = _sampled(
        work, x * wide + patch[0, 2], y * tall + patch[1, 2], coarser * min(1.0, 1 / scale)
    )
    mine = _sampled(asset, places[..., 0], places[..., 1], coarser * min(1.0, scale))
    if negative:
        mine = 255 - mine
    inside = np.asarray(((places > 0) & (places < 1)).all(axis=-1), np.bool_)
    if theirs.std() < FLAT or mine[inside].std() < FLAT:
        return None
    return mine, theirs, inside, patch


def whole_transform(
    asset: NDArray[np.uint8], work: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], bool] | None:
    """The likeliest transform of the whole work onto the whole asset, and whether as a negative.

    Of the eight turned and mirrored forms, the one in which the two correlate most when they are
    reduced to 16 × 16; None if they hardly do in any. Arguments as in `overlap`.
    """
    mine, theirs = _coarse(asset).ravel(), _coarse(work)
    forms = [cv2.warpPerspective(theirs, matrix, (COARSE, COARSE)).ravel() for matrix in _TURNS]
    correlations = np.stack(forms) @ mine
    likeliest = int(np.abs(correlations).argmax())
    if abs(correlations[likeliest]) <= WHOLE_ALIKE:
        return None
    return _FORMS[likeliest], bool(correlations[likeliest] < 0)


def _coarse(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A picture of unit length and mean 0, its slowest changes left out: float32 (16, 16)."""
    small = cv2.resize(picture, (COARSE, COARSE), interpolation=cv2.INTER_AREA).astype(np.float32)
    rest = small - cv2.GaussianBlur(small, (0, 0), COARSE / 6)
    rest -= rest.mean()
    return np.asarray(rest / max(float(np.linalg.norm(rest)), 1e-6), np.float32)


COARSE, WHOLE_ALIKE = 16, 0.35
_FORMS = tuple(
    np.array([[a, b, (a + b < 0) * 1.0], [c, d, (c + d < 0) * 1.0], [0, 0, 1]], np.float64)
    for a, b, c, d in (
        (1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1),
        (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, -1, 0), (0, -1, -1, 0),
    )
)  # fmt: skip
"""The eight turned and mirrored forms of a square, as homographies between shares."""
_IN_PIXELS = np.array([[COARSE, 0, -0.5], [0, COARSE, -0.5], [0, 0, 1]], np.float64)
_TURNS = tuple(_IN_PIXELS @ form @ np.linalg.inv(_IN_PIXELS) for form in _FORMS)
"""The same between pixels of the coarse pictures."""


NOTHING = Overlap(0.0, 0.0, 0.0, 0.0)
"""No overlap that could be compared."""


def _scale(transform: NDArray[np.float64]) -> float:
    """How many times as long lengths become."""
    (a, b), (c, d) = transform[:2, :2].tolist()
    return float(abs(a * d - b * c) ** 0.5)


def _seen(transform: NDArray[np.float64]) -> tuple[float, float, float, float] | None:
    """The box, in shares of the work, that holds what of it lies in the asset."""
    if not np.isfinite(transform).all() or np.abs(transform).max() > LARGEST_NUMBER:
        return None
    ends = (np.arange(33) / 32.0).astype(np.float64)
    x, y = np.meshgrid(ends, ends)
    at = np.stack([x, y, np.ones_like(x)], axis=-1) @ transform.T
    if (at[..., 2] <= 1e-6).any() or not np.isfinite(at).all():
        return None
    places = at[..., :2] / at[..., 2:]
    inside = ((places >= -0.01) & (places <= 1.01)).all(axis=-1)
    if inside.sum() < 4:
        return None
    ends_x, ends_y = x[inside], y[inside]
    return float(ends_x.min()), float(ends_y.min()), float(ends_x.max()), float(ends_y.max())


def _sampled(
    picture: NDArray[np.uint8], x: NDArray[np.float64], y: NDArray[np.float64], pixels: float
) -> NDArray[np.float32]:
    """Grey levels at shares of the picture, each averaged over about `pixels` a side."""
    if pixels > 1.2:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.45 * pixels).astype(np.uint8)
    return cv2.remap(
        picture,
        (x * SIDE - 0.5).astype(np.float32),
        (y * SIDE - 0.5).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float32)


def _distinctness(picture: NDArray[np.float32], window: tuple[int, int]) -> NDArray[np.float32]:
    """How little each window is like what lies near it, in (0, 1]: of the same shape as `picture`.

    A checkerboard, a row of dots and a straight edge are like themselves when they are shifted;
    corners and what is drawn once are not.
    """
    rows, columns = picture.shape
    far = max(max(shift) for shift in _SHIFTS)
    wide = np.pad(picture, far, mode="reflect")

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        blurred = cv2.boxFilter(values, cv2.CV_32F, window, borderType=cv2.BORDER_REFLECT_101)
        return np.asarray(blurred, np.float32)

    middle = mean(wide)
    spread = np.sqrt(np.maximum(mean(np.square(wide)) - np.square(middle), 1.0))
    each: NDArray[np.float32] = np.stack([wide, middle, spread])
    shifted, middles, spreads = np.stack(
        [each[:, far + y : far + y + rows, far + x : far + x + columns] for x, y in _SHIFTS], axis=1
    )
    _, here, its = each[:, far : far + rows, far : far + columns]
    # OpenCV filters many pictures at once if they are its channels.
    stacked = np.multiply(shifted, picture, dtype=np.float32).transpose(1, 2, 0)
    products = mean(np.ascontiguousarray(stacked, np.float32))
    likeness = products.transpose(2, 0, 1) - here * middles
    likeness /= its * spreads
    return np.asarray(1.0 - np.clip(likeness.max(axis=0), 0.0, MOST_LIKE_ITSELF), np.float32)


MOST_LIKE_ITSELF = 0.99
_SHIFTS = tuple(
    (sign * x * steps, sign * y * steps)
    for x, y, reach in ((1, 0, (3, 4, 5, 6, 8)), (0, 1, (3, 4, 5, 6, 8)),
                        (1, 1, (2, 3, 4, 5, 6)), (1, -1, (2, 3, 4, 5, 6)))
    for steps in reach
    for sign in (1, -1)
)  # fmt: skip
"""Cells by which a window is shifted, in four directions, both ways."""


def _compared(
    mine: NDArray[np.float32],
    theirs: NDArray[np.float32],
    seen: NDArray[np.float32],
    area: float,
    growth: float,
    *,
    patterns: bool,
) -> Overlap:
    window = (WINDOW, WINDOW) if min(seen.shape) >= 3 * WINDOW else (5, 5)

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        sums = cv2.boxFilter(values * seen, cv2.CV_32F, window, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(sums / np.maximum(weight, 1e-6), np.float32)

    weight = cv2.boxFilter(seen, cv2.CV_32F, window, borderType=cv2.BORDER_CONSTANT)
    a, b = mean(mine), mean(theirs)
    aa, bb = mean(mine * mine) - a * a, mean(theirs * theirs) - b * b
    ab = mean(mine * theirs) - a * b
    correlation = ab / np.sqrt(np.maximum(aa, 1.0) * np.maximum(bb, 1.0))
    whole = (seen > 0) & (weight >= WHOLE)
    shows = whole & (np.maximum(aa, bb) > FLAT**2)
    if not shows.any():
        return NOTHING
    alike = float((correlation[shows] >= ALIKE).mean())
    # Windows in which neither shows anything speak neither way: counted as the others are.
    part = float((seen > 0).mean()) * area * alike
    both = whole & (np.minimum(aa, bb) > FLAT**2)
    distinct = np.ones_like(theirs)
    if patterns:
        # Of either: what one shows and the other does not is as telling as what differs.
        distinct = np.maximum(_distinctness(theirs, window), _distinctness(mine, window))
        # Squared: a pattern has many windows, and must not outvote the few that tell two apart.
        distinct = np.square(distinct)
    return Overlap(
        float(np.average(np.clip(correlation[shows], 0.0, 1.0), weights=distinct[shows])),
        float(np.average(correlation[both] < UNLIKE, weights=distinct[both])) if both.any() else 0,
        float(min(1.0, part)),
        float(min(1.0, part * growth)),
    )
