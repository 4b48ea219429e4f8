"""The overlay: pictures that let a reviewer see at a glance whether a claimed overlap is right.

Up to three panels: the asset with the work's outline; the work with the part of it that is in the
asset; and the overlap in squares taken by turns from the asset and from the work laid onto it, so
that lines which run on from square to square prove the match.
"""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.load.loaded import LoadedImage
from pipeline.report.overlap import Placement, Undrawable, placement
from pipeline.report.overlay_drawing import (
    LINE,
    SHIFT,
    Picture,
    as_bright,
    draw_badges,
    draw_outline,
    fixed_point,
    outline,
    resized,
    warped,
)

EDGE = 480
"""Longer side of a panel, in pixels."""

_LEAST_SIDE = 8
_CLOSE = 0.6  # an overlap that reaches over less of the asset than this is shown enlarged
_MARGIN = 0.2  # of the overlap's size, shown around it
_LEAST_CLOSE = 16  # pixels of the asset
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
        stretched: pixels of `close` to one of the asset's, at least 1.
    """

    whole: bytes
    close: bytes | None
    box: tuple[float, float, float, float]
    stretched: float


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    whole: Picture
    close: Picture
    box: tuple[float, float, float, float]
    enlarged: float
    stretched: float


def overlay(
    frame: Picture, work: Picture | None, transform: str | None, negative: bool, edge: int = EDGE
) -> Overlay:
    """The overlay of a work on a frame of an asset.

    Args:
        frame: of the asset, of any size.
        work: a picture of the work, of any size, None if none is kept.
        transform: as stored, see `pipeline.report.overlap.placement`.
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
    return KeptFrame(jpeg(ground.whole, _KEPT_QUALITY), close, ground.box, ground.stretched)


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
    ground = _Ground(whole, close, kept.box, enlarged, kept.stretched)
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


def small_jpeg(jpeg_bytes: bytes, edge: int) -> bytes | None:
    """A JPEG's picture with its longer side at most `edge` pixels, without metadata; None if it is
    no JPEG.
    """
    picture = picture_of(jpeg_bytes)
    if picture is None or max(picture.shape[:2]) <= edge:
        return None if picture is None else jpeg_bytes
    return jpeg(_sized(picture, edge))


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
    draw_outline(drawn, points)
    draw_badges(drawn, points, placed)
    if placed.asset_share > 0.98:
        return Panel(drawn, "The asset. All of it lies within the work.")
    return Panel(drawn, "The asset. The line shows where the work lies in it.")


def _work_panel(work: Picture, placed: Placement, negative: bool, edge: int) -> Panel:
    drawn = _sized(work, edge).copy()
    points = outline(placed.in_work, drawn.shape[1], drawn.shape[0])
    draw_outline(drawn, points)
    draw_badges(drawn, points, placed)
    caption = "The work. The line shows the part of it that falls within the asset."
    if placed.work_share > 0.98:
        caption = "The work. All of it falls within the asset."
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
    laid = warped(
        255 - work if negative else work,
        into_box @ placed.matrix,
        width,
        height,
        ground.stretched,
    )
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [fixed_point(points)], 255, lineType=cv2.LINE_AA, shift=SHIFT)
    spread = points.max(axis=0) - points.min(axis=0)
    tile = int(np.clip(min(spread) / 7, 12, 56))
    # Counted from the overlap's middle, so that the tiles of a narrow one are not all of one kind.
    middle = points.mean(axis=0)
    column = np.floor((np.arange(width) - middle[0]) / tile).astype(int)
    row = np.floor((np.arange(height) - middle[1]) / tile).astype(int)
    from_work = (column[None, :] + row[:, None]) % 2 == 0
    laid, adjusted = as_bright(laid, ground.close, inside > 127)
    both = np.where(from_work[..., None], laid, ground.close).astype(float)
    # Where they agree nothing would tell the squares apart, so their borders are drawn faintly.
    border = np.zeros((height, width), dtype=bool)
    border[np.flatnonzero(np.diff(row)), :] = True
    border[:, np.flatnonzero(np.diff(column))] = True
    both[border] = 0.6 * both[border] + 0.4 * np.array(LINE)
    grey = ground.close.mean(axis=2, keepdims=True)
    dimmed = 0.25 * (0.5 * ground.close + 0.5 * grey) + 0.75 * 96.0
    part = inside[..., None].astype(float) / 255.0
    drawn = (part * both + (1 - part) * dimmed).round().astype(np.uint8)
    draw_outline(drawn, points, thin=True)
    caption = (
        "Both: squares of the asset and of the work by turns. Where they are one picture, lines "
        "run on from square to square."
    )
    if negative:
        caption += " The work is inverted here."
    if ground.stretched >= 1.5:
        caption += " The work is made as soft as the asset here."
    if adjusted:
        caption += " The work is made as bright as the asset here."
    if ground.enlarged >= 1.25:
        caption += f" Enlarged {ground.enlarged:.1f} times."
    return Panel(drawn, caption)


def _ground(frame: Picture, placed: Placement, edge: int) -> _Ground:
    """The frame at the size of a panel, and the overlap with its surroundings, if it is small."""
    whole = _sized(frame, edge)
    height, width = frame.shape[:2]
    size = np.array([width, height], dtype=float)
    low, high = placed.in_asset.min(axis=0) * size, placed.in_asset.max(axis=0) * size
    reach = max(float((high - low).max()) * (1 + 2 * _MARGIN), _LEAST_CLOSE)
    if reach >= _CLOSE * max(width, height):
        stretched = max(1.0, max(whole.shape[:2]) / max(width, height))
        return _Ground(whole, whole, (0.0, 0.0, 1.0, 1.0), 1.0, stretched)
    room = float((high - low).max()) * _MARGIN
    room = max(room, (_LEAST_CLOSE - float((high - low).max())) / 2)
    left, top = np.maximum(np.floor(low - room), 0).astype(int)
    right, bottom = np.minimum(np.ceil(high + room), size).astype(int)
    close = _sized(frame[top:bottom, left:right], edge)
    stretched = max(close.shape[:2]) / max(right - left, bottom - top)
    enlarged = stretched * max(width, height) / max(whole.shape[:2])
    box = (
        float(left / width),
        float(top / height),
        float(right / width),
        float(bottom / height),
    )
    return _Ground(whole, close, box, float(enlarged), max(1.0, float(stretched)))


def _sized(picture: Picture, edge: int) -> Picture:
    """The picture for a panel, its longer side `edge` pixels, so that lines are alike in all."""
    height, width = picture.shape[:2]
    scale = edge / max(width, height)
    return resized(
        picture,
        max(_LEAST_SIDE, round(width * scale)),
        max(_LEAST_SIDE, round(height * scale)),
    )
