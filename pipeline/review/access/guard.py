"""Every route of the review page declares the least role that it requires, and enforces it.

A route without a declaration can't be registered (`GuardedRoute`), and the application refuses a
route of another class (`refuse_unguarded`). Role and CSRF token are checked before FastAPI reads
the request, its body included, so none of this is a dependency of the route.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute

from pipeline.review.access.csrf import refuse_cross_site, refuse_without_token
from pipeline.review.access.people import Person, Role
from pipeline.review.access.sessions import Access, Session
from pipeline.review.review_session import ReviewSession

LEAST = "x-least-role"
"""Names the declared role in the OpenAPI document."""

OPEN = "nobody"
"""Declared by routes that are open to people who are not signed in."""


def requires(least: Role | None) -> dict[str, Any]:
    """The `openapi_extra` by which a route declares its least role; None for an open route."""
    return {LEAST: OPEN if least is None else str(least)}


class GuardedRoute(APIRoute):
    """Route that enforces its declared role."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        declared = (options.get("openapi_extra") or {}).get(LEAST)
        if declared != OPEN and declared not in list(Role):
            raise TypeError(f"The route {path} does not declare the least role that it requires.")
        self.least = None if declared == OPEN else Role(declared)
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, called only for requests that are admitted."""
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            # A request is answered from one run, even if another is opened meanwhile.
            request.state.review = request.app.state.review
            try:
                await admit(request, self.least)
                return await handler(request)
            except ClientDisconnect:  # while it sent the body: nobody is left to get a response
                return Response(status_code=400)

        return guarded


def guarded_router() -> APIRouter:
    """A router whose routes must declare the least role that they require, by `requires`."""
    return APIRouter(route_class=GuardedRoute)


def refuse_unguarded(routes: Iterable[BaseRoute]) -> None:
    """Refuses routes that do not enforce a role.

    Raises:
        TypeError: if there is one.
    """
    for route in routes:
        if not isinstance(route, GuardedRoute):
            raise TypeError(f"The route {getattr(route, 'path', route)} is not guarded.")


async def admit(request: Request, least: Role | None) -> None:
    """Admits a request, or refuses it. The session is in `request.state.session` afterwards.

    Raises:
        HTTPException: 401 if nobody is signed in, 403 if the role does not suffice or the CSRF
            check fails.
    """
    access: Access = request.app.state.access
    writes = request.method not in ("GET", "HEAD")
    if writes:
        refuse_cross_site(request)
    session = access.session(request.cookies.get(access.cookie))
    request.state.session = session
    if least is None:
        return
    if session is None:
        raise HTTPException(401, "You are not signed in.")
    if not session.person.role.covers(least):
        raise HTTPException(
            403, f"This takes the role {least}, and you are signed in as a {session.person.role}."
        )
    if writes:
        await refuse_without_token(request, session)


def shown_review(request: Request) -> ReviewSession:
    """The run that a request is answered from, with its record."""
    review: ReviewSession = getattr(request.state, "review", request.app.state.review)
    return review


def signed_in_person(request: Request) -> Person:
    """The person who is signed in: for routes, by `Depends`."""
    session: Session | None = request.state.session
    if session is None:
        raise HTTPException(401, "You are not signed in.")
    return session.person
