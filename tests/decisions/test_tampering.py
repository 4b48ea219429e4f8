"""Tampering: any change of the record or its checkpoints is detected and located."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from decision_samples import BASIS, EVENTS, some_record
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import RecordError
from pipeline.decisions.audit import sign_checkpoint, verify
from pipeline.decisions.checkpoints import make_key, public_file, public_key
from pipeline.decisions.database import SQLITE
from pipeline.decisions.event_rows import row_of
from pipeline.decisions.events import Choice, Event
from pipeline.decisions.record import Record

pytestmark = pytest.mark.slow

COLUMNS = (
    "seq", "event_id", "time", "actor", "kind", "asset", "work_id", "body", "previous", "hash",
)  # fmt: skip
TRIGGERS = ("no_update", "no_delete", "in_order")

quick = settings(
    max_examples=80,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a record, a key and one checkpoint over all of it."""
    folder = tmp_path_factory.mktemp("kept")
    some_record(folder)
    make_key(folder / "key")
    sign_checkpoint(folder, folder / "key")
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return copied(original, tmp_path / "record")


def copied(original: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(original, to))


def change(folder: Path, *statements: str, values: tuple[object, ...] = ()) -> None:
    """As somebody would who knows of the triggers, and puts them back."""
    with closing(sqlite3.connect(folder / "record.sqlite")) as database:
        for name in TRIGGERS:
            database.execute(f"DROP TRIGGER clearance_events_{name}")
        for statement in statements:
            database.execute(statement, values)
        for trigger in SQLITE[3:]:
            database.execute(trigger)
        database.commit()


def checked(folder: Path, *, keyed: bool = False):
    keys = [public_key(public_file(folder / "key"))] if keyed else []
    return verify(folder, keys=keys)


def flipped(value: object, chance: st.DataObject) -> object:
    """The value with one byte changed."""
    if isinstance(value, int):
        return value ^ (1 << chance.draw(st.integers(0, 40)))
    raw = bytearray(value if isinstance(value, bytes) else str(value).encode())
    raw[chance.draw(st.integers(0, len(raw) - 1))] ^= chance.draw(st.integers(1, 255))
    return bytes(raw)


def test_untouched_it_is_whole(folder):
    verification = checked(folder, keyed=True)
    assert verification.whole
    assert (verification.events, verification.covered, verification.notes) == (EVENTS, EVENTS, ())
    assert "not covered by a verified checkpoint" in checked(folder).notes[-1]


@quick
@given(st.data(), st.integers(1, EVENTS), st.sampled_from(COLUMNS))
def test_a_changed_byte_of_any_column_is_found(original, tmp_path, chance, seq, column):
    folder = copied(original, tmp_path / "record")
    with closing(sqlite3.connect(folder / "record.sqlite")) as database:
        query = f"SELECT {column} FROM clearance_events WHERE seq = ?"
        [value] = database.execute(query, (seq,)).fetchone()
    new = "x" if value is None else flipped(value, chance)
    # A cast to text keeps the bytes, whether or not they are UTF-8.
    cast = f"CAST(:new AS {'TEXT' if isinstance(value, str | None) else 'BLOB'})"
    if column == "seq":
        cast = ":new"
        assume(not 1 <= int(new) <= EVENTS)  # two can't have one number
    change(
        folder,
        f"UPDATE clearance_events SET {column} = {cast} WHERE seq = :seq",
        values={"new": new, "seq": seq},  # type: ignore[arg-type]
    )
    verification = checked(folder)
    assert not verification.whole
    assert verification.first_bad == (1 if column == "seq" and new < 1 else seq), (
        verification.faults
    )


@quick
@given(st.integers(1, EVENTS), st.sampled_from(COLUMNS))
def test_a_column_of_another_type_is_found(original, tmp_path, seq, column):
    folder = copied(original, tmp_path / "record")
    if column == "seq":
        return
    to = "TEXT" if column == "body" else "BLOB"
    change(
        folder,
        f"UPDATE clearance_events SET {column} = CAST(coalesce({column}, '') AS {to}) "
        f"WHERE seq = {seq}",
    )
    assert checked(folder).first_bad == seq


@quick
@given(st.integers(1, EVENTS - 1), st.integers(1, EVENTS - 1))
def test_removed_and_reordered_events_are_named(original, tmp_path, one, other):
    folder = copied(original, tmp_path / "record")
    change(folder, f"DELETE FROM clearance_events WHERE seq = {one}")
    verification = checked(folder)
    assert verification.first_bad == one
    assert "removed" in verification.faults[0]

    folder = copied(original, tmp_path / "record")
    change(
        folder,
        f"DELETE FROM clearance_events WHERE seq = {one}",
        f"UPDATE clearance_events SET seq = -seq WHERE seq > {one}",
        "UPDATE clearance_events SET seq = -seq - 1 WHERE seq < 0",
    )
    assert checked(folder).first_bad == one  # though the others moved up

    if one != other:
        folder = copied(original, tmp_path / "record")
        change(
            folder,
            f"UPDATE clearance_events SET seq = 1000 WHERE seq = {one}",
            f"UPDATE clearance_events SET seq = {one} WHERE seq = {other}",
            f"UPDATE clearance_events SET seq = {other} WHERE seq = 1000",
        )
        verification = checked(folder)
        assert verification.first_bad == min(one, other)
        assert "reordered" in verification.faults[0]


def put_in(folder: Path, event: Event) -> None:
    row = row_of(event)
    change(
        folder,
        f"INSERT INTO clearance_events VALUES ({', '.join(f':{name}' for name in COLUMNS)})",
        values=row,  # type: ignore[arg-type]
    )


def test_an_inserted_event_is_found(folder):
    events = list(Record.open(folder).events())
    forged = Event(5, "f" * 32, events[4].time, "mallory", events[4].payload, events[3].hash)
    change(folder, "UPDATE clearance_events SET seq = -seq - 1 WHERE seq >= 5",
           "UPDATE clearance_events SET seq = -seq WHERE seq < 0")  # fmt: skip
    put_in(folder, forged)
    verification = checked(folder)
    assert verification.first_bad == 6
    assert verification.events == 5


def test_a_cut_off_end_is_found_only_by_a_checkpoint(folder):
    for cut in (EVENTS, 8):
        change(folder, f"DELETE FROM clearance_events WHERE seq >= {cut}")
        without = checked(folder)
        assert without.whole  # a chain can't know how long it was
        assert f"{cut - 1} are not covered by a verified checkpoint" in without.notes[-1]
        verification = checked(folder, keyed=True)
        assert not verification.whole
        assert verification.first_bad == cut
        assert "cut off" in verification.faults[0]


def test_a_rewritten_end_is_found_by_a_checkpoint(folder):
    events = list(Record.open(folder).events())
    change(folder, "DELETE FROM clearance_events WHERE seq >= 9")
    record = Record.open(folder)
    for _ in range(9, EVENTS + 3):
        record.decide("anna", BASIS, Choice.NO_ISSUE, reason="never said otherwise")
    assert checked(folder).whole
    verification = checked(folder, keyed=True)
    assert not verification.whole
    assert "written anew" in verification.faults[0]
    assert verification.first_bad == 1  # the only checkpoint covers them all
    assert events[-1].hash != record.head.hash


def test_checkpoints_locate_the_first_bad_event(folder):
    record = Record.open(folder)
    record.comment("anna", BASIS.item, "later")
    sign_checkpoint(folder, folder / "key")
    assert checked(folder, keyed=True).covered == EVENTS + 1
    change(folder, f"DELETE FROM clearance_events WHERE seq = {EVENTS + 1}")
    record.comment("anna", BASIS.item, "never said")
    verification = checked(folder, keyed=True)
    assert verification.first_bad == EVENTS + 1
    assert verification.covered == EVENTS
    with pytest.raises(RecordError, match="Nothing was signed"):
        sign_checkpoint(folder, folder / "key")


def test_a_changed_byte_of_the_checkpoints_is_found(folder):
    Record.open(folder).comment("anna", BASIS.item, "later")
    sign_checkpoint(folder, folder / "key")
    file = folder / "record.checkpoints.jsonl"
    data = file.read_bytes()
    chance = random.Random(3)
    for at in range(0, len(data), 2):
        broken = bytearray(data)
        broken[at] ^= chance.randint(1, 255)
        file.write_bytes(broken)
        assert not checked(folder, keyed=True).whole, at
    lines = data.splitlines(keepends=True)
    for wrong in (lines[1], lines[1] + lines[0], lines[0] * 2, data[:-1], b""):
        file.write_bytes(wrong)
        assert not checked(folder, keyed=True).whole
    file.unlink()
    assert not checked(folder, keyed=True).whole


def test_another_key_is_not_trusted(folder):
    make_key(folder / "other")
    (folder / "record.checkpoints.jsonl").unlink()
    sign_checkpoint(folder, folder / "other")
    verification = checked(folder, keyed=True)
    assert "another key" in verification.faults[0]
    assert verification.covered == 0


def test_a_key_that_replaced_another(folder):
    make_key(folder / "next")
    with pytest.raises(RecordError, match="another key"):
        sign_checkpoint(folder, folder / "next")
    old = public_key(public_file(folder / "key"))
    sign_checkpoint(folder, folder / "next", keys=[old])
    both = [old, public_key(public_file(folder / "next"))]
    assert verify(folder, keys=both).checkpoints == 2


def test_keys_are_readable_only_by_their_owner(tmp_path, folder):
    key = tmp_path / "key"
    make_key(key)
    assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(RecordError, match="overwritten"):
        make_key(key)
    key.chmod(0o640)
    with pytest.raises(RecordError, match="chmod"):
        sign_checkpoint(folder, key)


def test_the_schema_is_compared(folder):
    with closing(sqlite3.connect(folder / "record.sqlite")) as database:
        database.execute("DROP TRIGGER clearance_events_no_delete")
    assert "clearance_events_no_delete" in checked(folder).faults[0]


HOLD_NOTHING = {*range(24, 28), *range(32, 44), *range(48, 52), *range(92, 100)}
"""Header bytes that hold no content of the record (pipeline/decisions/sqlite_file.py)."""


def in_use(data: bytes) -> set[int]:
    """Places of all bytes of a SQLite file that are not free space of some page.

    Of a B-tree page: its header, its cell pointers, and the cells' area less the free blocks.
    https://www.sqlite.org/fileformat2.html#b_tree_pages
    """
    size = int.from_bytes(data[16:18], "big")
    used: set[int] = set()
    for start in range(0, len(data), size):
        head = start + (100 if start == 0 else 0)
        if data[head] not in (2, 5, 10, 13):
            used |= set(range(start, start + size))  # overflow
            continue
        length = 12 if data[head] in (2, 5) else 8
        cells = int.from_bytes(data[head + 3 : head + 5], "big")
        content = int.from_bytes(data[head + 5 : head + 7], "big") or 65536
        used |= set(range(start, head + length + 2 * cells))
        used |= set(range(start + content, start + size))
        free = int.from_bytes(data[head + 1 : head + 3], "big")
        while free:
            at = start + free
            used -= set(range(at, at + int.from_bytes(data[at + 2 : at + 4], "big")))
            free = int.from_bytes(data[at : at + 2], "big")
    return used


def test_no_changed_byte_of_the_file_changes_what_it_says_unseen(folder):
    file = folder / "record.sqlite"
    data = file.read_bytes()
    used = in_use(data) - HOLD_NOTHING
    events = list(Record.open(folder).events())
    chance = random.Random(11)
    chosen = sorted({*range(100), *chance.sample(sorted(used), 500),
                     *chance.sample(range(len(data)), 300)})  # fmt: skip
    missed = []
    for at in chosen:
        broken = bytearray(data)
        broken[at] ^= chance.randint(1, 255)
        file.write_bytes(broken)
        if checked(folder).whole:
            assert list(Record.open(folder).events()) == events, at
            if at in used:
                missed.append(at)
        for left in folder.glob("record.sqlite-*"):
            left.unlink()
    assert not missed


def test_in_postgresql_too(postgresql_place, tmp_path):
    record = some_record(postgresql_place)
    make_key(tmp_path / "key")
    sign_checkpoint(postgresql_place, tmp_path / "key", tmp_path / "seen.jsonl")
    keys = [public_key(public_file(tmp_path / "key"))]

    def verified_after(*statements: str):
        """The result of `verify` after these statements, which are reverted afterwards."""
        with record.database.engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE copy_of_events AS SELECT * FROM clearance_events"
            )
            connection.exec_driver_sql("ALTER TABLE clearance_events DISABLE TRIGGER USER")
            for statement in statements:
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql("ALTER TABLE clearance_events ENABLE TRIGGER USER")
        verification = verify(postgresql_place, checkpoints=tmp_path / "seen.jsonl", keys=keys)
        with record.database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE clearance_events DISABLE TRIGGER USER")
            connection.exec_driver_sql("DELETE FROM clearance_events")
            connection.exec_driver_sql("INSERT INTO clearance_events SELECT * FROM copy_of_events")
            connection.exec_driver_sql("ALTER TABLE clearance_events ENABLE TRIGGER USER")
            connection.exec_driver_sql("DROP TABLE copy_of_events")
        return verification

    assert verified_after().whole
    for column in COLUMNS[1:]:
        change_it = f"overlay({column} placing 'x' from 2)"
        if column == "body":
            change_it = "set_byte(body, 40, get_byte(body, 40) # 1)"
        if column in ("asset", "work_id"):
            change_it = f"coalesce({column}, '') || 'x'"
        statement = f"UPDATE clearance_events SET {column} = {change_it} WHERE seq = 6"
        assert verified_after(statement).first_bad == 6, column
    assert verified_after("DELETE FROM clearance_events WHERE seq = 5").first_bad == 5
    cut = verified_after("DELETE FROM clearance_events WHERE seq > 9")
    assert (cut.first_bad, cut.events) == (10, 9)
    with record.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE clearance_events DISABLE TRIGGER USER")
    assert "switched off" in verify(postgresql_place).faults[0]
