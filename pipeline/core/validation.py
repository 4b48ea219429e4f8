"""pydantic's validation errors as sentences for the person who wrote the file."""

from __future__ import annotations

import difflib
import json
import typing
from collections.abc import Callable, Iterable, Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Location = tuple[str | int, ...]
"""Keys and list positions that lead to a value, outermost first (pydantic's `loc`)."""

_VALUE_CHARACTERS = 60
"""A longer value is cut in a sentence."""


def dotted(location: Sequence[str | int]) -> str:
    """A location as people write it: `stages.perceptual_hash.enabled`, `terms[2].knots`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean NAME?` for the nearest known name, or a list of them if none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known here: {', '.join(names)}." if names else "; nothing can be set here."


def validation_problems(
    error: ValidationError,
    model: type[BaseModel],
    line_prefix: Callable[[Location], str] | None = None,
) -> list[str]:
    """One sentence for each fault, with the names of the file.

    Args:
        error: raised by `model`.
        model: the outermost model, for the names that are known at each location.
        line_prefix: gives the text before a sentence, such as `line 12: `; None if lines are not
            known.
    """
    return [
        f"{line_prefix(detail['loc']) if line_prefix else ''}{_sentence(detail, model)}"
        for detail in error.errors(include_url=False)
    ]


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    location: Location = detail["loc"]
    name = dotted(location) or "the file"
    if detail["type"] == "extra_forbidden":
        near = did_you_mean(str(location[-1]), _names_at(model, location[:-1]))
        return f"{name} is not known{near}"
    if detail["type"] == "missing":
        return f"{name} is missing."
    if detail["type"] == "value_error":
        # A validator's own sentence; pydantic puts "Value error, " before it.
        message = detail["msg"].removeprefix("Value error, ").rstrip(".")
        return f"{dotted(location)}: {message}." if location else f"{message}."
    wanted = detail["msg"].removeprefix("Input should be ").rstrip(".")
    return f"{name} must be {wanted}, and is {_shortened(detail.get('input'))}."


def _shortened(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _VALUE_CHARACTERS else text[: _VALUE_CHARACTERS - 1] + "…"


def _names_at(model: type[BaseModel], location: Location) -> list[str]:
    """Names of the fields at `location` inside `model`."""
    inner: type[BaseModel] | None = model
    for part in location:
        if inner is None:
            return []
        if isinstance(part, int):
            continue
        field = inner.model_fields.get(part)
        # A key of a mapping names no field; the model stays that of the mapping's values.
        inner = _model_in(field.annotation) if field is not None else inner
    return list(inner.model_fields) if inner is not None else []


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        return annotation if issubclass(annotation, BaseModel) else None
    for inner in typing.get_args(annotation):
        model = _model_in(inner)
        if model is not None:
            return model
    return None
