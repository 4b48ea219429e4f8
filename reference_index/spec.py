"""The identity of a fingerprint: its algorithm, parameters and model weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from reference_index.canonical_json import json_digest


@dataclass(frozen=True, slots=True)
class FingerprintSpec:
    """Everything that determines the values that a stage stores.

    Attributes:
        stage: the stage's name, also the name of its table in the index.
        algorithm: name and version of the procedure, for example ``"phash64+pdq256/1"``; changed
            when the same input would give other values.
        parameters: JSON values that the fingerprint depends on (sizes, shingle length, model
            name, MinHash scheme, similarity scale).
        weights_sha256: SHA-256 (hex) of the model's weights, None for a stage without a model.
        libraries: versions of libraries when the index was created; recorded, not compared,
            because `canary` compares their results.
        canary: golden fingerprint: the fingerprint of a fixed input when the index was created, as
            text. It is computed again whenever the index is opened, and another result is refused,
            since a library then computes other values than those stored.
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
        """SHA-256 (hex) of the spec without `libraries` and `canary`."""
        identity = {k: v for k, v in self.to_json().items() if k not in ("libraries", "canary")}
        return json_digest(identity)

    def differences(self, other: FingerprintSpec) -> list[str]:
        """One phrase for each difference that changes the values; empty if there is none."""
        pairs = [
            (name, getattr(self, name), getattr(other, name))
            for name in ("stage", "algorithm", "weights_sha256")
        ]
        pairs += [
            (key, self.parameters.get(key), other.parameters.get(key))
            for key in sorted({*self.parameters, *other.parameters})
        ]
        return [
            f"{name} is {own!r} here and {others!r} there"
            for name, own, others in pairs
            if own != others
        ]
