"""The Lance tables of an index: the only module that touches lancedb and lance.

A table is read at the version that a version record names, never at its newest, so what a writer
has put into it meanwhile is not seen. Old versions are never cleaned up: records name them.

lancedb runs an event loop on a thread of its own. A process forked after a table was opened has
that thread no longer; open the index in the child instead. Neither library goes to the network
for a local folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from reference_index.atomic_write import flush_folder
from reference_index.digests import schema_digest
from reference_index.errors import IndexCorruptError, ReferenceIndexError
from reference_index.interface import Work, WorkFile
from reference_index.spec import FingerprintSpec
from reference_index.versions import TableState

_SOURCE = re.compile(r",? ?[^\s,()]*\.rs:\d+:\d+")
"""Places in Lance's own code, which its messages end with."""

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
"""`stages` is JSON, the digest of the file's rows by stage; `content` the digest of what is kept
of the file itself."""

CONTENT = pa.schema([("thumbnail", pa.large_binary()), ("text", pa.large_string())])
"""Further columns of the files, of an index that keeps content."""

KEYS = pa.schema([("file_key", pa.string()), ("file_row", pa.int32())])
"""Columns before a stage's own: the file, and the row's place among the file's rows."""

FRAGMENTS = 64
"""A table in more pieces than this is put together at the end of an `add`."""

_PREDICATE_KEYS = 1000


def check_stages(
    specs: Mapping[str, FingerprintSpec], count: int, schemas: Mapping[str, pa.Schema]
) -> dict[str, str]:
    """The digest of each stage's schema, once it is seen that an index can store it.

    Raises:
        ReferenceIndexError: if not, or if specs and schemas are not of the same stages.
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
    """Turns whatever Lance raises while a table is read into an IndexCorruptError."""
    try:
        yield
    except ReferenceIndexError:
        raise
    except BaseException as fault:
        # Lance is written in Rust: data that break its assumptions may come out as a panic,
        # which is no Exception.
        if not isinstance(fault, Exception) and type(fault).__name__ != "PanicException":
            raise
        if isinstance(fault, MemoryError):
            raise
        raise IndexCorruptError(
            f"The table {name} of the index {index} can't be read ({_first_line(fault)}). "
            "Restore the index from a copy, or open an earlier version of it."
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
            f"The table {name} of the index {index} has {count:,} rows where {state.rows:,} "
            "were recorded. Restore the index from a copy."
        )
    return dataset


def read_works(index: Path, state: TableState) -> list[tuple[Work, str]]:
    """Every work and its recorded digest, sorted by work id."""
    import json

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


def create(index: Path, tables: Mapping[str, pa.Schema]) -> dict[str, TableState]:
    """Makes empty tables; their states."""
    states = {}
    connection = _connect(index)
    for name, schema in tables.items():
        with _changing(index, name):
            made = connection.create_table(name, schema=schema)
            states[name] = TableState(int(made.version), 0)
    return states


class TableWriter:
    """The tables of an index, to be changed by the holder of the writer's lock.

    Nothing that it does is seen by anyone until a version record names the tables' new states.

    Args:
        index: the index's folder.
        states: of every table, by the newest version record; a table that an interrupted writer
            left ahead of it is put back first.
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

    def append(self, name: str, rows: pa.Table) -> None:
        """Appends rows in the table's schema."""
        if rows.num_rows:
            with _changing(self._index, name):
                self._tables[name].add(rows)

    def finish(self) -> dict[str, TableState]:
        """Puts scattered tables together, brings all to disk, and gives the tables' states."""
        states = {}
        for name, table in self._tables.items():
            with _changing(self._index, name):
                dataset = table.to_lance()
                if len(dataset.get_fragments()) > FRAGMENTS:
                    dataset.optimize.compact_files()
                    table.checkout_latest()
                states[name] = TableState(int(table.version), int(table.count_rows()))
        for place in _data_files(self._index) - self._before:
            _sync(Path(place))
        return states


def _connect(index: Path) -> Any:
    import lancedb

    return lancedb.connect((index / "tables").absolute())


def _dataset(index: Path, name: str, version: int) -> Any:
    # Reading goes without lancedb, whose import takes as long as opening an index and what needs no
    # more than that.
    import lance

    folder = index / "tables" / f"{name}.lance"
    if not folder.is_dir():
        raise FileNotFoundError("it is missing")
    return lance.dataset(folder.absolute(), version=version)


def _data_files(index: Path) -> set[str]:
    """Every file and folder under the tables. Their names are never used again by Lance."""
    return {
        os.path.join(place, name)  # noqa: PTH118 - a Path for each of many files is slow
        for place, folders, files in os.walk(index / "tables")
        for name in (*folders, *files)
    }


def _sync(path: Path) -> None:
    if path.is_dir():
        flush_folder(path)
        return
    flush_folder(path.parent)
    with path.open("rb") as opened:
        os.fsync(opened.fileno())


def _first_line(fault: BaseException) -> str:
    lines: Iterable[str] = _SOURCE.sub("", str(fault)).splitlines()
    return next((line.strip().rstrip(".") for line in lines if line.strip()), type(fault).__name__)
