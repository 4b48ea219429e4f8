"""The search contract, and what a stage sees of an index.

`brute_force.py` holds the plain comparison that decides what is right; the fast searches
(`hamming.py`, `cosine.py`, `minhash.py`) must give equal results and are tested so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

T = TypeVar("T")

_BUILDING = threading.RLock()
"""Several threads may ask for a search structure at once; one makes it."""


class Hits(NamedTuple):
    """Pairs found by a search, sorted by query, then best score first, then entry.

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
        work_id: the register's own identifier.
        title, rightsholder: text as given in the manifest.
        rights: the basis on which it is held, free text or one of the known labels
            (`protected`, `licensed`, `own`, `public_domain`).
        notes: further manifest columns.
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
        path: where it was registered from, relative to the manifest or folder (text).
        file_id: SHA-256 (hex) of its bytes.
        kind: `image` or `script`.
        format: for example `PNG` or `fountain`.
        size: bytes.
        note: what the person registering it should know, for example that a stage abstained.
    """

    work_id: str
    path: str
    file_id: str
    kind: str
    format: str
    size: int
    note: str = ""


@dataclass(frozen=True)
class StageEntries:
    """All that one stage has stored in one version of an index.

    Attributes:
        rows: the stage's table, in the stage's own schema; may be empty.
        file_of_row: int64 (rows,), position in `files` of the file that each row came from.
        files: every file in the index, of every kind, in a fixed order
            (by work id, then path, then file id).
        cache: search structures built from the rows on first use; losing them loses nothing.
        folder: where arrays that are built from the rows may be kept, of this version of the index
            alone; None if nowhere.
    """

    rows: pa.Table
    file_of_row: NDArray[np.int64]
    files: tuple[WorkFile, ...]
    cache: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    folder: Path | None = field(default=None, compare=False, repr=False)

    def built(self, name: str, build: Callable[[], T]) -> T:
        """The search structure `name`, made by `build` the first time it is asked for."""
        with _BUILDING:
            if name not in self.cache:
                self.cache[name] = build()
            value: T = self.cache[name]
        return value

    def __len__(self) -> int:
        return int(self.rows.num_rows)
