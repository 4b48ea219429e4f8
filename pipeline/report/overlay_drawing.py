"""Drawing the overlay of a work on an asset: three panels by which a reviewer sees at a glance
whether a claimed overlap is right.

1. The asset with the work's outline.
2. The work with the outline of the part that is in the asset.
3. The overlap as a checkerboard of the asset and of the work warped onto it: lines that go on from
   square to square prove the match.

Pictures are uint8 sRGB, (height, width, 3). Points are x to the right and y down, in pixels unless
they are said to be fractions of a picture's width and height.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.core.wording.text import percent
from pipeline.report.overlap import Placement

Picture = NDArray[np.uint8]
"""sRGB, (height, width, 3)."""

EDGE = 480
"""Longer side of a panel, in pixels."""

SHIFT = 4
"""Bits of a pixel to which OpenCV places lines."""

ALL_AGREES = 0.98
"""Share of a picture's area from which two pictures are said to agree over all of it; windows at
the edges are often left out of what is compared."""

LINE, HALO = (255, 214, 10), (0, 0, 0)

BADGE = 10
"""Radius of a number's disc, in pixels."""

_LEAST_SIDE = 8
_CLOSE = 0.6  # an overlap that reaches over less of the asset than this is shown enlarged
_MARGIN = 0.2  # of the overlap's size, shown around it
_LEAST_CLOSE = 16  # pixels of the asset
_BRIGHTNESS_STEP = 15.0  # grey levels of 255: smaller differences of the mean are left as they are
_CONTRAST_STEP = 1.3  # smaller factors between the contrasts are left as they are


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One picture with what it shows, in a sentence or two.

    Attributes:
        base: the picture without the line around the overlap.
        caption: what it shows.
        line: corners of that line in pixels, (n, 2), and `badges` the places of the numbers 1 and
            2; empty where the picture has its line in it already.
    """

    base: Picture
    caption: str
    line: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    badges: tuple[tuple[float, float], ...] = ()

    @property
    def picture(self) -> Picture:
        """The picture with the line and its numbers drawn."""
        if not len(self.line):
            return self.base
        drawn = self.base.copy()
        draw_outline(drawn, self.line)
        for number, place in enumerate(self.badges, start=1):
            draw_badge(drawn, str(number), place)
        return drawn


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """A frame of an asset at the size of a panel.

    Attributes:
        whole: the frame.
        close: the overlap with its surroundings, as large; `whole` if the overlap is not small.
        box: of `close` in the frame: left, top, right, bottom, in fractions.
        enlarged: how much larger the asset is in `close` than in `whole`.
        stretched: pixels of `close` to one of the asset's, at least 1.
    """

    whole: Picture
    close: Picture
    box: tuple[float, float, float, float]
    enlarged: float
    stretched: float


def asset_panel(whole: Picture, placed: Placement, agreed: float | None = None) -> Panel:
    """The asset with the outline of the work.

    Args:
        whole: the asset.
        placed: where the work lies in it.
        agreed: the share of the asset in which the two pictures agree, which may be smaller than
            what the outline takes in; None if it was not measured.
    """
    height, width = whole.shape[:2]
    points = outline(placed.in_asset, width, height)
    caption = "The asset. The line shows where the work lies in it."
    if placed.asset_share > 0.98:
        caption = "The asset. All of it lies within the work’s outline"
        caption += f"{_agreeing(agreed, 'the asset')}."
    return Panel(whole, caption, points, badge_places(points, placed, width, height))


def work_panel(
    work: Picture, placed: Placement, negative: bool, edge: int, agreed: float | None = None
) -> Panel:
    """The work with the outline of its part in the asset, `edge` pixels on the longer side.

    `agreed` is the share of the work in which the two pictures agree; None if it was not measured.
    """
    shown = sized(work, edge)
    height, width = shown.shape[:2]
    points = outline(placed.in_work, width, height)
    caption = "The work. The line shows the part of it that falls within the asset."
    if placed.work_share > 0.98:
        caption = f"The work. All of it falls within the asset{_agreeing(agreed, 'the work')}."
    caption += " The asset has it as a negative." * negative
    return Panel(shown, caption, points, badge_places(points, placed, width, height))


def _agreeing(agreed: float | None, of: str) -> str:
    """Over how much the pictures agree, if not over all that the outline takes in: a caption that
    told of the outline alone would be taken to say that they agree over all of it.
    """
    if agreed is None or agreed >= ALL_AGREES:
        return ""
    return f"; the two agree over {percent(agreed)} of {of}"


def checkerboard_panel(
    backdrop: Backdrop, work: Picture, placed: Placement, negative: bool
) -> Panel:
    """Squares of the asset and of the work warped onto it; what is around them is dimmed."""
    height, width = backdrop.close.shape[:2]
    left, top, right, bottom = backdrop.box
    into_box = np.array(
        [
            [1 / (right - left), 0, -left / (right - left)],
            [0, 1 / (bottom - top), -top / (bottom - top)],
            [0, 0, 1.0],
        ]
    )
    points = outline((placed.in_asset - (left, top)) / (right - left, bottom - top), width, height)
    inside = polygon_mask(points, width, height)
    warped_work = warped(
        255 - work if negative else work,
        into_box @ placed.matrix,
        width,
        height,
        backdrop.stretched,
    )
    warped_work, adjusted = matched_brightness(warped_work, backdrop.close, inside > 127)
    size = points.max(axis=0) - points.min(axis=0)
    square = int(np.clip(min(size) / 7, 12, 56))
    # Counted from the overlap's middle, so that a narrow one has squares of both pictures.
    middle = points.mean(axis=0)
    column = np.floor((np.arange(width) - middle[0]) / square).astype(int)
    row = np.floor((np.arange(height) - middle[1]) / square).astype(int)
    from_work = (column[None, :] + row[:, None]) % 2 == 0
    both = np.where(from_work[..., None], warped_work, backdrop.close).astype(float)
    # Where the two agree the squares would be invisible, so their borders are drawn faintly.
    border = np.zeros((height, width), dtype=bool)
    border[np.flatnonzero(np.diff(row)), :] = True
    border[:, np.flatnonzero(np.diff(column))] = True
    both[border] = 0.6 * both[border] + 0.4 * np.array(LINE)
    grey = backdrop.close.mean(axis=2, keepdims=True)
    dimmed = 0.25 * (0.5 * backdrop.close + 0.5 * grey) + 0.75 * 96.0
    weight = inside[..., None].astype(float) / 255.0
    drawn = (weight * both + (1 - weight) * dimmed).round().astype(np.uint8)
    draw_outline(drawn, points, thin=True)
    caption = (
        "Both: squares of the asset and of the work by turns. Where they are one picture, lines "
        "run on from square to square."
    )
    if negative:
        caption += " The work is inverted here."
    if backdrop.stretched >= 1.5:
        caption += " The work is made as soft as the asset here."
    if adjusted:
        caption += " The work is made as bright as the asset here."
    if backdrop.enlarged >= 1.25:
        caption += f" Enlarged {backdrop.enlarged:.1f} times."
    return Panel(drawn, caption)


def backdrop_of(frame: Picture, placed: Placement, edge: int) -> Backdrop:
    """The frame at the size of a panel, and the overlap with its surroundings, if it is small."""
    whole = sized(frame, edge)
    height, width = frame.shape[:2]
    size = np.array([width, height], dtype=float)
    low, high = placed.in_asset.min(axis=0) * size, placed.in_asset.max(axis=0) * size
    reach = max(float((high - low).max()) * (1 + 2 * _MARGIN), _LEAST_CLOSE)
    if reach >= _CLOSE * max(width, height):
        stretched = max(1.0, max(whole.shape[:2]) / max(width, height))
        return Backdrop(whole, whole, (0.0, 0.0, 1.0, 1.0), 1.0, stretched)
    room = float((high - low).max()) * _MARGIN
    room = max(room, (_LEAST_CLOSE - float((high - low).max())) / 2)
    left, top = np.maximum(np.floor(low - room), 0).astype(int)
    right, bottom = np.minimum(np.ceil(high + room), size).astype(int)
    close = sized(frame[top:bottom, left:right], edge)
    stretched = max(close.shape[:2]) / max(right - left, bottom - top)
    enlarged = stretched * max(width, height) / max(whole.shape[:2])
    box = (
        float(left / width),
        float(top / height),
        float(right / width),
        float(bottom / height),
    )
    return Backdrop(whole, close, box, float(enlarged), max(1.0, float(stretched)))


def sized(picture: Picture, edge: int) -> Picture:
    """The picture with its longer side `edge` pixels, as all panels have it."""
    height, width = picture.shape[:2]
    scale = edge / max(width, height)
    return resized(
        picture,
        max(_LEAST_SIDE, round(width * scale)),
        max(_LEAST_SIDE, round(height * scale)),
    )


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
    """The work warped onto an asset's raster of this size, with its edge pixels repeated around it.

    Args:
        work: of any size.
        matrix: (3, 3), from the work's fractions to the asset's.
        width, height: of the raster.
        stretched: pixels of the raster to one of the asset's; the work is made as coarse, because
            sharp squares next to soft ones would hide the lines that run across.
    """
    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ matrix.T
    corners = corners[:, :2] / corners[:, 2:] * (width, height)
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    sides = np.minimum(sides, 1e6) / stretched
    # Shrunk first, because warping interpolates between a few pixels and would skip the others.
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


def matched_brightness(
    laid: Picture, asset: Picture, inside: NDArray[np.bool_]
) -> tuple[Picture, bool]:
    """The warped work with the asset's brightness and contrast, and whether they were changed.

    They are changed only if they differ much, because then the squares themselves would hide the
    lines that run across them. All pixels and colours have one factor and one offset, so no line
    is made or lost.

    Args:
        laid, asset: of the same size.
        inside: (height, width), the pixels of the overlap.
    """
    if int(inside.sum()) < 2:
        return laid, False
    work_levels, asset_levels = laid[inside].mean(axis=1), asset[inside].mean(axis=1)
    spread = float(work_levels.std()) or 1.0
    gain = float(np.clip(asset_levels.std() / spread, 0.1, 10.0))
    offset = float(asset_levels.mean() - gain * work_levels.mean())
    same_brightness = abs(asset_levels.mean() - work_levels.mean()) < _BRIGHTNESS_STEP
    if same_brightness and 1 / _CONTRAST_STEP < gain < _CONTRAST_STEP:
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


def polygon_mask(points: NDArray[np.float64], width: int, height: int) -> NDArray[np.uint8]:
    """A mask of (height, width), 255 inside a polygon and 0 outside, smooth at its edge."""
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [fixed_point(points)], 255, lineType=cv2.LINE_AA, shift=SHIFT)
    return mask


def line_within(
    points: NDArray[np.float64], width: int, height: int, room: float
) -> NDArray[np.float64]:
    """The corners moved so that a line with `room` pixels to each side is within the picture."""
    room = min(room, width / 4, height / 4)
    inner: NDArray[np.float64] = np.clip(
        points, (room, room), (width - 1 - room, height - 1 - room)
    )
    return inner


def draw_outline(picture: Picture, points: NDArray[np.float64], *, thin: bool = False) -> None:
    """A bright line with a dark rim, so that it is visible on any ground, also without colour."""
    height, width = picture.shape[:2]
    small = thin or float(np.ptp(points, axis=0).min()) < 60
    line, halo = (2, 4) if small else (4, 9)
    inner = line_within(points, width, height, halo / 2)
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


def badge_places(
    points: NDArray[np.float64], placed: Placement, width: int, height: int
) -> tuple[tuple[float, float], ...]:
    """Where 1 and 2 stand: at the overlap's corners nearest the work's upper left and upper right.
    Nowhere if the overlap is too small for them.

    The same corners have the same number in asset and work, so that a rotation or reflection shows.
    """
    if float(np.ptp(points, axis=0).min()) < 5 * BADGE:
        return ()
    places = []
    for corner in ((0.0, 0.0), (1.0, 0.0)):
        nearest = int(np.abs(placed.in_work - corner).sum(axis=1).argmin())
        x, y = line_within(points[nearest : nearest + 1], width, height, BADGE + 3)[0]
        places.append((float(x), float(y)))
    return tuple(places)


def draw_badge(picture: Picture, number: str, place: tuple[float, float]) -> None:
    """A number on a dark disc with a bright rim."""
    at = (round(place[0]), round(place[1]))
    cv2.circle(picture, at, BADGE + 2, LINE, -1, lineType=cv2.LINE_AA)
    cv2.circle(picture, at, BADGE, HALO, -1, lineType=cv2.LINE_AA)
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
