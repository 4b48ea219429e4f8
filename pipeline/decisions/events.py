"""The frozen events of the record: what people did, and the bytes that stand for it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import regex

from pipeline.core.errors import RecordError
from pipeline.core.records import Band
from pipeline.core.wording.visible import visible
from pipeline.decisions.basis import Basis, Item
from pipeline.decisions.canonical_json import canonical_bytes, parse_canonical
from pipeline.decisions.hash_chain import chain_hash

FORM = 1
"""The form of an event's body. Another number is refused and not guessed at."""

# Beyond what `visible` escapes: joiners, fillers and variation selectors, of any category, and the
# braille pattern without a dot.
_UNSEEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}\u2800]")

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
    """What an event is."""

    OPENED = "opened"
    RULES = "rules"
    DECISION = "decision"
    UNDO = "undo"
    ASSIGNMENT = "assignment"
    COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class Opened:
    """A record's first event. `record` is its name for good: 32 hex digits."""

    record: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What is asked of decisions from here on; an event, so that a change of it is on record.

    Attributes:
        second_person: bands whose rows two persons decide on, each without the other's word.
        reason_in: bands whose rows are not decided on without a reason. `false_match` always has
            one, whatever the band, because it acts on later scans.
    """

    second_person: tuple[Band, ...] = (Band.ESCALATE,)
    reason_in: tuple[Band, ...] = (Band.ESCALATE, Band.PARTLY_SCREENED, Band.NOT_SCREENED)

    def persons(self, band: Band) -> int:
        """How many persons a row of that band wants."""
        return 2 if band in self.second_person else 1

    def wants_reason(self, choice: Choice, band: Band) -> bool:
        """Whether that decision on a row of that band needs a reason."""
        return choice is Choice.FALSE_MATCH or band in self.reason_in


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person decided on an item.

    Attributes:
        basis: what was in front of them.
        choice: the decision.
        reason, note: their words; a reason says why, a note says anything else.
        assignee: who is to act on it; empty for nobody.
        persons: how many persons must decide alike, by the rules of that moment.
    """

    basis: Basis
    choice: Choice
    reason: str = ""
    note: str = ""
    assignee: str = ""
    persons: int = 1


@dataclass(frozen=True, slots=True)
class Undo:
    """A decision taken back: `of` is the id of its event, `reason` says why."""

    item: Item
    of: str
    reason: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """An item given to a person to look at; `assignee` is empty to take it from whoever has it."""

    item: Item
    assignee: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """Words on an item that decide nothing."""

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
        seq: its place, from 1 without a gap.
        event_id: its name: 32 hex digits, or what the caller gave so as not to write one twice.
        time: when it was written, UTC, ISO 8601 to the microsecond.
        actor: who did it, as the program was told.
        payload: what was done.
        previous: hash of the event before; `GENESIS_HASH` for the first.
        hash: SHA-256 (hex) of the 32 bytes of `previous` and `body`.
        body: the canonical bytes of everything above but `previous`.
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
        """What it is."""
        return _KINDS[type(self.payload)]

    @property
    def item(self) -> Item | None:
        """The item that it is about; None for what is about the record itself."""
        if isinstance(self.payload, Decision):
            return self.payload.basis.item
        return None if isinstance(self.payload, Opened | Rules) else self.payload.item

    @classmethod
    def of_body(cls, body: bytes, previous: str) -> Self:
        """The event that stored bytes stand for.

        Raises:
            ValueError: if they are not the very bytes that such an event is written as.
        """
        value = parse_canonical(body)
        try:
            if value["form"] != FORM:
                raise ValueError(f"of form {value['form']!r}, which this version does not know")
            payload = payload_of(EventKind(value["kind"]), value["payload"])
            found = cls(value["seq"], value["id"], value["time"], value["actor"], payload, previous)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an event ({error})") from error
        if found.body != body:
            raise ValueError("holds more than an event of its kind has")
        return found


def payload_json(payload: Payload) -> dict[str, Any]:
    """A payload as JSON values, without fractions."""
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
    """The payload that JSON values stand for.

    Raises:
        KeyError, TypeError, ValueError: if they are none of that kind.
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
    """A person's name as the record keeps it: composed (NFC), without spaces around it.

    Raises:
        RecordError: if it is empty, too long, or holds characters that can't be seen: with them two
            names would look like one.
    """
    kept = unicodedata.normalize("NFC", name).strip()
    if not kept:
        raise RecordError(f"{what} is missing; the record holds who did what.")
    if len(kept) > LONGEST_NAME:
        raise RecordError(f"{what} has more than {LONGEST_NAME} characters.")
    if visible(kept) != kept:
        raise RecordError(f"{what} holds characters that can't be seen: {visible(kept)}")
    if (unseen := _UNSEEN.search(kept)) is not None:
        raise RecordError(f"{what} holds a character that can't be seen: U+{ord(unseen[0]):04X}")
    return kept


def parse_bands(names: Sequence[str]) -> tuple[Band, ...]:
    """The bands that a person names; `none` is no band.

    Raises:
        RecordError: if there is no such band.
    """
    if list(names) == ["none"]:
        return ()
    try:
        return tuple(Band(name) for name in names)
    except ValueError:
        known = ", ".join(band.value for band in Band)
        raise RecordError(f"A band is one of {known}; `none` stands alone.") from None


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's: letter case and compatible forms aside."""
    return folded_name(one) == folded_name(other)


def folded_name(name: str) -> str:
    """The one spelling of all that are one person's name.

    Compatibility caseless matching (Unicode 3.13, D146): what folding a letter's case takes apart
    and what composing puts together must not make two of one.
    """
    once = unicodedata.normalize("NFKD", unicodedata.normalize("NFD", name).casefold())
    return " ".join(unicodedata.normalize("NFKC", once.casefold()).split())


def clean_text(text: str, what: str) -> str:
    """A reason, note or comment as the record keeps it: line ends as line feeds, no spaces around.

    Raises:
        RecordError: if it is too long, or holds what can't be stored as text.
    """
    kept = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(kept) > LONGEST_TEXT:
        raise RecordError(f"The {what} has more than {LONGEST_TEXT:,} characters.")
    if "\x00" in kept or any("\ud800" <= c <= "\udfff" for c in kept):
        raise RecordError(f"The {what} holds a character that can't be stored as text.")
    return kept
