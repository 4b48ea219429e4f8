"""Progress by band, work and person, which tells nothing of a sealed first decision."""

from __future__ import annotations

import re

from page_samples import ANNA, BOB, DORA, HOSTILE, READER, Person, Role

CAT, DOG, TWO = "b/cat.png", "b/dog.png", "b/c/two.png"


def decide(site, person, path, choice, **fields):
    answer = site.browser(person).post(
        "/decide", {**site.on(path), "choice": choice, "reason": "because", **fields}
    )
    assert answer.status_code == 200, answer.text


def progress(site, person, query=""):
    answer = site.browser(person).get(f"/progress{query}", headers={"accept": "application/json"})
    assert answer.status_code == 200
    return answer.json()


def people(found):
    return {one["name"]: (one["decided"], one["waiting"], one["given"]) for one in found["people"]}


def test_rows_are_counted_by_band_work_and_person(site):
    decide(site, ANNA, TWO, "no_issue")  # and the copy of the same bytes
    decide(site, ANNA, DOG, "replace", assignee=BOB.name)
    found = progress(site, READER)
    whole = found["whole"]["states"]
    assert sum(whole.values()) == len(site.review)
    assert (whole["agreed"], whole["first_given"]) == (2, 1)
    bands = {one["value"]: one["states"] for one in found["bands"]}
    assert bands["review"]["agreed"] == 2
    assert bands["escalate"]["first_given"] == 1
    works = {one["value"]: sum(one["states"].values()) for one in found["works"]}
    assert works["w2"] >= 1
    assert sum(works.values()) < len(site.review), "rows without a work are of none"
    assert people(found)[ANNA.name] == (3, 1, 0)


def test_progress_keeps_to_the_filter_and_its_numbers_lead_to_the_rows(site):
    decide(site, ANNA, TWO, "no_issue")
    found = progress(site, READER, "?band=review&folder=b")
    assert found["whole"]["states"]["agreed"] == 1
    assert sum(found["whole"]["states"].values()) == 2
    text = site.browser(READER).get("/progress?folder=b").text
    assert "/?status=agreed&amp;folder=b" in text
    assert "1 row of " in text
    assert "is decided or suppressed" in text
    assert re.search(r'<span class="number">1 \(\d+ %\)</span>', text)
    assert "There is no band" in site.browser(READER).get("/progress?band=x").text


def test_a_sealed_decision_shows_nowhere_in_it(site):
    """The page of everybody but its maker is the same whatever was decided, noted and assigned."""
    before = progress(site, BOB)
    decide(site, ANNA, CAT, "escalate_to_legal", note="n", assignee="Lara Law")
    first = progress(site, BOB)
    text = site.browser(BOB).get("/progress").text
    assert "Lara" not in text
    assert "Escalate to legal" not in text
    assert people(first) == {ANNA.name: (1, 1, 0)}
    assert before["whole"] != first["whole"], "that there is a first decision is no secret"
    # Another choice by the same person leaves the same numbers.
    decide(site, ANNA, CAT, "no_issue")
    assert progress(site, BOB) == first
    assert progress(site, DORA) == first
    decide(site, BOB, CAT, "no_issue")
    assert people(progress(site, DORA))[BOB.name] == (1, 0, 0)


def test_spellings_of_one_name_are_one_person_and_names_are_text(site):
    hostile = Person(HOSTILE, Role.REVIEWER)
    decide(site, hostile, TWO, "no_issue")
    decide(site, Person("BOB", Role.REVIEWER), "faint.png", "no_issue")
    decide(site, BOB, f"b/c/{HOSTILE}.png", "no_issue")
    names = [name for name in people(progress(site, READER)) if name.casefold() == "bob"]
    assert len(names) == 1
    assert "<img src=x" not in site.browser(READER).get("/progress").text


def test_a_decision_taken_back_is_not_counted(site):
    decide(site, ANNA, TWO, "no_issue")
    event = site.review.record.head.event_id
    answer = site.browser(ANNA).post("/undo", {**site.on(TWO), "of": event, "reason": "wrong"})
    assert answer.status_code == 200
    assert people(progress(site, READER)) == {}
