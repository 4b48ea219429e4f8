"""The text of a manifest: its encoding, what separates its columns, and a row of it."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from reference_index.errors import ManifestError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
"""Separators of columns. A vertical bar only counts if the file says `sep=|`, as Excel reads it."""
A_SEPARATOR = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row, not yet interpreted.

    Attributes:
        line: on which it begins, counted from 1 (a quoted value may run over several lines).
        values: text by column.
        faults: why it can't be read, as parts of a sentence; empty if it can.
    """

    line: int
    values: dict[str, str]
    faults: list[str] = field(default_factory=list)


_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SAID = re.compile(r"\s*\"?sep=([,;\t|])\"?[ ,;\t|]*(?=\r|\n|$)", re.IGNORECASE)
_SURROGATES = re.compile("[\udc80-\udcff]")
_HEAD = 4096
_GUESS = "cp1252"
_SHOWN = 60


def decoded(
    data: bytes, name: str, encoding: str | None, *, with_options: bool
) -> tuple[str, tuple[str, ...]]:
    """The text of a manifest, and notes on how it was decoded.

    Single bytes that are not UTF-8 become lone surrogates, by which their own row is found and
    named; a file that is mostly of another encoding is refused as a whole.

    Args:
        data: its bytes.
        name: of the file, for messages.
        encoding: that the user says it has; None for UTF-8, or UTF-16 with a byte order mark.
        with_options: whether the command has the option --encoding.

    Raises:
        ManifestError: if the encoding is unknown or not that of the file.
    """
    if encoding is not None:
        return _decoded_as(data, name, encoding), ()
    if data.startswith(_UTF16_MARKS):
        return _decoded_as(data, name, "utf-16"), ("it is UTF-16, as Excel's Unicode Text is.",)
    if 4 * data.count(b"\0", 0, _HEAD) > len(data[:_HEAD]):
        say = ", or say --encoding utf-16-le" if with_options else ""
        raise ManifestError(
            f"{name} is no text in UTF-8: it has zero bytes, as UTF-16 without a byte order mark "
            f"has; save it as UTF-8 (in Excel: CSV UTF-8){say}."
        )
    text = data.decode("utf-8-sig", errors="surrogateescape")
    if _SURROGATES.search(text):
        _refuse_other_encoding(data, text, name, with_options=with_options)
    return text, ()


def _decoded_as(data: bytes, name: str, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except (LookupError, ValueError) as fault:
        if isinstance(fault, UnicodeDecodeError):
            line = data.count(b"\n", 0, fault.start) + 1
            where = f" (line {line})" if encoding != "utf-16" else ""
            raise ManifestError(
                f"{name} is not {encoding}: its byte {fault.start + 1:,}{where} has no meaning "
                "there; give the encoding in which it was saved, or save it as UTF-8."
            ) from None
        raise ManifestError(
            f"There is no encoding {encoding!r}; take a name such as cp1252, cp1250, mac_roman, "
            "utf-16 or shift_jis."
        ) from None
    return text.removeprefix("\ufeff")


def _refuse_other_encoding(data: bytes, text: str, name: str, *, with_options: bool) -> None:
    """Raises ManifestError if more lines are of another encoding than have letters in UTF-8."""
    wrong, right = [], 0
    for number, line in enumerate(text.split("\n"), 1):
        if _SURROGATES.search(line):
            wrong.append(number)
        elif not line.isascii():
            right += 1
    if right >= len(wrong):
        return
    more = f" and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
    lines = f"line{'s' if more else ''} {wrong[0]}{more}"
    advice = "save it as UTF-8 (in Excel: CSV UTF-8)"
    if with_options:
        raw = data.split(b"\n")[wrong[0] - 1]
        first = re.search(rb"[\x80-\xff]", raw)
        start = max(0, (first.start() if first else 0) - _SHOWN // 2)
        shown = raw[start : start + _SHOWN].decode(_GUESS, "replace").strip()
        advice += (
            f", or say which encoding it has: by --encoding {_GUESS}, Excel's in Western Europe "
            f"and America, line {wrong[0]} reads {shown!r}"
        )
    raise ManifestError(f"{name} is not UTF-8 text ({lines}); {advice}.")


def separated(text: str, columns: Collection[str]) -> tuple[str, str]:
    """The text without Excel's line `sep=;`, whose place stays, and the separator of its columns.

    Args:
        text: of a CSV.
        columns: names that its header may have: the separator that gives most of them is taken,
            and among equal ones that which gives most headings.
    """
    said = _SAID.match(text)
    if said:
        return text[said.end() :], said[1]

    def found(separator: str) -> tuple[int, int]:
        header = csv.reader(text.splitlines(), delimiter=separator)
        try:
            cells = next((row for row in header if any(cell.strip() for cell in row)), [])
        except csv.Error:
            return 0, 0
        return len({cell.strip() for cell in cells} & set(columns)), len(cells)

    # The first of equal ones: a comma.
    return text, max((",", ";", "\t"), key=found)


def printable(text: str) -> str:
    """`text` as valid Unicode: bytes that are not UTF-8 (lone surrogates) become `\\xNN`."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
