"""What a run takes from a record, in either database, and when it takes nothing."""

from __future__ import annotations

import pytest
from decision_samples import EVENTS, REVIEW, some_record

from pipeline.core.errors import RecordError
from pipeline.decisions.events import Choice
from pipeline.screening.recorded import NO_RECORD, RecordUse, read_record, record_if_sound


def test_what_was_read_is_reported_and_stays_valid_as_the_record_grows(place):
    assert record_if_sound(place, None) == NO_RECORD
    record = some_record(place)
    record_use = record_if_sound(place, None)
    assert (record_use.use, record_use.name, record_use.events) == (
        RecordUse.READ,
        record.name,
        EVENTS,
    )
    assert record_use.head == record.head.hash
    assert [one.work_id for one in record_use.suppressions] == ["w1"]
    record.decide("carol", REVIEW, Choice.FALSE_MATCH, reason="nor I")
    later = record_if_sound(place, {"record": record_use.to_json()})
    assert (later.use, later.events, later.why) == (RecordUse.READ, EVENTS + 1, "")
    assert later.suppressions[0].by == ("anna", "bob", "carol")


@pytest.mark.parametrize("change", [{"events": EVENTS + 1}, {"head": "0" * 64}])
def test_a_record_without_events_read_before_is_not_used(place, change):
    some_record(place)
    stored_use = {**read_record(place).to_json(), **change}
    record_use = record_if_sound(place, {"record": stored_use})
    assert (record_use.use, record_use.suppressions) == (RecordUse.UNUSABLE, ())
    assert "lacks events that the run before saw" in record_use.why
    # Reported once: a run that could not use the record does not store what it contained.
    assert record_if_sound(place, {"record": record_use.to_json()}).use is RecordUse.READ


def test_what_was_read_before_is_kept_while_the_record_cannot_be_read(tmp_path):
    some_record(tmp_path)
    file = tmp_path / "record.sqlite"
    stored_use = {**read_record(tmp_path).to_json(), "events": EVENTS + 1}
    record_bytes = file.read_bytes()
    file.write_bytes(b"junk" * 1000)
    record_use = record_if_sound(tmp_path, {"record": stored_use})
    assert record_use.to_json() == {**stored_use, "state": "unusable"}
    file.write_bytes(record_bytes)
    assert "lacks events" in record_if_sound(tmp_path, {"record": record_use.to_json()}).why
    file.unlink()
    assert "is not there" in record_if_sound(tmp_path, {"record": record_use.to_json()}).why


def test_another_record_is_used_and_reported(place):
    some_record(place)
    stored_use = {**read_record(place).to_json(), "record": "f" * 32}
    record_use = record_if_sound(place, {"record": stored_use})
    assert record_use.use is RecordUse.READ
    assert "is another one than the run before read" in record_use.why


def test_a_record_that_is_gone_was_there(tmp_path):
    some_record(tmp_path)
    manifest = {"record": read_record(tmp_path).to_json()}
    (tmp_path / "record.sqlite").unlink()
    assert record_if_sound(tmp_path, manifest).use is RecordUse.UNUSABLE
    assert record_if_sound(tmp_path, {"record": NO_RECORD.to_json()}) == NO_RECORD
    assert record_if_sound(tmp_path, {"run_id": "of an earlier release"}) == NO_RECORD
    (tmp_path / "record.sqlite").touch()  # a first writer was killed
    assert record_if_sound(tmp_path, None) == NO_RECORD


def test_a_server_that_is_not_there_is_a_sentence_without_the_password():
    pytest.importorskip("psycopg")
    place = "postgresql://anna:hunter2@127.0.0.1:1/clearance?connect_timeout=2"
    record_use = record_if_sound(place, None)
    assert record_use.use is RecordUse.UNUSABLE
    assert "hunter2" not in record_use.why
    with pytest.raises(RecordError):
        read_record(place)


def test_a_link_to_nowhere_is_no_missing_record(tmp_path):
    (tmp_path / "record.sqlite").symlink_to(tmp_path / "nowhere")
    assert record_if_sound(tmp_path, None).use is RecordUse.UNUSABLE
