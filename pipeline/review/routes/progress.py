"""The route of the progress: rows by state for each band and work, and what each person decided."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from pipeline.review.access.guard import guarded_router, requires, shown_review
from pipeline.review.access.people import Role
from pipeline.review.pages import page, wants_json
from pipeline.review.queue.filters import Filters, unknown_parts
from pipeline.review.routes.queue import FILTER_PARAMETERS

router = guarded_router()


@router.get("/progress", openapi_extra=requires(Role.READER) | FILTER_PARAMETERS)
def progress(request: Request) -> Response:
    """How far the decisions on the rows of a filter are, as a page or as JSON."""
    review = shown_review(request)
    pairs = request.query_params.multi_items()
    filters = Filters.of_query(pairs)
    unknown = unknown_parts(pairs) + review.unknown(filters)
    found = review.progress(filters)
    if wants_json(request):
        return JSONResponse({**asdict(found), "unknown": unknown})
    return page(request, "progress.html.j2", filters=filters, found=found, unknown=unknown)
