"""Sentences for what is wrong with a file of settings, from what pydantic found."""

from __future__ import annotations

import difflib
import json
import typing
from collections.abc import Callable, Iterable, Sequence

from pydantic import BaseModel, ValidationError

Place = tuple[str | int, ...]
"""Where a value stands: keys and list positions, outermost first."""

SHOWN_CHARACTERS = 60


def dotted(place: Sequence[str | int]) -> str:
    """A place as people write it: `stages.perceptual_hash.enabled`, `terms[2].knots`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean NAME?` for the nearest known name, or a list of them if none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known here: {', '.join(names)}." if names else "; nothing can be set here."


def problems_of(
    error: ValidationError, model: type[BaseModel], where: Callable[[Place], str]
) -> list[str]:
    """One sentence for each fault, in the file's own terms.

    Args:
        error: what `model` raised.
        model: the outermost model, for the names that are known at each place.
        where: text before a sentence, such as `line 12: `; empty if not known.
    """
    return [
        f"{where(found['loc'])}{_sentence(found, model)}"
        for found in error.errors(include_url=False)
    ]


def _sentence(found: typing.Any, model: type[BaseModel]) -> str:
    place: Place = found["loc"]
    name = dotted(place) or "the file"
    kind = found["type"]
    if kind == "extra_forbidden":
        return f"{name} is not known{did_you_mean(str(place[-1]), _names_at(model, place[:-1]))}"
    if kind == "missing":
        return f"{name} is missing."
    if kind == "value_error":
        # A validator's own sentence; pydantic puts "Value error, " before it.
        says = str(found["msg"]).removeprefix("Value error, ").rstrip(".")
        return f"{dotted(place)}: {says}." if place else f"{says}."
    said = str(found["msg"]).removeprefix("Input should be ").rstrip(".")
    return f"{name} must be {said}, and is {_shown(found.get('input'))}."


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def _names_at(model: type[BaseModel], place: Place) -> list[str]:
    """Names that may stand at `place` inside `model`."""
    here: type[BaseModel] | None = model
    for part in place:
        if here is None:
            return []
        if isinstance(part, int):
            continue
        field = here.model_fields.get(part)
        # A key of a mapping names no field; the model stays that of the mapping's values.
        here = _model_in(field.annotation) if field is not None else here
    return list(here.model_fields) if here is not None else []


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        return annotation if issubclass(annotation, BaseModel) else None
    for inner in typing.get_args(annotation):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
