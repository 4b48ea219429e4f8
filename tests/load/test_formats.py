"""Recognising formats: content before name, and a clear reason for what is not screened."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_samples import archive, encoded, paragraph, pdf, solid, word_document, words_at

from pipeline.core.errors import Reason
from pipeline.core.records import Kind
from pipeline.core.wording.text import visible
from pipeline.load.formats import (
    IMAGE_SUFFIXES,
    SCRIPT_SUFFIXES,
    SUPPORTED,
    kind_by_name,
    recognise,
)

FTYP = b"\0\0\0\x18ftyp"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
FDX = b'<?xml version="1.0"?>\n<FinalDraft DocumentType="Script">'
DOCX = word_document(paragraph("words"))


def recognised(name, data):
    return recognise(name, data[:4096], io.BytesIO(data))


@pytest.mark.parametrize(
    ("name", "data", "kind", "file_format"),
    [
        ("a.txt", b"words", Kind.SCRIPT, "txt"),
        ("A.TXT", b"words", Kind.SCRIPT, "txt"),
        ("a.b.md", b"# words", Kind.SCRIPT, "md"),
        ("a.fountain", b"INT. HOUSE", Kind.SCRIPT, "fountain"),
        ("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\nHi", Kind.SCRIPT, "srt"),
        ("a.vtt", b"WEBVTT\n", Kind.SCRIPT, "vtt"),
        ("a.fdx", FDX, Kind.SCRIPT, "fdx"),
        ("a.docx", DOCX, Kind.SCRIPT, "docx"),
        ("a.pdf", pdf([words_at("a")]), Kind.SCRIPT, "pdf"),
        # Content goes before the name.
        ("a.txt", encoded(solid("red"), "PNG"), Kind.IMAGE, "PNG"),
        ("a.docx", encoded(solid("red"), "JPEG"), Kind.IMAGE, "JPEG"),
        ("a.png", pdf([words_at("a")]), Kind.SCRIPT, "pdf"),
        ("noname", pdf([words_at("a")]), Kind.SCRIPT, "pdf"),
        ("a.txt", b"\xef\xbb\xbf\r\n" + FDX, Kind.SCRIPT, "fdx"),
        ("a.xml", FDX, Kind.SCRIPT, "fdx"),
        ("a.xml", FDX.decode().encode("utf-16"), Kind.SCRIPT, "fdx"),
        ("a.doc", DOCX, Kind.SCRIPT, "docx"),
        ("a.zip", DOCX, Kind.SCRIPT, "docx"),
        ("a.txt", DOCX, Kind.SCRIPT, "docx"),
        ("a.srt", b"WEBVTT\n\n00:01.000 --> 00:02.000\nHi", Kind.SCRIPT, "vtt"),
        ("a.srt", b"\xef\xbb\xbfWEBVTT", Kind.SCRIPT, "vtt"),
        # Text that begins like something else.
        ("a.txt", b"GIF89a, a history of moving pictures", Kind.SCRIPT, "txt"),
        ("a.md", b"RIFF and WEBP", Kind.SCRIPT, "md"),
        ("a.txt", b"BM and the others", Kind.SCRIPT, "txt"),
        ("a.txt", b"8BPS is how Photoshop begins", Kind.SCRIPT, "txt"),
        ("a.txt", b"PK\x03\x04 is how archives begin", Kind.SCRIPT, "txt"),
        ("a.txt", b"MZ and ID3", Kind.SCRIPT, "txt"),
        ("a.srt", b"WEBVTTISH is no word", Kind.SCRIPT, "srt"),
        ("a.md", b"<!-- a comment -->\nWords.", Kind.SCRIPT, "md"),
        # A damaged script is recognised here and refused by its reader.
        ("a.docx", b"no archive", Kind.SCRIPT, "docx"),
        ("a.pdf", b"no pdf", Kind.SCRIPT, "pdf"),
        ("a.fdx", b"no xml", Kind.SCRIPT, "fdx"),
        ("a.docx", OLE, Kind.SCRIPT, "docx"),
    ],
)
def test_what_can_be_read(name, data, kind, file_format):
    assert recognised(name, data) == (kind, file_format, None)


@pytest.mark.parametrize(
    ("name", "data", "kind", "reason", "message"),
    [
        ("a.mp4", FTYP + b"mp42" + bytes(12), Kind.OTHER, Reason.UNSUPPORTED, "film"),
        ("a.psd", b"8BPS\0\1" + bytes(9), Kind.OTHER, Reason.UNSUPPORTED, "Photoshop"),
        ("a.heic", FTYP + b"heic" + bytes(12), Kind.OTHER, Reason.UNSUPPORTED, "HEIF"),
        ("a.jpg", FTYP + b"heic" + bytes(12), Kind.IMAGE, Reason.UNSUPPORTED, "HEIF"),
        ("a.jpg", b"8BPS\0\1" + bytes(9), Kind.IMAGE, Reason.UNSUPPORTED, "Photoshop"),
        ("a.doc", OLE, Kind.OTHER, Reason.UNSUPPORTED, "Office"),
        ("a.zip", archive({"a.txt": "words"}), Kind.OTHER, Reason.UNSUPPORTED, "ZIP"),
        ("a.wav", b"RIFF1234WAVE", Kind.OTHER, Reason.UNSUPPORTED, "recording"),
        ("a.svg", b"<svg/>", Kind.OTHER, Reason.UNSUPPORTED, ".svg"),
        ("README", b"words", Kind.OTHER, Reason.UNSUPPORTED, "supported are"),
        (".txt", b"words", Kind.OTHER, Reason.UNSUPPORTED, "supported are"),
        ("a.\nforged", b"words", Kind.OTHER, Reason.UNSUPPORTED, "\\n"),
        ("a." + "x" * 200, b"words", Kind.OTHER, Reason.UNSUPPORTED, "xxx"),
        ("a.txt", b"{\\rtf1 words}", Kind.SCRIPT, Reason.CORRUPT, "RTF"),
        ("a.txt", archive({"a": "b"}), Kind.SCRIPT, Reason.CORRUPT, "ZIP"),
        ("a.txt", b"\x7fELF\x00\xff", Kind.SCRIPT, Reason.CORRUPT, "a program"),
        ("a.png", b"words", Kind.IMAGE, Reason.CORRUPT, "but text"),
        ("a.png", b"\xff\xd8", Kind.IMAGE, Reason.CORRUPT, "damaged"),
        ("a.png", b"MZ\x90\0", Kind.IMAGE, Reason.CORRUPT, "a program"),
    ],
)
def test_what_can_not_be_read(name, data, kind, reason, message):
    result = recognised(name, data)
    assert (result.kind, result.format, result.fault.reason) == (kind, None, reason)
    assert message in result.fault.detail
    assert visible(result.fault.detail) == result.fault.detail


@pytest.mark.parametrize("suffix", [*sorted(IMAGE_SUFFIXES), *SCRIPT_SUFFIXES, ".xyz", ""])
def test_an_empty_file_of_any_name(suffix):
    result = recognised(f"a{suffix}", b"")
    assert result.fault.reason is Reason.EMPTY_FILE
    assert result.kind is kind_by_name(f"a{suffix}")


def test_supported_formats_are_all_named():
    assert all(suffix in SUPPORTED for suffix in SCRIPT_SUFFIXES)


def test_bytes_that_are_not_avif():
    """A box with the brand in another place, and one that states a wrong length."""
    assert recognised("a.avif", FTYP + b"mif1\0\0\0\0miafavif").format == "AVIF"
    assert recognised("a.avif", FTYP + b"mif1" + bytes(12)).fault.reason is Reason.UNSUPPORTED
    assert recognised("a.avif", b"\xff\xff\xff\xffftypmif1" + bytes(400) + b"avif").format is None


@given(
    name=st.text(max_size=8).flatmap(
        lambda stem: st.sampled_from(
            [stem, *(stem + suffix for suffix in (*IMAGE_SUFFIXES, *SCRIPT_SUFFIXES))]
        )
    ),
    data=st.one_of(
        st.binary(max_size=64),
        st.sampled_from(
            [b"\xff\xd8\xff", b"PK\x03\x04", b"PK\x05\x06", b"%PDF-", FTYP, b"II*\0", b"BM", FDX]
        ).flatmap(lambda head: st.binary(max_size=64).map(lambda rest: head + rest)),
    ),
)
def test_every_file_is_something_or_has_a_fault(name, data):
    result = recognised(name, data)
    assert (result.format is None) != (result.fault is None)
    if result.fault:
        assert visible(result.fault.detail) == result.fault.detail
    else:
        assert result.kind is not Kind.OTHER
