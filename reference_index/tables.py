"""The Lance tables of an index: the only module that uses lancedb and lance.

A table is read at the version named by a version record, never at its newest, so that a reader does
not see the unfinished work of a writer. Old versions are never cleaned up, because records name
them.

lancedb runs an event loop in a thread, which a forked process does not have: a child process must
open the index itself. Neither library uses the network for a local folder.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reference_index.atomic_write import flush_folder
from reference_index.digests import schema_digest
from reference_index.errors import IndexCorruptError, ReferenceIndexError
from reference_index.interface import FingerprintSpec, Work, WorkFile
from reference_index.versions import TableState

_SOURCE = re.compile(r",? ?[^\s,()]*\.rs:\d+:\d+")
"""Source locations at the end of Lance's messages."""
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")
"""How Rust ends the message of an error of the operating system."""

WORKS = pa.schema(
    [
        ("work_id", pa.string()),
        ("title", pa.string()),
        ("rightsholder", pa.string()),
        ("rights", pa.string()),
        ("notes", pa.string()),
        ("work_key", pa.string()),
        ("digest", pa.string()),
    ]
)
FILES = pa.schema(
    [
        ("work_id", pa.string()),
        ("path", pa.string()),
        ("file_id", pa.string()),
        ("kind", pa.string()),
        ("format", pa.string()),
        ("size", pa.int64()),
        ("note", pa.string()),
        ("file_key", pa.string()),
        ("digest", pa.string()),
        ("stages", pa.string()),
        ("content", pa.string()),
    ]
)
"""`stages` is JSON, the digest of the file's rows by stage; `content` is the digest of the stored
thumbnail and text."""

CONTENT = pa.schema([("thumbnail", pa.large_binary()), ("text", pa.large_string())])
"""Further columns of `files`, in an index that stores content."""

KEYS = pa.schema([("file_key", pa.string()), ("file_row", pa.int32())])
"""Columns before those of a stage: the file, and the number of the row among the file's rows."""

FRAGMENTS = 64
"""A table with more fragments than this is compacted at the end of an `add`."""

_PREDICATE_KEYS = 1000
"""Keys in one SQL predicate."""

_REWRITTEN_KEYS = 100
"""Keys whose rows are in memory at once while they are rewritten."""


def check_stages(
    specs: Mapping[str, FingerprintSpec], count: int, schemas: Mapping[str, pa.Schema]
) -> dict[str, str]:
    """The digest of each stage's schema, after checking that an index can store it.

    Args:
        specs: fingerprint specs by stage.
        count: number of specs before they were keyed by stage, to notice a repeated stage.
        schemas: of the stages' rows, by stage.

    Raises:
        ReferenceIndexError: if a stage can't be stored, or specs and schemas are not of the same
            stages.
    """
    if len(specs) != count or set(specs) != set(schemas):
        raise ReferenceIndexError(
            f"An index needs one spec and one schema for each stage, not specs of {sorted(specs)} "
            f"and schemas of {sorted(schemas)}."
        )
    digests = {}
    for name, schema in schemas.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in ("works", "files"):
            raise ReferenceIndexError(f"{name!r} can't be the name of a stage's table.")
        if len(schema) == 0 or set(schema.names) & set(KEYS.names):
            raise ReferenceIndexError(
                f"The rows of the stage {name} need columns, and none named "
                f"{' or '.join(KEYS.names)}."
            )
        try:
            digests[name] = schema_digest(schema)
        except ValueError as fault:
            raise ReferenceIndexError(f"The stage {name} can't be stored: {fault}.") from None
    return digests


def layout(schemas: Mapping[str, pa.Schema], *, keep_content: bool) -> dict[str, pa.Schema]:
    """The schema of every table of an index, by name."""
    files = pa.schema([*FILES, *CONTENT]) if keep_content else FILES
    stages = {name: pa.schema([*KEYS, *schema]) for name, schema in schemas.items()}
    return {"works": WORKS, "files": files, **stages}


@contextmanager
def reading(index: Path, name: str) -> Iterator[None]:
    """Turns any exception of Lance while a table is read into an IndexCorruptError."""
    try:
        yield
    except ReferenceIndexError:
        raise
    except BaseException as fault:
        # Lance is written in Rust: damaged data may cause a panic, which is a BaseException.
        if not isinstance(fault, Exception) and type(fault).__name__ != "PanicException":
            raise
        if isinstance(fault, MemoryError):
            raise
        raise IndexCorruptError(
            f"The table {name} of the index {index} {_what_is_wrong(fault)}"
        ) from fault


@contextmanager
def _changing(index: Path, name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, ValueError) as fault:
        raise ReferenceIndexError(
            f"The table {name} of the index {index} can't be written ({_first_line(fault)}); "
            "the index is at the version that it had."
        ) from fault


def open_dataset(index: Path, name: str, state: TableState) -> Any:
    """The Lance dataset of a table, at the version of `state`.

    Raises:
        IndexCorruptError: if it is missing, unreadable, or has another number of rows.
    """
    with reading(index, name):
        dataset = _dataset(index, name, state.version)
        count = dataset.count_rows()
    if count != state.rows:
        raise IndexCorruptError(
            f"The number of rows in the table {name} of the index {index} is {count:,}; recorded: "
            f"{state.rows:,}. Restore the index from a copy."
        )
    return dataset


def read_works(index: Path, state: TableState) -> list[tuple[Work, str]]:
    """Every work and its recorded digest, sorted by work id."""
    dataset = open_dataset(index, "works", state)
    with reading(index, "works"):
        return sorted(
            (
                (
                    Work(
                        row["work_id"],
                        row["title"],
                        row["rightsholder"],
                        row["rights"],
                        json.loads(row["notes"]),
                    ),
                    str(row["digest"]),
                )
                for row in dataset.to_table().to_pylist()
            ),
            key=lambda pair: pair[0].work_id,
        )


def read_files(index: Path, state: TableState) -> list[tuple[WorkFile, str]]:
    """Every file and its recorded digest, sorted by work id, path and file id."""
    names = ["work_id", "path", "file_id", "kind", "format", "size", "note"]
    dataset = open_dataset(index, "files", state)
    with reading(index, "files"):
        table = dataset.to_table(columns=[*names, "digest"])
        columns = [table.column(name).to_pylist() for name in (*names, "digest")]
        pairs = [(WorkFile(*values[:-1]), values[-1]) for values in zip(*columns, strict=True)]
    return sorted(pairs, key=lambda pair: (pair[0].work_id, pair[0].path, pair[0].file_id))


def read_stage(
    index: Path, stage: str, state: TableState, schema: pa.Schema, keys: Sequence[str]
) -> tuple[pa.Table, NDArray[np.int64]]:
    """A stage's rows, by file in the order of `keys`, then in the order of the stage.

    Args:
        index: folder of the index.
        stage: name of the stage.
        state: of its table.
        schema: of its rows.
        keys: file keys, in the order of the index's files.

    Returns:
        The rows in `schema`, one chunk a column; and for each row the position of its file, int64.

    Raises:
        IndexCorruptError: if the table can't be read, or a row belongs to no file or is repeated.
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
    """The position in `keys` of each value of `column`; -1 if it is not there."""
    import pyarrow.compute as pc

    positions = pc.fill_null(pc.index_in(column, value_set=pa.array(keys, pa.string())), -1)
    return np.asarray(positions.to_numpy(), dtype=np.int64)


def create(index: Path, tables: Mapping[str, pa.Schema]) -> dict[str, TableState]:
    """Creates empty tables; returns their states."""
    states = {}
    connection = _connect(index)
    for name, schema in tables.items():
        with _changing(index, name):
            table = connection.create_table(name, schema=schema)
            states[name] = TableState(int(table.version), 0)
    return states


class TableWriter:
    """Changes the tables of an index; only for the holder of the write lock.

    Readers see none of the changes until a version record names the tables' new states.

    Args:
        index: folder of the index.
        states: of every table, from the newest version record. A table with a newer version, from
            an interrupted writer, is restored to this one first.
    """

    def __init__(self, index: Path, states: Mapping[str, TableState]) -> None:
        self._index = index
        self._before = _data_files(index)
        self._tables: dict[str, Any] = {}
        for name, state in states.items():
            with reading(index, name):
                table = _connect(index).open_table(name)
                ahead = table.version != state.version
            with _changing(index, name):
                if ahead:
                    table.restore(state.version)
                    table.checkout_latest()
            self._tables[name] = table

    def delete(self, name: str, key: str, values: Sequence[str]) -> None:
        """Deletes the rows whose column `key` has one of `values` (digests in hex)."""
        with _changing(self._index, name):
            for start in range(0, len(values), _PREDICATE_KEYS):
                listed = ", ".join(
                    f"'{value}'" for value in values[start : start + _PREDICATE_KEYS]
                )
                self._tables[name].delete(f"{key} IN ({listed})")

    def rewrite(
        self, name: str, key: str, values: Sequence[str], changed: Callable[[pa.Table], pa.Table]
    ) -> None:
        """Replaces the rows whose column `key` has one of `values` (digests in hex).

        Args:
            name: of the table.
            key: its column.
            values: of which rows.
            changed: given some of these rows, the rows that take their place, in the same schema.
        """
        for start in range(0, len(values), _REWRITTEN_KEYS):
            some = values[start : start + _REWRITTEN_KEYS]
            listed = ", ".join(f"'{value}'" for value in some)
            with reading(self._index, name):
                rows = self._tables[name].to_lance().to_table(filter=f"{key} IN ({listed})")
            self.delete(name, key, some)
            self.append(name, changed(rows))

    def append(self, name: str, rows: pa.Table) -> None:
        """Appends rows in the table's schema."""
        if rows.num_rows:
            with _changing(self._index, name):
                self._tables[name].add(rows)

    def finish(self) -> dict[str, TableState]:
        """Compacts fragmented tables, flushes all to the disk, and returns the tables' states."""
        states = {}
        for name, table in self._tables.items():
            with _changing(self._index, name):
                dataset = table.to_lance()
                if len(dataset.get_fragments()) > FRAGMENTS:
                    dataset.optimize.compact_files()
                    table.checkout_latest()
                states[name] = TableState(int(table.version), int(table.count_rows()))
        for path in _data_files(self._index) - self._before:
            _flush(Path(path))
        return states


def _connect(index: Path) -> Any:
    import lancedb

    return lancedb.connect((index / "tables").absolute())


def _dataset(index: Path, name: str, version: int) -> Any:
    # Not through lancedb: its import takes about as long as opening an index.
    import lance

    folder = index / "tables" / f"{name}.lance"
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    return lance.dataset(folder.absolute(), version=version)


def _data_files(index: Path) -> set[str]:
    """Every file and folder under the tables. Lance never uses a name again."""
    return {
        os.path.join(parent, name)  # noqa: PTH118 - a Path for each of many files is slow
        for parent, folders, files in os.walk(index / "tables")
        for name in (*folders, *files)
    }


def _flush(path: Path) -> None:
    if path.is_dir():
        flush_folder(path)
        return
    flush_folder(path.parent)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _what_is_wrong(fault: BaseException) -> str:
    """The end of a sentence on a table that can't be read. Lance's own message, the exception's
    cause, is of offsets in its files.
    """
    if system_error := _SYSTEM_ERROR.search(str(fault)):
        return f"can't be read: {os.strerror(int(system_error[1]))}."
    gone = isinstance(fault, FileNotFoundError) or "not found" in str(fault).lower()
    return (
        f"is {'missing or lacks files' if gone else 'damaged'}. Restore the index from a copy, or "
        "open an earlier version of it."
    )


def _first_line(fault: BaseException) -> str:
    lines: Iterable[str] = _SOURCE.sub("", str(fault)).splitlines()
    return next((line.strip().rstrip(".") for line in lines if line.strip()), type(fault).__name__)
