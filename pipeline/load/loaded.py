"""What loading gives: the pixels of a picture, or the text of a script."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.load.detail import grey_has_detail, to_grey

WORKING_EDGE = 1024
"""Pixels. Frames are averaged down by a whole number as long as their longer side stays this
long: no stage looks at more than half of it, and each would have to do it for itself."""


@dataclass(frozen=True)
class LoadedImage:
    """A decoded picture.

    Attributes:
        frames: one or more uint8 (height, width, 3) sRGB arrays, upright (EXIF applied), alpha
            composited over white, large ones averaged down. Several for an animation; a cut-out
            has a second view of each, over black, since a copy of it may lie on any ground.
        format: Pillow's name of the format, such as `JPEG`.
        frame_count: frames in the file; more than `len(frames)` if they were sampled.
        notes: sentences on what decoding had to do or leave out.
        complete: False if some of the file's frames were not loaded; a note says which. Its row is
            then at best `partly_screened`.
        numbers: for each of `frames`, the frame of the file that it shows, from 0; if empty, they
            are the file's first.
    """

    frames: tuple[NDArray[np.uint8], ...]
    format: str
    frame_count: int = 1
    notes: tuple[str, ...] = ()
    complete: bool = True
    numbers: tuple[int, ...] = ()

    def number(self, place: int) -> int:
        """Which frame of the file `frames[place]` shows, from 0."""
        return self.numbers[place] if self.numbers else place

    @cached_property
    def detailed(self) -> tuple[bool, ...]:
        """Whether each frame holds enough detail to be told from others: every image stage asks."""
        return tuple(grey_has_detail(grey) for grey in self.grey)

    @cached_property
    def grey(self) -> tuple[NDArray[np.uint8], ...]:
        """Each frame's grey levels, averaged down: uint8 (height, width)."""
        return tuple(to_grey(frame) for frame in self.frames)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a script's text that is content, `start` to `end` in characters (half open).

    `element` is the format's name for it (`text`, `dialogue`, `action`, …).
    """

    start: int
    end: int
    element: str = "text"


@dataclass(frozen=True, slots=True)
class LoadedScript:
    """A decoded script.

    Attributes:
        text: the text as decoded from the file; for plain-text formats (.txt, .md, .fountain,
            .srt, .vtt) exactly the file's own characters, without a byte order mark. Lone
            surrogates never occur.
        spans: the parts of `text` that are content (a subtitle's time codes are not), in order,
            not overlapping. Offsets everywhere are characters (code points) of `text`.
        format: `txt`, `md`, `fountain`, `fdx`, `fadein`, `docx`, `pdf`, `srt` or `vtt`.
        encoding: of the file, for plain-text formats.
        notes: sentences on what reading had to do or leave out.
        complete: False if some of the text could not be read, as in `LoadedImage`.
        pages: of each of `spans`, the page of the file, from 1; empty if it has none.
    """

    text: str
    spans: tuple[Span, ...]
    format: str
    encoding: str | None = None
    notes: tuple[str, ...] = ()
    complete: bool = True
    pages: tuple[int, ...] = ()

    @classmethod
    def from_paragraphs(
        cls, script_format: str, paragraphs: Iterable[tuple[str, str]], notes: Iterable[str] = ()
    ) -> LoadedScript:
        """A script of paragraphs, given as (element, text), one a line with a span each.

        Paragraphs of white space are left out.
        """
        lines: list[str] = []
        spans: list[Span] = []
        start = 0
        for element, text in paragraphs:
            if not text.strip():
                continue
            spans.append(Span(start, start + len(text), element))
            lines.append(text)
            start += len(text) + 1
        return cls("\n".join(lines), tuple(spans), script_format, notes=tuple(notes))


Loaded = LoadedImage | LoadedScript
