"""An event as a row of the table, and back with everything compared."""

from __future__ import annotations

from typing import Any

from pipeline.decisions.events import Event, chained


class AlteredError(Exception):
    """A stored row is not what was written: half a sentence says how."""


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


def event_of(stored: Any, place: int | None = None, previous: str | None = None) -> Event:
    """The event of a stored row.

    Args:
        stored: the row, with the table's columns as attributes.
        place: which place it should have in the record.
        previous: hash of the event that should stand before it.

    Raises:
        AlteredError: if a column is not what the body says, the body is not what the hash says, or
            the row is not the one that belongs there.
    """
    if place is not None and stored.seq != place:
        if isinstance(stored.seq, int) and stored.seq > place:
            raise AlteredError(f"was removed: the next one that is there is event {stored.seq}")
        raise AlteredError("was altered: its place is not a number that follows")
    if not isinstance(stored.body, bytes) or not _hex(stored.previous) or not _hex(stored.hash):
        raise AlteredError("was altered: its body or a hash is not of its form")
    if chained(stored.previous, stored.body) != stored.hash:
        raise AlteredError("was altered: its bytes do not give its hash")
    try:
        event = Event.of_body(stored.body, stored.previous)
    except ValueError as error:
        raise AlteredError(f"was altered: its body is {error}") from None
    if event.seq != stored.seq:
        raise AlteredError(f"was reordered: event {event.seq} stands in its place")
    if previous is not None and event.previous != previous:
        raise AlteredError("was altered or put in: it does not follow from the one before it")
    for name, value in row_of(event).items():
        found = getattr(stored, name)
        if type(found) is not type(value) or found != value:
            raise AlteredError(f"was altered: its column {name} is not what its body says")
    return event


def _hex(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
