"""A newer run than the one shown is announced at the top of the page, at the cost of a stat."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from page_samples import ANNA, BOB, DORA, HOST, READER, ReviewSite, rows, write_run
from row_samples import RUN as RUN_INFO

from pipeline.core.layout import RUN
from pipeline.core.records import Band
from pipeline.decisions.events import Rules
from pipeline.review import newer
from pipeline.review.access.sessions import Access
from pipeline.review.app import create_app
from pipeline.review.newer import NewerRun
from pipeline.review.opening import RunPlace

SAYS = "A newer run is there"
ID = RUN_INFO.run_id


def renamed(out: Path, run_id: str) -> None:
    """As a new run does: another file takes the place of `run.json`."""
    run = json.loads((out / RUN).read_bytes())
    (out / "new").write_text(json.dumps({**run, "run_id": run_id}))
    (out / "new").replace(out / RUN)


@pytest.fixture
def watched(tmp_path):
    site = ReviewSite(tmp_path / "out")
    site.app = create_app(site.review, site.access, NewerRun(site.out, ID))
    return site


def test_replaced_results_are_announced_on_every_page(watched):
    browser = watched.browser(ANNA)
    for place in ("/", "/item/0"):
        assert SAYS not in browser.get(place).text
    renamed(watched.out, "run-<2>")
    for place in ("/", "/item/0", "/item/9999"):
        text = browser.get(place).text
        assert text.count(SAYS) == 1, place
        assert "(run-&lt;2&gt;)" in text
        assert ID in text
    # A client that is not signed in is shown nothing about runs.
    signed_out = create_app(watched.review, Access(local=DORA, hosts=frozenset({HOST})))
    signed_out.state.newer = watched.app.state.newer
    watched.app = signed_out
    assert SAYS not in watched.client().get("/login").text
    renamed(watched.out, ID)
    assert SAYS not in browser.get("/").text


def test_a_newer_latest_scan_is_announced(tmp_path):
    history = tmp_path / "scan" / "history"
    write_run(history / "1", rows())
    write_run(history / "2", rows())
    (tmp_path / "scan" / "scan.lock").touch()
    renamed(history / "2", "second")
    latest = tmp_path / "scan" / "latest"
    latest.symlink_to("history/1")
    pages = [NewerRun(place, ID) for place in (tmp_path / "scan", latest, history / "1")]
    assert [page.sentence() for page in pages] == ["", "", ""]
    latest.unlink()
    latest.symlink_to("history/2")
    for page in pages:
        assert SAYS in page.sentence()
        assert "second" in page.sentence()
    # A user who opens an older scan knows that it is not the latest.
    assert NewerRun(history / "1", ID).sentence() == ""


def test_deleted_results_are_announced(tmp_path):
    write_run(tmp_path / "out", rows())
    page = NewerRun(tmp_path / "out", ID)
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    assert "no longer there" in page.sentence()
    (tmp_path / "elsewhere").rename(tmp_path / "out")
    assert page.sentence() == ""


def test_nothing_is_read_as_long_as_the_file_is_the_same(tmp_path, monkeypatch):
    write_run(tmp_path / "out", rows())
    page = NewerRun(tmp_path / "out", ID)
    page.sentence()
    monkeypatch.setattr(newer, "_run_id", lambda file: pytest.fail("read"))
    assert [page.sentence() for _ in range(100)] == [""] * 100
    monkeypatch.undo()
    # A copy that was put back is another file, and the same run.
    os.utime(tmp_path / "out" / RUN, (1, 1))
    assert page.sentence() == ""


def reopened(site: ReviewSite) -> ReviewSite:
    """A page that can open the newer run, as `clearance review` serves it."""
    run = RunPlace(str(site.out), None, None, "Dora Vance")
    site.review, newer = run.opened()
    site.app = create_app(site.review, site.access, newer, reopen=lambda: run.opened(again=True))
    return site


def test_the_newer_run_is_shown_without_a_restart(tmp_path):
    site = reopened(ReviewSite(tmp_path / "out"))
    anna, bob = site.browser(ANNA), site.browser(BOB)
    for browser in (anna, bob):
        assert "another run than when you last looked" not in browser.get("/").text
    old = site.on("b/dog.png")
    write_run(site.out, rows()[1:])
    renamed(site.out, "second")
    assert "Show the newer run" in anna.get("/").text
    assert "Show the newer run" not in site.browser(READER).get("/").text
    assert "A reviewer can show it" in site.browser(READER).get("/").text
    fields = {"run_id": ID, "query": "band=review"}
    answer = anna.post("/newer", fields, as_json=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?band=review")
    shown = anna.get("/", headers={"accept": "application/json"}).json()
    assert shown["table"] == len(rows()) - 1
    assert SAYS not in anna.get("/").text
    # Everybody is told once, and what was open on the earlier run is refused.
    text = bob.get("/").text
    assert "another run than when you last looked" in text
    assert "opened by Anna Berg" in text
    assert "another run than when you last looked" not in bob.get("/").text
    assert bob.post("/decide", {**old, "choice": "replace", "reason": "r"}).status_code == 409
    # Asking for it twice is no error; asking where there is none is.
    assert anna.post("/newer", fields).json()["run_id"] == "second"
    assert anna.post("/newer", {"run_id": "second"}).status_code == 409


def test_decisions_go_on_in_the_newer_run(tmp_path):
    site = reopened(ReviewSite(tmp_path / "out"))
    site.browser(ANNA).post("/decide", {**site.on("faint.png"), "choice": "no_issue"})
    renamed(site.out, "second")
    site.browser(ANNA).post("/newer", {"run_id": ID})
    found = site.browser(BOB).get("/?status=agreed", headers={"accept": "application/json"}).json()
    assert [one["asset_path"] for one in found["lines"]] == ["faint.png"]


def test_a_newer_run_that_cant_be_read_leaves_the_one_that_is_shown(tmp_path):
    site = reopened(ReviewSite(tmp_path / "out"))
    renamed(site.out, "second")
    (site.out / "risk_table.parquet").write_bytes(b"not a table")
    answer = site.browser(ANNA).post("/newer", {"run_id": ID})
    assert answer.status_code == 404
    assert site.browser(ANNA).get("/").status_code == 200
    assert site.app.state.review is site.review


def test_a_page_that_is_not_watched_has_nothing_to_open(site):
    assert site.browser(ANNA).post("/newer", {"run_id": ID}).status_code == 409


def test_the_rules_that_somebody_set_meanwhile_are_kept(tmp_path):
    site = ReviewSite(tmp_path / "out")
    run = RunPlace(str(site.out), None, (Band.REVIEW,), "Dora Vance")
    review, _ = run.opened()
    review.opened().set_rules("Dora Vance", Rules(second_person=(Band.INFO,)))
    again, _ = run.opened(again=True)
    assert again.rules.second_person == (Band.INFO,)
