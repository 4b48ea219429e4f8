"""Final Draft (.fdx): the paragraphs of the script, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element

from pipeline.core.errors import Reason
from pipeline.core.wording.text import visible
from pipeline.load.limits import Limits
from pipeline.load.loaded import LoadedScript
from pipeline.load.opening import read_at_most
from pipeline.load.refusal import FileRefusedError, too_large
from pipeline.load.script.safe_xml import parse_xml


def read_fdx(stream: BinaryIO, limits: Limits) -> LoadedScript:
    """The script's text; a paragraph's `Type`, in lower case, is its span's element.

    Without title page, scene summaries, script notes, headers and watermarks.

    Raises:
        FileRefusedError: CORRUPT, TOO_LARGE.
    """
    data = read_at_most(stream, limits.max_unpacked_bytes)
    if len(data) > limits.max_unpacked_bytes:
        raise too_large(
            "the file",
            stream.seek(0, 2),
            "bytes",
            limits.max_unpacked_bytes,
            "max_unpacked_bytes",
        )
    root = parse_xml(data, "the Final Draft file")
    if root.tag != "FinalDraft":
        raise FileRefusedError(
            Reason.CORRUPT,
            f"the file is XML, but not Final Draft's (its outermost element is "
            f"{visible(str(root.tag))[:60]}); save the script as .fdx from Final Draft",
        )
    return LoadedScript.from_paragraphs("fdx", _paragraphs(root))


def _paragraphs(root: Element) -> Iterator[tuple[str, str]]:
    for content in root.findall("Content"):
        for paragraph in content.iterfind("Paragraph"):
            yield from _lines(paragraph)


def _lines(paragraph: Element) -> Iterator[tuple[str, str]]:
    text = "".join("".join(part.itertext()) for part in paragraph.findall("Text"))
    yield paragraph.get("Type", "text").lower(), text
    for dual in paragraph.findall("DualDialogue"):
        for inner in dual.iterfind("Paragraph"):
            yield from _lines(inner)
