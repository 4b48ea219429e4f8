"""Bytes of a plain-text file to its characters, one for one: newlines are left as they are."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from pipeline.core.errors import Reason
from pipeline.load.refusal import FileRefusedError

_MARKS = (
    # UTF-32 first: its mark begins with that of UTF-16.
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
_GUESSED = {name: place for place, name in enumerate((*_SINGLE_BYTE, *_MULTI_BYTE))}
"""Encodings that scripts are met in, the likelier first where the evidence is equal."""

_CLOSE = 0.04
"""Difference in charset-normalizer's `chaos` that says nothing between multi-byte encodings."""

_EVIDENCE_BYTES = 2**16
_LINE = re.compile(rb"[^\r\n]+[\r\n]*")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_WHOLE_TO_BROKEN = 9
"""Bytes of a legacy encoding hardly ever form that many characters of UTF-8 to one broken."""

_CONTROLS = re.compile(r"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MOST_CONTROLS = 0.02


class Decoded(NamedTuple):
    """Characters of a file, the codec that gave them, and whether it had to be guessed."""

    text: str
    encoding: str
    guessed: bool


def decode(data: bytes) -> Decoded:
    """The characters of a plain-text file, without a byte order mark.

    In order: what a byte order mark says; UTF-8 (refused if it is damaged in few places); UTF-16
    without a mark, if every other byte is zero as Western text has it; else the likeliest legacy
    encoding by charset-normalizer. All are strict: no character is ever replaced or dropped, and
    lone surrogates can't occur.

    Raises:
        FileRefusedError: CORRUPT if it is not text, or in no encoding that is known here.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = _strictly(data[len(mark) :], encoding)
            if text is None:
                raise FileRefusedError(
                    Reason.CORRUPT,
                    f"the file begins with the mark of {encoding.upper()} but is not in it, so "
                    "it is damaged or no text; save it again as UTF-8",
                )
            return _checked(text, encoding, guessed=False)
    if b"\0" in data:
        wide = _wide_without_mark(data)
        text = _strictly(data, wide) if wide else None
        return _checked("\0" if text is None else text, wide or "", guessed=True)
    text = _strictly(data, "utf-8")
    if text is not None:
        return _checked(text, "utf-8", guessed=False)
    _refuse_damaged_utf8(data)
    for encoding in _likely(data):
        text = _strictly(data, encoding)
        if text is not None:
            return _checked(text, encoding, guessed=True)
    raise _not_text()


def _checked(text: str, encoding: str, *, guessed: bool) -> Decoded:
    # Tabs, line ends, form feeds and escapes occur in text; other controls tell of a binary file.
    if "\0" in text or len(_CONTROLS.findall(text)) > _MOST_CONTROLS * len(text):
        raise _not_text()
    return Decoded(text, encoding, guessed)


def _not_text() -> FileRefusedError:
    return FileRefusedError(
        Reason.CORRUPT,
        "the content is not text, or in an encoding that can't be told; save it as UTF-8",
    )


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
        text.encode("utf-8")  # some codecs let lone surrogates pass
    except UnicodeError:
        return None
    return text


def _refuse_damaged_utf8(data: bytes) -> None:
    """Raises FileRefusedError (CORRUPT) if `data` is UTF-8 but for a few bytes.

    Read in a legacy encoding it would give other words than were written, and match nothing.
    """
    mended = data.decode("utf-8", "replace")
    broken = mended.count("\ufffd")
    whole = sum(map(len, _BEYOND_ASCII.findall(mended))) - broken
    if whole >= _WHOLE_TO_BROKEN * broken:
        raise FileRefusedError(
            Reason.CORRUPT,
            f"the text is UTF-8 but for {broken:,} broken "
            f"character{'' if broken == 1 else 's'}, so it is damaged or was cut off; fetch it "
            "again, or save it as UTF-8",
        )


def _wide_without_mark(data: bytes) -> str | None:
    even, odd = data[0::2].count(0), data[1::2].count(0)
    half = len(data) / 2
    if len(data) % 2 == 0 and odd > 0.7 * half and even < 0.05 * half:
        return "utf-16-le"
    if len(data) % 2 == 0 and even > 0.7 * half and odd < 0.05 * half:
        return "utf-16-be"
    return None


def _likely(data: bytes) -> list[str]:
    """Encodings to try, likeliest first, by the lines that are not plain ASCII.

    Those lines alone, because a few curly quotes in a long English text would go unseen among
    samples taken from all of it.
    """
    from charset_normalizer import from_bytes

    evidence = b""
    # Line by line, then a test for ASCII: one pattern for lines with a byte beyond ASCII would be
    # tried at every position of a line without one, in quadratic time.
    for match in _LINE.finditer(data):
        line = match.group()
        if line.isascii():
            continue
        evidence += line[: _EVIDENCE_BYTES - len(evidence)]
        if len(evidence) >= _EVIDENCE_BYTES:
            break
    matches = from_bytes(evidence, cp_isolation=list(_GUESSED))
    found = [
        (match.chaos, -match.coherence, name)
        for match in matches
        for name in match.could_be_from_charset
        if name in _GUESSED
    ]
    if not found:
        return []
    best = min(found)
    equal = [
        name
        for chaos, coherence, name in found
        if (chaos, coherence) == best[:2]
        or (name in _MULTI_BYTE and best[2] in _MULTI_BYTE and chaos <= best[0] + _CLOSE)
    ]
    return [*sorted(set(equal), key=_GUESSED.__getitem__), *(name for _, _, name in sorted(found))]
