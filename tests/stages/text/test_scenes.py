"""Scene and page of a passage."""

from dataclasses import replace

import pytest
from row_samples import RUN, WORKS, flagged_row

from pipeline.core.records import Kind, Passage
from pipeline.core.wording.text import passage_location
from pipeline.load.loaded import LoadedScript, Span
from pipeline.report.page import report_html
from pipeline.stages.text.elements import ScriptScenes, WorkScenes, stored_script, with_scenes
from reference_index.errors import IndexCorruptError
from reference_index.interface import WorkFile
from reference_index.store import StoredContent

TEXT = "Rain.\n\nINT. HALL - DAY\n\nANNA\nTea?\n\nEXT.  GARDEN\n\nMore rain.\n"


WORK = "Snow.\n\nINT. ATTIC - NIGHT\n\nCARL\nTea?\n"


class Index:
    """The parts of an index that scenes need."""

    def __init__(self, text=WORK, script_format="fountain"):
        self.files = (WorkFile("w1", "w1.file", "0" * 64, "script", script_format, 9),)
        self.text = text
        self.read = 0

    def content(self, file):
        self.read += 1
        if isinstance(self.text, Exception):
            raise self.text
        return StoredContent(None, self.text)


def passage(start, work_start=0):
    return Passage("w1.file", start, start + 4, work_start, work_start + 4, 1, 1.0)


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
    scenes = ScriptScenes(script)
    assert scenes.scene(TEXT.index(word)) == scene
    assert scenes.page(TEXT.index(word)) is None


@pytest.mark.parametrize(("offset", "page"), [(0, 1), (4, 1), (6, 3), (9, 3), (11, 4)])
def test_the_page_of_an_offset(offset, page):
    text = "first\nthird\nlast"
    spans = (Span(0, 5), Span(6, 11), Span(12, 16))
    scenes = ScriptScenes(LoadedScript(text, spans, "pdf", pages=(1, 3, 4)))
    assert scenes.page(offset) == (page if offset != 11 else 3)
    assert scenes.page(12) == 4


def test_passages_get_their_scenes():
    script = LoadedScript(TEXT, (Span(0, len(TEXT)),), "fountain")
    row = flagged_row("a", kind=Kind.SCRIPT, passages=(passage(TEXT.index("Tea")), passage(0)))
    passages = [
        one
        for outcome in with_scenes(row.outcomes, script, WorkScenes(Index()))
        for evidence in outcome.evidence
        for one in evidence.passages
    ]
    assert [(one.asset_scene, one.asset_page) for one in passages][:2] == [
        ("INT. HALL - DAY", None),
        (None, None),
    ]


def test_the_report_shows_the_location_of_a_passage():
    script = LoadedScript(TEXT, (Span(0, len(TEXT)),), "pdf", pages=(7,))
    there = passage(TEXT.index("Tea"), WORK.index("Tea"))
    row = flagged_row("a", kind=Kind.SCRIPT, passages=(there,))
    outcomes = with_scenes(row.outcomes, script, WorkScenes(Index()))
    passages = next(one.passages for o in outcomes for one in o.evidence if one.passages)
    match = replace(row.matches[0], passages=passages)
    placed = replace(row, outcomes=outcomes, matches=(match,))
    page = "".join(report_html(run=RUN, rows=[placed], works=WORKS))
    assert (
        "in the asset: page 7, scene INT. HALL - DAY; in the work: scene INT. ATTIC - NIGHT" in page
    )


@pytest.mark.parametrize(
    ("script_format", "text"),
    [
        ("fountain", WORK),
        ("txt", WORK),
        ("fdx", WORK.replace("\n\n", "\n")),
        ("pdf", WORK.replace("\n\n", "\n")),
        ("docx", WORK.replace("\n\n", "\n")),
    ],
)
def test_the_scene_of_a_work_is_read_from_its_stored_text(script_format, text):
    scenes = WorkScenes(Index(text, script_format)).of("w1", "w1.file")
    assert scenes.scene(text.index("Tea")) == "INT. ATTIC - NIGHT"
    assert scenes.scene(0) is None
    assert scenes.page(text.index("Tea")) is None


def test_a_heading_that_is_struck_out_of_a_work_heads_nothing():
    text = "INT. ATTIC\n\nSnow.\n\n/* INT. CELLAR\n\n*/\n\nTea.\n"
    scenes = ScriptScenes(stored_script(text, "fountain"))
    assert scenes.scene(text.index("Tea")) == "INT. ATTIC"


@pytest.mark.parametrize("content", [None, IndexCorruptError("broken"), OSError("gone")])
def test_a_work_without_a_text_that_can_be_read_has_no_scenes(content):
    works = WorkScenes(Index(content))
    assert works.of("w1", "w1.file") is None
    assert works.of("w2", "w1.file") is None
    script = LoadedScript(TEXT, (Span(0, len(TEXT)),), "fountain")
    row = flagged_row("a", kind=Kind.SCRIPT, passages=(passage(TEXT.index("Tea")),))
    passages = [
        one
        for outcome in with_scenes(row.outcomes, script, works)
        for evidence in outcome.evidence
        for one in evidence.passages
    ]
    assert [(one.asset_scene, one.work_scene) for one in passages] == [("INT. HALL - DAY", None)]


def test_a_work_is_read_once():
    index = Index()
    works = WorkScenes(index)
    assert works.of("w1", "w1.file") is works.of("w1", "w1.file")
    assert index.read == 1


@pytest.mark.parametrize(
    ("page", "scene", "expected"),
    [
        (None, None, ""),
        (1200, None, "page 1,200"),
        (None, "INT. ATTIC", "scene INT. ATTIC"),
        (2, "INT. ATTIC", "page 2, scene INT. ATTIC"),
    ],
)
def test_a_location_in_words(page, scene, expected):
    assert passage_location(page, scene) == expected
