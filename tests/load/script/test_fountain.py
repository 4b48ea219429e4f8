"""Fountain: the complete text; its title page and the boneyard are no content."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_samples import check_spans, content, reason

from pipeline.core.errors import Reason
from pipeline.load.script.fountain import LONGEST_TITLE_PAGE, fountain_spans

SCENE = "INT. KITCHEN - NIGHT\n\nANNA\n(quietly)\nThe tea is cold.\n\nCUT TO:\n"


def content_of(read, text):
    script = read("a.fountain", text.encode())
    assert script.text == text
    return content(script)


@pytest.mark.parametrize(
    "title",
    [
        "Title: Tea\n",
        "Title:\n    _**TEA**_\n    a play\nCredit: written by\nAuthor: A. Nobody\n",
        "title: tea\nDraft date: 1/2/2026\nContact:\n\tA street\n\tA town\n",
        "Title: Tea\nMy own key: with a value\n",
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_title_page_is_no_content(read, title, newline):
    whole = (title + "\n" + SCENE).replace("\n", newline)
    (part,) = content_of(read, whole)
    assert part.lstrip() == SCENE.replace("\n", newline)


@pytest.mark.parametrize(
    "text",
    [
        SCENE,
        "FADE IN:\n\n" + SCENE,
        "\n\n" + SCENE,
        "ANNA: I have no key.\n\n" + SCENE,
        "Title: a line that looks like one,\nbut a paragraph goes on here.\n\n" + SCENE,
        "Not a title: at all\n\n" + SCENE,
    ],
)
def test_what_is_no_title_page_is_content(read, text):
    assert content_of(read, text) == [text]


def test_only_a_title_page_is_no_script(read):
    assert reason(read("a.fountain", b"Title: Tea\nAuthor: A. Nobody\n")) is Reason.NO_TEXT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one /* struck */ two", ["one ", " two"]),
        ("one /* struck\n\nover lines */ two", ["one ", " two"]),
        ("/* a */ one /* b *//* c */ two /* d */", [" one ", " two "]),
        ("one /* never closed", ["one /* never closed"]),
        ("one */ never opened", ["one */ never opened"]),
        ("one /* a /* b */ two */ three", ["one ", " two */ three"]),
        ("one /*/ two */ three", ["one ", " three"]),
        ("one /**/ two", ["one ", " two"]),
        ("one [[a note]] two", ["one [[a note]] two"]),
        ("Title: Tea\n\n/* struck */one", ["one"]),
        ("Title: Tea /* odd\n\none */ two", ["\n\none */ two"]),
    ],
)
def test_struck_out_text_is_not_content(read, text, expected):
    assert content_of(read, text) == expected


def test_everything_struck_out(read):
    assert reason(read("a.fountain", b"/* all of it */\n")) is Reason.NO_TEXT


@given(st.lists(st.sampled_from(["/*", "*/", "*", "/", "a", " ", "\n", "Title: b", "é"])))
def test_spans_of_any_text(parts):
    text = "".join(parts)
    spans = fountain_spans(text)
    check_spans(text, spans)
    inside = {place for span in spans for place in range(span.start, span.end)}
    if "/*" not in text and "Title" not in text:
        left = "".join(c for place, c in enumerate(text) if place not in inside)
        assert not left.strip()


@pytest.mark.parametrize(("more", "compared"), [(-1, False), (0, False), (1, True)])
def test_a_title_page_of_some_length_is_content(read, more, compared):
    page = "Title: Tea\nNotes: "
    page += "x" * (LONGEST_TITLE_PAGE - len(page) + more)
    (part,) = content_of(read, f"{page}\n\n{SCENE}")
    assert part.strip() == (f"{page}\n\n{SCENE}" if compared else SCENE).strip()


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("one /* struck */ two", True),
        ("one /* never closed", False),
        ("one */ two", False),
        ("Title: Tea /* odd\n\none */ two", False),
    ],
)
def test_what_was_struck_out_is_noted(read, text, noted):
    notes = read("a.fountain", text.encode()).notes
    assert [note.startswith("Passages that are struck out") for note in notes] == [True] * noted
