"""Excerpts of passages that two texts share: the words that agree, and a few words around them.

The same rules hold on every page: what a word is, which words agree, how many characters of a
passage are shown, and how text of a script is made fit to show.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.core.wording.text import visible

MAX_CHARACTERS = 6000
"""Characters of a passage that are shown; the offsets say where it ends."""

OPEN_CHARACTERS = 700
"""Characters of a passage that are shown at once; the rest unfolds."""

CONTEXT_WORDS = 8

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")

Span = tuple[int, int]
"""Start and end in characters, half open."""

Run = tuple[int, int, int, int]
"""Words that agree: start and end in the asset, start and end in the work, in characters."""


class Piece(NamedTuple):
    """A run of text, fit to show; `shared` if both sides have its words."""

    text: str
    shared: bool


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One side of a passage.

    Attributes:
        before, after: a few words of context.
        opening: the passage, up to about `OPEN_CHARACTERS`.
        rest: what follows, up to `MAX_CHARACTERS` in all.
        left_out: characters of the passage that are not shown.
    """

    before: str
    opening: tuple[Piece, ...]
    rest: tuple[Piece, ...]
    after: str
    left_out: int

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The passage without context."""
        return (*self.opening, *self.rest)

    @property
    def text(self) -> str:
        """The passage as shown, without context."""
        return "".join(piece.text for piece in self.pieces)


def stored_runs(passage: Mapping[str, Any]) -> list[Run]:
    """The runs of agreeing words in a row of passages.parquet; earlier releases stored none."""
    return [
        (run["asset_start"], run["asset_end"], run["work_start"], run["work_end"])
        for run in passage.get("agreeing") or ()
    ]


def matching_blocks(
    asset_words: Sequence[re.Match[str]], work_words: Sequence[re.Match[str]]
) -> list[difflib.Match]:
    """The blocks of equal words, regardless of case, as `difflib.SequenceMatcher` finds them."""
    matcher = difflib.SequenceMatcher(
        None,
        [word.group().casefold() for word in asset_words],
        [word.group().casefold() for word in work_words],
        autojunk=False,
    )
    return [block for block in matcher.get_matching_blocks() if block.size]


def compared_runs(asset: str, asset_span: Span, work: str, work_span: Span) -> list[Run]:
    """The runs of words that agree in a span of each text, found by comparing them.

    For runs of an earlier release, which stored no such runs.
    """
    asset_words = list(WORD.finditer(asset, *asset_span))
    work_words = list(WORD.finditer(work, *work_span))
    return [
        (
            asset_words[block.a].start(),
            asset_words[block.a + block.size - 1].end(),
            work_words[block.b].start(),
            work_words[block.b + block.size - 1].end(),
        )
        for block in matching_blocks(asset_words, work_words)
    ]


def excerpt_pair(
    asset_text: str | None,
    asset_span: Span,
    work_text: str | None,
    work_span: Span,
    agreeing: Sequence[Run] = (),
) -> tuple[Excerpt | None, Excerpt | None]:
    """Excerpts of a passage in the asset and in the work.

    Args:
        asset_text, work_text: the whole texts; None if a text was not kept.
        asset_span, work_span: of the passage.
        agreeing: the runs of words that agree, as in `Passage`; without any, the two texts are
            compared.

    Returns:
        None for a text that is None, or too short to hold its span (another text than the one
        that was screened). Words are marked as shared if both texts are there.
    """
    asset, work = _cut(asset_text, asset_span), _cut(work_text, work_span)
    runs: Sequence[Run] = ()
    if asset and work:
        runs = agreeing or compared_runs(
            asset.passage, (0, len(asset.passage)), work.passage, (0, len(work.passage))
        )
    asset_start, work_start = (asset_span[0], work_span[0]) if agreeing else (0, 0)
    return (
        _excerpt(asset, _words_in(asset.passage, asset_start, [run[:2] for run in runs]))
        if asset
        else None,
        _excerpt(work, _words_in(work.passage, work_start, [run[2:] for run in runs]))
        if work
        else None,
    )


def _words_in(passage: str, start: int, spans: Sequence[Span]) -> set[int]:
    """Numbers of the words of a passage, which begins at `start`, that begin inside a span."""
    ordered = sorted(spans)
    starts = [first for first, _ in ordered]
    numbers = set()
    for number, word in enumerate(WORD.finditer(passage)):
        place = bisect_right(starts, start + word.start()) - 1
        if place >= 0 and start + word.start() < ordered[place][1]:
            numbers.add(number)
    return numbers


class _Cut(NamedTuple):
    before: str
    passage: str
    after: str
    left_out: int


def _cut(text: str | None, span: Span) -> _Cut | None:
    if text is None or not 0 <= span[0] < span[1] <= len(text):
        return None
    start, end = span
    passage_end = min(end, start + MAX_CHARACTERS)
    # Words are searched for in this many characters, which are more than enough for them.
    window = 40 * CONTEXT_WORDS
    before = text[max(0, start - window) : start]
    after = text[passage_end : passage_end + window]
    first = [m.start() for m in WORD.finditer(before)][-CONTEXT_WORDS:]
    last = [m.end() for m in WORD.finditer(after)][:CONTEXT_WORDS]
    return _Cut(
        before[first[0] :] if first else "",
        text[start:passage_end],
        after[: last[-1]] if last and passage_end == end else "",
        end - passage_end,
    )


def _excerpt(cut: _Cut, shared: set[int]) -> Excerpt:
    pieces = _pieces(cut.passage, shared)
    opening, rest = _split(pieces)
    return Excerpt(displayable(cut.before), opening, rest, displayable(cut.after), cut.left_out)


def _pieces(text: str, shared: set[int]) -> list[Piece]:
    """The text in runs; spaces and marks between two adjacent shared words are shared too."""
    runs: list[tuple[int, int, bool]] = []
    place, before = 0, False
    for number, word in enumerate(WORD.finditer(text)):
        is_shared = number in shared
        joined = is_shared and before
        if word.start() > place:
            runs.append((place, word.start(), joined))
        runs.append((word.start(), word.end(), is_shared))
        place, before = word.end(), is_shared
    runs.append((place, len(text), False))
    merged: list[tuple[int, int, bool]] = []
    for start, end, is_shared in runs:
        if merged and merged[-1][2] == is_shared:
            merged[-1] = (merged[-1][0], end, is_shared)
        elif end > start:
            merged.append((start, end, is_shared))
    return [Piece(displayable(text[start:end]), is_shared) for start, end, is_shared in merged]


def _split(pieces: Sequence[Piece]) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """The pieces up to the end of a word near `OPEN_CHARACTERS`, and the others."""
    opening: list[Piece] = []
    room = OPEN_CHARACTERS
    for number, piece in enumerate(pieces):
        if len(piece.text) <= room:
            opening.append(piece)
            room -= len(piece.text)
            continue
        left = pieces[number:]
        if sum(len(p.text) for p in left) <= room + OPEN_CHARACTERS // 4:
            break  # a line or two more is shown at once
        at = piece.text.find(" ", room)
        at = len(piece.text) if at < 0 else at
        opening.append(Piece(piece.text[:at], piece.shared))
        rest = [Piece(piece.text[at:], piece.shared), *left[1:]]
        return tuple(opening), tuple(p for p in rest if p.text)
    return tuple(pieces), ()


def displayable(text: str) -> str:
    """Text of a script with line feeds as line ends and control characters escaped."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    return visible(plain.expandtabs(4), keep_newlines=True)
