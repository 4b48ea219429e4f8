"""The application: guarded routes, and every error as one clear sentence."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException as PlainHTTPException
from starlette.types import ASGIApp

from pipeline.core.errors import RecordError, RunError, ScreeningError
from pipeline.review.access.guard import Outside, refuse_unguarded
from pipeline.review.access.sessions import Access
from pipeline.review.newer import NewerRun
from pipeline.review.pages import page
from pipeline.review.review_session import ReviewSession
from pipeline.review.routes import bulk
from pipeline.review.routes import decide as decisions
from pipeline.review.routes import item as item_routes
from pipeline.review.routes import queue as queue_routes

NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI can report requests to wherever the environment says. Addresses and errors hold names of
unreleased files, so nothing of it is on."""

DEFECT = "This is a defect in Clearance. Nothing was written; the terminal says more."


def create_app(review: ReviewSession, access: Access, newer: NewerRun | None = None) -> FastAPI:
    """The review page of a run.

    Args:
        review: the run with its record.
        access: who may come in, and under which names the server may be asked.
        newer: looks whether another run has taken the place of this one; None where that can't be
            seen.
    """
    app = FastAPI(
        title="Clearance review",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it answers before the guard, and tells which addresses there are
        telemetry=NO_TELEMETRY,
    )
    app.state.review = review
    app.state.access = access
    app.state.newer = newer
    for module in (queue_routes, item_routes, decisions, bulk):
        module.router.attach(app)
    refuse_unguarded(app)
    app.add_exception_handler(PlainHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(ScreeningError, _told)
    app.add_exception_handler(Exception, _defect)
    app.add_middleware(_outside, hosts=access.hosts)
    return app


def _outside(app: ASGIApp, *, hosts: frozenset[str]) -> ASGIApp:
    return Outside(app, hosts)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, PlainHTTPException)  # noqa: S101 - registered for it alone
    access: Access = request.app.state.access
    signs_in = error.status_code == 401 and access.passwords and request.url.path != "/login"
    if signs_in and request.method == "GET" and _wants_page(request):
        place = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?then={quote(place, safe='')}", 303)
    said = {404: "There is no such page.", 405: "That can't be asked of this page."}
    sentence = str(error.detail)
    if not isinstance(error, HTTPException):
        sentence = said.get(error.status_code, sentence)
    return _error(request, error.status_code, sentence)


def _not_understood(request: Request, _: Exception) -> Response:
    return _error(request, 422, "The address of this page has a part that is not of its form.")


def _told(request: Request, error: Exception) -> Response:
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
        # What every page has around it can't be had: the record or the people can't be read.
        return JSONResponse({"error": sentence}, status)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
