"""The log beneath the record of decisions: events in one hash chain, read and appended."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

from pipeline.core.errors import RecordError
from pipeline.decisions.basis import Basis, Item
from pipeline.decisions.database import EVENTS, Database, sa
from pipeline.decisions.event_rows import event_of, row_of
from pipeline.decisions.events import FORM_1_KINDS, Decision, Event, Opened, Payload
from pipeline.decisions.form_2 import Upgraded
from pipeline.decisions.hash_chain import GENESIS_HASH, AlteredError, NewerFormError, check_form
from pipeline.decisions.places import refuse_no_place
from pipeline.decisions.state import ItemState, item_state
from pipeline.decisions.texts import person_name

Result = TypeVar("Result")
_EVENT_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")

Check = Callable[[ItemState, Payload], None]
"""May refuse an event by raising, given the state of its item and the payload to be written."""


class EventLog:
    """The events of a record, appended in one hash chain.

    Attributes:
        database: where it is stored.
        name: the record's id, from its first event.
        aliases: by former id of a work, its present id.
    """

    def __init__(
        self, database: Database, name: str, aliases: Mapping[str, str] | None = None
    ) -> None:
        self.database = database
        self.name = name
        self.aliases = aliases or {}

    @classmethod
    def open(
        cls,
        place: str | Path,
        *,
        create: bool = False,
        actor: str = "clearance",
        aliases: Mapping[str, str] | None = None,
    ) -> Self:
        """The record at a place.

        Args:
            place: a file, a folder of results (its `record.sqlite` is meant), a scan directory, or
                a URL `postgresql://…`.
            create: create it if there is none.
            actor: who creates it.
            aliases: by former id of a work, its present id (`ReferenceIndex.aliases`): events under
                the former one count for the work.

        Raises:
            RecordError: if there is none, the database belongs to something else, or a driver is
                not installed.
        """
        database = Database(place)
        if create:
            if database.file is not None and not database.file.parent.is_dir():
                raise RecordError(f"There is no folder {database.file.parent} for a record.")
            with database.writing(create=True) as connection:
                if not sa.inspect(connection).has_table(EVENTS.name):
                    database.create_table(connection)
                    opened = Opened(secrets.token_hex(16), secrets.token_hex(32))
                    first = Event(
                        1, secrets.token_hex(16), now(), person_name(actor), opened, GENESIS_HASH
                    )
                    connection.execute(EVENTS.insert(), row_of(first))
        elif not database.exists:
            refuse_no_place(place)
            raise RecordError(
                f"There is no record at {database.name} yet; the first decision or rule makes it."
            )
        with database.reading() as connection:
            stored = connection.execute(sa.select(EVENTS).where(EVENTS.c.seq == 1)).first()
        try:
            if stored is None:
                raise AlteredError("is missing")  # noqa: TRY301
            first = event_of(stored)
        except AlteredError as error:
            raise _altered(1, error) from None
        if not isinstance(first.payload, Opened):
            raise _altered(1, AlteredError("is not what a record begins with"))
        return cls(database, first.payload.record, aliases)

    @property
    def head(self) -> Event:
        """The last event."""
        with self.database.reading() as connection:
            return self._last(connection)

    def events(self, after: int = 0, known: str | None = None) -> Iterator[Event]:
        """The events after place `after`, in order, each checked against the hash chain.

        Args:
            after: place of the last event that the caller has.
            known: its hash. It is compared again, since this record may have been replaced by
                another one or by an earlier state of itself.

        Raises:
            RecordError: at the first event that was altered or is missing.
        """
        query = sa.select(EVENTS).where(EVENTS.c.seq > after).order_by(EVENTS.c.seq)
        previous: str | None = GENESIS_HASH if after == 0 else known
        with self.database.reading() as connection:
            if known is not None:
                self._refuse_another(connection, after, known)
            place, form = after, None
            result = connection.execute(query.execution_options(yield_per=1000))
            with closing(result) as rows:
                for row in rows:
                    place += 1
                    try:
                        event = event_of(row, place, previous)
                        form = following_form(event, form)
                    except AlteredError as error:
                        raise _altered(place, error) from None
                    previous = event.hash
                    yield event

    def _refuse_another(self, connection: sa.Connection, place: int, known: str) -> None:
        query = sa.select(EVENTS.c.hash).where(EVENTS.c.seq == place)
        if connection.execute(query).scalar() != known:
            raise RecordError(
                f"The record {self.database.name} is not the one that was read before: event "
                f"{place} is missing or another. See what clearance audit verify says, and put the "
                "record back; or end this program and start it again with the record that is there."
            )

    def _state(self, connection: sa.Connection, item: Item, now: Basis | None = None) -> ItemState:
        item = item.under(self.aliases)
        ids = [item.work_id, *(old for old, new in self.aliases.items() if new == item.work_id)]
        query = (
            sa.select(EVENTS)
            .where(EVENTS.c.asset == item.asset)
            .where(
                EVENTS.c.work_id.is_(None) if item.work_id is None else EVENTS.c.work_id.in_(ids)
            )
            .order_by(EVENTS.c.seq)
        )
        return item_state(item, [self._event(row) for row in connection.execute(query)], now)

    def _last(self, connection: sa.Connection) -> Event:
        query = sa.select(EVENTS).order_by(EVENTS.c.seq.desc()).limit(1)
        stored = connection.execute(query).first()
        if stored is None:
            raise _altered(1, AlteredError("is missing"))
        return self._event(stored)

    def _event(self, stored: sa.Row[tuple[object, ...]]) -> Event:
        try:
            return event_of(stored)
        except AlteredError as error:
            raise _altered(stored.seq, error) from None

    def _append(
        self,
        actor: str,
        payload: Callable[[sa.Connection], Payload],
        event_id: str | None,
        check: Check | None = None,
    ) -> Event:
        who, name = person_name(actor), event_id or secrets.token_hex(16)
        refuse_event_id(name)
        return self._written(lambda connection: self._write(connection, who, payload, name, check))

    def _written(self, write: Callable[[sa.Connection], Result]) -> Result:
        """Result of `write` in a transaction of its own, retried once if the connection is lost."""
        try:
            with self.database.writing() as connection:
                return write(connection)
        except RecordError as error:
            # It may have committed before the connection was lost; event ids make a retry safe.
            broken = isinstance(error.__cause__, sa.exc.DBAPIError)
            if not (broken and error.__cause__.connection_invalidated):  # type: ignore[union-attr]
                raise
            with self.database.writing() as connection:
                return write(connection)

    def _write(
        self,
        connection: sa.Connection,
        actor: str,
        payload: Callable[[sa.Connection], Payload],
        event_id: str,
        check: Check | None,
    ) -> Event:
        query = sa.select(EVENTS).where(EVENTS.c.event_id == event_id)
        if (stored := connection.execute(query).first()) is not None:
            return self._same(self._event(stored), actor, payload, connection)
        last, value = self._last(connection), payload(connection)
        event = Event(last.seq + 1, event_id, now(), actor, value, last.hash, last.form)
        if last.form == 1 and event.kind not in FORM_1_KINDS:
            last = self._upgrade(connection, last, actor)
            event = Event(last.seq + 1, event_id, now(), actor, value, last.hash)
        if check is not None and event.item is not None:
            basis = value.basis if isinstance(value, Decision) else None
            check(self._state(connection, event.item, basis), value)
        connection.execute(EVENTS.insert(), row_of(event))
        return event

    def _upgrade(self, connection: sa.Connection, last: Event, actor: str) -> Event:
        """Takes a record of form 1 over to form 2: an event, and nothing is rewritten. Programs
        that know only form 1 refuse the record from then on.
        """
        upgraded = Upgraded(secrets.token_hex(32))
        event = Event(last.seq + 1, secrets.token_hex(16), now(), actor, upgraded, last.hash)
        connection.execute(EVENTS.insert(), row_of(event))
        return event

    def _same(
        self,
        existing: Event,
        actor: str,
        payload: Callable[[sa.Connection], Payload],
        connection: sa.Connection,
    ) -> Event:
        """The existing event with that id, if it is what was to be written."""
        if existing.actor != actor or existing.payload != payload(connection):
            raise RecordError(f"Another event has the name {existing.event_id}; make up a new one.")
        return existing


def refuse_event_id(name: str) -> None:
    """Refuses what can't be the id of an event.

    Raises:
        RecordError: if it is not of the form that `Record` describes.
    """
    if not _EVENT_ID.fullmatch(name):
        raise RecordError(f"{name!r} can't name an event: 8 to 64 letters, digits, - or _.")


def now() -> str:
    """The time, UTC, ISO 8601 to the microsecond."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def following_form(event: Event, before: int | None) -> int:
    """The form of the record from an event on.

    Args:
        event: the event.
        before: form of the event before it; None if not known, or if it is the first.

    Raises:
        AlteredError: if an event of that form can't follow.
    """
    upgrades = isinstance(event.payload, Upgraded)
    expected = before if before is not None else 1 if upgrades else event.form
    return check_form(event.form, expected, upgrades=upgrades)


def _altered(place: int, error: AlteredError) -> RecordError:
    if isinstance(error, NewerFormError):
        return RecordError(
            f"Event {place} of the record {error}: a newer version of Clearance wrote it. Nothing "
            "is read or written here; use that version."
        )
    return RecordError(
        f"Event {place} of the record {error}. Nothing more is read or written; see what "
        "clearance audit verify says, and restore the record from a copy."
    )
