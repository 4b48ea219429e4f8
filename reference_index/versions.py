"""The versions of an index: one small file each, written once, naming all that the version holds.

`IDX/versions/000007.json` records the version of every Lance table, so a reader sees exactly what
one file names. It is written last, to a temporary name, brought to disk, and then linked to its
own name in one step that fails if the name is taken. A writer that is killed at any moment
therefore leaves the newest whole version as it was, whatever it had put in the tables.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from reference_index.atomic_write import flush_folder, new_file
from reference_index.canonical_json import json_digest
from reference_index.errors import IndexCorruptError, IndexNotFoundError, ReferenceIndexError
from reference_index.spec import FingerprintSpec

FORMAT = 1
"""Of the index on disk; raised whenever older code could no longer read it rightly."""


@dataclass(frozen=True, slots=True)
class TableState:
    """A Lance table as one version of the index sees it: its own version, and its rows."""

    version: int
    rows: int


@dataclass(frozen=True, slots=True)
class Change:
    """What a version changed against the one before it. Counts are of files and works."""

    files_added: int = 0
    files_replaced: int = 0
    files_removed: int = 0
    works_added: int = 0
    works_removed: int = 0
    works_updated: tuple[str, ...] = ()

    def sentence(self) -> str:
        """The change for people, such as `added 3 files; added 2 works`."""
        said = [
            f"{verb} {count:,} {noun}{'' if count == 1 else 's'}"
            for verb, count, noun in (
                ("added", self.works_added, "work"),
                ("removed", self.works_removed, "work"),
                ("added", self.files_added, "file"),
                ("replaced", self.files_replaced, "file"),
                ("removed", self.files_removed, "file"),
            )
            if count
        ]
        if self.works_updated:
            more = len(self.works_updated) - 5
            rest = f" and {more:,} more" if more > 0 else ""
            said.append(f"new details for {', '.join(self.works_updated[:5])}{rest}")
        return "; ".join(said) or "created"


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One version of an index.

    Attributes:
        version: counted from 1.
        made: when, UTC, ISO 8601.
        digest: of all that it holds, see `digests.index_digest`.
        keep_content: whether the works' own text and thumbnails are kept.
        specs: fingerprint specs, by stage.
        schemas: schemas of the stages' rows, by stage.
        tables: the state of every Lance table, by name.
        works, files: counts.
        change: what it changed.
    """

    version: int
    made: str
    digest: str
    keep_content: bool
    specs: Mapping[str, FingerprintSpec]
    schemas: Mapping[str, pa.Schema]
    tables: Mapping[str, TableState]
    works: int
    files: int
    change: Change = field(default_factory=Change)

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return {
            "format": FORMAT,
            "version": self.version,
            "made": self.made,
            "digest": self.digest,
            "keep_content": self.keep_content,
            "specs": {name: spec.to_json() for name, spec in self.specs.items()},
            "schemas": {
                name: base64.b64encode(schema.serialize()).decode()
                for name, schema in self.schemas.items()
            },
            "tables": {name: asdict(state) for name, state in self.tables.items()},
            "works": self.works,
            "files": self.files,
            "change": asdict(self.change),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> VersionRecord:
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError if it is no record."""
        change = dict(value["change"])
        change["works_updated"] = tuple(change["works_updated"])
        return cls(
            int(value["version"]),
            value["made"],
            value["digest"],
            bool(value["keep_content"]),
            {name: FingerprintSpec.from_json(spec) for name, spec in value["specs"].items()},
            {
                name: pa.ipc.read_schema(pa.py_buffer(base64.b64decode(schema)))
                for name, schema in value["schemas"].items()
            },
            {name: TableState(**state) for name, state in value["tables"].items()},
            int(value["works"]),
            int(value["files"]),
            Change(**change),
        )


def now() -> str:
    """This moment, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def numbers(index: Path) -> list[int]:
    """The versions that an index has, oldest first; empty if there is no index.

    Raises:
        ReferenceIndexError: if the folder can't be read.
    """
    try:
        names = [file.name for file in (index / "versions").iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as fault:
        raise ReferenceIndexError(f"{index} can't be read ({fault.strerror}).") from None
    return sorted(
        int(name[:-5]) for name in names if name.endswith(".json") and name[:-5].isdigit()
    )


def read(index: Path, version: int | None = None) -> VersionRecord:
    """The record of one version, or of the newest.

    Raises:
        IndexNotFoundError: if there is no index, or no such version of it.
        IndexCorruptError: if the record is not as it was written.
        ReferenceIndexError: if it can't be read or was written by a later release.
    """
    known = numbers(index)
    if not known:
        what = "There is no reference index at" if not index.exists() else "No reference index in"
        raise IndexNotFoundError(
            f"{what} {index}; make one with: clearance index create {_quoted(index)}"
        )
    if version is not None and version not in known:
        span = f"version {known[0]}" if len(known) == 1 else f"versions {known[0]} to {known[-1]}"
        raise IndexNotFoundError(f"The index {index} has no version {version}; it has {span}.")
    file = _file(index, known[-1] if version is None else version)
    damaged = (
        f"{file} is damaged: it is not as it was written. Restore it from a copy of the index."
    )
    try:
        value = json.loads(file.read_bytes())
    except OSError as fault:
        raise ReferenceIndexError(f"{file} can't be read ({fault.strerror}).") from None
    except (ValueError, RecursionError):
        raise IndexCorruptError(damaged) from None
    try:
        if value.pop("seal") != json_digest(value):
            raise IndexCorruptError(damaged)
        if value["format"] != FORMAT:
            raise ReferenceIndexError(
                f"The index {index} has the format {value['format']} and this release of Clearance "
                f"reads format {FORMAT}; use the release that made it."
            )
        return VersionRecord.from_json(value)
    except (AttributeError, KeyError, TypeError, ValueError, pa.ArrowException):
        raise IndexCorruptError(damaged) from None


def write(index: Path, record: VersionRecord) -> None:
    """Makes `record` the newest version, in one step.

    The caller holds the writer's lock and has brought the tables to disk.

    Raises:
        OSError: if it can't be written; then no version was made.
    """
    folder = index / "versions"
    file = _file(index, record.version)
    for left in folder.glob("*.tmp"):
        left.unlink()
    value = record.to_json()
    text = json.dumps({**value, "seal": json_digest(value)}, indent=1, ensure_ascii=False) + "\n"
    unfinished = file.with_suffix(".tmp")
    with new_file(unfinished) as out:
        out.write(text.encode())
    try:
        os.link(unfinished, file)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links; the lock keeps other writers from the same name.
        unfinished.rename(file)
    unfinished.unlink(missing_ok=True)
    flush_folder(folder)


def _file(index: Path, version: int) -> Path:
    return index / "versions" / f"{version:06d}.json"


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))
