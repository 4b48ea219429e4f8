"""The scan cache, state.sqlite: files, fingerprints, outcomes and scans of one scan directory.

Every change is a transaction in write-ahead mode with full flushing, so that a killed process or a
power failure leaves the state of the last commit. Deleting the file costs time only: the next scan
screens every file again.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import ScanError

SCHEMA_VERSION = 2
"""Version of the tables below, stored as `user_version`; a file of another version is refused."""

_TABLES = """
create table scans (
    scan_id text primary key, started text not null, scan_key text not null,
    index_version integer not null, index_digest text not null, finished text, summary text
) strict;
create table files (
    drop_name text not null, path text not null, stamp text, asset_id text, kind text not null,
    size integer, fault text, seen text not null, primary key (drop_name, path)
) strict, without rowid;
create table contents (
    content text primary key, load_key text not null, facts text not null, kind text not null,
    seen text not null
) strict, without rowid;
create table answers (
    content text not null, stage text not null, spec text not null, data blob not null,
    digest blob not null, primary key (content, stage)
) strict;
create table opened (key text primary key) strict, without rowid;
create table outcomes (
    content text primary key, search_key text not null, index_version integer not null,
    index_digest text not null, data blob not null, digest blob not null
) strict;
"""


# Added later within the same schema version: created in a file that lacks it; earlier releases
# ignore it.
_TIMEOUTS_TABLE = """
create table if not exists late (
    content text primary key, load_key text not null, scans integer not null, seen text not null
) strict, without rowid
"""


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A file as an earlier scan listed it.

    Attributes:
        stamp: changes whenever the bytes may have changed; None to read the file again.
        asset_id: SHA-256 (hex) of the bytes; None if they could not be read.
        kind: `image`, `script` or `other`.
        size: bytes; None if not known.
        fault: why the bytes could not be read, as JSON `[reason, sentence]`; None if they could.
    """

    stamp: str | None
    asset_id: str | None
    kind: str
    size: int | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class CachedContent:
    """How a content loaded; valid only for the same `load_key` (`invalidation.CacheKeys.load`)."""

    load_key: str
    facts: str
    kind: str


@dataclass(frozen=True, slots=True)
class CachedOutcomes:
    """Outcomes of all stages; valid only for the same `search_key` and the same index."""

    search_key: str
    index_version: int
    index_digest: str
    data: bytes


@dataclass(frozen=True, slots=True)
class KnownScan:
    """A scan; `finished` and `summary` are None while it runs, or if it was interrupted."""

    scan_id: str
    started: str
    scan_key: str
    index_version: int
    index_digest: str
    finished: str | None = None
    summary: str | None = None


class ScanCache:
    """The cache of one scan directory, used by the one process that holds the directory's lock.

    Raises:
        ScanError: if the file can't be opened or has another schema version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = full")
            self._open()
        except sqlite3.Error as error:
            raise self._broken(error) from error

    def _open(self) -> None:
        [version] = self._db.execute("pragma user_version").fetchone()
        if version == 0:
            with self.transaction():
                for statement in _TABLES.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"pragma user_version = {SCHEMA_VERSION}")
        elif version != SCHEMA_VERSION:
            self._db.close()
            raise ScanError(
                f"The state {self.path} is of another version of Clearance (form {version}, "
                f"this one reads {SCHEMA_VERSION}); scan with that version, or move the file away "
                "to start over."
            )
        with self.transaction():
            self._db.execute(_TIMEOUTS_TABLE)

    def opened_before(self) -> set[str]:
        """Keys of the stages that the previous scan opened (`stage_runner.opening_keys`)."""
        return {str(row[0]) for row in self._read("select key from opened")}

    def put_opened(self, keys: Iterable[str]) -> None:
        """Replaces these keys."""
        with self.transaction():
            self._db.execute("delete from opened")
            self._db.executemany("insert into opened values (?)", ((key,) for key in keys))

    def _broken(self, error: sqlite3.Error) -> ScanError:
        return ScanError(
            f"The state {self.path} can't be used ({error}). If the disk is full or not writable, "
            "fix that and scan again; if the file is damaged, move it away: the next scan then "
            "screens every file again."
        )

    def close(self) -> None:
        """Closes the file; what was committed is on disk."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction: all changes in the block are committed, or none.

        Raises:
            ScanError: if they can't be written, as on a full disk.
        """
        try:
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise
            self._db.execute("commit")
        except sqlite3.Error as error:
            raise self._broken(error) from error

    # Scans

    def begin(self, scan: KnownScan) -> None:
        """Records that a scan began, in a transaction of its own."""
        with self.transaction():
            self.add_scan(scan)

    def add_scan(self, scan: KnownScan, *, earliest: bool = False) -> None:
        """Records a scan, inside a transaction; with `earliest`, before all others."""
        [first] = self._db.execute("select min(rowid) from scans").fetchone()
        row = first - 1 if earliest and first is not None else None
        self._db.execute(
            "insert into scans (rowid, scan_id, started, scan_key, index_version, index_digest) "
            "values (?, ?, ?, ?, ?, ?)",
            (row, scan.scan_id, scan.started, scan.scan_key, scan.index_version, scan.index_digest),
        )

    def finish(self, scan_id: str, finished: str, summary: str) -> None:
        """Records that a scan is complete."""
        self._db.execute(
            "update scans set finished = ?, summary = ? where scan_id = ?",
            (finished, summary, scan_id),
        )

    def forget_scan(self, scan_id: str) -> None:
        """Removes a scan from the list."""
        self._db.execute("delete from scans where scan_id = ?", (scan_id,))

    def scans(self) -> list[KnownScan]:
        """Every scan, in the order in which they began."""
        rows = self._read("select * from scans order by rowid")
        return [KnownScan(*row) for row in rows]

    # Files

    def put_file(self, drop: str, path: str, file: CachedFile, scan_id: str) -> None:
        """Stores how a scan listed a file."""
        self._db.execute(
            "insert or replace into files values (?, ?, ?, ?, ?, ?, ?, ?)",
            (drop, path, *astuple(file), scan_id),
        )

    def files_of(self, drop: str) -> dict[str, CachedFile]:
        """Every cached file of a drop, by path."""
        rows = self._read(
            "select path, stamp, asset_id, kind, size, fault from files where drop_name = ?",
            (drop,),
        )
        return {row[0]: CachedFile(*row[1:]) for row in rows}

    def invalidate_file(self, drop: str, path: str) -> None:
        """Makes the next scan read a file again."""
        self._db.execute(
            "update files set stamp = null where drop_name = ? and path = ?", (drop, path)
        )

    def forget_files(self, drop: str, scan_id: str) -> None:
        """Deletes files of a drop that a scan did not list."""
        self._db.execute("delete from files where drop_name = ? and seen <> ?", (drop, scan_id))

    # Contents

    def content(self, content: str) -> CachedContent | None:
        """How a content loaded."""
        rows = self._read(
            "select load_key, facts, kind from contents where content = ?", (content,)
        )
        return CachedContent(*rows[0]) if rows else None

    def put_content(self, content: str, cached: CachedContent, scan_id: str) -> None:
        """Stores how a content loaded."""
        self._db.execute(
            "insert or replace into contents values (?, ?, ?, ?, ?)",
            (content, cached.load_key, cached.facts, cached.kind, scan_id),
        )

    def mark_present(self, contents: Iterable[str], scan_id: str) -> None:
        """Records that a scan still had these contents."""
        self._db.executemany(
            "update contents set seen = ? where content = ?", ((scan_id, one) for one in contents)
        )

    def timeouts(self, content: str, load_key: str) -> int:
        """Consecutive scans in which a content timed out, or was skipped because it had."""
        rows = self._read(
            "select scans from late where content = ? and load_key = ?", (content, load_key)
        )
        return int(rows[0][0]) if rows else 0

    def put_timeouts(self, content: str, load_key: str, scans: int, scan_id: str) -> None:
        """Stores that number; 0 deletes it."""
        if scans:
            self._db.execute(
                "insert or replace into late values (?, ?, ?, ?)",
                (content, load_key, scans, scan_id),
            )
        else:
            self._db.execute("delete from late where content = ?", (content,))

    def fingerprints(self, content: str, specs: Mapping[str, str]) -> dict[str, bytes]:
        """Undamaged fingerprints and abstentions of a content, by stage name.

        Args:
            content: its key.
            specs: by stage name, the digest of the spec that they must have been made by.
        """
        rows = self._read(
            "select stage, spec, data, digest from answers where content = ?", (content,)
        )
        return {
            stage: data
            for stage, spec, data, digest in rows
            if specs.get(stage) == spec and _digest(data) == digest
        }

    def fingerprinted_by(self, content: str, specs: Mapping[str, str]) -> set[str]:
        """Stages with a fingerprint of a content by these specs, without reading its bytes."""
        rows = self._read("select stage, spec from answers where content = ?", (content,))
        return {str(stage) for stage, spec in rows if specs.get(str(stage)) == spec}

    def put_fingerprints(
        self, content: str, specs: Mapping[str, str], data: Mapping[str, bytes]
    ) -> None:
        """Stores fingerprints and abstentions of a content, by stage name."""
        self._db.executemany(
            "insert or replace into answers values (?, ?, ?, ?, ?)",
            ((content, stage, specs[stage], one, _digest(one)) for stage, one in data.items()),
        )

    def forget_results(self, content: str) -> None:
        """Deletes the fingerprints and outcomes of a content, which loads differently now."""
        self._db.execute("delete from answers where content = ?", (content,))
        self._db.execute("delete from outcomes where content = ?", (content,))

    def outcomes(self, content: str) -> CachedOutcomes | None:
        """Outcomes of a content; None if there are none, or they are damaged."""
        rows = self._read(
            "select search_key, index_version, index_digest, data, digest from outcomes "
            "where content = ?",
            (content,),
        )
        if not rows or _digest(rows[0][3]) != rows[0][4]:
            return None
        return CachedOutcomes(*rows[0][:4])

    def put_outcomes(self, content: str, cached: CachedOutcomes) -> None:
        """Stores outcomes of a content."""
        self._db.execute(
            "insert or replace into outcomes values (?, ?, ?, ?, ?, ?)",
            (
                content, cached.search_key, cached.index_version, cached.index_digest, cached.data,
                _digest(cached.data),
            ),
        )  # fmt: skip

    def forget_contents(self, kept_scans: Sequence[str]) -> int:
        """Deletes contents that none of these scans had last; returns how many."""
        marks = ", ".join("?" * len(kept_scans))
        gone = [
            row[0]
            for row in self._read(
                f"select content from contents where seen not in ({marks})",  # noqa: S608
                tuple(kept_scans),
            )
        ]
        for table in ("answers", "outcomes", "contents"):
            self._db.executemany(
                f"delete from {table} where content = ?",  # noqa: S608
                ((one,) for one in gone),
            )
        self._db.execute(
            f"delete from late where seen not in ({marks})",  # noqa: S608
            tuple(kept_scans),
        )
        return len(gone)

    def _read(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, tuple(values)).fetchall()
        except sqlite3.Error as error:
            raise self._broken(error) from error


def _digest(data: bytes) -> bytes:
    """Eight bytes that detect damage: a damaged fingerprint finds nothing, and a copy would pass as
    "no match".
    """
    return hashlib.blake2b(data, digest_size=8).digest()
