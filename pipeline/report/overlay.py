"""The overlay of a work on an asset: from pictures, or later from what was kept of a frame, and as
files. `pipeline.report.overlay_drawing` draws it.
"""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.load.loaded import LoadedImage
from pipeline.report.overlap import Placement, Undrawable, placement
from pipeline.report.overlay_drawing import (
    EDGE,
    Backdrop,
    Panel,
    Picture,
    asset_panel,
    backdrop_of,
    checkerboard_panel,
    sized,
    work_panel,
)

Agreed = tuple[float | None, float | None]
"""The shares of the asset and of the work in which the two pictures agree, 0 to 1; None where it
was not measured."""

_KEPT_QUALITY, _JPEG_QUALITY = 90, 80

_PAGE_QUALITY, _PAGE_EFFORT = 65, 2
"""Of the WebP pictures of a page: of higher ones a reader sees no more, and more effort takes twice
the time for 4 % of the bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """The pictures of one overlap.

    Attributes:
        panels: asset, work and both together; only the asset if there is no picture of the work;
            none if the transform can't be drawn.
        note: a sentence on what is missing and why; empty if nothing is.
    """

    panels: tuple[Panel, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class KeptFrame:
    """What an overlay needs of an asset's frame, so that it can be drawn later.

    Attributes:
        whole: the frame as the page shows it, see `page_picture`.
        close: a JPEG of the overlap and its surroundings, its longer side `EDGE` pixels; None if
            that is the whole.
        box: of `close` in the frame: left, top, right, bottom, in fractions.
        stretched: pixels of `close` to one of the asset's, at least 1.
    """

    whole: bytes
    close: bytes | None
    box: tuple[float, float, float, float]
    stretched: float


def overlay(
    frame: Picture,
    work: Picture | None,
    transform: str | None,
    negative: bool,
    edge: int = EDGE,
    *,
    agreed: Agreed = (None, None),
) -> Overlay:
    """The overlay of a work on a frame of an asset.

    Args:
        frame: of the asset, of any size.
        work: a picture of the work, of any size, None if none is kept.
        transform: as stored, see `pipeline.report.overlap.placement`.
        negative: whether the asset is a negative of the work.
        edge: longer side of a panel, in pixels.
        agreed: the shares of the asset and of the work in which the two agree.
    """
    placed = placement(transform)
    if isinstance(placed, Undrawable):
        return _nothing(placed)
    return _drawn(backdrop_of(frame, placed, edge), work, placed, negative, edge, agreed)


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
    backdrop = backdrop_of(frame, placed, EDGE)
    same = backdrop.close is backdrop.whole
    close = None if same else jpeg(backdrop.close, _KEPT_QUALITY)
    return KeptFrame(page_picture(frame), close, backdrop.box, backdrop.stretched)


def overlay_of_kept(
    kept: KeptFrame,
    work: bytes | None,
    transform: str | None,
    negative: bool,
    agreed: Agreed = (None, None),
) -> Overlay:
    """The overlay from a kept frame and a work's picture; other arguments as in `overlay`."""
    placed = placement(transform)
    if isinstance(placed, Undrawable):
        return _nothing(placed)
    whole = picture_of(kept.whole)
    close = picture_of(kept.close) if kept.close is not None else whole
    if whole is None or close is None:
        return Overlay((), "The overlay is not drawn: the frame that was kept can't be read.")
    whole = sized(whole, EDGE)
    close = close if kept.close is not None else whole
    left, top, right, bottom = kept.box
    wide, high = (right - left) * whole.shape[1], (bottom - top) * whole.shape[0]
    enlarged = max(close.shape[:2]) / max(wide, high, 1.0)
    backdrop = Backdrop(whole, close, kept.box, enlarged, kept.stretched)
    picture = picture_of(work) if work else None
    return _drawn(backdrop, picture, placed, negative, EDGE, agreed)


def picture_of(stored: bytes) -> Picture | None:
    """The pixels of a JPEG or WebP; None if it is none."""
    try:
        with Image.open(io.BytesIO(stored), formats=("JPEG", "WEBP")) as image:
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (OSError, ValueError, SyntaxError):
        return None


def jpeg(picture: Picture, quality: int = _JPEG_QUALITY) -> bytes:
    """A picture as a JPEG without metadata; the same picture gives the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def page_picture(picture: Picture) -> bytes:
    """A picture as pages show it: a WebP without metadata, its longer side at most `EDGE` pixels,
    twice what is shown. The same picture gives the same bytes.
    """
    height, width = picture.shape[:2]
    small = sized(picture, EDGE) if max(height, width) > EDGE else picture
    buffer = io.BytesIO()
    Image.fromarray(small).save(buffer, "WEBP", quality=_PAGE_QUALITY, method=_PAGE_EFFORT)
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


def _nothing(undrawable: Undrawable) -> Overlay:
    return Overlay((), f"The overlay is not drawn: {undrawable.why}.")


def _drawn(
    backdrop: Backdrop,
    work: Picture | None,
    placed: Placement,
    negative: bool,
    edge: int,
    agreed: Agreed,
) -> Overlay:
    asset = asset_panel(backdrop.whole, placed, agreed[0])
    if work is None:
        return Overlay((asset,), "The index keeps no picture of the work to lay onto the asset.")
    return Overlay(
        (
            asset,
            work_panel(work, placed, negative, edge, agreed[1]),
            checkerboard_panel(backdrop, work, placed, negative),
        )
    )
