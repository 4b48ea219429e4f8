"""The rows that the text stage stores: the words of a script, and MinHash signatures of windows."""

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
WINDOW_WORDS = 100
STRIDE_WORDS = 50
PERMUTATIONS = 128
SEED = 1
SCHEME = "affine32"
LEAST_WORDS = 8

SCHEMA = pa.schema(
    [
        pa.field("words", pa.list_(pa.uint32()), nullable=False),
        pa.field("marks", pa.list_(pa.uint8()), nullable=False),
        pa.field("word_start", pa.list_(pa.uint32()), nullable=False),
        pa.field("word_end", pa.list_(pa.uint32()), nullable=False),
        pa.field("signatures", pa.list_(pa.uint32()), nullable=False),
    ]
)
"""One row a script. `words` are upper halves of the words' hashes, all words in order; `marks` the
`Part` that each stands in, and `NAME` if it is one; `word_start` and `word_end` its characters;
`signatures` those of the windows one after the other."""

NAME = 0x80
_PART = 0x0F
_LEAST_COMPARED = 0.5
"""Share of words that must be left to compare; below it the layout was misread, and all are."""


@dataclass(frozen=True)
class Texts:
    """The compared words of one or more rows, one row after the other.

    Attributes:
        words: uint32 (n,).
        names: bool (n,).
        start, end: uint32 (n,), characters of the raw text.
        offsets: int64 (rows + 1,), where each row's words begin.
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


def marks_of(words: Words, names: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The stored marks. If hardly anything would be compared, everything is."""
    part = words.part
    if len(part) and (part == Part.COMPARED).mean() < _LEAST_COMPARED:
        part = np.zeros_like(part)
    return part | np.where(names, np.uint8(NAME), np.uint8(0))


def compared(marks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which words are compared."""
    found: NDArray[np.bool_] = (marks & _PART) == Part.COMPARED
    return found


def windows(count: int) -> Iterator[tuple[int, int]]:
    """Shingles of each window, half open, of a text with `count` shingles."""
    width = WINDOW_WORDS - SHINGLE_WORDS + 1
    if count <= width:
        yield 0, count
        return
    for start in range(0, count - width, STRIDE_WORDS):
        yield start, start + width
    yield count - width, count


def _window_counts(shingles: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many windows texts of so many shingles have."""
    width = WINDOW_WORDS - SHINGLE_WORDS + 1
    return np.where(shingles <= width, 1, 1 - (width - shingles) // STRIDE_WORDS)


def signatures_of(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """uint32 (windows, permutations): datasketch's MinHash of each window's shingles.

    Shingles are hashed already; datasketch is given their upper 32 bits as they are, which is
    what the scheme `affine32` takes.
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
    """One row; `words` are all of the script's, compared or not."""
    columns: tuple[NDArray[Any], ...] = (
        words,
        marks,
        start.astype(np.uint32),
        end.astype(np.uint32),
        signatures_of(words[compared(marks)]).reshape(-1),
    )
    arrays = [
        pa.ListArray.from_arrays(
            pa.array([0, len(values)], pa.int32()), pa.array(values, field.type.value_type)
        ).cast(field.type)
        for values, field in zip(columns, SCHEMA, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def texts_of(rows: pa.RecordBatch | pa.Table) -> Texts:
    """The texts of stored rows, checked.

    Raises:
        ValueError: if the rows are not of the stage's form, or hold not what their lengths promise.
    """
    if rows.schema.names != SCHEMA.names:
        raise ValueError("rows are not of the form of text_overlap")
    values, lengths = zip(*(_flat(rows, name) for name in SCHEMA.names), strict=True)
    all_words, marks, start, end, signatures = values
    count = lengths[0]
    if any(not np.array_equal(count, other) for other in lengths[1:4]):
        raise ValueError("a text_overlap row has words without marks or places")
    row = np.repeat(np.arange(len(count)), count)
    if (end <= start).any() or ((start[1:] < end[:-1]) & (row[1:] == row[:-1])).any():
        raise ValueError("a text_overlap row has words out of order")
    kept = compared(marks)
    mine = np.bincount(row[kept], minlength=len(count)).astype(np.int64)
    if (mine < LEAST_WORDS).any():
        raise ValueError("a text_overlap row has too few words")
    per_row = _window_counts(mine - SHINGLE_WORDS + 1)
    if not np.array_equal(lengths[4], per_row * PERMUTATIONS):
        raise ValueError("a text_overlap row does not hold the signatures that its words promise")
    window_row = np.repeat(np.arange(len(count)), per_row)
    nth = np.arange(len(window_row)) - np.repeat(np.cumsum(per_row) - per_row, per_row)
    last = np.maximum(0, mine - WINDOW_WORDS)[window_row]
    return Texts(
        words=all_words[kept],
        names=(marks[kept] & NAME) != 0,
        start=start[kept],
        end=end[kept],
        offsets=np.concatenate([[0], np.cumsum(mine)]).astype(np.int64),
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
