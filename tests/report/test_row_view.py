"""A row made readable once for the report, the review page, explain and notebooks."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from rich.console import Console
from row_samples import PRIOR, RUN, WORKS, flagged_row, some_rows

from pipeline.cli.terminal.explain import print_passage, print_row
from pipeline.core.records import Band, Kind, Passage
from pipeline.report.build_row_view import risk_row_view, stored_view
from pipeline.report.explain import explanation, with_texts
from pipeline.report.notebook import ShownRow
from pipeline.report.row_view import deciding_evidence_in_short, work_file
from pipeline.results.files import StoredRun
from pipeline.results.table import tables

PASSAGE = Passage(
    "w1.file", 0, 9, 0, 9, 9, 1.0, asset_scene="INT. HALL", asset_page=7, work_scene="INT. ATTIC"
)


def stored(rows, **run):
    built = tables(rows, RUN, WORKS, discovered=len(rows))
    prior = {"calibration": {"prior": {"image": PRIOR, "script": PRIOR}}, **run}
    return StoredRun("nowhere", prior, built.risk, built.matches, built.passages)


def rows_by_path(run):
    return {row["asset_path"]: row for row in run.risk_rows.to_pylist()}


def printed(show, row):
    console = Console(width=100)
    with console.capture() as capture:
        show(row, console)
    return capture.get()


@pytest.mark.parametrize("row", some_rows(), ids=lambda row: row.asset.asset_path)
def test_a_row_is_the_same_before_and_after_it_is_stored(row):
    run = stored(some_rows())
    after = stored_view(run, rows_by_path(run)[row.asset.asset_path])
    before = risk_row_view(row, RUN, WORKS)
    assert explanation(before) == explanation(after)
    assert before.reasons == after.reasons
    assert printed(print_row, before) == printed(print_row, after)


def test_the_match_that_is_shown_is_the_first_that_is_not_suppressed():
    row = flagged_row("a.png", work_ids=("w1", "w2"))
    false = replace(row, matches=(replace(row.matches[0], suppressed=True), row.matches[1]))
    assert risk_row_view(false, RUN, WORKS).strongest.work.work_id == "w2"
    both = replace(
        false, band=Band.INFO, risk=None,
        matches=tuple(replace(match, suppressed=True) for match in row.matches),
    )  # fmt: skip
    view = risk_row_view(both, RUN, WORKS)
    assert view.strongest.work.work_id == "w1"
    assert view.risk_words == "not given, because every match is suppressed"


def test_the_file_to_show_is_the_one_whose_overlap_was_verified():
    files = {"work_file_perceptual_hash": "a.png", "work_file_local_features": None}
    assert work_file(files) == "a.png"
    assert work_file({**files, "work_file_local_features": "b.png"}) == "b.png"
    assert work_file({}) is None


@pytest.fixture
def script_row():
    return flagged_row("a.txt", kind=Kind.SCRIPT, passages=(PASSAGE,))


def test_both_places_of_a_passage_are_explained(script_row):
    (passage,) = risk_row_view(script_row, RUN, WORKS).matches[0].passages
    text = printed(print_passage, passage)
    assert "In the asset: page 7, scene INT. HALL" in text
    assert "In the work: scene INT. ATTIC" in text


def test_a_passage_of_an_earlier_release_has_no_place_to_show(script_row):
    run = stored([script_row])
    places = ["asset_scene", "asset_page", "work_scene", "work_page"]
    older = replace(run, passage_rows=run.passage_rows.drop_columns(places))
    view = stored_view(older, rows_by_path(older)["a.txt"])
    assert "In the" not in printed(print_row, view)
    assert not set(places) & set(explanation(view)["matches"][0]["passages"][0])


def test_a_notebook_shows_both_places(tmp_path):
    text = "One two three four five six seven eight nine."
    (tmp_path / "a.txt").write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    row = flagged_row(
        "a.txt", kind=Kind.SCRIPT, passages=(PASSAGE,), asset_id=digest, size=len(text)
    )
    run = stored([row], drop=str(tmp_path))
    view = with_texts(run, rows_by_path(run)["a.txt"])
    page = ShownRow(run, view, view.strongest)._repr_html_()
    assert "(page 7, scene INT. HALL)" in page
    assert "(scene INT. ATTIC)" in page


def test_of_the_very_file_nothing_else_is_said_in_short():
    measures = {"overlap_inliers": 12, "pdq_distance": 3}
    short = deciding_evidence_in_short(measures, identical=True, likeness_only=False)
    assert short == "the identical file"
    short = deciding_evidence_in_short(measures, identical=False, likeness_only=False)
    assert short == "12 agreeing points; PDQ distance 3"
