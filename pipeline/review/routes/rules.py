"""The routes of the rules that suppress: their page, the form of a new one, agreeing, revoking."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from pipeline.core.errors import RecordError
from pipeline.core.records import Band
from pipeline.decisions.events import Payload
from pipeline.decisions.form_2 import SuppressionRule
from pipeline.decisions.payloads import suppression_rule
from pipeline.decisions.selection import FolderSelection, WorkSelection
from pipeline.decisions.standing import Standing, Stands, Status, today
from pipeline.review.access.guard import guarded_router, requires, shown_review, signed_in_person
from pipeline.review.access.people import Person, Role
from pipeline.review.access.permissions import (
    refuse_revocation,
    refuse_rule,
    still_signed_in_for_rule,
)
from pipeline.review.pages import page, wants_json
from pipeline.review.request_body import is_form, read_body
from pipeline.review.review_session import ReviewSession
from pipeline.review.routes.request_payloads import (
    AgreeRequest,
    RevokeRequest,
    RuleRequest,
    route_options,
)
from pipeline.review.wording import RULE_STATUSES

router = guarded_router()
SignedIn = Annotated[Person, Depends(signed_in_person)]
RuleBody = Annotated[RuleRequest, Depends(read_body(RuleRequest))]
AgreeBody = Annotated[AgreeRequest, Depends(read_body(AgreeRequest))]
RevokeBody = Annotated[RevokeRequest, Depends(read_body(RevokeRequest))]


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule as its page lists it.

    Attributes:
        rule: the rule with what was said of it.
        status: its status today.
        covered: how many matches of the run it covers, by band; None if it can't be told.
        may_agree, may_revoke: whether the person who looks may do so.
    """

    rule: Standing[SuppressionRule]
    status: Status
    covered: dict[Band, int] | None
    may_agree: bool
    may_revoke: bool


@router.get("/rules", openapi_extra=requires(Role.READER))
def rules(request: Request, person: SignedIn) -> Response:
    """The rules that suppress, as a page or (`Accept: application/json`) as JSON."""
    review = shown_review(request)
    lines = [_line(review, one, person) for one in reversed(review.suppression_rules())]
    if wants_json(request):
        return JSONResponse({"rules": [_as_json(line) for line in lines]})
    groups = [(name, [one for one in lines if one.status is name]) for name in RULE_STATUSES]
    return page(
        request, "rules.html.j2", groups=groups, statuses=RULE_STATUSES, total=len(lines),
        event_ids=[secrets.token_hex(16) for _ in range(2 * len(lines))],
    )  # fmt: skip


@router.get("/rules/new", openapi_extra=requires(Role.REVIEWER))
def new_rule(
    request: Request,
    person: SignedIn,
    number: Annotated[int | None, Query(ge=0, lt=2**31)] = None,
    work: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """The form of a new rule, filled in with an item's work and folder if one is named."""
    review = shown_review(request)
    ask = RuleRequest(reason="")
    if number is not None:
        row = review.row(number)
        work_id = work or row["work_id"] or ""
        columns = review.columns_of(work_id)
        ask = RuleRequest(
            work_ids=work_id,
            rightsholder=columns.get("rightsholder", ""),
            folders=row["asset_path"].rpartition("/")[0],
            reason="",
        )
    return _form(request, person, ask)


@router.post("/rules/preview", **route_options(Role.REVIEWER, RuleRequest))
def preview_rule(request: Request, person: SignedIn, body: RuleBody) -> Response:
    """What a rule would cover in the run shown; nothing is written."""
    review = shown_review(request)
    try:
        rule = _stated(review, body)
    except RecordError as error:
        return _sent_back(request, person, body, error)
    covered = review.covered_by(rule)
    if not is_form(request):
        numbers = None if covered is None else {str(one): covered[one] for one in covered}
        return JSONResponse({"rule": rule.to_json(), "matches": numbers})
    return _form(request, person, body, rule=rule, covered=covered)


@router.post("/rules/add", **route_options(Role.REVIEWER, RuleRequest))
def add_rule(request: Request, person: SignedIn, body: RuleBody) -> Response:
    """Adds a rule; it counts from the next run on, once a second person agreed if one must."""
    review = shown_review(request)
    try:
        rule = _stated(review, body)  # what is refused must not make a record
        refuse_rule(person, rule)

        def refuse(_: Standing[Stands] | None, payload: Payload) -> None:
            if isinstance(payload, SuppressionRule):
                refuse_rule(person, payload)

        event = review.opened().add_rule(
            person.name,
            rule.works,
            rule.assets,
            rule.reason,
            until=rule.until,
            event_id=body.event_id,
            check=still_signed_in_for_rule(request, refuse),
        )
    except RecordError as error:
        return _sent_back(request, person, body, error)
    return _written(request, review, event.event_id, person)


@router.post("/rules/agree", **route_options(Role.REVIEWER, AgreeRequest))
def agree(request: Request, person: SignedIn, body: AgreeBody) -> Response:
    """Agrees, as a second person, to a rule that waits for one."""
    review = shown_review(request)
    _rule(review, body.of)
    review.opened().agree(
        person.name,
        body.of,
        body.reason,
        event_id=body.event_id,
        check=still_signed_in_for_rule(request),
    )
    return _written(request, review, body.of, person)


@router.post("/rules/revoke", **route_options(Role.REVIEWER, RevokeRequest))
def revoke(request: Request, person: SignedIn, body: RevokeBody) -> Response:
    """Revokes a rule: a new event, and nothing is erased."""
    review = shown_review(request)
    refuse_revocation(person, _rule(review, body.of))

    def refuse(one: Standing[Stands] | None, _: Payload) -> None:
        if one is not None:
            refuse_revocation(person, one)

    review.opened().revoke(
        person.name,
        body.of,
        body.reason,
        event_id=body.event_id,
        check=still_signed_in_for_rule(request, refuse),
    )
    return _written(request, review, body.of, person)


def _stated(review: ReviewSession, body: RuleRequest) -> SuppressionRule:
    """The rule of a request, as it would be written now."""
    chosen = {
        "ids": {"work_ids": _lines(body.work_ids)},
        "rightsholder": {"column": "rightsholder", "value": body.rightsholder},
        "column": {"column": body.column, "value": body.value},
    }[body.chosen]
    works = WorkSelection.of(**chosen)  # type: ignore[arg-type]
    assets = FolderSelection.of(_lines(body.folders))
    return suppression_rule(review.rules, works, assets, body.reason, body.until)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _rule(review: ReviewSession, event_id: str) -> Standing[SuppressionRule]:
    for one in review.suppression_rules():
        if one.event_id == event_id:
            return one
    raise HTTPException(404, "There is no such rule.")


def _line(review: ReviewSession, rule: Standing[SuppressionRule], person: Person) -> RuleLine:
    status = rule.status(today())
    ended = status is Status.REVOKED
    reviews = person.role.covers(Role.REVIEWER)
    own = status is Status.WAITING and rule.said_by(person.name)
    return RuleLine(
        rule,
        status,
        review.covered_by(rule.payload),
        may_agree=reviews and status is Status.WAITING and not rule.said_by(person.name),
        may_revoke=not ended and reviews and (person.role.covers(Role.APPROVER) or own),
    )


def _as_json(line: RuleLine) -> dict[str, Any]:
    rule, covered = line.rule, line.covered
    return {
        **rule.payload.to_json(),
        "number": rule.number,
        "event_id": rule.event_id,
        "status": str(line.status),
        "by": list(rule.by),
        "matches": None if covered is None else {str(one): covered[one] for one in covered},
    }


def _written(request: Request, review: ReviewSession, event_id: str, person: Person) -> Response:
    rule = _rule(review, event_id)
    if not is_form(request):
        return JSONResponse(_as_json(_line(review, rule, person)))
    return RedirectResponse(f"/rules#rule-{rule.number}", 303)


def _sent_back(request: Request, person: Person, body: RuleRequest, error: RecordError) -> Response:
    """The form as it was filled in, with the error; for JSON the error itself."""
    if not is_form(request):
        raise HTTPException(422, str(error))
    return _form(request, person, body, wrong=str(error), status=422)


def _form(
    request: Request, person: Person, ask: RuleRequest, *, status: int = 200, **context: Any
) -> Response:
    review = shown_review(request)
    alone = not review.rules.second_person
    return page(
        request, "rule_form.html.j2", status=status, ask=ask, alone=alone,
        may_add=not alone or person.role.covers(Role.APPROVER), event_id=secrets.token_hex(16),
        **{"wrong": "", "rule": None, "covered": None, **context},
    )  # fmt: skip
