"""Lines of a text with their offsets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

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
