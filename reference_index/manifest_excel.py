"""Manifests in Excel's workbooks (.xlsx), with the extra `excel`. They are read as a stream."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from reference_index.errors import ManifestError
from reference_index.manifest_text import RawRow, printable

MAX_UNPACKED = 256 * 2**20
"""Bytes of the parts of a workbook together: a small file can unpack to any size."""

_ZEROS = re.compile(r"0+")
_ERRORS = frozenset({"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"})


def read_excel(
    data: bytes, name: str, sheet: str | None
) -> tuple[list[str], list[RawRow], tuple[str, ...]]:
    """The header, the rows and notes of one sheet of a workbook.

    Hidden rows are read like others and said. Dates become ISO 8601, whole numbers have no
    decimal point, a number that is shown with leading zeros keeps them.

    Args:
        data: the workbook.
        name: of the file, for messages.
        sheet: its name; None for the first that is not hidden.

    Raises:
        ManifestError: if it can't be read, the extra is not installed, or it has no such sheet.
    """
    workbook = _opened(data, name)
    table, notes = _sheet(workbook, name, sheet)
    header: list[str] | None = None
    rows: list[RawRow] = []
    try:
        hidden, uncalculated = _hidden_and_uncalculated(data, table)
        for cells in table.iter_rows():
            number = next((cell.row for cell in cells if hasattr(cell, "coordinate")), 0)
            texts = [_text(cell) for cell in cells]
            missing = uncalculated.get(number, set())
            if not missing and not any(text.strip() for text in texts):
                continue
            if header is None:
                header = [text.strip() for text in texts]
                continue
            rows.append(RawRow(number, *_values(header, cells, texts, missing)))
    except Exception as fault:  # openpyxl raises many types for a damaged sheet
        raise _damaged(name, fault) from None
    listed = [row.line for row in rows if row.line in hidden]
    if listed:
        noun = "row is" if len(listed) == 1 else "rows are"
        notes.append(f"{len(listed):,} {noun} hidden, and read like the others: {_ranges(listed)}.")
    return header or [], rows, tuple(notes)


def _opened(data: bytes, name: str) -> Any:
    try:
        import openpyxl
    except ModuleNotFoundError:
        raise ManifestError(
            f"Reading {name} needs the extra `excel`: run `pip install '.[excel]'` in Clearance's "
            "source folder, or save it as CSV UTF-8."
        ) from None
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise ManifestError(
            f"{name} is encrypted or an old workbook; save it as .xlsx without a password."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size <= MAX_UNPACKED:
            return openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except Exception as fault:  # openpyxl and zipfile raise many types for a damaged workbook
        raise _damaged(name, fault) from None
    raise ManifestError(
        f"{name} unpacks to more than {MAX_UNPACKED >> 20} MiB; delete what is not the manifest "
        "from it (pictures, other sheets, formats of empty columns), or save it as CSV UTF-8."
    )


def _damaged(name: str, fault: Exception) -> ManifestError:
    return ManifestError(
        f"{name} can't be read as a workbook ({type(fault).__name__}); open it in Excel and save "
        "it again, or save it as CSV UTF-8."
    )


def _sheet(workbook: Any, name: str, sheet: str | None) -> tuple[Any, list[str]]:
    tables = workbook.worksheets
    names = [table.title for table in tables]
    listed = ", ".join(map(repr, names))
    if sheet is not None:
        if sheet not in names:
            raise ManifestError(f"{name} has no sheet {sheet!r}; its sheets are {listed}.")
        return tables[names.index(sheet)], []
    seen = next((table for table in tables if table.sheet_state == "visible"), None)
    if seen is None:
        raise ManifestError(f"{name} has no sheet that is not hidden; name one with --sheet.")
    others = f"the sheet {seen.title!r} was read, of {listed}; --sheet names another."
    return seen, [others] if len(names) > 1 else []


def _hidden_and_uncalculated(data: bytes, table: Any) -> tuple[set[int], dict[int, set[str]]]:
    """Numbers of hidden rows; and by row number, the columns (letters) of formulas without a stored
    value. openpyxl shows neither when it reads a sheet as a stream.
    """
    from defusedxml.ElementTree import iterparse

    hidden: set[int] = set()
    uncalculated: dict[int, set[str]] = {}
    number = 0
    with (
        zipfile.ZipFile(io.BytesIO(data)) as archive,
        archive.open(table._worksheet_path) as part,
    ):
        for event, element in iterparse(part, events=("start", "end")):
            tag = element.tag.rpartition("}")[2]
            if event == "start":
                if tag == "row":
                    number = int(element.get("r") or number + 1)
                continue
            if tag == "c":
                inner = {child.tag.rpartition("}")[2]: child for child in element}
                if "f" in inner and not (inner.get("v") is not None and inner["v"].text):
                    column = re.sub(r"\d", "", element.get("r") or "")
                    # A formula may give an empty text, which is stored as such.
                    if element.get("t") != "str":
                        uncalculated.setdefault(number, set()).add(column)
            elif tag == "row":
                if element.get("hidden") in ("1", "true"):
                    hidden.add(number)
                element.clear()
    return hidden, uncalculated


def _values(
    header: Sequence[str], cells: Sequence[Any], texts: Sequence[str], missing: set[str]
) -> tuple[dict[str, str], list[str]]:
    """The values of a row by column, and its faults."""
    values: dict[str, str] = {}
    faults = []
    for place, (cell, text) in enumerate(zip(cells, texts, strict=True)):
        name = header[place] if place < len(header) else ""
        letter = getattr(cell, "column_letter", "")
        if letter in missing:
            faults.append(
                f"{name or 'column ' + letter} is a formula whose value is not stored; open the "
                "workbook in Excel and save it, or put the value in its place"
            )
        elif text in _ERRORS and getattr(cell, "data_type", "") == "e":
            faults.append(f"{name or 'column ' + letter} is Excel's error {text}")
        elif name:
            values[name] = text
        elif text.strip():
            faults.append(f"it has a value in column {letter}, which has no heading")
    return values, faults


def _text(cell: Any) -> str:
    """What a cell shows, as text."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and float(value).is_integer():
        whole = str(int(value))
        shown = str(getattr(cell, "number_format", ""))
        return whole.zfill(len(shown)) if _ZEROS.fullmatch(shown) else whole
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return printable(str(value))


def _ranges(numbers: Sequence[int]) -> str:
    """Row numbers in words: `3, 7 to 9`."""
    return ", ".join(
        str(first) if first == last else f"{first} to {last}" for first, last in _runs(numbers)
    )


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield first, last
            first = number
        last = number
    yield first, last
