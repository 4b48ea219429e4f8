"""Manifests: lists of works or of labelled pairs, as CSV or JSONL.

This module reads the rows as text and finds the files that they name; the values are interpreted by
`works` and `pipeline.evaluation.labels`. Every fault of every row is collected, with the number of
the line on which the row begins.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reference_index.errors import ManifestError

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class ManifestFormat:
    """The columns of a kind of manifest, and its names for messages.

    Attributes:
        name: such as `manifest`.
        contents: what its rows are, such as `works`.
        required: columns that it must have.
        optional: columns that it may have; a misspelt one is reported.
        suffixes: of file names, lower case, `.csv` first. All others than `.csv` are JSONL.
        reads_all_columns: whether columns that are neither required nor optional have a meaning,
            so that none of them may be there twice.
    """

    name: str
    contents: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = (".csv",)
    reads_all_columns: bool = False


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


def read_rows(path: Path, form: ManifestFormat) -> list[RawRow]:
    """The rows of the manifest `path`, at least one, bad ones among them.

    Raises:
        ManifestError: if the file as a whole can't be used: it can't be read, is no CSV or JSONL,
            lacks a column or has no rows.
    """
    name = printable(str(path))
    if path.exists() and not path.is_file():
        raise ManifestError(
            f"{name} can't be read: it is a folder, a pipe or a device; name a {form.name}."
        )
    suffix = path.suffix.lower()
    if suffix not in form.suffixes:
        raise ManifestError(
            f"{name} is no {form.name}: its name must end in {' or '.join(form.suffixes)}."
        )
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ManifestError(f"There is no {form.name} at {name}.") from None
    except OSError as fault:
        raise ManifestError(f"The {form.name} {name} can't be read ({fault.strerror}).") from None
    if data.startswith(_UTF16_MARKS):
        raise ManifestError(f"{name} is UTF-16; save it as UTF-8 (in Excel: CSV UTF-8).")
    # Bytes that are not UTF-8 become lone surrogates, by which their own row is found and named.
    text = data.decode("utf-8-sig", errors="surrogateescape")
    if suffix == ".csv":
        header, rows = read_csv(text)
        _check_header(name, header, form)
    else:
        rows = list(read_jsonl(text, form.required))
    if not rows:
        raise ManifestError(f"{name} lists no {form.contents}: it has no rows below its header.")
    return rows


def row_problem(path: Path, row: RawRow, faults: Sequence[str]) -> str:
    """The sentence for a bad row: `line 4 of works.csv: title is missing.`"""
    return printable(f"line {row.line} of {path.name}: {'; '.join(faults)}.")


def find_file(manifest: Path, written: str, *, readable: bool, noun: str) -> tuple[str, str]:
    """The path of a file that a row names, relative to the manifest or absolute.

    Args:
        manifest: the manifest.
        written: the path as the row has it. It is tried as it is, then without the blanks around
            it: a file's name may begin or end with one.
        readable: whether a file that can't be opened is a fault.
        noun: what the file is, for the fault: `file` or `asset`.

    Returns:
        The path, and a blank fault; or a blank path, and the fault as part of a sentence.
    """
    fault = ""
    for path in dict.fromkeys((written, written.strip())):
        fault = file_fault(manifest.parent / path, readable=readable)
        if not fault:
            return path, ""
    path = written.strip()
    base = "" if Path(path).is_absolute() else f" (relative to {manifest.name})"
    return "", f"the {noun} {path!r}{base} {fault}"


def file_fault(file: Path, *, readable: bool) -> str:
    """Why `file` can't be used, as the end of a sentence; blank if it can.

    Args:
        file: to look at.
        readable: whether it must be possible to open it.
    """
    try:
        if file.is_dir():
            return "is a folder; list its files"
        if not file.exists():
            return "does not exist"
        if not file.is_file():
            return "is not a regular file"
        if readable:
            with file.open("rb"):
                pass
    except (OSError, ValueError) as fault:
        if readable or not isinstance(fault, PermissionError):
            return f"can't be read ({getattr(fault, 'strerror', None) or fault})"
    return ""


def printable(text: str) -> str:
    """`text` as valid Unicode: bytes that are not UTF-8 (lone surrogates) become `\\xNN`."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


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
        hint = f" ({near[0]!r} is near it)" if near else ""
        faults.append(f"it has no column {column}{hint}")
    if not faults:
        return
    advice = f"a {form.name} begins with a line of column names: {','.join(named)}"
    if len(header) == 1 and any(separator in header[0] for separator in ";\t|"):
        advice = "its columns must be separated by commas"
    faults = [printable(fault) for fault in faults]
    raise ManifestError(f"{name} can't be used: {'; '.join(faults)}; {advice}.", faults)


def read_csv(text: str) -> tuple[list[str], list[RawRow]]:
    """The names in the header and the rows of a CSV text; both empty if it has no line."""
    # strict: a quotation mark that is never closed would otherwise swallow the rows below it.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
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
            rows.append(_csv_row(line, header, cells))


def _csv_fault(message: str) -> str:
    if "unexpected end" in message:
        return "a quotation mark is opened here and never closed; rows below it can't be read"
    return f"it is not well-formed CSV ({message})"


def _csv_row(line: int, header: Sequence[str], cells: Sequence[str]) -> RawRow:
    faults = []
    if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
        faults.append(
            f"it has {len(cells)} values for {len(header)} columns; "
            "put a value that holds a comma in quotation marks"
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
