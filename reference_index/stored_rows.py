"""Reading a stage's stored rows back, in the order that every version of every index gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reference_index.errors import IndexCorruptError
from reference_index.tables import open_dataset, reading
from reference_index.versions import TableState


def read_stage(
    index: Path, stage: str, state: TableState, schema: pa.Schema, keys: Sequence[str]
) -> tuple[pa.Table, NDArray[np.int64]]:
    """A stage's rows, by file in the order of `keys`, then as the stage gave them.

    Args:
        index: the index's folder.
        stage: the stage's name.
        state: of its table.
        schema: of its rows.
        keys: file keys, in the order of the index's files.

    Returns:
        The rows, one chunk a column, in `schema`; and for each the position of its file, int64.

    Raises:
        IndexCorruptError: if the table can't be read, or a row belongs to no file or is doubled.
    """
    dataset = open_dataset(index, stage, state)
    with reading(index, stage):
        table = dataset.to_table(columns=["file_key", "file_row", *schema.names]).combine_chunks()
        position = _positions(table.column("file_key"), keys)
        number = np.asarray(table.column("file_row").to_numpy(), dtype=np.int64)
        rows = table.select(schema.names)
        rows = rows.cast(schema) if rows.schema != schema else rows
    order = np.lexsort((number, position))
    if not np.array_equal(order, np.arange(len(order))):
        rows, position, number = rows.take(pa.array(order)), position[order], number[order]
    first = np.ones(len(position), np.bool_)
    first[1:] = position[1:] != position[:-1]
    starts = np.flatnonzero(first)
    expected = np.arange(len(position)) - np.repeat(starts, np.diff([*starts, len(position)]))
    if (position < 0).any() or not np.array_equal(number, expected):
        raise IndexCorruptError(
            f"The table {stage} of the index {index} holds rows that belong to no file, or lacks "
            "some. Restore the index from a copy."
        )
    return rows, position


def _positions(column: Any, keys: Sequence[str]) -> NDArray[np.int64]:
    import pyarrow.compute as pc

    found = pc.index_in(column, value_set=pa.array(keys, pa.string()))
    filled = pc.fill_null(found, -1)
    return np.asarray(filled.to_numpy(), dtype=np.int64)
