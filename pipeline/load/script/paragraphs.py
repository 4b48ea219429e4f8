"""Text put together from paragraphs, for formats that have no characters of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pipeline.load.loaded import Span


class Story(NamedTuple):
    """Text, its content, notes on what was left out, whether any of that was content, and the page
    of each span, counted from 1, where the format has pages.
    """

    text: str
    spans: tuple[Span, ...]
    notes: tuple[str, ...] = ()
    complete: bool = True
    pages: tuple[int, ...] = ()


def story_of(paragraphs: Iterable[tuple[str, str]], notes: Iterable[str] = ()) -> Story:
    """Paragraphs, given as (element, text), one a line; those without text are left out."""
    parts: list[str] = []
    spans: list[Span] = []
    place = 0
    for element, text in paragraphs:
        if not text.strip():
            continue
        spans.append(Span(place, place + len(text), element))
        parts.append(text)
        place += len(text) + 1
    return Story("\n".join(parts), tuple(spans), tuple(notes))
