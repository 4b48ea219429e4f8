"""Recognises the format of a file by its content and name, for works and assets alike.

A new suffix is added to `IMAGE_SUFFIXES` or `SCRIPT_SUFFIXES`; see `pipeline.load.script`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import BinaryIO, NamedTuple

from pipeline.core.errors import Reason
from pipeline.core.records import Fault, Kind
from pipeline.core.wording.text import visible
from pipeline.load.archive import open_archive

HEAD_BYTES = 4096
"""Length of the beginning of a file that `recognise` needs."""

IMAGE_SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".apng",
        ".webp",
        ".gif",
        ".tif",
        ".tiff",
        ".bmp",
        ".dib",
        ".avif",
        ".avifs",
    ]
)
SCRIPT_SUFFIXES: Mapping[str, str] = {
    ".txt": "txt",
    ".md": "md",
    ".fountain": "fountain",
    ".fdx": "fdx",
    ".fadein": "fadein",
    ".docx": "docx",
    ".pdf": "pdf",
    ".srt": "srt",
    ".vtt": "vtt",
}
PLAIN_TEXT = frozenset({"txt", "md", "fountain", "srt", "vtt"})

SUPPORTED = (
    "supported are pictures (JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF) and scripts "
    f"({', '.join(SCRIPT_SUFFIXES)})"
)
"""The kinds of file that can be screened, as half a sentence."""

_APPLE_DOUBLE = re.compile(rb"\x00\x05\x16[\x00\x07]\x00[\x01\x02]\x00\x00")
"""AppleDouble and AppleSingle (RFC 1740): attributes and previews of the file without the `._`."""
_SYSTEM_FILES: Mapping[str, re.Pattern[bytes]] = {
    ".ds_store": re.compile(rb"\x00\x00\x00\x01Bud1|\Z"),
    ".localized": re.compile(rb"\Z"),
    "icon\r": re.compile(rb"\Z"),
    "desktop.ini": re.compile(rb"(?:\xef\xbb\xbf)?\s*\[[.{A-Za-z]|\xff\xfe(?:\s\x00)*\[\x00|\Z"),
    "thumbs.db": re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1|\Z"),
    "ehthumbs.db": re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1|\Z"),
}
"""By name in lower case, how the content of an operating system's own file begins (`\\Z`: it is
empty). Folders `__MACOSX` hold files of these names only."""
SYSTEM_FILE = Fault(
    Reason.SYSTEM_FILE,
    "it is a file that an operating system made for itself, by name and content, and no asset",
)
"""The fault of such a file."""

_FOREIGN = (
    (re.compile(rb"8BPS"), "a Photoshop document"),
    (re.compile(rb"....ftyp(?:hei|hev|mif1|msf1)", re.DOTALL), "a HEIF picture"),
    (re.compile(rb"....ftyp", re.DOTALL), "a film (MP4 or QuickTime)"),
    (re.compile(rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51"), "a JPEG 2000 picture"),
    (re.compile(rb"\x00\x00\x00\x0cJXL |\xff\x0a"), "a JPEG XL picture"),
    (re.compile(rb"\x00\x00\x01\x00"), "an icon"),
    (re.compile(rb"v/1\x01"), "an OpenEXR picture"),
    (re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "an old or encrypted Office document"),
    (re.compile(rb"\{\\rtf"), "an RTF document"),
    (re.compile(rb"PK(?:\x03\x04|\x05\x06)"), "a ZIP archive"),
    (re.compile(rb"\x1f\x8b"), "a gzip archive"),
    (re.compile(rb"7z\xbc\xaf\x27\x1c"), "a 7-Zip archive"),
    (re.compile(rb"Rar!\x1a\x07"), "a RAR archive"),
    (re.compile(rb"\x1a\x45\xdf\xa3"), "a film (Matroska or WebM)"),
    (re.compile(rb"RIFF....(?:AVI |WAVE)", re.DOTALL), "a recording (AVI or WAV)"),
    (re.compile(rb"ID3[\x02-\x04]|OggS\x00|fLaC\x00"), "a sound recording"),
    (re.compile(rb"SQLite format 3\x00"), "a database"),
    (re.compile(rb"\x7fELF|MZ.\x00", re.DOTALL), "a program"),
)
_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})


class Recognised(NamedTuple):
    """The format of a file.

    Attributes:
        kind: selects the stages that apply.
        format: Pillow's name of an image format, or `LoadedScript.format`; None if the file can't
            be read.
        fault: why it can't be read, if that is known already.
    """

    kind: Kind
    format: str | None
    fault: Fault | None = None


def kind_by_name(name: str) -> Kind:
    """The kind by suffix, for a file whose content can't be read."""
    suffix = _suffix(name)
    if suffix in IMAGE_SUFFIXES:
        return Kind.IMAGE
    return Kind.SCRIPT if suffix in SCRIPT_SUFFIXES else Kind.OTHER


def recognise(name: str, head: bytes, stream: BinaryIO | None = None) -> Recognised:
    """The format of a file.

    Content takes precedence over the name: a picture named `.txt` is a picture. Text has no magic
    number, so there the name decides; text named `.png` is a damaged picture.

    Args:
        name: the file's name (its last part).
        head: its first `HEAD_BYTES` bytes, fewer if it is shorter.
        stream: the open file; needed to recognise a Word document among ZIP archives.
    """
    suffix = _suffix(name)
    if is_system_file(name, head):
        return Recognised(Kind.OTHER, None, SYSTEM_FILE)
    if not head:
        return Recognised(
            kind_by_name(name), None, Fault(Reason.EMPTY_FILE, "the file is empty (0 bytes)")
        )
    by_name = SCRIPT_SUFFIXES.get(suffix)
    picture = _picture(head)
    # A text may begin with "GIF89a, a history".
    if picture and not (by_name in PLAIN_TEXT and is_plain_text(head)):
        return Recognised(Kind.IMAGE, picture)
    if script := _marked_script(head, stream):
        return Recognised(Kind.SCRIPT, script)
    foreign = next((what for mark, what in _FOREIGN if mark.match(head)), None)
    if suffix in IMAGE_SUFFIXES:
        return Recognised(Kind.IMAGE, None, _not_a_picture(suffix, head, foreign))
    if by_name in PLAIN_TEXT:
        if foreign and (foreign == "an RTF document" or not is_plain_text(head)):
            return Recognised(Kind.SCRIPT, None, _mismatch(suffix, foreign))
        if by_name == "srt" and re.match(rb"(?:\xef\xbb\xbf)?WEBVTT(?:[ \t\r\n]|$)", head):
            by_name = "vtt"
        return Recognised(Kind.SCRIPT, by_name)
    if by_name:
        return Recognised(Kind.SCRIPT, by_name)
    suffix_shown = f" ({visible(suffix[:16])})" if suffix else ""
    content = f"; by its content it is {foreign}" if foreign else ""
    detail = f"files of this kind{suffix_shown} are not screened{content}; {SUPPORTED}"
    return Recognised(Kind.OTHER, None, Fault(Reason.UNSUPPORTED, detail))


def is_system_file(name: str, head: bytes) -> bool:
    """Whether an operating system (macOS, Windows) made the file for itself.

    Both its name and its content must be that of such a file, so that an asset is never taken for
    one: a picture named `._poster.jpg` is screened.

    Args:
        name: the file's name (its last part).
        head: its first `HEAD_BYTES` bytes, fewer if it is shorter.
    """
    pattern = _APPLE_DOUBLE if name.startswith("._") else _SYSTEM_FILES.get(name.lower())
    return pattern is not None and pattern.match(head) is not None


def is_plain_text(head: bytes) -> bool:
    """Whether `head` is the beginning of UTF-8 text."""
    if b"\0" in head:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def is_word_document(stream: BinaryIO) -> bool:
    """Whether an archive is a Word document (ECMA-376), by the names of its members."""
    return any(MAIN_STORY.fullmatch(name) for name in _archive_names(stream))


MAIN_STORY = re.compile(r"word/document\d*\.xml")
"""The part of a .docx that holds the main text; some programs number it."""


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _picture(head: bytes) -> str | None:
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if head[4:8] == b"ftyp":
        brands = head[8 : min(int.from_bytes(head[:4], "big"), 256)]
        if {brands[i : i + 4] for i in range(0, len(brands), 4)} & {b"avif", b"avis"}:
            return "AVIF"
    return None


def _marked_script(head: bytes, stream: BinaryIO | None) -> str | None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\f\0")
    if start.startswith(b"%PDF-"):
        return "pdf"
    if re.match(rb"<\?xml|<!--|<!DOCTYPE|<FinalDraft", start) and b"<FinalDraft" in start:
        return "fdx"
    # UTF-16, as some programs on Windows write XML.
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") and b"<FinalDraft" in head.replace(b"\0", b""):
        return "fdx"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) and stream and is_word_document(stream):
        return "docx"
    return None


def _archive_names(stream: BinaryIO) -> list[str]:
    """Names in a ZIP archive; none if it is damaged or its directory is too large."""
    try:
        with open_archive(stream) as archive:
            return archive.namelist()
    except Exception:  # a damaged archive is no Word document, and zipfile raises many types
        return []


def _not_a_picture(suffix: str, head: bytes, foreign: str | None) -> Fault:
    if foreign and foreign.endswith(("picture", "document", "icon")):
        return Fault(
            Reason.UNSUPPORTED,
            f"the file is named {suffix}, but its content is {foreign}; {SUPPORTED}",
        )
    return _mismatch(suffix, foreign or ("text" if is_plain_text(head) else None))


def _mismatch(suffix: str, content: str | None) -> Fault:
    what = "picture" if suffix in IMAGE_SUFFIXES else "text"
    says = f"is not a {what}, but {content}" if content else f"is not a {what} or is damaged"
    return Fault(
        Reason.CORRUPT,
        f"the file is named {suffix}, but its content {says}; fetch it again, or name it "
        "for what it is",
    )
