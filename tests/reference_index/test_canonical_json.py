"""Canonical JSON: digests that are stored must never change."""

from __future__ import annotations

import hashlib

import pytest

from reference_index.canonical_json import canonical_json, json_digest
from reference_index.interface import FingerprintSpec


def test_keys_are_sorted_and_nothing_is_left_to_layout() -> None:
    value = {"b": 1e-7, "a": "é\u2028", "c": {"2": 1.0, "10": [None, True, 2]}}
    text = '{"a":"\\u00e9\\u2028","b":1e-07,"c":{"10":[null,true,2],"2":1.0}}'
    assert canonical_json(value) == text
    assert json_digest(value) == hashlib.sha256(text.encode()).hexdigest()


def test_an_unpaired_surrogate_has_a_digest() -> None:
    assert canonical_json("\ud83d") == '"\\ud83d"'


def test_a_value_that_is_not_json_is_refused() -> None:
    with pytest.raises(TypeError):
        canonical_json({1, 2})


def test_stored_digests_are_what_they_were() -> None:
    parameters = {"x": 1.5, "y": [1, 2, None, True], "z": {"ü": "\u2028\ud83d"}}
    spec = FingerprintSpec("stagé", "a/1", parameters, "ab", {"l": "1"}, "canary")
    assert spec.digest() == "e0f9b601ebff0198fb53731764333ed657cf3bc36a137d14dd36199c93e33558"
    value = {"b": 1e-7, "a": "é", "c": {"2": 1, "10": 2}}
    assert json_digest(value) == "2b87e5a3dcc9aa8481fce62e5c405d56cdbfc37ad16a07e53438c2fbfb5e3cd2"
