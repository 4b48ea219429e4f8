"""The payloads of requests that change something, whether sent as a form or as JSON."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipeline.decisions.events import Choice
from pipeline.decisions.texts import LONGEST_NAME, LONGEST_TEXT
from pipeline.review.access.guard import requires
from pipeline.review.access.people import Role
from pipeline.review.request_body import openapi_body

LONGEST_QUERY = 8000
RESPONSES: dict[int | str, dict[str, Any]] = {
    303: {"description": "Written; where a browser goes on."},
    401: {"description": "Nobody is signed in."},
    403: {"description": "The role or the session does not allow it."},
    404: {"description": "There is no such row, work or decision."},
    409: {"description": "What is there is not what the page showed, or the record refuses it."},
    413: {"description": "The request is too large."},
    415: {"description": "Neither a form nor JSON."},
    422: {"description": "The request does not say what it should."},
}
"""Responses of these requests besides 200, for the OpenAPI document."""


class _Payload(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=LONGEST_TEXT + 1)


class ItemRequest(_Payload):
    """Fields of every request on an item.

    `evidence` is the digest of what the page showed (`ReviewSession.evidence`); `event_id` is an
    idempotency key, so that a request sent twice is written once.
    """

    number: int = Field(ge=0, lt=2**31)
    work_id: str = ""
    evidence: str = Field(pattern="^[0-9a-f]{64}$")
    event_id: str | None = Field(default=None, pattern="^[A-Za-z0-9_-]{8,64}$")
    query: str = Field(default="", max_length=LONGEST_QUERY)
    then: str = Field(default="stay", pattern="^(next|stay)$")


class DecideRequest(ItemRequest):
    """A decision."""

    choice: Choice
    reason: str = ""
    note: str = ""
    assignee: str = Field(default="", max_length=LONGEST_NAME)


class UndoRequest(ItemRequest):
    """A decision taken back: `of` is the id of its event."""

    of: str = Field(pattern="^[A-Za-z0-9_-]{8,64}$")
    reason: str


class AssignRequest(ItemRequest):
    """An item assigned to a person; an empty `assignee` removes the assignment."""

    assignee: str = Field(default="", max_length=LONGEST_NAME)
    note: str = ""


class CommentRequest(ItemRequest):
    """A comment."""

    text: str


class BulkPreviewRequest(_Payload):
    """A decision on all rows of a filter, to be previewed."""

    query: str = Field(default="", max_length=LONGEST_QUERY)
    choice: Choice
    reason: str = ""
    note: str = ""
    assignee: str = Field(default="", max_length=LONGEST_NAME)


class BulkRequest(BulkPreviewRequest):
    """A bulk decision as it was previewed: `preview` is the digest of exactly what was shown."""

    preview: str = Field(pattern="^[0-9a-f]{64}$")
    bulk_id: str = Field(pattern="^[0-9a-f]{32}$")


class SaveFilterRequest(_Payload):
    """A filter to be saved under a name: for oneself, or shared with everybody."""

    name: str = Field(max_length=LONGEST_NAME)
    query: str = Field(max_length=LONGEST_QUERY)
    shared: bool = False


class DeleteFilterRequest(_Payload):
    """A saved filter to be deleted; `query` is what the queue is filtered by meanwhile."""

    name: str = Field(max_length=LONGEST_NAME)
    shared: bool = False
    query: str = Field(default="", max_length=LONGEST_QUERY)


class NewerRequest(_Payload):
    """The newer run to be shown: `run_id` is that of the run that the page still shows."""

    run_id: str = Field(max_length=LONGEST_QUERY)
    query: str = Field(default="", max_length=LONGEST_QUERY)


class RuleRequest(_Payload):
    """A rule that suppresses, to be previewed or added.

    `chosen` says how the works are chosen: by `ids` (of `work_ids`, one a line), `rightsholder` or
    `column` (with `value`). `folders` has one a line; none stands for every asset.
    """

    chosen: str = Field(default="ids", pattern="^(ids|rightsholder|column)$")
    work_ids: str = ""
    rightsholder: str = ""
    column: str = ""
    value: str = ""
    folders: str = ""
    reason: str
    until: str = Field(default="", max_length=20)
    event_id: str | None = Field(default=None, pattern="^[A-Za-z0-9_-]{8,64}$")


class AgreeRequest(_Payload):
    """A second person's agreement to a rule: `of` is the id of the event that added it."""

    of: str = Field(pattern="^[A-Za-z0-9_-]{8,64}$")
    reason: str = ""
    event_id: str | None = Field(default=None, pattern="^[A-Za-z0-9_-]{8,64}$")


class RevokeRequest(AgreeRequest):
    """A rule revoked."""

    reason: str


class SignInRequest(_Payload):
    """A name and a password."""

    name: str = Field(max_length=LONGEST_NAME)
    password: str = Field(max_length=1000)
    then: str = Field(default="/", max_length=LONGEST_QUERY)


def route_options(least: Role, payload: type[BaseModel]) -> dict[str, Any]:
    """Options of a route that changes something: its least role, payload and responses."""
    return {"openapi_extra": requires(least) | openapi_body(payload), "responses": RESPONSES}
