"""What an overlay is drawn with: outlines, corner marks, and a work laid onto an asset's raster."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.report.overlap import Placement

Picture = NDArray[np.uint8]
"""sRGB, (height, width, 3)."""

LINE, HALO = (255, 214, 10), (0, 0, 0)

SHIFT = 4
"""Bits of a pixel to which lines are placed."""

_BADGE = 10
_DIFFERENT = 15.0  # grey levels of 255: a mean brightness that differs by less is left as it is
_STEEPER = 1.3  # and a contrast by less than this factor


def outline(points: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Points in fractions as points of a raster of this size, (n, 2), x to the right, y down.

    A raster's first pixel has its middle at 0, and so its upper left corner at -0.5.
    """
    placed: NDArray[np.float64] = points * np.array([width, height], dtype=float) - 0.5
    return placed


def warped(
    work: Picture,
    matrix: NDArray[np.float64],
    width: int,
    height: int,
    stretched: float = 1.0,
) -> Picture:
    """The work laid onto an asset's raster of this size; its edge repeated where it does not reach.

    Args:
        work: of any size.
        matrix: (3, 3), from the work's fractions to the asset's.
        width, height: of the raster.
        stretched: pixels of the raster to one of the asset's; the work is made as coarse, since
            sharp squares beside soft ones would hide the lines that run across.
    """
    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ matrix.T
    corners = corners[:, :2] / corners[:, 2:] * (width, height)
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    sides = np.minimum(sides, 1e6) / stretched
    # Shrunk first, since warping looks at a few pixels of the work however many lie between.
    wide = max(1, min(work.shape[1], math.ceil(max(sides[0], sides[2]) * 1.5)))
    high = max(1, min(work.shape[0], math.ceil(max(sides[1], sides[3]) * 1.5)))
    if (wide, high) != (work.shape[1], work.shape[0]):
        work = resized(work, wide, high)
    to_pixels = np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1.0]])
    from_pixels = np.array([[1 / wide, 0, 0.5 / wide], [0, 1 / high, 0.5 / high], [0, 0, 1.0]])
    laid = cv2.warpPerspective(
        work,
        to_pixels @ matrix @ from_pixels,
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(laid, dtype=np.uint8)


def as_bright(laid: Picture, ground: Picture, inside: NDArray[np.bool_]) -> tuple[Picture, bool]:
    """The work with the asset's brightness and contrast in the overlap, if they differ much.

    Or the squares themselves would hide the lines that run across them. One factor and one
    offset for all pixels and colours: no line is made or lost by it.
    """
    if int(inside.sum()) < 2:
        return laid, False
    mine, theirs = laid[inside].mean(axis=1), ground[inside].mean(axis=1)
    spread = float(mine.std()) or 1.0
    gain = float(np.clip(theirs.std() / spread, 0.1, 10.0))
    offset = float(theirs.mean() - gain * mine.mean())
    if abs(theirs.mean() - mine.mean()) < _DIFFERENT and 1 / _STEEPER < gain < _STEEPER:
        return laid, False
    return np.clip(laid * gain + offset, 0, 255).round().astype(np.uint8), True


def resized(picture: Picture, width: int, height: int) -> Picture:
    """The picture at another size: averaged if smaller, cubic if larger."""
    if (height, width) == picture.shape[:2]:
        return picture
    smaller = width * height < picture.shape[0] * picture.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=way), dtype=np.uint8)


def fixed_point(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Points as OpenCV draws them with `shift=SHIFT`, (n, 1, 2)."""
    fixed: NDArray[np.int32] = np.round(points * 2**SHIFT).astype(np.int32)
    return fixed.reshape(-1, 1, 2)


def draw_outline(picture: Picture, points: NDArray[np.float64], *, thin: bool = False) -> None:
    """A bright line with a dark rim: one of the two shows on any ground, by lightness alone."""
    height, width = picture.shape[:2]
    small = thin or float(np.ptp(points, axis=0).min()) < 60
    line, halo = (2, 4) if small else (4, 9)
    # Along the picture's own edge the line would lie half outside.
    room = min(halo / 2, width / 4, height / 4)
    inner = np.clip(points, (room, room), (width - 1 - room, height - 1 - room))
    for colour, thickness in ((HALO, halo), (LINE, line)):
        cv2.polylines(
            picture,
            [fixed_point(inner)],
            True,
            colour,
            thickness,
            lineType=cv2.LINE_AA,
            shift=SHIFT,
        )


def draw_badges(picture: Picture, points: NDArray[np.float64], placed: Placement) -> None:
    """1 and 2 at the overlap's corners nearest the work's upper left and upper right.

    The same corners have the same number in asset and work, so a turn or a mirror can be seen.
    """
    if float(np.ptp(points, axis=0).min()) < 5 * _BADGE:
        return
    height, width = picture.shape[:2]
    for number, corner in (("1", (0.0, 0.0)), ("2", (1.0, 0.0))):
        nearest = int(np.abs(placed.in_work - corner).sum(axis=1).argmin())
        room = _BADGE + 3
        x, y = np.clip(points[nearest], (room, room), (width - 1 - room, height - 1 - room))
        at = (round(float(x)), round(float(y)))
        cv2.circle(picture, at, _BADGE + 2, LINE, -1, lineType=cv2.LINE_AA)
        cv2.circle(picture, at, _BADGE, HALO, -1, lineType=cv2.LINE_AA)
        cv2.putText(
            picture,
            number,
            (at[0] - 5, at[1] + 5),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.5,
            (255, 255, 255),
            2,
            lineType=cv2.LINE_AA,
        )
