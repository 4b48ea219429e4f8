"""Reads dual dialogue in a PDF column by column.

PDFium returns text at one height as one line, so two speeches side by side would come out with
their words interleaved. This module finds such blocks and puts the left column before the right.

A block of columns is a sequence of lines with a common gutter (a gap that no word of any of them
crosses), at least two of which have words on both sides, for which one of these holds:

- its first line has a cue (capitals) on each side, and each cue is indented from its speech;
- its first line has a cue on each side, and each speech of several lines continues from line to
  line: half of its lines or more begin in lower case;
- it has no cues, begins at the top of its page, as the rest of a block on the page before, and both
  sides continue for three lines or more.

So a single line with two segments stays one line: a heading between its scene numbers, a page's
header and number, an entry of a table of contents, a transition. Tables, lists of parts, and an
address beside a date do not continue in lower case and stay as they are. Both sides need letters:
numbers and revision marks in the margin are no column. Columns that PDFium returns one completely
after the other stay in its order.

Example, in 12-point Courier (letters 7.2 points wide, lines 12 points apart), x in points:

    y = 700       JOHN                       MARY                     x = 158 and 374
    y = 688   I never said that          And I never said you         x = 108 and 324
    y = 676   you could have the         couldn't. It stood by
    y = 664   lamp.                      the window for years

1. `_words` takes PDFium's boxes of all words. The letter width, the median over the words of width
   by letters, is 7.0 points. Lengths below are in letter widths, so the type size has no effect.
2. `_rows` groups words of one height: [JOHN, MARY], [I, never, …, you], …
3. The first row has two segments, 187 points (27 letters) apart, more than `cue_gap`; both are
   cues. The next row is 12 points (1.7 letters) below, less than `max_pitch`.
4. The gutter begins as the gap between the cues, x = 187 to 374. Each row narrows it: "that" ends
   at 229 and "And" begins at 324, "the" ends at 237. The result, 237 to 324, is 12 letters wide,
   more than `min_gutter`, so all rows belong to the block.
5. The cues are indented by 50 points (7 letters), more than `min_cue_indent`: a dual dialogue. Its
   text is "JOHN\\r\\nI never said that\\r\\n…lamp.\\r\\nMARY\\r\\nAnd I never said you…".
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class ColumnSettings:
    """Thresholds of the layout. Lengths are in letter widths.

    Attributes:
        cue_gap: least gap between a cue and the one beside it. Words of one cue ("JOHN (V.O.)") are
            1.0 to 1.5 apart, or twice that.
        min_gutter: least width of the gutter; more than the space between two words, 1.0 to 1.5 in
            typewriter type.
        same_line: greatest difference in height of words of one line; lines are 1.7 apart.
        min_cue_indent: least indent of a cue from its speech; screenplay programs use about 7.
        max_pitch: greatest distance of the first two lines; double-spaced lines are 3.5 apart.
        max_pitch_ratio: greatest distance of two lines, as a multiple of that of the first two; an
            empty line (2.0) ends a block.
        max_cue_characters: length of a cue; a longer line in capitals is a heading or shouting.
        min_pairs: lines with words on both sides; one alone may be a header or a transition.
        min_lines_without_cues: lines on each side of a block without cues, where less evidence
            speaks for columns.
        top_rows: rows in which a block without cues may begin: a page number and a "CONTINUED"
            are printed above it.
    """

    cue_gap: float = 3.0
    min_gutter: float = 1.8
    same_line: float = 0.5
    min_cue_indent: float = 0.8
    max_pitch: float = 3.6
    max_pitch_ratio: float = 1.6
    max_cue_characters: int = 40
    min_pairs: int = 2
    min_lines_without_cues: int = 3
    top_rows: int = 3


_SETTINGS = ColumnSettings()
_HYPHENS = "-\u00ad\u2010"

# Not across U+FFFE, which PDFium returns where a hyphen split a word.
_WORD = re.compile(r"[^\s\ufffe]+\ufffe?")
_EXTENSION = re.compile(r"\([^()]*\)")

Rows = list[list["_Word"]]


class _Word(NamedTuple):
    """A word: its offsets in the page's text, and its box in points (`base`: y of its baseline)."""

    start: int
    end: int
    left: float
    right: float
    base: float


_TextOf = Callable[[Sequence[_Word]], str]
"""Joins words to their text."""


class _Line(NamedTuple):
    left: list[_Word]
    right: list[_Word]


class _Block(NamedTuple):
    lines: list[_Line]
    has_cues: bool


def in_columns(raw: Any, layer: Any, text: str) -> str:
    """The text of a page, with blocks of columns left column first and everything else unchanged.

    Args:
        raw: the module `pypdfium2.raw`.
        layer: the handle of the page's text layer.
        text: the page's text, as PDFium returns it.
    """
    words = _words(raw, layer, text)
    letter = _letter_width(words)
    if not letter:
        return text
    page = _PageText(text, words)
    rows = _rows(words, letter)
    blocks: list[_Block] = []
    number = 0
    while number < len(rows):
        at_top = number < _SETTINGS.top_rows
        block = _block(rows[number:], letter, page.text_of, at_top=at_top)
        if block is None:
            number += 1
        else:
            blocks.append(block)
            number += len(block.lines)
    return page.with_blocks(blocks) if blocks else text


def _words(raw: Any, layer: Any, text: str) -> list[_Word]:
    """The words of the page in the order of the text."""
    x, base, left, right, bottom, top = (ctypes.c_double() for _ in range(6))
    # PDFium counts characters that have no text as well; then its indices differ from offsets.
    same_indices = raw.FPDFText_CountChars(layer) == len(text)
    words: list[_Word] = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        first, last = (
            (start, end - 1)
            if same_indices
            else (raw.FPDFText_GetCharIndexFromTextIndex(layer, at) for at in (start, end - 1))
        )
        raw.FPDFText_GetCharOrigin(layer, first, x, base)
        raw.FPDFText_GetCharBox(layer, first, left, right, bottom, top)
        word_left = left.value
        raw.FPDFText_GetCharBox(layer, last, left, right, bottom, top)
        words.append(_Word(start, end, word_left, max(word_left, right.value), base.value))
    return words


def _letter_width(words: Sequence[_Word]) -> float:
    """The median over the words of width by letters, in points; 0 if there are none."""
    widths = sorted((word.right - word.left) / (word.end - word.start) for word in words)
    return widths[len(widths) // 2] if widths else 0.0


def _rows(words: Sequence[_Word], letter: float) -> Rows:
    """Words of one height, from the top of the page, each row from the left."""
    rows: Rows = []
    for word in sorted(words, key=lambda word: -word.base):
        if rows and rows[-1][0].base - word.base <= _SETTINGS.same_line * letter:
            rows[-1].append(word)
        else:
            rows.append([word])
    for row in rows:
        row.sort(key=lambda word: word.left)
    return rows


def _block(rows: Rows, letter: float, text_of: _TextOf, *, at_top: bool) -> _Block | None:
    """The block of columns that begins with the first of `rows`; None if none does."""
    segments = _segments(rows[0], _SETTINGS.cue_gap * letter, text_of)
    if len(segments) != 2 or len(rows) < _SETTINGS.min_pairs:
        return None
    pitch = rows[0][0].base - rows[1][0].base
    if pitch > _SETTINGS.max_pitch * letter:
        return None
    has_cues = all(_like_cue(text_of(segment)) for segment in segments)
    if not (has_cues or at_top):
        return None
    low, high = segments[0][-1].right, segments[1][0].left
    lines: list[_Line] = []
    left_edge = rows[0][0].left
    base_above = rows[0][0].base
    for number, row in enumerate(rows):
        # Split the row where it leaves the widest gutter.
        low, high, line = max(
            (_split(row, index, low, high) for index in range(len(row) + 1)),
            key=lambda split: split[1] - split[0],
        )
        # Text below the columns: a full line, or one that begins farther left.
        outside = number > 1 and not line.right and row[0].left < left_edge - letter
        too_far = base_above - row[0].base > _SETTINGS.max_pitch_ratio * pitch
        if high - low < _SETTINGS.min_gutter * letter or too_far or outside:
            break
        left_edge, base_above = min(left_edge, row[0].left), row[0].base
        lines.append(line)
    block = _Block(lines, has_cues)
    return block if _is_dual_dialogue(block, letter, text_of) else None


def _split(row: list[_Word], index: int, low: float, high: float) -> tuple[float, float, _Line]:
    """The gutter from `low` to `high`, narrowed by a row whose words are split at `index`."""
    line = _Line(row[:index], row[index:])
    return (
        max([low, *(word.right for word in line.left)]),
        min([high, *(word.left for word in line.right)]),
        line,
    )


def _segments(row: Sequence[_Word], gap: float, text_of: _TextOf) -> list[list[_Word]]:
    """The row's words split at wide gaps, without numbers and marks in the margins."""
    segments: list[list[_Word]] = []
    for word in row:
        if segments and word.left - segments[-1][-1].right < gap:
            segments[-1].append(word)
        else:
            segments.append([word])
    return [segment for segment in segments if _has_letters(text_of(segment))]


def _like_cue(text: str) -> bool:
    return len(text) <= _SETTINGS.max_cue_characters and _EXTENSION.sub("", text).isupper()


def _is_dual_dialogue(block: _Block, letter: float, text_of: _TextOf) -> bool:
    """The criteria at the top of this module, for a block whose gutter is wide enough."""
    lines = block.lines
    pairs = [line for line in lines if all(_has_letters(text_of(side)) for side in line)]
    if len(pairs) < _SETTINGS.min_pairs:
        return False
    speeches = [
        [line[side] for line in lines[block.has_cues :] if _has_letters(text_of(line[side]))]
        for side in (0, 1)
    ]
    if not block.has_cues:
        long = min(len(speech) for speech in speeches) >= _SETTINGS.min_lines_without_cues
        return long and all(_continues(speech, text_of) for speech in speeches)
    if all(text_of(words).isupper() for speech in speeches for words in speech):
        return False
    indents = [
        lines[0][side][0].left - min(words[0].left for words in speeches[side]) for side in (0, 1)
    ]
    if min(indents) >= _SETTINGS.min_cue_indent * letter:
        return True
    several = [speech for speech in speeches if len(speech) > 1]
    return bool(several) and all(_continues(speech, text_of) for speech in several)


def _has_letters(text: str) -> bool:
    return any(letter.isalpha() for letter in text)


def _continues(speech: Sequence[Sequence[_Word]], text_of: _TextOf) -> bool:
    """Whether half of the lines after the first, or more, begin in lower case."""
    further = [text_of(words) for words in speech[1:]]
    return 2 * sum(line[0].islower() for line in further) >= len(further)


class _PageText:
    """The text of a page and its words."""

    def __init__(self, text: str, words: Sequence[_Word]) -> None:
        self._text = text
        self._words = words

    def text_of(self, words: Sequence[_Word]) -> str:
        return " ".join(self._text[word.start : word.end] for word in words)

    def with_blocks(self, blocks: Sequence[_Block]) -> str:
        """The page's text; each block replaces its first word, on lines of its own."""
        block_of: dict[int, int] = {}
        for number, block in enumerate(blocks):
            for line in block.lines:
                block_of |= {word.start: number for side in line for word in side}
        pieces: list[str] = []
        written: set[int] = set()
        end = 0  # of the last word in a block; the text from there to the next is copied
        for word in self._words:
            number = block_of.get(word.start, -1)
            if number < 0:
                continue
            pieces.append(self._between(end, word.start))
            if number not in written:
                written.add(number)
                pieces.append(self._columns(blocks[number]))
            end = word.end
        pieces.append(self._between(end, len(self._text)))
        return "\r\n".join(piece for piece in pieces if piece)

    def _between(self, start: int, end: int) -> str:
        return self._text[start:end].strip(" \r\n")

    def _columns(self, block: _Block) -> str:
        sides = ([line[side] for line in block.lines if line[side]] for side in (0, 1))
        return "\r\n".join(_joined([self.text_of(words) for words in side]) for side in sides)


def _joined(lines: Sequence[str]) -> str:
    """The lines of a column; a word split by a hyphen at a line's end is joined, as by PDFium."""
    text = ""
    for line in lines:
        split_word = text[-1:] in _HYPHENS and text[-2:-1].isalpha() and line[:1].islower()
        if split_word or text.endswith("\ufffe"):
            text = text[:-1] + line
        else:
            text += "\r\n" + line if text else line
    return text
