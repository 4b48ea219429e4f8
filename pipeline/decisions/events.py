"""The events of the record: immutable, with the canonical bytes that are hashed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from pipeline.core.errors import RecordError
from pipeline.core.records import Band
from pipeline.decisions.basis import Basis, Item
from pipeline.decisions.canonical_json import canonical_bytes, parse_canonical
from pipeline.decisions.form_2 import (
    Agreement,
    Approval,
    Attachment,
    Revocation,
    SuppressionRule,
    Upgraded,
    stored_digest,
)
from pipeline.decisions.hash_chain import chain_hash

FORM = 2
"""Format version of the bodies of new records. Records of form 1 are read, verified and added to;
they go over to form 2 with the first event that only form 2 has. Another form is refused."""


class Choice(StrEnum):
    """What a person may decide on an item."""

    NO_ISSUE = "no_issue"
    NEEDS_LICENCE = "needs_licence"
    REPLACE = "replace"
    ESCALATE_TO_LEGAL = "escalate_to_legal"
    FALSE_MATCH = "false_match"


class EventKind(StrEnum):
    """Kind of an event."""

    OPENED = "opened"
    RULES = "rules"
    DECISION = "decision"
    UNDO = "undo"
    ASSIGNMENT = "assignment"
    COMMENT = "comment"
    UPGRADED = "upgraded"
    RULE = "rule"
    APPROVAL = "approval"
    ATTACHMENT = "attachment"
    AGREEMENT = "agreement"
    REVOCATION = "revocation"


FORM_1_KINDS = frozenset(
    {
        EventKind.OPENED,
        EventKind.RULES,
        EventKind.DECISION,
        EventKind.UNDO,
        EventKind.ASSIGNMENT,
        EventKind.COMMENT,
    }
)
"""The kinds that form 1 has."""


class UnknownFormError(ValueError):
    """An event is of a form that this version does not know: it was written by a newer one."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The first event of a record.

    Attributes:
        record: the record's permanent id: 32 hex digits.
        salt: 64 hex digits, a secret of the record, from which salts of assets can be derived for
            proofs that show some events and not others; empty in form 1.
    """

    record: str
    salt: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules for decisions from here on; an event, so that a change of rules is recorded too.

    Attributes:
        second_person: bands whose rows two people decide on, independently of each other.
        reason_in: bands in which a decision needs a reason. `false_match` needs one in any band,
            because it acts on later scans.
    """

    second_person: tuple[Band, ...] = (Band.ESCALATE,)
    reason_in: tuple[Band, ...] = (Band.ESCALATE, Band.PARTLY_SCREENED, Band.NOT_SCREENED)

    def persons(self, band: Band) -> int:
        """How many people must decide on a row of that band."""
        return 2 if band in self.second_person else 1

    def wants_reason(self, choice: Choice, band: Band) -> bool:
        """Whether that decision on a row of that band needs a reason."""
        return choice is Choice.FALSE_MATCH or band in self.reason_in


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person decided on an item.

    Attributes:
        basis: the evidence that they saw.
        choice: the decision.
        reason: why.
        note: any other remark.
        assignee: who is to act on it; empty for nobody.
        persons: how many people must make the same decision, by the rules at that time.
    """

    basis: Basis
    choice: Choice
    reason: str = ""
    note: str = ""
    assignee: str = ""
    persons: int = 1


@dataclass(frozen=True, slots=True)
class Undo:
    """A decision taken back: `of` is the `event_id` of the decision, `reason` says why."""

    item: Item
    of: str
    reason: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """An item assigned to a person; an empty `assignee` removes the assignment."""

    item: Item
    assignee: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """Comment."""

    item: Item
    text: str


Payload = (
    Opened
    | Rules
    | Decision
    | Undo
    | Assignment
    | Comment
    | Upgraded
    | SuppressionRule
    | Approval
    | Attachment
    | Agreement
    | Revocation
)

_KINDS: Mapping[type, EventKind] = {
    Opened: EventKind.OPENED,
    Rules: EventKind.RULES,
    Decision: EventKind.DECISION,
    Undo: EventKind.UNDO,
    Assignment: EventKind.ASSIGNMENT,
    Comment: EventKind.COMMENT,
    Upgraded: EventKind.UPGRADED,
    SuppressionRule: EventKind.RULE,
    Approval: EventKind.APPROVAL,
    Attachment: EventKind.ATTACHMENT,
    Agreement: EventKind.AGREEMENT,
    Revocation: EventKind.REVOCATION,
}


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the record.

    Attributes:
        seq: its place in the record, from 1 without a gap.
        event_id: 32 hex digits, or the caller's idempotency key.
        time: when it was written, UTC, ISO 8601 to the microsecond.
        actor: who did it; the record does not verify the name.
        payload: what was done.
        previous: hash of the event before; `GENESIS_HASH` for the first.
        form: format version of the body.
        hash: `hash_chain.chain_hash` of `previous` and `body`.
        body: everything above but `previous`, as canonical JSON.
    """

    seq: int
    event_id: str
    time: str
    actor: str
    payload: Payload
    previous: str
    form: int = FORM
    body: bytes = field(init=False)
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        value = {
            "form": self.form,
            "seq": self.seq,
            "id": self.event_id,
            "time": self.time,
            "actor": self.actor,
            "kind": self.kind,
            "payload": payload_json(self.payload),
        }
        object.__setattr__(self, "body", canonical_bytes(value))
        object.__setattr__(self, "hash", chain_hash(self.previous, self.body))

    @property
    def kind(self) -> EventKind:
        """Kind of the event."""
        return _KINDS[type(self.payload)]

    @property
    def item(self) -> Item | None:
        """The item that it is about; None if it is about several, or about the record itself."""
        match self.payload:
            case Decision() as decision:
                return decision.basis.item
            case Undo() | Assignment() | Comment() | Attachment() as payload:
                return payload.item
            case _:
                return None

    @classmethod
    def of_body(cls, body: bytes, previous: str) -> Self:
        """The event of a stored body.

        Raises:
            UnknownFormError: if it is of a form that this version does not know.
            ValueError: if the body is not exactly the bytes that the event is written as.
        """
        value = parse_canonical(body)
        try:
            form = value["form"]
            if type(form) is not int or form > FORM:
                raise UnknownFormError(f"of form {form!r}, which this version does not know")
            kind = EventKind(value["kind"])
            if form < 1 or (form == 1 and kind not in FORM_1_KINDS):
                raise ValueError(f"an event {kind} of form {form}, which has none")
            payload = payload_of(kind, value["payload"])
            if isinstance(payload, Opened) and bool(payload.salt) is (form == 1):
                raise ValueError(f"the first event of another form than {form}")
            event = cls(
                value["seq"], value["id"], value["time"], value["actor"], payload, previous, form
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an event ({error})") from error
        if event.body != body:
            raise ValueError("holds more than an event of its kind has")
        return event


def payload_json(payload: Payload) -> dict[str, Any]:
    """A payload as JSON values; canonical JSON has no fractions, so there are none."""
    match payload:
        case Opened():
            opened = {"record": payload.record}
            return {**opened, "salt": payload.salt} if payload.salt else opened
        case Rules():
            return {
                "second_person": [str(band) for band in payload.second_person],
                "reason_in": [str(band) for band in payload.reason_in],
            }
        case Decision():
            return {
                "basis": payload.basis.to_json(),
                "decision": payload.choice,
                "reason": payload.reason,
                "note": payload.note,
                "assignee": payload.assignee,
                "persons": payload.persons,
            }
        case Undo():
            return {**payload.item.to_json(), "of": payload.of, "reason": payload.reason}
        case Assignment():
            return {**payload.item.to_json(), "assignee": payload.assignee, "note": payload.note}
        case Comment():
            return {**payload.item.to_json(), "text": payload.text}
        case _:
            return payload.to_json()


def payload_of(kind: EventKind, value: Mapping[str, Any]) -> Payload:
    """Back from `payload_json`.

    Raises:
        KeyError, TypeError, ValueError: if it is no payload of that kind.
    """
    match kind:
        case EventKind.OPENED:
            return Opened(
                value["record"], stored_digest(value["salt"], "a salt") if "salt" in value else ""
            )
        case EventKind.RULES:
            return Rules(
                tuple(Band(one) for one in value["second_person"]),
                tuple(Band(one) for one in value["reason_in"]),
            )
        case EventKind.DECISION:
            return Decision(
                Basis.of_json(value["basis"]),
                Choice(value["decision"]),
                value["reason"],
                value["note"],
                value["assignee"],
                value["persons"],
            )
        case EventKind.UNDO:
            return Undo(Item.of_json(value), value["of"], value["reason"])
        case EventKind.ASSIGNMENT:
            return Assignment(Item.of_json(value), value["assignee"], value["note"])
        case EventKind.COMMENT:
            return Comment(Item.of_json(value), value["text"])
        case EventKind.UPGRADED:
            return Upgraded.of_json(value)
        case EventKind.RULE:
            return SuppressionRule.of_json(value)
        case EventKind.APPROVAL:
            return Approval.of_json(value)
        case EventKind.ATTACHMENT:
            return Attachment.of_json(value)
        case EventKind.AGREEMENT:
            return Agreement.of_json(value)
        case EventKind.REVOCATION:
            return Revocation.of_json(value)


def parse_bands(names: Sequence[str]) -> tuple[Band, ...]:
    """Bands from their names on a command line; `none` for no band.

    Raises:
        RecordError: if there is no such band.
    """
    if list(names) == ["none"]:
        return ()
    try:
        return tuple(Band(name) for name in names)
    except ValueError:
        known = ", ".join(band.value for band in Band)
        raise RecordError(f"A band is one of {known}; `none` goes with no other.") from None
