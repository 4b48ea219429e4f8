"""The page of a run after a work was renamed: what was decided under its former id is in effect."""

from __future__ import annotations

import json
from dataclasses import replace

from page_samples import ANNA, BOB, DORA, ReviewSite

from pipeline.core.layout import RUN
from pipeline.decisions.basis import Basis
from pipeline.decisions.events import Choice
from pipeline.decisions.record import Record
from pipeline.results.files import read_run
from pipeline.review.app import create_app
from pipeline.review.queue.filters import Filters
from pipeline.review.review_session import ReviewSession

REVIEW = "b/c/two.png"
ESCALATE = "b/dog.png"
FORMER = "FORMER-Ö"


def former(site, path):
    return replace(Basis.of_row(site.review.row(site.number(path))), work_id=FORMER, run_id="then")


def reopened(site):
    """The page again, of a run of an index in which the rows' work was renamed."""
    run = json.loads((site.out / RUN).read_bytes())
    work_id = site.review.row(site.number(REVIEW))["work_id"]
    run["index"] = {"aliases": {FORMER: work_id}}
    (site.out / RUN).write_text(json.dumps(run), encoding="utf-8")
    site.review = ReviewSession(read_run(site.out), site.out)
    site.app = create_app(site.review, site.access)
    return site


def test_decisions_under_the_former_id_are_the_rows(site: ReviewSite):
    record = Record.open(site.out, create=True)
    decided = record.decide(ANNA.name, former(site, REVIEW), Choice.FALSE_MATCH, reason="a cat")
    record.decide(ANNA.name, former(site, ESCALATE), Choice.REPLACE, reason="sealed words")
    assert site.state(REVIEW) == "open"
    reopened(site)
    assert site.state(REVIEW) == site.state("copy of two.png") == "suppressed"
    assert site.review.page(Filters(status=("reopened",))).total == 0
    html = site.browser(BOB).get(f"/item/{site.number(REVIEW)}").text
    assert "a cat" in html
    # Neither the form nor the queue tells the second person what the first one decided.
    assert "sealed words" not in site.browser(BOB).get(f"/item/{site.number(ESCALATE)}").text
    answer = site.browser(BOB).post(
        "/decide", {**site.on(ESCALATE), "choice": "replace", "reason": "so it is"}
    )
    assert answer.json()["state"] == "agreed"
    undone = site.browser(DORA).post(
        "/undo", {**site.on(REVIEW), "of": decided.event_id, "reason": "it is a copy"}
    )
    assert (undone.status_code, undone.json()["state"]) == (200, "open")


def test_a_sealed_first_decision_under_the_former_id_is_not_undone_by_another(site: ReviewSite):
    decided = Record.open(site.out, create=True).decide(
        ANNA.name, former(site, ESCALATE), Choice.REPLACE, reason="r"
    )
    reopened(site)
    assert site.state(ESCALATE) == "first_given"
    answer = site.browser(DORA).post(
        "/undo", {**site.on(ESCALATE), "of": decided.event_id, "reason": "too soon"}
    )
    assert answer.status_code == 404
