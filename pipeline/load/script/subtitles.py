"""Subtitles, SubRip (.srt) and WebVTT (.vtt): the spoken lines.

Left out are counters, time codes, tags, and WebVTT's notes, styles and cue names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from pipeline.load.loaded import Line, Span, lines_of

_TAG = re.compile(r"</?[A-Za-z][^<>\r\n]*>|</>|<\d[\d:.]*>|\{\\[^{}\r\n]*\}")
"""`<i>`, `</font>`, WebVTT's `<v Anna>` and `<00:01:02.000>`, SubStation's `{\\an8}`."""

_TIMING = re.compile(
    r"\s*(?:\d+:)?\d{1,2}:\d{1,2}(?:[.,]\d{1,3})?[ \t]*-->"
    r"[ \t]*(?:\d+:)?\d{1,2}:\d{1,2}(?:[.,]\d{1,3})?(?:\s.*)?"
)
"""The timing line of a cue in SubRip and WebVTT."""

_NOT_SPOKEN = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)(?:\s.*)?")


def srt_spans(text: str) -> tuple[Span, ...]:
    """The lines of every cue.

    A counter is a line of digits directly before a timing line. Every line that is neither is
    content, so that no text of an irregular file is lost.
    """
    lines = list(lines_of(text))
    content: list[Line | None] = []
    for number, line in enumerate(lines):
        following = lines[number + 1].text if number + 1 < len(lines) else ""
        counter = line.text.strip().isdecimal() and _TIMING.fullmatch(following)
        omitted = line.blank or counter or _TIMING.fullmatch(line.text)
        content.append(None if omitted else line)
    return tuple(_spoken(text, content))


def _spoken(text: str, content: list[Line | None]) -> Iterator[Span]:
    for start, end in _joined(content):
        yield from _untagged(text, start, end)


def vtt_spans(text: str) -> tuple[Span, ...]:
    """The lines of every cue (W3C WebVTT, section 4): those after the timing line of a block.

    A timing line always starts a cue, as in players, even directly below the header or a note. A
    block without a timing line is content unless it is a header, note, style or region.
    """
    spans: list[Span] = []
    for blank, group in groupby(lines_of(text), key=lambda line: line.blank):
        block = list(group)
        if blank:
            continue
        if _NOT_SPOKEN.fullmatch(block[0].text):
            timings = (number for number, line in enumerate(block) if _TIMING.fullmatch(line.text))
            block = block[next(timings, len(block)) :]
        for start, end in _joined(_content(block)):
            spans += _untagged(text, start, end)
    return tuple(spans)


def _content(block: list[Line]) -> Iterator[Line | None]:
    named = len(block) > 1 and _TIMING.fullmatch(block[1].text) is not None
    for number, line in enumerate(block):
        omitted = _TIMING.fullmatch(line.text) or (named and number == 0)
        yield None if omitted else line


def _joined(lines: Iterable[Line | None]) -> Iterator[tuple[int, int]]:
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


def _untagged(text: str, start: int, end: int) -> Iterator[Span]:
    """The parts of `text[start:end]` between tags, except those of only white space."""
    position = start
    for tag in _TAG.finditer(text, start, end):
        yield from _nonblank(text, position, tag.start())
        position = tag.end()
    yield from _nonblank(text, position, end)


def _nonblank(text: str, start: int, end: int) -> Iterator[Span]:
    if text[start:end].strip():
        yield Span(start, end, "dialogue")
