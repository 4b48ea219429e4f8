"""WebVTT subtitles: what is said, without header, notes, styles, cue names, times and tags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from pipeline.load.loaded import Span
from pipeline.load.script.lines import TIMING, Line, joined, lines_of, untagged

_NOT_SPOKEN = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)(?:\s.*)?")


def vtt_spans(text: str) -> tuple[Span, ...]:
    """The lines of every cue (W3C WebVTT, section 4): what follows a block's line of times.

    A line of times always starts a cue, as it does for players, even one that stands right below
    the header or a note. A block without a line of times that is no header, note, style or region
    is content too.
    """
    spans: list[Span] = []
    for blank, group in groupby(lines_of(text), key=lambda line: line.blank):
        block = list(group)
        if blank:
            continue
        if _NOT_SPOKEN.fullmatch(block[0].text):
            times = (place for place, line in enumerate(block) if TIMING.fullmatch(line.text))
            block = block[next(times, len(block)) :]
        for start, end in joined(_content(block)):
            spans += untagged(text, start, end, "dialogue")
    return tuple(spans)


def _content(block: list[Line]) -> Iterator[Line | None]:
    named = len(block) > 1 and TIMING.fullmatch(block[1].text) is not None
    for place, line in enumerate(block):
        left_out = TIMING.fullmatch(line.text) or (named and place == 0)
        yield None if left_out else line
