"""Canonical JSON for digests that are stored: one value has one text, so it has one SHA-256.

Keys are sorted by code point, there are no blanks, and everything beyond ASCII is escaped. Numbers
are written as Python writes them (the shortest digits that give the same float). Any change here
changes every stored digest: of configurations, fingerprint specs, index versions and cache keys.

`pipeline.decisions.canonical_json` is stricter, after RFC 8785, because people outside Clearance
must be able to recompute its hashes in another language.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """`value`, of JSON types, as canonical JSON, ASCII.

    Raises:
        TypeError: if something in it is not of a JSON type.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def json_digest(value: Any) -> str:
    """SHA-256 (hex) of `value` as canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
