"""What a role may do to an item, beyond what its route requires, asked again as it is written.

That two people decide independently of each other is the record's own rule.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import HTTPException, Request

from pipeline.decisions.event_log import Check
from pipeline.decisions.events import Choice, Event, Payload
from pipeline.decisions.form_2 import SuppressionRule
from pipeline.decisions.record import StandingCheck
from pipeline.decisions.standing import Standing, Stands, Status, today
from pipeline.decisions.state import ItemState, State
from pipeline.decisions.texts import same_person
from pipeline.review.access.people import Person, Role
from pipeline.review.access.sessions import Access


def refuse_decision(person: Person, state: ItemState, choice: Choice) -> None:
    """Refuses a decision that a person may not make on an item in its present state.

    Raises:
        HTTPException: 403, with the reason.
    """
    if not person.role.covers(Role.REVIEWER):
        raise HTTPException(403, "Deciding takes the role reviewer.")
    agreed = state.state is State.SUPPRESSED and state.rule is None
    revokes = agreed and choice is not Choice.FALSE_MATCH
    if revokes and not person.role.covers(Role.APPROVER):
        raise HTTPException(
            403, "People agreed that this match is false; only an approver may go back on it."
        )


def refuse_undo(person: Person, state: ItemState, event: Event) -> None:
    """Refuses to let a person take back a decision.

    Raises:
        HTTPException: 404 if they may not see it, 403 if they may not take it back.
    """
    if event not in state.shown_to(person.name):
        raise HTTPException(404, "There is no such decision to take back.")
    if person.role.covers(Role.APPROVER):
        return
    if not person.role.covers(Role.REVIEWER) or not same_person(event.actor, person.name):
        raise HTTPException(403, "Only an approver may take back another person's decision.")
    if state.state is State.SUPPRESSED:
        raise HTTPException(
            403, "People agreed that this match is false; only an approver may go back on it."
        )


def refuse_rule(person: Person, rule: SuppressionRule) -> None:
    """Refuses to let a person add a rule that suppresses.

    It may act on many rows: where one person is enough, it takes an approver, as a bulk decision.

    Raises:
        HTTPException: 403, with the reason.
    """
    if rule.persons == 1 and not person.role.covers(Role.APPROVER):
        raise HTTPException(
            403, "No second person is asked for here, so adding a rule takes the role approver."
        )


def refuse_revocation(person: Person, one: Standing[Stands]) -> None:
    """Refuses to let a person revoke a rule.

    Raises:
        HTTPException: 403, with the reason.
    """
    waits = one.status(today()) is Status.WAITING
    if not person.role.covers(Role.APPROVER) and not (waits and one.said_by(person.name)):
        raise HTTPException(
            403, "Only an approver may revoke a rule, but for one's own while it waits."
        )


def still_signed_in_for_rule(
    request: Request, refuse: Callable[[Standing[Stands] | None, Payload], None] | None = None
) -> StandingCheck:
    """As `still_signed_in`, for what is written on a rule."""

    def check_session(one: Standing[Stands] | None, payload: Payload) -> None:
        _refuse_signed_out(request)
        if refuse is not None:
            refuse(one, payload)

    return check_session


def _refuse_signed_out(request: Request) -> None:
    access: Access = request.app.state.access
    if access.session(request.cookies.get(access.cookie)) is None:
        raise HTTPException(401, "You are not signed in any more; nothing was written.")


def still_signed_in(request: Request, check: Check | None = None) -> Check:
    """A check for the record to make within the transaction that writes an event.

    Between the request's arrival and the write, its sender may have been signed out, removed from
    the file of people, or given another role.

    Args:
        request: the request.
        check: a further check to make.
    """

    def check_session(state: ItemState, payload: Payload) -> None:
        _refuse_signed_out(request)
        if check is not None:
            check(state, payload)

    return check_session
