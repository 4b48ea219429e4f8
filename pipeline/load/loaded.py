"""Results of loading: the pixels of a picture, or the text of a script with its spans and lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.load.detail import grey_has_detail, to_grey

WORKING_EDGE = 1024
"""Pixels. Frames are averaged down by the largest integer factor that keeps their longer side at
least this long. Done once here: the stages use at most half of it."""


@dataclass(frozen=True)
class LoadedImage:
    """A decoded picture.

    Attributes:
        frames: one or more uint8 (height, width, 3) sRGB arrays, upright (EXIF applied), alpha
            composited over white, large ones averaged down. Several for an animation; a cut-out
            has a second view of each, over black, since a copy may have any background.
        format: Pillow's name of the format, such as `JPEG`.
        frame_count: frames in the file; more than were loaded if they were sampled.
        notes: sentences on what decoding approximated or left out.
        complete: False if some of the file's frames were not loaded; a note says which. Its row is
            then at best `partly_screened`.
        numbers: for each of `frames`, its number in the file, from 0; if empty, they are the first
            frames of the file.
    """

    frames: tuple[NDArray[np.uint8], ...]
    format: str
    frame_count: int = 1
    notes: tuple[str, ...] = ()
    complete: bool = True
    numbers: tuple[int, ...] = ()

    def number(self, index: int) -> int:
        """The number in the file, from 0, of `frames[index]`."""
        return self.numbers[index] if self.numbers else index

    @cached_property
    def detailed(self) -> tuple[bool, ...]:
        """Whether each frame passes the texture gate (`detail`), which all image stages apply."""
        return tuple(grey_has_detail(grey) for grey in self.grey)

    @cached_property
    def grey(self) -> tuple[NDArray[np.uint8], ...]:
        """Each frame in greyscale, averaged down: uint8 (height, width), see `to_grey`."""
        return tuple(to_grey(frame) for frame in self.frames)


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a script's text that is content: characters `start` to `end`, exclusive.

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
            .srt, .vtt) exactly the file's own characters, without a byte order mark. It has no lone
            surrogates.
        spans: the parts of `text` that are content (a subtitle's time codes are not), in order,
            not overlapping. All offsets are in characters (code points) of `text`.
        format: `txt`, `md`, `fountain`, `fdx`, `fadein`, `docx`, `pdf`, `srt` or `vtt`.
        encoding: of the file, for plain-text formats.
        notes: sentences on what reading assumed or left out.
        complete: False if some of the text could not be read, as in `LoadedImage`.
        pages: for each of `spans`, its page in the file, from 1; empty if the format has none.
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


_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")


class Line(NamedTuple):
    """A line: its offsets in characters, without the line end, and its text."""

    start: int
    end: int
    text: str

    @property
    def blank(self) -> bool:
        """Whether it is empty or white space."""
        return not self.text.strip()


def lines_of(text: str, start: int = 0, end: int | None = None) -> Iterator[Line]:
    r"""Lines of `text[start:end]`, split at ``\r\n``, ``\r`` and ``\n`` only, unlike
    str.splitlines.
    """
    last = len(text) if end is None else end
    for match in _LINE.finditer(text, start, last):
        line = match.group(1)
        if line or match.start() < last:
            yield Line(match.start(), match.start() + len(line), line)
