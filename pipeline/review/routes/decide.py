"""The routes by which people decide, take back, assign and comment."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from pipeline.decisions import payloads
from pipeline.decisions.events import Event, Payload
from pipeline.decisions.state import ItemState, item_state
from pipeline.review.access.guard import guarded_router, shown_review, signed_in_person
from pipeline.review.access.people import Person, Role
from pipeline.review.access.permissions import refuse_decision, refuse_undo, still_signed_in
from pipeline.review.queue.filters import Filters
from pipeline.review.request_body import is_form, read_body
from pipeline.review.review_session import ReviewSession
from pipeline.review.routes.request_payloads import (
    AssignRequest,
    CommentRequest,
    DecideRequest,
    ItemRequest,
    UndoRequest,
    route_options,
)

router = guarded_router()
SignedIn = Annotated[Person, Depends(signed_in_person)]
DecideBody = Annotated[DecideRequest, Depends(read_body(DecideRequest))]
UndoBody = Annotated[UndoRequest, Depends(read_body(UndoRequest))]
AssignBody = Annotated[AssignRequest, Depends(read_body(AssignRequest))]
CommentBody = Annotated[CommentRequest, Depends(read_body(CommentRequest))]


@router.post("/decide", **route_options(Role.REVIEWER, DecideRequest))
def decide(
    request: Request,
    person: SignedIn,
    body: DecideBody,
) -> Response:
    """Writes one person's decision on a row and one of its works."""
    review = shown_review(request)
    row, work_id = requested_row(review, body)
    refuse_decision(person, review.state(row, work_id), body.choice)

    def check(state: ItemState, _: Payload) -> None:
        refuse_decision(person, state, body.choice)

    # Looked up before the decision, which may remove the row from the filtered queue; the rows that
    # it decides too need no look of their own.
    same = set(review.decided_with(row, work_id))
    after = review.neighbours(body.number, Filters.of_string(body.query), same).after
    basis = review.basis(row, work_id)
    texts = {"reason": body.reason, "note": body.note, "assignee": body.assignee}
    if review.record is None:  # what is refused must not make a record
        payloads.decision(review.rules, basis, body.choice, **texts)
    event = review.opened().decide(
        person.name,
        basis,
        body.choice,
        **texts,
        event_id=body.event_id,
        check=still_signed_in(request, check),
    )
    return _response(request, review, body, event, person, after)


@router.post("/undo", **route_options(Role.REVIEWER, UndoRequest))
def undo(
    request: Request,
    person: SignedIn,
    body: UndoBody,
) -> Response:
    """Takes a decision back: a new event, and nothing is erased."""
    review = shown_review(request)
    row, work_id = requested_row(review, body)
    state = review.state(row, work_id)
    visible = review.visibility(row, person, work_id).events
    decided = next((one for one in visible if one.event_id == body.of), None)
    if decided is None or review.record is None:
        raise HTTPException(404, "There is no such decision to take back.")
    refuse_undo(person, state, decided)
    basis = review.basis(row, work_id)

    def check(state: ItemState, _: Payload) -> None:
        # If the decision was on another item (other bytes before), the row says nothing of it.
        now = basis if state.item == basis.item else None
        refuse_undo(person, item_state(state.item, state.events, now), decided)

    event = review.record.undo(
        person.name,
        body.of,
        body.reason,
        event_id=body.event_id,
        check=still_signed_in(request, check),
    )
    return _response(request, review, body, event, person)


@router.post("/assign", **route_options(Role.REVIEWER, AssignRequest))
def assign(
    request: Request,
    person: SignedIn,
    body: AssignBody,
) -> Response:
    """Assigns an item to a person, or removes the assignment."""
    review = shown_review(request)
    row, work_id = requested_row(review, body)
    item = review.basis(row, work_id).item
    payloads.assignment(item, body.assignee, body.note)  # what is refused must not make a record
    event = review.opened().assign(
        person.name,
        item,
        body.assignee,
        body.note,
        event_id=body.event_id,
        check=still_signed_in(request),
    )
    return _response(request, review, body, event, person)


@router.post("/comment", **route_options(Role.REVIEWER, CommentRequest))
def comment(
    request: Request,
    person: SignedIn,
    body: CommentBody,
) -> Response:
    """Writes a comment on an item."""
    review = shown_review(request)
    row, work_id = requested_row(review, body)
    item = review.basis(row, work_id).item
    payloads.comment(item, body.text)  # what is refused must not make a record
    event = review.opened().comment(
        person.name, item, body.text, event_id=body.event_id, check=still_signed_in(request)
    )
    return _response(request, review, body, event, person)


def requested_row(review: ReviewSession, body: ItemRequest) -> tuple[dict[str, Any], str | None]:
    """The row and the work of a request, if they are what its page showed.

    Raises:
        HTTPException: 409 if the page showed another run's row.
        RunError: if there is no such row or work.
    """
    row = review.row(body.number)
    work_id = body.work_id or None
    if review.evidence(row, work_id) != body.evidence:
        raise HTTPException(
            409, "The results are others than on your page: load it again, look, and then decide."
        )
    return row, work_id


def _response(
    request: Request,
    review: ReviewSession,
    body: ItemRequest,
    event: Event,
    person: Person,
    after: int | None = None,
) -> Response:
    """Where a browser goes on; for JSON, what was written and how the item stands now."""
    row, work_id = review.row(body.number), body.work_id or None
    if not is_form(request):
        visibility = review.visibility(row, person, work_id)
        return JSONResponse(
            {
                "event_id": event.event_id,
                "seq": event.seq,
                "state": str(visibility.state),
                "next": after,
            }
        )
    filters = Filters.of_string(body.query)
    pairs = filters.pairs()
    stays = body.then == "stay"
    if work_id and stays and work_id != row["work_id"]:
        pairs.append(("work", work_id))
    pairs += [("done", event.event_id), ("of", str(body.number))]
    if work_id and work_id != row["work_id"]:
        pairs.append(("of_work", work_id))
    place = f"/item/{body.number}" if stays else "/" if after is None else f"/item/{after}"
    return RedirectResponse(f"{place}?{urlencode(pairs)}", 303)
