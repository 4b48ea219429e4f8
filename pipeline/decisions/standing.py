"""Rules and approvals, which stand until they are revoked or end: their status from the events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Generic, TypeVar, cast

from pipeline.decisions.events import Event, EventKind
from pipeline.decisions.form_2 import Agreement, Approval, Attachment, Revocation, SuppressionRule
from pipeline.decisions.texts import same_person

STANDING_KINDS = (
    EventKind.RULE,
    EventKind.APPROVAL,
    EventKind.ATTACHMENT,
    EventKind.AGREEMENT,
    EventKind.REVOCATION,
)
"""The kinds that `Standings` takes; others are passed over."""

Stands = SuppressionRule | Approval | Attachment
P = TypeVar("P", bound=Stands, covariant=True)


class Status(StrEnum):
    """Status of a rule, an approval or an attachment on a day.

    `waiting`: a second person has yet to agree. `active`: it counts. `expired`: its last day is
    over. `revoked`: somebody revoked it.
    """

    ACTIVE = "active"
    WAITING = "waiting"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Standing(Generic[P]):
    """A rule, an approval or an attachment with what was said of it.

    Attributes:
        event: by which it was added.
        payload: what it says.
        agreements: by further people, each once, in the order of time.
        revocation: the event that revoked it; None if none did.
    """

    event: Event
    payload: P
    agreements: tuple[Event, ...] = ()
    revocation: Event | None = None

    @property
    def number(self) -> int:
        """Its number for people: the place of its event in the record."""
        return self.event.seq

    @property
    def event_id(self) -> str:
        """Id of the event by which it was added."""
        return self.event.event_id

    @property
    def by(self) -> tuple[str, ...]:
        """Who added it, and who agreed."""
        return (self.event.actor, *(one.actor for one in self.agreements))

    @property
    def persons(self) -> int:
        """How many people must agree to it, whoever added it among them."""
        return 1 if isinstance(self.payload, Attachment) else self.payload.persons

    @property
    def agreed(self) -> bool:
        """Whether as many people agree to it as must."""
        return len(self.by) >= self.persons

    @property
    def since(self) -> str:
        """When the last person needed agreed; empty while one is missing."""
        if not self.agreed:
            return ""
        return (self.event, *self.agreements)[self.persons - 1].time

    @property
    def until(self) -> str:
        """The last day on which it counts; empty if it has none."""
        return "" if isinstance(self.payload, Attachment) else self.payload.until

    def status(self, day: str) -> Status:
        """Its status on a day (UTC, `2027-01-31`). Whether an approval holds yet is not asked."""
        if self.revocation is not None:
            return Status.REVOKED
        if self.until and self.until < day:
            return Status.EXPIRED
        return Status.ACTIVE if self.agreed else Status.WAITING

    def said_by(self, person: str) -> bool:
        """Whether this person added it or agreed to it."""
        return any(same_person(name, person) for name in self.by)


class Standings:
    """The rules, approvals and attachments of a record.

    Args:
        events: of the record, in their order.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._by_id: dict[str, Standing[Stands]] = {}
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Takes the next event."""
        match event.payload:
            case SuppressionRule() | Approval() | Attachment() as payload:
                self._by_id[event.event_id] = Standing(event, payload)
            case Agreement(of=of) if (one := self._by_id.get(of)) is not None:
                if one.revocation is None and not one.agreed and not one.said_by(event.actor):
                    self._by_id[of] = replace(one, agreements=(*one.agreements, event))
            case Revocation(of=of) if (one := self._by_id.get(of)) is not None:
                if one.revocation is None:
                    self._by_id[of] = replace(one, revocation=event)
            case _:
                pass

    def get(self, event_id: str) -> Standing[Stands] | None:
        """That which an event added; None if it added none."""
        return self._by_id.get(event_id)

    def __iter__(self) -> Iterator[Standing[Stands]]:
        return iter(self._by_id.values())

    @property
    def rules(self) -> tuple[Standing[SuppressionRule], ...]:
        """The rules that suppress, oldest first, whatever their status."""
        return tuple(
            cast("Standing[SuppressionRule]", one)
            for one in self
            if isinstance(one.payload, SuppressionRule)
        )

    @property
    def approvals(self) -> tuple[Standing[Approval], ...]:
        """The approvals, oldest first, whatever their status."""
        return tuple(
            cast("Standing[Approval]", one) for one in self if isinstance(one.payload, Approval)
        )

    @property
    def attachments(self) -> tuple[Standing[Attachment], ...]:
        """The attachments, oldest first, revoked ones among them."""
        return tuple(
            cast("Standing[Attachment]", one) for one in self if isinstance(one.payload, Attachment)
        )


def today() -> str:
    """The day, UTC, as `2027-01-31`."""
    return datetime.now(UTC).date().isoformat()
