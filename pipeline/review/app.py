"""The application: guarded routes, and every error as one clear sentence."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException as StarletteHTTPException

from pipeline.core.errors import RecordError, RunError, ScreeningError
from pipeline.review.access.guard import refuse_unguarded
from pipeline.review.access.middleware import SecurityMiddleware
from pipeline.review.access.sessions import Access
from pipeline.review.newer import NewerRun
from pipeline.review.pages import page
from pipeline.review.reason_templates import ReasonTemplate
from pipeline.review.review_session import ReviewSession
from pipeline.review.routes import bulk, decide, item, newer_run, progress, queue, rules, saved
from pipeline.review.saved_filters import SavedFilters

NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI can report requests to a server named in the environment. Addresses and errors hold names
of unreleased files, so all of it is off."""

DEFECT = "This is a defect in Clearance. Nothing was written; the terminal says more."
NO_ROUTE = {404: "There is no such page.", 405: "That can't be asked of this page."}


Reopen = Callable[[], tuple[ReviewSession, NewerRun | None]]
"""Opens the run that is in the place of the one shown, and what watches for the next."""


def create_app(
    review: ReviewSession,
    access: Access,
    newer: NewerRun | None = None,
    *,
    reopen: Reopen | None = None,
    reasons: Sequence[ReasonTemplate] = (),
    saved_filters: SavedFilters | None = None,
) -> FastAPI:
    """The review page of a run.

    Args:
        review: the run with its record.
        access: who may sign in, and the host names that the server answers to.
        newer: watches for a newer run in place of this one; None for results in object storage.
        reopen: opens that newer run; None if only a start of the program can.
        reasons: reason templates.
        saved_filters: the filters that people named.
    """
    modules = (queue, item, decide, bulk, progress, saved, newer_run, rules)
    routes = [route for module in modules for route in module.router.routes]
    app = FastAPI(
        routes=routes,
        title="Clearance review",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would reveal routes before the guard
        telemetry=NO_TELEMETRY,
    )
    app.state.review = review
    app.state.access = access
    app.state.newer = newer
    app.state.reopen = reopen
    app.state.reopening = threading.Lock()
    app.state.opened_by = ""
    app.state.reasons = tuple(reasons)
    app.state.saved_filters = saved_filters or SavedFilters(review.filters_file)
    refuse_unguarded(app.routes)
    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_address)
    app.add_exception_handler(ScreeningError, _screening_error)
    app.add_exception_handler(Exception, _defect)
    app.add_middleware(SecurityMiddleware, hosts=access.hosts)
    return app


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)  # noqa: S101 - registered for this class only
    access: Access = request.app.state.access
    signs_in = error.status_code == 401 and access.passwords and request.url.path != "/login"
    if signs_in and request.method == "GET" and _wants_page(request):
        place = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?then={quote(place, safe='')}", 303)
    sentence = str(error.detail)
    if not isinstance(error, HTTPException):  # raised by Starlette, in its own words
        sentence = NO_ROUTE.get(error.status_code, sentence)
    return _error(request, error.status_code, sentence)


def _invalid_address(request: Request, _: Exception) -> Response:
    return _error(request, 422, "The address of this page has a part that is not of its form.")


def _screening_error(request: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, RunError) else 409 if isinstance(error, RecordError) else 400
    return _error(request, status, str(error))


def _defect(request: Request, _: Exception) -> Response:
    return _error(request, 500, DEFECT)


def _error(request: Request, status: int, sentence: str) -> Response:
    if not _wants_page(request):
        return JSONResponse({"error": sentence}, status)
    try:
        return page(request, "error.html.j2", status=status, sentence=sentence)
    except ScreeningError:
        # The frame of the page needs the record and the file of people, which can't be read.
        return JSONResponse({"error": sentence}, status)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
