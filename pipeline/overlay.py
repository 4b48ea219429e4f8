"""The overlay: pictures that let a reviewer see at a glance whether a claimed overlap is right.

Up to three panels: the asset with the work's outline; the work with the part of it that is in the
asset; and the overlap in squares taken by turns from the asset and from the work laid onto it, so
that lines which run on from square to square prove the match.
"""

from __future__ import annotations

import io
import math
import textwrap
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pipeline.overlap import Placement, Undrawable, placement
from pipeline.records import LoadedImage

Picture = NDArray[np.uint8]
"""sRGB, (height, width, 3)."""

EDGE = 480
"""Longer side of a panel, in pixels."""

_LEAST_SIDE = 8
_CLOSE = 0.6  # an overlap that reaches over less of the asset than this is shown enlarged
_MARGIN = 0.2  # of the overlap's size, shown around it
_LEAST_CLOSE = 16  # pixels of the asset
_LINE, _HALO = (255, 214, 10), (0, 0, 0)
_SHIFT = 4  # bits of a pixel to which lines are placed
_BADGE = 10
_DIFFERENT = 15.0  # grey levels of 255: a mean brightness that differs by less is left as it is
_STEEPER = 1.3  # and a contrast by less than this factor
_KEPT_QUALITY, _JPEG_QUALITY = 90, 80


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One picture with what it shows, in a sentence or two."""

    picture: Picture
    caption: str


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """What can be drawn of one overlap.

    Attributes:
        panels: asset, work and both together; the asset alone if there is no picture of the work;
            none if the transform can't be drawn.
        note: a sentence that says what is not there and why; empty if nothing is missing.
    """

    panels: tuple[Panel, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class KeptFrame:
    """What an overlay needs of an asset's frame, as JPEGs, so that it can be drawn later.

    Attributes:
        whole: the frame, its longer side `EDGE` pixels.
        close: the overlap and its surroundings, as large; None if that is the whole.
        box: of `close` in the frame: left, top, right, bottom, in fractions.
    """

    whole: bytes
    close: bytes | None
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    whole: Picture
    close: Picture
    box: tuple[float, float, float, float]
    enlarged: float


def overlay(
    frame: Picture, work: Picture | None, transform: str | None, negative: bool, edge: int = EDGE
) -> Overlay:
    """The overlay of a work on a frame of an asset.

    Args:
        frame: of the asset, of any size.
        work: a picture of the work, of any size, None if none is kept.
        transform: as stored, see `pipeline.overlap.placement`.
        negative: whether the asset is a negative of the work.
        edge: longer side of a panel, in pixels.
    """
    placed = placement(transform)
    if isinstance(placed, Undrawable):
        return _nothing(placed)
    return _drawn(_ground(frame, placed, edge), work, placed, negative, edge)


def frame_of(image: LoadedImage, number: int) -> Picture | None:
    """The picture that frame `number` of the file gave; None if it was not looked at.

    Of a cut-out, which gives two, the view over white.
    """
    for place, frame in enumerate(image.frames):
        if image.number(place) == number:
            return frame
    return None


def keep_frame(frame: Picture, transform: str | None) -> KeptFrame | None:
    """What `overlay_of_kept` will need of a frame; None if the transform can't be drawn."""
    placed = placement(transform)
    if isinstance(placed, Undrawable):
        return None
    ground = _ground(frame, placed, EDGE)
    same = ground.close is ground.whole
    close = None if same else jpeg(ground.close, _KEPT_QUALITY)
    return KeptFrame(jpeg(ground.whole, _KEPT_QUALITY), close, ground.box)


def overlay_of_kept(
    kept: KeptFrame, work: bytes | None, transform: str | None, negative: bool
) -> Overlay:
    """The overlay from a kept frame and a work's JPEG; arguments else as in `overlay`."""
    placed = placement(transform)
    if isinstance(placed, Undrawable):
        return _nothing(placed)
    whole = picture_of(kept.whole)
    close = picture_of(kept.close) if kept.close is not None else whole
    if whole is None or close is None:
        return Overlay((), "The overlay is not drawn: the frame that was kept can't be read.")
    left, top, right, bottom = kept.box
    wide, high = (right - left) * whole.shape[1], (bottom - top) * whole.shape[0]
    enlarged = max(close.shape[:2]) / max(wide, high, 1.0)
    ground = _Ground(whole, close, kept.box, enlarged)
    return _drawn(ground, picture_of(work) if work else None, placed, negative, EDGE)


def picture_of(jpeg_bytes: bytes) -> Picture | None:
    """A JPEG's pixels; None if it is none."""
    try:
        with Image.open(io.BytesIO(jpeg_bytes), formats=("JPEG",)) as image:
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (OSError, ValueError, SyntaxError):
        return None


def jpeg(picture: Picture, quality: int = _JPEG_QUALITY) -> bytes:
    """A picture as a JPEG without metadata; the same picture gives the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def strip(drawn: Overlay) -> bytes:
    """The panels side by side with their captions beneath, as a PNG without metadata.

    Raises:
        ValueError: if there are no panels.
    """
    if not drawn.panels:
        raise ValueError("an overlay without panels")
    gap, font = 16, ImageFont.load_default(14)
    paper, ink = (247, 246, 242), (28, 34, 45)
    widths = [max(panel.picture.shape[1], 240) for panel in drawn.panels]
    captions = [
        textwrap.wrap(panel.caption, max(24, width // 7))
        for panel, width in zip(drawn.panels, widths, strict=True)
    ]
    line = 19
    heights = [
        panel.picture.shape[0] + 10 + line * len(caption)
        for panel, caption in zip(drawn.panels, captions, strict=True)
    ]
    size = (sum(widths) + gap * (len(widths) + 1), max(heights) + 2 * gap)
    page = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(page)
    left = gap
    for panel, width, caption in zip(drawn.panels, widths, captions, strict=True):
        page.paste(Image.fromarray(panel.picture), (left, gap))
        top = gap + panel.picture.shape[0] + 10
        for n, text in enumerate(caption):
            draw.text((left, top + n * line), text, font=font, fill=ink)
        left += width + gap
    buffer = io.BytesIO()
    page.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def outline(points: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Points in fractions as points of a raster of this size, (n, 2), x to the right, y down.

    A raster's first pixel has its middle at 0, and so its upper left corner at -0.5.
    """
    placed: NDArray[np.float64] = points * np.array([width, height], dtype=float) - 0.5
    return placed


def warped(work: Picture, matrix: NDArray[np.float64], width: int, height: int) -> Picture:
    """The work laid onto an asset's raster of this size; black where it does not reach.

    Args:
        work: of any size.
        matrix: (3, 3), from the work's fractions to the asset's.
        width, height: of the raster.
    """
    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ matrix.T
    corners = corners[:, :2] / corners[:, 2:] * (width, height)
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    # Shrunk first, since warping looks at four pixels of the work however many lie between.
    wide = max(1, min(work.shape[1], math.ceil(min(max(sides[0], sides[2]), 1e6) * 1.5)))
    high = max(1, min(work.shape[0], math.ceil(min(max(sides[1], sides[3]), 1e6) * 1.5)))
    if (wide, high) != (work.shape[1], work.shape[0]):
        work = _resized(work, wide, high)
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


def _nothing(undrawable: Undrawable) -> Overlay:
    return Overlay((), f"The overlay is not drawn: {undrawable.why}.")


def _drawn(
    ground: _Ground, work: Picture | None, placed: Placement, negative: bool, edge: int
) -> Overlay:
    asset = _asset_panel(ground.whole, placed)
    if work is None:
        return Overlay((asset,), "The index keeps no picture of the work to lay onto the asset.")
    return Overlay(
        (
            asset,
            _work_panel(work, placed, negative, edge),
            _joined_panel(ground, work, placed, negative),
        )
    )


def _asset_panel(whole: Picture, placed: Placement) -> Panel:
    height, width = whole.shape[:2]
    drawn = whole.copy()
    points = outline(placed.in_asset, width, height)
    _draw_outline(drawn, points)
    _draw_badges(drawn, points, placed)
    if placed.asset_share > 0.98:
        return Panel(drawn, "The asset. All of it lies within the work.")
    return Panel(drawn, "The asset. The line shows where the work lies in it.")


def _work_panel(work: Picture, placed: Placement, negative: bool, edge: int) -> Panel:
    drawn = _sized(work, edge).copy()
    points = outline(placed.in_work, drawn.shape[1], drawn.shape[0])
    _draw_outline(drawn, points)
    _draw_badges(drawn, points, placed)
    caption = "The work. The line shows the part of it that is in the asset."
    if placed.work_share > 0.98:
        caption = "The work. All of it is in the asset."
    return Panel(drawn, caption + " The asset has it as a negative." * negative)


def _joined_panel(ground: _Ground, work: Picture, placed: Placement, negative: bool) -> Panel:
    height, width = ground.close.shape[:2]
    left, top, right, bottom = ground.box
    into_box = np.array(
        [
            [1 / (right - left), 0, -left / (right - left)],
            [0, 1 / (bottom - top), -top / (bottom - top)],
            [0, 0, 1.0],
        ]
    )
    points = outline((placed.in_asset - (left, top)) / (right - left, bottom - top), width, height)
    laid = warped(255 - work if negative else work, into_box @ placed.matrix, width, height)
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [_fixed(points)], 255, lineType=cv2.LINE_AA, shift=_SHIFT)
    spread = points.max(axis=0) - points.min(axis=0)
    tile = int(np.clip(min(spread) / 7, 12, 56))
    # Counted from the overlap's middle, so that the tiles of a narrow one are not all of one kind.
    middle = points.mean(axis=0)
    column = np.floor((np.arange(width) - middle[0]) / tile).astype(int)
    row = np.floor((np.arange(height) - middle[1]) / tile).astype(int)
    from_work = (column[None, :] + row[:, None]) % 2 == 0
    laid, adjusted = _as_bright(laid, ground.close, inside > 127)
    both = np.where(from_work[..., None], laid, ground.close).astype(float)
    # Where they agree nothing would tell the squares apart, so their borders are drawn faintly.
    border = np.zeros((height, width), dtype=bool)
    border[np.flatnonzero(np.diff(row)), :] = True
    border[:, np.flatnonzero(np.diff(column))] = True
    both[border] = 0.6 * both[border] + 0.4 * np.array(_LINE)
    grey = ground.close.mean(axis=2, keepdims=True)
    dimmed = 0.25 * (0.5 * ground.close + 0.5 * grey) + 0.75 * 96.0
    part = inside[..., None].astype(float) / 255.0
    drawn = (part * both + (1 - part) * dimmed).round().astype(np.uint8)
    _draw_outline(drawn, points, thin=True)
    caption = (
        "Both: squares of the asset and of the work by turns. Where they are one picture, lines "
        "run on from square to square."
    )
    if negative:
        caption += " The work is inverted here."
    if adjusted:
        caption += " The work is made as bright as the asset here."
    if ground.enlarged >= 1.25:
        caption += f" Enlarged {ground.enlarged:.1f} times."
    return Panel(drawn, caption)


def _as_bright(laid: Picture, ground: Picture, inside: NDArray[np.bool_]) -> tuple[Picture, bool]:
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


def _ground(frame: Picture, placed: Placement, edge: int) -> _Ground:
    """The frame at the size of a panel, and the overlap with its surroundings, if it is small."""
    whole = _sized(frame, edge)
    height, width = frame.shape[:2]
    size = np.array([width, height], dtype=float)
    low, high = placed.in_asset.min(axis=0) * size, placed.in_asset.max(axis=0) * size
    reach = max(float((high - low).max()) * (1 + 2 * _MARGIN), _LEAST_CLOSE)
    if reach >= _CLOSE * max(width, height):
        return _Ground(whole, whole, (0.0, 0.0, 1.0, 1.0), 1.0)
    room = float((high - low).max()) * _MARGIN
    room = max(room, (_LEAST_CLOSE - float((high - low).max())) / 2)
    left, top = np.maximum(np.floor(low - room), 0).astype(int)
    right, bottom = np.minimum(np.ceil(high + room), size).astype(int)
    close = _sized(frame[top:bottom, left:right], edge)
    enlarged = max(close.shape[:2]) / max(right - left, bottom - top)
    enlarged *= max(width, height) / max(whole.shape[:2])
    box = (left / width, top / height, right / width, bottom / height)
    return _Ground(
        whole, close, (float(box[0]), float(box[1]), float(box[2]), float(box[3])), enlarged
    )


def _sized(picture: Picture, edge: int) -> Picture:
    """The picture for a panel, its longer side `edge` pixels, so that lines are alike in all."""
    height, width = picture.shape[:2]
    scale = edge / max(width, height)
    return _resized(
        picture,
        max(_LEAST_SIDE, round(width * scale)),
        max(_LEAST_SIDE, round(height * scale)),
    )


def _resized(picture: Picture, width: int, height: int) -> Picture:
    if (height, width) == picture.shape[:2]:
        return picture
    smaller = width * height < picture.shape[0] * picture.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=way), dtype=np.uint8)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    fixed: NDArray[np.int32] = np.round(points * 2**_SHIFT).astype(np.int32)
    return fixed.reshape(-1, 1, 2)


def _draw_outline(picture: Picture, points: NDArray[np.float64], *, thin: bool = False) -> None:
    """A bright line with a dark rim: one of the two shows on any ground, by lightness alone."""
    height, width = picture.shape[:2]
    small = thin or float(np.ptp(points, axis=0).min()) < 60
    line, halo = (2, 4) if small else (4, 9)
    # Along the picture's own edge the line would lie half outside.
    room = min(halo / 2, width / 4, height / 4)
    inner = np.clip(points, (room, room), (width - 1 - room, height - 1 - room))
    for colour, thickness in ((_HALO, halo), (_LINE, line)):
        cv2.polylines(
            picture, [_fixed(inner)], True, colour, thickness, lineType=cv2.LINE_AA, shift=_SHIFT
        )


def _draw_badges(picture: Picture, points: NDArray[np.float64], placed: Placement) -> None:
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
        cv2.circle(picture, at, _BADGE + 2, _LINE, -1, lineType=cv2.LINE_AA)
        cv2.circle(picture, at, _BADGE, _HALO, -1, lineType=cv2.LINE_AA)
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
