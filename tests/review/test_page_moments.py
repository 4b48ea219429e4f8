"""What changes between a question and its answer: somebody decides, or may not any more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from page_samples import ANNA, BOB, DORA, HOST, Office, rows, write_run
from row_samples import RUN, flagged_row

from pipeline.core.records import Band
from pipeline.decisions.events import Choice, Rules
from pipeline.decisions.record import Record
from pipeline.review.access.sessions import Access, Role
from pipeline.review.app import create_app
from pipeline.review.desk import Desk
from pipeline.review.queue.filters import Filters

REVIEW = "b/c/two.png"
ESCALATE = "b/dog.png"
LAWYER = "a lawyer by name"


def meanwhile(office: Office, monkeypatch, act) -> None:
    """Does something once, after a page's request was looked at and before it is written."""
    opened, done = office.desk.opened, []

    def open_later():
        record = opened()
        if not done:
            done.append(True)
            act(record)
        return record

    monkeypatch.setattr(office.desk, "opened", open_later)


def basis(office: Office, path: str):
    return office.desk.basis(office.desk.row(office.number(path)))


def test_a_reviewer_cant_contest_a_false_match_of_the_same_instant(office, monkeypatch):
    def agree(record: Record) -> None:
        record.decide("Dora Vance", basis(office, REVIEW), Choice.FALSE_MATCH, reason="not it")

    meanwhile(office, monkeypatch, agree)
    given = {**office.on(REVIEW), "choice": "no_issue", "reason": "r"}
    answer = office.browser(ANNA).post("/decide", given)
    assert answer.status_code == 403
    assert "approver" in answer.json()["error"]
    assert office.state(REVIEW) == "suppressed"


def test_a_reviewer_cant_take_back_a_false_match_of_the_same_instant(office, monkeypatch):
    desk = office.desk
    desk.opened().set_rules("dora", Rules(second_person=(Band.REVIEW,)))
    given = {**office.on(REVIEW), "choice": "false_match", "reason": "not it"}
    first = office.browser(ANNA).post("/decide", given).json()
    undo = desk.record.undo

    def agree_and_undo(*args, **options):
        other = Record.open(office.out)
        other.decide("bob", basis(office, REVIEW), Choice.FALSE_MATCH, reason="not it")
        return undo(*args, **options)

    monkeypatch.setattr(desk.record, "undo", agree_and_undo)
    taken = {**office.on(REVIEW), "of": first["event_id"], "reason": "no"}
    assert office.browser(ANNA).post("/undo", taken).status_code == 403
    assert office.state(REVIEW) == "suppressed"


@pytest.mark.parametrize("path", ["/decide", "/assign", "/comment", "/bulk"])
def test_who_is_demoted_meanwhile_writes_nothing(office, monkeypatch, tmp_path, path):
    pytest.importorskip("argon2")
    from page_samples import Browser

    from pipeline.review.access.people import set_person

    file = tmp_path / "people.json"
    set_person(file, "Dora Vance", Role.APPROVER, "correct horse battery")
    office.access = Access(people=file, hosts=frozenset({HOST}))
    office.app = create_app(office.desk, office.access)
    cookie = office.access.by_password("Dora Vance", "correct horse battery")
    client = office.client()
    client.cookies.set(office.access.cookie, cookie)
    browser = Browser(client, office.access.session(cookie).csrf)
    said = {"query": "band=review", "choice": "no_issue", "reason": "r"}
    given = {
        "/decide": {**office.on(REVIEW), "choice": "no_issue"},
        "/assign": {**office.on(REVIEW), "assignee": "bob"},
        "/comment": {**office.on(REVIEW), "text": "seen"},
        "/bulk": {**said, "bulk_id": "b" * 32},
    }[path]
    if path == "/bulk":
        given["preview"] = browser.post("/bulk/preview", said).json()["preview"]

    def demote(_: Record) -> None:
        set_person(file, "Dora Vance", Role.READER, "correct horse battery")

    meanwhile(office, monkeypatch, demote)
    assert browser.post(path, given).status_code == (409 if path == "/bulk" else 401)
    assert [event.seq for event in Record.open(office.out).events()] == [1]


@pytest.mark.parametrize("how", ["decided", "two persons"])
def test_bulk_passes_over_what_is_not_as_it_was_shown(office, monkeypatch, how):
    def act(record: Record) -> None:
        if how == "decided":
            record.decide("bob", basis(office, REVIEW), Choice.REPLACE)
        else:
            record.set_rules("bob", Rules(second_person=(Band.REVIEW, Band.ESCALATE)))

    said = {"query": "band=review", "choice": "no_issue", "reason": "r"}
    browser = office.browser(DORA)
    shown = browser.post("/bulk/preview", said).json()
    meanwhile(office, monkeypatch, act)
    given = {**said, "preview": shown["preview"], "bulk_id": "b" * 32}
    done = browser.post("/bulk", given).json()
    passed_over = 1 if how == "decided" else shown["decided"]
    assert done == {
        "written": shown["decided"] - passed_over,
        "passed_over": passed_over,
        "stopped": "",
    }
    assert office.state(REVIEW) == ("agreed" if how == "decided" else "open")
    mine = [e for e in office.desk.opened().events() if e.actor == "Dora Vance" and e.item]
    assert len(mine) == shown["decided"] - passed_over


def test_a_bulk_decision_that_stops_half_way_writes_nothing(office, monkeypatch):
    said = {"query": "band=review", "choice": "no_issue", "reason": "r"}
    browser = office.browser(DORA)
    shown = browser.post("/bulk/preview", said).json()
    assert shown["decided"] == 3
    given = {**said, "preview": shown["preview"], "bulk_id": "b" * 32}
    asked = iter([True, True, False])
    session = office.access.session

    def signed_out_at_the_third(cookie):
        import inspect

        within = any(frame.function == "check" for frame in inspect.stack()[1:3])
        return None if within and not next(asked) else session(cookie)

    monkeypatch.setattr(office.access, "session", signed_out_at_the_third)
    stopped = browser.post("/bulk", given, as_json=False)
    assert stopped.status_code == 409
    assert "None of these decisions is in the record." in stopped.text
    assert [event.seq for event in Record.open(office.out).events()] == [1]
    monkeypatch.undo()
    # Sent again, all of it is written, and once.
    for status in (200, 409):
        assert browser.post("/bulk", given).status_code == status
        assert [event.seq for event in Record.open(office.out).events()] == [1, 2, 3, 4]


def test_a_first_decision_does_not_tell_by_whom_it_calls(office):
    given = {**office.on(ESCALATE), "choice": "escalate_to_legal", "reason": "r"}
    office.browser(ANNA).post("/decide", {**given, "assignee": LAWYER})
    row = office.desk.row(office.number(ESCALATE))
    for person in (BOB, DORA):
        browser = office.browser(person)
        for place in ("/", f"/item/{office.number(ESCALATE)}", f"/?q={ESCALATE}"):
            assert LAWYER not in browser.get(place).text, place
        assert office.desk.sees(row, person).assignee == ""
    assert office.desk.page(Filters(assignee=LAWYER)).total == 0
    office.browser(BOB).post("/decide", given)
    assert office.desk.page(Filters(assignee=LAWYER)).total == 1


def test_a_first_decision_stays_sealed_under_a_later_first_one(office, tmp_path):
    """Anna decided on another band; the first decision on this one is Bob's, and Dora sees none."""
    given = {**office.on(ESCALATE), "choice": "replace", "reason": "because-of-the-whiskers"}
    office.browser(ANNA).post("/decide", given)
    office.desk.opened().set_rules("dora", Rules(second_person=(Band.REVIEW, Band.ESCALATE)))
    place = next(n for n, row in enumerate(rows()) if row.asset.asset_path == ESCALATE)
    moved = rows()
    moved[place] = flagged_row(ESCALATE, 4.5, band=Band.REVIEW, asset_id="1" * 64)
    desk = Desk(write_run(tmp_path / "later", moved), office.out)
    row = desk.row(desk.number_of(ESCALATE))
    desk.opened().decide("bob", desk.basis(row), Choice.REPLACE, reason="mine")
    assert "whiskers" not in repr(desk.sees(row, DORA))
    assert "mine" not in repr(desk.sees(row, ANNA))
    assert "whiskers" in repr(desk.sees(row, ANNA))


def test_a_decision_on_a_rows_other_work_says_nothing_of_the_row_in_any_run(office, tmp_path):
    given = {**office.on("b/cat.png", "w2"), "choice": "no_issue", "reason": "looked"}
    assert office.browser(ANNA).post("/decide", given).status_code == 200
    later = replace(RUN, run_id="20310101T000000Z-00000000")
    row = {**office.desk.row(office.number("b/cat.png")), "run_id": later.run_id}
    assert str(office.desk.items().of_row(row).state) == "open"


@pytest.mark.parametrize("how", ["another", "an earlier state", "gone"])
def test_a_record_that_another_took_the_place_of_is_said_to_be(office, how):
    def decide(choice: str) -> int:
        given = {**office.on(REVIEW), "choice": choice, "reason": "r"}
        return office.browser(ANNA).post("/decide", given).status_code

    file = office.out / "record.sqlite"
    assert decide("no_issue") == 200
    kept = file.read_bytes()
    assert decide("replace") == 200
    if how == "an earlier state":
        file.write_bytes(kept)
    else:
        file.unlink()
    if how == "another":
        for text in ("one", "two", "three", "four"):
            Record.open(office.out, create=True).comment("eve", basis(office, REVIEW).item, text)
    answer = office.browser(ANNA).get("/")
    assert answer.status_code == 409
    assert "record" in answer.text
    assert decide("replace") == 409
