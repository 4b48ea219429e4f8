"""Canonical JSON (RFC 8785, JSON Canonicalization Scheme) for the hashes of the record.

One value has one sequence of bytes: no spaces, keys sorted by UTF-16 code units, the shortest
escapes, UTF-8. Numbers are integers up to 2^53 - 1 only: canonical forms of fractions are where
implementations differ, so callers store a fraction as text.

`reference_index.canonical_json` is another form, with fractions and ASCII only, for digests that
only Clearance computes. The record's hashes must be computable in any language, in years' time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON parser keeps exactly (RFC 7493)."""

MAX_DEPTH = 32


def canonical_bytes(value: Any) -> bytes:
    """`value` as canonical JSON.

    Args:
        value: of text, integers, booleans, None, and lists and mappings of these.

    Raises:
        ValueError: if anything else is in it: a fraction, a lone surrogate, a key that is not text.
    """
    ordered = _ordered(value, MAX_DEPTH)
    text = json.dumps(ordered, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8")  # a UnicodeEncodeError is a ValueError


def canonical_digest(value: Any) -> str:
    """SHA-256 (hex) of `value` as canonical JSON. Raises as `canonical_bytes`."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def parse_canonical(data: bytes) -> Any:
    """The value of canonical JSON.

    Raises:
        ValueError: if `data` are not exactly the bytes that `canonical_bytes` gives for that value.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
        again = canonical_bytes(value)
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
        if abs(value) > MAX_INTEGER:
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


def _unique_keys(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, item in pairs:
        if name in value:
            raise ValueError(f"the key {name!r} stands twice")
        value[name] = item
    return value


def _refuse_number(text: str) -> Any:
    raise ValueError(f"{text} is not a whole number")
