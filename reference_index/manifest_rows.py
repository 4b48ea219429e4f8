"""The rows of a manifest as text, before they are judged: CSV and JSONL, with true line numbers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as written.

    Attributes:
        line: where it begins, counted from 1 (a quoted value may run over several lines).
        values: text by column.
        faults: why it can't be read, as parts of a sentence; empty if it can.
    """

    line: int
    values: dict[str, str]
    faults: list[str] = field(default_factory=list)


def read_csv(text: str) -> tuple[list[str], list[RawRow]]:
    """The header's names and the rows of a CSV text; a file without any line has neither."""
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
            what = getattr(fault, "msg", "nested too deeply")
            yield RawRow(line, {}, [f"it is not valid JSON ({what})"])
            continue
        if not isinstance(pairs, _Pairs):
            yield RawRow(line, {}, ["it is not a JSON object"])
            continue
        yield _json_row(line, pairs, required)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs, so that a key given twice is seen."""


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
            kind = {bool: "true or false", int: "a number", float: "a number", _Pairs: "an object"}
            found = kind.get(type(value), "a list")
            faults.append(f"{name} must be text in quotation marks, and is {found}")
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
