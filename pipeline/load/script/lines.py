"""Lines of a text with their offsets, and its parts without subtitle tags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pipeline.load.loaded import Span

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_TAG = re.compile(r"</?[A-Za-z][^<>\r\n]*>|</>|<\d[\d:.]*>|\{\\[^{}\r\n]*\}")
"""`<i>`, `</font>`, WebVTT's `<v Anna>` and `<00:01:02.000>`, SubStation's `{\\an8}`."""

TIMING = re.compile(
    r"\s*(?:\d+:)?\d{1,2}:\d{1,2}(?:[.,]\d{1,3})?[ \t]*-->"
    r"[ \t]*(?:\d+:)?\d{1,2}:\d{1,2}(?:[.,]\d{1,3})?(?:\s.*)?"
)
"""The timing line of a cue in SubRip and WebVTT."""


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


def joined(lines: Iterable[Line | None]) -> Iterator[tuple[int, int]]:
    """Start and end of each run of consecutive lines; None separates runs."""
    start = end = None
    for line in lines:
        if line is None:
            if start is not None and end is not None:
                yield start, end
            start = end = None
            continue
        start, end = (line.start if start is None else start), line.end
    if start is not None and end is not None:
        yield start, end


def untagged(text: str, start: int, end: int, element: str) -> Iterator[Span]:
    """The parts of `text[start:end]` between tags, except those of only white space."""
    position = start
    for tag in _TAG.finditer(text, start, end):
        yield from _span(text, position, tag.start(), element)
        position = tag.end()
    yield from _span(text, position, end, element)


def _span(text: str, start: int, end: int, element: str) -> Iterator[Span]:
    if text[start:end].strip():
        yield Span(start, end, element)
