import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.wording.visible import visible


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
