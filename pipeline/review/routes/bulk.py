"""Bulk decisions on all rows of a filter: planned, previewed, and written exactly as previewed."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from pipeline.core.errors import RecordError
from pipeline.core.records import Band
from pipeline.decisions import payloads
from pipeline.decisions.basis import Basis
from pipeline.decisions.canonical_json import canonical_digest
from pipeline.decisions.events import Choice, Decision, Payload
from pipeline.decisions.record import PassedOverError
from pipeline.decisions.state import ItemState, State
from pipeline.review.access.guard import guarded_router, requires, shown_review, signed_in_person
from pipeline.review.access.people import Person, Role
from pipeline.review.access.permissions import still_signed_in
from pipeline.review.pages import page
from pipeline.review.queue.filters import NOBODY, Filters, unknown_parts, unknown_parts_of_string
from pipeline.review.request_body import is_form, read_body
from pipeline.review.review_session import ReviewSession
from pipeline.review.routes.request_payloads import (
    RESPONSES,
    BulkPreviewRequest,
    BulkRequest,
    route_options,
)
from pipeline.review.wording import CHOICES, MEANINGS

router = guarded_router()
SignedIn = Annotated[Person, Depends(signed_in_person)]
BulkPreviewBody = Annotated[BulkPreviewRequest, Depends(read_body(BulkPreviewRequest))]
BulkBody = Annotated[BulkRequest, Depends(read_body(BulkRequest))]

MAX_ROWS = 1000
"""Each decision is an event of its own, and all are written at once, while other writers wait."""
SHOWN_ROWS = 25

TWO_PERSONS = "want two persons, each by their own look"
DECIDED = "have a decision already"
_UNDECIDED = (State.OPEN, State.REOPENED)
NO_PAIR = "have no work, or no bytes, that a false match could be said of"
SAME_BYTES = "have the same bytes and work as another row here, and are decided with it"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a bulk decision would write.

    Attributes:
        filters: which rows were requested.
        requested: how many rows pass these filters.
        bases: the bases of the decisions, one for each item, in the order of the queue.
        left_out: how many rows are left out, by reason.
        preview: digest of exactly this plan and decision: SHA-256 (hex).
    """

    filters: Filters
    requested: int
    bases: tuple[Basis, ...]
    left_out: Mapping[str, int]
    preview: str


def plan(review: ReviewSession, ask: BulkPreviewRequest) -> Plan:
    """The plan of a bulk decision, as things stand now.

    Rows that need two people are never in it, since both are to look at the row. Nor are rows with
    a decision.

    Raises:
        HTTPException: 422 if a part of the filter is not known, too many rows pass it, a reason is
            missing, or what is to be written can't be kept.
    """
    _refuse_unknown(unknown_parts_of_string(ask.query))
    filters = Filters.of_string(ask.query)
    numbers = review.numbers(filters)
    if len(numbers) > MAX_ROWS:
        raise HTTPException(
            422,
            f"{len(numbers):,} rows pass the filter, and at most {MAX_ROWS:,} are decided at "
            "once: filter more narrowly.",
        )
    rules, rows = review.rules, review.rows(numbers)
    bases: dict[tuple[str, str | None], Basis] = {}
    left_out: Counter[str] = Counter()
    wants_reason = False
    for row, state in zip(rows, review.states(rows), strict=True):
        basis = Basis.of_row(row)
        item = (basis.item.asset, basis.item.work_id)
        if rules.persons(basis.band) > 1:
            left_out[TWO_PERSONS] += 1
        elif state.state not in _UNDECIDED:
            left_out[DECIDED] += 1
        elif ask.choice is Choice.FALSE_MATCH and (basis.work_id is None or basis.asset_id is None):
            left_out[NO_PAIR] += 1
        elif item in bases:
            left_out[SAME_BYTES] += 1
        else:
            bases[item] = basis
            wants_reason |= rules.wants_reason(ask.choice, Band(basis.band))
    if wants_reason and not ask.reason.strip():
        raise HTTPException(422, "This decision needs a reason for some of these rows.")
    for basis in bases.values():
        try:
            payloads.decision(
                rules, basis, ask.choice, reason=ask.reason, note=ask.note, assignee=ask.assignee
            )
        except RecordError as error:  # a name or words that can't be kept
            raise HTTPException(422, str(error)) from None
    preview = {
        "bases": [basis.to_json() for basis in bases.values()],
        "decision": [str(ask.choice), ask.reason, ask.note, ask.assignee],
        "query": filters.query(),
    }
    digest = canonical_digest(preview)
    return Plan(filters, len(numbers), tuple(bases.values()), dict(left_out), digest)


@router.get("/bulk", openapi_extra=requires(Role.APPROVER), responses=RESPONSES)
def ask_bulk(request: Request) -> Response:
    """The form for a bulk decision on the filter in the query string."""
    review = shown_review(request)
    pairs = request.query_params.multi_items()
    _refuse_unknown(unknown_parts(pairs))
    filters = Filters.of_query(pairs)
    total = review.count(filters)
    return page(request, "bulk.html.j2", **_context(review, filters, total=total))


@router.post("/bulk/preview", **route_options(Role.APPROVER, BulkPreviewRequest))
def preview_bulk(request: Request, body: BulkPreviewBody) -> Response:
    """Shows the exact count and the rows of a bulk decision; nothing is written."""
    review = shown_review(request)
    try:
        planned = plan(review, body)
    except HTTPException as error:
        return _sent_back(request, body, error)
    return _previewed(request, planned, body)


@router.post("/bulk", **route_options(Role.APPROVER, BulkRequest))
def do_bulk(
    request: Request,
    person: SignedIn,
    body: BulkBody,
) -> Response:
    """Writes a bulk decision, if what it would write is still what was shown."""
    review = shown_review(request)
    try:
        planned = plan(review, body)
    except HTTPException as error:
        return _sent_back(request, body, error)
    if planned.preview != body.preview:
        if not is_form(request):
            raise HTTPException(409, "What would be decided is not what was previewed.")
        return _previewed(request, planned, body, changed=True)
    record = review.opened()
    filtered = planned.filters.described() or "no filter"
    note = f"Decided in bulk, {len(planned.bases):,} at once; {filtered}."
    written, passed_over, stopped = 0, 0, ""
    try:
        done = record.decide_all(
            person.name,
            {_event_id(body.bulk_id, basis): basis for basis in planned.bases},
            body.choice,
            reason=body.reason,
            note=f"{body.note}\n{note}".strip(),
            assignee=body.assignee,
            check=still_signed_in(request, _as_previewed),
        )
    except HTTPException as error:
        stopped = str(error.detail)
    except RecordError as error:
        stopped = str(error)
    else:
        written, passed_over = len(done), len(planned.bases) - len(done)
    if not is_form(request):
        status = 409 if stopped else 200
        result = {"written": written, "passed_over": passed_over, "stopped": stopped}
        return JSONResponse(result, status)
    context = _context(review, planned.filters, body, total=planned.requested)
    context |= {"stage": "done", "written": written, "stopped": stopped, "plan": planned}
    context |= {"passed_over": passed_over}
    return page(request, "bulk.html.j2", status=409 if stopped else 200, **context)


def _refuse_unknown(sentences: list[str]) -> None:
    """Refuses a filter with a part that is not known: without it, more rows would be decided."""
    if sentences:
        raise HTTPException(422, " ".join(sentences) + " Nothing was decided.")


def _as_previewed(state: ItemState, payload: Payload) -> None:
    """Check as each decision is written: that the row is still as it was previewed.

    Raises:
        PassedOverError: if somebody decided on the row since, or it needs two people now.
    """
    needs_two = isinstance(payload, Decision) and payload.persons > 1
    if needs_two or state.state not in _UNDECIDED:
        raise PassedOverError


def _event_id(bulk_id: str, basis: Basis) -> str:
    """Idempotency key of one decision: a form that is sent twice writes each decision once."""
    return canonical_digest([bulk_id, basis.item.to_json()])[:32]


def _previewed(
    request: Request, planned: Plan, ask: BulkPreviewRequest, *, changed: bool = False
) -> Response:
    status = 409 if changed else 200
    if not is_form(request):
        return JSONResponse(
            {
                "preview": planned.preview,
                "asked": planned.requested,
                "decided": len(planned.bases),
                "left_out": dict(planned.left_out),
                "paths": [basis.asset_path for basis in planned.bases],
            },
            status,
        )
    context = _context(shown_review(request), planned.filters, ask, total=planned.requested)
    context |= {
        "stage": "preview",
        "plan": planned,
        "changed": changed,
        "shown_rows": planned.bases[:SHOWN_ROWS],
        "more_rows": max(0, len(planned.bases) - SHOWN_ROWS),
    }
    return page(request, "bulk.html.j2", status=status, **context)


def _sent_back(request: Request, ask: BulkPreviewRequest, error: HTTPException) -> Response:
    """The form as it was filled in, with the error; for JSON the error itself."""
    if not is_form(request):
        raise error
    review = shown_review(request)
    filters = Filters.of_string(ask.query)
    context = _context(review, filters, ask, total=review.count(filters)) | {
        "wrong": str(error.detail)
    }
    return page(request, "bulk.html.j2", status=error.status_code, **context)


def _context(
    review: ReviewSession,
    filters: Filters,
    ask: BulkPreviewRequest | None = None,
    *,
    total: int,
) -> dict[str, Any]:
    # A filter by another work has rows with a work, and none without.
    without = filters.but(work_id=NOBODY) if filters.work_id in ("", NOBODY) else None
    return {
        "no_work": without is not None and total > 0 and review.count(without) == total,
        "stage": "ask",
        "wrong": "",
        "filters": filters,
        "query": filters.query(),
        "total": total,
        "most": MAX_ROWS,
        "ask": ask,
        "choices": [(str(one), CHOICES[one], MEANINGS[one]) for one in CHOICES],
        "bulk_id": secrets.token_hex(16),
    }
