"""Speeches that stand side by side on a page of a PDF, read column by column.

PDFium gives what stands at one height as one line, so two speeches in two columns would come out
word by word in turn. What decides: a block of columns is made of lines that follow each other and
share a gutter, a gap that no word of any of them crosses; at least two of its lines have words on
both sides of it; and one of these holds:

- its first line is a cue on each side (capitals), and each cue is indented above its speech;
- its first line is a cue on each side, and each speech of several lines runs on: half of its lines
  or more go on in lower case;
- it has no cues, stands at the top of its page, as what is left of the page before, and both sides
  run on for three lines or more.

So a single line with two runs stays one line, whatever they are: a heading between its scene
numbers, a page's header and number, an entry of a table of contents, a transition. Tables, lists of
parts, and an address beside a date start each line anew and stay as they are. Letters are needed on
both sides: numbers and marks of revision in the margin are no column. Columns that PDFium gives one
whole after the other stay in its order.

`pipeline.load.script.pdf_process` runs this file by its path: it imports the standard library
alone.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

# In widths of a letter, the page's median.
_WIDE = 3.0  # between a cue and the one beside it
_GUTTER = 1.8  # more than the space between two words, even in a typewriter's letters
_LEVEL = 0.5  # how far apart the heights of one line's words may lie
_INDENT = 0.8  # of a cue above its speech
_APART = 3.6  # lines farther apart don't follow each other
_LOOSER = 1.6  # nor do lines this many times as far apart as the block's first two
_LONGEST_CUE = 40
_LEAST_PAIRS = 2
_LEAST_UNLED = 3  # lines on both sides of a block without cues
_TOP_ROWS = 3  # a page's header stands above what goes on from the page before
_HYPHENS = "-\u00ad\u2010"

# Not across U+FFFE, which PDFium gives where a hyphen parted a word.
_WORD = re.compile(r"[^\s\ufffe]+\ufffe?")
_EXTENSION = re.compile(r"\([^()]*\)")

Rows = list[list["_Word"]]


class _Word(NamedTuple):
    start: int
    end: int
    left: float
    right: float
    base: float


_Said = Callable[[Sequence[_Word]], str]
"""Gives words their text."""


class _Line(NamedTuple):
    left: list[_Word]
    right: list[_Word]


class _Block(NamedTuple):
    lines: list[_Line]
    led: bool  # by cues


def in_columns(raw: Any, layer: Any, text: str) -> str:
    """The text of a page; blocks of columns are given left column first, the rest as it was.

    Args:
        raw: pypdfium2's functions.
        layer: the page's text, of those functions.
        text: the same, as PDFium gives it.
    """
    words = _words(raw, layer, text)
    step = _step(words)
    if not step:
        return text
    texts = _Texts(text, words)
    rows = _rows(words, step)
    blocks: list[_Block] = []
    at = 0
    while at < len(rows):
        block = _block(rows[at:], step, texts.of, at_top=at < _TOP_ROWS)
        if block is None:
            at += 1
        else:
            blocks.append(block)
            at += len(block.lines)
    return texts.with_blocks(blocks) if blocks else text


def _words(raw: Any, layer: Any, text: str) -> list[_Word]:
    """The words of the page in the order of the text."""
    x, base, left, right, bottom, top = (ctypes.c_double() for _ in range(6))
    # Letters that have no text are counted too.
    even = raw.FPDFText_CountChars(layer) == len(text)
    words: list[_Word] = []
    for found in _WORD.finditer(text):
        start, end = found.span()
        first, last = (
            (start, end - 1)
            if even
            else (raw.FPDFText_GetCharIndexFromTextIndex(layer, at) for at in (start, end - 1))
        )
        raw.FPDFText_GetCharOrigin(layer, first, x, base)
        raw.FPDFText_GetCharBox(layer, first, left, right, bottom, top)
        near = left.value
        raw.FPDFText_GetCharBox(layer, last, left, right, bottom, top)
        words.append(_Word(start, end, near, max(near, right.value), base.value))
    return words


def _step(words: Sequence[_Word]) -> float:
    """The width of a letter, the median of the words'."""
    widths = sorted((word.right - word.left) / (word.end - word.start) for word in words)
    return widths[len(widths) // 2] if widths else 0.0


def _rows(words: Sequence[_Word], step: float) -> Rows:
    """Words of one height, from the top of the page, each row from the left."""
    rows: Rows = []
    for word in sorted(words, key=lambda one: -one.base):
        if rows and rows[-1][0].base - word.base <= _LEVEL * step:
            rows[-1].append(word)
        else:
            rows.append([word])
    for row in rows:
        row.sort(key=lambda one: one.left)
    return rows


def _block(rows: Rows, step: float, said: _Said, *, at_top: bool) -> _Block | None:
    """The block of columns that begins with the first of `rows`; None if none does."""
    runs = _runs(rows[0], _WIDE * step, said)
    if len(runs) != 2 or len(rows) < _LEAST_PAIRS:
        return None
    pitch = rows[0][0].base - rows[1][0].base
    if pitch > _APART * step:
        return None
    led = all(_like_cue(said(run)) for run in runs)
    if not (led or at_top):
        return None
    low, high = runs[0][-1].right, runs[1][0].left
    lines: list[_Line] = []
    edge = rows[0][0].left
    above = rows[0][0].base
    for number, row in enumerate(rows):
        low, high, line = max(
            (_parted(row, place, low, high) for place in range(len(row) + 1)),
            key=lambda one: one[1] - one[0],
        )
        # Words go on below the columns, or what stands there begins farther out.
        outside = number > 1 and not line.right and row[0].left < edge - step
        if high - low < _GUTTER * step or above - row[0].base > _LOOSER * pitch or outside:
            break
        edge, above = min(edge, row[0].left), row[0].base
        lines.append(line)
    block = _Block(lines, led)
    return block if _decided(block, step, said) else None


def _parted(row: list[_Word], place: int, low: float, high: float) -> tuple[float, float, _Line]:
    """The gutter from `low` to `high` as a row leaves it whose words are parted at `place`."""
    line = _Line(row[:place], row[place:])
    return (
        max([low, *(word.right for word in line.left)]),
        min([high, *(word.left for word in line.right)]),
        line,
    )


def _runs(row: Sequence[_Word], wide: float, said: _Said) -> list[list[_Word]]:
    """The row's words between wide gaps, without numbers and marks in the margins."""
    runs: list[list[_Word]] = []
    for word in row:
        if runs and word.left - runs[-1][-1].right < wide:
            runs[-1].append(word)
        else:
            runs.append([word])
    return [run for run in runs if _lettered(said(run))]


def _like_cue(words: str) -> bool:
    return len(words) <= _LONGEST_CUE and _EXTENSION.sub("", words).isupper()


def _decided(block: _Block, step: float, said: _Said) -> bool:
    lines = block.lines
    pairs = [line for line in lines if all(_lettered(said(side)) for side in line)]
    if len(pairs) < _LEAST_PAIRS:
        return False
    speeches = [
        [line[side] for line in lines[block.led :] if _lettered(said(line[side]))]
        for side in (0, 1)
    ]
    if not block.led:
        long = min(len(speech) for speech in speeches) >= _LEAST_UNLED
        return long and all(_runs_on(speech, said) for speech in speeches)
    if all(said(words).isupper() for speech in speeches for words in speech):
        return False
    indents = [
        lines[0][side][0].left - min(words[0].left for words in speeches[side]) for side in (0, 1)
    ]
    if min(indents) >= _INDENT * step:
        return True
    several = [speech for speech in speeches if len(speech) > 1]
    return bool(several) and all(_runs_on(speech, said) for speech in several)


def _lettered(words: str) -> bool:
    return any(letter.isalpha() for letter in words)


def _runs_on(speech: Sequence[Sequence[_Word]], said: _Said) -> bool:
    further = [said(words) for words in speech[1:]]
    return 2 * sum(words[0].islower() for words in further) >= len(further)


class _Texts:
    """The text of a page and its words."""

    def __init__(self, text: str, words: Sequence[_Word]) -> None:
        self._text = text
        self._words = words

    def of(self, words: Sequence[_Word]) -> str:
        return " ".join(self._text[word.start : word.end] for word in words)

    def with_blocks(self, blocks: Sequence[_Block]) -> str:
        """The page's text; each block stands where its first word stood, on lines of its own."""
        owner: dict[int, int] = {}
        for number, block in enumerate(blocks):
            for line in block.lines:
                owner |= {word.start: number for side in line for word in side}
        pieces: list[str] = []
        given: set[int] = set()
        after = 0  # end of the block's word before; what stands between is on its own lines
        for word in self._words:
            number = owner.get(word.start, -1)
            if number < 0:
                continue
            pieces.append(self._between(after, word.start))
            if number not in given:
                given.add(number)
                pieces.append(self._columns(blocks[number]))
            after = word.end
        pieces.append(self._between(after, len(self._text)))
        return "\r\n".join(piece for piece in pieces if piece)

    def _between(self, start: int, end: int) -> str:
        return self._text[start:end].strip(" \r\n")

    def _columns(self, block: _Block) -> str:
        sides = ([line[side] for line in block.lines if line[side]] for side in (0, 1))
        return "\r\n".join(_joined([self.of(words) for words in side]) for side in sides)


def _joined(lines: Sequence[str]) -> str:
    """The lines of a column; a word that is parted at a line's end is joined, as PDFium does."""
    text = ""
    for line in lines:
        parted = text[-1:] in _HYPHENS and text[-2:-1].isalpha() and line[:1].islower()
        if parted or text.endswith("\ufffe"):
            text = text[:-1] + line
        else:
            text += "\r\n" + line if text else line
    return text
