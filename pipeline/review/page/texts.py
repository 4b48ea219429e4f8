"""Scripts side by side: passages aligned word by word, and the whole text to jump into."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.excerpts import fit_to_show

LONGEST = 6000
"""Characters of a passage that are aligned; the whole text has the rest."""

WINDOW = 20_000
"""Characters of a whole text on one page."""

_ROW = 180  # characters from which a line end begins a new row
_CONTEXT = 160
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")

Run = tuple[int, int, int, int]
"""Words that agree: start and end in the asset, start and end in the work."""


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
        changed: words of the asset's side that the work does not have there, and the reverse.
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
        agreeing: the runs of words that agree, as in `pipeline.records.Passage`; without any, both
            are compared anew.
    """
    for text, (start, end) in ((asset, asset_span), (work, work_span)):
        if not 0 <= start < end <= len(text):
            return None
    shown_end = min(asset_span[1], asset_span[0] + LONGEST)
    runs = sorted(agreeing) or _compared(asset, asset_span, work, work_span)
    runs = [one for one in runs if one[0] >= asset_span[0] and one[1] <= shown_end]
    cut = shown_end < asset_span[1]
    if cut:
        shown_end = runs[-1][1] if runs else shown_end
    work_end = work_span[1] if not cut else (runs[-1][3] if runs else work_span[0])
    rows = tuple(_rows(asset, (asset_span[0], shown_end), work, (work_span[0], work_end), runs))
    return Aligned(
        before=(_context_before(asset, asset_span[0]), _context_before(work, work_span[0])),
        rows=rows,
        after=("", "")
        if cut
        else (_context_after(asset, asset_span[1]), _context_after(work, work_span[1])),
        left_out=asset_span[1] - shown_end,
        changed=(
            _words_changed(piece for row in rows for piece in row.asset),
            _words_changed(piece for row in rows for piece in row.work),
        ),
    )


def _rows(
    asset: str,
    asset_span: tuple[int, int],
    work: str,
    work_span: tuple[int, int],
    runs: Sequence[Run],
) -> Iterator[AlignedRow]:
    mine: list[Piece] = []
    theirs: list[Piece] = []
    at_asset, at_work = asset_span[0], work_span[0]
    moved = False
    for asset_start, asset_end, work_start, work_end in runs:
        if asset_start < at_asset:
            continue  # runs that overlap: the first has these words already
        if work_start < at_work:
            # The work has these words before those shown last.
            _between(mine, asset[at_asset:asset_start])
            if mine or theirs:
                yield AlignedRow(tuple(mine), tuple(theirs), moved)
            mine, theirs, moved = [], [], True
        else:
            _between(mine, asset[at_asset:asset_start])
            _between(theirs, work[at_work:work_start])
        for one, other in _lines(asset[asset_start:asset_end], work[work_start:work_end]):
            if sum(len(piece.text) for piece in mine) >= _ROW and _breaks(mine, one):
                yield AlignedRow(tuple(mine), tuple(theirs), moved)
                mine, theirs, moved = [], [], False
            _put(mine, one, False)
            _put(theirs, other, False)
        at_asset, at_work = asset_end, work_end
    _between(mine, asset[at_asset : asset_span[1]])
    _between(theirs, work[at_work : max(at_work, work_span[1])])
    if mine or theirs:
        yield AlignedRow(tuple(mine), tuple(theirs), moved)


def _breaks(before: Sequence[Piece], piece: str) -> bool:
    """Whether a line of the asset's text ends between what is there and what comes."""
    return piece.startswith(("\n", "\r")) or (bool(before) and before[-1].text.endswith("\n"))


def _between(pieces: list[Piece], text: str) -> None:
    """Text between two runs: changed if it has a word, else it belongs to what is around it."""
    _put(pieces, text, bool(_WORD.search(text)))


def _put(pieces: list[Piece], text: str, changed: bool) -> None:
    if not text:
        return
    # Space around changed words is not marked.
    if changed:
        inner = text.strip()
        at = text.index(inner)
        for part, marked in (
            (text[:at], False), (inner, True), (text[at + len(inner) :], False)
        ):  # fmt: skip
            if part:
                pieces.append(Piece(fit_to_show(part), marked))
        return
    pieces.append(Piece(fit_to_show(text), False))


def _lines(one: str, other: str) -> Iterator[tuple[str, str]]:
    """Two texts of the same words, split together at the first one's line ends."""
    words, partners = list(_WORD.finditer(one)), list(_WORD.finditer(other))
    if len(words) != len(partners):
        yield one, other
        return
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
        [word.group().casefold() for word in mine],
        [word.group().casefold() for word in theirs],
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


def _words_changed(pieces: Iterator[Piece]) -> int:
    return sum(len(_WORD.findall(piece.text)) for piece in pieces if piece.changed)


def _context_before(text: str, start: int) -> str:
    part = text[max(0, start - _CONTEXT) : start]
    cut = part.find(" ") + 1 if start > _CONTEXT else 0
    return fit_to_show(part[cut:])


def _context_after(text: str, end: int) -> str:
    part = text[end : end + _CONTEXT]
    cut = part.rfind(" ") if end + _CONTEXT < len(text) else len(part)
    return fit_to_show(part[: cut if cut > 0 else len(part)])


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
    place = bisect_right(bounds, at) - 1
    start, end = bounds[place], bounds[place + 1]
    cuts = {start, end}
    for first, last in spans:
        cuts.update(cut for cut in (first, last) if start < cut < end)
    ordered = sorted(cuts)
    starts = {first for first, _ in spans}
    pieces = []
    for first, last in zip(ordered, ordered[1:], strict=False):
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


def runs_of(passage: Mapping[str, Any]) -> list[Run]:
    """The agreeing runs of a row of passages.parquet; none in a run of an earlier release."""
    return [
        (run["asset_start"], run["asset_end"], run["work_start"], run["work_end"])
        for run in passage.get("agreeing") or ()
    ]
