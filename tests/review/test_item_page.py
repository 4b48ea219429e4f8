"""The item page against a server: every row has one, and history keeps what is sealed."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from page_samples import ANNA, BOB, DORA, HOSTILE, READER, ReviewSite, rows, write_run
from row_samples import PRIOR

from pipeline.core.records import Band
from pipeline.decisions.basis import Basis
from pipeline.decisions.events import Choice
from pipeline.decisions.record import Record
from pipeline.results.files import read_run
from pipeline.review.item.history import decided_elsewhere, earlier_scans

CAT, DOG = "b/cat.png", "b/dog.png"
WHISKERS = "because-of-the-whiskers"


def item_html(site, person, path, query=""):
    answer = site.browser(person).get(f"/item/{site.number(path)}{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


def decide(site, person, path, choice="needs_licence", reason=WHISKERS):
    answer = site.browser(person).post(
        "/decide", {**site.on(path), "choice": choice, "reason": reason}
    )
    assert answer.status_code == 200, answer.text


def part(html, name):
    return html[html.index(f'id="{name}"') :].partition("</section>")[0]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.asset.asset_path)
def test_every_row_has_a_page_that_says_what_each_stage_did(site, row):
    html = item_html(site, READER, row.asset.asset_path)
    assert html.count('class="is-') == len(row.outcomes)
    assert "undefined" not in html
    assert not re.search(r"\sstyle=", html)


def test_what_each_stage_added_is_a_picture_and_numbers(site):
    site.stored.run["calibration"] = {"prior": {"image": PRIOR}}
    html = part(item_html(site, READER, CAT), "adds")
    assert html.count("<rect ") == html.count('<tr class="') > 3
    assert "Before any evidence" in html
    assert "Together" in html


def test_a_picture_that_is_not_there_says_why(site):
    html = item_html(site, READER, CAT)
    assert "can&#39;t be read in the drop" in html
    assert "The index that was searched is not there as it was" in html
    number = site.number(CAT)
    for name in ("asset.webp", "work.webp", "laid.webp"):
        answer = site.browser(READER).get(f"/item/{number}/{name}")
        assert answer.status_code == 404
        assert "<img" not in answer.text.partition("<main")[2]


def test_each_of_the_rows_works_has_its_own_page(site):
    html = item_html(site, ANNA, CAT, "?work=w2")
    assert "Another match" in html
    assert 'name="work_id" value="w2"' in html
    other = site.browser(ANNA).get(f"/item/{site.number(CAT)}?work=w9")
    assert other.status_code == 404
    assert "no evidence with that work" in other.text


def test_a_suppressed_match_is_not_what_the_page_opens_with(site, monkeypatch):
    matches_of = site.review.matches

    def suppressing(many):
        def matches_suppressed(row):
            return [
                {**one, "suppressed": place < many} for place, one in enumerate(matches_of(row))
            ]

        monkeypatch.setattr(site.review, "matches", matches_suppressed)

    first, second = [one["work_id"] for one in matches_of(site.review.row(site.number(CAT)))][:2]
    assert f'name="work_id" value="{first}"' in item_html(site, ANNA, CAT)
    suppressing(1)
    assert f'name="work_id" value="{second}"' in item_html(site, ANNA, CAT)
    assert "Suppressed match" in item_html(site, ANNA, CAT, f"?work={first}")
    suppressing(100)
    html = item_html(site, ANNA, CAT)
    assert f'name="work_id" value="{first}"' in html
    assert "Suppressed match" in html


def test_the_filter_is_carried_to_the_next_row(site):
    html = item_html(site, ANNA, CAT, "?band=escalate&sort=path")
    after = site.number(DOG)
    assert f'id="after" href="/item/{after}?band=escalate&amp;sort=path"' in html
    assert '1 of 2<span class="wide"> in this filter' in html


def test_a_first_decision_is_sealed_on_the_page_of_another_asset_of_the_work(site):
    decide(site, ANNA, DOG)
    for person in (BOB, DORA, READER):
        html = part(item_html(site, person, CAT), "history")
        assert "Second person wanted" in html
        assert "Anna Berg" in html
        assert WHISKERS not in html
        assert "Needs licence" not in html
    own = part(item_html(site, ANNA, CAT), "history")
    assert "Needs licence" in own
    decide(site, BOB, DOG, reason="so it is")
    assert "Needs licence" in part(item_html(site, READER, CAT), "history")


@pytest.mark.parametrize("band", [Band.ESCALATE, Band.REVIEW])
def test_a_first_decision_of_an_earlier_run_is_sealed_too(tmp_path, band):
    """Of an asset that this run does not have, on the same work."""
    stored = write_run(tmp_path / "out", rows())
    row = next(one for one in stored.risk_rows.to_pylist() if one["asset_path"] == CAT)
    gone = replace(Basis.of_row(row), asset_id="9" * 64, asset_path="gone.png", band=band)
    record = Record.open(tmp_path / "out", create=True)
    record.decide("Anna Berg", gone, Choice.REPLACE, reason=WHISKERS)
    site = ReviewSite(tmp_path / "out")
    html = part(item_html(site, BOB, CAT), "history")
    assert "gone.png" in html
    assert "not in this run" in html
    sealed = band is Band.ESCALATE
    assert (WHISKERS not in html) is sealed
    assert ("Replace" not in html) is sealed
    assert WHISKERS in part(item_html(site, ANNA, CAT), "history")


def test_decisions_on_the_same_asset_with_another_work_are_shown(site):
    payload = {**site.on(CAT, "w2"), "choice": "no_issue", "reason": "only a likeness"}
    for person in (ANNA, BOB):
        assert site.browser(person).post("/decide", payload).status_code == 200
    html = part(item_html(site, READER, CAT), "history")
    assert "This asset with other works" in html
    assert "only a likeness" in html


def test_history_is_the_newest_first_and_bounded(tmp_path):
    stored = write_run(tmp_path / "out", rows())
    row = next(one for one in stored.risk_rows.to_pylist() if one["asset_path"] == CAT)
    record = Record.open(tmp_path / "out", create=True)
    base = replace(Basis.of_row(row), band=Band.REVIEW)
    for number in range(8):
        other = replace(base, asset_id=f"{number:064x}", asset_path=f"{number}.png")
        record.decide("Anna Berg", other, Choice.NO_ISSUE)
    _, of_work = decided_elsewhere(record.items(), base.item, "Bob", limit=3)
    assert [one.asset_path for one in of_work] == ["7.png", "6.png", "5.png"]


def test_earlier_scans_are_those_before_this_one_at_the_same_path_or_of_the_same_bytes(tmp_path):
    scans = tmp_path / "scans"
    for scan in ("20300101T000000Z-aa", "20300102T000000Z-bb", "20300103T000000Z-cc"):
        write_run(scans / "history" / scan, rows())
    (scans / "state.sqlite").write_bytes(b"")
    stored = read_run(scans / "history" / "20300103T000000Z-cc")
    by_path = {row["asset_path"]: row for row in stored.risk_rows.to_pylist()}
    earlier = earlier_scans(stored.folder, by_path[CAT])
    assert {one.asset_path for one in earlier} >= {CAT}
    assert len([one for one in earlier if one.asset_path == CAT]) == 2
    first = read_run(scans / "history" / "20300101T000000Z-aa")
    assert earlier_scans(first.folder, by_path[CAT]) == ()
    other = {**by_path[CAT], "asset_id": "f" * 64}
    assert {one.same_bytes for one in earlier_scans(stored.folder, other)} == {False}
    # A table that can't be read says nothing and breaks nothing.
    (scans / "history" / "20300102T000000Z-bb" / "risk_table.parquet").write_bytes(b"?")
    assert len(earlier_scans(stored.folder, other)) == 1


def test_results_that_are_no_scans_have_no_earlier_ones(site):
    assert earlier_scans(site.stored.folder, site.review.row(0)) == ()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?side=asset", 404), ("?side=work&work=w2&at=10", 404), ("?side=other", 422),
        ("?at=-1", 422), ("?at=x", 422), ("?side=work&file=../../etc/passwd", 404),
    ],
)  # fmt: skip
def test_texts_that_are_not_there_end_in_one_sentence(site, query, status):
    number = site.number("act one.fountain")
    answer = site.browser(READER).get(f"/item/{number}/script{query}")
    assert answer.status_code == status
    assert "Traceback" not in answer.text


def test_hostile_names_are_text(site):
    html = item_html(site, READER, f"b/c/{HOSTILE}.png")
    assert "<img src=x" not in html
    assert "&lt;img src=x" in html
