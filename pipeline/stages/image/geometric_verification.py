"""Whether one transform maps features of a work onto features of an asset.

Every match of two SIFT features proposes a whole similarity transform by itself (their places,
sizes and directions differ by it), so that all proposals can be tried and none need be drawn at
random: Lowe (IJCV 2004, section 7) and Philbin et al., "Object retrieval with large vocabularies
and fast spatial matching" (CVPR 2007). The best ones are refined to an affine transform by least
squares over the matches that agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.stages.image.sift import Features, View, extent

Points = NDArray[np.float64]

AS_NEAR = 0.1
"""Of a feature's reach: features of a work that differ by less are as near as each other."""
MOST_MATCHES = 150
"""The strongest matches that are looked at."""
TOLERANCE = 0.018
"""How far a point may lie from where the transform puts it, as a share of the asset's longer side;
half of its feature's size is added, since large features have vague places."""
LOOSENESS = 0.08
"""Of the distance between two points, added for a proposal, whose scale and turn are rough."""
OCTAVES = 0.7
"""How far sizes may differ from what the transform says, as a natural logarithm."""
TURN = 0.6
"""How far directions may differ from what the transform says, in radians."""
STRETCH = 4.0
"""The most that a transform may stretch one direction beyond another."""
PROPOSALS, ROUNDS = 4, 4
FEWEST_INLIERS = 2
"""Enough for a transform to be looked at: whether the pictures agree under it decides."""
ENOUGH_FOR_AFFINE = 6
"""Matches from which a stretch and a slant are fitted too, not turn, scale and place alone."""
APART = 0.03
"""How far apart, in the work, the places of the fewest inliers must lie."""
NARROWEST = 0.02
"""Standard deviation of the inliers' places, in the work, across the line that they lie along, as
a share of its longer side: a row of equal dots agrees with any shift along it."""


@dataclass(frozen=True)
class Matches:
    """Pairs of features that look alike, the strongest first.

    Attributes:
        asset, work: int64 (n,), places of the features.
        weight: float64 (n,) in (0, 1]: how much nearer the two are than unrelated ones would be.
        lone: float64 (n,) in (0, 1]: 1 if no other feature of the work is as near, less the more
            are.
    """

    asset: NDArray[np.int64]
    work: NDArray[np.int64]
    weight: NDArray[np.float64]
    lone: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.weight)


@dataclass(frozen=True)
class Agreement:
    """One transform and the matches that agree with it.

    Attributes:
        transform: float64 (2, 3), from the work's places to those of the asset's view, both on a
            scale on which the longer side is 1.
        asset, work: int64 (n,), the features that agree, one to one.
        strength: sum of the matches' weights.
        lone: mean of theirs, see `Matches`: low where the same mark is met again and again.
    """

    transform: NDArray[np.float64]
    asset: NDArray[np.int64]
    work: NDArray[np.int64]
    strength: float
    lone: float


def matched(
    asset: NDArray[np.float32],
    reach: NDArray[np.float32],
    work: NDArray[np.float32],
) -> Matches:
    """For each feature of the asset the two nearest of the work, where nearer than its `reach`.

    A match is worth less where many features of the work are as near: one dot of a row, or one
    square of a checkerboard, is as like as the next (burstiness: Jégou, Douze and Schmid, CVPR
    2009).

    Args:
        asset: float32 (n, 128) descriptors.
        reach: float32 (n,), squared distance at which a match is worth nothing: how far an
            unrelated descriptor would be.
        work: float32 (m, 128).
    """
    if not len(asset) or not len(work):
        none = np.empty(0, np.int64)
        return Matches(none, none, np.empty(0), np.empty(0))
    squares = np.square(work).sum(axis=1)
    distances = (squares - 2 * (asset @ work.T)) + np.square(asset).sum(axis=1)[:, None]
    everyone = np.arange(len(asset))
    as_near = distances < (distances.min(axis=1) + AS_NEAR * reach)[:, None]
    share = 1.0 / np.sqrt(as_near.sum(axis=1))
    found = []
    for _ in range(min(2, len(work))):
        nearest = distances.argmin(axis=1)
        weight = (1.0 - distances[everyone, nearest] / reach) * share
        distances[everyone, nearest] = np.inf
        rows = np.flatnonzero(weight > 0)
        found.append((rows, nearest[rows], weight[rows].astype(np.float64), share[rows]))
    rows, works, weights, lone = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((works, rows, -weights))[:MOST_MATCHES]
    return Matches(rows[order], works[order], np.minimum(weights[order], 1.0), lone[order])


def agreement(asset: Features, work: Features, matches: Matches, view: View) -> Agreement | None:
    """The transform from the work to the asset's view that most matches agree with.

    None if fewer than `FEWEST_INLIERS` do, if many do that lie along a line, or few in one place.
    """
    if len(matches) < FEWEST_INLIERS:
        return None
    seen = asset.seen_as(view)
    there = seen.places()[matches.asset]
    here = work.places()[matches.work]
    there_size = seen.sizes[matches.asset].astype(np.float64)
    scale = there_size / work.sizes[matches.work]
    turn = (seen.angles[matches.asset] - work.angles[matches.work]).astype(np.float64)
    agreeing = _agreeing(here, there, there_size, scale, turn)
    votes = agreeing @ matches.weight
    best: Agreement | None = None
    for proposal in np.argsort(-votes, kind="stable")[:PROPOSALS]:
        if best is not None and votes[proposal] < best.strength:
            break
        refined = _refined(agreeing[proposal], here, there, there_size, scale, turn, matches.weight)
        if refined is None:
            continue
        transform, inliers = refined
        kept = _one_to_one(inliers, there, here)
        if len(kept) < FEWEST_INLIERS or not _spread(here[kept]):
            continue
        strength = float(matches.weight[kept].sum())
        if best is None or strength > best.strength:
            best = Agreement(
                transform,
                matches.asset[kept],
                matches.work[kept],
                strength,
                float(matches.lone[kept].mean()),
            )
    return best


def homography(transform: NDArray[np.float64], asset: float, work: float, view: View) -> Points:
    """The transform as float64 (3, 3) between shares of width and height, of the asset as it is.

    Args:
        transform: as in `Agreement`.
        asset, work: aspects (width / height) of the two pictures.
        view: the asset's view that the transform leads to.
    """
    whole = np.vstack([transform, [0.0, 0.0, 1.0]])
    shares: Points = np.diag([*(1 / extent(asset)), 1.0]) @ whole @ np.diag([*extent(work), 1.0])
    if view is View.MIRRORED:
        shares = np.array([[-1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) @ shares
    return shares


def _agreeing(
    here: Points, there: Points, there_size: Points, scale: Points, turn: Points
) -> NDArray[np.bool_]:
    """bool (n, n): whether match j agrees with the transform that match i proposes."""
    step = here[None] - here[:, None]
    cosine, sine = np.cos(turn), np.sin(turn)
    ahead, aside = (scale * cosine)[:, None], (scale * sine)[:, None]
    x = ahead * step[..., 0] - aside * step[..., 1] + there[:, None, 0] - there[None, :, 0]
    y = aside * step[..., 0] + ahead * step[..., 1] + there[:, None, 1] - there[None, :, 1]
    length = np.sqrt(np.square(step[..., 0]) + np.square(step[..., 1])) * scale[:, None]
    allowed = TOLERANCE + 0.5 * there_size[None, :] + LOOSENESS * length
    logs = np.log(scale)
    agree: NDArray[np.bool_] = (
        (x * x + y * y < allowed * allowed)
        & (np.abs(logs[None, :] - logs[:, None]) < OCTAVES)
        & (np.outer(cosine, cosine) + np.outer(sine, sine) > np.cos(TURN))
    )
    return agree


def _refined(
    inliers: NDArray[np.bool_],
    here: Points,
    there: Points,
    there_size: Points,
    scale: Points,
    turn: Points,
    weight: Points,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
    """An affine transform by least squares and the matches that agree with it, in turns."""
    found = None
    for _ in range(ROUNDS):
        fitted = _affine if inliers.sum() >= ENOUGH_FOR_AFFINE else _similarity
        affine = fitted(here[inliers], there[inliers], weight[inliers])
        if affine is None:
            break
        linear = affine[:, :2]
        determinant = float(np.linalg.det(linear))
        largest, smallest = np.linalg.svd(linear, compute_uv=False)
        if determinant <= 0 or smallest < 0.01 or largest > STRETCH * smallest:
            break
        missed = np.hypot(*(here @ linear.T + affine[:, 2] - there).T)
        turned = np.arctan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1])
        again = (
            (missed < TOLERANCE + 0.3 * there_size)
            & (np.abs(np.log(scale) - 0.5 * np.log(determinant)) < OCTAVES + 0.1)
            & (_angle(turn - turned) < TURN + 0.1)
        )
        found = affine, again
        if (again == inliers).all() or again.sum() < FEWEST_INLIERS:
            break
        inliers = again
    return found


def _similarity(here: Points, there: Points, weight: Points) -> NDArray[np.float64] | None:
    """Turn, scale and place by least squares (Umeyama, PAMI 1991, in the plane)."""
    if len(here) < FEWEST_INLIERS:
        return None
    share = (weight / weight.sum())[:, None]
    middle, target = (here * share).sum(axis=0), (there * share).sum(axis=0)
    a, b = here - middle, there - target
    spread = float((share * a * a).sum())
    if spread < 1e-9:
        return None
    along = float((share * a * b).sum()) / spread
    across = float((share[:, 0] * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])).sum()) / spread
    linear = np.array([[along, -across], [across, along]])
    return np.column_stack([linear, target - linear @ middle])


def _affine(here: Points, there: Points, weight: Points) -> NDArray[np.float64] | None:
    if len(here) < 3:
        return None
    root = np.sqrt(weight)[:, None]
    design = np.column_stack([here, np.ones(len(here))])
    solution, _, rank, _ = np.linalg.lstsq(design * root, there * root, rcond=1e-6)
    return np.asarray(solution.T, np.float64) if rank == 3 else None


def _one_to_one(inliers: NDArray[np.bool_], there: Points, here: Points) -> NDArray[np.int64]:
    """The strongest matches (places in the matches) of which no two share a place on a side.

    SIFT may find several features of other sizes or directions in one place: one of them counts.
    """
    places = np.flatnonzero(inliers)
    cells = 160
    for points in (there, here):
        grid = np.floor(points[places] * cells).astype(np.int64)
        _, first = np.unique(grid[:, 0] * 4096 + grid[:, 1], return_index=True)
        places = places[np.sort(first)]
    return places


def _spread(points: Points) -> bool:
    deviations = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    deviations /= len(points) ** 0.5
    if len(points) < ENOUGH_FOR_AFFINE:
        return bool(deviations[0] >= APART / 2)
    return bool(deviations[1] >= NARROWEST)


def _angle(difference: Points) -> Points:
    """Size of an angle in radians, in [0, pi]."""
    size: Points = np.abs((difference + np.pi) % (2 * np.pi) - np.pi)
    return size
