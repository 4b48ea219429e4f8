"""Untrusted text is escaped, and reasons that are stored as one text are split into sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.wording.text import format_title, reasons_in_one_line, sentences, visible

LEAD = "Escalate: evidence of copying from “Poems. Vol. 2” (W-1), held by W. H. Auden Inc. Ltd."
SEEN = "About 98% of its picture is seen in about 25% of the asset: 38 local features agree."
OTHER = "1 other work has evidence as well: “Stop. Here” (W-2)."
FACTOR = "The embeddings (clearance-mini) have a cosine similarity of 0.65, seldom above 0.14."


def test_full_stops_in_names_end_no_sentence():
    reasons = (LEAD, FACTOR, SEEN, OTHER)
    assert (
        sentences(" ".join(reasons), ("Poems. Vol. 2", "W. H. Auden Inc. Ltd", None, "")) == reasons
    )


def test_an_initial_of_an_unknown_name_ends_no_sentence():
    reasons = ("Ann B. Clark said on 2026-01-02 that the match is false.", OTHER)
    assert sentences(" ".join(reasons)) == reasons


@given(st.text(), st.lists(st.text()))
def test_nothing_is_lost(text, names):
    assert " ".join(sentences(text, names)) == " ".join(text.split())


@pytest.mark.parametrize(
    ("reasons", "line"),
    [
        ((LEAD, SEEN), SEEN),
        ((LEAD,), LEAD.removeprefix("Escalate: e").join(("E", ""))),
        (
            ("Escalate: the file is, byte for byte, a registered file of “X” (W-1).", SEEN),
            f"The file is, byte for byte, a registered file of “X” (W-1). {SEEN}",
        ),
        (("Not screened: no stage could judge it.",), "No stage could judge it."),
        (("No match found among 5 works.",), "No match found among 5 works."),
        ((), ""),
    ],
)
def test_one_line_without_band_and_work(reasons, line):
    assert reasons_in_one_line(" ".join(reasons), ("W. H. Auden Inc. Ltd",)) == line


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain.png", "plain.png"),
        ("two\nlines", "two\\nlines"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("photo\u202egnp.exe", "photo\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("żółw – naïve", "żółw – naïve"),
    ],
)
def test_text_that_could_act_is_shown_as_escapes(text, escaped):
    assert visible(text) == escaped


@given(st.text())
def test_what_is_shown_is_one_line_that_prints(text):
    line = visible(text)
    assert len(line.splitlines()) <= 1
    line.encode()
    assert "\x1b" not in line


def test_newlines_stay_where_they_are_wanted():
    assert visible("a\nb\tc", keep_newlines=True) == "a\nb\\tc"


@pytest.mark.parametrize(
    ("stored", "title"),
    [("fdx", "Final Draft"), ("pdf", "PDF"), ("JPEG", "JPEG"), ("script", "Script"), ("", "")],
)
def test_formats_are_named_as_people_name_them(stored, title):
    assert format_title(stored) == title
