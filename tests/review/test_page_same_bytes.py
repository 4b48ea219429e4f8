"""Files of the same bytes are decided at once, and a person is told which those are."""

from __future__ import annotations

import re

import pytest
from page_samples import ANNA, BOB, HOSTILE, ReviewSite
from row_samples import flagged_row

from pipeline.core.records import Band
from pipeline.review.queue.filters import Filters

TWO, COPY = "b/c/two.png", "copy of two.png"


def test_an_item_names_every_path_that_is_decided_with_it(site):
    text = site.browser(ANNA).get(f"/item/{site.number(TWO)}").text
    assert "1 other path with the same bytes: decided with this one" in text
    assert f'href="/item/{site.number(COPY)}" title="{COPY}"' in text
    assert "Decide for 2 files and go on" in text
    alone = site.browser(ANNA).get(f"/item/{site.number('b/dog.png')}").text
    assert "same bytes" not in alone
    assert "Decide and go on" in alone


def test_one_decision_holds_for_all_of_them_and_the_next_row_is_another(site):
    browser = site.browser(ANNA)
    order = site.review.numbers(Filters(band=("review",)))
    first, second = sorted((site.number(TWO), site.number(COPY)), key=order.index)
    assert order.index(second) == order.index(first) + 1
    payload = {**site.on(TWO), "number": first, "choice": "no_issue", "query": "band=review"}
    payload["evidence"] = site.review.evidence(site.review.row(first))
    answer = browser.post("/decide", payload)
    assert answer.json()["next"] == order[order.index(second) + 1]
    assert site.state(TWO) == site.state(COPY) == "agreed"


def test_the_queue_marks_them_and_shows_them_together(site):
    browser = site.browser(ANNA)
    text = browser.get("/").text
    assert text.count("2 files of the same bytes") == 2
    place = re.search(r'<a class="same" href="([^"]*)"', text)[1]
    found = browser.get(place, headers={"accept": "application/json"}).json()
    assert {one["asset_path"] for one in found["lines"]} == {TWO, COPY}
    assert [one["same_bytes"] for one in found["lines"]] == [1, 1]


def test_the_same_bytes_with_another_strongest_work_are_not_decided_with_it(tmp_path):
    rows = [
        flagged_row("one.png", 4.5, work_ids=("w1", "w2"), band=Band.REVIEW, asset_id="2" * 64),
        flagged_row("two.png", 4.5, work_ids=("w2", "w1"), band=Band.REVIEW, asset_id="2" * 64),
    ]
    site = ReviewSite(tmp_path / "out", rows)
    row = site.review.row(site.number("one.png"))
    if site.review.row(site.number("two.png"))["work_id"] == row["work_id"]:
        pytest.skip("both have the same strongest work")
    assert site.review.decided_with(row) == []
    # The pair of these bytes and the other work is one item at both paths.
    assert site.review.decided_with(row, "w2") == [site.number("two.png")]


def test_a_sealed_decision_does_not_show_through_the_list(tmp_path):
    rows = [
        flagged_row("one.png", 9.0, asset_id="2" * 64),
        flagged_row(f"{HOSTILE}.png", 9.0, asset_id="2" * 64),
    ]
    site = ReviewSite(tmp_path / "out", rows)
    site.browser(ANNA).post(
        "/decide", {**site.on("one.png"), "choice": "replace", "reason": "secret words"}
    )
    text = site.browser(BOB).get(f"/item/{site.number('one.png')}").text
    listed = text.partition('class="more same-bytes"')[2].partition("</details>")[0]
    assert "<li>" in listed
    assert "Replace" not in listed
    assert "secret words" not in text
