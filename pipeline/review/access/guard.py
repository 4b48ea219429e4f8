"""The one choke point: no request reaches a route but through here.

Each route is declared with the least role it asks (`GuardedRouter`), and one without a declaration
can't be registered. What a role may do to an item beyond that is settled here as well
(`refuse_decision`, `refuse_undo`); that two persons decide, each without the other's word, is the
record's own rule, and `review/visibility.py` is the one place for what a person may see.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.decisions.events import Choice, Event, Payload, same_person
from pipeline.decisions.record import Check
from pipeline.decisions.state import ItemState, State
from pipeline.review.access.sessions import Access, Person, Role, Session

F = TypeVar("F", bound=Callable[..., Any])
LEAST = "x-least-role"
OPEN = "nobody"
MOST_BODY = 256 * 1024
MOST_FIELDS = 100
BODY_SECONDS = 30.0
"""For all of a request's body: who sends it slower than that is not waited for."""

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ]
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-robots-tag": "noindex",
}


class GuardedRoute(APIRoute):
    """A route that lets nobody in but who may."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        declared = (options.get("openapi_extra") or {}).get(LEAST)
        if declared != OPEN and declared not in list(Role):
            raise TypeError(f"The route {path} does not declare the least role that it asks.")
        self.least = None if declared == OPEN else Role(declared)
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the route behind the guard, which sees a request before it is read."""
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                await admit(request, self.least)
                return await handler(request)
            except ClientDisconnect:  # went away in the midst of its body; nobody reads the answer
                return Response(status_code=400)

        return guarded


@dataclass(frozen=True, slots=True)
class Declared:
    """A route as it was declared."""

    method: str
    path: str
    least: Role | None
    endpoint: Callable[..., Any]
    options: dict[str, Any]


class GuardedRouter:
    """Collects routes, each with the least role that it asks; None for one open to everybody."""

    def __init__(self) -> None:
        self.declared: list[Declared] = []

    def get(self, path: str, *, least: Role | None, **options: Any) -> Callable[[F], F]:
        """Declares a route that changes nothing."""
        return self._declaring("GET", path, least, options)

    def post(self, path: str, *, least: Role | None, **options: Any) -> Callable[[F], F]:
        """Declares a route that may change something; its requests carry the session's word."""
        return self._declaring("POST", path, least, options)

    def _declaring(
        self, method: str, path: str, least: Role | None, options: dict[str, Any]
    ) -> Callable[[F], F]:
        def declare(endpoint: F) -> F:
            self.declared.append(Declared(method, path, least, endpoint, options))
            return endpoint

        return declare

    def attach(self, app: FastAPI) -> None:
        """Registers what was declared."""
        for one in self.declared:
            extra = {LEAST: str(one.least) if one.least is not None else OPEN}
            options = dict(one.options)
            options["openapi_extra"] = {**options.get("openapi_extra", {}), **extra}
            app.router.add_api_route(
                one.path,
                one.endpoint,
                methods=[one.method],
                route_class_override=GuardedRoute,
                **options,
            )


def page_router() -> GuardedRouter:
    """A router whose routes are declared with the least role that they ask."""
    return GuardedRouter()


def refuse_unguarded(app: FastAPI) -> None:
    """Refuses an application that has a route past the guard.

    Raises:
        TypeError: if there is one.
    """
    for route in app.routes:
        if not isinstance(route, GuardedRoute):
            raise TypeError(f"The route {getattr(route, 'path', route)} is not guarded.")


async def admit(request: Request, least: Role | None) -> None:
    """Lets a request through, or refuses it.

    Raises:
        HTTPException: 401 if nobody is signed in, 403 if the role does not suffice or a writing
            request does not come from a page of this server.
    """
    access: Access = request.app.state.access
    writes = request.method not in ("GET", "HEAD")
    if writes:
        _refuse_other_origin(request)
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
        await _refuse_without_word(request, session)


def _refuse_other_origin(request: Request) -> None:
    """A browser says which page sent a form; only this server's own may."""
    origins = request.headers.getlist("origin")
    own = request.headers.get("host", "").lower()
    if any(_host_of(origin) != own for origin in origins):
        raise HTTPException(403, "This request came from a page of another site.")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "This request came from a page of another site.")


def _host_of(origin: str) -> str:
    try:
        return (urlsplit(origin).netloc or origin).lower()
    except ValueError:  # a bracket that opens no address
        return origin


async def _refuse_without_word(request: Request, session: Session) -> None:
    """CSRF: what changes something carries the word that only this session's pages hold."""
    word: object = request.headers.get("x-csrf-token")
    if word is None and is_form(request):
        # Kept by the request, so that the handler reads the same form again.
        word = (await form_of(request)).get("csrf")
    given = word.encode("utf-8", "backslashreplace") if isinstance(word, str) else b""
    if not hmac.compare_digest(given, session.csrf.encode()):
        raise HTTPException(
            403, "This page is older than your session: load it again and then decide."
        )


def is_form(request: Request) -> bool:
    """Whether a request carries a form as browsers send them."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("application/x-www-form-urlencoded", "multipart/form-data")


async def form_of(request: Request) -> FormData:
    """The form that a request carries, of plain fields in UTF-8.

    Raises:
        HTTPException: 400 if it can't be read, 415 if it names another encoding: among those that
            Python knows, some give text that can't be stored, or take no end of time.
    """
    kind = request.headers.get("content-type", "").lower()
    said = ["".join(part.split()).replace('"', "") for part in kind.split(";")[1:]]
    if any(one.startswith("charset") and one != "charset=utf-8" for one in said):
        raise HTTPException(415, "Send the form in UTF-8.")
    try:
        return await request.form(max_files=0, max_fields=MOST_FIELDS)
    except (ValueError, FormParserError):
        raise HTTPException(400, "The form can't be read.") from None


def person(request: Request) -> Person:
    """Who is at the page: for routes, by `Depends(guard.person)`."""
    session: Session | None = request.state.session
    if session is None:
        raise HTTPException(401, "You are not signed in.")
    return session.person


def still(request: Request, more: Check | None = None) -> Check:
    """What the record asks in the moment of writing: is whoever asked for it still let to.

    A request may have been on its way for long: its maker may have been signed out since, taken out
    of the file of people, or given another role.

    Args:
        request: the request.
        more: what else is to be asked then.
    """

    def check(state: ItemState, given: Payload) -> None:
        access: Access = request.app.state.access
        if access.session(request.cookies.get(access.cookie)) is None:
            raise HTTPException(401, "You are not signed in any more; nothing was written.")
        if more is not None:
            more(state, given)

    return check


def refuse_decision(person: Person, state: ItemState, choice: Choice) -> None:
    """Refuses a decision that a person may not make on an item as it stands.

    Raises:
        HTTPException: 403, with the reason.
    """
    if not person.role.covers(Role.REVIEWER):
        raise HTTPException(403, "Deciding takes the role reviewer.")
    revokes = state.state is State.SUPPRESSED and choice is not Choice.FALSE_MATCH
    if revokes and not person.role.covers(Role.APPROVER):
        raise HTTPException(
            403, "People agreed that this match is false; only an approver may go back on it."
        )


def refuse_undo(person: Person, state: ItemState, event: Event) -> None:
    """Refuses that a person takes back a decision.

    Raises:
        HTTPException: 404 if they may not know of it, 403 if it is not theirs to take back.
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


class Outside:
    """What goes around the whole application: allowed hosts, bounded bodies, headers.

    A name that an attacker points at this machine (DNS rebinding) comes as another Host, and is
    refused before anything else is looked at.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or hosts[0].decode("latin-1").lower() not in self.hosts:
            await _plain(headed, 421, "This server does not answer to that name.")
            return
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        if lengths and (not lengths[0].isdigit() or int(lengths[0]) > MOST_BODY):
            await _plain(headed, 413, "The request is too large.")
            return
        taken, ended = 0, False
        until = asyncio.get_running_loop().time() + BODY_SECONDS

        async def bounded() -> Message:
            nonlocal taken, ended
            if ended:  # what comes now is that the browser went away, whenever that is
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "The rest of the request did not come.") from None
            ended = not message.get("more_body", False)
            taken += len(message.get("body", b""))
            if taken > MOST_BODY:
                raise HTTPException(413, "The request is too large.")
            return message

        await self.app(scope, bounded, headed)


async def _plain(send: Send, status: int, sentence: str) -> None:
    body = f"{sentence}\n".encode()
    kind, length = b"text/plain; charset=utf-8", str(len(body)).encode()
    headers = [(b"content-type", kind), (b"content-length", length)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
