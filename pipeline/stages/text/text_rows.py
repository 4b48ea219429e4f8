"""The rows that the text stage stores: the words of a script, with marks for headings, cues and
names, and MinHash signatures of windows.

A text of 260 compared words has 258 shingles of 3 words, and a window of 100 words has 98 of them.
Its windows begin at the shingles 0, 50, 100 and 150, and the last one at 160, so that they cover
the text to its end: `signatures` is 5 * 128 values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.stages.text.elements import Part
from pipeline.stages.text.words import Words, shingles_of

SHINGLE_WORDS = 3
"""Words of a shingle: a passage with every fourth word changed still shares some."""
WINDOW_WORDS = 100
"""Words of a window: a scene of some hundred words fills several, so their similarity is high."""
STRIDE_WORDS = 50
"""Words from one window to the next: any stretch of 150 words holds a whole window."""
PERMUTATIONS = 128
"""Values of a signature; the standard error of an estimate is at most 0.5 / sqrt(128) = 0.044."""
SEED = 1
SCHEME = "affine32"
"""Datasketch's family of hash functions. Named, since versions 1 and 2 have different defaults."""
LEAST_WORDS = 8
"""Words below which a text says too little to be compared."""

SCHEMA = pa.schema(
    [
        pa.field("words", pa.list_(pa.uint32()), nullable=False),
        pa.field("marks", pa.list_(pa.uint8()), nullable=False),
        pa.field("word_start", pa.list_(pa.uint32()), nullable=False),
        pa.field("word_end", pa.list_(pa.uint32()), nullable=False),
        pa.field("signatures", pa.list_(pa.uint32()), nullable=False),
    ]
)
"""One row a script. `words` are the upper 32 bits of the words' hashes, all words in order; `marks`
the `Part` that each word belongs to, with `NAME` added if it is a name; `word_start` and `word_end`
its characters in the raw text, half open; `signatures` the windows' signatures, in order."""

NAME = 0x80
_PART_BITS = 0x0F
_LEAST_COMPARED = 0.5
"""Share of words that must be left to compare; below it the layout was misread, and all words are
compared."""
_MOST_CAPITALS = 0.5
"""Share of capitalised words above which a capital says nothing."""


@dataclass(frozen=True)
class TextRows:
    """The compared words of one or more rows, one row after the other.

    Attributes:
        words: uint32 (n,), hashes.
        names: bool (n,), which words are names.
        start, end: uint32 (n,), characters of the raw text, half open.
        offsets: int64 (rows + 1,), where each row's words begin, and the end.
        signatures: uint32 (windows, `PERMUTATIONS`).
        window_row: int64 (windows,), the row of each signature.
        window_start: int64 (windows,), the first word of its window, counted in its row.
    """

    words: NDArray[np.uint32]
    names: NDArray[np.bool_]
    start: NDArray[np.uint32]
    end: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    signatures: NDArray[np.uint32]
    window_row: NDArray[np.int64]
    window_start: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1


def marks_of(text: str, words: Words) -> NDArray[np.uint8]:
    """The stored marks of a text's words, uint8 (n,)."""
    part = words.part
    if len(part) and (part == Part.COMPARED).mean() < _LEAST_COMPARED:
        part = np.full_like(part, Part.COMPARED)
    return part | np.where(names_in(text, words), np.uint8(NAME), np.uint8(0))


def is_compared(marks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which words are compared, bool (n,)."""
    compared: NDArray[np.bool_] = (marks & _PART_BITS) == Part.COMPARED
    return compared


def names_in(text: str, words: Words) -> NDArray[np.bool_]:
    """Which words are names, bool (n,): a scene whose cast was renamed is found with them masked.

    Names are the words of cues, and words with a capital inside a sentence, unless the text also
    has the word without a capital.
    """
    starts = words.start.tolist()
    hashes = words.hashes
    capital = np.fromiter((text[start].isupper() for start in starts), np.bool_, len(starts))
    cue: NDArray[np.bool_] = words.part == Part.CUE
    if not len(starts):
        return cue
    lower = np.unique(hashes[~capital & ~cue])
    candidates = [hashes[cue]]
    if capital.mean() <= _MOST_CAPITALS:
        inside = [
            place
            for place in np.flatnonzero(capital).tolist()
            if _inside_sentence(text, starts[place])
        ]
        candidates.append(hashes[inside])
    names = np.setdiff1d(np.concatenate(candidates), lower)
    return np.isin(hashes, names)


def _inside_sentence(text: str, start: int) -> bool:
    """Whether a word with a small second letter follows a word or a comma on its line."""
    return (
        start >= 2
        and text[start - 1] == " "
        and (text[start - 2].isalpha() or text[start - 2] == ",")
        and text[start + 1 : start + 2].islower()
    )


def windows(count: int) -> Iterator[tuple[int, int]]:
    """First shingle of each window and the one after its last, of a text with `count` shingles."""
    width = WINDOW_WORDS - SHINGLE_WORDS + 1
    if count <= width:
        yield 0, count
        return
    for start in range(0, count - width, STRIDE_WORDS):
        yield start, start + width
    yield count - width, count


def _window_counts(shingles: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 (n,): how many windows texts of so many shingles have."""
    width = WINDOW_WORDS - SHINGLE_WORDS + 1
    return np.where(shingles <= width, 1, 1 - (width - shingles) // STRIDE_WORDS)


def signatures_of(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """uint32 (windows, permutations): datasketch's MinHash of each window's shingles.

    Shingles are hashes already, so datasketch gets their upper 32 bits unhashed, the width that the
    scheme `affine32` takes.
    """
    from datasketch import MinHash

    values = (shingles_of(words, SHINGLE_WORDS) >> np.uint64(32)).astype(np.int64).tolist()
    sketches = MinHash.generator(
        (values[start:end] for start, end in windows(len(values))),
        num_perm=PERMUTATIONS,
        seed=SEED,
        hashfunc=int,
        scheme=SCHEME,
    )
    return np.stack([sketch.hashvalues for sketch in sketches]).astype(np.uint32)


def batch_of(
    words: NDArray[np.uint32],
    marks: NDArray[np.uint8],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
) -> pa.RecordBatch:
    """One row of `SCHEMA`.

    Args:
        words: uint32 (n,), hashes of all words of the script, compared or not.
        marks: uint8 (n,), as `marks_of` gives them.
        start, end: int64 (n,), characters of the raw text, half open.
    """
    columns: tuple[NDArray[Any], ...] = (
        words,
        marks,
        start.astype(np.uint32),
        end.astype(np.uint32),
        signatures_of(words[is_compared(marks)]).reshape(-1),
    )
    arrays = [
        pa.ListArray.from_arrays(
            pa.array([0, len(values)], pa.int32()), pa.array(values, field.type.value_type)
        ).cast(field.type)
        for values, field in zip(columns, SCHEMA, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def texts_of(rows: pa.RecordBatch | pa.Table) -> TextRows:
    """The texts of stored rows, checked.

    Raises:
        ValueError: if the rows are not of the stage's form, or their columns do not fit together.
    """
    if rows.schema.names != SCHEMA.names:
        raise ValueError("rows are not of the form of text_overlap")
    values, lengths = zip(*(_flat(rows, name) for name in SCHEMA.names), strict=True)
    all_words, marks, start, end, signatures = values
    count = lengths[0]
    if any(not np.array_equal(count, other) for other in lengths[1:4]):
        raise ValueError("a text_overlap row has words without marks or positions")
    row = np.repeat(np.arange(len(count)), count)
    if (end <= start).any() or ((start[1:] < end[:-1]) & (row[1:] == row[:-1])).any():
        raise ValueError("a text_overlap row has words out of order")
    compared = is_compared(marks)
    words_per_row = np.bincount(row[compared], minlength=len(count)).astype(np.int64)
    if (words_per_row < LEAST_WORDS).any():
        raise ValueError("a text_overlap row has too few words")
    windows_per_row = _window_counts(words_per_row - SHINGLE_WORDS + 1)
    if not np.array_equal(lengths[4], windows_per_row * PERMUTATIONS):
        raise ValueError("a text_overlap row has more or fewer signatures than its windows")
    window_row = np.repeat(np.arange(len(count)), windows_per_row)
    first_window = np.cumsum(windows_per_row) - windows_per_row
    nth = np.arange(len(window_row)) - np.repeat(first_window, windows_per_row)
    last = np.maximum(0, words_per_row - WINDOW_WORDS)[window_row]
    return TextRows(
        words=all_words[compared],
        names=(marks[compared] & NAME) != 0,
        start=start[compared],
        end=end[compared],
        offsets=np.concatenate([[0], np.cumsum(words_per_row)]).astype(np.int64),
        signatures=signatures.reshape(-1, PERMUTATIONS),
        window_row=window_row,
        window_start=np.minimum(nth * STRIDE_WORDS, last),
    )


def _flat(rows: pa.RecordBatch | pa.Table, name: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """A column's values one row after the other, and how many each row has."""
    column = rows.column(name)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # of no chunks at all
        column = pa.array([], column.type)
    wanted = SCHEMA.field(name).type
    if column.type != wanted or column.null_count:
        raise ValueError("a text_overlap row has a missing value or one of another type")
    values = column.flatten()
    if values.null_count:
        raise ValueError("a text_overlap row has a missing value")
    lengths = np.diff(column.offsets.to_numpy()).astype(np.int64)
    return values.to_numpy(), lengths
