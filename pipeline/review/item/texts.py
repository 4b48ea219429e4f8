"""Scripts side by side: passages aligned word by word, and the whole text to jump into."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from pipeline.report.excerpts import Run, fit_to_show

LONGEST = 6000
"""Characters of a passage that are aligned; the whole text has the rest."""

WINDOW = 20_000
"""Characters of a whole text on one page."""

_ROW = 180  # characters from which a line end begins a new row
_LONGEST_CHANGE = 500  # characters of one change that are shown
_CONTEXT = 160
_CONTEXT_LINES = 4
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


class Piece(NamedTuple):
    """A run of text, fit to show; `changed` if the other side does not have its words."""

    text: str
    changed: bool


@dataclass(frozen=True, slots=True)
class AlignedRow:
    """What stands beside each other; `moved` if the work has it in another order here."""

    asset: tuple[Piece, ...]
    work: tuple[Piece, ...]
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Aligned:
    """A passage aligned, with a little of what stands around it on both sides.

    Attributes:
        before, after: of the asset and of the work.
        rows: in the asset's order.
        left_out: characters of the asset's passage that are not among them.
        changed: words of the asset's side that the work does not have there, and the reverse, in
            what is not left out.
    """

    before: tuple[str, str]
    rows: tuple[AlignedRow, ...]
    after: tuple[str, str]
    left_out: int
    changed: tuple[int, int]


def aligned(
    asset: str,
    asset_span: tuple[int, int],
    work: str,
    work_span: tuple[int, int],
    agreeing: Sequence[Run] = (),
) -> Aligned | None:
    """A passage of both texts, aligned; None if a text is too short to hold its span.

    Args:
        asset, work: the whole texts.
        asset_span, work_span: start and end in characters, half open.
        agreeing: the runs of words that agree, as in `pipeline.core.records.Passage`; without any,
            both are compared anew.
    """
    for text, (start, end) in ((asset, asset_span), (work, work_span)):
        if not 0 <= start < end <= len(text):
            return None
    runs = sorted(agreeing) or _compared(asset, asset_span, work, work_span)
    runs = [run for run in runs if _lies_in(run, asset_span, work_span)]
    shown_end, work_end = asset_span[1], work_span[1]
    if asset_span[1] - asset_span[0] > LONGEST:
        near = asset_span[0] + LONGEST
        runs = [
            cut
            for run in runs
            if run[0] < near and (cut := run if run[1] <= near else _cut(asset, work, run, near))
        ]
        shown_end, work_end = (runs[-1][1], runs[-1][3]) if runs else (near, work_span[0])
    whole = shown_end == asset_span[1]
    rows = _Rows(asset, work)
    rows.take(runs, (asset_span[0], shown_end), (work_span[0], work_end))
    return Aligned(
        before=(_context_before(asset, asset_span[0]), _context_before(work, work_span[0])),
        rows=tuple(rows.done),
        after=(_context_after(asset, asset_span[1]), _context_after(work, work_span[1]))
        if whole
        else ("", ""),
        left_out=asset_span[1] - shown_end,
        changed=(rows.mine.changed, rows.theirs.changed),
    )


def _cut(asset: str, work: str, run: Run, near: int) -> Run | None:
    """A run up to the last of its words that ends before `near` in the asset and is in both."""
    start, end, work_start, work_end = run
    mine = list(_WORD.finditer(asset, start, min(end, near)))
    if near < end and mine and mine[-1].end() == near:
        mine.pop()  # it may go on
    theirs: list[re.Match[str]] = []
    for word in _WORD.finditer(work, work_start, work_end):
        if len(theirs) == len(mine):
            break
        theirs.append(word)
    matcher = difflib.SequenceMatcher(None, _folded(mine), _folded(theirs), autojunk=False)
    blocks = [block for block in matcher.get_matching_blocks() if block.size]
    if not blocks:
        return None
    last = blocks[-1]
    return (
        start,
        mine[last.a + last.size - 1].end(),
        work_start,
        theirs[last.b + last.size - 1].end(),
    )


def _lies_in(run: Run, asset_span: tuple[int, int], work_span: tuple[int, int]) -> bool:
    in_asset = asset_span[0] <= run[0] < run[1] <= asset_span[1]
    return in_asset and work_span[0] <= run[2] < run[3] <= work_span[1]


class _Side:
    """One side of the row that is being made; `changed` counts words that the other has not."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.length = 0
        self.changed = 0

    def same(self, text: str) -> None:
        if text:
            self.pieces.append(Piece(fit_to_show(text), False))
            self.length += len(text)

    def between(self, text: str) -> None:
        """What lies between two runs: changed if it has a word, else it belongs to both."""
        words = list(_WORD.finditer(text))
        if not words:
            self.same(text)
            return
        self.changed += len(words)
        start, end = words[0].start(), words[-1].end()
        self.same(text[:start])
        inner = _shortened(text[start:end])
        self.pieces.append(Piece(fit_to_show(inner), True))
        self.length += len(inner)
        self.same(text[end:])

    def taken(self) -> tuple[Piece, ...]:
        pieces, self.pieces, self.length = tuple(self.pieces), [], 0
        return pieces

    @property
    def at_line_end(self) -> bool:
        return bool(self.pieces) and self.pieces[-1].text.endswith("\n")


def _shortened(text: str) -> str:
    """A long change without its middle."""
    if len(text) <= _LONGEST_CHANGE:
        return text
    half = _LONGEST_CHANGE // 2
    first = text.rfind(" ", 0, half) + 1 or half
    last = text.find(" ", len(text) - half)
    last = last if last >= 0 else len(text) - half
    return f"{text[:first]}[… {last - first:,} characters …]{text[last:]}"


class _Rows:
    """Rows made from the runs that agree."""

    def __init__(self, asset: str, work: str) -> None:
        self.asset, self.work = asset, work
        self.mine, self.theirs = _Side(), _Side()
        self.done: list[AlignedRow] = []
        self._moved = False

    def take(
        self, runs: Sequence[Run], asset_span: tuple[int, int], work_span: tuple[int, int]
    ) -> None:
        at_asset, at_work = asset_span[0], work_span[0]
        for asset_start, asset_end, work_start, work_end in runs:
            if asset_start < at_asset:
                continue  # runs that overlap: the first has these words already
            self.mine.between(self.asset[at_asset:asset_start])
            if work_start < at_work:
                # The work has these words before those shown last.
                self._end_row()
                self._moved = True
            else:
                self.theirs.between(self.work[at_work:work_start])
            self._agree(self.asset[asset_start:asset_end], self.work[work_start:work_end])
            at_asset, at_work = asset_end, work_end
        self.mine.between(self.asset[at_asset : asset_span[1]])
        self.theirs.between(self.work[at_work : max(at_work, work_span[1])])
        self._end_row()

    def _agree(self, one: str, other: str) -> None:
        """A run. Words that are not compared, such as who speaks, may differ within it."""
        mine, theirs = list(_WORD.finditer(one)), list(_WORD.finditer(other))
        matcher = difflib.SequenceMatcher(None, _folded(mine), _folded(theirs), autojunk=False)
        place, partner = 0, 0
        for block in matcher.get_matching_blocks():
            if not block.size:
                break
            start, partner_start = mine[block.a].start(), theirs[block.b].start()
            self.mine.between(one[place:start])
            self.theirs.between(other[partner:partner_start])
            place, partner = (
                mine[block.a + block.size - 1].end(),
                theirs[block.b + block.size - 1].end(),
            )
            for line, partner_line in _lines(one[start:place], other[partner_start:partner]):
                self._end_long_row(line)
                self.mine.same(line)
                self.theirs.same(partner_line)
        self.mine.between(one[place:])
        self.theirs.between(other[partner:])

    def _end_long_row(self, comes: str) -> None:
        if self.mine.length < _ROW:
            return
        if self.mine.at_line_end or comes.startswith(("\n", "\r")):
            self._end_row()

    def _end_row(self) -> None:
        mine, theirs = self.mine.taken(), self.theirs.taken()
        if mine or theirs:
            self.done.append(AlignedRow(mine, theirs, self._moved))
            self._moved = False


def _lines(one: str, other: str) -> Iterator[tuple[str, str]]:
    """Two texts of the same number of words, split together at the first one's line ends."""
    words, partners = list(_WORD.finditer(one)), list(_WORD.finditer(other))
    start, partner_start = 0, 0
    for number in range(1, len(words)):
        end = one.find("\n", words[number - 1].end(), words[number].start())
        if end < 0:
            continue
        partner_end = other.find("\n", partners[number - 1].end(), partners[number].start())
        if partner_end < 0:
            partner_end = partners[number].start() - 1
        yield one[start : end + 1], other[partner_start : partner_end + 1]
        start, partner_start = end + 1, partner_end + 1
    yield one[start:], other[partner_start:]


def _folded(words: Sequence[re.Match[str]]) -> list[str]:
    return [word.group().casefold() for word in words]


def _compared(
    asset: str, asset_span: tuple[int, int], work: str, work_span: tuple[int, int]
) -> list[Run]:
    """Runs of agreeing words, for a run of an earlier release, which did not keep them."""
    end = min(asset_span[1], asset_span[0] + LONGEST)
    work_end = min(work_span[1], work_span[0] + 2 * LONGEST)
    mine = list(_WORD.finditer(asset, asset_span[0], end))
    theirs = list(_WORD.finditer(work, work_span[0], work_end))
    matcher = difflib.SequenceMatcher(
        None,
        _folded(mine),
        _folded(theirs),
        autojunk=False,
    )
    return [
        (
            mine[block.a].start(),
            mine[block.a + block.size - 1].end(),
            theirs[block.b].start(),
            theirs[block.b + block.size - 1].end(),
        )
        for block in matcher.get_matching_blocks()
        if block.size
    ]


def _context_before(text: str, start: int) -> str:
    part = text[max(0, start - _CONTEXT) : start]
    cut = part.find(" ") + 1 if start > _CONTEXT else 0
    lines = part[cut:].splitlines(keepends=True)
    return fit_to_show("".join(lines[-_CONTEXT_LINES:]))


def _context_after(text: str, end: int) -> str:
    part = text[end : end + _CONTEXT]
    cut = part.rfind(" ") if end + _CONTEXT < len(text) else len(part)
    lines = part[: cut if cut > 0 else len(part)].splitlines(keepends=True)
    return fit_to_show("".join(lines[: _CONTEXT_LINES + 1]))  # the first is that of the passage


@dataclass(frozen=True, slots=True)
class Marked:
    """A stretch of a whole text; `passage` is the number of a passage it lies in, or None."""

    text: str
    passage: int | None
    starts: bool


@dataclass(frozen=True, slots=True)
class WholeText:
    """A part of a whole text, with the passages in it.

    Attributes:
        pieces: the part.
        start, end, length: where it lies, in characters of the whole.
        before, after: offsets to turn to; None at the ends.
    """

    pieces: tuple[Marked, ...]
    start: int
    end: int
    length: int
    before: int | None
    after: int | None


def whole_text(text: str, at: int, spans: Sequence[tuple[int, int]]) -> WholeText:
    """The part of a text that holds the offset `at`, with passages marked.

    Args:
        text: the whole.
        at: an offset; one outside of the text means its nearest end.
        spans: of the passages, by number; where two overlap, the first has the words.
    """
    at = min(max(at, 0), max(0, len(text) - 1))
    bounds = _windows(text)
    place = min(bisect_right(bounds, at) - 1, len(bounds) - 2)
    start, end = bounds[place], bounds[place + 1]
    cuts = {start, end}
    for first, last in spans:
        cuts.update(cut for cut in (first, last) if start < cut < end)
    ordered = sorted(cuts)
    starts = {first for first, _ in spans}
    pieces = []
    for first, last in pairwise(ordered):
        inside = next((n for n, span in enumerate(spans) if span[0] <= first < span[1]), None)
        begins = inside is not None and first in starts and spans[inside][0] == first
        pieces.append(Marked(fit_to_show(text[first:last]), inside, begins))
    return WholeText(
        tuple(pieces),
        start,
        end,
        len(text),
        bounds[place - 1] if place else None,
        end if end < len(text) else None,
    )


def _windows(text: str) -> list[int]:
    """Where the parts of a text begin, at line ends where there are any; its length at the end."""
    bounds = [0]
    while len(text) - bounds[-1] > WINDOW + WINDOW // 4:
        near = bounds[-1] + WINDOW
        line = text.find("\n", near, near + WINDOW // 5)
        bounds.append(line + 1 if line >= 0 else near)
    return [*bounds, len(text)] if text else [0, 0]
