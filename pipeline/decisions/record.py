"""The record of decisions: an append-only log of events in one hash chain."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar

from pipeline.core.errors import RecordError
from pipeline.core.records import Band
from pipeline.decisions import payloads
from pipeline.decisions.basis import Basis, Item
from pipeline.decisions.database import EVENTS, Database, sa
from pipeline.decisions.event_rows import event_of, row_of
from pipeline.decisions.events import (
    Choice,
    Decision,
    Event,
    EventKind,
    Opened,
    Payload,
    Rules,
    Undo,
    clean_text,
    person_name,
)
from pipeline.decisions.hash_chain import GENESIS_HASH, AlteredError
from pipeline.decisions.state import Items, ItemState, item_state

Result = TypeVar("Result")
_EVENT_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")

Check = Callable[[ItemState, Payload], None]
"""May refuse an event by raising, given the state of its item and the payload to be written."""


class PassedOverError(Exception):
    """Raised by a check of `Record.decide_all` to skip one item; the others are written."""


class Record:
    """A record of decisions; any number of threads and processes may write to one at once.

    A method returns an event only once it is on the disk: it survives a crash of the program, of
    the machine and of the database server.

    Every method that writes takes `event_id`, an idempotency key of 8 to 64 letters, digits, `-` or
    `_` that the caller makes up: writing the same again with the same key returns the event that
    was written before, so a request that is sent twice is written once.

    Methods that write on an item also take `check`. It is called within the write transaction, with
    the state on which the event will be written (for a decision, the state compared with that
    decision's basis). If it raises, nothing is written.

    Every method raises RecordError if the database can't be used or an event was altered.

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
                    opened = Opened(secrets.token_hex(16))
                    first = Event(
                        1, secrets.token_hex(16), now(), person_name(actor), opened, GENESIS_HASH
                    )
                    connection.execute(EVENTS.insert(), row_of(first))
        elif not database.exists:
            raise RecordError(
                f"There is no record at {database.name} yet; the first decision makes it."
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

    def decide(
        self,
        actor: str,
        basis: Basis,
        choice: Choice,
        *,
        reason: str = "",
        note: str = "",
        assignee: str = "",
        event_id: str | None = None,
        check: Check | None = None,
    ) -> Event:
        """Writes one person's decision; it replaces their earlier one on the same item.

        Raises:
            RecordError: if a reason is missing that the rules require, or `false_match` is decided
                on a row without a work or whose bytes could not be read.
        """

        def payload(connection: sa.Connection) -> Decision:
            rules = self._rules(connection)
            return payloads.decision(
                rules, basis, choice, reason=reason, note=note, assignee=assignee
            )

        return self._append(actor, payload, event_id, check)

    def decide_all(
        self,
        actor: str,
        bases: Mapping[str, Basis],
        choice: Choice,
        *,
        reason: str = "",
        note: str = "",
        assignee: str = "",
        check: Check | None = None,
    ) -> list[Event]:
        """Writes one person's decision on many items in one transaction: all of them, or none.

        Args:
            actor: who decides.
            bases: the basis of each decision, by its `event_id`.
            choice, reason, note, assignee: as in `decide`.
            check: called for each; if it raises PassedOverError that item is skipped, and if it
                raises anything else nothing is written.

        Raises:
            RecordError: as in `decide`; nothing is written then.
        """
        who = person_name(actor)
        for name in bases:
            _refuse_name(name)

        def write(connection: sa.Connection) -> list[Event]:
            rules, events = self._rules(connection), []
            for name, basis in bases.items():
                payload = payloads.decision(
                    rules, basis, choice, reason=reason, note=note, assignee=assignee
                )
                try:
                    events.append(self._write(connection, who, _always(payload), name, check))
                except PassedOverError:
                    continue
            return events

        return self._written(write)

    def undo(
        self,
        actor: str,
        of: str,
        reason: str,
        *,
        event_id: str | None = None,
        check: Check | None = None,
    ) -> Event:
        """Takes back one's own or another person's decision; a false match then counts again.

        Args:
            actor: who does it.
            of: the `event_id` of the decision.
            reason: why; never empty.
            event_id, check: as for every method that writes.

        Raises:
            RecordError: if there is no such decision, it was taken back already, or it is another
                person's first decision, which the actor may not see yet.
        """
        reason = clean_text(reason, "reason")
        if not reason:
            raise RecordError("Taking back a decision needs a reason.")

        def payload(connection: sa.Connection) -> Undo:
            row = connection.execute(sa.select(EVENTS).where(EVENTS.c.event_id == of)).first()
            decided = self._event(row) if row is not None else None
            if decided is None or decided.item is None or decided.kind is not EventKind.DECISION:
                raise RecordError(f"There is no decision {of} in the record.")
            state = self._state(connection, decided.item)
            if any(one.event_id == event_id for one in state.events):
                return Undo(decided.item, of, reason)  # sent twice
            if of in state.undone:
                raise RecordError(f"The decision {of} was taken back already.")
            if decided not in state.shown_to(person_name(actor)):
                raise RecordError(
                    "The first decision on this item can't be taken back by who has yet to give "
                    "the second."
                )
            return Undo(decided.item, of, reason)

        return self._append(actor, payload, event_id, check)

    def assign(
        self,
        actor: str,
        item: Item,
        assignee: str,
        note: str = "",
        *,
        event_id: str | None = None,
        check: Check | None = None,
    ) -> Event:
        """Assigns an item to a person; an empty `assignee` removes the assignment."""
        payload = payloads.assignment(item, assignee, note)
        return self._append(actor, lambda _: payload, event_id, check)

    def comment(
        self,
        actor: str,
        item: Item,
        text: str,
        *,
        event_id: str | None = None,
        check: Check | None = None,
    ) -> Event:
        """Writes a comment on an item.

        Raises:
            RecordError: if the text is empty.
        """
        payload = payloads.comment(item, text)
        return self._append(actor, lambda _: payload, event_id, check)

    def set_rules(self, actor: str, rules: Rules, *, event_id: str | None = None) -> Event:
        """Sets the rules for later decisions; earlier ones keep the rules of their time."""
        second_person = [band for band in Band if band in rules.second_person]
        reason_in = [band for band in Band if band in rules.reason_in]
        payload = Rules(tuple(second_person), tuple(reason_in))
        return self._append(actor, lambda _: payload, event_id)

    @property
    def rules(self) -> Rules:
        """The present rules for decisions."""
        with self.database.reading() as connection:
            return self._rules(connection)

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
            place = after
            result = connection.execute(query.execution_options(yield_per=1000))
            with closing(result) as rows:
                for row in rows:
                    place += 1
                    try:
                        event = event_of(row, place, previous)
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

    def items(self) -> Items:
        """The states of all items; `Items.take` updates them with later events."""
        return Items(self.events(), self.aliases)

    def item(self, item: Item, now: Basis | None = None) -> ItemState:
        """The state of one item.

        Args:
            item: the item.
            now: the basis of its row in the present run; decisions that do not hold for it are
                reopened.
        """
        with self.database.reading() as connection:
            return self._state(connection, item, now)

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

    def _rules(self, connection: sa.Connection) -> Rules:
        query = (
            sa.select(EVENTS)
            .where(EVENTS.c.kind == str(EventKind.RULES))
            .order_by(EVENTS.c.seq.desc())
            .limit(1)
        )
        stored = connection.execute(query).first()
        if stored is None:
            return Rules()
        payload = self._event(stored).payload
        return payload if isinstance(payload, Rules) else Rules()

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
        _refuse_name(name)
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
        event = Event(last.seq + 1, event_id, now(), actor, value, last.hash)
        if check is not None and event.item is not None:
            basis = value.basis if isinstance(value, Decision) else None
            check(self._state(connection, event.item, basis), value)
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


def _always(payload: Payload) -> Callable[[sa.Connection], Payload]:
    return lambda _: payload


def _refuse_name(name: str) -> None:
    if not _EVENT_ID.fullmatch(name):
        raise RecordError(f"{name!r} can't name an event: 8 to 64 letters, digits, - or _.")


def now() -> str:
    """The time, UTC, ISO 8601 to the microsecond."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _altered(place: int, error: AlteredError) -> RecordError:
    return RecordError(
        f"Event {place} of the record {error}. Nothing more is read or written; see what "
        "clearance audit verify says, and restore the record from a copy."
    )
