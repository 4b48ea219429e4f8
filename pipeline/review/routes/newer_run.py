"""The route that shows the newer run in place of the one that the page was started with."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from pipeline.review.access.guard import guarded_router, signed_in_person
from pipeline.review.access.people import Person, Role
from pipeline.review.newer import NewerRun
from pipeline.review.queue.filters import Filters
from pipeline.review.request_body import is_form, read_body
from pipeline.review.review_session import ReviewSession
from pipeline.review.routes.request_payloads import NewerRequest, route_options

router = guarded_router()
SignedIn = Annotated[Person, Depends(signed_in_person)]
NewerBody = Annotated[NewerRequest, Depends(read_body(NewerRequest))]


@router.post("/newer", **route_options(Role.REVIEWER, NewerRequest))
def show_newer(request: Request, person: SignedIn, body: NewerBody) -> Response:
    """Opens the newer run and shows it to everybody; the one shown stays if it can't be read.

    Whoever has a form of the earlier run open is refused by the evidence that it carries, as after
    a restart.
    """
    state = request.app.state
    if not state.reopening.acquire(blocking=False):
        raise HTTPException(
            409, "Somebody is opening the newer run just now; load this page again."
        )
    try:
        newer: NewerRun | None = state.newer
        shown: ReviewSession = state.review
        still_shown = str(shown.stored.run.get("run_id") or "?") == body.run_id
        # If somebody else was quicker, it is shown already.
        if still_shown:
            if state.reopen is None or newer is None or not newer.sentence() or not newer.there:
                raise HTTPException(409, "No newer run is there to be shown.")
            state.review, state.newer = state.reopen()
            state.opened_by = person.name
    finally:
        state.reopening.release()
    run_id = str(state.review.stored.run.get("run_id") or "?")
    if not is_form(request):
        return JSONResponse({"run_id": run_id, "rows": len(state.review)})
    query = Filters.of_string(body.query).query()
    return RedirectResponse(f"/?{query}" if query else "/", 303)
