"""Scripts side by side: passages aligned word by word, and whole texts in parts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from pipeline.report.excerpts import (
    MAX_CHARACTERS,
    WORD,
    Piece,
    Run,
    Span,
    compared_runs,
    displayable,
    matching_blocks,
)

WINDOW = 20_000
"""Characters of a whole text on one page."""

_ROW = 180  # characters from which a line end begins a new row
_LONGEST_CHANGE = 500  # characters of one change that are shown
_CONTEXT = 160
_CONTEXT_LINES = 4


@dataclass(frozen=True, slots=True)
class AlignedRow:
    """One row of both sides; `moved` if the work has it in another order here."""

    asset: tuple[Piece, ...]
    work: tuple[Piece, ...]
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Aligned:
    """An aligned passage with a little context on both sides.

    Attributes:
        before, after: context in the asset and in the work.
        rows: in the asset's order.
        left_out: characters of the asset's passage that are not in `rows`.
        changed: in `rows`, words of the asset's side that the work does not have there, and the
            reverse.
    """

    before: tuple[str, str]
    rows: tuple[AlignedRow, ...]
    after: tuple[str, str]
    left_out: int
    changed: tuple[int, int]


def aligned(
    asset: str, asset_span: Span, work: str, work_span: Span, agreeing: Sequence[Run] = ()
) -> Aligned | None:
    """A passage of both texts, aligned; None if a text is too short to hold its span.

    Of a passage longer than `MAX_CHARACTERS` only so many characters are aligned.

    Args:
        asset, work: the whole texts.
        asset_span, work_span: of the passage.
        agreeing: the runs of words that agree, as in `pipeline.core.records.Passage`; without any,
            the two texts are compared.
    """
    for text, (start, end) in ((asset, asset_span), (work, work_span)):
        if not 0 <= start < end <= len(text):
            return None
    cut_at = asset_span[0] + MAX_CHARACTERS
    runs = sorted(agreeing) or compared_runs(
        asset,
        (asset_span[0], min(asset_span[1], cut_at)),
        work,
        (work_span[0], min(work_span[1], work_span[0] + 2 * MAX_CHARACTERS)),
    )
    runs = [run for run in runs if _is_within(run, asset_span, work_span)]
    asset_end, work_end = asset_span[1], work_span[1]
    if asset_end > cut_at:
        runs = [
            cut
            for run in runs
            if run[0] < cut_at
            and (cut := run if run[1] <= cut_at else _cut(asset, work, run, cut_at))
        ]
        asset_end, work_end = (runs[-1][1], runs[-1][3]) if runs else (cut_at, work_span[0])
    complete = asset_end == asset_span[1]
    rows = _RowBuilder(asset, work)
    rows.add(runs, (asset_span[0], asset_end), (work_span[0], work_end))
    return Aligned(
        before=(_context_before(asset, asset_span[0]), _context_before(work, work_span[0])),
        rows=tuple(rows.rows),
        after=(_context_after(asset, asset_span[1]), _context_after(work, work_span[1]))
        if complete
        else ("", ""),
        left_out=asset_span[1] - asset_end,
        changed=(rows.asset_side.changed, rows.work_side.changed),
    )


def _cut(asset: str, work: str, run: Run, cut_at: int) -> Run | None:
    """A run up to the last of its words that ends before `cut_at` in the asset and is in both."""
    start, end, work_start, work_end = run
    asset_words = list(WORD.finditer(asset, start, min(end, cut_at)))
    if cut_at < end and asset_words and asset_words[-1].end() == cut_at:
        asset_words.pop()  # it may be longer
    work_words = list(islice(WORD.finditer(work, work_start, work_end), len(asset_words)))
    blocks = matching_blocks(asset_words, work_words)
    if not blocks:
        return None
    last = blocks[-1]
    return (
        start,
        asset_words[last.a + last.size - 1].end(),
        work_start,
        work_words[last.b + last.size - 1].end(),
    )


def _is_within(run: Run, asset_span: Span, work_span: Span) -> bool:
    in_asset = asset_span[0] <= run[0] < run[1] <= asset_span[1]
    return in_asset and work_span[0] <= run[2] < run[3] <= work_span[1]


class _Side:
    """One side of the current row; `changed` counts words that the other side does not have."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.length = 0
        self.changed = 0

    def add_shared(self, text: str) -> None:
        if text:
            self.pieces.append(Piece(displayable(text), True))
            self.length += len(text)

    def add_between(self, text: str) -> None:
        """Adds what is between two runs: changed if it has a word, else it belongs to both."""
        words = list(WORD.finditer(text))
        if not words:
            self.add_shared(text)
            return
        self.changed += len(words)
        start, end = words[0].start(), words[-1].end()
        self.add_shared(text[:start])
        changed = _shortened(text[start:end])
        self.pieces.append(Piece(displayable(changed), False))
        self.length += len(changed)
        self.add_shared(text[end:])

    def take(self) -> tuple[Piece, ...]:
        """The pieces of the row, and begins the next."""
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


class _RowBuilder:
    """Builds rows from the runs that agree."""

    def __init__(self, asset: str, work: str) -> None:
        self.asset, self.work = asset, work
        self.asset_side, self.work_side = _Side(), _Side()
        self.rows: list[AlignedRow] = []
        self._moved = False

    def add(self, runs: Sequence[Run], asset_span: Span, work_span: Span) -> None:
        asset_place, work_place = asset_span[0], work_span[0]
        for asset_start, asset_end, work_start, work_end in runs:
            if asset_start < asset_place:
                continue  # of runs that overlap, the first has these words
            self.asset_side.add_between(self.asset[asset_place:asset_start])
            if work_start < work_place:
                # The work has these words before those of the row above.
                self._end_row()
                self._moved = True
            else:
                self.work_side.add_between(self.work[work_place:work_start])
            self._add_run(self.asset[asset_start:asset_end], self.work[work_start:work_end])
            asset_place, work_place = asset_end, work_end
        self.asset_side.add_between(self.asset[asset_place : asset_span[1]])
        self.work_side.add_between(self.work[work_place : max(work_place, work_span[1])])
        self._end_row()

    def _add_run(self, asset: str, work: str) -> None:
        """Adds a run. Words that stages ignore, such as names of speakers, may differ within it."""
        asset_words, work_words = list(WORD.finditer(asset)), list(WORD.finditer(work))
        asset_place, work_place = 0, 0
        for block in matching_blocks(asset_words, work_words):
            asset_start = asset_words[block.a].start()
            work_start = work_words[block.b].start()
            self.asset_side.add_between(asset[asset_place:asset_start])
            self.work_side.add_between(work[work_place:work_start])
            asset_place = asset_words[block.a + block.size - 1].end()
            work_place = work_words[block.b + block.size - 1].end()
            for asset_line, work_line in _lines(
                asset[asset_start:asset_place], work[work_start:work_place]
            ):
                self._end_long_row(asset_line)
                self.asset_side.add_shared(asset_line)
                self.work_side.add_shared(work_line)
        self.asset_side.add_between(asset[asset_place:])
        self.work_side.add_between(work[work_place:])

    def _end_long_row(self, next_line: str) -> None:
        if self.asset_side.length < _ROW:
            return
        if self.asset_side.at_line_end or next_line.startswith(("\n", "\r")):
            self._end_row()

    def _end_row(self) -> None:
        asset, work = self.asset_side.take(), self.work_side.take()
        if asset or work:
            self.rows.append(AlignedRow(asset, work, self._moved))
            self._moved = False


def _lines(asset: str, work: str) -> Iterator[tuple[str, str]]:
    """Two texts of the same number of words, split together at the asset's line ends."""
    asset_words, work_words = list(WORD.finditer(asset)), list(WORD.finditer(work))
    asset_start, work_start = 0, 0
    for number in range(1, len(asset_words)):
        end = asset.find("\n", asset_words[number - 1].end(), asset_words[number].start())
        if end < 0:
            continue
        work_end = work.find("\n", work_words[number - 1].end(), work_words[number].start())
        if work_end < 0:
            work_end = work_words[number].start() - 1
        yield asset[asset_start : end + 1], work[work_start : work_end + 1]
        asset_start, work_start = end + 1, work_end + 1
    yield asset[asset_start:], work[work_start:]


def _context_before(text: str, start: int) -> str:
    part = text[max(0, start - _CONTEXT) : start]
    cut = part.find(" ") + 1 if start > _CONTEXT else 0
    lines = part[cut:].splitlines(keepends=True)
    return displayable("".join(lines[-_CONTEXT_LINES:]))


def _context_after(text: str, end: int) -> str:
    part = text[end : end + _CONTEXT]
    cut = part.rfind(" ") if end + _CONTEXT < len(text) else len(part)
    lines = part[: cut if cut > 0 else len(part)].splitlines(keepends=True)
    return displayable(
        "".join(lines[: _CONTEXT_LINES + 1])
    )  # the first is the rest of the passage's line


@dataclass(frozen=True, slots=True)
class Marked:
    """A part of a text that is inside one passage, or outside all of them.

    Attributes:
        text: fit to show.
        passage: the passage's number, or None.
        starts: whether the passage begins here.
    """

    text: str
    passage: int | None
    starts: bool


@dataclass(frozen=True, slots=True)
class WholeText:
    """A part of a whole text, with the passages in it marked.

    Attributes:
        pieces: the part.
        start, end: offsets of the part in the whole text.
        length: of the whole text, in characters.
        before, after: offsets in the parts before and after; None at the ends.
    """

    pieces: tuple[Marked, ...]
    start: int
    end: int
    length: int
    before: int | None
    after: int | None


def whole_text(text: str, at: int, spans: Sequence[Span]) -> WholeText:
    """The part of a text that holds the offset `at`, with passages marked.

    Args:
        text: the whole.
        at: an offset; it is clipped to the text.
        spans: of the passages, by number; where two overlap, the first is marked.
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
        pieces.append(Marked(displayable(text[first:last]), inside, begins))
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
