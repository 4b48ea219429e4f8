"""Limits: a file over one is a row, quickly and in little memory; one below it is loaded."""

import itertools
import random
import struct
import time
import zipfile

import pytest
from load_samples import (
    animation,
    archive,
    chunk,
    encoded,
    final_draft,
    paragraph,
    pdf,
    png,
    reason,
    solid,
    word_document,
    word_xml,
    words_at,
)

from pipeline.core.errors import Reason
from pipeline.core.records import Fault, Kind
from pipeline.drops.discover import asset_of
from pipeline.load.image.images import _evenly
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import LoadedImage, LoadedScript

SOON = 5.0  # seconds, on a slow machine that has other work


def too_large(result, name):
    """Whether `result` is a fault of size that names the bound of the configuration."""
    return isinstance(result, Fault) and result.reason is Reason.TOO_LARGE and name in result.detail


def test_bounds_are_on_and_positive_by_default():
    for name, value in Limits():
        assert value >= 1
        with pytest.raises(ValueError, match=name):
            Limits(**{name: 0})


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", encoded(solid("red"), "PNG")),
        ("a.txt", b"some words"),
        ("a.pdf", pdf([words_at("a")])),
    ],
)
def test_size_of_a_file(read, name, data):
    assert too_large(read(name, data, max_file_bytes=len(data) - 1), "max_file_bytes")
    assert not isinstance(read(name, data, max_file_bytes=len(data)), Fault)
    assert not isinstance(read(name, data, max_file_bytes=len(data) + 1), Fault)


# Pictures

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"]


@pytest.mark.parametrize("image_format", FORMATS)
def test_pixels_of_a_picture(read, image_format):
    data = encoded(solid("red", (20, 11)), image_format)
    assert too_large(read("a.png", data, max_pixels=219), "max_pixels")
    assert "220" in read("a.png", data, max_pixels=219).detail
    for enough in (220, 221):
        assert read("a.png", data, max_pixels=enough).frames[0].shape == (11, 20, 3)


def frames(count, size=(8, 8)):
    return [solid((20 * one, 0, 0), size) for one in range(count)]


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_number_of_frames(read, image_format):
    data = animation(frames(6), image_format)
    for limit, loaded_frames in ((5, 5), (6, 6), (7, 6)):
        loaded = read("a.gif", data, max_frames=limit)
        assert (len(loaded.frames), loaded.frame_count) == (loaded_frames, 6)
        assert bool(loaded.notes) == (loaded_frames < 6)


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_pixels_of_all_frames_together(read, image_format):
    data = animation(frames(4), image_format)
    for limit, loaded_frames in ((64, 1), (255, 3), (256, 4), (257, 4)):
        assert len(read("a.gif", data, max_pixels=limit).frames) == loaded_frames


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP"])
def test_pixels_on_the_way_through_an_animation(read, image_format):
    data = animation(frames(6), image_format)
    for limit, reached in ((1, 0), (3 * 64 - 1, 1), (3 * 64, 2), (6 * 64 - 1, 4), (6 * 64, 5)):
        loaded = read("a.gif", data, max_animation_pixels=limit, max_frames=2)
        assert round(int(loaded.frames[-1][0, 0, 0]) / 20) == reached
        assert loaded.notes


def test_a_large_page_later_in_a_tiff_is_refused(read):
    data = animation([solid("red", (4, 4)), solid("red", (40, 40))], "TIFF")
    assert too_large(read("a.tif", data, max_pixels=1599), "max_pixels")
    assert len(read("a.tif", data, max_pixels=1616).frames) == 2


def test_pages_that_do_not_fit_together_are_noted(read):
    data = animation([solid("red", (4, 4)), solid("red", (40, 40))], "TIFF")
    loaded = read("a.tif", data, max_pixels=1615)
    assert len(loaded.frames) == 1
    assert "only the first" in loaded.notes[0]


@pytest.mark.parametrize("total", [1, 2, 3, 7, 32, 33, 1000])
def test_sampled_frames_are_spread_evenly(total):
    for keep in (1, 2, 3, 5, 32):
        numbers = _evenly(total, keep)
        assert len(numbers) == min(total, keep)
        assert list(numbers) == sorted(set(numbers))
        assert numbers[0] == 0
        if keep > 1:
            assert numbers[-1] == total - 1
            steps = {b - a for a, b in itertools.pairwise(numbers)}
            assert not steps or max(steps) - min(steps) <= 1


def vp8x(width, height):
    """The header of an extended WebP that claims a canvas, and a tiny picture in it."""
    tiny = encoded(solid("red"), "WEBP", lossless=True)
    extended = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + b"VP8X" + struct.pack("<I", len(extended)) + extended + tiny[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def claims(image_format):
    """A small file whose header claims an enormous picture."""
    data = bytearray(encoded(solid("red", (8, 6)), image_format))
    if image_format == "PNG":
        return png(60_000, 60_000, 8, 2, [b"\0" * 24])
    if image_format == "WEBP":
        return vp8x(60_000, 60_000)
    if image_format == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", 65_000, 65_000)
    elif image_format == "GIF":
        data[6:10] = struct.pack("<HH", 65_000, 65_000)
    elif image_format == "BMP":
        data[18:26] = struct.pack("<ii", 60_000, 60_000)
    elif image_format == "AVIF":
        at = data.index(b"ispe") + 8
        data[at : at + 8] = struct.pack(">II", 60_000, 60_000)
    else:
        (start,) = struct.unpack("<I", data[4:8])
        for tag in range(struct.unpack("<H", data[start : start + 2])[0]):
            at = start + 2 + 12 * tag
            if struct.unpack("<H", data[at : at + 2])[0] in (256, 257):
                data[at + 2 : at + 12] = struct.pack("<HII", 4, 1, 60_000)
    return bytes(data)


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_header_that_claims_an_enormous_picture(read, image_format):
    started = time.monotonic()
    assert reason(read("bomb.png", claims(image_format))) is Reason.TOO_LARGE
    assert time.monotonic() - started < SOON


def test_an_icc_profile_or_text_that_unpacks_to_much_costs_little(read):
    import zlib

    for name, head in ((b"iCCP", b"p\0\0"), (b"zTXt", b"Comment\0\0")):
        data = png(1, 1, 8, 2, [b"\0\0\0"], chunk(name, head + zlib.compress(bytes(2**24))))
        started = time.monotonic()
        read("a.png", data)
        assert time.monotonic() - started < SOON


# Scripts


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("letter", ["a", "é", "語", "🎬"])
def test_characters_of_plain_text(read, encoding, letter):
    data = (letter * 10).encode(encoding)
    assert too_large(read("a.txt", data, max_text_chars=9), "max_text_chars")
    for enough in (10, 11):
        assert read("a.txt", data, max_text_chars=enough).text == letter * 10


def test_text_far_too_long_is_not_decoded(read):
    assert too_large(read("a.txt", b"a" * 10_000, max_text_chars=10), "max_text_chars")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.fdx", final_draft("<Paragraph><Text>ten chars!</Text></Paragraph>")),
        ("a.docx", word_document(paragraph("ten chars!"))),
        ("a.pdf", pdf([words_at("ten chars!")])),
    ],
)
def test_characters_of_other_scripts(read, name, data):
    assert too_large(read(name, data, max_text_chars=9), "max_text_chars")
    for enough in (10, 11):
        assert read(name, data, max_text_chars=enough).text == "ten chars!"


def test_pages_of_a_pdf(read):
    data = pdf([words_at("one"), words_at("two"), words_at("three")])
    assert too_large(read("a.pdf", data, max_pdf_pages=2), "max_pdf_pages")
    for enough in (3, 4):
        assert read("a.pdf", data, max_pdf_pages=enough).text == "one\ntwo\nthree"


def test_size_of_a_final_draft_file(read):
    data = final_draft("<Paragraph><Text>words</Text></Paragraph>")
    assert too_large(read("a.fdx", data, max_unpacked_bytes=len(data) - 1), "max_unpacked_bytes")
    for enough in (len(data), len(data) + 1):
        assert read("a.fdx", data, max_unpacked_bytes=enough).text == "words"


def test_unpacked_size_of_a_word_document(read):
    main = word_xml(paragraph("words"))
    notes = word_xml(f'<w:footnote w:id="1">{paragraph("a note")}</w:footnote>', "footnotes")
    data = archive({"word/document.xml": main, "word/footnotes.xml": notes})
    size = len(main.encode()) + len(notes.encode())
    assert too_large(read("a.docx", data, max_unpacked_bytes=size - 1), "max_unpacked_bytes")
    for enough in (size, size + 1):
        assert read("a.docx", data, max_unpacked_bytes=enough).text == "words\na note"


def test_parts_that_hold_no_text_are_never_unpacked(read):
    data = archive(
        {"word/document.xml": word_xml(paragraph("words")), "word/media/a.png": bytes(2**20)}
    )
    assert read("a.docx", data, max_unpacked_bytes=2000).text == "words"


def test_a_word_document_that_unpacks_to_much(read):
    bomb = archive({"word/document.xml": word_xml(paragraph(" " * 2**25))})
    assert len(bomb) < 2**16
    started = time.monotonic()
    assert too_large(read("a.docx", bomb, max_unpacked_bytes=2**20), "max_unpacked_bytes")
    assert time.monotonic() - started < SOON


@pytest.mark.parametrize("claimed", [0, 10, 2**32 - 2])
def test_sizes_stated_in_an_archive_are_not_trusted(read, claimed):
    """A listing that understates or overstates the size of a part."""
    data = bytearray(archive({"word/document.xml": word_xml(paragraph(" " * 2**22))}))
    listing = data.rindex(b"PK\x01\x02")
    data[listing + 24 : listing + 28] = struct.pack("<I", claimed)
    loaded = read("a.docx", bytes(data), max_unpacked_bytes=2**20)
    assert reason(loaded) in {Reason.TOO_LARGE, Reason.CORRUPT}


def long_listing(entries, *, hidden=False):
    """A Word document whose archive lists its one part very often.

    With `hidden` only the ZIP64 record has the listing's length, which overrides the
    plain one (APPNOTE 4.3.14).
    """
    data = word_document(paragraph("words"))
    end, start = data.rindex(b"PK\x05\x06"), data.index(b"PK\x01\x02")
    listing = data[start:end] * entries
    out = data[:start] + listing
    if hidden:
        wide = struct.pack(
            "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, len(listing), start
        )
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(out), 1)
        out += wide + locator
    short = len(data[start:end]) if hidden else len(listing)
    return out + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, short, start, 0)


@pytest.mark.parametrize("hidden", [False, True])
def test_an_archive_that_lists_more_parts_than_any_document_has(read, hidden):
    started = time.monotonic()
    loaded = read("a.docx", long_listing(300_000, hidden=hidden))
    assert reason(loaded) is Reason.TOO_LARGE
    assert "listing" in loaded.detail
    assert reason(read("a.zip", long_listing(300_000, hidden=hidden))) is Reason.UNSUPPORTED
    assert time.monotonic() - started < SOON


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.fountain", b"INT. HOUSE - DAY\n" + b"/* " * 200_000),
        ("a.fountain", b"Title: " + b"a: " * 200_000),
        ("a.srt", b"<a " * 200_000),
        ("a.srt", b"{\\" * 200_000),
        ("a.srt", b"1" * 400_000),
        ("a.srt", b" " * 400_000 + b"x"),
        ("a.srt", b"1\n" * 200_000),
        ("a.vtt", b"WEBVTT\n\n" + b"<1" * 200_000),
        ("a.vtt", b"WEBVTT\n\n" + b"00:01.000 --> 00:02.000\n" * 20_000 + b"x"),
        ("a.txt", b"\xe9\n" * 200_000),
        ("a.txt", random.Random(1).randbytes(400_000).replace(b"\0", b"")),
    ],
)
def test_hostile_text_takes_no_longer_than_text(read, name, data):
    started = time.process_time()  # read in this process, which other processes may hold up
    read(name, data)
    assert time.process_time() - started < SOON


@pytest.mark.parametrize("name", ["a.fdx", "a.docx"])
def test_xml_that_takes_more_memory_than_bytes(read, monkeypatch, name):
    """A document of bare tags, or of attributes only."""
    plain = final_draft if name == "a.fdx" else word_document
    words = paragraph("words") if name == "a.docx" else "<Paragraph><Text>words</Text></Paragraph>"
    data = plain(words + "<a/>" * 100)
    monkeypatch.setattr("pipeline.load.script.safe_xml.MAX_MARKS", 50)
    assert reason(read(name, data)) is Reason.TOO_LARGE
    assert reason(read(name, plain(words + f"<a {'b=1 ' * 100}/>"))) is Reason.TOO_LARGE
    xml = plain(words).count(b"<") + plain(words).count(b"=")
    if name == "a.docx":
        main = word_xml(words)
        xml = main.count("<") + main.count("=")
    for most, enough in ((xml - 1, False), (xml, True), (xml + 1, True)):
        monkeypatch.setattr("pipeline.load.script.safe_xml.MAX_MARKS", most)
        assert isinstance(read(name, plain(words)), LoadedScript) == enough


def test_deep_nesting_is_refused_with_a_reason(read):
    deep = "<w:sdt>" * 20_000 + paragraph("x") + "</w:sdt>" * 20_000
    assert reason(read("a.docx", word_document(deep))) is Reason.CORRUPT
    dual = "<DualDialogue><Paragraph>" * 5_000 + "</Paragraph></DualDialogue>" * 5_000
    assert reason(read("a.fdx", final_draft(f"<Paragraph>{dual}</Paragraph>"))) is Reason.CORRUPT


def test_out_of_memory_is_a_row(tmp_path, monkeypatch):
    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr("pipeline.load.image.images.load_image", exhausted)
    file = tmp_path / "a.png"
    file.write_bytes(encoded(solid("red"), "PNG"))
    result = load(asset_of(file, "a.png"), Limits())
    assert reason(result) is Reason.TOO_LARGE
    assert "memory" in result.detail


def test_unsupported_compression_is_named(read):
    data = bytearray(word_document(paragraph("words")))
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        place = data.index(mark) + at
        data[place : place + 2] = struct.pack("<H", 97)
    assert reason(read("a.docx", bytes(data))) is Reason.CORRUPT
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        packed = archive({"word/document.xml": word_xml(paragraph("words"))}, method)
        assert read("a.docx", packed).text == "words"


def test_kinds_agree_with_what_is_loaded(tmp_path):
    for name, data, expected in (
        ("a.txt", encoded(solid("red"), "PNG"), LoadedImage),
        ("a.png", pdf([words_at("a script")]), LoadedScript),
    ):
        file = tmp_path / name
        file.write_bytes(data)
        asset = asset_of(file, name)
        assert isinstance(load(asset, Limits()), expected)
        assert (asset.kind is Kind.IMAGE) == (expected is LoadedImage)
