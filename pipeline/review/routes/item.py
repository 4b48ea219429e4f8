"""The routes of the item page: the page, its pictures, and the whole text of a script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from pipeline.core.errors import RunError
from pipeline.decisions.standing import today
from pipeline.report.stored_content import StoredTexts
from pipeline.results.inputs import drop_of
from pipeline.results.lookup import rows_of
from pipeline.review.access.guard import guarded_router, requires, shown_review, signed_in_person
from pipeline.review.access.people import Person, Role
from pipeline.review.item.history import (
    RELATED_ITEMS,
    RelatedItem,
    decided_elsewhere,
    earlier_scans,
    history_lines,
)
from pipeline.review.item.pictures import CONTENT_TYPE
from pipeline.review.item.texts import whole_text
from pipeline.review.item.thumbnails import BusyError
from pipeline.review.item.view import item_view
from pipeline.review.pages import decision_form, page
from pipeline.review.queue.filters import Filters
from pipeline.review.review_session import ReviewSession
from pipeline.review.wording import RULE_STATUSES

router = guarded_router()
SignedIn = Annotated[Person, Depends(signed_in_person)]
Work = Annotated[str | None, Query(max_length=1000)]
Match = Mapping[str, Any]

BESIDE = 12
"""Works that are shown beside an asset; the others are listed."""

_GONE: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such row, work, picture or text."},
    422: {"description": "The address has a part that is not of its form."},
}
_PAGE: dict[str, Any] = {"response_class": HTMLResponse, "responses": _GONE}
_PICTURE: dict[str, Any] = {
    "response_class": Response,
    "responses": {200: {"content": {CONTENT_TYPE: {}}}, **_GONE},
}


@router.get("/item/{number}", openapi_extra=requires(Role.READER), **_PAGE)
def item(request: Request, number: int, person: SignedIn, work: Work = None) -> Response:
    """A row with its strongest work, or with another one of its works."""
    review = shown_review(request)
    row = review.row(number)
    matches = review.matches(row)
    match = _match(matches, work)
    work_id = match["work_id"] if match is not None else None
    context = decision_form(request, number, row, work_id, person)
    looked_at = review.basis(row, work_id).item
    of_asset, of_work = decided_elsewhere(review.items(), looked_at, person.name)
    here, more_here = _assets_of_work(review, row, work_id, person)
    listed = {other.asset_path for other in here}
    view = item_view(review.stored, row, matches, work_id, review.pictures)
    ids = [one.row["work_id"] for one in view.candidates[:BESIDE]]
    return page(
        request,
        "item.html.j2",
        view=view,
        beside=BESIDE,
        shown_place=ids.index(work_id) if work_id in ids else -2,
        standings={one: str(review.visibility(row, person, one).state) for one in ids},
        around=review.neighbours(number, Filters.of_query(request.query_params.multi_items())),
        lines=history_lines(context["visibility"].events, context["visibility"].undone),
        drop=drop_of(review.stored.run, row["asset_path"]),
        scans=earlier_scans(review.stored.folder, row),
        of_asset=of_asset,
        of_work=[*here, *(one for one in of_work if one.asset_path not in listed)][:RELATED_ITEMS],
        more_of_work=more_here,
        rules=review.rules_on(row, work_id) if work_id else [],
        rule_statuses=RULE_STATUSES,
        today=today(),
        **context,
    )


@router.get("/item/{number}/asset.webp", openapi_extra=requires(Role.READER), **_PICTURE)
def asset_picture(request: Request, number: int, work: Work = None) -> Response:
    """The asset's picture, encoded anew."""
    review = shown_review(request)
    row = review.row(number)
    _refuse_other_kind(row)
    match = _match(review.matches(row), work)
    return Response(review.pictures.asset(row, match), media_type=CONTENT_TYPE)


@router.get("/item/{number}/thumbnail.webp", openapi_extra=requires(Role.READER), **_PICTURE)
def thumbnail(
    request: Request,
    number: int,
    side: Annotated[str, Query(pattern="^(asset|work)$")] = "asset",
    work: Work = None,
) -> Response:
    """A small picture of the asset, or of its strongest work or another one, encoded anew."""
    review = shown_review(request)
    try:
        if side == "work":
            _, match = _pair(request, number, work)
            picture = review.thumbnails.work(match)
        else:
            row = review.row(number)
            _refuse_other_kind(row)
            picture = review.thumbnails.asset(row)
    except BusyError:
        return PlainTextResponse(
            "Other pictures are being made; ask again.", 503, {"retry-after": "1"}
        )
    return Response(picture, media_type=CONTENT_TYPE)


@router.get("/item/{number}/work.webp", openapi_extra=requires(Role.READER), **_PICTURE)
def work_picture(request: Request, number: int, work: Work = None) -> Response:
    """The picture that the index keeps of the work, encoded anew."""
    _, match = _pair(request, number, work)
    return Response(shown_review(request).pictures.work(match), media_type=CONTENT_TYPE)


@router.get("/item/{number}/laid.webp", openapi_extra=requires(Role.READER), **_PICTURE)
def laid_picture(request: Request, number: int, work: Work = None, even: bool = False) -> Response:
    """The work laid onto the asset where it was verified to lie; `even`, as bright as the asset."""
    row, match = _pair(request, number, work)
    laid = shown_review(request).pictures.laid(row, match, even=even)
    return Response(laid, media_type=CONTENT_TYPE)


@router.get("/item/{number}/script", openapi_extra=requires(Role.READER), **_PAGE)
def script(
    request: Request,
    number: int,
    side: Annotated[str, Query(pattern="^(asset|work)$")] = "asset",
    work: Work = None,
    file: Annotated[str, Query(max_length=4000)] = "",
    at: Annotated[int, Query(ge=0, lt=2**40)] = 0,
) -> Response:
    """The whole text of a script or of a work's file, at the part that holds an offset."""
    review = shown_review(request)
    row = review.row(number)
    match = _match(review.matches(row), work)
    passages: list[dict[str, Any]] = []
    if match is not None:
        passages = rows_of(
            review.stored.passage_rows, asset_path=row["asset_path"], work_id=match["work_id"]
        )
    texts = StoredTexts(review.stored.run, row)
    if side == "asset":
        text, name = texts.asset(), row["asset_path"]
    else:
        name = file or next((one["work_file"] for one in passages), "")
        passages = [one for one in passages if one["work_file"] == name]
        text = texts.work(match["work_id"], name) if match is not None and passages else None
    if text is None:
        raise RunError(
            "This text can't be shown: the file is not there with the content that was screened, "
            "or the index keeps no texts."
        )
    passages.sort(key=lambda one: (one[f"{side}_start"], one[f"{side}_end"]))
    spans = [(one[f"{side}_start"], one[f"{side}_end"]) for one in passages]
    return page(
        request,
        "script.html.j2",
        number=number,
        row=row,
        match=match,
        side=side,
        name=name,
        whole=whole_text(text, at, spans),
        at=at,
        passages=passages,
    )


def _match(matches: list[dict[str, Any]], work_id: str | None) -> dict[str, Any] | None:
    """The match with a work; None if there is no match at all.

    If none is named, it is the strongest that is not suppressed, as in the risk table, or the
    strongest of all where every one is.

    Raises:
        RunError: if the row has no evidence with that work.
    """
    if not work_id:
        counted = (one for one in matches if not one.get("suppressed"))
        return next(counted, matches[0] if matches else None)
    for one in matches:
        if one["work_id"] == work_id:
            return one
    raise RunError("This row has no evidence with that work.")


def _pair(request: Request, number: int, work: str | None) -> tuple[dict[str, Any], Match]:
    review = shown_review(request)
    row = review.row(number)
    _refuse_other_kind(row)
    match = _match(review.matches(row), work)
    if match is None:
        raise RunError("This row has no evidence with any work.")
    return row, match


def _refuse_other_kind(row: Mapping[str, Any]) -> None:
    if row["kind"] != "image":
        raise RunError("This row is not a picture's.")


def warm(review: ReviewSession) -> None:
    """Opens the index and starts a decoder, so that whoever opens the first item need not wait."""
    place = pc.index(review.stored.risk_rows.column("kind"), "image").as_py()
    if place >= 0:
        row = review.row(place)
        review.pictures.sides(row, next(iter(review.matches(row)), None))


def _assets_of_work(
    review: ReviewSession, row: Mapping[str, Any], work_id: str | None, person: Person
) -> tuple[list[RelatedItem], int]:
    """Other assets of the run with evidence of a work, the strongest first, and how many more."""
    if work_id is None:
        return [], 0
    matches = review.stored.match_rows
    found: pa.Table = matches.filter(pc.equal(matches.column("work_id"), work_id))
    found = found.select(["asset_path", "work_id", "title", "risk"]).sort_by(
        [("risk", "descending"), ("asset_path", "ascending")]
    )
    shown: list[RelatedItem] = []
    for one in found.slice(0, RELATED_ITEMS + 1).to_pylist():
        number = review.number_of(one["asset_path"])
        if number is None or one["asset_path"] == row["asset_path"]:
            continue
        visibility = review.visibility(review.row(number), person, work_id)
        decided = next((event for event in visibility.undoable if visibility.choices), None)
        shown.append(
            RelatedItem(
                asset_path=one["asset_path"],
                number=number,
                work_id=work_id,
                title=one["title"],
                risk=one["risk"],
                state=visibility.state,
                choices=visibility.choices,
                decided_by=visibility.decided_by,
                reason=getattr(decided.payload, "reason", "") if decided is not None else "",
            )
        )
    shown = shown[:RELATED_ITEMS]
    return shown, max(0, found.num_rows - 1 - len(shown))
