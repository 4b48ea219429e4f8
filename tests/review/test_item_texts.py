"""Passages aligned, and whole texts in parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.review.item.texts import MAX_CHARACTERS, WINDOW, Aligned, aligned, whole_text

ASSET = "One line before.\n\nThe cat sat on the red mat\nand would not move at all.\n\nAfter."
WORK = "Other.\n\nThe cat sat on the old blue mat\nand could not move at all.\n\nEnd."


def span(text: str, first: str, last: str) -> tuple[int, int]:
    return text.index(first), text.index(last) + len(last)


def both(alignment: Aligned, side: str) -> str:
    return "".join(piece.text for row in alignment.rows for piece in getattr(row, side))


def marked(alignment: Aligned, side: str) -> list[str]:
    return [
        piece.text for row in alignment.rows for piece in getattr(row, side) if not piece.shared
    ]


def compared() -> Aligned:
    alignment = aligned(ASSET, span(ASSET, "The", "at all"), WORK, span(WORK, "The", "at all"))
    assert alignment is not None
    return alignment


def test_words_that_the_other_side_does_not_have_are_marked_without_the_space_around_them():
    alignment = compared()
    assert marked(alignment, "asset") == ["red", "would"]
    assert marked(alignment, "work") == ["old blue", "could"]
    assert alignment.changed == (2, 3)


def test_a_passage_is_shown_completely():
    alignment = compared()
    assert both(alignment, "asset") == "The cat sat on the red mat\nand would not move at all"
    assert both(alignment, "work") == "The cat sat on the old blue mat\nand could not move at all"
    assert alignment.left_out == 0
    assert alignment.before == ("One line before.\n\n", "Other.\n\n")
    assert alignment.after == (".\n\nAfter.", ".\n\nEnd.")


def test_stored_runs_are_followed_and_what_differs_within_them_is_marked():
    """A stage need not compare speakers' names, so a run may span two names."""
    asset, work = "ANNA\nI said no. BOB\nYou did.", "CARA\nI said no. DAVE\nYou did."
    runs = [(5, len(asset), 5, len(work))]
    alignment = aligned(asset, (0, len(asset)), work, (0, len(work)), runs)
    assert alignment is not None
    assert marked(alignment, "asset") == ["ANNA", "BOB"]
    assert marked(alignment, "work") == ["CARA", "DAVE"]


@pytest.mark.parametrize("runs", [True, False], ids=["stored runs", "compared anew"])
def test_a_long_passage_that_agrees_word_for_word_has_no_word_marked(runs):
    text = "".join(
        f"Line {number} of a long scene that was lifted whole.\n" for number in range(900)
    )
    work = f"Before it.\n{text}"
    work_span = (len(work) - len(text), len(work))
    stored = [(0, len(text), *work_span)] if runs else []
    alignment = aligned(text, (0, len(text)), work, work_span, stored)
    assert alignment is not None
    assert alignment.left_out > 0
    assert alignment.changed == (0, 0)
    assert marked(alignment, "asset") == marked(alignment, "work") == []
    assert (
        both(alignment, "asset")
        == both(alignment, "work")
        == text[: len(text) - alignment.left_out]
    )
    assert len(text) - alignment.left_out > MAX_CHARACTERS - 100


def test_a_long_run_with_names_changed_is_cut_at_the_same_words_on_both_sides():
    """A run may go over words that are not compared; here one side has more of them."""
    asset = "".join(f"ANNA\nLine {number} is said.\n" for number in range(900))
    work = "".join(f"OLD CARA LEE\nLine {number} is said.\n" for number in range(900))
    alignment = aligned(
        asset, (0, len(asset)), work, (0, len(work)), [(0, len(asset), 0, len(work))]
    )
    assert alignment is not None
    assert set(marked(alignment, "asset")) == {"ANNA"}
    assert both(alignment, "work").count("OLD CARA LEE") == both(alignment, "work").count("Line")


def test_what_the_work_has_in_another_order_is_a_row_that_says_so():
    asset = "first part of it. second part of it."
    work = "second part of it. first part of it."
    runs = [(0, 16, 19, 35), (18, 35, 0, 17)]
    alignment = aligned(asset, (0, len(asset)), work, (0, len(work)), runs)
    assert alignment is not None
    assert [row.moved for row in alignment.rows] == [False, True]
    assert "".join(p.text for p in alignment.rows[1].work).startswith("second part of it")


def test_long_passages_are_cut_and_say_what_is_left_out():
    text = "word and other word\n" * 600
    runs = [(n * 20, n * 20 + 19, n * 20, n * 20 + 19) for n in range(600)]
    alignment = aligned(text, (0, len(text)), text, (0, len(text)), runs)
    assert alignment is not None
    assert 0 < len(text) - alignment.left_out <= MAX_CHARACTERS
    assert len(both(alignment, "asset")) == len(text) - alignment.left_out
    assert len(alignment.rows) > 10
    assert alignment.after == ("", "")


@pytest.mark.parametrize("span_outside", [(0, 500), (5, 5), (-1, 4), (9, 3)])
def test_a_span_that_is_not_in_the_text_is_none(span_outside):
    assert aligned("short text", span_outside, WORK, (0, 5)) is None


def test_characters_that_act_are_shown_and_not_obeyed():
    text = "a \u202eb c\x1b[0m d"
    alignment = aligned(text, (0, len(text)), "a x d", (0, 5))
    assert alignment is not None
    assert "\u202e" not in both(alignment, "asset")
    assert "\x1b" not in both(alignment, "asset")


words = st.lists(st.sampled_from(["a", "b", "c", "d,", "e\n", "f.\n\n"]), min_size=1, max_size=60)


@given(words, words)
def test_the_rows_of_any_two_texts_hold_all_of_both(one, other):
    asset, work = " ".join(one), " ".join(other)
    alignment = aligned(asset, (0, len(asset)), work, (0, len(work)))
    assert alignment is not None
    assert both(alignment, "asset") == asset
    assert both(alignment, "work") == work
    changed = sum(len(piece.split()) for piece in marked(alignment, "asset"))
    assert changed == alignment.changed[0]


def test_parts_of_a_text_follow_each_other_and_are_found_from_any_offset():
    text = "".join(f"line {n} of a long script\n" for n in range(6000))
    at, read = 0, ""
    while True:
        part = whole_text(text, at, ())
        assert part.start <= at < part.end
        assert whole_text(text, part.end - 1, ()) == part
        read += "".join(piece.text for piece in part.pieces)
        if part.after is None:
            break
        assert text[part.end - 1] == "\n"
        assert whole_text(text, part.after, ()).before == part.start
        at = part.after
    assert read == text
    assert len(text) / WINDOW > 3


def test_passages_are_marked_where_they_begin_and_nowhere_twice():
    text = "0123456789" * 10
    part = whole_text(text, 0, [(5, 20), (15, 30), (90, 100)])
    assert "".join(piece.text for piece in part.pieces) == text
    assert [(p.text, p.passage) for p in part.pieces if p.starts] == [
        (text[5:15], 0),
        (text[90:100], 2),
    ]
    assert sum(len(p.text) for p in part.pieces if p.passage is not None) == 25 + 10


@pytest.mark.parametrize("at", [-5, 0, 3, 10**9])
def test_an_offset_outside_of_the_text_means_its_nearest_end(at):
    assert whole_text("abc", at, ()).length == 3
    assert whole_text("", at, ()).pieces == ()
