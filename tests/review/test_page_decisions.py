"""Deciding, the second person, taking back, suppressing, bulk: what is written and who sees it."""

from __future__ import annotations

import json
import re

import pytest
from page_samples import ANNA, BOB, DORA, HOSTILE, READER, ReviewSite, hidden, rows, write_run

from pipeline.core.records import Band
from pipeline.decisions.events import Choice, EventKind
from pipeline.decisions.record import Record
from pipeline.review.access.sessions import Person, Role
from pipeline.review.queue.filters import Filters
from pipeline.review.review_session import ReviewSession
from pipeline.review.routes import bulk

REVIEW = "b/c/two.png"
ESCALATE = "b/dog.png"
WHISKERS = "because-of-the-whiskers"


def decide(site, person, path, choice="no_issue", **fields):
    answer = site.browser(person).post(
        "/decide", {**site.on(path), "choice": choice, "reason": "looked", **fields}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def undo(site, person, path, of, reason="too soon", **fields):
    return site.browser(person).post(
        "/undo", {**site.on(path), "of": of, "reason": reason, **fields}
    )


def test_a_decision_is_an_event_with_its_evidence(site):
    assert site.review.record is None
    row = site.review.row(site.number(REVIEW))
    decision = decide(site, ANNA, REVIEW, "needs_licence", note="n", assignee="legal")
    assert decision["state"] == "agreed"
    event = Record.open(site.out).head
    assert event.actor == "Anna Berg"
    assert event.event_id == decision["event_id"]
    assert event.payload.choice is Choice.NEEDS_LICENCE
    assert (event.payload.reason, event.payload.note) == ("looked", "n")
    basis = event.payload.basis
    for name in ("asset_id", "work_id", "index_version", "config_fingerprint", "risk", "run_id"):
        assert getattr(basis, name) == row[name]
    # The same bytes at another path are the same item.
    assert site.state("copy of two.png") == "agreed"


def test_decisions_with_reasons_are_next_to_the_form_once_visible(site):
    decide(site, ANNA, ESCALATE, "needs_licence", reason=WHISKERS)
    number = site.number(ESCALATE)

    def form(person):
        html = site.browser(person).get(f"/item/{number}").text
        return re.sub(r"<[^>]+>", "", html[html.index('id="decide"') :].partition("<form")[0])

    assert WHISKERS not in form(BOB)
    decide(site, BOB, ESCALATE, "replace", reason="a tail")
    decisions = " ".join(form(READER).split())
    assert f"Needs licence by Anna Berg {WHISKERS}" in decisions
    assert f"Replace by {BOB.name} a tail" in decisions


def test_what_is_refused_makes_no_record(site):
    browser = site.browser(ANNA)
    for path, fields in (
        ("/decide", {"choice": "false_match"}),
        ("/decide", {"choice": "no_issue", "assignee": "a\u200bb"}),
        ("/assign", {"assignee": "a\u200bb"}),
        ("/comment", {"text": " "}),
    ):
        answer = browser.post(path, {**site.on(REVIEW), **fields})
        assert answer.status_code == 409, answer.text
    assert site.review.record is None
    assert not (site.out / "record.sqlite").exists()


def test_form_and_json_are_one(site):
    payload = {
        **site.on(REVIEW),
        "choice": "replace",
        "reason": "r\r\ns",
        "query": "band=review",
    }
    browser = site.browser(ANNA)
    answer = browser.post("/decide", {**payload, "then": "next"}, as_json=False)
    assert answer.status_code == 303
    same = {site.number("copy of two.png")}
    after = site.review.neighbours(site.number(REVIEW), Filters(band=("review",)), same).after
    assert answer.headers["location"].startswith(f"/item/{after}?band=review&done=")
    assert Record.open(site.out).head.payload.reason == "r\ns"
    queue = browser.get("/?" + answer.headers["location"].split("?")[1]).text
    assert "Recorded: <b>Replace</b>" in queue
    # Other users are not shown that, even with the same query in the URL.
    assert "Recorded:" not in site.browser(BOB).get(f"/?{answer.headers['location']}").text


def test_a_request_sent_twice_is_written_once(site):
    payload = {**site.on(REVIEW), "choice": "no_issue", "event_id": "a" * 32}
    first = site.browser(ANNA).post("/decide", payload).json()
    again = site.browser(ANNA).post("/decide", payload).json()
    assert first["event_id"] == again["event_id"] == "a" * 32
    assert len([e for e in site.review.opened().events() if e.kind is EventKind.DECISION]) == 1


def test_a_page_of_another_run_decides_nothing(site, tmp_path):
    item_fields = site.on(REVIEW)
    changed = [row for row in rows() if row.asset.asset_path != "a.png"]
    later = ReviewSession(write_run(tmp_path / "later", changed), tmp_path / "later")
    site.app.state.review = later
    answer = site.browser(ANNA).post("/decide", {**item_fields, "choice": "no_issue"})
    assert answer.status_code in (404, 409)
    assert later.record is None


@pytest.mark.parametrize(
    ("path", "choice"), [(ESCALATE, "no_issue"), (REVIEW, "false_match"), ("locked.png", "replace")]
)
def test_a_reason_is_wanted(site, path, choice):
    payload = {**site.on(path), "choice": choice, "reason": "  "}
    answer = site.browser(ANNA).post("/decide", payload)
    assert answer.status_code == 409
    assert "reason" in answer.json()["error"]
    assert site.state(path) == "open"


def everything(site, person):
    """Everything the page shows a person, as one text."""
    browser = site.browser(person)
    number = site.number(ESCALATE)
    pages = [
        "/",
        "/?q=dog",
        *(f"/?choice={choice}" for choice in Choice),
        "/?status=first_given",
        f"/item/{number}",
        f"/item/{number}?work=w1",
    ]
    texts = [browser.get(place).text for place in pages]
    as_json = browser.client.get("/", headers={"accept": "application/json"}).text
    visibility = site.review.visibility(site.review.row(number), person)
    return "\n".join([*texts, as_json, repr(visibility)])


@pytest.mark.parametrize("person", [READER, BOB, DORA], ids=lambda p: str(p.role))
def test_the_first_decision_is_sealed_until_the_second(site, person):
    browser = site.browser(ANNA)
    decide(site, ANNA, ESCALATE, "replace", reason=WHISKERS, note=WHISKERS)
    browser.post("/comment", {**site.on(ESCALATE), "text": WHISKERS})
    assert site.state(ESCALATE) == "first_given"
    pages = everything(site, person)
    assert WHISKERS not in pages
    assert "REPLACE" not in pages
    page = site.review.page(Filters(choice=("replace",)))
    assert page.total == 0
    assert {one.value: one.rows for one in page.choices}["replace"] == 0
    assert site.review.page(Filters(status=("first_given",))).total == 1
    visibility = site.review.visibility(site.review.row(site.number(ESCALATE)), person)
    assert visibility.sealed
    assert visibility.decided_by == ("Anna Berg",)
    # The person who gave it sees it.
    own = site.review.visibility(site.review.row(site.number(ESCALATE)), ANNA)
    assert not own.sealed
    assert own.own is not None
    assert own.choices == (Choice.REPLACE,)


def test_the_second_decision_opens_both(site):
    decide(site, ANNA, ESCALATE, "replace", reason=WHISKERS)
    assert decide(site, BOB, ESCALATE, "replace")["state"] == "agreed"
    visibility = site.review.visibility(site.review.row(site.number(ESCALATE)), READER)
    assert visibility.choices == (Choice.REPLACE,)
    assert WHISKERS in repr(visibility.events)
    assert site.review.page(Filters(choice=("replace",))).total == 1


def test_two_that_differ_are_contested(site):
    decide(site, ANNA, ESCALATE, "replace")
    assert decide(site, BOB, ESCALATE, "no_issue")["state"] == "contested"
    assert decide(site, BOB, ESCALATE, "replace")["state"] == "agreed"


def test_one_person_is_not_two(site):
    decide(site, ANNA, ESCALATE, "replace")
    again = Person("ANNA  berg", Role.APPROVER)
    assert decide(site, again, ESCALATE, "replace")["state"] == "first_given"


def test_a_first_decision_stays_sealed_when_it_is_reopened(site, tmp_path):
    decide(site, ANNA, ESCALATE, "replace", reason=WHISKERS)
    moved = rows()
    place = next(n for n, row in enumerate(moved) if row.asset.asset_path == ESCALATE)
    from row_samples import flagged_row

    moved[place] = flagged_row(ESCALATE, 4.5, band=Band.REVIEW, asset_id="1" * 64)
    review = ReviewSession(write_run(tmp_path / "later", moved), site.out)
    row = review.row(review.number_of(ESCALATE))
    assert str(review.state(row).state) == "reopened"
    visibility = review.visibility(row, BOB)
    assert visibility.sealed
    assert WHISKERS not in repr(visibility)
    assert review.page(Filters(choice=("replace",))).total == 0
    assert review.visibility(row, ANNA).choices == (Choice.REPLACE,)


def test_a_decision_is_reopened_when_the_band_moves(site, tmp_path):
    decide(site, ANNA, REVIEW, "no_issue")
    from row_samples import flagged_row

    moved = [row for row in rows() if row.asset.asset_path != REVIEW]
    moved.append(flagged_row(REVIEW, 9.0, asset_id="2" * 64))
    review = ReviewSession(write_run(tmp_path / "later", moved), site.out)
    visibility = review.visibility(review.row(review.number_of(REVIEW)), BOB)
    assert str(visibility.state) == "reopened"
    assert "Needs review" in visibility.why[0]
    assert review.page(Filters(status=("reopened",))).total == 1


def test_undoing_is_an_event(site):
    decision = decide(site, ANNA, REVIEW)
    assert undo(site, ANNA, REVIEW, decision["event_id"], reason=" ").status_code == 409
    answer = undo(site, ANNA, REVIEW, decision["event_id"])
    assert answer.json()["state"] == "open"
    kinds = [event.kind for event in site.review.opened().events()]
    assert kinds == [EventKind.OPENED, EventKind.DECISION, EventKind.UNDO]
    assert undo(site, ANNA, REVIEW, decision["event_id"]).status_code == 409


def test_only_an_approver_undoes_anothers_decision(site):
    decision = decide(site, ANNA, REVIEW)
    assert undo(site, BOB, REVIEW, decision["event_id"]).status_code == 403
    assert site.state(REVIEW) == "agreed"
    assert undo(site, DORA, REVIEW, decision["event_id"]).status_code == 200


def test_a_sealed_decision_cannot_be_undone_by_another_person(site):
    decision = decide(site, ANNA, ESCALATE)
    answer = undo(site, DORA, ESCALATE, decision["event_id"])
    assert answer.status_code == 404
    # An item's decision can't be reached through another row either.
    assert undo(site, DORA, REVIEW, decision["event_id"]).status_code == 404
    assert site.state(ESCALATE) == "first_given"


def test_only_an_approver_goes_back_on_a_false_match(site):
    decision = decide(site, ANNA, REVIEW, "false_match")
    assert decision["state"] == "suppressed"
    assert undo(site, ANNA, REVIEW, decision["event_id"]).status_code == 403
    for person in (ANNA, BOB):
        payload = {**site.on(REVIEW), "choice": "no_issue", "reason": "r"}
        answer = site.browser(person).post("/decide", payload)
        assert answer.status_code == 403
        assert "approver" in answer.json()["error"]
    assert site.review.items().suppressions()
    assert undo(site, DORA, REVIEW, decision["event_id"]).json()["state"] == "open"
    assert not site.review.items().suppressions()


def test_another_work_of_a_row_is_decided_on_its_own(site):
    decision = decide(site, ANNA, "b/cat.png", **site.on("b/cat.png", "w2"))
    assert decision["state"] == "first_given"
    assert site.state("b/cat.png") == "open"
    row = site.review.row(site.number("b/cat.png"))
    assert str(site.review.state(row, "w2").state) == "first_given"
    assert Record.open(site.out).head.payload.basis.work_id == "w2"
    payload = {**site.on("b/cat.png"), "work_id": "w9", "choice": "replace"}
    assert site.browser(ANNA).post("/decide", payload).status_code == 404


def test_assigning_and_commenting(site):
    browser = site.browser(ANNA)
    browser.post("/assign", {**site.on(REVIEW), "assignee": "bob", "note": "please"})
    browser.post("/comment", {**site.on(REVIEW), "text": "seen"})
    assert site.review.page(Filters(assignee="bob")).total == 2  # two paths of the same bytes
    assert site.state(REVIEW) == "open"
    browser.post("/assign", {**site.on(REVIEW), "assignee": ""})
    assert site.review.page(Filters(assignee="bob")).total == 0


def test_what_another_program_writes_is_seen(site):
    decide(site, ANNA, REVIEW)
    other = Record.open(site.out)
    other.decide(
        "carl",
        site.review.basis(site.review.row(site.number("faint.png"))),
        "replace",
    )
    assert site.review.page(Filters(choice=("replace",))).total == 1


def test_a_record_that_was_altered_stops_everything(site):
    import sqlite3

    decide(site, ANNA, REVIEW)
    with sqlite3.connect(site.out / "record.sqlite") as connection:
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        body = connection.execute("SELECT body FROM clearance_events WHERE seq = 2").fetchone()[0]
        connection.execute("DELETE FROM clearance_events WHERE seq = 2")
        connection.execute(
            "INSERT INTO clearance_events SELECT 3, 'x', time, actor, kind, asset, work_id, ?, "
            "previous, hash FROM clearance_events WHERE seq = 1",
            (body,),
        )
    connection.close()
    answer = site.browser(ANNA).get("/")
    assert answer.status_code == 409
    assert "audit verify" in answer.text


def test_hostile_names_are_text(site):
    browser = site.browser(DORA)
    path = f"b/c/{HOSTILE}.png"
    browser.post("/comment", {**site.on(path), "text": HOSTILE})
    decide(site, DORA, path, "replace", reason=HOSTILE, assignee=HOSTILE)
    number = site.number(path)
    done = Record.open(site.out).head.event_id
    for place in (
        "/",
        f"/item/{number}",
        f"/?done={done}&of={number}",
        "/?q=%22%3E%3Cimg%20src=x%20onerror=1%3E",
        "/?folder=%22%3E%3Cimg%20src=x%3E",
        "/bulk?q=%22%3E%3Cimg%3E",
        "/login?then=%22%3E%3Cimg%3E",
        "/nothing%22%3E%3Cimg%20src=x%3E",
    ):
        text = browser.get(place).text
        assert "<img src=x" not in text, place
        assert not re.search(r"<img(?! src=\"/(static|item)/)", text), place
    assert "&gt;&lt;img src=x onerror=alert(1)&gt;" in browser.get("/").text


FIELDS = {"choice": "no_issue", "reason": "looked through", "note": "", "assignee": ""}


def preview(site, person, query="", **fields):
    return site.browser(person).post("/bulk/preview", {"query": query, **FIELDS, **fields})


def test_bulk_shows_the_exact_count_first_and_then_does_that(site):
    decide(site, ANNA, "faint.png")
    bulk_preview = preview(site, DORA).json()
    assert site.review.record is not None
    assert bulk_preview["asked"] == len(site.review)
    left = sum(bulk_preview["left_out"].values())
    assert bulk_preview["decided"] + left == bulk_preview["asked"]
    assert bulk_preview["left_out"][bulk.TWO_PERSONS] == 2
    assert bulk_preview["left_out"][bulk.DECIDED] == 1
    assert bulk_preview["left_out"][bulk.SAME_BYTES] == 1
    before = sum(1 for _ in site.review.opened().events())
    payload = {"query": "", **FIELDS, "preview": bulk_preview["preview"], "bulk_id": "b" * 32}
    done = site.browser(DORA).post("/bulk", payload).json()
    assert done == {"written": bulk_preview["decided"], "passed_over": 0, "stopped": ""}
    events = list(site.review.opened().events())[before:]
    assert [event.payload.basis.asset_path for event in events] == bulk_preview["paths"]
    assert "in bulk" in events[0].payload.note
    assert site.state(ESCALATE) == "open"
    # Sent again, nothing is left to do, and what was shown does not hold any more.
    assert site.browser(DORA).post("/bulk", payload).status_code == 409


def test_bulk_that_is_not_what_was_shown_writes_nothing(site):
    bulk_preview = preview(site, DORA, "band=review").json()
    decide(site, ANNA, REVIEW)
    head = site.review.opened().head.seq
    payload = {
        "query": "band=review",
        **FIELDS,
        "preview": bulk_preview["preview"],
        "bulk_id": "b" * 32,
    }
    assert site.browser(DORA).post("/bulk", payload).status_code == 409
    page = site.browser(DORA).post("/bulk", payload, as_json=False)
    assert page.status_code == 409
    assert "nothing was written" in page.text
    changed = {**payload, "choice": "replace"}
    assert site.browser(DORA).post("/bulk", changed).status_code == 409
    assert site.review.opened().head.seq == head


def test_bulk_by_form(site):
    browser = site.browser(DORA)
    form = browser.get("/bulk?band=review").text
    assert "4 rows pass it" in form
    preview_page = browser.post(
        "/bulk/preview", {"query": "band=review", **FIELDS}, as_json=False
    ).text
    assert "3 decisions “No issue” would be written" in preview_page
    hidden_fields = {name: hidden(preview_page, name) for name in ("query", "preview", "bulk_id")}
    done = browser.post("/bulk", {**FIELDS, **hidden_fields}, as_json=False)
    assert "3 decisions “No issue”" in done.text
    assert site.state("copy of two.png") == "agreed"


def test_bulk_asks_for_a_reason_and_has_a_limit(site, monkeypatch):
    answer = preview(site, DORA, "band=review", choice="false_match", reason="")
    assert answer.status_code == 422
    assert "reason" in answer.json()["error"]
    monkeypatch.setattr(bulk, "MAX_ROWS", 3)
    answer = preview(site, DORA, "band=review")
    assert answer.status_code == 422
    assert "at most 3" in answer.json()["error"]
    monkeypatch.setattr(bulk, "MAX_ROWS", 4)
    assert preview(site, DORA, "band=review").status_code == 200


def test_a_false_match_is_not_offered_in_bulk_where_no_row_has_a_work(site):
    browser = site.browser(DORA)
    off = re.compile(r'value="false_match" required disabled')
    assert off.search(browser.get("/bulk?band=no_match").text)
    assert off.search(browser.get("/bulk?work_id=-").text)
    assert not off.search(browser.get("/bulk?band=review").text)
    assert not off.search(browser.get("/bulk?work_id=w1").text)


def test_the_bulk_form_without_a_reason_comes_back_as_it_was_filled_in(site, monkeypatch):
    browser = site.browser(DORA)
    form_fields = {
        "query": "band=review", "choice": "false_match", "reason": " ", "note": "see <b> & me",
        "assignee": "Ines Ort",
    }  # fmt: skip
    sent = {**form_fields, "preview": "a" * 64, "bulk_id": "b" * 32}
    for place, form in (("/bulk/preview", form_fields), ("/bulk", sent)):
        back = browser.post(place, form, as_json=False)
        assert back.status_code == 422
        assert "This decision needs a reason for some of these rows." in back.text
        assert "That was not done" not in back.text
        assert 'id="bulk-form"' in back.text
        assert re.search(r'value="false_match" required checked', back.text)
        assert "see &lt;b&gt; &amp; me</textarea>" in back.text
        assert 'value="Ines Ort"' in back.text
        assert hidden(back.text, "query") == "band=review"
        assert "4 rows pass it" in back.text
    assert site.review.record is None
    # With the reason, it goes on from there.
    preview_page = browser.post(
        "/bulk/preview", {**form_fields, "reason": "not this"}, as_json=False
    )
    assert "3 decisions “False match” would be written" in preview_page.text
    monkeypatch.setattr(bulk, "MAX_ROWS", 3)
    back = browser.post("/bulk/preview", {**form_fields, "reason": "not this"}, as_json=False)
    assert back.text.count("at most 3") == 1
    assert "not this</textarea>" in back.text
    monkeypatch.setattr(bulk, "MAX_ROWS", 4)
    form = {**form_fields, "reason": "not this", "assignee": "In\u200bes"}
    back = browser.post("/bulk/preview", form, as_json=False)
    assert back.status_code == 422
    assert "assignee" in back.text
    assert "not this</textarea>" in back.text


def test_rules_of_the_command(tmp_path):
    site = ReviewSite(tmp_path / "out", second_person=(Band.ESCALATE, Band.REVIEW), starter="dora")
    assert site.review.rules.second_person == (Band.ESCALATE, Band.REVIEW)
    assert decide(site, ANNA, REVIEW)["state"] == "first_given"
    kinds = [event.kind for event in Record.open(site.out).events()]
    assert kinds == [EventKind.OPENED, EventKind.RULES, EventKind.DECISION]
    # Another start that says nothing leaves the rules; one that says otherwise sets them.
    ReviewSession(site.stored, site.out)
    assert Record.open(site.out).rules.second_person == (Band.ESCALATE, Band.REVIEW)
    ReviewSession(site.stored, site.out, second_person=(), starter="dora")
    assert Record.open(site.out).rules.second_person == ()


def test_what_does_not_fit_is_one_sentence(site):
    browser = site.browser(DORA)
    for payload in (
        {},
        {**site.on(REVIEW)},
        {**site.on(REVIEW), "choice": "cleared"},
        {**site.on(REVIEW), "choice": "no_issue", "extra": 1},
        {**site.on(REVIEW), "choice": "no_issue", "number": -1},
        {**site.on(REVIEW), "choice": "no_issue", "event_id": "x"},
        {**site.on(REVIEW), "choice": "no_issue", "reason": "x" * 20_001},
    ):
        answer = browser.post("/decide", payload)
        assert answer.status_code in (409, 422), payload
        assert answer.json()["error"]
    headers = {"x-csrf-token": browser.csrf, "content-type": "application/json"}
    for body in (b"", b"[]", b"nonsense", b'{"reason": "\\ud800"}', b"[" * 100_000):
        assert browser.client.post("/decide", content=body, headers=headers).status_code == 422
    headers["content-type"] = "text/plain"
    assert browser.client.post("/decide", content=b"x", headers=headers).status_code == 415
    assert json.loads(browser.post("/decide", {}).text)["error"]
    assert len(site.review.items()) == 0
