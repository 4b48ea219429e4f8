"""The page of rules that suppress: adding from an item, agreeing, revoking, who may."""

from __future__ import annotations

import re

import pytest
from page_samples import ANNA, BOB, DORA, READER, ReviewSite, hidden

from pipeline.decisions.events import Choice, EventKind
from pipeline.decisions.record import Record
from pipeline.decisions.selection import FolderSelection, WorkSelection
from pipeline.decisions.standing import today

TWO = "b/c/two.png"


def asked(**more) -> dict[str, str]:
    return {"chosen": "ids", "work_ids": "w1", "folders": "b", "reason": "our own series", **more}


def rules_of(browser) -> list[dict]:
    return browser.get("/rules", headers={"accept": "application/json"}).json()["rules"]


def add(browser, **more) -> dict:
    answer = browser.post("/rules/add", asked(**more))
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_rule_is_added_from_an_item_and_agreed_to_by_another(site):
    anna, bob = site.browser(ANNA), site.browser(BOB)
    number = site.number(TWO)
    item = anna.get(f"/item/{number}").text
    assert "Suppress by a rule" in item
    place = re.search(r'href="(/rules/new\?[^"]*)"', item)[1].replace("&amp;", "&")
    form = anna.get(place).text
    work_id = site.review.row(number)["work_id"]
    assert f'maxlength="20000" aria-label="Work ids, one a line">{work_id}</textarea>' in form
    assert ">b/c</textarea>" in form
    ask = {"chosen": "ids", "work_ids": work_id, "folders": "b/c", "reason": "Ours: <b>series</b>"}
    preview = anna.post("/rules/preview", ask, as_json=False).text
    assert site.review.record is None  # nothing was written
    assert re.search(r"It covers <b>\d+ match", preview)
    assert "Ours: &lt;b&gt;series&lt;/b&gt;" in preview
    added = anna.post("/rules/add", {**ask, "event_id": hidden(preview, "event_id")}, as_json=False)
    assert (added.status_code, added.headers["location"]) == (303, "/rules#rule-2")
    page = bob.get("/rules").text
    assert "Waiting for a second person" in page
    assert "Agree to rule 2" in page
    assert "Agree to rule 2" not in anna.get("/rules").text
    assert site.state(TWO) == "open"  # until then it suppresses nothing
    of = hidden(page, "of")
    assert anna.post("/rules/agree", {"of": of}).status_code == 409
    agreed = bob.post("/rules/agree", {"of": of, "reason": "so it is"}, as_json=False)
    assert agreed.status_code == 303
    assert site.state(TWO) == "suppressed"
    page = site.browser(READER).get("/rules").text
    assert "so it is" in page
    assert "Revoke rule" not in page
    item = bob.get(f"/item/{number}").text
    assert "Rule 2</a> suppresses this match" in item
    assert "It counts from the next run on" in item
    assert item.index("Rule 2</a>") < item.index('id="decide-form"')


def test_rows_are_suppressed_at_once_and_open_again_when_it_is_revoked(site):
    anna, bob, dora = site.browser(ANNA), site.browser(BOB), site.browser(DORA)
    before = {path: site.state(path) for path in (TWO, "b/dog.png", "copy of two.png")}
    rule = add(anna)
    assert rule["status"] == "waiting"
    assert sum(rule["matches"].values()) >= 2
    bob.post("/rules/agree", {"of": rule["event_id"]})
    assert [site.state(path) for path in before] == ["suppressed", "suppressed", "open"]
    queue = anna.get("/?status=suppressed", headers={"accept": "application/json"}).json()
    assert {TWO, "b/dog.png"} <= {line["asset_path"] for line in queue["lines"]}
    refused = bob.post("/rules/revoke", {"of": rule["event_id"], "reason": "x"})
    assert (refused.status_code, "approver" in refused.text) == (403, True)
    assert dora.post("/rules/revoke", {"of": rule["event_id"], "reason": " "}).status_code == 409
    revoked = dora.post("/rules/revoke", {"of": rule["event_id"], "reason": "sold in May"})
    assert revoked.json()["status"] == "revoked"
    assert {path: site.state(path) for path in before} == before
    assert "sold in May" in anna.get("/rules").text
    again = dora.post("/rules/revoke", {"of": rule["event_id"], "reason": "sold"})
    assert (again.status_code, "revoked already" in again.text) == (409, True)


def test_a_rule_of_another_program_is_seen_without_a_restart(site):
    site.browser(ANNA).get("/")
    record = Record.open(site.out, create=True)
    works, assets = WorkSelection.of(["w1"]), FolderSelection.of()
    event = record.add_rule("carol", works, assets, "ours")
    record.agree("bob", event.event_id)
    assert site.state(TWO) == "suppressed"


def test_an_expired_rule_suppresses_no_row(site, monkeypatch):
    rule = add(site.browser(ANNA), until=today())
    site.browser(BOB).post("/rules/agree", {"of": rule["event_id"]})
    assert site.state(TWO) == "suppressed"
    for module in ("review_session", "routes.rules"):
        monkeypatch.setattr(f"pipeline.review.{module}.today", lambda: "2999-01-01")
    assert site.state(TWO) == "open"
    assert [one["status"] for one in rules_of(site.browser(ANNA))] == ["expired"]


def test_a_reviewer_revokes_their_own_rule_only_while_it_waits(site):
    anna, bob = site.browser(ANNA), site.browser(BOB)
    rule = add(anna)
    of = {"of": rule["event_id"], "reason": "a slip"}
    assert bob.post("/rules/revoke", of).status_code == 403
    assert anna.post("/rules/revoke", of).status_code == 200
    rule = add(anna)
    bob.post("/rules/agree", {"of": rule["event_id"]})
    assert anna.post("/rules/revoke", {**of, "of": rule["event_id"]}).status_code == 403


def test_where_one_person_is_enough_adding_takes_an_approver(tmp_path):
    site = ReviewSite(tmp_path / "out", second_person=())
    refused = site.browser(ANNA).post("/rules/add", asked())
    assert (refused.status_code, site.review.record) == (403, None)
    assert "takes the role approver" in site.browser(ANNA).get("/rules/new").text
    assert add(site.browser(DORA))["status"] == "active"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"reason": " "}, "needs a reason"),
        ({"work_ids": ""}, "names works"),
        ({"chosen": "column", "column": "series"}, "needs the value"),
        ({"folders": "../x"}, "no folder of the risk table"),
        ({"until": "2020-01-01"}, "2020-01-01 is over"),
    ],
)
@pytest.mark.parametrize("route", ["/rules/preview", "/rules/add"])
def test_what_is_no_rule_is_sent_back_with_what_was_entered(site, change, sentence, route):
    anna = site.browser(ANNA)
    ask = (
        asked(folders="b/kept", **{"until": "", **change})
        if "folders" not in change
        else asked(**change)
    )
    answer = anna.post(route, ask, as_json=False)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert ask["folders"] in answer.text
    assert sentence in anna.post(route, ask).json()["error"]
    assert site.review.record is None


def test_a_form_sent_twice_adds_one_rule(site):
    anna = site.browser(ANNA)
    first, second = (add(anna, event_id="a" * 32) for _ in range(2))
    assert first == second
    assert len(rules_of(anna)) == 1
    other = anna.post("/rules/add", asked())
    assert (other.status_code, "says the same already" in other.text) == (422, True)


def test_a_rule_that_is_not_there_is_one_sentence(site):
    for route in ("/rules/agree", "/rules/revoke"):
        answer = site.browser(DORA).post(route, {"of": "f" * 32, "reason": "x"})
        assert (answer.status_code, "no such rule" in answer.text) == (404, True)
    assert site.review.record is None


def test_decisions_on_a_row_that_a_rule_suppresses_are_anybodys(site):
    anna, bob = site.browser(ANNA), site.browser(BOB)
    bob.post("/rules/agree", {"of": add(anna)["event_id"]})
    decided = anna.post("/decide", {**site.on(TWO), "choice": str(Choice.NEEDS_LICENCE)})
    assert decided.status_code == 200
    assert site.state(TWO) == "agreed"
    assert {EventKind.RULE, EventKind.AGREEMENT, EventKind.DECISION} <= {
        one.kind for one in site.review.record.events()
    }
