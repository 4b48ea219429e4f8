"""`clearance audit export`: the whole record as CSV, JSON or HTML, with its verification."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa

from pipeline.core.errors import RecordError
from pipeline.core.wording.safe_csv import write_csv
from pipeline.core.wording.templating import template_environment
from pipeline.core.wording.text import visible
from pipeline.decisions.audit import Verified
from pipeline.decisions.event_log import now
from pipeline.decisions.events import Decision, Event, payload_json
from pipeline.decisions.form_2 import payload_words
from pipeline.decisions.record import Record

if TYPE_CHECKING:
    from jinja2 import Template


class Format(StrEnum):
    """Format of an export."""

    CSV = "csv"
    JSON = "json"
    HTML = "html"


_INTEGERS = ("seq", "index_version", "persons")
_TEXTS = (
    "event_id", "time", "actor", "kind", "asset", "asset_path", "work_id", "decision", "reason",
    "note", "assignee", "text", "of", "band", "risk", "run_id", "index_digest",
    "config_fingerprint", "previous", "hash",
)  # fmt: skip
CSV_COLUMNS = (
    "seq", "time", "actor", "kind", "decision", "asset_path", "asset", "work_id", "reason", "note",
    "assignee", "text", "of", "persons", "band", "risk", "run_id", "index_version", "index_digest",
    "config_fingerprint", "event_id", "previous", "hash",
)  # fmt: skip
"""Columns of the CSV, in order; `of` is the `event_id` of the decision that was taken back."""


def write_export(record: Record, verified: Verified, file: Path, form: Format) -> int:
    """Writes the intact events to a new file.

    Args:
        record: the record.
        verified: result of verifying it; included in JSON and HTML.
        file: the new file; nothing is ever overwritten.
        form: its format.

    Returns:
        How many events were written.

    Raises:
        RecordError: if the file exists already or can't be written.
    """
    events = list(_intact(record, verified))
    writers = {Format.CSV: _csv, Format.JSON: _json, Format.HTML: _html}
    try:
        with file.open("xb") as out:
            writers[form](out, events, verified)
    except FileExistsError:
        raise RecordError(f"{file} is there already; name a new file.") from None
    except OSError as error:
        raise RecordError(f"{file} can't be written ({error.strerror}).") from error
    return len(events)


def _intact(record: Record, verified: Verified) -> Iterable[Event]:
    source = record.events()
    for _ in range(verified.events):
        yield next(source)


def row(event: Event) -> dict[str, Any]:
    """An event as one flat row."""
    cells: dict[str, Any] = {
        "seq": event.seq,
        "event_id": event.event_id,
        "time": event.time,
        "actor": event.actor,
        "kind": str(event.kind),
        "previous": event.previous,
        "hash": event.hash,
    }
    if event.item is not None:
        cells |= {"asset": event.item.asset, "work_id": event.item.work_id}
    values = payload_json(event.payload)
    if isinstance(event.payload, Decision):
        values |= values.pop("basis")
    names = {*_INTEGERS, *_TEXTS}
    cells |= {name: value for name, value in values.items() if name in names}
    if "decision" in cells:
        cells["decision"] = str(cells["decision"])
    if "sha256" in values or event.item is None:
        cells["text"] = json.dumps(values, sort_keys=True)
    return cells


def _csv(out: BinaryIO, events: list[Event], _verified: Verified) -> None:
    schema = pa.schema(
        [(name, pa.int64() if name in _INTEGERS else pa.string()) for name in CSV_COLUMNS]
    )
    write_csv(pa.Table.from_pylist([row(event) for event in events], schema=schema), out)


def _json(out: BinaryIO, events: list[Event], verified: Verified) -> None:
    value = {
        "exported": now(),
        "verified": verified.summary(),
        "events": [
            {
                "seq": event.seq,
                "previous": event.previous,
                "hash": event.hash,
                "body": event.body.decode("utf-8"),
            }
            for event in events
        ],
    }
    out.write(json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8") + b"\n")


def _html(out: BinaryIO, events: list[Event], verified: Verified) -> None:
    numbers = {event.event_id: event.seq for event in events}
    rows = []
    for event in events:
        cells = {name: _cell(value) for name, value in row(event).items()}
        cells["says"] = _cell(payload_words(event.payload))
        of = getattr(event.payload, "of", None)
        rows.append({**cells, "of_event": numbers.get(of, "") if of else ""})
    result = replace(
        verified,
        faults=tuple(map(visible, verified.faults)),
        notes=tuple(map(visible, verified.notes)),
    )
    out.write(_template().render(events=rows, verified=result, exported=now()).encode("utf-8"))


def _cell(value: Any) -> str:
    return "" if value is None else visible(str(value), keep_newlines=True)


@cache
def _template() -> Template:
    return template_environment(Path(__file__).resolve().parent / "templates").get_template(
        "record.html.j2"
    )
