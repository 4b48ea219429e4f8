"""Pictures of a page: each is in it once, and shown by its name wherever it is needed."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from pipeline.report.overlay import page_picture, picture_of
from pipeline.report.overlay_drawing import BADGE, Panel, line_within

_ROOM = 4.5
"""Half of the width of a line around an overlap, its rim included, in pixels of its panel."""


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A picture that the page holds.

    Attributes:
        name: of the picture in the page, by which it is shown.
        width, height: in pixels.
        uri: the picture as a data URI.
    """

    name: str
    width: int
    height: int
    uri: str


class PagePictures:
    """The pictures of one page. Those of the same bytes are one."""

    def __init__(self) -> None:
        self._sizes: dict[str, tuple[int, int]] = {}
        self._new: list[PagePicture] = []

    def add(self, picture: bytes | None) -> PagePicture | None:
        """The picture as the page shows it; None if there is none or it can't be read.

        Args:
            picture: a JPEG or WebP of at most the size that pages show.
        """
        if not picture:
            return None
        name = f"p{hashlib.sha256(picture).hexdigest()[:16]}"
        if name in self._sizes:
            return PagePicture(name, *self._sizes[name], "")
        pixels = picture_of(picture)
        if pixels is None:
            return None
        self._sizes[name] = (pixels.shape[1], pixels.shape[0])
        kind = "webp" if picture[8:12] == b"WEBP" else "jpeg"
        uri = f"data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')}"
        self._new.append(PagePicture(name, *self._sizes[name], uri))
        return self._new[-1]

    @property
    def new_bytes(self) -> int:
        """How much the pictures take that were added since `take_new`."""
        return sum(len(one.uri) for one in self._new)

    def take_new(self) -> tuple[PagePicture, ...]:
        """The pictures that were added since the last call: those that the page must still get."""
        new, self._new = tuple(self._new), []
        return new

    def without_new(self, kept: int) -> None:
        """Takes back those added since `take_new` but for the first `kept`."""
        for one in self._new[kept:]:
            del self._sizes[one.name]
        del self._new[kept:]

    @property
    def new_count(self) -> int:
        """How many were added since `take_new`."""
        return len(self._new)


@dataclass(frozen=True, slots=True)
class PagePanel:
    """One picture of an overlay, with the line around the overlap drawn over it.

    Attributes:
        picture: without the line.
        caption, alt: what it shows, and for those who do not see it.
        name: the file of the work that it shows, or empty.
        width, height: of the panel in pixels, in which `line` and `badges` are.
        line: the corners of the line as `x,y x,y …`; empty if the picture has it in it.
        fine: whether the line is a thin one, around a small overlap.
        badges: the numbers at two of the corners, and their places.
    """

    picture: PagePicture
    caption: str
    alt: str
    name: str
    width: int
    height: int
    line: str
    fine: bool
    badges: tuple[tuple[int, float, float], ...]


BADGE_RADIUS = BADGE


def page_panel(
    pictures: PagePictures, panel: Panel, alt: str, name: str, stored: bytes | None = None
) -> PagePanel | None:
    """A panel for the page; None if its picture can't be read.

    Args:
        pictures: of the page.
        panel: as drawn.
        alt, name: as of `PagePanel`.
        stored: the picture beneath the line, if it is there as the page shows it.
    """
    picture = pictures.add(stored or page_picture(panel.base))
    if picture is None:
        return None
    height, width = panel.base.shape[:2]
    line, fine = "", False
    if len(panel.line):
        low, high = panel.line.min(axis=0), panel.line.max(axis=0)
        fine = bool((high - low).min() < 60)
        inner = line_within(panel.line, width, height, 2.0 if fine else _ROOM)
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in inner + 0.5)
    badges = tuple(
        (number, round(x, 1), round(y, 1)) for number, (x, y) in enumerate(panel.badges, start=1)
    )
    return PagePanel(picture, panel.caption, alt, name, width, height, line, fine, badges)
