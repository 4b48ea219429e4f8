"""Integrity checks of a record's SQLite file: its header, schema and pages.

`PRAGMA integrity_check` does not look at 32 of the header's 100 bytes (user version, application
id, the reserved bytes and others), so the header is compared here. Bytes without meaning for the
record are not checked: free space within pages and free pages, the counters of the header (bytes 24
to 27 and 92 to 99), the schema cookie (40 to 43) and the suggested cache size (48 to 51).
"""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

from pipeline.decisions.database import APPLICATION_ID, SQLITE, USER_VERSION, sa

_HEADER = struct.Struct(">16sHBBBBBB12I20sII")
"""The first 100 bytes: https://www.sqlite.org/fileformat2.html#the_database_header"""


def header_faults(file: Path) -> list[str]:
    """Sentences on what is wrong with the header of the file.

    Raises:
        OSError: if it can't be read.
    """
    with file.open("rb") as opened:
        data = opened.read(_HEADER.size)
    if len(data) < _HEADER.size:
        return ["The file is too short to be a record."]
    (
        magic, page, written, read, reserved, largest, least, leaf, _changes, pages, _free_at,
        _free, _cookie, form, _cache, root, encoding, user, vacuum, application, expansion, _for,
        _version,
    ) = _HEADER.unpack(data)  # fmt: skip
    page = 65536 if page == 1 else page
    expected = {
        "the mark of SQLite": magic == b"SQLite format 3\x00",
        "the form of its journal": (written, read) == (1, 1),
        "reserved space": reserved == 0,
        "the shares of a page": (largest, least, leaf) == (64, 32, 32),
        "its size": pages * page == file.stat().st_size,
        "the form of its schema": form == 4,
        "its vacuum settings": (root, vacuum) == (0, 0),
        "the encoding of text": encoding == 1,
        "the version of the record": user == USER_VERSION,
        "the mark of a record": application == APPLICATION_ID,
        "the space for later": not any(expansion),
    }
    return [
        f"The file's header was altered: {what}." for what, intact in expected.items() if not intact
    ]


def content_faults(connection: sa.Connection) -> list[str]:
    """Sentences on what is wrong with the schema and the pages in use."""
    faults = []
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    schema = [tuple(row) for row in connection.exec_driver_sql(query)]
    with closing(sqlite3.connect(":memory:")) as fresh:
        for statement in SQLITE:
            fresh.execute(statement)
        expected = fresh.execute(query).fetchall()
    if schema != expected:
        wrong = [row for row in (*schema, *expected) if (row in schema) != (row in expected)]
        names = ", ".join(sorted({str(row[1]) for row in wrong})) or "its order"
        faults.append(f"The schema was altered: {names}.")
    messages = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check(3)")]
    if messages != ["ok"]:
        damage = "; ".join(line for one in messages for line in str(one).splitlines() if line)
        faults.append(f"The file is damaged: {damage}.")
    return faults
