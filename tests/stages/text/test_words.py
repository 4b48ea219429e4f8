import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from pipeline.load.loaded import LoadedScript, Span
from pipeline.stages.text.confusables import script_of
from pipeline.stages.text.words import (
    BIDI,
    CONFUSABLE,
    INVISIBLE,
    SOFT,
    STRUCK,
    STYLED,
    normalised,
    segmentation_fault,
    shingles_of,
    words_of,
)


def script(text, spans=None):
    return LoadedScript(text, spans or (Span(0, len(text)),), "txt")


def words(text):
    actual = words_of(script(text))
    return [text[a:b] for a, b in zip(actual.start, actual.end, strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don’t go — it's late.", ["Don’t", "go", "it's", "late"]),
        ("'quoted' words'", ["quoted", "words"]),
        ("well-known 3rd café", ["well", "known", "3rd", "café"]),
        ("cafe\u0301 soft\u00adhyphen", ["cafe\u0301", "soft\u00adhyphen"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("我爱你 hello", ["我", "爱", "你", "hello"]),
        ("これはペン", ["こ", "れ", "は", "ペ", "ン"]),
        ("_under_score_", ["under", "score"]),
        ("", []),
        ("… — !", []),
    ],
)
def test_words_with_their_offsets(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("DON’T", "don't"),
        ("dont", "don't"),
        ("ﬁne", "fine"),
        ("ＷＩＤＥ", "wide"),
        ("caf\u00e9", "cafe\u0301"),
        ("STRASSE", "straße"),
        ("soft\u00adhyphen", "softhyphen"),
        ("zero\u200bwidth", "zerowidth"),
    ],
)
def test_words_that_are_the_same_word(one, other):
    assert normalised(one) == normalised(other)
    assert (words_of(script(one)).hashes == words_of(script(other)).hashes).all()


def test_words_that_differ_stay_different():
    assert normalised("resume") != normalised("résumé")


@given(st.text())
def test_offsets_are_in_order_and_inside_the_text(text):
    actual = words_of(script(text))
    assert len(actual.hashes) == len(actual.start) == len(actual.end)
    offsets = np.stack([actual.start, actual.end], axis=1).reshape(-1)
    assert (np.diff(offsets) >= 0).all()
    assert (actual.end > actual.start).all()
    assert not len(offsets) or (offsets[0] >= 0 and offsets[-1] <= len(text))


@given(st.lists(st.sampled_from(["alpha", "Beta", "gamma’s", "δέλτα", "五"]), max_size=30))
def test_layout_does_not_matter(items):
    one = words_of(script(" ".join(items)))
    other = words_of(script("\r\n\t".join(item.upper() for item in items) + "."))
    assert (one.hashes == other.hashes).all()


def test_only_content_spans_are_read_and_no_word_crosses_their_ends():
    text = "00:01 hello there\nworld"
    actual = words_of(script(text, (Span(6, 11), Span(12, 15), Span(18, 23))))
    assert [text[a:b] for a, b in zip(actual.start, actual.end, strict=True)] == [
        "hello",
        "the",
        "world",
    ]


@given(st.lists(st.integers(1, 2**64 - 1), max_size=20), st.integers(1, 5))
def test_a_shingle_for_each_run_of_words(values, length):
    hashes = np.array(values, np.uint64)
    shingles = shingles_of(hashes, length)
    assert len(shingles) == max(0, len(values) - length + 1)
    for place, shingle in enumerate(shingles):
        assert shingle == shingles_of(hashes[place : place + length], length)[0]


def test_the_order_of_words_matters():
    a, b = np.array([1, 2, 3], np.uint64), np.array([3, 2, 1], np.uint64)
    assert shingles_of(a, 3)[0] != shingles_of(b, 3)[0]


CYRILLIC = str.maketrans("aeopcxyi", "аеорсхуі")


@pytest.mark.parametrize(
    ("obfuscated", "plain", "name", "count"),
    [
        ("The captain of the ship".translate(CYRILLIC), "The captain of the ship", CONFUSABLE, 10),
        ("Тhe ferry", "The ferry", CONFUSABLE, 1),
        ("the ca\u200bptain", "the captain", INVISIBLE, 1),
        ("the \u202eship\u202c", "the ship", BIDI, 2),
        ("the ship\u00adyard", "the shipyard", SOFT, 1),
        ("the ｓｈｉｐ", "the ship", STYLED, 4),
        ("the 𝓼𝓱𝓲𝓹 sails", "the ship sails", STYLED, 4),
        ("the ⓢⓗⓘⓟ sails", "the ship sails", STYLED, 4),
        ("the 🅢🅷ip sails", "the ship sails", STYLED, 2),
        ("the ⒮⒣ip sails", "the ship sails", STYLED, 2),
        ("the s\u0336h\u0332i\u20ddp sails", "the ship sails", STRUCK, 3),
        ("the ѕһір sails tonight", "the ship sails tonight", CONFUSABLE, 4),
        ("the mоther and the tеnth night", "the mother and the tenth night", CONFUSABLE, 2),
    ],
)
def test_obfuscation_is_undone_and_counted(obfuscated, plain, name, count):
    actual, expected = words_of(script(obfuscated)), words_of(script(plain))
    assert actual.hashes.tolist() == expected.hashes.tolist()
    assert actual.obfuscation == {name: count}
    assert expected.obfuscation == {}


@pytest.mark.parametrize(
    "code",
    [
        0x80, 0x17B4, 0x180B, 0x2065, 0x206A, 0xFE0F, 0xFFA0, 0xFFF0, 0xFFF9, 0x1BCA0, 0x1D173,
        0xE0000, 0xE0041, 0xE0100, 0xE0FFF,
    ],
)  # fmt: skip
def test_no_invisible_character_hides_a_word(code):
    plain = "the captain of the ship"
    actual = words_of(script(plain.replace("cap", f"cap{chr(code)}")))
    assert actual.hashes.tolist() == words_of(script(plain)).hashes.tolist()
    assert actual.obfuscation == {INVISIBLE: 1}


@pytest.mark.parametrize("text", ["a red heart ❤\ufe0f for her", "葛\U000e0100城市"])
def test_a_picture_or_a_han_character_with_a_variation_hides_nothing(text):
    assert words_of(script(text)).obfuscation == {}


def test_marks_that_are_no_accent_hide_no_word():
    plain, obfuscated = "она сказала прямо", "она\u0301 сказа\u0301ла пря\u0301мо"
    assert words_of(script(obfuscated)).hashes.tolist() == words_of(script(plain)).hashes.tolist()
    assert normalised("cafe\u0301\u0336") == "café"
    assert normalised("İstanbul") == normalised("i\u0307stanbul") == "istanbul"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ferry" + "\u0301\u0323" * 500_000, id="marks heaped on a letter"),
        pytest.param("ferry" + "\u0301" * 2_000_000, id="one mark heaped on a letter"),
        pytest.param("aa bb cc dd " + "aa-\nBb cc-\nDd " * 150_000, id="words parted"),
    ],
)
def test_a_hostile_text_costs_no_more_than_its_length(text):
    assert len(words_of(script(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The ferry left at six. " * 9, None),
        ("A B C. The ferry left at six.", None),
        (" ".join("The ferry left at six. " * 9), "single letters"),
        ("\n".join("The ferry left at six. " * 9), "single letters"),
        ("\u200a".join("паром ушёл в шесть"), "single letters"),
        ("theferryleftatsixasitalwaysdid " * 9, "letters on average"),
        ("t" + "h\u0336\u0301" * 12 + "e " * 1 + "ferry left " * 3, None),
        ("フェリーは六時に出た。" * 9, None),
        ("", None),
    ],
)
def test_text_that_can_not_be_split_into_words(text, expected):
    fault = segmentation_fault(text, words_of(script(text)))
    assert (fault is None) if expected is None else (fault is not None and expected in fault)


@pytest.mark.parametrize(
    "text",
    [
        "Он сказал, что сор и рост не одно и то же, а потом ушёл.",
        "Ο καπετάνιος του πλοίου είπε ότι δεν ξέρει τον δρόμο.",
        "Er sagte «нет» und ging über die Straße nach Hause.",
    ],
)
def test_a_text_of_its_own_script_stays_itself(text):
    assert words_of(script(text)).obfuscation == {}
    assert normalised("сказал", "Cyrillic") == "сказал"


def test_latin_letters_in_a_russian_word_are_undone():
    plain = "Капитан сказал, что корабль уходит на рассвете и никто не придёт"
    obfuscated = plain.replace("Капитан", "Kапитaн")
    actual = words_of(script(obfuscated))
    assert actual.hashes.tolist() == words_of(script(plain)).hashes.tolist()
    assert actual.obfuscation == {CONFUSABLE: 2}


def test_a_soft_hyphen_at_the_end_of_a_line_is_one_too():
    assert words("poc\u00ad\nkets and li\u00ad\r\n  ghts") == [
        "poc\u00ad\nkets", "and", "li\u00ad\r\n  ghts",
    ]  # fmt: skip
    actual = words_of(script("poc\u00ad\nkets and li\u00ad\r\n  ghts"))
    assert actual.hashes.tolist() == words_of(script("pockets and lights")).hashes.tolist()


@pytest.mark.parametrize("newline", ["\n", "\r\n", " \n  "])
def test_hyphens_at_the_end_of_a_line(newline):
    text = f"a won-{newline}derful thing, a well-{newline}known one; a known man is well."
    assert words(text) == [
        "a", f"won-{newline}derful", "thing", "a", "well", "known", "one", "a", "known", "man",
        "is", "well",
    ]  # fmt: skip
    plain = "a wonderful thing, a well-known one; a known man is well."
    assert words_of(script(text)).hashes.tolist() == words_of(script(plain)).hashes.tolist()


@given(
    st.lists(
        st.sampled_from(
            [
                "tea",
                "𝓽ea",
                "e\u0301tude",
                "won-\r\nder",
                "🎬",
                "語",
                "са\u200bp",
                "\r\n",
                " ",
                "’",
                "\u202e",
            ]
        ),
        max_size=40,
    )
)
def test_a_word_cut_out_by_its_offsets_is_the_same_word(parts):
    text = "".join(parts)
    actual = words_of(script(text))
    written = script_of(text)
    for value, start, end in zip(actual.hashes, actual.start, actual.end, strict=True):
        cut = text[start:end].replace("-\r\n", "")
        assert xxhash.xxh3_64_intdigest(normalised(cut, written).encode()) == value


def test_words_know_what_they_are_part_of():
    text = "INT. HALL - DAY\n\nRain.\n\nANNA\nTea is cold.\n\nCUT TO:\n"
    actual = words_of(script(text))
    assert [text[a:b] for a, b in zip(actual.start, actual.end, strict=True)] == [
        "INT", "HALL", "DAY", "Rain", "ANNA", "Tea", "is", "cold", "CUT", "TO",
    ]  # fmt: skip
    assert actual.part.tolist() == [2, 2, 2, 0, 1, 0, 0, 0, 3, 3]
