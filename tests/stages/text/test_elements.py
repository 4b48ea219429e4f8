"""Elements of scripts: the same script in several formats has the same ones."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import LoadedScript, Span
from pipeline.stages.text.elements import PART_OF_ELEMENT, Part, elements_of, parts_of

SCENE = """INT. KITCHEN - NIGHT

Anna pours the tea.

ANNA
(quietly)
The tea is cold.

BEN (O.S.)
It always was.
And it always will be.

CUT TO:

EXT. GARDEN - DAY

Rain.
"""
EXPECTED = [
    ("scene heading", "INT. KITCHEN - NIGHT"),
    ("action", "Anna pours the tea."),
    ("character", "ANNA"),
    ("parenthetical", "(quietly)"),
    ("dialogue", "The tea is cold."),
    ("character", "BEN (O.S.)"),
    ("dialogue", "It always was.\nAnd it always will be."),
    ("transition", "CUT TO:"),
    ("scene heading", "EXT. GARDEN - DAY"),
    ("action", "Rain."),
]


def script(text, script_format="txt"):
    return LoadedScript(text, (Span(0, len(text)),), script_format)


def listed(loaded):
    return [
        (span.element, re.sub(r"\s*\n\s*", "\n", loaded.text[span.start : span.end]))
        for span in elements_of(loaded)
    ]


@pytest.mark.parametrize("script_format", ["fountain", "txt", "md"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_scene_by_its_layout(script_format, newline):
    elements = listed(script(SCENE.replace("\n", newline), script_format))
    assert [
        (element, text.replace("\r", "\n").replace("\n\n", "\n")) for element, text in elements
    ] == EXPECTED


def test_indented_scripts_have_the_same_elements():
    widths = {"ANNA": 20, "(quiet": 15, "The te": 10, "BEN": 20, "It alw": 10, "And it": 10}
    lines = [
        " " * next((n for word, n in widths.items() if line.startswith(word)), 0) + line
        for line in SCENE.split("\n")
    ]
    assert listed(script("\n".join(lines))) == EXPECTED


@pytest.mark.parametrize(
    ("line", "element"),
    [
        (".FORCED HEADING", "scene heading"),
        ("@McAvoy\nHe speaks.", "character"),
        ("> FADE TO BLACK", "transition"),
        (">centred<", "action"),
        ("!INT. no heading", "action"),
        ("# A section", "section"),
        ("~ A song", "lyrics"),
        ("...and then", "action"),
    ],
)
def test_forced_elements_of_fountain(line, element):
    assert listed(script(f"Before.\n\n{line}\n", "fountain"))[1][0] == element


@pytest.mark.parametrize(
    "text",
    [
        "NOBODY SPEAKS AFTER THIS",
        "WHAT IS THIS?\nA question in capitals is no name.",
        "SHE IS ALL\nIN CAPITALS HERE",
        "A line that ends a page\nAND SHOUTS",
        "HE SAID, AND HE SAID AGAIN, THAT IT WAS LATE\nand so it was",
        "internal affairs were his",
        "Actually the scene is set",
    ],
)
def test_what_could_be_words_is_compared(text):
    elements = elements_of(script(f"Before.\n\n{text}\n\nAfter."))
    assert {PART_OF_ELEMENT.get(span.element, Part.COMPARED) for span in elements} == {
        Part.COMPARED
    }


@pytest.mark.parametrize(
    "line", ["(MORE)", "(CONT'D)", "CONTINUED:", "12.", "- 7 -", "Page 3 of 90"]
)
def test_page_furniture(line):
    assert ("furniture", line) in listed(script(f"One line\n\n{line}\n\nand another"))


@pytest.mark.parametrize(
    "line", ["ACT 2", "Act II, Scene 3", "ACTUS QUARTUS. SCENA PRIMA.", "SCENE 1", "SCŒNA TERTIA"]
)
def test_acts_and_scenes_of_plays(line):
    assert ("scene heading", line) in listed(script(f"He leaves.\n\n{line}\n\nEnter another."))


def test_a_title_page_in_plain_text_is_recognised():
    elements = listed(script("Title: Tea\nAuthor: A. Nobody\n\n" + SCENE))
    assert elements == [("title page", "Title: Tea\nAuthor: A. Nobody"), *EXPECTED]


def test_word_and_pdf_have_no_blank_lines():
    text = SCENE.replace("\n\n", "\n").strip()
    lines = text.split("\n")
    spans, at = [], 0
    for line in lines:
        spans.append(Span(at, at + len(line)))
        at += len(line) + 1
    assert listed(LoadedScript(text, tuple(spans), "docx")) == EXPECTED
    assert listed(LoadedScript(text, (Span(0, len(text)),), "pdf")) == EXPECTED


@pytest.mark.parametrize(("pages", "recognised"), [(2, False), (3, True), (9, True)])
def test_running_heads_of_pages(pages, recognised):
    texts = [f"Small Repairs, draft {n}\nAnna waits at quay {n}.\nRev. {n}" for n in range(pages)]
    spans, at = [], 0
    for text in texts:
        spans.append(Span(at, at + len(text)))
        at += len(text) + 1
    script = LoadedScript("\n".join(texts), tuple(spans), "pdf", pages=tuple(range(1, pages + 1)))
    furniture = [text for element, text in listed(script) if element == "furniture"]
    heads = [line for n in range(pages) for line in (f"Small Repairs, draft {n}", f"Rev. {n}")]
    assert furniture == (heads if recognised else [])


DUAL = """JOHN
Hello there.

{cue}
(at once)
Good bye, I say.

He leaves.
"""


@pytest.mark.parametrize("cue", ["MARY ^", "MARY^", "MARY (O.S.) ^", "@Mary ^", "@McAvoy^"])
def test_dual_dialogue_of_fountain(cue):
    name = cue.strip("@^ ")
    assert listed(script(DUAL.format(cue=cue), "fountain")) == [
        ("character", "JOHN"),
        ("dialogue", "Hello there."),
        ("character", name),
        ("parenthetical", "(at once)"),
        ("dialogue", "Good bye, I say."),
        ("action", "He leaves."),
    ]


def test_named_elements_are_taken_as_they_are():
    spans = (Span(0, 4, "character"), Span(5, 9, "dialogue"))
    assert elements_of(LoadedScript("ANNA\nTea.", spans, "fdx")) == spans


@given(
    st.lists(
        st.sampled_from(
            ["ANNA", "(so)", "Tea 🎬.", "INT. HALL", "CUT TO:", "", "#", ">", "12", "\t", "e\u0301"]
        )
    ),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["fountain", "txt", "pdf", "docx"]),
)
def test_elements_cover_every_letter_in_order(lines, newline, script_format):
    text = newline.join(lines)
    elements = elements_of(script(text, script_format))
    offsets = [offset for span in elements for offset in (span.start, span.end)]
    assert offsets == sorted(offsets)
    inside = {offset for span in elements for offset in range(span.start, span.end)}
    assert all(offset in inside for offset, letter in enumerate(text) if letter.isalnum())


TOOLS = os.environ.get("CLEARANCE_SCREENPLAYS")


def plainly(elements):
    """Fade In keeps neither brackets around a parenthetical nor capitals of a heading."""
    return [(element, text.strip("()").upper()) for element, text in elements]


@pytest.mark.skipif(TOOLS is None, reason="set CLEARANCE_SCREENPLAYS to real screenplays")
@pytest.mark.parametrize("writer", ["FD", "FI"])
def test_one_script_in_several_formats_has_the_same_elements(writer):
    lists = []
    for file in sorted(Path(TOOLS).glob(f"TestFDX-{writer}.f*")):
        loaded = load(asset_of(file, file.name), Limits())
        assert isinstance(loaded, LoadedScript), loaded
        lists.append(plainly(listed(loaded)))
    assert len(lists) >= 2
    assert all(one == lists[0] for one in lists)


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        (".QUAY #12A#", "QUAY"),
        (".QUAY  #1# #2#", "QUAY  #1#"),
        (".QUAY #", "QUAY #"),
        (".QUAY 1#", "QUAY 1#"),
        (".QUAY ##", "QUAY"),
    ],
)
def test_a_fountain_scene_number_is_no_part_of_its_heading(heading, words):
    text = f"{heading}\n\nRain.\n"
    (span, _) = elements_of(LoadedScript(text, (Span(0, len(text)),), "fountain"))
    assert text[span.start : span.end] == words


def test_a_heading_of_blanks_costs_no_more_than_its_length():
    text = ".A" + " " * 2_000_000 + "B\n"
    assert elements_of(LoadedScript(text, (Span(0, len(text)),), "fountain"))


@pytest.mark.parametrize(
    ("sizes", "script_format", "opened"),
    [
        ([(Part.HEADING, 40)], "fdx", False),
        ([(Part.HEADING, 41)], "fdx", True),
        ([(Part.HEADING, 20), (Part.CUE, 20)], "fadein", False),
        ([(Part.HEADING, 20), (Part.CUE, 1), (Part.TRANSITION, 20)], "fountain", True),
        ([(Part.HEADING, 41)], "txt", False),
    ],
)
def test_a_long_run_of_headings_and_cues_is_compared(sizes, script_format, opened):
    between = [(Part.COMPARED, 5)]
    parts = parts_of([*between, *sizes, *between, (Part.CUE, 2)], script_format)
    expected = [Part.COMPARED] * len(sizes) if opened else [part for part, _ in sizes]
    assert parts == [Part.COMPARED, *expected, Part.COMPARED, Part.CUE]
