"""The routes by which people save filters under a name, and delete them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from pipeline.review.access.guard import guarded_router, signed_in_person
from pipeline.review.access.people import Person, Role
from pipeline.review.queue.filters import Filters, unknown_parts_of_string
from pipeline.review.request_body import is_form, read_body
from pipeline.review.routes.request_payloads import (
    DeleteFilterRequest,
    SaveFilterRequest,
    route_options,
)
from pipeline.review.saved_filters import SavedFilters

router = guarded_router()
SignedIn = Annotated[Person, Depends(signed_in_person)]
SaveBody = Annotated[SaveFilterRequest, Depends(read_body(SaveFilterRequest))]
DeleteBody = Annotated[DeleteFilterRequest, Depends(read_body(DeleteFilterRequest))]


@router.post("/filters/save", **route_options(Role.REVIEWER, SaveFilterRequest))
def save_filter(request: Request, person: SignedIn, body: SaveBody) -> Response:
    """Saves the queue's filter under a name."""
    unknown = unknown_parts_of_string(body.query)
    if unknown:
        raise HTTPException(422, " ".join(unknown) + " Nothing was saved.")
    kept: SavedFilters = request.app.state.saved_filters
    filters = Filters.of_string(body.query)
    saved = kept.save(person.name, body.name, filters, shared=body.shared)
    return _response(request, saved.query)


@router.post("/filters/delete", **route_options(Role.REVIEWER, DeleteFilterRequest))
def delete_filter(request: Request, person: SignedIn, body: DeleteBody) -> Response:
    """Deletes a saved filter: one's own, or, as an approver, any that is shared."""
    kept: SavedFilters = request.app.state.saved_filters
    anybodys = person.role.covers(Role.APPROVER)
    kept.delete(person.name, body.name, shared=body.shared, anybodys=anybodys)
    return _response(request, Filters.of_string(body.query).query())


def _response(request: Request, query: str) -> Response:
    if not is_form(request):
        return JSONResponse({"query": query})
    return RedirectResponse(f"/?{query}" if query else "/", 303)
