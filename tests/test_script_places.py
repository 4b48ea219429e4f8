"""Where in a script a passage stands."""

from dataclasses import replace

import pytest
from row_samples import RUN, WORKS, flagged_row

from pipeline.records import Kind, LoadedScript, Passage, Span
from pipeline.report import report_html
from pipeline.script_places import ScriptPlaces, with_places

TEXT = "Rain.\n\nINT. HALL - DAY\n\nANNA\nTea?\n\nEXT.  GARDEN\n\nMore rain.\n"


def passage(start):
    return Passage("w1.file", start, start + 4, 0, 4, 1, 1.0)


@pytest.mark.parametrize(
    ("word", "scene"),
    [
        ("Rain", None),
        ("INT.", "INT. HALL - DAY"),
        ("Tea", "INT. HALL - DAY"),
        ("More", "EXT. GARDEN"),
    ],
)
def test_the_scene_of_an_offset(word, scene):
    script = LoadedScript(TEXT, (Span(0, len(TEXT)),), "fountain")
    places = ScriptPlaces(script)
    assert places.scene(TEXT.index(word)) == scene
    assert places.page(TEXT.index(word)) is None


@pytest.mark.parametrize(("offset", "page"), [(0, 1), (4, 1), (6, 3), (9, 3), (11, 4)])
def test_the_page_of_an_offset(offset, page):
    text = "first\nthird\nlast"
    spans = (Span(0, 5), Span(6, 11), Span(12, 16))
    places = ScriptPlaces(LoadedScript(text, spans, "pdf", pages=(1, 3, 4)))
    assert places.page(offset) == (page if offset != 11 else 3)
    assert places.page(12) == 4


def test_passages_are_placed():
    script = LoadedScript(TEXT, (Span(0, len(TEXT)),), "fountain")
    row = flagged_row("a", kind=Kind.SCRIPT, passages=(passage(TEXT.index("Tea")), passage(0)))
    found = [
        one
        for outcome in with_places(row.outcomes, script)
        for evidence in outcome.evidence
        for one in evidence.passages
    ]
    assert [(one.asset_scene, one.asset_page) for one in found][:2] == [
        ("INT. HALL - DAY", None),
        (None, None),
    ]


def test_the_report_says_where_a_passage_stands():
    script = LoadedScript(TEXT, (Span(0, len(TEXT)),), "pdf", pages=(7,))
    row = flagged_row("a", kind=Kind.SCRIPT, passages=(passage(TEXT.index("Tea")),))
    placed = replace(row, outcomes=with_places(row.outcomes, script))
    page = "".join(report_html(run=RUN, rows=[placed], works=WORKS))
    assert "in the asset: page 7, scene INT. HALL - DAY" in page
