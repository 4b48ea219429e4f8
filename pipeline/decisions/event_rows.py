"""An event as a row of the table, and back with every column checked."""

from __future__ import annotations

from typing import Any

from pipeline.decisions.events import Event, UnknownFormError
from pipeline.decisions.hash_chain import (
    AlteredError,
    NewerFormError,
    check_hash,
    check_link,
    check_place,
)


def row_of(event: Event) -> dict[str, Any]:
    """The columns of an event."""
    item = event.item
    return {
        "seq": event.seq,
        "event_id": event.event_id,
        "time": event.time,
        "actor": event.actor,
        "kind": str(event.kind),
        "asset": item.asset if item else None,
        "work_id": item.work_id if item else None,
        "body": event.body,
        "previous": event.previous,
        "hash": event.hash,
    }


def event_of(row: Any, place: int | None = None, previous: str | None = None) -> Event:
    """The event of a stored row.

    Args:
        row: with the table's columns as attributes.
        place: the place that it should have in the record; None if not known.
        previous: hash of the event that should be before it; None if not known.

    Raises:
        NewerFormError: if it is of a form that this version does not know.
        AlteredError: if a column is not what the body says, the body is not what the hash says, or
            the row is not the one that belongs there.
    """
    if place is not None:
        check_place(row.seq, place)
    check_hash(row.previous, row.body, row.hash)
    try:
        event = Event.of_body(row.body, row.previous)
    except UnknownFormError as error:
        raise NewerFormError(f"is {error}") from None
    except ValueError as error:
        raise AlteredError(f"was altered: its body is {error}") from None
    if event.seq != row.seq:
        raise AlteredError(f"was reordered: event {event.seq} stands in its place")
    if previous is not None:
        check_link(event.previous, previous)
    for name, expected in row_of(event).items():
        value = getattr(row, name)
        if type(value) is not type(expected) or value != expected:
            raise AlteredError(f"was altered: its column {name} is not what its body says")
    return event
