"""Two speeches side by side on a page of a PDF come out one after the other."""

import re
import textwrap
import time

import pypdfium2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from load_samples import content, pages_of_runs

from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import LoadedScript
from pipeline.load.script.pdf_process import _without_margin_numbers
from pipeline.stages.text.elements import elements_of

LETTER = 7.2
LEFT, RIGHT, CUE = 108, 324, 50
"""Where columns begin, and how far cues are indented above them."""

SHORT = ["I never said that", "you could have the", "lamp."]
LONG = [
    "And I never said you",
    "couldn't. It stood by",
    "the window for years",
    "before anybody lit it,",
    "before anybody asked",
    "who it belonged to. So",
    "don't tell me now it",
    "was ever yours, or the",
    "house's.",
]


def down(lines, x, y, pitch=12):
    return [(x, y - pitch * number, line) for number, line in enumerate(lines)]


def speech(cue, lines, x, y, indent=CUE):
    return [(x + indent, y, cue), *down(lines, x, y - 12)]


def dual(y=700, left=SHORT, right=LONG, indent=CUE, cues=("JOHN", "MARY")):
    return speech(cues[0], left, LEFT, y, indent), speech(cues[1], right, RIGHT, y, indent)


def across(left, right):
    """Line by line over both columns."""
    return sorted([*left, *right], key=lambda run: (-run[1], run[0]))


def backwards(left, right):
    return [*across(left, right)[::-1]]


def in_one_piece(left, right):
    """Each line over both columns is one string, with spaces."""
    lines = []
    for y in sorted({run[1] for run in [*left, *right]}, reverse=True):
        text = ""
        for x, _, words in sorted(run for run in [*left, *right] if run[1] == y):
            text = text.ljust(round((x - LEFT) / LETTER)) + words
        lines.append((LEFT, y, text))
    return lines


def cues_first(left, right):
    return [left[0], right[0], *left[1:], *right[1:]]


def columns_first(left, right):
    return [*left, *right]


def right_first(left, right):
    return [*right, *left]


ORDERS = [across, backwards, in_one_piece, cues_first, columns_first]


def words_of(text):
    return " ".join(text.split())


def in_order(text, *parts):
    place = 0
    for part in parts:
        place = words_of(text).find(part, place)
        assert place >= 0, (part, text)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("indent", [CUE, 0])
@pytest.mark.parametrize(("left", "right"), [(SHORT, LONG), (LONG, SHORT), (LONG, LONG)])
def test_columns_come_one_after_the_other(read, order, indent, left, right):
    before, after = [(LEFT, 740, "They look at the lamp.")], [(LEFT, 560, "He leaves at once.")]
    page = [*before, *order(*dual(left=left, right=right, indent=indent)), *after]
    script = read("a.pdf", pages_of_runs(page))
    assert content(script) == [
        "\n".join(["They look at the lamp.", "JOHN", *left, "MARY", *right, "He leaves at once."])
    ]


def test_a_complete_right_column_stays_first(read):
    script = read("a.pdf", pages_of_runs(right_first(*dual())))
    assert script.text.split("\n") == ["MARY", *LONG, "JOHN", *SHORT]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("indent", [CUE, 0])
def test_cues_that_come_in_one_line_with_a_very_short_speech(read, order, indent):
    page = order(*dual(left=["m"], right=["x aiqexl nrlflgaxi", "icwgmds u"], indent=indent))
    script = read("a.pdf", pages_of_runs(page))
    assert script.text.split() == ["JOHN", "m", "MARY", "x", "aiqexl", "nrlflgaxi", "icwgmds", "u"]


@pytest.mark.parametrize("order", ORDERS)
def test_cues_of_columns_are_cues(read, order):
    script = read("a.pdf", pages_of_runs(order(*dual())))
    assert [(span.element, script.text[span.start : span.end]) for span in elements_of(script)] == [
        ("character", "JOHN"),
        ("dialogue", "\n".join(SHORT)),
        ("character", "MARY"),
        ("dialogue", "\n".join(LONG)),
    ]


@pytest.mark.parametrize("order", ORDERS)
def test_columns_that_continue_on_the_next_page(read, order):
    first = dual(y=140, left=[*SHORT, "(MORE)"], right=[*LONG[:3], "(MORE)"])
    second = dual(y=700, right=LONG[3:], cues=("JOHN (CONT'D)", "MARY (CONT'D)"))
    pages = [
        [(LEFT, 740, "They look at the lamp."), *order(*first)],
        [(500, 760, "2."), *order(*second), (LEFT, 580, "He leaves.")],
    ]
    script = read("a.pdf", pages_of_runs(*pages))
    assert script.pages == (1, 2)
    assert content(script) == [
        "\n".join(
            ["They look at the lamp.", "JOHN", *SHORT, "(MORE)", "MARY", *LONG[:3], "(MORE)"]
        ),
        "\n".join(["2.", "JOHN (CONT'D)", *SHORT, "MARY (CONT'D)", *LONG[3:], "He leaves."]),
    ]
    cues = [
        script.text[span.start : span.end]
        for span in elements_of(script)
        if span.element == "character"
    ]
    assert cues == ["JOHN", "MARY", "JOHN (CONT'D)", "MARY (CONT'D)"]


@pytest.mark.parametrize("order", [across, in_one_piece, backwards])
def test_columns_that_continue_on_the_next_page_without_cues(read, order):
    left, right = down(LONG, LEFT, 700), down(LONG[::-1], RIGHT, 700)
    script = read("a.pdf", pages_of_runs(order(left, right)))
    in_order(script.text, " ".join(LONG), " ".join(LONG[::-1]))


@pytest.mark.parametrize("order", [across, columns_first, in_one_piece])
def test_two_blocks_on_a_page(read, order):
    blocks = [dual(), dual(y=500, left=LONG, right=SHORT, cues=("DR. POE", "ANNA (O.S.)"))]
    page = [run for block in blocks for run in order(*block)]
    in_order(
        read("a.pdf", pages_of_runs(page)).text,
        f"JOHN {' '.join(SHORT)} MARY {' '.join(LONG)} DR. POE {' '.join(LONG)} ANNA (O.S.)",
    )


def test_words_hyphenated_in_a_column_are_joined(read):
    left, right = ["I will re-", "turn."], ["It is late, over-", "late, al-", "ways."]
    script = read("a.pdf", pages_of_runs(across(*dual(left=left, right=right))))
    assert script.text == "JOHN\nI will return.\nMARY\nIt is late, overlate, always."


def test_one_asterisk_in_the_margin_is_no_third_column(read):
    left, right = dual()
    marks = [(560, y, "*") for y in (688, 676, 664)]
    script = read("a.pdf", pages_of_runs(across([*left], [*right, *marks])))
    in_order(script.text, "JOHN " + " ".join(SHORT), "MARY And I never said you * couldn't.")


LINES = {
    "scene numbers": [
        (60, 700, "12"), (108, 700, "INT. HOUSE - DAY"), (540, 700, "12"),
        (60, 676, "12A"), (108, 676, "EXT. GARDEN - DAY"), (540, 676, "12A"),
        (60, 664, "13"), (108, 664, "INT. HALL - DAY"), (540, 664, "13"),
        (108, 640, "She waits by the window."),
    ],
    "header": [
        (108, 760, "SMALL REPAIRS"), (480, 760, "BLUE 3/5/26"), (540, 760, "7."),
        (108, 748, "CONTINUED:"), (480, 748, "CONTINUED: (2)"),
        (108, 736, "She waits by the window."),
    ],
    "leaders": [
        *down([f"{name} {'.' * 40} {page}" for name, page in
               (("One", 1), ("Two", 20), ("Three", 31), ("and four", 40))], 108, 700),
    ],
    "contents": [
        run for number, name in enumerate(["The lamp", "a window", "the house", "who left"])
        for run in ((108, 700 - 12 * number, name), (520, 700 - 12 * number, str(number * 9)))
    ],
    "title page": [
        (250, 500, "SMALL REPAIRS"),
        (108, 136, "Jane Doe Agency"), (400, 136, "Second draft"),
        (108, 124, "12 Mill Lane"), (400, 124, "3 May 2026"),
        (108, 112, "London"), (400, 112, "Confidential"),
    ],
    "title page in capitals": [
        (108, 136, "JANE DOE"), (400, 136, "SECOND DRAFT"),
        (108, 124, "12 Mill Lane"), (400, 124, "3 May 2026"),
        (108, 112, "London"), (400, 112, "confidential"),
    ],
    "transition": [
        (108, 700, "FADE IN:"), (400, 700, "CUT TO:"),
        (108, 676, "She waits by the window."), (450, 652, "CUT TO:"),
    ],
    "parts": [
        (108, 700, "NAME"), (300, 700, "ROLE"),
        (108, 688, "Anna"), (300, 688, "a nurse, forty"),
        (108, 676, "Ben"), (300, 676, "her brother, who is away"),
        (108, 664, "Carl"), (300, 664, "nobody in particular"),
    ],
    "a line with two runs": [
        (108, 712, "JOHN"), (300, 712, "MARY"),
        (108, 676, "She waits by the window and says nothing at all."),
        (108, 664, "He waits by the door"), (300, 664, "and says as little."),
    ],
}  # fmt: skip


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("name", LINES)
def test_text_that_is_not_a_column_stays_in_its_line(read, name, joined):
    runs = in_one_piece([(max(x, LEFT), y, t) for x, y, t in LINES[name]], []) if joined else None
    data = pages_of_runs(runs or LINES[name])
    document = pypdfium2.PdfDocument(data)
    expected = document[0].get_textpage().get_text_range().replace("\r\n", "\n")
    document.close()
    assert read("a.pdf", data).text == expected


WORD = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=9)


@settings(
    max_examples=40,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(
    st.lists(WORD, min_size=1, max_size=40),
    st.lists(WORD, min_size=1, max_size=40),
    st.integers(16, 27),
    st.sampled_from(ORDERS),
    st.sampled_from([CUE, 0]),
)
def test_every_speech_is_in_one_piece(tmp_path_factory, left, right, width, order, indent):
    sides = [textwrap.wrap(" ".join(words), width) for words in (left, right)]
    if indent == 0 and max(map(len, sides)) < 2:
        return  # two lines with two runs each may be a table
    file = tmp_path_factory.mktemp("pdf") / "a.pdf"
    page = order(*dual(left=sides[0], right=sides[1], indent=indent))
    file.write_bytes(pages_of_runs(page))
    script = load(asset_of(file, file.name), Limits())
    assert isinstance(script, LoadedScript)
    assert script.text.split() == ["JOHN", *left, "MARY", *right]


@settings(max_examples=2000)
@given(line=st.text(alphabet=" \t\n\x1f\xa0\u202815٣AÄ.)x", max_size=14))
def test_margin_numbers_are_removed_as_one_expression_for_the_line_does(line):
    expression = r"\s*(?:\d+[A-Z]?[.)]?\s+)?(.*?)(?:\s+\d+[A-Z]?[.)]?)?\s*"
    match = re.fullmatch(expression, line)
    expected = (match.start(1), match[1]) if match else (0, line)
    assert _without_margin_numbers(line) == expected


@pytest.mark.parametrize("run", ["\xa0", "\t", "7", "7 ", " \n"])
def test_margin_numbers_of_a_long_line_are_removed_in_linear_time(run):
    """Quadratic time would be minutes."""
    started = time.process_time()
    _without_margin_numbers("12 ANNA" + run * 200_000 + "BEN 12")
    assert time.process_time() - started < 2
