"""Splitting the reasons of a row, which the tables store as one text, into sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.core.wording.terms import BANDS, capitalized
from pipeline.core.wording.visible import visible

_END = re.compile(r"(?<=[.!?])\s+(?=[^\Wa-z_]|[“\"'(])")
_INITIAL = re.compile(r"(?:^|[\W_])[^\W\d_]\.$")
_QUOTED = re.compile(r"“[^”]*”")
_NAMES_THE_WORK = ("evidence of copying from ", "weak evidence of copying from ", "words shared ")


def sentences(text: str, names: Iterable[str | None] = ()) -> tuple[str, ...]:
    """The sentences of a text; joined with spaces they give the text.

    Args:
        text: the reasons of a row.
        names: of works and people, in which a full stop ends no sentence: `W. H. Auden`,
            `Acme Inc.`
    """
    text = " ".join(text.split())
    protected = [match.span() for match in _QUOTED.finditer(text)]
    for name in {" ".join(visible(name).split()) for name in names if name}:
        if name:
            protected += [match.span() for match in re.finditer(re.escape(name), text)]
    parts, start = [], 0
    for end in _END.finditer(text):
        inside = any(first < end.start() < last for first, last in protected)
        if inside or _INITIAL.search(text, start, end.start()):
            continue
        parts.append(text[start : end.start()])
        start = end.end()
    return (*parts, text[start:]) if text else ()


def reasons_in_one_line(text: str, names: Iterable[str | None] = ()) -> str:
    """The reasons without band and work, for a table that has these in columns of their own.

    Args:
        text, names: as of `sentences`.
    """
    parts = sentences(text, names)
    if not parts:
        return ""
    band, colon, rest = parts[0].partition(": ")
    first = rest if colon and band in BANDS.values() else parts[0]
    if len(parts) > 1 and first.startswith(_NAMES_THE_WORK):
        return " ".join(parts[1:])
    return " ".join((capitalized(first), *parts[1:]))
