"""The routes of the queue, of signing in and out, of static files and the OpenAPI document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from pipeline.review.access.guard import guarded_router, requires, signed_in_person
from pipeline.review.access.people import Person, Role
from pipeline.review.access.sessions import Access, TooManyTriesError
from pipeline.review.pages import page, static_files
from pipeline.review.queue.filters import SORTS, Filters
from pipeline.review.request_body import is_form, openapi_body, read_body
from pipeline.review.review_session import ReviewSession
from pipeline.review.routes.request_payloads import SignInRequest

router = guarded_router()
SignedIn = Annotated[Person, Depends(signed_in_person)]
SignInBody = Annotated[SignInRequest, Depends(read_body(SignInRequest))]

_NAMES = (*Filters.__dataclass_fields__, "page")
_QUERY = {
    "parameters": [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
        for name in _NAMES
    ]
}


@router.get("/", openapi_extra=requires(Role.READER) | _QUERY)
def queue(request: Request, person: SignedIn) -> Response:
    """One page of the queue, as a page or (`Accept: application/json`) as JSON."""
    review: ReviewSession = request.app.state.review
    filters = Filters.of_query(request.query_params.multi_items())
    number = request.query_params.get("page", "1")
    page_number = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 1
    found = review.page(filters, page_number)
    if _wants_json(request):
        return JSONResponse(asdict(found))
    assigned = review.count(filters.but(assignee=person.name, status=(), band=()))
    return page(
        request, "queue.html.j2", filters=filters, found=found, sorts=SORTS, mine=assigned,
        query=filters.query(),
    )  # fmt: skip


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


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted
