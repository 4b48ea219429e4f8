"""The sentences of a row's reasons, which the tables keep as one text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.core.wording.terms import BANDS
from pipeline.core.wording.visible import visible

_END = re.compile(r"(?<=[.!?])\s+(?=[^\Wa-z_]|[“\"'(])")
_INITIAL = re.compile(r"(?:^|[\W_])[^\W\d_]\.$")
_QUOTED = re.compile(r"“[^”]*”")
_NAMES_THE_WORK = ("evidence of copying from ", "weak evidence of copying from ", "words shared ")


def sentences(text: str, names: Iterable[str | None] = ()) -> tuple[str, ...]:
    """A text's sentences; put together with spaces they are the text.

    Args:
        text: the reasons of a row.
        names: of works and people, in which a stop ends nothing: `W. H. Auden`, `Acme Inc.`
    """
    text = " ".join(text.split())
    kept = [found.span() for found in _QUOTED.finditer(text)]
    for name in {" ".join(visible(name).split()) for name in names if name}:
        kept += [found.span() for found in re.finditer(re.escape(name), text)] if name else []
    found, start = [], 0
    for end in _END.finditer(text):
        inside = any(first < end.start() < last for first, last in kept)
        if inside or _INITIAL.search(text, start, end.start()):
            continue
        found.append(text[start : end.start()])
        start = end.end()
    return (*found, text[start:]) if text else ()


def in_a_line(text: str, names: Iterable[str | None] = ()) -> str:
    """Reasons for a line in which band and work stand in columns of their own."""
    said = sentences(text, names)
    if not said:
        return ""
    band, colon, rest = said[0].partition(": ")
    first = rest if colon and band in BANDS.values() else said[0]
    if len(said) > 1 and first.startswith(_NAMES_THE_WORK):
        return " ".join(said[1:])
    return " ".join((first[:1].upper() + first[1:], *said[1:]))
