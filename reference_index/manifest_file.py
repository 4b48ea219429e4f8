"""Manifests: lists of works or of labelled pairs, as CSV, JSONL or a sheet of a workbook.

This module reads the rows as text; `manifest_text` decodes them, `manifest_excel` reads workbooks,
`manifest_paths` finds the files that they name. The values are interpreted by `works` and
`pipeline.evaluation.labels`. Every fault of every row is collected, with the number of
the line on which the row begins.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reference_index.errors import ManifestError
from reference_index.manifest_text import (
    A_SEPARATOR,
    SEPARATORS,
    RawRow,
    decoded,
    printable,
    separated,
)

EXCEL = (".xlsx", ".xlsm")
"""Suffixes of Excel's workbooks, which are read with the extra `excel`."""

_JSONL = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class ManifestFormat:
    """The columns of a kind of manifest, and its names for messages.

    Attributes:
        name: such as `manifest`.
        contents: what its rows are, such as `works`.
        required: columns that it must have.
        optional: columns that it may have; a misspelt one is reported.
        suffixes: of file names, lower case.
        has_options: whether the command that reads it has the options of `ManifestReading`.
        reads_all_columns: whether columns that are neither required nor optional have a meaning,
            so that none of them may be there twice.
    """

    name: str
    contents: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = (".csv", ".tsv", ".txt")
    has_options: bool = False
    reads_all_columns: bool = False


@dataclass(frozen=True, slots=True)
class ManifestReading:
    """How to read a manifest that was made elsewhere.

    Attributes:
        encoding: of a CSV or JSONL, such as `cp1252`; None for UTF-8, or UTF-16 with its mark.
        columns: by name of a column, its heading in the manifest.
        sheet: of a workbook; None for the first that is not hidden.
        prefixes: pairs of the beginning of a path in the manifest and what it is on this machine.
        rights: by a word for the rights in the manifest, the label that it means.
    """

    encoding: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    sheet: str | None = None
    prefixes: tuple[tuple[str, str], ...] = ()
    rights: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawRows:
    """The rows of a manifest, bad ones among them.

    Attributes:
        rows: at least one.
        notes: sentences on how they were read.
    """

    rows: list[RawRow]
    notes: tuple[str, ...] = ()


def read_rows(path: Path, form: ManifestFormat, reading: ManifestReading | None = None) -> RawRows:
    """The rows of the manifest `path`.

    Raises:
        ManifestError: if the file as a whole can't be used: it can't be read, is no table, is of
            another encoding, lacks a column or has no rows.
    """
    reading = reading or ManifestReading()
    name = printable(str(path))
    data = _bytes_of(path, name, form)
    suffix = path.suffix.lower()
    if suffix in EXCEL:
        from reference_index.manifest_excel import read_excel

        if reading.encoding:
            raise ManifestError(f"{name} is a workbook, which has no --encoding; leave it out.")
        header, rows, notes = read_excel(data, name, reading.sheet)
    elif reading.sheet:
        raise ManifestError(f"{name} is no workbook, so it has no --sheet; leave it out.")
    else:
        text, notes = decoded(data, name, reading.encoding, with_options=form.has_options)
        if suffix in _JSONL:
            rows = list(read_jsonl(text, form.required))
            header = list(dict.fromkeys(key for row in rows for key in row.values))
            rows = [_renamed(row, reading.columns) for row in rows]
        else:
            wanted = {*form.required, *form.optional, *reading.columns.values()}
            text, separator = separated(text, wanted)
            header, rows = read_csv(text, separator)
            if separator != ",":
                notes += (f"its columns are separated by {SEPARATORS[separator]}.",)
    named = _with_columns(name, header, reading.columns)
    if suffix not in _JSONL:
        rows = [_renamed(row, reading.columns) for row in rows]
        _check_header(name, named, form)
    if not rows:
        raise ManifestError(f"{name} lists no {form.contents}: it has no rows below its header.")
    return RawRows(rows, tuple(f"{printable(path.name)}: {note}" for note in notes))


def _bytes_of(path: Path, name: str, form: ManifestFormat) -> bytes:
    if path.exists() and not path.is_file():
        raise ManifestError(
            f"{name} can't be read: it is a folder, a pipe or a device; name a {form.name}."
        )
    suffix = path.suffix.lower()
    if suffix not in form.suffixes:
        advice = " (save it as .xlsx)" if suffix == ".xls" and EXCEL[0] in form.suffixes else ""
        raise ManifestError(
            f"{name} is no {form.name}: its name must end in {' or '.join(form.suffixes)}{advice}."
        )
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ManifestError(f"There is no {form.name} at {name}.") from None
    except OSError as fault:
        raise ManifestError(f"The {form.name} {name} can't be read ({fault.strerror}).") from None


def place_of(path: Path, line: int) -> str:
    """Where a row is, for messages: `line 4 of works.csv`, `row 4 of works.xlsx`."""
    word = "row" if path.suffix.lower() in EXCEL else "line"
    return f"{word} {line} of {printable(path.name)}"


def row_problem(path: Path, row: RawRow, faults: Sequence[str]) -> str:
    """The sentence for a bad row: `line 4 of works.csv: title is missing.`"""
    return printable(f"{place_of(path, row.line)}: {'; '.join(faults)}.")


def _with_columns(name: str, header: list[str], columns: Mapping[str, str]) -> list[str]:
    """The header with the names of columns in place of their headings.

    Raises:
        ManifestError: if a heading is not there.
    """
    faults = []
    for column, heading in columns.items():
        if heading not in header:
            near = difflib.get_close_matches(heading, header, 1, 0.6)
            hint = f" ({near[0]!r} is near it)" if near else ""
            faults.append(f"it has no heading {heading!r} for the column {column}{hint}")
    if faults:
        raise ManifestError(
            printable(f"{name} can't be used: {'; '.join(faults)}; {_headings(header)}."), faults
        )
    names = {heading: column for column, heading in columns.items()}
    return [names.get(heading, heading) for heading in header]


def _renamed(row: RawRow, columns: Mapping[str, str]) -> RawRow:
    if not columns:
        return row
    names = {heading: column for column, heading in columns.items()}
    values = {names.get(heading, heading): value for heading, value in row.values.items()}
    return RawRow(row.line, values, row.faults)


def _headings(header: Sequence[str]) -> str:
    return f"its headings are {', '.join(heading for heading in header if heading) or 'none'}"


def _check_header(name: str, header: list[str], form: ManifestFormat) -> None:
    named = (*form.required, *form.optional)
    others = [column for column in header if column not in named]
    unique = header if form.reads_all_columns else named
    faults = [
        f"the column {column} is there more than once"
        for column in dict.fromkeys(unique)
        if column and header.count(column) > 1
    ]
    for column in named:
        near = difflib.get_close_matches(column, others, 1, 0.6)
        if column in header or (column in form.optional and not near):
            continue
        option = f": --column {shlex.quote(f'{column}={near[0]}')}" if near else ""
        option = option if form.has_options else ""
        hint = f" ({near[0]!r} is near it{option})" if near else ""
        faults.append(f"it has no column {column}{hint}")
    if not faults:
        return
    advice = f"a {form.name} begins with a line of column names: {','.join(named)}"
    if form.has_options:
        advice += "; for other headings give --column, such as --column title=Titel"
    if any(header):
        advice = f"{_headings(header)}; {advice}"
    if len(header) == 1 and "|" in header[0]:
        advice = "its columns must be separated by commas, semicolons or tabs"
    faults = [printable(fault) for fault in faults]
    message = printable(f"{name} can't be used: {'; '.join(faults)}; {advice}.")
    raise ManifestError(message, faults)


def read_csv(text: str, separator: str = ",") -> tuple[list[str], list[RawRow]]:
    """The names in the header and the rows of a CSV text; both empty if it has no line."""
    # strict: a quotation mark that is never closed would otherwise swallow the rows below it.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header: list[str] | None = None
    rows: list[RawRow] = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return header or [], rows
        except csv.Error as fault:
            rows.append(RawRow(line, {}, [_csv_fault(str(fault))]))
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
        else:
            rows.append(_csv_row(line, header, cells, separator))


def _csv_fault(message: str) -> str:
    if "unexpected end" in message:
        return "a quotation mark is opened here and never closed; rows below it can't be read"
    return f"it is not well-formed CSV ({message})"


def _csv_row(line: int, header: Sequence[str], cells: Sequence[str], separator: str) -> RawRow:
    faults = []
    if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
        faults.append(
            f"it has {len(cells)} values for {len(header)} columns; "
            f"put a value that holds {A_SEPARATOR[separator]} in quotation marks"
        )
    values = {}
    for name, cell in zip(header, cells, strict=False):
        if name:
            values[name] = cell
        elif cell.strip():
            faults.append("it has a value in a column without a name")
    return RawRow(line, values, faults + _not_text(values))


def read_jsonl(text: str, required: Sequence[str]) -> Iterator[RawRow]:
    """The rows of a JSONL text; the `required` keys must be text, others may be any value."""
    for line, raw in enumerate(io.StringIO(text, newline=None), 1):
        if not raw.strip():
            continue
        try:
            pairs = json.loads(raw, object_pairs_hook=_Pairs)
        except (ValueError, RecursionError) as fault:
            message = getattr(fault, "msg", "nested too deeply")
            yield RawRow(line, {}, [f"it is not valid JSON ({message})"])
            continue
        if not isinstance(pairs, _Pairs):
            yield RawRow(line, {}, ["it is not a JSON object"])
            continue
        yield _json_row(line, pairs, required)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as pairs, so that a repeated key is noticed."""


def _json_row(line: int, pairs: _Pairs, required: Sequence[str]) -> RawRow:
    values: dict[str, str] = {}
    faults = []
    for name, value in pairs:
        if name in values:
            faults.append(f"{name} is given twice")
        elif isinstance(value, str):
            values[name] = value
        elif value is None:
            values[name] = ""
        elif name in required:
            types = {bool: "true or false", int: "a number", float: "a number", _Pairs: "an object"}
            type_name = types.get(type(value), "a list")
            faults.append(f"{name} must be text in quotation marks, and is {type_name}")
        else:
            values[name] = json.dumps(_plain(value), ensure_ascii=False)
    return RawRow(line, values, faults + _not_text(values))


def _plain(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return {name: _plain(inner) for name, inner in value}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _not_text(values: dict[str, str]) -> list[str]:
    """A fault for each value that holds lone surrogates: bytes that were not UTF-8."""
    faults = []
    for name, value in values.items():
        try:
            (name + value).encode()
        except UnicodeEncodeError:
            faults.append(f"{name.encode('utf-8', 'replace').decode()} is not UTF-8 text")
    return faults
