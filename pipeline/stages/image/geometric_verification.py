"""Geometric verification: whether one transform maps features of a work onto features of an asset.

Each match of two SIFT features has a position, a size and a direction in both pictures, so a single
match determines a similarity transform (scale, rotation, translation). All of them are tried: Lowe
(IJCV 2004, section 7) and Philbin et al., "Object retrieval with large vocabularies and fast
spatial matching" (CVPR 2007). The best are refined to an affine transform by least squares over the
inliers.

Why not cv2.findHomography: its RANSAC variants draw matches at random, so that the result depends
on a seed and on the version of OpenCV, and a homography needs four inliers where a logo may give
two. Here every hypothesis is tried, the same input gives the same bytes, and 150 matches cost 150 ×
150 comparisons.

Positions are on a scale on which the longer side of a picture is 1, so that angles are true.

Worked example: the asset is the work reduced to half its size and rotated by 90° (+π/2, from the x
axis towards the y axis, which points down), set into a page at (0.2, 0.1).

1. `match_descriptors`: 360 and 360 descriptors give at most 150 `Matches`, float64 weights (150,).
2. A match of a feature at (0.4, 0.3) of the work, size 0.04, angle 0.2, with one of the asset of
   size 0.02, angle 1.77: scale = 0.02 / 0.04 = 0.5, rotation = 1.77 - 0.2 = π/2.
3. `_agreeing`: bool (150, 150). Row i: the matches whose asset position is within the tolerance of
   where hypothesis i puts the work position. A match that is 0.3 away from match i in the work may
   be off by 0.018 + 0.5 · 0.02 + 0.08 · 0.3 · 0.5 = 0.04 of the asset's longer side.
4. `agreeing @ weight`: the votes of each hypothesis. The four with most are refined (`_refined`) to
   an affine transform (2, 3) and ranked by the sum of their inliers' weights: `weighted_inliers`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.image.sift import Features, View, extent

Points = NDArray[np.float64]


@dataclass(frozen=True)
class VerificationSettings:
    """Constants of matching and verification. Every calibration depends on them.

    Attributes:
        ambiguity: features of a work count as equally near if their squared distances differ by
            less than this share of the squared distance to an unrelated one.
        most_matches: matches that are looked at, those of the highest weight first. Time grows with
            its square.
        tolerance: distance between a point and where the transform puts it, as a share of the
            asset's longer side, up to which they agree: 9 pixels of a picture of 512.
        proposal_size_tolerance: share of the feature's size added to that for a hypothesis from one
            match: large features have vague positions.
        fit_size_tolerance: the same for a transform that was fitted to many matches.
        proposal_slack: share of the distance between two matches added for a hypothesis, whose
            scale and rotation are rough.
        log_scale_tolerance: natural logarithm of the ratio by which a feature's size may differ
            from what the transform says: a factor of 2, SIFT's step from octave to octave.
        angle_tolerance: radians by which a direction may differ, 34°: SIFT's directions are rough,
            and a stretch changes them.
        fit_slack: added to the last two for a fitted transform, which may stretch.
        most_stretch: ratio of the largest to the smallest scale of a transform.
        smallest_scale: below it everything of the work would be in one point.
        hypotheses: that are refined, those of most votes first.
        rounds: of fitting and selecting inliers, at most.
        fewest_inliers: enough for a transform to be looked at: the pixel agreement decides.
        fewest_for_affine: inliers from which stretch and shear are fitted too, not only rotation,
            scale and translation: twice the three that determine them.
        least_spread: standard deviation of the inliers' positions in the work along the line along
            which they spread most, if they are fewer than that.
        least_width: standard deviation of the inliers' positions across the line along which they
            spread most, if they are more: a row of equal dots agrees with any shift along it.
        cells: along a side, of a grid in which features of one cell count once.
    """

    ambiguity: float = 0.1
    most_matches: int = 150
    tolerance: float = 0.018
    proposal_size_tolerance: float = 0.5
    fit_size_tolerance: float = 0.3
    proposal_slack: float = 0.08
    log_scale_tolerance: float = 0.7
    angle_tolerance: float = 0.6
    fit_slack: float = 0.1
    most_stretch: float = 4.0
    smallest_scale: float = 0.01
    hypotheses: int = 4
    rounds: int = 4
    fewest_inliers: int = 2
    fewest_for_affine: int = 6
    least_spread: float = 0.015
    least_width: float = 0.02
    cells: int = 160


SETTINGS = VerificationSettings()


@dataclass(frozen=True)
class Matches:
    """Pairs of similar features, the highest weight first.

    Attributes:
        asset, work: int64 (n,), indexes of the features.
        weight: float64 (n,) in (0, 1]: how much nearer the two are than unrelated ones would be.
        distinctiveness: float64 (n,) in (0, 1]: 1 if no other feature of the work is as near, less
            the more are; what Lowe's ratio test asks, graded.
    """

    asset: NDArray[np.int64]
    work: NDArray[np.int64]
    weight: NDArray[np.float64]
    distinctiveness: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.weight)


@dataclass(frozen=True)
class VerifiedTransform:
    """One transform and the matches that agree with it (its inliers).

    Attributes:
        transform: float64 (2, 3), from the work's positions to those of the asset's view, both on a
            scale on which the longer side is 1.
        asset, work: int64 (n,), indexes of the inliers' features, one to one.
        weighted_inliers: sum of the inliers' weights.
        distinctiveness: mean of the inliers', see `Matches`: low where the same mark is repeated.
    """

    transform: NDArray[np.float64]
    asset: NDArray[np.int64]
    work: NDArray[np.int64]
    weighted_inliers: float
    distinctiveness: float


def match_descriptors(
    asset: NDArray[np.float32],
    reach: NDArray[np.float32],
    work: NDArray[np.float32],
) -> Matches:
    """For each feature of the asset the two nearest of the work, where nearer than its `reach`.

    A match has less weight where many features of the work are as near: one dot of a row, or one
    square of a checkerboard, is as similar as the next (burstiness: Jégou, Douze and Schmid, CVPR
    2009).

    Args:
        asset: float32 (n, 128) descriptors.
        reach: float32 (n,), squared distance at which a match has weight 0: how far an unrelated
            descriptor would be.
        work: float32 (m, 128) descriptors.
    """
    if not len(asset) or not len(work):
        none = np.empty(0, np.int64)
        return Matches(none, none, np.empty(0), np.empty(0))
    squares = np.square(work).sum(axis=1)
    distances = (squares - 2 * (asset @ work.T)) + np.square(asset).sum(axis=1)[:, None]
    every_row = np.arange(len(asset))
    limits = distances.min(axis=1) + SETTINGS.ambiguity * reach
    share = 1.0 / np.sqrt((distances < limits[:, None]).sum(axis=1))
    parts = []
    for _ in range(min(2, len(work))):
        nearest = distances.argmin(axis=1)
        weight = (1.0 - distances[every_row, nearest] / reach) * share
        distances[every_row, nearest] = np.inf
        rows = np.flatnonzero(weight > 0)
        parts.append((rows, nearest[rows], weight[rows].astype(np.float64), share[rows]))
    rows, works, weights, shares = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((works, rows, -weights))[: SETTINGS.most_matches]
    return Matches(rows[order], works[order], np.minimum(weights[order], 1.0), shares[order])


def verify(
    asset: Features, work: Features, matches: Matches, view: View
) -> VerifiedTransform | None:
    """The transform from the work to the asset's view with the highest weighted inlier score.

    None if it has fewer than `fewest_inliers` inliers, if they are many along a line, or few in one
    place.
    """
    if len(matches) < SETTINGS.fewest_inliers:
        return None
    viewed = asset.in_view(view)
    asset_points = viewed.positions()[matches.asset]
    work_points = work.positions()[matches.work]
    asset_sizes = viewed.sizes[matches.asset].astype(np.float64)
    scale = asset_sizes / work.sizes[matches.work]
    rotation = (viewed.angles[matches.asset] - work.angles[matches.work]).astype(np.float64)
    agreeing = _agreeing(work_points, asset_points, asset_sizes, scale, rotation)
    votes = agreeing @ matches.weight
    best: VerifiedTransform | None = None
    for hypothesis in np.argsort(-votes, kind="stable")[: SETTINGS.hypotheses]:
        if best is not None and votes[hypothesis] < best.weighted_inliers:
            break
        refined = _refined(
            agreeing[hypothesis],
            work_points,
            asset_points,
            asset_sizes,
            scale,
            rotation,
            matches.weight,
        )
        if refined is None:
            continue
        transform, inliers = refined
        unique = _one_to_one(inliers, asset_points, work_points)
        if len(unique) < SETTINGS.fewest_inliers or not _spread_out(work_points[unique]):
            continue
        weighted_inliers = float(matches.weight[unique].sum())
        if best is None or weighted_inliers > best.weighted_inliers:
            best = VerifiedTransform(
                transform,
                matches.asset[unique],
                matches.work[unique],
                weighted_inliers,
                float(matches.distinctiveness[unique].mean()),
            )
    return best


def homography(transform: NDArray[np.float64], asset: float, work: float, view: View) -> Points:
    """The transform as float64 (3, 3) between shares of width and height, of the asset itself.

    Args:
        transform: as in `VerifiedTransform`.
        asset, work: aspects (width / height) of the two pictures.
        view: the asset's view that the transform maps to.
    """
    square = np.vstack([transform, [0.0, 0.0, 1.0]])
    shares: Points = np.diag([*(1 / extent(asset)), 1.0]) @ square @ np.diag([*extent(work), 1.0])
    if view is View.MIRRORED:
        shares = np.array([[-1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) @ shares
    return shares


def _agreeing(
    work_points: Points, asset_points: Points, asset_sizes: Points, scale: Points, rotation: Points
) -> NDArray[np.bool_]:
    """bool (n, n): whether match j agrees with the transform that match i proposes."""
    step = work_points[None] - work_points[:, None]
    cosine, sine = np.cos(rotation), np.sin(rotation)
    along, across = (scale * cosine)[:, None], (scale * sine)[:, None]
    dx, dy = step[..., 0], step[..., 1]
    # Where the hypothesis puts match j, minus where it is.
    x = along * dx - across * dy + asset_points[:, None, 0] - asset_points[None, :, 0]
    y = across * dx + along * dy + asset_points[:, None, 1] - asset_points[None, :, 1]
    length = np.sqrt(np.square(dx) + np.square(dy)) * scale[:, None]
    allowed = (
        SETTINGS.tolerance
        + SETTINGS.proposal_size_tolerance * asset_sizes[None, :]
        + SETTINGS.proposal_slack * length
    )
    log_scale = np.log(scale)
    cosine_between = np.outer(cosine, cosine) + np.outer(sine, sine)
    agree: NDArray[np.bool_] = (
        (x * x + y * y < allowed * allowed)
        & (np.abs(log_scale[None, :] - log_scale[:, None]) < SETTINGS.log_scale_tolerance)
        & (cosine_between > np.cos(SETTINGS.angle_tolerance))
    )
    return agree


def _refined(
    inliers: NDArray[np.bool_],
    work_points: Points,
    asset_points: Points,
    asset_sizes: Points,
    scale: Points,
    rotation: Points,
    weight: Points,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
    """Alternately fits a transform (2, 3) to the inliers and selects its inliers, bool (n,)."""
    result = None
    for _ in range(SETTINGS.rounds):
        fit = _affine if inliers.sum() >= SETTINGS.fewest_for_affine else _similarity
        affine = fit(work_points[inliers], asset_points[inliers], weight[inliers])
        if affine is None:
            break
        linear = affine[:, :2]
        determinant = float(np.linalg.det(linear))
        largest, smallest = np.linalg.svd(linear, compute_uv=False)
        if (
            determinant <= 0
            or smallest < SETTINGS.smallest_scale
            or largest > SETTINGS.most_stretch * smallest
        ):
            break
        errors = np.hypot(*(work_points @ linear.T + affine[:, 2] - asset_points).T)
        rotated = np.arctan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1])
        log_scale_errors = np.abs(np.log(scale) - 0.5 * np.log(determinant))
        selected = (
            (errors < SETTINGS.tolerance + SETTINGS.fit_size_tolerance * asset_sizes)
            & (log_scale_errors < SETTINGS.log_scale_tolerance + SETTINGS.fit_slack)
            & (_angle(rotation - rotated) < SETTINGS.angle_tolerance + SETTINGS.fit_slack)
        )
        result = affine, selected
        if (selected == inliers).all() or selected.sum() < SETTINGS.fewest_inliers:
            break
        inliers = selected
    return result


def _similarity(
    work_points: Points, asset_points: Points, weight: Points
) -> NDArray[np.float64] | None:
    """Rotation, scale and translation by least squares (Umeyama, PAMI 1991, in the plane)."""
    if len(work_points) < SETTINGS.fewest_inliers:
        return None
    share = (weight / weight.sum())[:, None]
    work_centre = (work_points * share).sum(axis=0)
    asset_centre = (asset_points * share).sum(axis=0)
    a, b = work_points - work_centre, asset_points - asset_centre
    variance = float((share * a * a).sum())
    if variance < 1e-9:
        return None
    along = float((share * a * b).sum()) / variance
    across = float((share[:, 0] * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])).sum()) / variance
    linear = np.array([[along, -across], [across, along]])
    return np.column_stack([linear, asset_centre - linear @ work_centre])


def _affine(work_points: Points, asset_points: Points, weight: Points) -> Points | None:
    if len(work_points) < 3:
        return None
    root = np.sqrt(weight)[:, None]
    design = np.column_stack([work_points, np.ones(len(work_points))])
    solution, _, rank, _ = np.linalg.lstsq(design * root, asset_points * root, rcond=1e-6)
    return np.asarray(solution.T, np.float64) if rank == 3 else None


def _one_to_one(
    inliers: NDArray[np.bool_], asset_points: Points, work_points: Points
) -> NDArray[np.int64]:
    """Indexes of the matches of highest weight of which no two share a cell in either picture.

    SIFT may give several features of other sizes or directions at one position: one of them counts.
    """
    indexes = np.flatnonzero(inliers)
    for points in (asset_points, work_points):
        grid = np.floor(points[indexes] * SETTINGS.cells).astype(np.int64)
        _, first = np.unique(grid[:, 0] * 4096 + grid[:, 1], return_index=True)
        indexes = indexes[np.sort(first)]
    return indexes


def _spread_out(points: Points) -> bool:
    """Whether inliers, at `points` of the work (n, 2), are spread enough to fix a transform."""
    deviations = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    deviations /= len(points) ** 0.5
    if len(points) < SETTINGS.fewest_for_affine:
        return bool(deviations[0] >= SETTINGS.least_spread)
    return bool(deviations[1] >= SETTINGS.least_width)


def _angle(difference: Points) -> Points:
    """Size of an angle in radians, in [0, pi]."""
    size: Points = np.abs((difference + np.pi) % (2 * np.pi) - np.pi)
    return size
