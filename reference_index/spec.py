"""The identity of a fingerprint: which algorithm, with which parameters and weights, made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from reference_index.canonical_json import json_digest


@dataclass(frozen=True, slots=True)
class FingerprintSpec:
    """Names every choice that changes a stage's stored values.

    Attributes:
        stage: the stage's name, also the name of its table in the index.
        algorithm: what computes the values, with the version of the procedure
            (for example ``"phash64+pdq256/1"``); changed whenever the same input would give
            other values.
        parameters: JSON values that the fingerprint depends on (sizes, shingle length, model
            name, MinHash scheme, similarity scale).
        weights_sha256: hex digest of the model's weights, None for a stage without a model.
        libraries: versions of the libraries when the index was made; recorded, not compared,
            because `canary` compares what they do.
        canary: the golden fingerprint: the stage's fingerprint of a fixed input, in the stage's own
            text form. Opening an index computes it again, so a library whose results have changed
            is refused by name.
    """

    stage: str
    algorithm: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    weights_sha256: str | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)
    canary: str = ""

    def to_json(self) -> dict[str, Any]:
        """The spec as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> FingerprintSpec:
        """The inverse of `to_json`. Raises TypeError for unknown or missing keys."""
        return cls(**value)

    def digest(self) -> str:
        """SHA-256 (hex) of what identifies the stored values; `libraries` is left out."""
        identity = {k: v for k, v in self.to_json().items() if k not in ("libraries", "canary")}
        return json_digest(identity)

    def differences(self, other: FingerprintSpec) -> list[str]:
        """One phrase for each point in which `other` would make other values; empty if none."""
        found = []
        for name in ("stage", "algorithm", "weights_sha256"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                found.append(f"{name} is {mine!r} here and {theirs!r} there")
        for key in sorted({*self.parameters, *other.parameters}):
            mine, theirs = self.parameters.get(key), other.parameters.get(key)
            if mine != theirs:
                found.append(f"{key} is {mine!r} here and {theirs!r} there")
        return found
