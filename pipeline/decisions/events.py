"""The events of the record: immutable, with the canonical bytes that are hashed."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import regex

from pipeline.core.errors import RecordError
from pipeline.core.records import Band
from pipeline.core.wording.text import visible
from pipeline.decisions.basis import Basis, Item
from pipeline.decisions.canonical_json import canonical_bytes, parse_canonical
from pipeline.decisions.hash_chain import chain_hash

FORM = 1
"""Format version of an event's body. Another version is refused."""

# Beyond what `visible` escapes: joiners, fillers and variation selectors, of any category, and the
# blank braille pattern.
_INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\u2800]")

LONGEST_NAME = 200
LONGEST_TEXT = 20_000


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


@dataclass(frozen=True, slots=True)
class Opened:
    """The first event of a record. `record` is the record's permanent id: 32 hex digits."""

    record: str


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules for decisions from here on; an event, so that a change of rules is recorded too.

    Attributes:
        second_person: bands whose rows two persons decide on, independently of each other.
        reason_in: bands in which a decision needs a reason. `false_match` needs one in any band,
            because it acts on later scans.
    """

    second_person: tuple[Band, ...] = (Band.ESCALATE,)
    reason_in: tuple[Band, ...] = (Band.ESCALATE, Band.PARTLY_SCREENED, Band.NOT_SCREENED)

    def persons(self, band: Band) -> int:
        """How many persons must decide on a row of that band."""
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
        persons: how many persons must make the same decision, by the rules at that time.
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


Payload = Opened | Rules | Decision | Undo | Assignment | Comment

_KINDS: Mapping[type, EventKind] = {
    Opened: EventKind.OPENED,
    Rules: EventKind.RULES,
    Decision: EventKind.DECISION,
    Undo: EventKind.UNDO,
    Assignment: EventKind.ASSIGNMENT,
    Comment: EventKind.COMMENT,
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
        hash: `hash_chain.chain_hash` of `previous` and `body`.
        body: everything above but `previous`, as canonical JSON.
    """

    seq: int
    event_id: str
    time: str
    actor: str
    payload: Payload
    previous: str
    body: bytes = field(init=False)
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        value = {
            "form": FORM,
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
        """The item that it is about; None if it is about the record itself."""
        if isinstance(self.payload, Decision):
            return self.payload.basis.item
        return None if isinstance(self.payload, Opened | Rules) else self.payload.item

    @classmethod
    def of_body(cls, body: bytes, previous: str) -> Self:
        """The event of a stored body.

        Raises:
            ValueError: if the body is not exactly the bytes that the event is written as.
        """
        value = parse_canonical(body)
        try:
            if value["form"] != FORM:
                raise ValueError(f"of form {value['form']!r}, which this version does not know")
            payload = payload_of(EventKind(value["kind"]), value["payload"])
            event = cls(value["seq"], value["id"], value["time"], value["actor"], payload, previous)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an event ({error})") from error
        if event.body != body:
            raise ValueError("holds more than an event of its kind has")
        return event


def payload_json(payload: Payload) -> dict[str, Any]:
    """A payload as JSON values; canonical JSON has no fractions, so there are none."""
    match payload:
        case Opened():
            return {"record": payload.record}
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


def payload_of(kind: EventKind, value: Mapping[str, Any]) -> Payload:
    """Back from `payload_json`.

    Raises:
        KeyError, TypeError, ValueError: if it is no payload of that kind.
    """
    match kind:
        case EventKind.OPENED:
            return Opened(value["record"])
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


def person_name(name: str, *, what: str = "The name of who does this") -> str:
    """A person's name as the record stores it: normalised (NFC) and stripped.

    Raises:
        RecordError: if it is empty, too long, or has invisible characters: with these, two
            different names would look the same.
    """
    normal = unicodedata.normalize("NFC", name).strip()
    if not normal:
        raise RecordError(f"{what} is missing; the record holds who did what.")
    if len(normal) > LONGEST_NAME:
        raise RecordError(f"{what} has more than {LONGEST_NAME} characters.")
    if visible(normal) != normal:
        raise RecordError(f"{what} holds characters that can't be seen: {visible(normal)}")
    if (invisible := _INVISIBLE.search(normal)) is not None:
        raise RecordError(f"{what} holds a character that can't be seen: U+{ord(invisible[0]):04X}")
    return normal


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


def same_person(one: str, other: str) -> bool:
    """Whether two names are the same person's, ignoring case and compatibility forms."""
    return folded_name(one) == folded_name(other)


def folded_name(name: str) -> str:
    """A name for comparison: equal for all spellings of one person's name.

    Compatibility caseless matching (Unicode 3.13, D146). Case folding can undo normalisation and
    the other way round, so each is applied twice.
    """
    once = unicodedata.normalize("NFKD", unicodedata.normalize("NFD", name).casefold())
    return " ".join(unicodedata.normalize("NFKC", once.casefold()).split())


def clean_text(text: str, what: str) -> str:
    """A reason, note or comment as the record stores it: with line feeds, stripped.

    Raises:
        RecordError: if it is too long, or holds what can't be stored as text.
    """
    clean = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(clean) > LONGEST_TEXT:
        raise RecordError(f"The {what} has more than {LONGEST_TEXT:,} characters.")
    if "\x00" in clean or any("\ud800" <= c <= "\udfff" for c in clean):
        raise RecordError(f"The {what} holds a character that can't be stored as text.")
    return clean
