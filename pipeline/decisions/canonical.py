"""One way only to write a value as bytes, so that a hash over them means something.

It is JSON after RFC 8785 (JSON Canonicalization Scheme): no spaces, keys sorted by UTF-16 code
units, the shortest escapes, UTF-8. Numbers are whole numbers alone, up to 2^53 - 1: how a fraction
is written is where canonical forms go wrong, so a fraction is stored as text by whoever has one.

`reference_index.canonical_json` is another form, with fractions, for digests that only Clearance
computes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

WHOLE = 2**53 - 1
"""The largest whole number that every reader of JSON keeps exactly (RFC 7493)."""

DEEPEST = 32


def canonical(value: Any) -> bytes:
    """`value` as canonical JSON.

    Args:
        value: of text, whole numbers, truth, None, and lists and mappings of them.

    Raises:
        ValueError: if anything else is in it: a fraction, a lone surrogate, a key that is not text.
    """
    ordered = _ordered(value, DEEPEST)
    text = json.dumps(ordered, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8")  # a UnicodeEncodeError is a ValueError


def parsed(data: bytes) -> Any:
    """The value that canonical JSON stands for.

    Raises:
        ValueError: if `data` are not the very bytes that `canonical` writes for that value.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_refused,
            parse_constant=_refused,
        )
        again = canonical(value)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if again != data:
        raise ValueError("not in canonical form")
    return value


def _ordered(value: Any, depth: int) -> Any:
    if depth == 0:
        raise ValueError("nested too deeply")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)  # a StrEnum as its text
    if isinstance(value, int):
        if abs(value) > WHOLE:
            raise ValueError(f"{value} is too large a number")
        return int(value)
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a key is not text")
        names = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return {str(name): _ordered(value[name], depth - 1) for name in names}
    if isinstance(value, list | tuple):
        return [_ordered(one, depth - 1) for one in value]
    raise ValueError(f"a {type(value).__name__} has no canonical form here")


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name!r} stands twice")
        found[name] = value
    return found


def _refused(text: str) -> Any:
    raise ValueError(f"{text} is not a whole number")
