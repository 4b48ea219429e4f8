"""Plain text and Markdown: exactly the file's own characters, in any encoding."""

import codecs
import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_samples import reason

from pipeline.core.errors import Reason
from pipeline.core.records import Fault
from pipeline.load.loaded import Span, lines_of
from pipeline.load.refusal import FileRefusedError
from pipeline.load.script.text_encoding import decode

MARKED = {
    "utf-8-sig": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}
ENGLISH = "INT. KITCHEN - NIGHT\r\n\r\nAnna pours the tea. It steams.\n\tShe waits.\r"


def with_mark(text, encoding):
    return (
        text.encode(encoding)
        if encoding == "utf-8-sig"
        else MARKED[encoding] + text.encode(encoding)
    )


@pytest.mark.parametrize("name", ["a.txt", "a.md"])
@pytest.mark.parametrize(
    "text",
    [
        "words",
        "  white space stays  \n\n",
        "lines\r\nof\rall\nkinds\r\n\r\n",
        "odd separators\x0b\x0c\x1b\x85\u2028\u2029 stay in place",
        "cafe\u0301 is not normalised, ﬁne neither",
        "語 🎬 👩‍👩‍👧 नमस्ते",
        "# Title\n\n*words* [link](http://a) <b>tags</b> `code` are all content\n",
        "a mark \ufeff in the middle",
        "trailing\n" * 3,
    ],
)
def test_text_is_the_file_s_own(read, name, text):
    script = read(name, text.encode())
    assert script.text == text
    assert script.spans == (Span(0, len(text)),)
    assert (script.encoding, script.notes) == ("utf-8", ())
    assert script.format == name[2:]


@pytest.mark.parametrize("encoding", MARKED)
@pytest.mark.parametrize("text", [ENGLISH, "x", "Élan — “语” 🎬\r\n"])
def test_a_byte_order_mark_decides_and_is_no_part_of_the_text(read, encoding, text):
    script = read("a.txt", with_mark(text, encoding))
    assert script.text == text
    assert script.encoding == encoding.removesuffix("-sig")
    assert script.notes == ()


# Few controls, or it is no text; no NUL; no mark at the start, which would be taken for one.
characters = st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\r\n\t")


@given(
    st.text(characters, min_size=1).filter(lambda text: text[0] != "\ufeff"),
    st.sampled_from([*MARKED, "utf-8"]),
)
def test_every_text_survives_in_every_unicode_encoding(text, encoding):
    data = text.encode() if encoding == "utf-8" else with_mark(text, encoding)
    decoded = decode(data)
    assert decoded.text == text
    assert not decoded.guessed


@given(st.binary(max_size=300))
def test_bytes_are_text_or_refused_and_never_changed(data):
    """All bytes but the mark are decoded strictly, by the encoding that is named."""
    try:
        decoded = decode(data)
    except FileRefusedError:
        return
    decoded.text.encode("utf-8")
    mark = codecs.BOM_UTF8 if decoded.encoding == "utf-8" else MARKED.get(decoded.encoding, b"")
    assert decoded.text == data.removeprefix(mark).decode(decoded.encoding, "strict")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_guessed_and_noted(read, encoding):
    script = read("a.txt", ENGLISH.encode(encoding))
    assert (script.text, script.encoding) == (ENGLISH, encoding)
    assert encoding in script.notes[0]


LEGACY = {
    "english": ("cp1252", "“Don’t go,” she says — it’s late. The kettle whistles…\r\n"),
    "english, long": ("cp1252", "She waits and reads the letter twice.\n" * 200 + "It’s late."),
    "french": (
        "cp1252",
        "Élodie s’arrête devant la fenêtre. « Où étais-tu ? » dit-elle, inquiète.\n",
    ),
    "german": ("cp1252", "Der Bär läuft über die Straße, während Käthe draußen Brötchen backt.\n"),
    "spanish": (
        "cp1252",
        "¿Dónde está el niño? La mañana llegó con un cañón de luz, y él calló.\n",
    ),
    "russian": ("cp1251", "Он остановился у окна и долго смотрел на дождь. Где ты была?\n" * 2),
    "japanese": ("cp932", "彼女は窓の前に立って、静かに雨を見ていた。「どこに行ったの」\n" * 2),
}


@pytest.mark.parametrize("language", LEGACY)
def test_legacy_encodings_are_guessed_and_noted(read, language):
    encoding, text = LEGACY[language]
    script = read("a.txt", text.encode(encoding))
    assert script.text == text
    assert script.encoding == encoding
    assert script.notes == (f"The file does not state its encoding; it was read as {encoding}.",)


def test_a_long_line_in_a_legacy_encoding_is_read_in_linear_time():
    """4 MB without a line end, as exports write them. Quadratic time would be hours."""
    started = time.process_time()
    decoded = decode(b"caf\xe9\n" + b"words " * 700_000)
    assert time.process_time() - started < 10
    assert decoded.encoding == "cp1252"
    assert decoded.text.startswith("café\nwords ")


@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)) * 4,
        b"\0",
        b"words\0and a zero",
        codecs.BOM_UTF8 + b"\xff\xfe words",
        codecs.BOM_UTF8 + b"\xed\xa0\x80 a surrogate",
        codecs.BOM_UTF16_LE + b"odd",
        codecs.BOM_UTF16_LE + b"\x00\xd8a\0",
        codecs.BOM_UTF16_BE + b"\xdc\x00\0a",
        codecs.BOM_UTF32_LE + b"\0\0\x11\0",
        codecs.BOM_UTF32_LE + b"\x00\xd8\0\0",
        b"\x01\x02\x03\x04\x05",
    ],
)
def test_bytes_that_are_not_text_are_refused(read, data):
    assert reason(read("a.txt", data)) is Reason.CORRUPT


def test_a_surrogate_that_is_no_character_is_never_let_through(read):
    """CESU-8, as some databases write it: two surrogates in three bytes each."""
    result = read("a.txt", b"clef \xed\xa0\xb4\xed\xb4\x9e here")
    if not hasattr(result, "text"):
        assert reason(result) is Reason.CORRUPT


LANGUAGES = {
    "ru": "Привет, как дела? Это длинный текст для проверки. ",
    "el": "Η γρήγορη αλεπού πηδάει πάνω από το σκυλί. ",
    "fr": "Élodie s’arrête devant la fenêtre. « Où étais-tu cette nuit ? » dit-elle. ",
    "ja": "彼女は窓の前に立って、静かに雨を見ていた。",
    "en": "It’s late — “don’t go,” she says. INT. HOUSE - DAY. ",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_utf_8_with_a_damaged_byte_is_not_read_as_something_else(read, language):
    """Decoded in a legacy encoding it would be other words, which match nothing."""
    text = LANGUAGES[language] * 5
    whole = text.encode()
    cut = (text + "語").encode()[:-1]
    middle = text[: len(text) // 2].encode()
    for data in (cut, middle + b"\xff" + whole[len(middle) :], whole + b"\xc3("):
        result = read("a.txt", data)
        assert reason(result) is Reason.CORRUPT
        assert "UTF-8 but for 1 broken character," in result.detail


def test_a_file_in_two_encodings_is_refused_or_noted(read):
    data = "It’s ".encode() + "café naïve élan été Noël déjà vu — “où” être à côté".encode("cp1252")
    result = read("a.txt", data)
    assert reason(result) is Reason.CORRUPT if isinstance(result, Fault) else result.notes


def test_a_few_controls_are_text_and_many_are_not(read):
    """One in fifty is the bound; tabs, line ends, form feeds and escapes are no controls here."""
    for letters, accepted in ((48, False), (49, True), (50, True)):
        result = read("a.txt", b"\x08" + b"a" * letters)
        assert isinstance(result, Fault) != accepted
    assert not isinstance(read("a.txt", b"a\t\r\n\x0b\x0c\x1b"), Fault)


@pytest.mark.parametrize(
    "data", [b" ", b"\n\t\r\n", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, "\u3000\u2003".encode()]
)
def test_a_file_without_words(read, data):
    for name in ("a.txt", "a.md", "a.fountain", "a.srt", "a.vtt"):
        assert reason(read(name, data)) is Reason.NO_TEXT


@given(st.text(st.sampled_from("ab \r\n\x0b\x0c\x85\u2028")))
def test_lines_have_their_offsets(text):
    lines = list(lines_of(text))
    for line in lines:
        assert text[line.start : line.end] == line.text
        assert "\r" not in line.text
        assert "\n" not in line.text
    ends = "".join(text[a.end : b.start] for a, b in itertools.pairwise(lines))
    assert set(ends) <= {"\r", "\n"}
    expected = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert [line.text for line in lines] == (expected if expected[-1] else expected[:-1])
