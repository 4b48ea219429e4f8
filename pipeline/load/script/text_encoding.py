"""Decodes plain-text files, guessing the encoding if need be; line ends are left unchanged."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from pipeline.core.errors import Reason
from pipeline.load.refusal import FileRefusedError

_BYTE_ORDER_MARKS = (
    # UTF-32 first, since its byte order mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SINGLE_BYTE = (
    "cp1252", "cp1250", "mac_roman", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256",
    "cp850",
)  # fmt: skip
_MULTI_BYTE = ("cp932", "euc_jp", "gb18030", "big5", "cp949")
_PRIORITY = {name: rank for rank, name in enumerate((*_SINGLE_BYTE, *_MULTI_BYTE))}
"""Legacy encodings that are guessed, by rank; the lowest wins between equal evidence."""

_EQUAL_CHAOS = 0.04
"""Differences in charset-normalizer's `chaos` below this are no evidence between multi-byte
encodings."""

_SAMPLE_BYTES = 2**16
_LINE = re.compile(rb"[^\r\n]+[\r\n]*")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_VALID_TO_BROKEN = 9
"""Text in a legacy encoding hardly ever has so many valid UTF-8 characters for each broken one."""

_CONTROLS = re.compile(r"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MAX_CONTROLS = 0.02  # as a share of the characters


class Decoded(NamedTuple):
    """The text of a file, its encoding (a Python codec), and whether that was guessed."""

    text: str
    encoding: str
    guessed: bool


def decode(data: bytes) -> Decoded:
    """Decodes a plain-text file; a byte order mark is removed.

    Tried in order: the encoding of a byte order mark; UTF-8 (refused if only few characters are
    broken); UTF-16 without a mark, if every other byte is zero, as in Western text; the most likely
    legacy encoding by charset-normalizer. Decoding is strict: no character is replaced or dropped,
    and there are no lone surrogates.

    Raises:
        FileRefusedError: CORRUPT if it is no text, or in none of these encodings.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            text = _decoded(data[len(mark) :], encoding)
            if text is None:
                raise FileRefusedError(
                    Reason.CORRUPT,
                    f"the file begins with the mark of {encoding.upper()} but is not in it, so "
                    "it is damaged or no text; save it again as UTF-8",
                )
            return _checked(text, encoding, guessed=False)
    if b"\0" in data:
        utf_16 = _utf_16_without_mark(data)
        text = _decoded(data, utf_16) if utf_16 else None
        return _checked("\0" if text is None else text, utf_16 or "", guessed=True)
    text = _decoded(data, "utf-8")
    if text is not None:
        return _checked(text, "utf-8", guessed=False)
    _refuse_damaged_utf8(data)
    for encoding in _likely(data):
        text = _decoded(data, encoding)
        if text is not None:
            return _checked(text, encoding, guessed=True)
    raise _not_text()


def _checked(text: str, encoding: str, *, guessed: bool) -> Decoded:
    # Tabs, line ends, form feeds and escapes occur in text; other controls indicate a binary file.
    if "\0" in text or len(_CONTROLS.findall(text)) > _MAX_CONTROLS * len(text):
        raise _not_text()
    return Decoded(text, encoding, guessed)


def _not_text() -> FileRefusedError:
    return FileRefusedError(
        Reason.CORRUPT,
        "the content is not text, or in an encoding that can't be determined; save it as UTF-8",
    )


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
        text.encode("utf-8")  # some codecs accept lone surrogates
    except UnicodeError:
        return None
    return text


def _refuse_damaged_utf8(data: bytes) -> None:
    """Raises FileRefusedError (CORRUPT) if `data` is UTF-8 with a few broken characters.

    In a legacy encoding it would decode to other words than were written, and match nothing.
    """
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    valid = sum(map(len, _BEYOND_ASCII.findall(text))) - broken
    if valid >= _VALID_TO_BROKEN * broken:
        raise FileRefusedError(
            Reason.CORRUPT,
            f"the text is UTF-8 but for {broken:,} broken "
            f"character{'' if broken == 1 else 's'}, so it is damaged or was cut off; fetch it "
            "again, or save it as UTF-8",
        )


def _utf_16_without_mark(data: bytes) -> str | None:
    even, odd = data[0::2].count(0), data[1::2].count(0)
    half = len(data) / 2
    if len(data) % 2 == 0 and odd > 0.7 * half and even < 0.05 * half:
        return "utf-16-le"
    if len(data) % 2 == 0 and even > 0.7 * half and odd < 0.05 * half:
        return "utf-16-be"
    return None


def _likely(data: bytes) -> list[str]:
    """Legacy encodings to try, most likely first, judged by the lines that are not plain ASCII.

    Only those lines, because samples from all of a long English text would miss a few curly quotes.
    """
    from charset_normalizer import from_bytes

    sample = b""
    # Line by line, then a test for ASCII: one pattern for lines with a byte beyond ASCII would be
    # tried at every position of a line without one, in quadratic time.
    for match in _LINE.finditer(data):
        line = match.group()
        if line.isascii():
            continue
        sample += line[: _SAMPLE_BYTES - len(sample)]
        if len(sample) >= _SAMPLE_BYTES:
            break
    matches = from_bytes(sample, cp_isolation=list(_PRIORITY))
    ranked = [
        (match.chaos, -match.coherence, name)
        for match in matches
        for name in match.could_be_from_charset
        if name in _PRIORITY
    ]
    if not ranked:
        return []
    best = min(ranked)
    equal = [
        name
        for chaos, coherence, name in ranked
        if (chaos, coherence) == best[:2]
        or (name in _MULTI_BYTE and best[2] in _MULTI_BYTE and chaos <= best[0] + _EQUAL_CHAOS)
    ]
    return [
        *sorted(set(equal), key=_PRIORITY.__getitem__),
        *(name for _, _, name in sorted(ranked)),
    ]
