"""The record: what it accepts, what it refuses, and that no event is lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from decision_samples import BASIS, EVENTS, REVIEW, basis, some_record

from pipeline.core.errors import RecordError
from pipeline.core.records import Band
from pipeline.decisions.audit import verify
from pipeline.decisions.basis import Item
from pipeline.decisions.canonical_json import canonical_bytes, parse_canonical
from pipeline.decisions.events import Choice, EventKind, Rules
from pipeline.decisions.record import PassedOverError, Record
from pipeline.decisions.state import ItemState
from pipeline.decisions.texts import folded_name, same_person

ROOT = Path(__file__).resolve().parents[2]


def test_events_are_read_as_they_were_written(place):
    record = some_record(place)
    again = Record.open(place)
    events = list(again.events())
    assert again.name == record.name
    assert [event.seq for event in events] == list(range(1, EVENTS + 1))
    assert {event.kind for event in events} == {*EventKind} - {EventKind.UPGRADED}
    assert all(b.previous == a.hash for a, b in pairwise(events))
    assert list(again.events(after=4)) == events[4:]
    assert again.head == events[-1]
    assert again.rules == Rules(second_person=(Band.ESCALATE, Band.REVIEW))
    decided = events[1].payload
    assert decided.basis == BASIS
    assert decided.basis.risk == 0.9312
    assert verify(place).whole


def test_a_reason_is_wanted_where_the_rules_say_so(place):
    record = Record.open(place, create=True)
    for band in (Band.ESCALATE, Band.NOT_SCREENED, Band.PARTLY_SCREENED):
        with pytest.raises(RecordError, match="needs a reason"):
            record.decide("anna", basis(1, band), Choice.NO_ISSUE, reason=" \n")
    with pytest.raises(RecordError, match="needs a reason"):
        record.decide("anna", REVIEW, Choice.FALSE_MATCH)
    record.decide("anna", REVIEW, Choice.NO_ISSUE)
    record.set_rules("anna", Rules(reason_in=(Band.REVIEW,)))
    with pytest.raises(RecordError, match="needs a reason"):
        record.decide("anna", REVIEW, Choice.NO_ISSUE)
    record.decide("anna", BASIS, Choice.NO_ISSUE)
    assert len(list(record.events())) == 4


def test_a_check_is_called_at_the_moment_of_writing(place):
    record, other = Record.open(place, create=True), Record.open(place)
    other.decide("bob", REVIEW, Choice.REPLACE)
    checked = []

    def refuse(state: ItemState, payload) -> None:
        checked.append((str(state.state), type(payload).__name__))
        raise PermissionError

    first = other.head
    for attempt in (
        lambda: record.decide("anna", REVIEW, Choice.NO_ISSUE, check=refuse),
        lambda: record.undo("anna", first.event_id, "why", check=refuse),
        lambda: record.assign("anna", REVIEW.item, "bob", check=refuse),
        lambda: record.comment("anna", REVIEW.item, "x", check=refuse),
    ):
        with pytest.raises(PermissionError):
            attempt()
    assert checked == [
        ("agreed", payload_type) for payload_type in ("Decision", "Undo", "Assignment", "Comment")
    ]
    assert other.head == first
    # An event that is already recorded is returned without a check.
    same = other.decide("bob", REVIEW, Choice.REPLACE, event_id=first.event_id, check=refuse)
    assert same == first


def test_of_many_at_one_instant_the_check_lets_one_through(place):
    Record.open(place, create=True)
    start = threading.Barrier(8)
    refused = []

    def first_only(state: ItemState, _: object) -> None:
        if state.decisions:
            raise PermissionError

    def decide(number: int) -> None:
        record = Record.open(place)
        start.wait()
        try:
            record.decide(f"p{number}", REVIEW, Choice.REPLACE, check=first_only)
        except PermissionError:
            refused.append(number)

    people = [threading.Thread(target=decide, args=(number,)) for number in range(8)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    assert len(refused) == 7
    assert Record.open(place).head.seq == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna Berg", "anna  BERG"),
        ("Anna", "\uff21nna"),
        ("Strasse", "Straße"),
        ("José", "Jose\u0301"),
        ("\u1fb3\u0345", "\u03b1\u0345\u0345"),
        ("Anna Berg", "Anna\u00a0Berg"),
    ],
)
def test_one_person_under_two_spellings_is_one(one, other):
    assert same_person(one, other)
    assert folded_name(folded_name(one)) == folded_name(one)


@pytest.mark.parametrize(
    "mark", ["\u034f", "\u3164", "\uffa0", "\ufe0f", "\u115f", "\u2800", "\u180b"]
)
def test_a_name_holds_nothing_that_cant_be_seen(tmp_path, mark):
    with pytest.raises(RecordError, match="can't be seen"):
        Record.open(tmp_path, create=True).comment(f"anna{mark}", BASIS.item, "words")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\u200bb", "a\u202eb", "x" * 201])
def test_who_does_it_is_a_name_that_can_be_seen(tmp_path, name):
    record = Record.open(tmp_path, create=True)
    with pytest.raises(RecordError):
        record.comment(name, BASIS.item, "words")


def test_what_cannot_be_done_is_refused(place):
    record = Record.open(place, create=True)
    first = record.decide("anna", BASIS, Choice.NO_ISSUE, reason="ours")
    for attempt in (
        lambda: record.undo("anna", "f" * 32, "why"),
        lambda: record.undo("anna", record.comment("anna", BASIS.item, "x").event_id, "why"),
        lambda: record.undo("anna", first.event_id, ""),
        lambda: record.undo("bob", first.event_id, "not seen yet"),
        lambda: record.comment("anna", BASIS.item, ""),
        lambda: record.comment("anna", BASIS.item, "\ud800"),
        lambda: record.comment("anna", BASIS.item, "nul \x00"),
        lambda: record.comment("anna", BASIS.item, "x", event_id="with space"),
        lambda: record.decide(
            "anna", basis(1).__class__.of_json({**BASIS.to_json(), "work_id": None}),
            Choice.FALSE_MATCH, reason="x",
        ),
    ):  # fmt: skip
        with pytest.raises(RecordError):
            attempt()
    record.undo("anna", first.event_id, "mistaken")
    with pytest.raises(RecordError, match="already"):
        record.undo("anna", first.event_id, "again")
    assert verify(place).whole


def test_the_same_name_is_written_once(place):
    record = Record.open(place, create=True)
    one = record.decide("anna", REVIEW, Choice.REPLACE, event_id="request-0001")
    assert record.decide("anna", REVIEW, Choice.REPLACE, event_id="request-0001") == one
    with pytest.raises(RecordError, match="Another event"):
        record.decide("anna", REVIEW, Choice.NO_ISSUE, event_id="request-0001")
    undo = record.undo("anna", one.event_id, "no", event_id="request-0002")
    assert record.undo("anna", one.event_id, "no", event_id="request-0002") == undo
    with pytest.raises(RecordError, match="Another event"):
        record.undo("anna", one.event_id, "for another reason", event_id="request-0002")
    assert record.head.seq == 3


def test_rows_are_not_changed_by_mistake(place):
    record = some_record(place)
    for statement in (
        "UPDATE clearance_events SET actor = 'x' WHERE seq = 3",
        "DELETE FROM clearance_events WHERE seq = 16",
    ):
        with (
            pytest.raises(RecordError, match="append-only"),
            record.database.writing() as connection,
        ):
            connection.exec_driver_sql(statement)
    assert verify(place).whole


def test_where_a_record_is_stored(tmp_path):
    scans = tmp_path / "scan"
    results = scans / "history" / "20300101T000000Z-00000000"
    results.mkdir(parents=True)
    (scans / "state.sqlite").touch()
    (scans / "latest").symlink_to(Path("history") / results.name)
    for folder in (scans, results, scans / "latest"):
        assert Record.open(folder, create=True).database.file == scans / "record.sqlite"
    with pytest.raises(RecordError, match="a scan deletes"):
        Record.open(results / "mine.sqlite", create=True)
    with pytest.raises(RecordError, match="no record"):
        Record.open(tmp_path)
    with pytest.raises(RecordError, match="mysql"):
        Record.open("mysql://host/db")
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as other:
        other.execute("CREATE TABLE t (x)")
    with pytest.raises(RecordError, match="something else"):
        Record.open(tmp_path / "other.sqlite", create=True)


def test_errors_do_not_contain_the_password():
    with pytest.raises(RecordError) as caught:
        Record.open("postgresql://me:hunter2@127.0.0.1:1/db?connect_timeout=1")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://anna:hunter2@/db?host={folder}",
        "postgresql:///db?host={folder}&password=hunter2",
        "postgresql://anna:hunter2@127.0.0.1:1/db?passfile={folder}&connect_timeout=1",
        "postgresql://anna:hunter2@127.0.0.1:1/db?sslmode=verify-full&sslrootcert={folder}",
        "postgresql://anna:hunter2@127.0.0.1:1/db?nonsense=hunter2",
    ],
)
def test_a_server_s_errors_contain_no_path_and_no_secret(tmp_path, url):
    with pytest.raises(RecordError) as caught:
        Record.open(url.format(folder=tmp_path))
    message = str(caught.value)
    assert message.startswith("The record postgresql://")
    assert message.count("\n") == 0
    for secret in ("hunter2", "anna", str(tmp_path), tmp_path.name, "socket", "%2F", "psycopg"):
        assert secret not in message


def test_the_error_of_a_reachable_server_says_what_it_refuses(postgresql, postgresql_place):
    wrong = postgresql.replace("/postgres?", "/nothing?")
    with pytest.raises(RecordError, match="no such database on its server") as caught:
        Record.open(wrong)
    assert "host=" not in str(caught.value)
    record = Record.open(postgresql_place, create=True)
    assert record.database.name == "postgresql:///postgres"
    with record.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE clearance_events")
    with pytest.raises(RecordError, match="its table of events is not there"):
        list(record.events())


@pytest.mark.parametrize("name", ["a b?c#d%20.sqlite", "ü.sqlite", "\udcff.sqlite"])
def test_a_record_may_have_any_name(tmp_path, name):
    record = Record.open(tmp_path / name, create=True)
    record.comment("anna", BASIS.item, "words")
    assert [file.name for file in tmp_path.iterdir() if file.stat().st_size] == [name]
    assert verify(tmp_path / name).whole


def test_without_the_extra_one_sentence_says_so(tmp_path):
    code = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from pipeline.cli import main; sys.argv = ['clearance', 'audit', 'verify', 'x']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install '.[review]'" in done.stderr


def test_canonical_json_is_one_form_only():
    value = {"€": '\u2028\x7f\x1f"\\/', "\ud83d\ude00": 1, "\ufb33": [True, None, -5], "a": ""}
    data = canonical_bytes({"a": "", "€": value["€"], "😀": 1, "\ufb33": [True, None, -5]})
    # RFC 8785, 3.2.3: by UTF-16 units, so the surrogates of the face sort before U+FB33.
    assert data.decode() == (
        '{"a":"","€":"\u2028\x7f\\u001f\\"\\\\/","😀":1,"\ufb33":[true,null,-5]}'
    )
    assert canonical_bytes(parse_canonical(data)) == data
    for wrong in (b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b"1.0", b"NaN", b'"\\u0061"',
                  b"\xff", b"9007199254740992", b"[" * 5000, b"-0"):  # fmt: skip
        with pytest.raises(ValueError):  # noqa: PT011 - json's own errors are such
            parse_canonical(wrong)
    for wrong_value in (0.5, {1: 2}, {"a": b""}, "\ud800", 2**53):
        with pytest.raises(ValueError):  # noqa: PT011
            canonical_bytes(wrong_value)


def _decide_many(place: str, who: int, number: int, out: object) -> None:
    record = Record.open(place, create=True)
    out.put(
        [
            record.decide(f"person {who}", basis(who * 1000 + n), Choice.NO_ISSUE).event_id
            for n in range(number)
        ]
    )


@pytest.mark.slow
def test_a_thousand_concurrent_decisions_lose_none(place):
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    people = [context.Process(target=_decide_many, args=(place, n, 250, out)) for n in range(4)]
    for one in people:
        one.start()
    acknowledged = [name for _ in people for name in out.get(timeout=600)]
    for one in people:
        one.join(timeout=30)
        assert one.exitcode == 0
    verification = verify(place)
    assert verification.whole, verification.faults
    assert verification.kinds == {"opened": 1, "decision": 1000}
    recorded = {event.event_id for event in Record.open(place).events()}
    assert len(acknowledged) == 1000
    assert set(acknowledged) <= recorded


WRITER = """
import sys
from pipeline.core.records import Band
from pipeline.decisions.basis import Basis
from pipeline.decisions.events import Choice
from pipeline.decisions.record import Record
record = Record.open(sys.argv[1], create=True)
basis = Basis("a" * 64, "x.png", "w", 1, "d" * 64, "c" * 64, 0.5, Band.REVIEW, "run")
print("ready", flush=True)
while True:
    print(record.decide(sys.argv[2], basis, Choice.REPLACE, note="n" * 3000).event_id, flush=True)
"""


def test_a_killed_writer_loses_nothing_acknowledged(place, tmp_path):
    chance = random.Random(5)
    acknowledged: list[str] = []
    for _ in range(2):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, place, f"writer {n}"],
                stdout=subprocess.PIPE, text=True, cwd=ROOT,
            )
            for n in range(2)
        ]  # fmt: skip
        for one in writers:
            assert one.stdout.readline() == "ready\n"
        time.sleep(0.15 + chance.random() * 0.4)
        for one in writers:
            os.kill(one.pid, signal.SIGKILL)
        for one in writers:
            event_ids = one.stdout.read().split("\n")[:-1]  # a truncated line does not count
            acknowledged += event_ids
            one.stdout.close()
            one.wait()
        verification = verify(place)
        assert verification.whole, verification.faults
    recorded = [event.event_id for event in Record.open(place).events()]
    assert len(acknowledged) > 10
    assert set(acknowledged) <= set(recorded)
    assert Record.open(place).decide("after", BASIS, Choice.REPLACE, reason="on it goes")


BULK = """
import sys
from pipeline.core.records import Band
from pipeline.decisions.basis import Basis
from pipeline.decisions.events import Choice
from pipeline.decisions.record import Record
record = Record.open(sys.argv[1], create=True)
bases = {
    f"event-{n:05}": Basis(
        f"{n:064x}", "x.png", "w", 1, "d" * 64, "c" * 64, 0.5, Band.REVIEW, "run"
    )
    for n in range(3000)
}
checked = []
def check(state, decision):
    checked.append(decision)
    if len(checked) == 1500:
        print("half", flush=True)
record.decide_all("dora", bases, Choice.NO_ISSUE, check=check)
"""


def test_many_decisions_at_once_are_all_there_or_none(place):
    with subprocess.Popen(
        [sys.executable, "-c", BULK, place], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as writer:
        assert writer.stdout.readline() == "half\n"
        writer.kill()
    verification = verify(place)
    assert verification.whole, verification.faults
    assert verification.kinds == {"opened": 1}
    record = Record.open(place)
    bases = {f"event-{n:05}": basis(n) for n in range(20)}

    def not_the_third(state: ItemState, decision: object) -> None:
        if decision.basis == basis(2):
            raise PassedOverError

    done = record.decide_all("dora", bases, Choice.NO_ISSUE, reason="r", check=not_the_third)
    assert [event.event_id for event in done] == [name for name in bases if name != "event-00002"]
    assert record.decide_all("dora", bases, Choice.NO_ISSUE, reason="r", check=not_the_third)
    with pytest.raises(RecordError, match="Another event has the name"):
        record.decide_all("dora", {"event-new": basis(50), **bases}, Choice.REPLACE, reason="r")
    assert verify(place).kinds == {"opened": 1, "decision": 19}


def test_an_item_is_an_asset_with_a_work():
    assert Item.of("a" * 64, "x", "w") == Item.of("a" * 64, "y", "w")
    assert Item.of(None, "x", None) == Item("path:x", None)
