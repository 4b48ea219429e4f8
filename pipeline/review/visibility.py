"""What each person may see of an item: a first decision stays hidden until there is a second one.

On rows that need two people, each decides without knowing the other's decision. This module is the
only place that decides what is hidden from whom; pages show a `Visibility` and never an
`ItemState`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.decisions.events import Assignment, Choice, Decision, Event
from pipeline.decisions.state import DecisionView, ItemState, State
from pipeline.decisions.texts import same_person


@dataclass(frozen=True, slots=True)
class Visibility:
    """What one person may see of an item's state.

    Attributes:
        state: the item's state.
        sealed: whether there is a first decision that this person may see only after deciding too.
        decided_by: who decided, including who made the first decision.
        choices: what was decided; empty if `sealed`.
        own: this person's own decision that counts.
        why: sentences on why earlier decisions do not count any more.
        assignee: whom the item is assigned to.
        events: all events on the item that this person may see.
        undone: ids of decisions that were taken back.
        persons: how many people must decide on the row.
    """

    state: State
    sealed: bool
    decided_by: tuple[str, ...]
    choices: tuple[Choice, ...]
    own: DecisionView | None
    why: tuple[str, ...]
    assignee: str
    events: tuple[Event, ...]
    undone: frozenset[str]
    persons: int

    @property
    def undoable(self) -> tuple[Event, ...]:
        """Decisions among the events that were not taken back, the newest first."""
        return tuple(
            event
            for event in reversed(self.events)
            if isinstance(event.payload, Decision) and event.event_id not in self.undone
        )


def visibility_for(state: ItemState, person: str, *, persons: int) -> Visibility:
    """What a person may see of an item's state.

    Args:
        state: the item's state.
        person: their name.
        persons: how many people must decide on the row.
    """
    sealed = is_sealed_for(state, person)
    hidden: Sequence[str] = ()
    if sealed:
        hidden = [name for name in sealed_deciders(state) if not same_person(name, person)]
    return Visibility(
        state=state.state,
        sealed=sealed,
        decided_by=tuple(view.actor for view in state.decisions),
        choices=() if sealed else state.choices,
        own=next((view for view in state.in_force if same_person(view.actor, person)), None),
        why=state.why,
        assignee=visible_assignee(state, hidden) if sealed else state.assignee,
        events=tuple(
            event
            for event in state.events
            if not any(same_person(event.actor, name) for name in hidden)
        ),
        undone=state.undone,
        persons=persons,
    )


def needs_second_person(state: ItemState) -> bool:
    """Whether a second person has yet to decide; also if the first decision was reopened."""
    return _lacks_second(state.decisions)


def is_sealed_for(state: ItemState, person: str) -> bool:
    """Whether there is a first decision that this person may see only after deciding too."""
    decided = any(same_person(view.actor, person) for view in state.decisions)
    return needs_second_person(state) and not decided


def sealed_deciders(state: ItemState) -> tuple[str, ...]:
    """Whose decisions others may not see yet.

    A first decision that was reopened before there was a second is still sealed, also while another
    first decision waits for its second: nobody else has seen it.
    """
    if not needs_second_person(state):
        return ()
    reopened = state.reopened if state.in_force and _lacks_second(state.reopened) else ()
    return tuple(view.actor for view in (*state.decisions, *reopened))


def visible_assignee(state: ItemState, deciders: Sequence[str]) -> str:
    """The item's assignee, ignoring assignments that are part of sealed decisions.

    An assignee in a decision hints at the decision ("lawyers are to act"); an assignment event that
    asks somebody to look at the item does not.

    Args:
        state: the item's state.
        deciders: whose decisions are sealed.
    """
    assignee = ""
    for event in state.events:
        payload = event.payload
        if isinstance(payload, Assignment):
            assignee = payload.assignee
        elif isinstance(payload, Decision) and event.event_id not in state.undone:
            sealed = any(same_person(event.actor, name) for name in deciders)
            assignee = assignee if sealed else payload.assignee or assignee
    return assignee


def _lacks_second(decisions: Sequence[DecisionView]) -> bool:
    return bool(decisions) and len(decisions) < max(view.decision.persons for view in decisions)
