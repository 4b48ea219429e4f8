"""Whether two pictures show the same where a transform maps one onto the other.

Local features only say that some points agree; this compares all pixels between them. A logo or a
line of text that two pictures share gives points that agree and an overlap that does not.

Both pictures are thumbnails of 128 × 128 grey levels, squashed to a square. Positions are shares of
a picture's width and height, in [0, 1]; a transform is a homography (3, 3) between such shares.

Worked example: the asset is the left half of the work, so a point x of the work is at 2x of the
asset, and transform = diag(2, 1, 1).

1. `_visible_box`: the work's box that is inside the asset: (left, top, right, bottom) =
   (0, 0, 0.5, 1), area 0.5.
2. `_scale`: lengths grow by sqrt(|det|) = sqrt(2 · 1) = 1.41.
3. The box spans 128 · sqrt(0.5 · 1) = 90 pixels of the work's thumbnail and 90 · 1.41 = 128 of the
   asset's. The coarser of the two has 90, more than `most_cells`, so the box becomes a grid of
   32 × 32 cells. Both pictures are sampled there: float32 (32, 32) each.
4. `_compare_grids`: the normalised correlation of each 7 × 7 window of cells. In a true copy nearly
   all are above 0.5: agreement about 0.98, contradiction about 0, work_share about 0.5 (the box's
   area) and asset_share = 0.5 · 1.41² = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 128
"""Edge of the thumbnails in pixels. Stored in every index (16 KB for each frame); larger ones would
cost storage, smaller ones lose works that are set into a larger picture."""


@dataclass(frozen=True)
class PixelAgreementSettings:
    """Constants of the comparison. Every value stored in an index or a calibration depends on them.

    Attributes:
        most_cells, fewest_cells: bounds of the grid's cells along a side: in fewer than 10, one
            window would cover nearly all of it; more than 32 cost time (it grows with the square).
        window: cells along a side of a correlation's window: small enough to tell places of a
            picture apart, large enough (49 values) for a correlation to mean something.
        small_window: the same where the grid is under three windows wide.
        flat: standard deviation in grey levels (of 255) up to which a window shows nothing: the
            correlation of what is left would be that of noise.
        agrees: correlation from which a window counts as the same.
        contradicts: correlation below which a window in which both pictures show something counts
            as different. Windows in between count as neither.
        covered: share of a window's cells that must be inside both pictures.
        patch: edge in pixels of the patches on which a transform is refined.
        refinements: iterations of that, at most.
        most_moved: how far refining may move a corner of the overlap, as a share of its edge.
        largest_number: of a transform between shares; beyond it one picture is a speck in the
            other.
        nearby: shifts in pixels of a patch that don't count as another place.
        smallest: pixels of either thumbnail, along a side, below which nothing can be compared.
        most_self_similar: self-similarity that counts, so that no window's weight is 0.
        coarse: edge in pixels to which two pictures are reduced to be compared as wholes.
        coarse_correlation: least correlation of these for a transform to be worth trying.
    """

    most_cells: int = 32
    fewest_cells: int = 10
    window: int = 7
    small_window: int = 5
    flat: float = 2.5
    agrees: float = 0.5
    contradicts: float = 0.25
    covered: float = 0.6
    patch: int = 48
    refinements: int = 40
    most_moved: float = 0.2
    largest_number: float = 1e4
    nearby: int = 4
    smallest: float = 6.0
    most_self_similar: float = 0.99
    coarse: int = 16
    coarse_correlation: float = 0.35


SETTINGS = PixelAgreementSettings()


@dataclass(frozen=True)
class Overlap:
    """How far two pictures agree under a transform.

    Attributes:
        agreement: mean correlation, in [0, 1], of the windows in which the work shows something
            and which are inside the asset; windows of a repeated pattern have little weight.
        contradiction: share, weighted in the same way, of the windows in which both show
            something and show different things, in [0, 1]: high for two pictures that share no
            more than a frame or a mark.
        work_share: share of the work's area that agrees, in [0, 1].
        asset_share: share of the asset's area that it covers, in [0, 1].
    """

    agreement: float
    contradiction: float
    work_share: float
    asset_share: float


NO_OVERLAP = Overlap(0.0, 0.0, 0.0, 0.0)
"""There is no overlap, or none that can be compared."""


def reduced(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The thumbnail that is stored for comparison: uint8 (128, 128)."""
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8)


def overlap(
    asset: NDArray[np.uint8],
    work: NDArray[np.uint8],
    transform: NDArray[np.float64],
    *,
    negative: bool,
    patterns: bool = True,
) -> Overlap:
    """Compares the two pictures under a transform, window by window.

    Args:
        asset, work: uint8 (128, 128), as made by `reduced`.
        transform: float64 (3, 3), from shares of the work's width and height to the asset's.
        negative: whether the asset shows the work's (photographic) negative.
        patterns: whether windows of repeated patterns get less weight, which doubles the time.
    """
    box = _visible_box(transform)
    if box is None:
        return NO_OVERLAP
    left, top, right, bottom = box
    scale = _scale(transform)
    span = SIDE * float(np.sqrt((right - left) * (bottom - top)))
    pixels = min(span, span * scale)
    if pixels < SETTINGS.smallest:
        return NO_OVERLAP
    # No finer than the pixels of either thumbnail.
    count = int(np.clip(pixels, SETTINGS.fewest_cells, SETTINGS.most_cells))
    centres = (np.arange(count) + 0.5) / count
    x, y = np.meshgrid(left + centres * (right - left), top + centres * (bottom - top))
    mapped = np.stack([x, y, np.ones_like(x)], axis=-1) @ transform.T
    asset_points = mapped[..., :2] / mapped[..., 2:]
    inside = np.asarray(((asset_points > 0) & (asset_points < 1)).all(axis=-1), np.float32)
    work_cells = _sampled(work, x, y, span / count)
    asset_cells = _sampled(asset, asset_points[..., 0], asset_points[..., 1], span * scale / count)
    if negative:
        asset_cells = 255 - asset_cells
    return _compare_grids(
        asset_cells,
        work_cells,
        inside,
        (right - left) * (bottom - top),
        scale**2,
        patterns=patterns,
    )


def refined_transform(
    asset: NDArray[np.uint8],
    work: NDArray[np.uint8],
    transform: NDArray[np.float64],
    *,
    negative: bool,
) -> NDArray[np.float64]:
    """The transform, moved a little to where the two pictures agree best.

    A transform from few features is rough, one from pixels is exact. Evangelidis and Psarakis,
    "Parametric image alignment using enhanced correlation coefficient maximization" (PAMI 2008),
    by OpenCV. Arguments as in `overlap`.

    Returns:
        float64 (3, 3); the same transform where the pictures have too little detail, the method
        does not converge, or it moves a corner by more than `most_moved`.
    """
    patches = _patches(asset, work, transform, negative=negative)
    if patches is None:
        return transform
    asset_patch, work_patch, inside, patch_to_work = patches
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, SETTINGS.refinements, 1e-4)
    try:
        _, moved = cv2.findTransformECC(
            work_patch,
            asset_patch,
            np.eye(2, 3, dtype=np.float32),
            cv2.MOTION_AFFINE,
            criteria,
            inside.astype(np.uint8) * 255,
            5,
        )
    except cv2.error:  # it did not converge
        return transform
    change = np.vstack([moved.astype(np.float64), [0.0, 0.0, 1.0]])
    edge = SETTINGS.patch
    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) * [edge, edge, 1]
    if not np.abs((corners @ change.T - corners) / edge).max() <= SETTINGS.most_moved:
        return transform  # it diverged: any two pictures agree in a speck
    better: NDArray[np.float64] = transform @ patch_to_work @ change @ np.linalg.inv(patch_to_work)
    return better


def repetition(
    asset: NDArray[np.uint8],
    work: NDArray[np.uint8],
    transform: NDArray[np.float64],
    *,
    negative: bool,
) -> float:
    """How well the pictures also agree when the work is shifted: near 1 for a repeated pattern.

    Two checkerboards agree at many shifts, which is little evidence of copying.

    Args:
        asset, work, transform, negative: as in `overlap`.

    Returns:
        The agreement at the best other shift, as a share of that without a shift, in [0, 1].
    """
    patches = _patches(asset, work, transform, negative=negative)
    if patches is None:
        return 0.0
    asset_patch, work_patch, _, patch_to_work = patches
    # The middle half of the work, (24, 24), is looked for at every shift within the asset's patch.
    quarter = SETTINGS.patch // 4
    middle = work_patch[quarter:-quarter, quarter:-quarter]
    if middle.std() < SETTINGS.flat:
        return 0.0
    correlations = cv2.matchTemplate(asset_patch, middle, cv2.TM_CCOEFF_NORMED)
    same_place = slice(quarter - SETTINGS.nearby, quarter + SETTINGS.nearby + 1)
    correlations[same_place, same_place] = -1
    _, _, _, (x, y) = cv2.minMaxLoc(correlations)
    shift = np.eye(3)
    shift[:2, 2] = x - quarter, y - quarter
    shifted = transform @ patch_to_work @ shift @ np.linalg.inv(patch_to_work)
    unshifted_agreement = overlap(
        asset, work, transform, negative=negative, patterns=False
    ).agreement
    shifted_agreement = overlap(asset, work, shifted, negative=negative, patterns=False).agreement
    return min(1.0, shifted_agreement / unshifted_agreement) if unshifted_agreement > 0 else 0.0


def _patches(
    asset: NDArray[np.uint8],
    work: NDArray[np.uint8],
    transform: NDArray[np.float64],
    *,
    negative: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]] | None:
    """Both pictures where they overlap, aligned: asset and work, float32 (48, 48) each; which
    pixels are inside the asset, bool (48, 48); and the matrix (3, 3) from their pixels to shares
    of the work. None if there is no overlap or either is flat.
    """
    box = _visible_box(transform)
    if box is None:
        return None
    left, top, right, bottom = box
    edge = SETTINGS.patch
    step_x, step_y = (right - left) / edge, (bottom - top) / edge
    patch_to_work = np.array(
        [[step_x, 0.0, left + 0.5 * step_x], [0.0, step_y, top + 0.5 * step_y], [0, 0, 1.0]]
    )
    x, y = np.meshgrid(np.arange(edge), np.arange(edge))
    mapped = np.stack([x, y, np.ones_like(x)], axis=-1) @ (transform @ patch_to_work).T
    asset_points = mapped[..., :2] / mapped[..., 2:]
    scale = _scale(transform)
    span = SIDE * float(np.sqrt((right - left) * (bottom - top)))
    if min(span, span * scale) < SETTINGS.smallest:
        return None
    # Both are blurred to the resolution of the coarser one.
    coarser = max(span, span * scale) / min(span, span * scale, edge)
    work_patch = _sampled(
        work,
        x * step_x + patch_to_work[0, 2],
        y * step_y + patch_to_work[1, 2],
        coarser * min(1.0, 1 / scale),
    )
    asset_patch = _sampled(
        asset, asset_points[..., 0], asset_points[..., 1], coarser * min(1.0, scale)
    )
    if negative:
        asset_patch = 255 - asset_patch
    inside = np.asarray(((asset_points > 0) & (asset_points < 1)).all(axis=-1), np.bool_)
    if work_patch.std() < SETTINGS.flat or asset_patch[inside].std() < SETTINGS.flat:
        return None
    return asset_patch, work_patch, inside, patch_to_work


def whole_transform(
    asset: NDArray[np.uint8], work: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], bool] | None:
    """The likeliest transform of the whole work onto the whole asset, and whether as a negative.

    Of the eight rotated and mirrored forms, the one in which the two correlate most when they are
    reduced to 16 × 16; None if they hardly correlate in any. Arguments as in `overlap`.
    """
    asset_coarse, work_coarse = _coarse(asset).ravel(), _coarse(work)
    size = (SETTINGS.coarse, SETTINGS.coarse)
    forms = [cv2.warpPerspective(work_coarse, matrix, size).ravel() for matrix in _PIXEL_FORMS]
    correlations = np.stack(forms) @ asset_coarse
    # A negative has the same correlation with the opposite sign.
    likeliest = int(np.abs(correlations).argmax())
    if abs(correlations[likeliest]) <= SETTINGS.coarse_correlation:
        return None
    return _FORMS[likeliest], bool(correlations[likeliest] < 0)


def _coarse(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A thumbnail as a unit vector of mean 0 without its lowest frequencies: float32 (16, 16).

    Without them, any two pictures that are bright at the top would correlate.
    """
    edge = SETTINGS.coarse
    small = cv2.resize(picture, (edge, edge), interpolation=cv2.INTER_AREA).astype(np.float32)
    rest = small - cv2.GaussianBlur(small, (0, 0), edge / 6)
    rest -= rest.mean()
    return np.asarray(rest / max(float(np.linalg.norm(rest)), 1e-6), np.float32)


_FORMS = tuple(
    np.array([[a, b, (a + b < 0) * 1.0], [c, d, (c + d < 0) * 1.0], [0, 0, 1]], np.float64)
    for a, b, c, d in (
        (1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1),
        (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, -1, 0), (0, -1, -1, 0),
    )
)  # fmt: skip
"""The eight rotated and mirrored forms of a square, as homographies between shares."""
_SHARES_TO_PIXELS = np.array(
    [[SETTINGS.coarse, 0, -0.5], [0, SETTINGS.coarse, -0.5], [0, 0, 1]], np.float64
)
_PIXEL_FORMS = tuple(_SHARES_TO_PIXELS @ form @ np.linalg.inv(_SHARES_TO_PIXELS) for form in _FORMS)
"""The same forms between pixels of the coarse pictures."""


def _scale(transform: NDArray[np.float64]) -> float:
    """The factor by which lengths grow, near the origin: the root of the determinant."""
    (a, b), (c, d) = transform[:2, :2].tolist()
    return float(abs(a * d - b * c) ** 0.5)


def _visible_box(transform: NDArray[np.float64]) -> tuple[float, float, float, float] | None:
    """The bounding box (left, top, right, bottom), in shares of the work, of its part that is
    inside the asset. None for a degenerate transform, or if fewer than 4 of 33 × 33 points are.
    """
    if not np.isfinite(transform).all() or np.abs(transform).max() > SETTINGS.largest_number:
        return None
    ends = (np.arange(33) / 32.0).astype(np.float64)
    x, y = np.meshgrid(ends, ends)
    mapped = np.stack([x, y, np.ones_like(x)], axis=-1) @ transform.T
    # Points at or behind the horizon have no place in the asset.
    if (mapped[..., 2] <= 1e-6).any() or not np.isfinite(mapped).all():
        return None
    asset_points = mapped[..., :2] / mapped[..., 2:]
    inside = ((asset_points >= -0.01) & (asset_points <= 1.01)).all(axis=-1)
    if inside.sum() < 4:
        return None
    ends_x, ends_y = x[inside], y[inside]
    return float(ends_x.min()), float(ends_y.min()), float(ends_x.max()), float(ends_y.max())


def _sampled(
    picture: NDArray[np.uint8], x: NDArray[np.float64], y: NDArray[np.float64], pixels: float
) -> NDArray[np.float32]:
    """Grey levels at shares (x, y) of the picture, each averaged over about `pixels` a side."""
    if pixels > 1.2:  # else bilinear sampling alone does not alias
        picture = cv2.GaussianBlur(picture, (0, 0), 0.45 * pixels).astype(np.uint8)
    return cv2.remap(
        picture,
        (x * SIDE - 0.5).astype(np.float32),
        (y * SIDE - 0.5).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float32)


_SHIFTS = tuple(
    (sign * x * steps, sign * y * steps)
    for x, y, reach in ((1, 0, (3, 4, 5, 6, 8)), (0, 1, (3, 4, 5, 6, 8)),
                        (1, 1, (2, 3, 4, 5, 6)), (1, -1, (2, 3, 4, 5, 6)))
    for steps in reach
    for sign in (1, -1)
)  # fmt: skip
"""Cells (x, y) by which a window is shifted to find out whether it repeats: 40 shifts in four
directions, both ways. Shorter ones would find any smooth surface similar to itself."""


def _distinctness(grid: NDArray[np.float32], window: tuple[int, int]) -> NDArray[np.float32]:
    """1 minus the highest correlation of each window with a shifted one, in [0.01, 1]: float32 of
    the shape of `grid`.

    A checkerboard, a row of dots and a straight edge are similar to themselves after a shift;
    corners and whatever is drawn once are not.
    """
    rows, columns = grid.shape
    margin = max(max(shift) for shift in _SHIFTS)
    padded = np.pad(grid, margin, mode="reflect")

    def window_mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        blurred = cv2.boxFilter(values, cv2.CV_32F, window, borderType=cv2.BORDER_REFLECT_101)
        return np.asarray(blurred, np.float32)

    means = window_mean(padded)
    deviations = np.sqrt(np.maximum(window_mean(np.square(padded)) - np.square(means), 1.0))
    planes: NDArray[np.float32] = np.stack([padded, means, deviations])
    shifted, shifted_means, shifted_deviations = np.stack(
        [
            planes[:, margin + y : margin + y + rows, margin + x : margin + x + columns]
            for x, y in _SHIFTS
        ],
        axis=1,
    )
    _, own_means, own_deviations = planes[:, margin : margin + rows, margin : margin + columns]
    # OpenCV filters many pictures at once if they are its channels.
    stacked = np.multiply(shifted, grid, dtype=np.float32).transpose(1, 2, 0)
    products = window_mean(np.ascontiguousarray(stacked, np.float32))
    correlations = products.transpose(2, 0, 1) - own_means * shifted_means
    correlations /= own_deviations * shifted_deviations
    self_similarity = np.clip(correlations.max(axis=0), 0.0, SETTINGS.most_self_similar)
    return np.asarray(1.0 - self_similarity, np.float32)


def _compare_grids(
    asset: NDArray[np.float32],
    work: NDArray[np.float32],
    inside: NDArray[np.float32],
    area: float,
    growth: float,
    *,
    patterns: bool,
) -> Overlap:
    """Correlations of all windows of two aligned grids.

    Args:
        asset, work: grey levels (n, n) of the cells.
        inside: (n, n), 1 for cells inside the asset, else 0.
        area: of the grid's box, as a share of the work.
        growth: factor by which areas grow from the work to the asset.
        patterns: as in `overlap`.
    """
    wide_enough = min(inside.shape) >= 3 * SETTINGS.window
    edge = SETTINGS.window if wide_enough else SETTINGS.small_window
    window = (edge, edge)

    def window_mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        sums = cv2.boxFilter(values * inside, cv2.CV_32F, window, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(sums / np.maximum(coverage, 1e-6), np.float32)

    coverage = cv2.boxFilter(inside, cv2.CV_32F, window, borderType=cv2.BORDER_CONSTANT)
    asset_mean, work_mean = window_mean(asset), window_mean(work)
    asset_variance = window_mean(asset * asset) - asset_mean * asset_mean
    work_variance = window_mean(work * work) - work_mean * work_mean
    covariance = window_mean(asset * work) - asset_mean * work_mean
    correlation = covariance / np.sqrt(
        np.maximum(asset_variance, 1.0) * np.maximum(work_variance, 1.0)
    )
    covered = (inside > 0) & (coverage >= SETTINGS.covered)
    either_shows = covered & (np.maximum(asset_variance, work_variance) > SETTINGS.flat**2)
    if not either_shows.any():
        return NO_OVERLAP
    agreeing = float((correlation[either_shows] >= SETTINGS.agrees).mean())
    # Flat windows are neither for nor against: they are assumed to agree as often as the others.
    work_share = float((inside > 0).mean()) * area * agreeing
    both_show = covered & (np.minimum(asset_variance, work_variance) > SETTINGS.flat**2)
    weights = np.ones_like(work)
    if patterns:
        # Of either picture: what only one of them shows is as telling as what differs.
        weights = np.maximum(_distinctness(work, window), _distinctness(asset, window))
        # Squared: a pattern has many windows, and must not outvote the few distinct ones.
        weights = np.square(weights)
    contradicting = correlation[both_show] < SETTINGS.contradicts
    return Overlap(
        float(
            np.average(np.clip(correlation[either_shows], 0.0, 1.0), weights=weights[either_shows])
        ),
        float(np.average(contradicting, weights=weights[both_show])) if both_show.any() else 0,
        float(min(1.0, work_share)),
        float(min(1.0, work_share * growth)),
    )
