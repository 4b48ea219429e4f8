"""Two passages side by side, as text to show: shared words marked, a few words around them."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.core.wording.visible import visible

CONTEXT_WORDS = 8
OPEN_CHARACTERS = 700
"""What is shown at once of a passage; the rest unfolds."""

MAX_CHARACTERS = 6000
"""What is shown at all of a passage; offsets tell of the rest."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


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


Run = tuple[int, int, int, int]
"""Agreeing words: start and end in the asset, start and end in the work, in characters."""


def agreeing_runs(passage: Mapping[str, Any]) -> list[Run]:
    """The runs of agreeing words in a row of passages.parquet; earlier releases stored none."""
    return [
        (run["asset_start"], run["asset_end"], run["work_start"], run["work_end"])
        for run in passage.get("agreeing") or ()
    ]


def excerpt_pair(
    asset_text: str | None,
    asset_span: tuple[int, int],
    work_text: str | None,
    work_span: tuple[int, int],
    agreeing: Sequence[Run] = (),
) -> tuple[Excerpt | None, Excerpt | None]:
    """Excerpts of a passage in the asset and in the work.

    Args:
        asset_text, work_text: the whole texts; None if a text was not kept.
        asset_span, work_span: start and end in characters, half open.
        agreeing: the runs of words that agree, as in `Passage`; without any, both texts are
            compared anew.

    Returns:
        None for a text that is None, or too short to hold its span (another text than the one
        that was screened). Words are marked as shared where both texts are there.
    """
    asset = _cut(asset_text, asset_span)
    work = _cut(work_text, work_span)
    if agreeing and asset and work:
        return (
            _excerpt(asset, _within(asset.shown, asset_span[0], [run[:2] for run in agreeing])),
            _excerpt(work, _within(work.shown, work_span[0], [run[2:] for run in agreeing])),
        )
    mine = [m.group().casefold() for m in _WORD.finditer(asset.shown)] if asset else []
    theirs = [m.group().casefold() for m in _WORD.finditer(work.shown)] if work else []
    matcher = difflib.SequenceMatcher(None, mine, theirs, autojunk=False)
    blocks = matcher.get_matching_blocks() if asset and work else []
    in_asset = {block.a + k for block in blocks for k in range(block.size)}
    in_work = {block.b + k for block in blocks for k in range(block.size)}
    return (
        _excerpt(asset, in_asset) if asset else None,
        _excerpt(work, in_work) if work else None,
    )


def _within(shown: str, start: int, runs: Sequence[tuple[int, int]]) -> set[int]:
    """Numbers of the words of `shown`, which begins at `start`, that lie inside a run."""
    ordered = sorted(runs)
    begins = [begin for begin, _ in ordered]
    found = set()
    for number, word in enumerate(_WORD.finditer(shown)):
        at = bisect_right(begins, start + word.start()) - 1
        if at >= 0 and start + word.start() < ordered[at][1]:
            found.add(number)
    return found


class _Cut(NamedTuple):
    before: str
    shown: str
    after: str
    left_out: int


def _cut(text: str | None, span: tuple[int, int]) -> _Cut | None:
    if text is None or not 0 <= span[0] < span[1] <= len(text):
        return None
    start, end = span
    shown_end = min(end, start + MAX_CHARACTERS)
    # A window much longer than the context asked for, so that finding its words stays quick.
    window = 40 * CONTEXT_WORDS
    before = text[max(0, start - window) : start]
    after = text[shown_end : shown_end + window]
    first = [m.start() for m in _WORD.finditer(before)][-CONTEXT_WORDS:]
    last = [m.end() for m in _WORD.finditer(after)][:CONTEXT_WORDS]
    return _Cut(
        before[first[0] :] if first else "",
        text[start:shown_end],
        after[: last[-1]] if last and shown_end == end else "",
        end - shown_end,
    )


def _excerpt(cut: _Cut, shared: set[int]) -> Excerpt:
    pieces = _pieces(cut.shown, shared)
    opening, rest = _split(pieces)
    return Excerpt(fit_to_show(cut.before), opening, rest, fit_to_show(cut.after), cut.left_out)


def _pieces(text: str, shared: set[int]) -> list[Piece]:
    """The text in runs; what lies between two shared words that follow each other is shared."""
    runs: list[tuple[int, int, bool]] = []
    place, before = 0, False
    for number, word in enumerate(_WORD.finditer(text)):
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
    return [Piece(fit_to_show(text[start:end]), is_shared) for start, end, is_shared in merged]


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
            break  # unfolding a line or two is not worth the reader's click
        at = piece.text.find(" ", room)
        at = len(piece.text) if at < 0 else at
        opening.append(Piece(piece.text[:at], piece.shared))
        rest = [Piece(piece.text[at:], piece.shared), *left[1:]]
        return tuple(opening), tuple(p for p in rest if p.text)
    return tuple(pieces), ()


def fit_to_show(text: str) -> str:
    """A stretch of a script as it is shown: line ends as line feeds, and nothing in it acts."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    return visible(plain.expandtabs(4), keep_newlines=True)
