"""SubRip subtitles (.srt): the spoken lines, without counters, time codes and tags."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.load.loaded import Span
from pipeline.load.script.lines import TIMING, Line, joined, lines_of, untagged


def srt_spans(text: str) -> tuple[Span, ...]:
    """The lines of every cue.

    A counter is a line of digits directly before a timing line. Every line that is neither is
    content, so that no text of an irregular file is lost.
    """
    lines = list(lines_of(text))
    content: list[Line | None] = []
    for number, line in enumerate(lines):
        following = lines[number + 1].text if number + 1 < len(lines) else ""
        counter = line.text.strip().isdecimal() and TIMING.fullmatch(following)
        omitted = line.blank or counter or TIMING.fullmatch(line.text)
        content.append(None if omitted else line)
    return tuple(_spans(text, content))


def _spans(text: str, content: list[Line | None]) -> Iterator[Span]:
    for start, end in joined(content):
        yield from untagged(text, start, end, "dialogue")
