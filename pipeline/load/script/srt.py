"""SubRip subtitles: what is said, without counters, time codes and tags."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.load.loaded import Span
from pipeline.load.script.lines import TIMING, Line, joined, lines_of, untagged


def srt_spans(text: str) -> tuple[Span, ...]:
    """The lines of every cue.

    A counter is a line of digits right before a line of times; every line that is neither is
    content, so that nothing of a carelessly written file is lost.
    """
    lines = list(lines_of(text))
    content: list[Line | None] = []
    for place, line in enumerate(lines):
        following = lines[place + 1].text if place + 1 < len(lines) else ""
        counter = line.text.strip().isdecimal() and TIMING.fullmatch(following)
        left_out = line.blank or counter or TIMING.fullmatch(line.text)
        content.append(None if left_out else line)
    return tuple(_spans(text, content))


def _spans(text: str, content: list[Line | None]) -> Iterator[Span]:
    for start, end in joined(content):
        yield from untagged(text, start, end, "dialogue")
