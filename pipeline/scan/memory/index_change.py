"""Works that were added to or removed from the index between two of its versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from pipeline.core.errors import Reason, ReferenceIndexError
from pipeline.core.records import Abstention
from pipeline.screening.stage_runner import StageRunner
from reference_index.store import ReferenceIndex


@dataclass(frozen=True)
class IndexChange:
    """Files that were added and removed; a changed file counts as both.

    Attributes:
        added: positions in `files` of the newer version.
        removed: present ids of works that lost a file.
        renamed: former ids of works that had these in the earlier version.
    """

    added: frozenset[int]
    removed: frozenset[str]
    renamed: frozenset[str] = frozenset()


class IndexChanges:
    """Changes of an opened index since any earlier version of it."""

    def __init__(self, index: ReferenceIndex) -> None:
        self._index = index
        self._cached: dict[tuple[int, str], IndexChange | None] = {}

    def since(self, version: int, digest: str) -> IndexChange | None:
        """What changed since a version; None if that can't be told, because the version is gone or
        has another digest (another index took its place).
        """
        key = (version, digest)
        if key not in self._cached:
            self._cached[key] = self._since(version, digest)
        return self._cached[key]

    @cached_property
    def _files(self) -> dict[tuple[str, str, str], int]:
        return {(f.work_id, f.path, f.file_id): at for at, f in enumerate(self._index.files)}

    def _since(self, version: int, digest: str) -> IndexChange | None:
        if (version, digest) == (self._index.version, self._index.digest):
            return IndexChange(frozenset(), frozenset())
        try:
            earlier = ReferenceIndex.open(self._index.path, version)
        except ReferenceIndexError:
            return None
        if earlier.digest != digest:
            return None
        aliases = self._index.aliases
        before = {
            (aliases.get(file.work_id, file.work_id), file.path, file.file_id)
            for file in earlier.files
        }
        return IndexChange(
            frozenset(at for key, at in self._files.items() if key not in before),
            frozenset(key[0] for key in before if key not in self._files),
            frozenset(work.work_id for work in earlier.works if work.work_id in aliases),
        )


def restricted_to(runners: Sequence[StageRunner], files: frozenset[int]) -> list[StageRunner]:
    """The same runners, which compare only with these files (positions in the index's `files`)."""
    return [_restricted(runner, files) for runner in runners]


def _restricted(runner: StageRunner, files: frozenset[int]) -> StageRunner:
    if runner.entries is None:
        return runner
    mask = np.isin(runner.entries.file_of_row, np.fromiter(files, np.int64, len(files)))
    if not mask.any():
        absent = Abstention(Reason.NO_WORKS, "none of the added works is of this kind")
        return replace(runner, stage=None, entries=None, absent=absent)
    entries = replace(
        runner.entries,
        rows=runner.entries.rows.filter(pa.array(mask)),
        file_of_row=runner.entries.file_of_row[mask],
        cache={},
        folder=None,
    )
    return replace(runner, entries=entries)
