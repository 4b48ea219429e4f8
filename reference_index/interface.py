"""Interfaces of the index: search protocols, works and their files, the entries of a stage, and the
identity of a fingerprint (`FingerprintSpec`).

The fast searches (`hamming`, `cosine`, `minhash`) are tested to give the same results as their
oracles in `brute_force`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reference_index.canonical_json import json_digest

T = TypeVar("T")

_BUILDING = threading.RLock()
"""Several threads may need a search structure at once; only one builds it."""


class Hits(NamedTuple):
    """Results of a search, sorted by query, then best score first, then entry.

    Attributes:
        query: int64 (n,), row of the query.
        entry: int64 (n,), row of the stored entry.
        score: float32 (n,), distance in bits, cosine similarity or estimated Jaccard.
    """

    query: NDArray[np.int64]
    entry: NDArray[np.int64]
    score: NDArray[np.float32]


class HammingSearch(Protocol):
    """Range search over packed bits, uint8 (n, bits / 8)."""

    def within(self, queries: NDArray[np.uint8], radius: int) -> Hits:
        """All pairs with Hamming distance <= radius (inclusive), nearest first."""
        ...


class CosineSearch(Protocol):
    """Top-k search over unit vectors, float32 (n, dim)."""

    def nearest(self, queries: NDArray[np.float32], k: int) -> Hits:
        """The k most similar entries of each query (fewer if fewer are stored)."""
        ...


class JaccardSearch(Protocol):
    """Threshold search over MinHash signatures, uint64 or uint32 (n, permutations)."""

    def above(self, queries: NDArray[Any], threshold: float) -> Hits:
        """Candidate pairs whose estimated Jaccard similarity is >= threshold, best first."""
        ...


@dataclass(frozen=True, slots=True)
class Work:
    """A protected work.

    Attributes:
        work_id: identifier from the manifest.
        title, rightsholder: text from the manifest.
        rights: legal basis on which it is held: `protected`, `licensed`, `own` or `public_domain`
            (`rights.LABELS`); any text in an index of an earlier release.
        notes: further columns of the manifest.
    """

    work_id: str
    title: str
    rightsholder: str
    rights: str
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkFile:
    """One file of a work, as registered.

    Attributes:
        work_id: the work it belongs to.
        path: from which it was registered, relative to the manifest or folder.
        file_id: SHA-256 (hex) of its bytes.
        kind: `image` or `script`.
        format: for example `PNG` or `fountain`.
        size: bytes.
        note: remarks of registration, for example that a stage abstained.
    """

    work_id: str
    path: str
    file_id: str
    kind: str
    format: str
    size: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class StoredContent:
    """The stored content of a file: a JPEG, a text, or neither."""

    thumbnail: bytes | None
    text: str | None


@dataclass(frozen=True)
class StageEntries:
    """Everything that one stage has stored in one version of an index.

    Attributes:
        rows: the stage's table, in the stage's own schema; may be empty.
        file_of_row: int64 (rows,), position in `files` of the file of each row.
        files: every file in the index, of every kind, in a fixed order
            (by work id, then path, then file id).
        cache: search structures built from the rows on first use.
        folder: for cached arrays built from the rows of this version of the index, see
            `array_cache`; None for no such cache.
    """

    rows: pa.Table
    file_of_row: NDArray[np.int64]
    files: tuple[WorkFile, ...]
    cache: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    folder: Path | None = field(default=None, compare=False, repr=False)

    def cached(self, name: str, build: Callable[[], T]) -> T:
        """The search structure `name`, built by `build` on first use."""
        with _BUILDING:
            if name not in self.cache:
                self.cache[name] = build()
            value: T = self.cache[name]
        return value

    def __len__(self) -> int:
        return int(self.rows.num_rows)


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
