"""The versions of an index: one small JSON file each, which is written once.

`IDX/versions/000007.json` records the version of every Lance table, so a reader sees exactly the
data that one file names. To make a version, the tables are written first; then its file is written
under a temporary name, flushed to the disk, and linked to its own name, one atomic step that fails
if the name exists. A writer that is killed at any moment therefore leaves the newest complete
version unchanged.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from reference_index.atomic_write import flush_folder, new_file
from reference_index.canonical_json import json_digest
from reference_index.errors import IndexCorruptError, IndexNotFoundError, ReferenceIndexError
from reference_index.interface import FingerprintSpec

FORMAT = 2
"""Of the index on disk; increased when older code could no longer read it correctly.

Format 2 added former ids of works, and files that moved. A version without them is still written as
format 1, which earlier releases read.
"""

_SINCE_FORMAT_2 = ("works_renamed", "files_moved")
"""Fields of `Change` that format 1 does not have."""


@dataclass(frozen=True, slots=True)
class TableState:
    """A Lance table in one version of the index: the table's own version and number of rows."""

    version: int
    rows: int


@dataclass(frozen=True, slots=True)
class Change:
    """Changes of a version since the previous one: numbers of files and works, the ids of
    works with new details, and each renamed work's former and new id. A file that moved has
    another path in its work."""

    files_added: int = 0
    files_replaced: int = 0
    files_removed: int = 0
    works_added: int = 0
    works_removed: int = 0
    works_updated: tuple[str, ...] = ()
    works_renamed: tuple[tuple[str, str], ...] = ()
    files_moved: int = 0

    def __add__(self, other: Change) -> Change:
        """Both changes as one."""
        pairs = ((getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        return Change(*(mine + theirs for mine, theirs in pairs))

    def sentence(self) -> str:
        """The change for people, such as `added 3 files; added 2 works`."""
        parts = [
            f"{verb} {count:,} {noun}{'' if count == 1 else 's'}"
            for verb, count, noun in (
                ("added", self.works_added, "work"),
                ("removed", self.works_removed, "work"),
                ("added", self.files_added, "file"),
                ("replaced", self.files_replaced, "file"),
                ("removed", self.files_removed, "file"),
                ("moved", self.files_moved, "file"),
            )
            if count
        ]
        if self.works_updated:
            more = len(self.works_updated) - 5
            rest = f" and {more:,} more" if more > 0 else ""
            parts.append(f"new details for {', '.join(self.works_updated[:5])}{rest}")
        parts += [f"renamed {old} to {new}" for old, new in self.works_renamed]
        return "; ".join(parts) or "created"


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One version of an index.

    Attributes:
        version: counted from 1.
        made: time of creation, UTC, ISO 8601.
        digest: of its content, see `digests.index_digest`.
        keep_content: whether text and thumbnails of the works are stored.
        specs: fingerprint specs, by stage.
        schemas: schemas of the stages' rows, by stage.
        tables: the state of every Lance table, by name.
        works, files: counts.
        change: since the previous version.
        aliases: by former id of a work, its present id.
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
    aliases: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        change: dict[str, Any] = asdict(self.change)
        newer = {name: change.pop(name) for name in _SINCE_FORMAT_2}
        newer = {name: value for name, value in newer.items() if value}
        change |= newer
        value = {
            "format": FORMAT if self.aliases or newer else 1,
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
            "change": change,
        }
        return {**value, "aliases": dict(self.aliases)} if self.aliases else value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> VersionRecord:
        """The inverse of `to_json`. Raises KeyError, TypeError or ValueError if it is no record."""
        change = dict(value["change"])
        change["works_updated"] = tuple(change["works_updated"])
        renamed = change.get("works_renamed", ())
        change["works_renamed"] = tuple((old, new) for old, new in renamed)
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
            {str(old): str(new) for old, new in value.get("aliases", {}).items()},
        )


def now() -> str:
    """The current time, UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def numbers(index: Path) -> list[int]:
    """The version numbers of an index, oldest first; empty if there is no index.

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
        IndexCorruptError: if the record is damaged.
        ReferenceIndexError: if it can't be read or was written by a later release.
    """
    known = numbers(index)
    if not known:
        start = "There is no reference index at" if not index.exists() else "No reference index in"
        raise IndexNotFoundError(
            f"{start} {index}; make one with: clearance index create {_quoted(index)}"
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
        if value["format"] not in range(1, FORMAT + 1):
            raise ReferenceIndexError(
                f"The index {index} has the format {value['format']} and this release of Clearance "
                f"reads formats up to {FORMAT}; use the release that made it."
            )
        return VersionRecord.from_json(value)
    except (AttributeError, KeyError, TypeError, ValueError, pa.ArrowException):
        raise IndexCorruptError(damaged) from None


def write(index: Path, record: VersionRecord) -> None:
    """Makes `record` the newest version, in one atomic step.

    The caller holds the write lock and has flushed the tables to the disk.

    Raises:
        OSError: if it can't be written; then there is no new version.
    """
    folder = index / "versions"
    file = _file(index, record.version)
    for abandoned in folder.glob("*.tmp"):
        abandoned.unlink()
    value = record.to_json()
    text = json.dumps({**value, "seal": json_digest(value)}, indent=1, ensure_ascii=False) + "\n"
    temporary = file.with_suffix(".tmp")
    with new_file(temporary) as out:
        out.write(text.encode())
    try:
        os.link(temporary, file)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links; the lock keeps other writers away.
        temporary.rename(file)
    temporary.unlink(missing_ok=True)
    flush_folder(folder)


def _file(index: Path, version: int) -> Path:
    return index / "versions" / f"{version:06d}.json"


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))
