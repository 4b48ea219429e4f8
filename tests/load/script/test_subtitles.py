"""SubRip and WebVTT: spoken lines are content; counters, times, tags and notes are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_samples import check_spans, content, reason

from pipeline.core.errors import Reason
from pipeline.load.script.subtitles import srt_spans, vtt_spans

SRT = (
    "1\n00:00:01,000 --> 00:00:02,500\nHello there.\n\n"
    "2\n00:00:03,000 --> 00:00:04,000\n- Who is it?\n- <i>Nobody</i> you know.\n"
)
VTT = (
    "WEBVTT - a title\nKind: captions\n\nNOTE made by hand\nand no content\n\n"
    "STYLE\n::cue { color: red }\n\nREGION\nid:fred\n\n"
    "intro\n00:01.000 --> 00:02.500 align:start position:0%\n<v Anna>Hello <b>there</b>.\n\n"
    "01:00:03.000 --> 01:00:04.000\n<00:03.500>Who <c.loud>is</c> it?\nNobody.\n"
)


def spoken(read, name, text):
    script = read(name, text.encode())
    assert script.text == text, "the text keeps what is no content"
    assert {span.element for span in script.spans} == {"dialogue"}
    return content(script)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_subrip(read, newline):
    lines = spoken(read, "a.srt", SRT.replace("\n", newline))
    assert lines == ["Hello there.", f"- Who is it?{newline}- ", "Nobody", " you know."]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_webvtt(read, newline):
    lines = spoken(read, "a.vtt", VTT.replace("\n", newline))
    assert lines == ["Hello ", "there", ".", "Who ", "is", f" it?{newline}Nobody."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Malformed files, whose words are still read.
        ("00:00:01,000 --> 00:00:02,000\nNo counter.", ["No counter."]),
        ("1\n00:00:01.000 --> 00:00:02.000\nPoints.", ["Points."]),
        ("1\n0:0:1,0-->0:0:2,0\nShort.", ["Short."]),
        ("1\n00:00:01,000 --> 00:00:02,000 X1:1 X2:2\nPlaced.", ["Placed."]),
        ("1\n00:00:01,000 --> 00:00:02,000\nTwo.\n2\n00:00:03,000 --> 00:00:04,000\nStuck.",
         ["Two.", "Stuck."]),
        ("1\n00:00:01,000 --> 00:00:02,000\nA gap\n\ninside.", ["A gap", "inside."]),
        ("1\n00:00:01,000 --> 00:00:02,000\n42\n\n", ["42"]),
        ("1\n00:00:01,000 --> 00:00:02,000\n1984\nwas a year.\n", ["1984\nwas a year."]),
        ("no times at all", ["no times at all"]),
        # Tags, and text that only looks like one.
        ("1\n00:00:01,000 --> 00:00:02,000\n{\\an8}Above <font color=\"red\">red</font>.",
         ["Above ", "red", "."]),
        ("1\n00:00:01,000 --> 00:00:02,000\nI <3 you, 2 < 3 > 1", ["I <3 you, 2 < 3 > 1"]),
        ("1\n00:00:01,000 --> 00:00:02,000\n<i></i>\n", None),
        ("1\n00:00:01,000 --> 00:00:02,000\n\n", None),
        ("00:00:01,000 --> 00:00:02,000", None),
    ],
)  # fmt: skip
def test_irregular_subrip(read, text, expected):
    if expected is None:
        assert reason(read("a.srt", text.encode())) is Reason.NO_TEXT
    else:
        assert spoken(read, "a.srt", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nPlain.", ["Plain."]),
        ("\ufeffWEBVTT\n\n00:01.000 --> 00:02.000\nWith a mark.", ["With a mark."]),
        ("00:01.000 --> 00:02.000\nNo header.", ["No header."]),
        # A line of times starts a cue at any position, as it does for players.
        ("WEBVTT\n00:01.000 --> 00:02.000\nRight below.", ["Right below."]),
        ("WEBVTT\n\nNOTE\n00:01.000 --> 00:02.000\nIn a note.", ["In a note."]),
        ("WEBVTT\n\nSTYLE\n00:01.000 --> 00:02.000\nStyle is a name.", ["Style is a name."]),
        ("WEBVTT\n\nNOTE nothing\n\n00:01.000 --> 00:02.000\nNOTE is said.", ["NOTE is said."]),
        ("WEBVTT\n\nNOTES on a scene\n", ["NOTES on a scene"]),
        ("WEBVTT\n\n1\n00:01.000 --> 00:02.000\n2\n\n", ["2"]),
        ("WEBVTT\n\nNOTE nothing\n", None),
        ("WEBVTT", None),
    ],
)
def test_irregular_webvtt(read, text, expected):
    if expected is None:
        assert reason(read("a.vtt", text.encode())) is Reason.NO_TEXT
        return
    script = read("a.vtt", text.encode())
    assert script.text == text.removeprefix("\ufeff")
    assert content(script) == expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252"])
def test_encodings(read, encoding):
    line = "Où étais-tu ? Élodie s’arrête là, très inquiète, à côté de la fenêtre."
    text = f"1\r\n00:00:01,000 --> 00:00:02,000\r\n{line}\r\n"
    script = read("a.srt", text.encode(encoding))
    assert script.text == text
    assert content(script) == [line]


word = st.text("abcé'!?,.語 ", min_size=1).filter(lambda line: line.strip())
cues = st.lists(st.lists(word, min_size=1, max_size=3), min_size=1, max_size=5)


@given(cues, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.booleans())
def test_every_word_of_a_well_formed_file_and_nothing_else(said_lines, newline, comma, counted):
    blocks = []
    for number, lines in enumerate(said_lines, 1):
        times = f"00:00:{number:02},000 --> 00:00:{number:02},900"
        counter = [str(number)] if counted else []
        blocks.append(newline.join([*counter, times if comma else times.replace(",", "."), *lines]))
    text = (2 * newline).join(blocks)
    expected = [newline.join(lines) for lines in said_lines]
    for spans in (srt_spans(text), vtt_spans(f"{text}")):
        check_spans(text, spans)
        assert [text[span.start : span.end] for span in spans] == expected


pieces = st.sampled_from(
    ["1", "00:01.000 --> 00:02.000", "WEBVTT", "NOTE", "STYLE", "\n", "\r\n", "\r", "<i>", "</",
     "<", ">", "{\\an8}", "{", "}", "word", " ", "\t", "\u2028", "-->", "<v A>", "<1>"]
)  # fmt: skip


@given(st.lists(pieces, max_size=30))
def test_spans_of_any_text(parts):
    text = "".join(parts)
    for spans in (srt_spans(text), vtt_spans(text)):
        check_spans(text, spans)
        for span in spans:
            assert text[span.start : span.end].strip()
    spoken = "".join(text[span.start : span.end] for span in srt_spans(text))
    assert spoken.count("word") == text.count("word") or "<" in text or "{" in text or "-->" in text
