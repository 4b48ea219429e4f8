"""WebVTT subtitles (.vtt): the spoken lines, without notes, styles, cue names, times and tags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from pipeline.load.loaded import Span
from pipeline.load.script.lines import TIMING, Line, joined, lines_of, untagged

_NOT_SPOKEN = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)(?:\s.*)?")


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
            timings = (number for number, line in enumerate(block) if TIMING.fullmatch(line.text))
            block = block[next(timings, len(block)) :]
        for start, end in joined(_content(block)):
            spans += untagged(text, start, end, "dialogue")
    return tuple(spans)


def _content(block: list[Line]) -> Iterator[Line | None]:
    named = len(block) > 1 and TIMING.fullmatch(block[1].text) is not None
    for number, line in enumerate(block):
        omitted = TIMING.fullmatch(line.text) or (named and number == 0)
        yield None if omitted else line
