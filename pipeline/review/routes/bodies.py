"""What writing requests carry: a form from a page, or JSON; both become the same record."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.decisions.events import LONGEST_NAME, LONGEST_TEXT, Choice
from pipeline.review.access.guard import form_of, is_form

B = TypeVar("B", bound=BaseModel)
LONGEST_QUERY = 8000
ANSWERS: dict[int | str, dict[str, Any]] = {
    303: {"description": "Written; where a browser goes on."},
    401: {"description": "Nobody is signed in."},
    403: {"description": "The role or the session does not allow it."},
    404: {"description": "There is no such row, work or decision."},
    409: {"description": "What is there is not what the page showed, or the record refuses it."},
    413: {"description": "The request is too large."},
    415: {"description": "Neither a form nor JSON."},
    422: {"description": "The request does not say what it should."},
}
"""What writing requests may be answered with beside 200, for the OpenAPI document."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=LONGEST_TEXT + 1)


class _OnItem(_Body):
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


class Decide(_OnItem):
    """A decision."""

    choice: Choice
    reason: str = ""
    note: str = ""
    assignee: str = Field(default="", max_length=LONGEST_NAME)


class TakeBack(_OnItem):
    """A decision taken back: `of` is the name of its event."""

    of: str = Field(pattern="^[A-Za-z0-9_-]{8,64}$")
    reason: str


class Assign(_OnItem):
    """An item given to a person, or to nobody."""

    assignee: str = Field(default="", max_length=LONGEST_NAME)
    note: str = ""


class Say(_OnItem):
    """A comment."""

    text: str


class BulkAsk(_Body):
    """What is to be decided on all rows of a filter."""

    query: str = Field(default="", max_length=LONGEST_QUERY)
    choice: Choice
    reason: str = ""
    note: str = ""
    assignee: str = Field(default="", max_length=LONGEST_NAME)


class BulkDo(BulkAsk):
    """A bulk decision as it was previewed: `preview` names exactly what was shown."""

    preview: str = Field(pattern="^[0-9a-f]{64}$")
    bulk_id: str = Field(pattern="^[0-9a-f]{32}$")


class SignIn(_Body):
    """A name and a password."""

    name: str = Field(max_length=LONGEST_NAME)
    password: str = Field(max_length=1000)
    then: str = Field(default="/", max_length=LONGEST_QUERY)


def taken(model: type[B]) -> Callable[[Request], Coroutine[Any, Any, B]]:
    """A dependency that reads a request's form or JSON as a model.

    It raises HTTPException 415 for anything else, and 422 with a sentence for what does not fit.
    """

    async def read(request: Request) -> B:
        return _checked(model, await _given(request))

    return read


async def _given(request: Request) -> dict[str, Any]:
    if is_form(request):
        form = await form_of(request)
        return _object((name, value) for name, value in form.multi_items() if name != "csrf")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "Send a form or JSON.")
    try:
        given = json.loads(await request.body(), object_pairs_hook=_object)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise HTTPException(422, "The request is not a JSON object.")
    given.pop("csrf", None)
    return given


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Fields by their names, each there once: of two, one would be overlooked.

    Raises:
        HTTPException: 422 if one stands twice.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise HTTPException(422, "The request has a field twice.")
        found[name] = value
    return found


def _flat(given: dict[str, Any]) -> bool:
    """Whether there is nothing within what is given: no form of ours has that."""
    return not any(isinstance(value, dict | list) for value in given.values())


def _is_text(given: dict[str, Any]) -> bool:
    texts = [*given, *(value for value in given.values() if isinstance(value, str))]
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True


def _checked(model: type[B], given: dict[str, Any]) -> B:
    from pipeline.core.validation import validation_problems

    if not _flat(given):
        raise HTTPException(422, "The request holds values within values; none are known here.")
    if not _is_text(given):
        raise HTTPException(422, "The request holds a character that can't be stored as text.")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        said = validation_problems(error, model)
        raise HTTPException(422, " ".join(one[0].upper() + one[1:] for one in said[:5])) from None


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """The model's place in the OpenAPI document."""
    schema = model.model_json_schema()
    schema.update(_inlined(schema.pop("$defs", {}), schema))
    kinds = ("application/json", "application/x-www-form-urlencoded")
    return {
        "requestBody": {"required": True, "content": {kind: {"schema": schema} for kind in kinds}}
    }


def _inlined(defs: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema's properties with definitions in the places that refer to them."""
    properties = {
        name: defs[value["$ref"].rpartition("/")[2]] if "$ref" in value else value
        for name, value in schema["properties"].items()
    }
    return {"properties": properties}
