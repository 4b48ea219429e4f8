"""Fountain screenplays (fountain.io/syntax): everything but the title page and the boneyard."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.load.loaded import Span, lines_of

_KEY = re.compile(r"([A-Za-z][A-Za-z _-]*):.*")
_TITLE_KEYS = frozenset(
    {
        "title", "credit", "author", "authors", "written by", "source", "based on", "draft",
        "draft date", "date", "contact", "contact info", "copyright", "notes", "revision",
        "format", "language", "episode", "episode title", "series", "series title",
    }
)  # fmt: skip


LONGEST_TITLE_PAGE = 1000
"""Characters. A longer block is no title page, and is compared."""


def fountain_spans(text: str) -> tuple[Span, ...]:
    """The text without its title page and without the boneyard (``/* … */``)."""
    return tuple(_spans(text))


def _spans(text: str) -> Iterator[Span]:
    start = title_page_end(text)
    # By `find`: a regular expression would search the rest of the text for each unclosed `/*`.
    while (opened := text.find("/*", start)) >= 0 and (closed := text.find("*/", opened + 2)) >= 0:
        if text[start:opened].strip():
            yield Span(start, opened)
        start = closed + 2
    if text[start:].strip():
        yield Span(start, len(text))


def has_boneyard(text: str) -> bool:
    """Whether some of the text is in the boneyard (``/* … */``), and so left out."""
    opened = text.find("/*", title_page_end(text))
    return opened >= 0 and text.find("*/", opened + 2) >= 0


def title_page_end(text: str) -> int:
    """The offset at which the title page ends; 0 if there is none.

    It is a block of `Key: value` lines and indented ones at the very start, of at most
    `LONGEST_TITLE_PAGE` characters. Its first key must be one of title pages, since scripts also
    begin with `FADE IN:`.
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
