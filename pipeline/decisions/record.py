"""The record of decisions: an append-only log of events in one hash chain."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.core.errors import RecordError
from pipeline.core.records import Band
from pipeline.decisions import payloads
from pipeline.decisions.basis import Basis, Item
from pipeline.decisions.database import EVENTS, sa
from pipeline.decisions.event_log import Check, EventLog, refuse_event_id
from pipeline.decisions.events import Choice, Decision, Event, EventKind, Payload, Rules, Undo
from pipeline.decisions.form_2 import (
    Agreement,
    Approval,
    Attachment,
    Revocation,
    SuppressionRule,
)
from pipeline.decisions.selection import FolderSelection, WorkSelection
from pipeline.decisions.standing import (
    STANDING_KINDS,
    Standing,
    Standings,
    Stands,
    Status,
    today,
)
from pipeline.decisions.state import Items, ItemState
from pipeline.decisions.texts import clean_text, person_name

StandingCheck = Callable[[Standing[Stands] | None, Payload], None]
"""May refuse an event by raising, given that which it is about (None if it adds something) and the
payload to be written."""


class PassedOverError(Exception):
    """Raised by a check of `Record.decide_all` to skip one item; the others are written."""


class Record(EventLog):
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
    """

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
            refuse_event_id(name)

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

    def add_rule(
        self,
        actor: str,
        works: WorkSelection,
        assets: FolderSelection,
        reason: str,
        *,
        until: str = "",
        event_id: str | None = None,
        check: StandingCheck | None = None,
    ) -> Event:
        """Adds a rule that suppresses matches, as a false match does.

        It counts once a second person has agreed (`agree`), if the record's rules ask for one in
        any band, and until it is revoked or `until` is over.

        Args:
            actor: who adds it.
            works, assets: of the matches.
            reason: why; never empty.
            until: the last day on which it counts, `2027-01-31`; empty for no end.
            event_id, check: as for every method that writes; the check gets no rule.

        Raises:
            RecordError: if the reason is missing, `until` is over, or such a rule is there already.
        """

        def payload(connection: sa.Connection) -> SuppressionRule:
            rule = payloads.suppression_rule(self._rules(connection), works, assets, reason, until)
            if check is not None:
                check(None, rule)
            for one in self._standings(connection).rules:
                same = (one.payload.works, one.payload.assets) == (works, assets)
                stands = one.status(today()) in (Status.ACTIVE, Status.WAITING)
                if same and stands and one.event_id != event_id:
                    wants = "agree to it" if one.status(today()) is Status.WAITING else "it counts"
                    raise RecordError(
                        f"Rule {one.number} of {one.event.actor} says the same already; {wants}."
                    )
            return rule

        return self._append(actor, payload, event_id)

    def agree(
        self,
        actor: str,
        of: str,
        reason: str = "",
        *,
        event_id: str | None = None,
        check: StandingCheck | None = None,
    ) -> Event:
        """Agrees, as a second person, to a rule or an approval that waits for one.

        Args:
            actor: who agrees.
            of: `event_id` of the rule or approval.
            reason: any remark.
            event_id, check: as for every method that writes; the check gets the rule or approval.

        Raises:
            RecordError: if there is none, it waits for nobody, or the same person added it.
        """
        agreement = Agreement(of, clean_text(reason, "reason"))

        def refuse(one: Standing[Stands]) -> None:
            status = one.status(today())
            if status is not Status.WAITING:
                raise RecordError(f"{_named(one)} waits for nobody: it is {status}.")
            if one.said_by(actor):
                raise RecordError(
                    f"{_named(one)} waits for another person than {one.by[0]}, who added it."
                )

        return self._append_on(actor, agreement, refuse, event_id, check)

    def revoke(
        self,
        actor: str,
        of: str,
        reason: str,
        *,
        event_id: str | None = None,
        check: StandingCheck | None = None,
    ) -> Event:
        """Revokes a rule, an approval or an attachment: from now on it does not count.

        Args:
            actor: who revokes it.
            of: its `event_id`.
            reason: why; never empty.
            event_id, check: as in `agree`.

        Raises:
            RecordError: if there is none, it was revoked already, or the reason is missing.
        """
        revocation = Revocation(of, clean_text(reason, "reason"))
        if not revocation.reason:
            raise RecordError("Revoking needs a reason.")

        def refuse(one: Standing[Stands]) -> None:
            if one.revocation is not None:
                raise RecordError(f"{_named(one)} was revoked already, by {one.revocation.actor}.")

        return self._append_on(actor, revocation, refuse, event_id, check)

    def approve(self, actor: str, approval: Approval, *, event_id: str | None = None) -> Event:
        """Writes an approval that somebody outside gave, as `actor` states it.

        Raises:
            RecordError: if it does not say who gave it, for what and for which assets.
        """

        def payload(connection: sa.Connection) -> Approval:
            return payloads.approval(self._rules(connection), approval)

        return self._append(actor, payload, event_id)

    def attach(self, actor: str, attachment: Attachment, *, event_id: str | None = None) -> Event:
        """Writes of a document what it is and what it belongs to; its bytes are kept elsewhere.

        Raises:
            RecordError: if a value is not of its form, or the event it belongs to is not there.
        """
        document = payloads.attachment(attachment)

        def payload(connection: sa.Connection) -> Attachment:
            of = document.event_id
            query = sa.select(EVENTS.c.seq).where(EVENTS.c.event_id == of)
            if of and connection.execute(query).first() is None:
                raise RecordError(f"There is no event {of} in the record.")
            return document

        return self._append(actor, payload, event_id)

    def standings(self) -> Standings:
        """The rules that suppress, approvals and attachments."""
        with self.database.reading() as connection:
            return self._standings(connection)

    def _standings(self, connection: sa.Connection) -> Standings:
        query = (
            sa.select(EVENTS)
            .where(EVENTS.c.kind.in_([str(kind) for kind in STANDING_KINDS]))
            .order_by(EVENTS.c.seq)
        )
        return Standings(self._event(row) for row in connection.execute(query))

    def _append_on(
        self,
        actor: str,
        value: Agreement | Revocation,
        refuse: Callable[[Standing[Stands]], None],
        event_id: str | None,
        check: StandingCheck | None,
    ) -> Event:
        """Appends what is said of a rule, approval or attachment, unless it is refused."""

        def payload(connection: sa.Connection) -> Agreement | Revocation:
            query = sa.select(EVENTS.c.seq).where(EVENTS.c.event_id == event_id)
            if event_id is not None and connection.execute(query).first() is not None:
                return value  # sent twice
            one = self._standings(connection).get(value.of)
            what = "rule or approval" if isinstance(value, Agreement) else "rule"
            if one is None:
                raise RecordError(f"There is no {what} {value.of} in the record.")
            if check is not None:
                check(one, value)
            refuse(one)
            return value

        return self._append(actor, payload, event_id)

    @property
    def rules(self) -> Rules:
        """The present rules for decisions."""
        with self.database.reading() as connection:
            return self._rules(connection)

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


def _named(one: Standing[Stands]) -> str:
    return f"{str(one.event.kind).capitalize()} {one.number}"


def _always(payload: Payload) -> Callable[[sa.Connection], Payload]:
    return lambda _: payload
