"""The record's one table, in SQLite and PostgreSQL, and connections that keep what they are told.

Beside its body, an event has columns to ask by. They are copies: `clearance audit verify` compares
each with the body. Triggers refuse to change or delete a row; they are a guard rail against
mistakes, and no proof, since whoever owns the database can drop them.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.core.errors import RecordError
from pipeline.decisions.places import is_url, record_file

try:
    import sqlalchemy as sa

    from pipeline.decisions.postgresql_errors import server_name, server_said
except ModuleNotFoundError as error:
    raise RecordError(
        "The record of decisions needs SQLAlchemy, which is not installed; install Clearance with "
        "its extra: pip install 'clearance[review]'"
    ) from error

__all__ = [
    "APPLICATION_ID", "EVENTS", "POSTGRESQL", "SQLITE", "USER_VERSION", "Database",
    "driver_said", "sa", "told",
]  # fmt: skip

APPLICATION_ID = 0x436C7252
"""In the header of a SQLite file: `ClrR`."""

USER_VERSION = 1

WAIT = 60
"""Seconds that a writer waits for its turn."""

READ_WAIT = 10
"""Seconds that a reader waits for a writer of SQLite, who keeps readers off only to commit."""

_ADVISORY_LOCK = 0x436C6561_72616E63

EVENTS = sa.table(
    "clearance_events",
    sa.column("seq", sa.BigInteger),
    sa.column("event_id", sa.Text),
    sa.column("time", sa.Text),
    sa.column("actor", sa.Text),
    sa.column("kind", sa.Text),
    sa.column("asset", sa.Text),
    sa.column("work_id", sa.Text),
    sa.column("body", sa.LargeBinary),
    sa.column("previous", sa.Text),
    sa.column("hash", sa.Text),
)

_REFUSED = "the record is append-only"

# Written out, and not left to a library: verifying compares every byte of them, in years' time.
_COLUMNS = (
    "event_id TEXT NOT NULL UNIQUE, time TEXT NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL, "
    "asset TEXT, work_id TEXT, body {bytes} NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL"
)
_INDEXES = (
    "CREATE INDEX clearance_events_by_item ON clearance_events (asset, work_id)",
    "CREATE INDEX clearance_events_by_kind ON clearance_events (kind)",
)

SQLITE = (
    # INTEGER makes it SQLite's own row number, so that the table is stored in this order.
    "CREATE TABLE clearance_events (seq INTEGER NOT NULL PRIMARY KEY, "
    f"{_COLUMNS.format(bytes='BLOB')})",
    *_INDEXES,
    "CREATE TRIGGER clearance_events_no_update BEFORE UPDATE ON clearance_events "
    f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
    "CREATE TRIGGER clearance_events_no_delete BEFORE DELETE ON clearance_events "
    f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
    # INSERT OR REPLACE would delete without firing the trigger above.
    "CREATE TRIGGER clearance_events_in_order BEFORE INSERT ON clearance_events "  # noqa: S608
    "WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM clearance_events) "
    f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
)

POSTGRESQL = (
    "CREATE TABLE clearance_events (seq BIGINT NOT NULL PRIMARY KEY, "
    f"{_COLUMNS.format(bytes='BYTEA')})",
    *_INDEXES,
    "CREATE OR REPLACE FUNCTION clearance_events_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$",
    "CREATE TRIGGER clearance_events_no_change BEFORE UPDATE OR DELETE ON clearance_events "
    "FOR EACH ROW EXECUTE FUNCTION clearance_events_refuse()",
    "CREATE TRIGGER clearance_events_no_truncate BEFORE TRUNCATE ON clearance_events "
    "FOR EACH STATEMENT EXECUTE FUNCTION clearance_events_refuse()",
)


class Database:
    """Where a record is stored.

    It keeps no connection open: each is of one thread and one process, none is ever stale, and
    people decide so seldom that opening one costs nothing to speak of.

    Attributes:
        name: for people; of a URL no more than host and database.
        file: the SQLite file; None for PostgreSQL.
        engine: SQLAlchemy's.

    Args:
        place: a file, a folder of results, a scan directory, or a URL `sqlite:///…` or
            `postgresql://…`.

    Raises:
        RecordError: if it is a URL of another kind, or what it needs is not installed.
    """

    def __init__(self, place: str | Path) -> None:
        url = _url(place)
        self.file: Path | None = None
        self.name = server_name(url)
        if url.get_backend_name() == "sqlite":
            self.file = Path(str(url.database))
            self.name = str(self.file)
            self.engine = _sqlite(url)
        else:
            self.engine = _postgresql(url)

    @property
    def there(self) -> bool:
        """Whether there is anything yet."""
        if self.file is not None:
            try:
                found = self.file.stat()
            except (FileNotFoundError, NotADirectoryError):
                return False
            except OSError as error:
                raise RecordError(
                    f"The record {self.name} can't be used ({error.strerror})."
                ) from error
            return stat.S_ISREG(found.st_mode) and found.st_size > 0
        with self.reading() as connection:
            return sa.inspect(connection).has_table(EVENTS.name)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the record throughout.

        Raises:
            RecordError: as everywhere; and if a SQLite file is not there, or empty. None is made.
        """
        self._refuse_gone()
        with told(self.name), self.engine.connect() as connection:
            if self.file is None:
                connection.execution_options(isolation_level="REPEATABLE READ")
            else:
                self._own(connection)
            yield connection

    @contextmanager
    def writing(self, *, create: bool = False) -> Iterator[sa.Connection]:
        """A transaction that no other writer is in; it is on the disk when the block is left.

        Args:
            create: whether a SQLite file is made if there is none.

        Raises:
            RecordError: as everywhere; and if there is none and none is to be made.
        """
        if not create:
            self._refuse_gone()
        with told(self.name):
            if self.file is not None:
                if create:
                    self._make_file()
                before = _identity(self.file)
                with self.engine.execution_options(clearance_writes=True).begin() as connection:
                    self._own(connection)
                    yield connection
                if _identity(self.file) != before:  # what was written is in a file without a name
                    raise RecordError(
                        f"The record {self.name} was taken away or replaced while it was written "
                        "to; what was to be written is not in it."
                    )
                return
            with self.engine.begin() as connection:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAIT}s'")
                connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
                yield connection

    def make(self, connection: sa.Connection) -> None:
        """Makes the table, in a transaction of `writing`."""
        if self.file is None:
            encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
            if encoding != "UTF8":
                raise RecordError(
                    f"The database {self.name} stores text as {encoding}; make one with UTF8."
                )
        else:
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.exec_driver_sql(f"PRAGMA user_version = {USER_VERSION}")
        for statement in POSTGRESQL if self.file is None else SQLITE:
            connection.exec_driver_sql(statement)

    def _refuse_gone(self) -> None:
        """Refuses a SQLite file that is not there: SQLite itself would begin an empty one."""
        if self.file is not None and not self.there:
            raise RecordError(
                f"The record {self.name} is gone: there is no such file, or it is empty. Nothing "
                "is read or written until it is put back; a copy or a backup of it will do."
            )

    def _make_file(self) -> None:
        """Makes an empty file if there is none: no connection does, as one that reads must not."""
        assert self.file is not None  # noqa: S101 - asked before
        try:
            os.close(os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))
        except OSError as error:
            raise RecordError(
                f"The record {self.name} can't be used ({error.strerror})."
            ) from error

    def _own(self, connection: sa.Connection) -> None:
        """Refuses a SQLite file of something else; an empty one is nobody's yet."""
        found = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
        if found != APPLICATION_ID and (
            found or connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1").first()
        ):
            raise RecordError(f"{self.name} is a database of something else; name another file.")


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _url(place: str | Path) -> sa.URL:
    if not is_url(place):
        file = record_file(Path(place))
        return sa.URL.create("sqlite", database=os.path.abspath(file))  # noqa: PTH100 - keeps links
    try:
        url = sa.make_url(str(place))
    except (sa.exc.ArgumentError, ValueError):
        raise RecordError("The record's URL can't be read; see docs/record.md.") from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        if not url.database or url.database == ":memory:" or url.query:
            raise RecordError("A record's sqlite:/// URL must name a file, and nothing else.")
        return sa.URL.create("sqlite", database=os.path.abspath(record_file(Path(url.database))))  # noqa: PTH100
    if backend not in ("postgresql", "postgres"):
        raise RecordError(
            f"A record can't lie in {backend}; give a file, or a URL that begins with "
            "postgresql://."
        )
    return url.set(drivername="postgresql+psycopg")


def _sqlite(url: sa.URL) -> sa.Engine:
    # Read and write, even to read: what a writer left that was killed is rolled back by whoever
    # comes next. But never make a file.
    place = f"file://{quote(os.fsencode(str(url.database)))}?mode=rw"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            place, timeout=READ_WAIT, isolation_level=None, check_same_thread=False, uri=True
        )

    engine = sa.create_engine(url, poolclass=sa.NullPool, creator=connect)

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        # Altered text that is not UTF-8 is compared and told of like any other.
        connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        # Truncated and flushed, a rollback journal leaves one file that holds everything; of a
        # write-ahead log, one changed byte would drop all commits behind it.
        for pragma in (
            "synchronous = FULL",
            "fullfsync = ON",
            "trusted_schema = OFF",
            "cell_size_check = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("clearance_writes"):
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {1000 * WAIT}")
            connection.exec_driver_sql("PRAGMA journal_mode = TRUNCATE")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("PRAGMA query_only = ON")
            connection.exec_driver_sql("BEGIN")

    return engine


def _postgresql(url: sa.URL) -> sa.Engine:
    try:
        return sa.create_engine(url, poolclass=sa.NullPool)
    except ModuleNotFoundError as error:
        raise RecordError(
            "A record in PostgreSQL needs psycopg, which is not installed; install it: "
            "pip install 'clearance[postgresql]'"
        ) from error


@contextmanager
def told(name: str) -> Iterator[None]:
    """Turns what a database says of itself into one sentence.

    Raises:
        RecordError: instead of any error of SQLAlchemy, its drivers, or text that is none.
    """
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error, UnicodeError) as error:
        raise RecordError(f"The record {name} can't be used ({driver_said(error)}).") from error


def driver_said(error: BaseException) -> str:
    """Half a sentence on an error of a database: SQLite's own words, or ours of PostgreSQL's."""
    own = getattr(error, "orig", None) or error
    if type(own).__module__.partition(".")[0] == "psycopg":
        return server_said(own)
    lines = str(own).strip().splitlines()
    return lines[0] if lines else type(own).__name__
