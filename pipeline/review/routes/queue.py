"""The routes of the queue, of signing in and out, of static files and the OpenAPI document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from pipeline.core.errors import RecordError
from pipeline.core.wording.text import visible
from pipeline.review.access.guard import guarded_router, requires, shown_review, signed_in_person
from pipeline.review.access.people import Person, Role
from pipeline.review.access.sessions import Access, TooManyTriesError
from pipeline.review.pages import DONE, page, static_files, wants_json
from pipeline.review.queue.filters import SORTS, Filters, unknown_parts
from pipeline.review.request_body import is_form, openapi_body, read_body
from pipeline.review.routes.request_payloads import SignInRequest
from pipeline.review.saved_filters import SavedFilter, SavedFilters

router = guarded_router()
SignedIn = Annotated[Person, Depends(signed_in_person)]
SignInBody = Annotated[SignInRequest, Depends(read_body(SignInRequest))]

YEAR = 365 * 24 * 3600
VIEWS = ("table", "cards")
VIEW = "view"
"""Query parameter and cookie for how the queue shows its rows."""

_OTHERS = ("page", VIEW, DONE, "of", "of_work")
"""Query parameters of the queue that are no filters."""


def _parameters(*names: str) -> dict[str, Any]:
    return {
        "parameters": [
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
            for name in names
        ]
    }


FILTER_PARAMETERS = _parameters(*Filters.__dataclass_fields__)
"""Of a route that takes the queue's filters, for the OpenAPI document."""


@router.get(
    "/",
    openapi_extra=requires(Role.READER) | _parameters(*Filters.__dataclass_fields__, "page", VIEW),
)
def queue(request: Request, person: SignedIn) -> Response:
    """One page of the queue, as a page or (`Accept: application/json`) as JSON."""
    review = shown_review(request)
    pairs = request.query_params.multi_items()
    filters = Filters.of_query(pairs)
    number = request.query_params.get("page", "1")
    is_page = number.isascii() and number.isdigit() and len(number) < 10
    found = review.page(filters, int(number) if is_page else 1)
    unknown = unknown_parts(pairs, _OTHERS) + review.unknown(filters)
    if not is_page or not 1 <= int(number) <= found.pages:
        unknown.append(f"There is no page “{visible(number[:60])}”; this is page {found.page}.")
    if wants_json(request):
        return JSONResponse({**asdict(found), "unknown": unknown})
    asked = request.query_params.get(VIEW, "")
    if asked and asked not in VIEWS:
        unknown.append(f"There is no view “{visible(asked[:60])}”; there are table and cards.")
    kept = request.cookies.get(VIEW, "")
    view = asked if asked in VIEWS else kept if kept in VIEWS else VIEWS[0]
    assigned = review.count(filters.but(assignee=person.name, status=(), band=()))
    saved, why_not = _saved(request, person)
    answer = page(
        request, "queue.html.j2", filters=filters, found=found, sorts=SORTS, mine=assigned,
        query=filters.query(), unknown=unknown, view=view, saved=saved, why_not_saved=why_not,
    )  # fmt: skip
    if asked in VIEWS:
        answer.set_cookie(VIEW, view, max_age=YEAR, httponly=True, samesite="lax", path="/")
    return answer


def _saved(request: Request, person: Person) -> tuple[tuple[SavedFilter, ...], str]:
    """A person's saved filters; without any, the sentence that says why."""
    kept: SavedFilters = request.app.state.saved_filters
    try:
        return kept.of(person.name), ""
    except RecordError as error:  # a file that can't be read must not keep anybody from the queue
        return (), str(error)


@router.get("/enter", openapi_extra=requires(None))
def enter(request: Request, token: str = "") -> Response:
    """The first URL: its token becomes a cookie, and is gone from the address."""
    access: Access = request.app.state.access
    cookie = access.by_token(token)
    if cookie is None:
        raise HTTPException(401, "This address is not the one that was printed at the start.")
    return _signed_in(request, access, cookie, "/")


@router.get("/login", openapi_extra=requires(None))
def login(request: Request, then: str = "/") -> Response:
    """The form to sign in with."""
    return page(request, "login.html.j2", then=own_place(then), wrong="")


@router.post("/login", openapi_extra=requires(None) | openapi_body(SignInRequest))
def sign_in(request: Request, body: SignInBody) -> Response:
    """Signs somebody in by their password."""
    access: Access = request.app.state.access
    if not access.passwords:
        raise HTTPException(404, "Nobody signs in by password here.")
    address = request.client.host if request.client else ""
    try:
        cookie = access.by_password(body.name, body.password, address)
    except TooManyTriesError as error:
        cookie, wrong, status = None, str(error), 429
    else:
        wrong, status = "That name and password do not go together.", 401
    if cookie is None:
        if not is_form(request):
            raise HTTPException(status, wrong)
        then = own_place(body.then)
        return page(request, "login.html.j2", status=status, then=then, wrong=wrong)
    return _signed_in(request, access, cookie, own_place(body.then))


@router.post("/logout", openapi_extra=requires(Role.READER))
def sign_out(request: Request) -> Response:
    """Signs a browser out."""
    access: Access = request.app.state.access
    access.end(request.cookies.get(access.cookie))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(access.cookie)
    return answer


@router.get("/static/{name}", openapi_extra=requires(None))
def static(request: Request, name: str) -> Response:
    """Style sheets and scripts by name; only names of the list are served, never a path."""
    file = static_files().get(name)
    if file is None:
        raise HTTPException(404, "There is no such file.")
    data, kind, digest = file
    headers = {"etag": f'"{digest}"', "cache-control": "private, max-age=31536000, immutable"}
    if request.query_params.get("v") != digest:
        headers["cache-control"] = "no-cache"
    return Response(data, media_type=kind, headers=headers)


@router.get("/openapi.json", openapi_extra=requires(Role.READER), include_in_schema=False)
def openapi(request: Request) -> Response:
    """The routes as an OpenAPI document, each with the least role that it requires."""
    document: dict[str, Any] = request.app.openapi()
    return JSONResponse(document)


def own_place(place: str) -> str:
    """A path on this server to go to after signing in; the queue for anything else."""
    plain = place.isascii() and place.isprintable() and "\\" not in place
    return place if plain and place.startswith("/") and not place.startswith("//") else "/"


def _signed_in(request: Request, access: Access, cookie: str, then: str) -> Response:
    answer = RedirectResponse(then, 303)
    answer.set_cookie(
        access.cookie,
        cookie,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        path="/",
    )
    return answer
