"""Fountain screenplays (fountain.io/syntax): all but the title page and what is struck out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.load.loaded import Span
from pipeline.load.script.lines import lines_of

_KEY = re.compile(r"([A-Za-z][A-Za-z _-]*):.*")
_TITLE_KEYS = frozenset(
    {
        "title", "credit", "author", "authors", "written by", "source", "based on", "draft",
        "draft date", "date", "contact", "contact info", "copyright", "notes", "revision",
        "format", "language", "episode", "episode title", "series", "series title",
    }
)  # fmt: skip


LONGEST_TITLE_PAGE = 1000
"""Characters; what is longer is no title page, and is compared."""


def fountain_spans(text: str) -> tuple[Span, ...]:
    """The text without its title page and without the boneyard (``/* … */``)."""
    return tuple(_spans(text))


def _spans(text: str) -> Iterator[Span]:
    place = title_page_end(text)
    # Found one by one: a pattern would look for the end of every `/*` that has none.
    while (opened := text.find("/*", place)) >= 0 and (closed := text.find("*/", opened + 2)) >= 0:
        if text[place:opened].strip():
            yield Span(place, opened)
        place = closed + 2
    if text[place:].strip():
        yield Span(place, len(text))


def has_boneyard(text: str) -> bool:
    """Whether some of the text stands in the boneyard."""
    opened = text.find("/*", title_page_end(text))
    return opened >= 0 and text.find("*/", opened + 2) >= 0


def title_page_end(text: str) -> int:
    """Where the title page ends; 0 if there is none.

    It is a block of `Key: value` lines and indented ones at the very start. Its first key must be
    one that title pages have: scripts also begin with `FADE IN:`. Nor is it longer than
    `LONGEST_TITLE_PAGE`.
    """
    end = 0
    for line in lines_of(text):
        key = _KEY.fullmatch(line.text)
        if end == 0 and not (key and key.group(1).strip().lower() in _TITLE_KEYS):
            return 0
        if line.blank:
            return end
        if line.end > LONGEST_TITLE_PAGE:
            return 0
        if not key and not line.text.startswith((" ", "\t")):
            return 0
        end = line.end
    return end
