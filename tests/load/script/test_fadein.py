"""Fade In: the paragraphs of the script in order, without title page and notes."""

import io
import zipfile

import pytest
from load_samples import reason

from pipeline.core.errors import Reason
from pipeline.load.loaded import Span

HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def document(*paragraphs, head=HEAD):
    body = "".join(
        f'<para><style basestyle="{style}"/><text>{text}</text></para>'
        for style, text in paragraphs
    )
    title = "<titlepage><para><text>A title</text></para></titlepage>"
    return f"{head}<document>{title}<paragraphs>{body}</paragraphs></document>".encode()


def archive(data, name="document.xml"):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return stream.getvalue()


SCENE = (("Scene Heading", "INT. HALL"), ("Character", "ANNA"), ("Dialogue", "Tea &amp; cake. 🎬"))


def test_one_paragraph_a_line(read):
    script = read("a.fadein", archive(document(*SCENE)))
    assert script.text == "INT. HALL\nANNA\nTea & cake. 🎬"
    assert script.spans == (
        Span(0, 9, "scene heading"),
        Span(10, 14, "character"),
        Span(15, 28, "dialogue"),
    )
    assert (script.format, script.encoding) == ("fadein", None)


def test_styled_pieces_are_one_paragraph(read):
    body = HEAD + (
        "<document><paragraphs><para><style basestyle='Action'/><text>Anna </text>"
        "<text bold='1'>shouts</text><text>.</text></para></paragraphs></document>"
    )
    assert read("a.fadein", archive(body)).text == "Anna shouts."


@pytest.mark.parametrize(
    "data",
    [
        b"words",
        archive(document(*SCENE))[:-30],
        archive(document(*SCENE), "other.xml"),
        archive(b"<screenplay/>"),
        archive(document(*SCENE)[:-20]),
        archive(document(*SCENE, head=HEAD + '<!DOCTYPE d [<!ENTITY a "b">]>')),
    ],
)
def test_damage_is_refused(read, data):
    assert reason(read("a.fadein", data)) is Reason.CORRUPT


def test_a_script_without_words(read):
    assert reason(read("a.fadein", archive(document()))) is Reason.NO_TEXT


def test_what_unpacks_to_too_much_is_refused(read):
    data = archive(document(("Action", "a" * 100_000)))
    assert reason(read("a.fadein", data, max_unpacked_bytes=50_000)) is Reason.TOO_LARGE
