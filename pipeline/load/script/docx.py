"""Word documents (.docx, ECMA-376): paragraphs and table cells, notes, headers and comments.

Only the parts that hold text are read from the archive, with a limit on their unpacked size.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO
from xml.etree.ElementTree import Element

from pipeline.core.errors import Reason
from pipeline.load.archive import reading
from pipeline.load.formats import MAIN_STORY
from pipeline.load.limits import Limits
from pipeline.load.loaded import LoadedScript
from pipeline.load.refusal import FileRefusedError, too_large
from pipeline.load.script.safe_xml import local_name, parse_xml

_WORD = (
    "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}",
    "{http://purl.oclc.org/ooxml/wordprocessingml/main}",
)
_NOTES = re.compile(r"word/(?:footnotes|endnotes)\d*\.xml")
_ASIDE = tuple(
    re.compile(rf"word/{what}\d*\.xml", re.IGNORECASE) for what in ("header", "footer", "comments")
)
_STORY = re.compile(
    r"word/(?!(?:styles|stylesWithEffects|settings|webSettings|fontTable|numbering|people"
    r"|commentsExtended|commentsIds|commentsExtensible)\d*\.xml)[^/]+\.xml",
    re.IGNORECASE,
)
"""Other parts that may hold paragraphs: programs may name the parts as they like."""
_PICTURE = re.compile(r"word/media/[^/]+", re.IGNORECASE)
_UNREAD = re.compile(r"word/(?:afchunk[^/]*|(?:diagrams|charts|embeddings)/[^/]+)", re.IGNORECASE)
"""Parts that may hold text in other formats, which is not read."""
_CHARACTERS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "\u2011"}
# A text box is stored twice (Fallback is for old programs), and so is a moved passage.
_SKIPPED = frozenset({"Fallback", "del", "moveFrom", "instrText", "delText"})
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def read_docx(stream: BinaryIO, limits: Limits) -> LoadedScript:
    """The document's text: main story, footnotes and endnotes, headers, footers, comments.

    Tracked insertions are included, tracked deletions are not. Pictures, and parts that may hold
    text in other formats, are left out with a note.

    Raises:
        FileRefusedError: CORRUPT, ENCRYPTED, TOO_LARGE.
    """
    stream.seek(0)
    if stream.read(len(_OLE)) == _OLE:
        raise FileRefusedError(
            Reason.ENCRYPTED,
            "the Word document is protected by a password, or an old .doc under another name; "
            "save it as .docx without a password",
        )
    with reading(stream, "the Word document") as archive:
        return _story(_Parts(archive, limits))


class _Parts:
    """Reads parts of the archive and limits their total unpacked size."""

    def __init__(self, archive: zipfile.ZipFile, limits: Limits) -> None:
        self._archive = archive
        self._limit = limits.max_unpacked_bytes
        self._remaining = self._limit
        self.names = sorted(archive.namelist())

    def read(self, name: str) -> Element:
        info = self._archive.getinfo(name)
        if info.flag_bits & 1:
            raise FileRefusedError(
                Reason.ENCRYPTED, "the Word document is encrypted; save it without a password"
            )
        with self._archive.open(info) as part:
            data = part.read(self._remaining + 1)
        # The size stated in the archive may be too small or too large.
        if max(len(data), info.file_size) > self._remaining:
            raise too_large(
                "the unpacked document",
                self._limit - self._remaining + max(len(data), info.file_size),
                "bytes",
                self._limit,
                "max_unpacked_bytes",
            )
        self._remaining -= len(data)
        return parse_xml(data, f"the Word document's {name.rpartition('/')[2]}")

    def matching(self, pattern: re.Pattern[str]) -> list[str]:
        return [name for name in self.names if pattern.fullmatch(name)]


def _story(parts: _Parts) -> LoadedScript:
    main = parts.matching(MAIN_STORY)
    if not main:
        raise FileRefusedError(
            Reason.CORRUPT,
            "the file is an archive, but not a Word document (it has no word/document.xml); "
            "save it as .docx from Word",
        )
    in_order = [name for pattern in (_NOTES, *_ASIDE, _STORY) for name in parts.matching(pattern)]
    roots = [parts.read(name) for name in dict.fromkeys([*main, *in_order])]
    notes = []
    if _contains(roots, "delText"):
        notes.append("Passages that tracked changes delete were left out.")
    complete = True
    if pictures := len(parts.matching(_PICTURE)):
        complete = False
        what = "a picture, which was" if pictures == 1 else f"{pictures:,} pictures, which were"
        save = "it as a file to screen it" if pictures == 1 else "them as files to screen them"
        notes.append(f"It holds {what} not compared; save {save}.")
    if parts.matching(_UNREAD) or _contains(roots, "altChunk"):
        complete = False
        notes.append(
            "It holds charts, diagrams, or other files that are embedded or inserted, which were "
            "not read; save what they hold as files of their own to screen it."
        )
    paragraphs = (("text", text) for root in roots for text in _paragraphs(root))
    script = LoadedScript.from_paragraphs("docx", paragraphs, notes)
    return replace(script, complete=complete)


def _contains(roots: list[Element], name: str) -> bool:
    return any(
        next(root.iter(f"{space}{name}"), None) is not None for root in roots for space in _WORD
    )


def _symbol(element: Element) -> str:
    """The character of a `w:sym` element; empty if it is private to a symbol font."""
    attribute = next(
        (element.get(f"{space}char") for space in _WORD if element.get(f"{space}char")), ""
    )
    try:
        code = int(attribute or "", 16)
    except ValueError:
        return ""
    private = code < 0x20 or 0xD800 <= code <= 0xF8FF or code > 0xFFFF
    return "" if private else chr(code)


def _is_word(element: Element) -> bool:
    return isinstance(element.tag, str) and element.tag.startswith(_WORD)


def _paragraphs(element: Element) -> Iterator[str]:
    """Every paragraph below `element` in order; a nested one (in a text box) follows its parent."""
    for child in element:
        name = local_name(child)
        if name in _SKIPPED:
            continue
        if name == "p" and _is_word(child):
            inner: list[Element] = []
            yield "".join(_runs(child, inner))
            for box in inner:
                yield from _paragraphs(box)
        else:
            yield from _paragraphs(child)


def _runs(element: Element, inner: list[Element]) -> Iterator[str]:
    for child in element:
        name = local_name(child)
        if name in _SKIPPED:
            continue
        if name == "txbxContent":
            inner.append(child)
        elif name == "t" and _is_word(child):
            yield child.text or ""
        elif name in _CHARACTERS and _is_word(child):
            yield _CHARACTERS[name]
        elif name == "sym" and _is_word(child):
            yield _symbol(child)
        elif name not in ("pPr", "rPr"):
            yield from _runs(child, inner)
