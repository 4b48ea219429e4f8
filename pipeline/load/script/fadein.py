"""Fade In (.fadein): an archive with one document in the Open Screenplay Format."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element

from pipeline.core.errors import Reason
from pipeline.load.archive import reading
from pipeline.load.limits import Limits
from pipeline.load.loaded import LoadedScript
from pipeline.load.refusal import FileRefusedError, too_large
from pipeline.load.script.safe_xml import local_name, parse_xml

_DOCUMENT = "document.xml"


def read_fadein(stream: BinaryIO, limits: Limits) -> LoadedScript:
    """The script's text, one paragraph a line; a paragraph's style, in lower case, is its element.

    Without title page, notes and lists.

    Raises:
        FileRefusedError: CORRUPT, ENCRYPTED, TOO_LARGE.
    """
    with reading(stream, "the Fade In file") as archive:
        data = _document(archive, limits)
    root = parse_xml(data, "the Fade In file")
    if local_name(root) != "document":
        raise FileRefusedError(
            Reason.CORRUPT,
            "the file is an archive, but not a Fade In script; save the script as .fadein or .fdx",
        )
    return LoadedScript.from_paragraphs("fadein", _paragraphs(root))


def _document(archive: zipfile.ZipFile, limits: Limits) -> bytes:
    try:
        info = archive.getinfo(_DOCUMENT)
    except KeyError as error:
        raise FileRefusedError(
            Reason.CORRUPT,
            f"the file is an archive, but not a Fade In script (it has no {_DOCUMENT}); save the "
            "script as .fadein or .fdx",
        ) from error
    if info.flag_bits & 1:
        raise FileRefusedError(
            Reason.ENCRYPTED, "the Fade In file is encrypted; save it without a password"
        )
    with archive.open(info) as part:
        data = part.read(limits.max_unpacked_bytes + 1)
    # The size stated in the archive may be too small or too large.
    if max(len(data), info.file_size) > limits.max_unpacked_bytes:
        raise too_large(
            "the unpacked document",
            max(len(data), info.file_size),
            "bytes",
            limits.max_unpacked_bytes,
            "max_unpacked_bytes",
        )
    return data


def _paragraphs(root: Element) -> Iterator[tuple[str, str]]:
    for body in root:
        if local_name(body) != "paragraphs":
            continue
        for paragraph in body:
            if local_name(paragraph) == "para":
                yield _paragraph(paragraph)


def _paragraph(paragraph: Element) -> tuple[str, str]:
    style, text = "", []
    for child in paragraph:
        if local_name(child) == "style":
            style = child.get("basestyle") or child.get("name") or style
        elif local_name(child) == "text":
            text.append("".join(child.itertext()))
    return style.strip().lower() or "text", "".join(text)
