"""What changes between a question and its answer: somebody decides, or may not any more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from page_samples import ANNA, BOB, DORA, HOST, ReviewSite, rows, write_run
from row_samples import RUN, flagged_row

from pipeline.core.records import Band
from pipeline.decisions.events import Choice, Rules
from pipeline.decisions.record import Record
from pipeline.review.access.sessions import Access, Role
from pipeline.review.app import create_app
from pipeline.review.queue.filters import Filters
from pipeline.review.review_session import ReviewSession

REVIEW = "b/c/two.png"
ESCALATE = "b/dog.png"
LAWYER = "a lawyer by name"


def meanwhile(site: ReviewSite, monkeypatch, act) -> None:
    """Does something once, after a page's request was looked at and before it is written."""
    opened, done = site.review.opened, []

    def open_later():
        record = opened()
        if not done:
            done.append(True)
            act(record)
        return record

    monkeypatch.setattr(site.review, "opened", open_later)


def basis(site: ReviewSite, path: str):
    return site.review.basis(site.review.row(site.number(path)))


def test_a_reviewer_cant_contest_a_false_match_of_the_same_instant(site, monkeypatch):
    def agree(record: Record) -> None:
        record.decide("Dora Vance", basis(site, REVIEW), Choice.FALSE_MATCH, reason="not it")

    meanwhile(site, monkeypatch, agree)
    payload = {**site.on(REVIEW), "choice": "no_issue", "reason": "r"}
    answer = site.browser(ANNA).post("/decide", payload)
    assert answer.status_code == 403
    assert "approver" in answer.json()["error"]
    assert site.state(REVIEW) == "suppressed"


def test_a_reviewer_cant_take_back_a_false_match_of_the_same_instant(site, monkeypatch):
    review = site.review
    review.opened().set_rules("dora", Rules(second_person=(Band.REVIEW,)))
    payload = {**site.on(REVIEW), "choice": "false_match", "reason": "not it"}
    first = site.browser(ANNA).post("/decide", payload).json()
    undo = review.record.undo

    def agree_and_undo(*args, **options):
        other = Record.open(site.out)
        other.decide("bob", basis(site, REVIEW), Choice.FALSE_MATCH, reason="not it")
        return undo(*args, **options)

    monkeypatch.setattr(review.record, "undo", agree_and_undo)
    taken = {**site.on(REVIEW), "of": first["event_id"], "reason": "no"}
    assert site.browser(ANNA).post("/undo", taken).status_code == 403
    assert site.state(REVIEW) == "suppressed"


@pytest.mark.parametrize("path", ["/decide", "/assign", "/comment", "/bulk"])
def test_a_person_demoted_meanwhile_writes_nothing(site, monkeypatch, tmp_path, path):
    pytest.importorskip("argon2")
    from page_samples import Browser

    from pipeline.review.access.people import set_person

    file = tmp_path / "people.json"
    set_person(file, "Dora Vance", Role.APPROVER, "correct horse battery")
    site.access = Access(people=file, hosts=frozenset({HOST}))
    site.app = create_app(site.review, site.access)
    cookie = site.access.by_password("Dora Vance", "correct horse battery")
    client = site.client()
    client.cookies.set(site.access.cookie, cookie)
    browser = Browser(client, site.access.session(cookie).csrf)
    selection = {"query": "band=review", "choice": "no_issue", "reason": "r"}
    payload = {
        "/decide": {**site.on(REVIEW), "choice": "no_issue"},
        "/assign": {**site.on(REVIEW), "assignee": "bob"},
        "/comment": {**site.on(REVIEW), "text": "seen"},
        "/bulk": {**selection, "bulk_id": "b" * 32},
    }[path]
    if path == "/bulk":
        payload["preview"] = browser.post("/bulk/preview", selection).json()["preview"]

    def demote(_: Record) -> None:
        set_person(file, "Dora Vance", Role.READER, "correct horse battery")

    meanwhile(site, monkeypatch, demote)
    assert browser.post(path, payload).status_code == (409 if path == "/bulk" else 401)
    assert [event.seq for event in Record.open(site.out).events()] == [1]


@pytest.mark.parametrize("how", ["decided", "two persons"])
def test_bulk_passes_over_what_is_not_as_it_was_shown(site, monkeypatch, how):
    def act(record: Record) -> None:
        if how == "decided":
            record.decide("bob", basis(site, REVIEW), Choice.REPLACE)
        else:
            record.set_rules("bob", Rules(second_person=(Band.REVIEW, Band.ESCALATE)))

    selection = {"query": "band=review", "choice": "no_issue", "reason": "r"}
    browser = site.browser(DORA)
    preview = browser.post("/bulk/preview", selection).json()
    meanwhile(site, monkeypatch, act)
    payload = {**selection, "preview": preview["preview"], "bulk_id": "b" * 32}
    done = browser.post("/bulk", payload).json()
    passed_over = 1 if how == "decided" else preview["decided"]
    assert done == {
        "written": preview["decided"] - passed_over,
        "passed_over": passed_over,
        "stopped": "",
    }
    assert site.state(REVIEW) == ("agreed" if how == "decided" else "open")
    dora_events = [e for e in site.review.opened().events() if e.actor == "Dora Vance" and e.item]
    assert len(dora_events) == preview["decided"] - passed_over


def test_a_bulk_decision_that_stops_half_way_writes_nothing(site, monkeypatch):
    selection = {"query": "band=review", "choice": "no_issue", "reason": "r"}
    browser = site.browser(DORA)
    preview = browser.post("/bulk/preview", selection).json()
    assert preview["decided"] == 3
    payload = {**selection, "preview": preview["preview"], "bulk_id": "b" * 32}
    sessions_valid = iter([True, True, False])
    session = site.access.session

    def signed_out_at_the_third(cookie):
        import inspect

        within = any(frame.function == "check_session" for frame in inspect.stack()[1:3])
        return None if within and not next(sessions_valid) else session(cookie)

    monkeypatch.setattr(site.access, "session", signed_out_at_the_third)
    stopped = browser.post("/bulk", payload, as_json=False)
    assert stopped.status_code == 409
    assert "None of these decisions is in the record." in stopped.text
    assert [event.seq for event in Record.open(site.out).events()] == [1]
    monkeypatch.undo()
    # Sent again, all of it is written, and once.
    for status in (200, 409):
        assert browser.post("/bulk", payload).status_code == status
        assert [event.seq for event in Record.open(site.out).events()] == [1, 2, 3, 4]


def test_a_first_decisions_assignee_is_sealed(site):
    payload = {**site.on(ESCALATE), "choice": "escalate_to_legal", "reason": "r"}
    site.browser(ANNA).post("/decide", {**payload, "assignee": LAWYER})
    row = site.review.row(site.number(ESCALATE))
    for person in (BOB, DORA):
        browser = site.browser(person)
        for place in ("/", f"/item/{site.number(ESCALATE)}", f"/?q={ESCALATE}"):
            assert LAWYER not in browser.get(place).text, place
        assert site.review.visibility(row, person).assignee == ""
    assert site.review.page(Filters(assignee=LAWYER)).total == 0
    site.browser(BOB).post("/decide", payload)
    assert site.review.page(Filters(assignee=LAWYER)).total == 1


def test_a_first_decision_stays_sealed_under_a_later_first_one(site, tmp_path):
    """Anna decided on another band; the first decision on this one is Bob's, and Dora sees none."""
    payload = {**site.on(ESCALATE), "choice": "replace", "reason": "because-of-the-whiskers"}
    site.browser(ANNA).post("/decide", payload)
    site.review.opened().set_rules("dora", Rules(second_person=(Band.REVIEW, Band.ESCALATE)))
    place = next(n for n, row in enumerate(rows()) if row.asset.asset_path == ESCALATE)
    moved = rows()
    moved[place] = flagged_row(ESCALATE, 4.5, band=Band.REVIEW, asset_id="1" * 64)
    review = ReviewSession(write_run(tmp_path / "later", moved), site.out)
    row = review.row(review.number_of(ESCALATE))
    review.opened().decide("bob", review.basis(row), Choice.REPLACE, reason="mine")
    assert "whiskers" not in repr(review.visibility(row, DORA))
    assert "mine" not in repr(review.visibility(row, ANNA))
    assert "whiskers" in repr(review.visibility(row, ANNA))


def test_a_decision_on_a_rows_other_work_leaves_the_row_open_in_any_run(site, tmp_path):
    payload = {**site.on("b/cat.png", "w2"), "choice": "no_issue", "reason": "looked"}
    assert site.browser(ANNA).post("/decide", payload).status_code == 200
    later = replace(RUN, run_id="20310101T000000Z-00000000")
    row = {**site.review.row(site.number("b/cat.png")), "run_id": later.run_id}
    assert str(site.review.items().of_row(row).state) == "open"


@pytest.mark.parametrize("how", ["another", "an earlier state", "gone"])
def test_a_record_that_was_replaced_is_reported(site, how):
    def decide(choice: str) -> int:
        payload = {**site.on(REVIEW), "choice": choice, "reason": "r"}
        return site.browser(ANNA).post("/decide", payload).status_code

    file = site.out / "record.sqlite"
    assert decide("no_issue") == 200
    first_state = file.read_bytes()
    assert decide("replace") == 200
    if how == "an earlier state":
        file.write_bytes(first_state)
    else:
        file.unlink()
    if how == "another":
        for text in ("one", "two", "three", "four"):
            Record.open(site.out, create=True).comment("eve", basis(site, REVIEW).item, text)
    answer = site.browser(ANNA).get("/")
    assert answer.status_code == 409
    assert "record" in answer.text
    assert decide("replace") == 409
