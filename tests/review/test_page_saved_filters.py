"""Filters that people name: their own, shared ones, and what happens where none can be kept."""

from __future__ import annotations

import json
import threading

import pytest
from page_samples import ANNA, BOB, DORA, HOSTILE, READER

from pipeline.core.errors import RecordError
from pipeline.review import saved_filters
from pipeline.review.queue.filters import Filters
from pipeline.review.saved_filters import SavedFilters

REVIEW = {"query": "band=review&sort=path"}


def listed(site, person):
    text = site.browser(person).get("/").text
    return text.partition('aria-labelledby="saved-title"')[2].partition("</section>")[0]


def test_a_filter_is_its_maker_s_or_everybody_s(site):
    anna = site.browser(ANNA)
    saved = anna.post("/filters/save", {"name": "mine", **REVIEW}, as_json=False)
    assert saved.status_code == 303
    assert saved.headers["location"] == "/?band=review&sort=path"
    assert anna.post("/filters/save", {"name": "ours", "shared": True, **REVIEW}).status_code == 200
    assert "mine" in listed(site, ANNA)
    assert 'href="/?band=review&amp;sort=path"' in listed(site, ANNA)
    assert "mine" not in listed(site, BOB)
    for person in (BOB, READER, DORA):
        assert "ours" in listed(site, person)
    assert site.review.record is None, "a filter is no decision"
    assert json.loads((site.out / "record.filters.json").read_text())["version"] == 1


def test_who_may_delete_which(site):
    anna, bob = site.browser(ANNA), site.browser(BOB)
    for shared in (False, True):
        anna.post("/filters/save", {"name": "f", "shared": shared, **REVIEW})
    for shared in (False, True):
        refused = bob.post("/filters/delete", {"name": "f", "shared": shared})
        assert refused.status_code == 409
        assert "you may delete" in refused.json()["error"]
    dora = site.browser(DORA)
    assert dora.post("/filters/delete", {"name": "f", "shared": False}).status_code == 409
    assert dora.post("/filters/delete", {"name": "f", "shared": True}).status_code == 200
    assert "f</a>" in listed(site, ANNA)
    assert anna.post("/filters/delete", {"name": "f", "shared": "false"}, as_json=False)
    assert listed(site, ANNA) == ""


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": " ", **REVIEW}, "name"),
        ({"name": "a\u200bb", **REVIEW}, "can't be seen"),
        ({"name": "x" * 81, **REVIEW}, "80 characters"),
        ({"name": "x", "query": ""}, "Nothing is filtered"),
        ({"name": "x", "query": "band=loud"}, "There is no band “loud”"),
    ],
)
def test_what_cant_be_saved_is_one_sentence(site, fields, said):
    answer = site.browser(ANNA).post("/filters/save", fields)
    assert answer.status_code in (409, 422)
    assert said in answer.json()["error"]
    assert not (site.out / "record.filters.json").exists()


def test_a_shared_name_is_not_taken_from_its_maker(site):
    site.browser(ANNA).post("/filters/save", {"name": "ours", "shared": True, **REVIEW})
    answer = site.browser(BOB).post("/filters/save", {"name": "ours", "shared": True, **REVIEW})
    assert answer.status_code == 409
    again = {"name": "ours", "shared": True, "query": "q=cat"}
    assert site.browser(ANNA).post("/filters/save", again).status_code == 200
    assert [one.query for one in SavedFilters(site.review.filters_file).of("x")] == ["q=cat"]


def test_names_are_text(site):
    site.browser(ANNA).post("/filters/save", {"name": HOSTILE, "shared": True, **REVIEW})
    assert "<img src=x" not in site.browser(BOB).get("/").text


def test_where_nothing_can_be_written_the_page_works_and_says_so(site, monkeypatch):
    def refuse(*_args, **_options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(saved_filters, "write_atomically", refuse)
    browser = site.browser(ANNA)
    answer = browser.post("/filters/save", {"name": "x", **REVIEW})
    assert answer.status_code == 409
    assert "Read-only file system" in answer.json()["error"]
    assert "--filters FILE" in answer.json()["error"]
    assert browser.get("/").status_code == 200


def test_a_damaged_file_does_not_keep_anybody_from_the_queue(site):
    file = site.review.filters_file
    for damaged in (b"{", b"[]", b'{"version": 9, "filters": []}', b'{"version":1,"filters":[1]}'):
        file.write_bytes(damaged)
        text = site.browser(ANNA).get("/").text
        assert "is not a file of saved filters" in text
        assert "cat.png" in text
        answer = site.browser(ANNA).post("/filters/save", {"name": "x", **REVIEW})
        assert answer.status_code == 409
        assert file.read_bytes() == damaged, "nothing is overwritten that could not be read"


def test_filters_saved_at_once_are_all_kept(tmp_path):
    file = tmp_path / "record.filters.json"
    threads = [
        threading.Thread(
            target=SavedFilters(file).save, args=("Anna", f"n{n}", Filters(q="x")),
            kwargs={"shared": False},
        )
        for n in range(12)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(SavedFilters(file).of("Anna")) == 12
    with pytest.raises(RecordError, match="no folder"):
        SavedFilters(None).save("Anna", "x", Filters(q="x"), shared=False)
