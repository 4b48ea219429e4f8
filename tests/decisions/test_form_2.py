"""Records of form 1 go on being read, verified and added to; what form 2 brought is stored."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from decision_samples import APPROVAL, BASIS, DOCUMENT, REVIEW, some_record
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.core.errors import RecordError
from pipeline.core.records import Band
from pipeline.decisions.audit import sign_checkpoint, verify
from pipeline.decisions.canonical_json import canonical_bytes, parse_canonical
from pipeline.decisions.checkpoints import make_key, public_file, public_key
from pipeline.decisions.database import EVENTS, Database
from pipeline.decisions.event_rows import row_of
from pipeline.decisions.events import Choice, Comment, Event, EventKind, Opened
from pipeline.decisions.export import Format, write_export
from pipeline.decisions.form_2 import Upgraded
from pipeline.decisions.hash_chain import chain_hash
from pipeline.decisions.record import Record
from pipeline.decisions.selection import FolderSelection, WorkSelection
from pipeline.decisions.state import State

FORM_1 = Path(__file__).parent / "data" / "form_1"
"""A record that the code of 29 November 2026 (commit 8f64662) wrote, with a checkpoint over it."""

HEAD = "4012838b84bf840cc20ac1c77b6cc76d88d1599906fc1146f01ca39ddd3ea55d"
WORKS, FOLDER = WorkSelection.of(["PIC-003"]), FolderSelection.of(["pictures"])


def keys(folder: Path):
    return [public_key(folder / "key.pub")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FORM_1, tmp_path / "record"))


@pytest.fixture
def form_1_place(request: pytest.FixtureRequest, place: str, folder: Path) -> str:
    """The record of form 1 in either database, event by event as it was stored."""
    if "postgresql" not in place:
        shutil.copy(folder / "record.sqlite", place)
        return place
    database = Database(place)
    with closing(sqlite3.connect(folder / "record.sqlite")) as stored:
        stored.row_factory = sqlite3.Row
        rows = [dict(row) for row in stored.execute("SELECT * FROM clearance_events ORDER BY seq")]
    with database.writing() as connection:
        database.create_table(connection)
        connection.execute(EVENTS.insert(), rows)
    return place


def test_a_record_of_form_1_is_read_and_verified(form_1_place):
    record = Record.open(form_1_place)
    events = list(record.events())
    assert [event.form for event in events] == [1] * 12
    assert record.head.hash == HEAD
    checkpoints = FORM_1 / "record.checkpoints.jsonl"
    verified = verify(form_1_place, checkpoints=checkpoints, keys=keys(FORM_1))
    assert (verified.whole, verified.events, verified.covered) == (True, 12, 12)
    assert verified.notes == ()
    items = record.items()
    [suppressed] = items.suppressions()
    assert suppressed.work_id == "PIC-003"
    assert suppressed.by == ("Anna Berg", "Bob Yılmaz")
    assert record.rules.second_person == (Band.ESCALATE, Band.REVIEW)
    assert {state.state for state in map(items.state, items)} >= {State.SUPPRESSED, State.AGREED}


def test_a_record_of_form_1_stays_one_while_nothing_newer_is_written(form_1_place):
    record = Record.open(form_1_place)
    before = list(record.events())
    decided = record.decide("Anna Berg", REVIEW, Choice.NO_ISSUE)
    record.undo("Anna Berg", decided.event_id, "too soon")
    assert [event.form for event in record.events(after=12)] == [1, 1]
    assert list(record.events())[:12] == before
    assert verify(form_1_place).whole


def test_a_record_of_form_1_goes_over_to_form_2_by_an_event(form_1_place, tmp_path):
    record = Record.open(form_1_place)
    before = list(record.events())
    rule = record.add_rule("Anna Berg", WORKS, FOLDER, "ours")
    events = list(record.events())
    assert events[:12] == before  # hashes too: nothing was written anew
    assert [str(event.kind) for event in events[12:]] == ["upgraded", "rule"]
    assert isinstance(events[12].payload, Upgraded)
    assert len(events[12].payload.salt) == 64
    assert [event.form for event in events[12:]] == [2, 2]
    record.agree("Bob Yılmaz", rule.event_id)
    record.decide("Anna Berg", REVIEW, Choice.NO_ISSUE, reason="x")
    assert [event.form for event in record.events(after=14)] == [2, 2]
    checkpoints = shutil.copy(FORM_1 / "record.checkpoints.jsonl", tmp_path / "seen.jsonl")
    make_key(tmp_path / "next")
    sign_checkpoint(form_1_place, tmp_path / "next", Path(checkpoints), keys(FORM_1))
    both = [*keys(FORM_1), public_key(public_file(tmp_path / "next"))]
    verified = verify(form_1_place, checkpoints=Path(checkpoints), keys=both)
    assert (verified.whole, verified.checkpoints, verified.covered) == (True, 2, 16)


def put(place: str | Path, *events: Event) -> None:
    with Database(place).writing() as connection:
        for event in events:
            connection.execute(EVENTS.insert(), row_of(event))


def test_an_event_of_form_1_after_form_2_is_found(form_1_place):
    record = Record.open(form_1_place)
    record.add_rule("Anna Berg", WORKS, FOLDER, "ours")
    head = record.head
    put(form_1_place, Event(15, "f" * 32, head.time, "eve", Comment(BASIS.item, "x"), head.hash, 1))
    verified = verify(form_1_place)
    assert verified.first_bad == 15
    assert "of form 1, and the record was at form 2" in verified.faults[0]
    with pytest.raises(RecordError, match="of form 1, and the record was at form 2"):
        list(record.events())


@pytest.mark.parametrize("how", ["without an upgrade", "a second upgrade", "upgraded in form 1"])
def test_only_one_upgrade_changes_the_form(folder, how):
    record = Record.open(folder)
    if how == "a second upgrade":
        record.add_rule("Anna Berg", WORKS, FOLDER, "ours")
    head = record.head
    payload = Comment(BASIS.item, "x") if how == "without an upgrade" else Upgraded("0" * 64)
    form = 1 if how == "upgraded in form 1" else 2
    put(folder, Event(head.seq + 1, "f" * 32, head.time, "eve", payload, head.hash, form))
    assert verify(folder).first_bad == head.seq + 1
    with pytest.raises(RecordError, match="was altered"):
        list(Record.open(folder).events())


@pytest.mark.parametrize("seq", [1, 7, 12, 13, 14, 15])
@pytest.mark.parametrize("column", ["actor", "kind", "body", "previous", "hash", "time"])
def test_a_changed_byte_is_found_before_and_after_the_upgrade(folder, seq, column):
    record = Record.open(folder)
    record.agree("Bob", record.add_rule("Anna Berg", WORKS, FOLDER, "ours").event_id)
    with closing(sqlite3.connect(folder / "record.sqlite")) as database:
        [sql] = database.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'clearance_events_no_update'"
        ).fetchone()
        query = f"SELECT CAST({column} AS BLOB) FROM clearance_events WHERE seq = ?"  # noqa: S608
        value = bytearray(database.execute(query, (seq,)).fetchone()[0])
        value[len(value) // 2] ^= 1
        database.execute("DROP TRIGGER clearance_events_no_update")
        cast = "CAST(? AS BLOB)" if column == "body" else "CAST(? AS TEXT)"
        change = f"UPDATE clearance_events SET {column} = {cast} WHERE seq = ?"  # noqa: S608
        database.execute(change, (bytes(value), seq))
        database.execute(sql)
        database.commit()
    verified = verify(folder)
    assert (verified.whole, verified.first_bad) == (False, seq)


def with_form(event: Event, form: object) -> dict[str, object]:
    """The columns of an event whose body says another form, hashed as it should be."""
    body = canonical_bytes({**parse_canonical(event.body), "form": form})
    return {**row_of(event), "body": body, "hash": chain_hash(event.previous, body)}


@pytest.mark.parametrize("form", [3, 99, "x", None, True])
def test_an_unknown_form_is_one_sentence_that_says_so(place, form):
    record = Record.open(place, create=True)
    head = record.head
    event = Event(2, "f" * 32, head.time, "anna", Comment(BASIS.item, "x"), head.hash)
    with record.database.writing() as connection:
        connection.execute(EVENTS.insert(), with_form(event, form))
    sentence = "Event 2 of the record is of form .*, which this version does not know: a newer "
    for attempt in (
        lambda: list(record.events()),
        lambda: record.head,
        lambda: record.comment("anna", BASIS.item, "y"),
    ):
        with pytest.raises(RecordError, match=sentence):
            attempt()
    verified = verify(place)
    assert (verified.whole, verified.newer, verified.first_bad) == (False, True, 2)
    done = CliRunner().invoke(app, ["audit", "verify", place])
    assert done.exit_code == 2
    assert "Verify it with that version" in done.output
    assert "Restore" not in done.output


def test_an_unknown_form_of_the_first_event_too(tmp_path):
    record = Record.open(tmp_path, create=True)
    file = tmp_path / "record.sqlite"
    row = with_form(record.head, 3)
    with closing(sqlite3.connect(file)) as database:
        database.execute("DROP TRIGGER clearance_events_no_update")
        database.execute("UPDATE clearance_events SET body = :body, hash = :hash", row)
        database.commit()
    with pytest.raises(RecordError, match="of form 3, which this version does not know"):
        Record.open(tmp_path)


def test_a_new_record_begins_in_form_2_with_a_salt_of_its_own(tmp_path):
    opened = [Record.open(tmp_path / f"{n}.sqlite", create=True).head for n in range(2)]
    salts = {one.payload.salt for one in opened if isinstance(one.payload, Opened)}
    assert len(salts) == 2
    assert all(one.form == 2 for one in opened)


def test_approvals_and_attachments_are_stored_and_read(place):
    record = Record.open(place, create=True)
    approval = record.approve("dora", APPROVAL)
    document = record.attach("dora", replace(DOCUMENT, event_id=approval.event_id))
    of_item = record.attach("dora", replace(DOCUMENT, item=BASIS.item))
    record.attach("dora", DOCUMENT)  # of the record
    standings = record.items().standings
    [stored] = standings.approvals
    assert stored.payload == replace(APPROVAL, persons=2)
    assert stored.status("2030-06-01") == "waiting"
    record.agree("bob", approval.event_id)
    record.revoke("bob", document.event_id, "another version")
    standings = record.standings()
    [stored] = standings.approvals
    assert stored.status("2030-06-01") == "active"
    assert stored.status("2031-01-03") == "expired"
    assert [one.status("2030-06-01") for one in standings.attachments] == [
        "revoked", "active", "active",
    ]  # fmt: skip
    assert of_item in record.item(BASIS.item).events
    assert record.item(BASIS.item).state is State.OPEN
    assert verify(place).kinds["attachment"] == 3


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"assets": (), "folders": ()}, "an approval of no asset"),
        ({"approved_by_party": " "}, "who gave it"),
        ({"given_for": ""}, "what for"),
        ({"until": "2030-13-01"}, "is no day"),
        ({"until": "2029-01-01"}, "can't end on"),
        ({"documents": ("x",)}, "64 hex digits"),
        ({"given_on": {"a": 1.5}}, "'float'|no attribute"),
        ({"folders": ("../x",)}, "no folder"),
    ],
)
def test_an_approval_that_lacks_something_is_refused(tmp_path, change, sentence):
    record = Record.open(tmp_path, create=True)
    if "given_on" in change:
        with pytest.raises((RecordError, AttributeError)):
            record.approve("dora", replace(APPROVAL, **change))
    else:
        with pytest.raises(RecordError, match=sentence):
            record.approve("dora", replace(APPROVAL, **change))
    assert record.head.seq == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"sha256": "A" * 64}, "64 hex digits"),
        ({"size": -1}, "number of bytes"),
        ({"size": True}, "number of bytes"),
        ({"media_type": "pdf"}, "media type"),
        ({"name": ""}, "name of its file"),
        ({"event_id": "f" * 32}, "no event"),
        ({"event_id": "f" * 32, "item": BASIS.item}, "not to both"),
    ],
)
def test_an_attachment_that_is_none_is_refused(tmp_path, change, sentence):
    record = Record.open(tmp_path, create=True)
    with pytest.raises(RecordError, match=sentence):
        record.attach("dora", replace(DOCUMENT, **change))
    assert record.head.seq == 1


def test_exports_show_what_form_2_brought(folder, tmp_path):
    record = Record.open(folder)
    rule = record.add_rule("Anna Berg", WORKS, FOLDER, "our own <series>", until="2999-01-31")
    record.agree("Bob Yılmaz", rule.event_id, "so it is")
    approval = record.approve("dora", APPROVAL)
    record.attach("dora", replace(DOCUMENT, event_id=approval.event_id))
    record.revoke("carol", rule.event_id, "sold in May")
    verified = verify(folder)
    for form in Format:
        assert write_export(record, verified, tmp_path / f"e.{form}", form) == 18
    page = (tmp_path / "e.html").read_text(encoding="utf-8")
    for words in (
        "our own &lt;series&gt;", "until 2999-01-31", "PIC-003", "pictures", "so it is",
        "sold in May", "A Buyer, J. Roe", "the second season", "approval.pdf", "GA-17",
        "Rule 14", "2 people must agree", "event 14<",
    ):  # fmt: skip
        assert words in page, words
    table = (tmp_path / "e.csv").read_text(encoding="utf-8-sig")
    assert "our own <series>" in table
    assert "sold in May" in table


def test_every_kind_has_a_payload_that_is_read_back(tmp_path):
    events = list(some_record(tmp_path).events())
    assert {event.kind for event in events} == {*EventKind} - {EventKind.UPGRADED}
    for event in events:
        assert Event.of_body(event.body, event.previous) == event
        spoiled = parse_canonical(event.body)
        spoiled["payload"] = {**spoiled["payload"], "more": 1}
        with pytest.raises(ValueError, match="more than an event"):
            Event.of_body(canonical_bytes(spoiled), event.previous)
