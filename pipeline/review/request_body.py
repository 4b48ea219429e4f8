"""Reads the body of a request, a form or JSON, into one of the models of `request_payloads`.

FastAPI's own `Form()` and `Body()` parameters are not used: FastAPI reads those before it calls
anything of ours, and a body must not be read before the role and the CSRF token were checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData

from pipeline.core.validation import validation_problems

Model = TypeVar("Model", bound=BaseModel)
MAX_FIELDS = 100


def is_form(request: Request) -> bool:
    """Whether the body is a form as browsers send it."""
    return _media_type(request) in ("application/x-www-form-urlencoded", "multipart/form-data")


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_form(request: Request) -> FormData:
    """The form in a request's body: fields without files, in UTF-8.

    The request caches it, so that the CSRF check and the route can both read it.

    Raises:
        HTTPException: 400 if it can't be parsed, 415 if it names another encoding: some of those
            that Python knows give text that can't be stored, or take very long to decode.
    """
    content_type = request.headers.get("content-type", "").lower()
    parameters = ["".join(part.split()).replace('"', "") for part in content_type.split(";")[1:]]
    if any(one.startswith("charset") and one != "charset=utf-8" for one in parameters):
        raise HTTPException(415, "Send the form in UTF-8.")
    try:
        return await request.form(max_files=0, max_fields=MAX_FIELDS)
    except (ValueError, FormParserError):
        raise HTTPException(400, "The form can't be read.") from None


def read_body(model: type[Model]) -> Callable[[Request], Coroutine[Any, Any, Model]]:
    """A dependency that reads a request's form or JSON as a model.

    It raises HTTPException 415 for any other content type, and 422 with a sentence for values that
    the model refuses.
    """

    async def read(request: Request) -> Model:
        return _validated(model, await _fields(request))

    return read


async def _fields(request: Request) -> dict[str, Any]:
    if is_form(request):
        form = await read_form(request)
        return _without_duplicates(pair for pair in form.multi_items() if pair[0] != "csrf")
    if _media_type(request) != "application/json":
        raise HTTPException(415, "Send a form or JSON.")
    try:
        fields = json.loads(await request.body(), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise HTTPException(422, "The request is not a JSON object.")
    fields.pop("csrf", None)
    return fields


def _without_duplicates(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:  # one of the two would be ignored silently
            raise HTTPException(422, "The request has a field twice.")
        fields[name] = value
    return fields


def _validated(model: type[Model], fields: dict[str, Any]) -> Model:
    if any(isinstance(value, dict | list) for value in fields.values()):
        raise HTTPException(422, "The request holds values within values; none are known here.")
    if not _is_unicode(fields):
        raise HTTPException(422, "The request holds a character that can't be stored as text.")
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        problems = validation_problems(error, model)[:5]
        sentences = (one[0].upper() + one[1:] for one in problems)
        raise HTTPException(422, " ".join(sentences)) from None


def _is_unicode(fields: dict[str, Any]) -> bool:
    texts = [*fields, *(value for value in fields.values() if isinstance(value, str))]
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def openapi_body(model: type[BaseModel]) -> dict[str, Any]:
    """The model as the `requestBody` of a route in the OpenAPI document."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    schema["properties"] = {
        name: definitions[value["$ref"].rpartition("/")[2]] if "$ref" in value else value
        for name, value in schema["properties"].items()
    }
    content_types = ("application/json", "application/x-www-form-urlencoded")
    content = {content_type: {"schema": schema} for content_type in content_types}
    return {"requestBody": {"required": True, "content": content}}
