"""What a scan directory remembers: files, fingerprints, outcomes and scans, in one SQLite file.

Every change is a transaction in write-ahead mode with full flushing, so that a process killed at
any moment, or a machine without power, leaves the state of the last commit. Losing the file costs
time and history, and nothing else: the next scan makes all of it anew.
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

FORM = 2
"""Of the tables below; a file of another form is refused."""

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


# Not of the form's first files: one that lacks it gets it, and an earlier release leaves it be.
_LATE = """
create table if not exists late (
    content text primary key, load_key text not null, scans integer not null, seen text not null
) strict, without rowid
"""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as an earlier scan saw it.

    `stamp` changes when its bytes may have; None: look at it anew. `fault` is JSON, a reason and a
    sentence, and stands with files whose bytes could not be read: they have no `asset_id`.
    """

    stamp: str | None
    asset_id: str | None
    kind: str
    size: int | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class KnownContent:
    """How bytes of one kind of name loaded; `load_key` names what loading depends on."""

    load_key: str
    facts: str
    kind: str


@dataclass(frozen=True, slots=True)
class KnownOutcomes:
    """What stages said; `search_key` and the index name what that depends on."""

    search_key: str
    index_version: int
    index_digest: str
    data: bytes


@dataclass(frozen=True, slots=True)
class KnownScan:
    """A scan; `finished` and `summary` are None while it is under way or was cut off."""

    scan_id: str
    started: str
    scan_key: str
    index_version: int
    index_digest: str
    finished: str | None = None
    summary: str | None = None


class ScanCache:
    """The state of one scan directory, held by the one process that holds the directory's lock.

    Raises:
        ScanError: if the file can't be opened or is no state of this form.
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
        [form] = self._db.execute("pragma user_version").fetchone()
        if form == 0:
            with self.change():
                for statement in _TABLES.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"pragma user_version = {FORM}")
        elif form != FORM:
            self._db.close()
            raise ScanError(
                f"The state {self.path} is of another version of Clearance (form {form}, this one "
                f"reads {FORM}); scan with that version, or move the file away to begin anew."
            )

        with self.change():
            self._db.execute(_LATE)

    def opened_before(self) -> set[str]:
        """The keys of stages that the last scan could open
        (`pipeline.screening.stage_runner.opening_keys`)."""
        return {str(row[0]) for row in self._read("select key from opened")}

    def put_opened(self, keys: Iterable[str]) -> None:
        """Keeps those keys, and no others."""
        with self.change():
            self._db.execute("delete from opened")
            self._db.executemany("insert into opened values (?)", ((key,) for key in keys))

    def _broken(self, error: sqlite3.Error) -> ScanError:
        return ScanError(
            f"The state {self.path} can't be used ({error}). If the disk is full or not writable, "
            "mend that and scan again; if the file is damaged, move it away: the next scan then "
            "judges every file anew."
        )

    def close(self) -> None:
        """Closes the file; what is committed is on the disk."""
        self._db.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """A transaction: all of it, or nothing.

        Raises:
            ScanError: if the disk is full, or something like it.
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
        """Writes down that a scan began, at once."""
        with self.change():
            self.begin_in(scan)

    def begin_in(self, scan: KnownScan, *, before_all: bool = False) -> None:
        """The same, inside a change that is under way; with `before_all` as the earliest scan."""
        [first] = self._db.execute("select min(rowid) from scans").fetchone()
        row = first - 1 if before_all and first is not None else None
        self._db.execute(
            "insert into scans (rowid, scan_id, started, scan_key, index_version, index_digest) "
            "values (?, ?, ?, ?, ?, ?)",
            (row, scan.scan_id, scan.started, scan.scan_key, scan.index_version, scan.index_digest),
        )

    def finish(self, scan_id: str, finished: str, summary: str) -> None:
        """Writes down that a scan is complete."""
        self._db.execute(
            "update scans set finished = ?, summary = ? where scan_id = ?",
            (finished, summary, scan_id),
        )

    def forget_scan(self, scan_id: str) -> None:
        """Takes a scan out of the list."""
        self._db.execute("delete from scans where scan_id = ?", (scan_id,))

    def scans(self) -> list[KnownScan]:
        """Every scan, the earliest first: in the order in which they were made."""
        rows = self._read("select * from scans order by rowid")
        return [KnownScan(*row) for row in rows]

    # Files

    def saw_file(self, drop: str, path: str, file: KnownFile, scan_id: str) -> None:
        """Writes down how a file was seen."""
        self._db.execute(
            "insert or replace into files values (?, ?, ?, ?, ?, ?, ?, ?)",
            (drop, path, *astuple(file), scan_id),
        )

    def files_of(self, drop: str) -> dict[str, KnownFile]:
        """Every known file of a drop, by path."""
        rows = self._read(
            "select path, stamp, asset_id, kind, size, fault from files where drop_name = ?",
            (drop,),
        )
        return {row[0]: KnownFile(*row[1:]) for row in rows}

    def look_again(self, drop: str, path: str) -> None:
        """Forgets that a file is as it was, so that the next scan reads it."""
        self._db.execute(
            "update files set stamp = null where drop_name = ? and path = ?", (drop, path)
        )

    def forget_files(self, drop: str, scan_id: str) -> None:
        """Forgets files of a drop that a scan did not see."""
        self._db.execute("delete from files where drop_name = ? and seen <> ?", (drop, scan_id))

    # Contents

    def content(self, content: str) -> KnownContent | None:
        """How a content loaded."""
        rows = self._read(
            "select load_key, facts, kind from contents where content = ?", (content,)
        )
        return KnownContent(*rows[0]) if rows else None

    def put_content(self, content: str, known: KnownContent, scan_id: str) -> None:
        """Keeps how a content loaded."""
        self._db.execute(
            "insert or replace into contents values (?, ?, ?, ?, ?)",
            (content, known.load_key, known.facts, known.kind, scan_id),
        )

    def saw_contents(self, contents: Iterable[str], scan_id: str) -> None:
        """Writes down that contents were still there."""
        self._db.executemany(
            "update contents set seen = ? where content = ?", ((scan_id, one) for one in contents)
        )

    def late(self, content: str, load_key: str) -> int:
        """Scans in a row for which a content took too long to load, or was left for that."""
        rows = self._read(
            "select scans from late where content = ? and load_key = ?", (content, load_key)
        )
        return int(rows[0][0]) if rows else 0

    def put_late(self, content: str, load_key: str, scans: int, scan_id: str) -> None:
        """Keeps that number; 0 forgets it."""
        if scans:
            self._db.execute(
                "insert or replace into late values (?, ?, ?, ?)",
                (content, load_key, scans, scan_id),
            )
        else:
            self._db.execute("delete from late where content = ?", (content,))

    def answers(self, content: str, specs: Mapping[str, str]) -> dict[str, bytes]:
        """Kept answers of a content, by stage: those made by these specs, and whole."""
        rows = self._read(
            "select stage, spec, data, digest from answers where content = ?", (content,)
        )
        return {
            stage: data
            for stage, spec, data, digest in rows
            if specs.get(stage) == spec and _digest(data) == digest
        }

    def answered(self, content: str, specs: Mapping[str, str]) -> set[str]:
        """Stages that have an answer of a content, made by these specs; none is read."""
        rows = self._read("select stage, spec from answers where content = ?", (content,))
        return {str(stage) for stage, spec in rows if specs.get(str(stage)) == spec}

    def put_answers(
        self, content: str, specs: Mapping[str, str], data: Mapping[str, bytes]
    ) -> None:
        """Keeps answers of a content, by stage."""
        self._db.executemany(
            "insert or replace into answers values (?, ?, ?, ?, ?)",
            ((content, stage, specs[stage], one, _digest(one)) for stage, one in data.items()),
        )

    def drop_answers(self, content: str) -> None:
        """Forgets the answers and outcomes of a content, which loads in another way now."""
        self._db.execute("delete from answers where content = ?", (content,))
        self._db.execute("delete from outcomes where content = ?", (content,))

    def outcomes(self, content: str) -> KnownOutcomes | None:
        """Kept outcomes of a content; None if there are none, or they are damaged."""
        rows = self._read(
            "select search_key, index_version, index_digest, data, digest from outcomes "
            "where content = ?",
            (content,),
        )
        if not rows or _digest(rows[0][3]) != rows[0][4]:
            return None
        return KnownOutcomes(*rows[0][:4])

    def put_outcomes(self, content: str, known: KnownOutcomes) -> None:
        """Keeps outcomes of a content."""
        self._db.execute(
            "insert or replace into outcomes values (?, ?, ?, ?, ?, ?)",
            (
                content, known.search_key, known.index_version, known.index_digest, known.data,
                _digest(known.data),
            ),
        )  # fmt: skip

    def forget_contents(self, kept_scans: Sequence[str]) -> int:
        """Forgets contents last seen by none of these scans; how many."""
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
    """Eight bytes that tell a flipped bit: a damaged fingerprint would find nothing, and say so."""
    return hashlib.blake2b(data, digest_size=8).digest()
