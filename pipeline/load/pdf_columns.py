"""Speeches that stand side by side on a page of a PDF, read column by column.

PDFium gives what stands at one height as one line, so two speeches in two columns would come out
word by word in turn. What decides: a block of columns is made of lines that follow each other and
share a gutter, a gap that no word of any of them crosses; at least two of its lines have words on
both sides of it; and one of these holds:

- its first line is a cue on each side (capitals), and each cue is indented above its speech;
- its first line is a cue on each side, and each speech of several lines runs on: half of its lines
  or more go on in lower case;
- it has no cues, as on the page after, and both sides run on for three lines or more.

So a single line with two runs stays one line, whatever they are: a heading between its scene
numbers, a page's header and number, an entry of a table of contents, a transition. Tables, lists of
parts, and an address beside a date start each line anew and stay as they are. Letters are needed on
both sides: numbers and marks of revision in the margin are no column.

`pipeline.load.pdf_process` runs this file by its path: it imports the standard library alone.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

# In widths of a letter, the page's median.
_WIDE = 3.0  # between a cue and the one beside it
_GUTTER = 1.8  # more than the space between two words, even in a typewriter's letters
_LEVEL = 0.5  # how far apart the heights of one line's words may lie
_TORN = 1.5  # letters this far apart are of two words, though no space is between them
_INDENT = 0.8  # of a cue above its speech
_APART = 3.6  # lines farther apart don't follow each other
_LOOSER = 1.6  # nor do lines this many times as far apart as the block's first two
_LONGEST_CUE = 40
_LEAST_PAIRS = 2
_LEAST_UNLED = 3  # lines on both sides of a block without cues
_SPREAD = 1.5  # letters that a line may be wider than its text
_EVEN = 0.05  # the share by which a typewriter's letters may differ in width
_LETTERS_LOOKED_AT = 8
_HYPHENS = "-\u00ad\u2010"

Rows = list[list["_Word"]]


class _Word(NamedTuple):
    start: int
    end: int
    left: float
    right: float
    base: float


class _Line(NamedTuple):
    left: list[_Word]
    right: list[_Word]


class _Block(NamedTuple):
    lines: list[_Line]
    led: bool  # by cues


def may_have_columns(raw: Any, layer: Any, text: str) -> bool:
    """Whether a page is worth reading letter by letter: a look at its lines' rectangles alone.

    Args:
        raw: pypdfium2's functions.
        layer: the page's text, of those functions.
        text: the same, as PDFium gives it.
    """
    sides = [ctypes.c_double() for _ in range(4)]
    left, top, right, bottom = sides
    boxes: list[tuple[float, float, float, float]] = []  # middle, height, left, right
    pieces: list[tuple[int, int, float]] = []  # lines in one piece: start, letters, width
    at = 0
    for line in text.split("\n"):
        words = line.strip()
        if words:
            start = at + line.index(words[0])
            count = raw.FPDFText_CountRects(layer, start, len(words))
            for number in range(count):
                raw.FPDFText_GetRect(layer, number, *sides)
                height = top.value - bottom.value
                boxes.append((bottom.value + height / 2, height, left.value, right.value))
            if count == 1:
                pieces.append((start, len(words), right.value - left.value))
        at += len(line) + 1
    return _side_by_side(boxes) or _spread(raw, layer, pieces)


def _side_by_side(boxes: list[tuple[float, float, float, float]]) -> bool:
    """Whether a wide gap stands above another one."""
    if len(boxes) < 2 * _LEAST_PAIRS:
        return False
    wide = 1.5 * median(box[1] for box in boxes)
    boxes.sort(reverse=True)
    gaps: list[tuple[float, float]] = []
    row: list[tuple[float, float]] = []
    level = boxes[0][0]
    for middle, height, left, right in [*boxes, (-1e9, 0.0, 0.0, 0.0)]:
        if level - middle > max(height, wide / 1.5) / 2:
            row.sort()
            found = [
                (one[1], other[0]) for one, other in pairwise(row) if other[0] - one[1] >= wide
            ]
            if any(
                min(above[1], below[1]) - max(above[0], below[0]) > 0
                for above in gaps
                for below in found
            ):
                return True
            gaps, row, level = found, [], middle
        row.append((left, right))
    return False


def _spread(raw: Any, layer: Any, pieces: Sequence[tuple[int, int, float]]) -> bool:
    """Whether two lines in a typewriter's letters, one above the other, are wider than their text.

    PDFium leaves one space of many, and so do columns that are written as one piece with spaces.
    """
    here, there, y = (ctypes.c_double() for _ in range(3))
    steps = []
    for start, count, _ in pieces[:_LETTERS_LOOKED_AT]:
        if count > 1:
            raw.FPDFText_GetCharOrigin(layer, start, here, y)
            raw.FPDFText_GetCharOrigin(layer, start + 1, there, y)
            steps.append(there.value - here.value)
    if not steps or max(steps) - min(steps) > _EVEN * max(steps):
        return False
    step = median(steps)
    over = [width > (count + _SPREAD) * step for _, count, width in pieces]
    return any(one and other for one, other in pairwise(over))


def in_columns(raw: Any, layer: Any, text: str) -> str:
    """The text of a page; blocks of columns are given left column first, the rest as it was.

    Arguments as in `may_have_columns`.
    """
    letters, words, step = _words(raw, layer)
    if "".join(letters) != text or not step:
        return text  # letters that can't be told apart are not put in order
    texts = _Texts(letters, words)
    rows = _rows(words, step)
    blocks: list[_Block] = []
    at = 0
    while at < len(rows):
        block = _block(rows[at:], step, texts.of)
        if block is None:
            at += 1
        else:
            blocks.append(block)
            at += len(block.lines)
    return texts.with_blocks(blocks) if blocks else text


def _words(raw: Any, layer: Any) -> tuple[list[str], list[_Word], float]:
    """Every letter of the page, its words in the order of the text, and the width of a letter."""
    x, y, left, right, bottom, top = (ctypes.c_double() for _ in range(6))
    letters: list[str] = []
    words: list[_Word] = []
    steps: list[float] = []
    places: list[tuple[float, float, float, float]] = []  # letter by letter: x, left, right, base
    for number in range(raw.FPDFText_CountChars(layer)):
        code = raw.FPDFText_GetUnicode(layer, number)
        if not code:
            continue
        # The text has this where a hyphen parted a word.
        letters.append("\ufffe" if raw.FPDFText_IsHyphen(layer, number) == 1 else chr(code))
        raw.FPDFText_GetCharOrigin(layer, number, x, y)
        raw.FPDFText_GetCharBox(layer, number, left, right, bottom, top)
        places.append((x.value, left.value, right.value, y.value))
    steps = [
        other[0] - one[0]
        for one, other in pairwise(places)
        if one[3] == other[3] and other[0] > one[0]
    ]
    step = median(steps) if steps else 0.0
    current: _Word | None = None
    for number, (letter, (_, near, far, base)) in enumerate(zip(letters, places, strict=True)):
        if letter.isspace() or letter == "\ufffe":
            if current is not None and letter == "\ufffe":
                current = current._replace(end=number + 1)
        elif (
            current is not None
            and abs(base - current.base) <= _LEVEL * step
            and -_TORN * step <= near - current.right <= _TORN * step
        ):
            current = current._replace(end=number + 1, right=max(far, current.right))
            continue
        else:
            if current is not None:
                words.append(current)
            current = _Word(number, number + 1, near, far, base)
            continue
        if current is not None:
            words.append(current)
        current = None
    if current is not None:
        words.append(current)
    return letters, words, step


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


def _block(rows: Rows, step: float, said: Callable[[Sequence[_Word]], str]) -> _Block | None:
    """The block of columns that begins with the first of `rows`; None if none does."""
    runs = _runs(rows[0], _WIDE * step, said)
    if len(runs) != 2 or len(rows) < _LEAST_PAIRS:
        return None
    pitch = rows[0][0].base - rows[1][0].base
    if pitch > _APART * step:
        return None
    led = all(_like_cue(said(run)) for run in runs)
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


def _parted(
    row: list[_Word], place: int, low: float, high: float
) -> tuple[float, float, _Line]:
    """The gutter from `low` to `high` as a row leaves it whose words are parted at `place`."""
    line = _Line(row[:place], row[place:])
    return (
        max([low, *(word.right for word in line.left)]),
        min([high, *(word.left for word in line.right)]),
        line,
    )


def _runs(
    row: Sequence[_Word], wide: float, said: Callable[[Sequence[_Word]], str]
) -> list[list[_Word]]:
    """The row's words between wide gaps, without numbers and marks in the margins."""
    runs: list[list[_Word]] = []
    for word in row:
        if runs and word.left - runs[-1][-1].right < wide:
            runs[-1].append(word)
        else:
            runs.append([word])
    return [run for run in runs if any(letter.isalpha() for letter in said(run))]


def _like_cue(words: str) -> bool:
    return len(words) <= _LONGEST_CUE and words.upper().replace("’", "'") == words.replace("’", "'")


def _decided(block: _Block, step: float, said: Callable[[Sequence[_Word]], str]) -> bool:
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
    if all(not any(map(str.islower, said(words))) for speech in speeches for words in speech):
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


def _runs_on(speech: Sequence[Sequence[_Word]], said: Callable[[Sequence[_Word]], str]) -> bool:
    further = [said(words) for words in speech[1:]]
    return 2 * sum(words[0].islower() for words in further) >= len(further)


class _Texts:
    """The letters of a page and the words that they make."""

    def __init__(self, letters: Sequence[str], words: Sequence[_Word]) -> None:
        self._letters = letters
        self._words = words

    def of(self, words: Sequence[_Word]) -> str:
        return " ".join("".join(self._letters[word.start : word.end]) for word in words)

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
        pieces.append(self._between(after, len(self._letters)))
        return "\r\n".join(piece for piece in pieces if piece)

    def _between(self, start: int, end: int) -> str:
        return "".join(self._letters[start:end]).strip(" \r\n")

    def _columns(self, block: _Block) -> str:
        sides = ([line[side] for line in block.lines if line[side]] for side in (0, 1))
        return "\r\n".join(_joined([self.of(words) for words in side]) for side in sides)


def _joined(lines: Sequence[str]) -> str:
    """The lines of a column; a word that is parted at a line's end is joined, as PDFium does."""
    text = ""
    for line in lines:
        if text.endswith("\ufffe"):
            text = text[:-1] + line
        elif text[-1:] in _HYPHENS and text[-2:-1].isalpha() and line[:1].islower():
            text = text[:-1] + line
        else:
            text += "\r\n" + line if text else line
    return text
