"""Verifying an index: everything stored is compared with the recorded digests."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from reference_index import versions
from reference_index.digests import (
    content_digest,
    file_digest,
    file_key,
    index_digest,
    rows_digest,
    schema_digest,
    work_digest,
)
from reference_index.errors import ReferenceIndexError
from reference_index.interface import WorkFile
from reference_index.tables import CONTENT, open_dataset, read_stage, read_works, reading
from reference_index.versions import VersionRecord

T = TypeVar("T")

_LISTED = 20
"""Faults of one kind that are listed; of the others only the number is given."""
_FIELDS = tuple(WorkFile.__dataclass_fields__)


def faults_of(index: Path, version: int) -> list[str]:
    """One sentence for each difference from the recorded digests; empty if there is none.

    Reads all data of the version, one stage at a time, and the records of all versions.
    """
    faults: list[str] = []
    record: VersionRecord | None = None
    for number in versions.numbers(index):
        try:
            other = versions.read(index, number)
        except ReferenceIndexError as fault:
            faults.append(str(fault))
        else:
            record = other if number == version else record
    if record is None:
        return faults or [f"The index {index} has no version {version} any more."]
    return faults + _Verification(index, record).run()


class _Verification:
    def __init__(self, index: Path, record: VersionRecord) -> None:
        self.index, self.record = index, record
        self.faults: list[str] = []

    def run(self) -> list[str]:
        works = self._works()
        files = self._files()
        if files is None:
            for stage in self.record.schemas:
                self._attempt(partial(open_dataset, self.index, stage, self.record.tables[stage]))
            return self.faults
        keys = [file_key(file) for file, _, _ in files]
        for stage in self.record.schemas:
            self._stage(stage, keys, files)
        if len(files) != self.record.files:
            self.faults.append(
                f"The number of files in the index is {len(files):,}; recorded: "
                f"{self.record.files:,}."
            )
        if works is not None:
            self._check_digest(works, files)
        return self.faults

    def _attempt(self, step: Callable[[], T]) -> T | None:
        try:
            return step()
        except ReferenceIndexError as fault:
            self.faults.append(str(fault))
            return None

    def _add(self, sentences: Sequence[str]) -> None:
        self.faults += sentences[:_LISTED]
        if len(sentences) > _LISTED:
            self.faults.append(f"… and {len(sentences) - _LISTED:,} more of this kind.")

    def _works(self) -> dict[str, str] | None:
        pairs = self._attempt(lambda: read_works(self.index, self.record.tables["works"]))
        if pairs is None:
            return None
        self._add(
            [
                f"The details of the work {work.work_id!r} are not as recorded."
                for work, digest in pairs
                if work_digest(work) != digest
            ]
        )
        if len(pairs) != self.record.works:
            self.faults.append(
                f"The number of works in the index is {len(pairs):,}; recorded: "
                f"{self.record.works:,}."
            )
        return {work.work_id: work_digest(work) for work, _ in pairs}

    def _files(self) -> list[tuple[WorkFile, str, dict[str, str]]] | None:
        """Files in order, each with its computed digest and its rows' recorded digests by stage."""
        return self._attempt(self._read_files)

    def _read_files(self) -> list[tuple[WorkFile, str, dict[str, str]]]:
        files, faults = [], []
        dataset = open_dataset(self.index, "files", self.record.tables["files"])
        with reading(self.index, "files"):
            for batch in dataset.to_batches(batch_size=256):
                for row in batch.to_pylist():
                    file = WorkFile(*(row[name] for name in _FIELDS))
                    name = f"{file.path!r} of the work {file.work_id!r}"
                    content = content_digest(*(row.get(part) for part in CONTENT.names))
                    stages = json.loads(row["stages"])
                    digest = file_digest(file, content, stages)
                    if content != row["content"]:
                        faults.append(f"The stored text or thumbnail of {name} is not as recorded.")
                    elif digest != row["digest"] or file_key(file) != row["file_key"]:
                        faults.append(f"The record of the file {name} is not as recorded.")
                    files.append((file, digest, stages))
        self._add(faults)
        return sorted(files, key=lambda item: (item[0].work_id, item[0].path, item[0].file_id))

    def _stage(
        self, stage: str, keys: list[str], files: list[tuple[WorkFile, str, dict[str, str]]]
    ) -> None:
        state, schema = self.record.tables[stage], self.record.schemas[stage]
        stored = self._attempt(lambda: read_stage(self.index, stage, state, schema, keys))
        if stored is None:
            return
        rows, position = stored
        bounds = np.searchsorted(position, np.arange(len(keys) + 1))
        faults = []
        for number, (file, _, stages) in enumerate(files):
            start, stop = int(bounds[number]), int(bounds[number + 1])
            digest = rows_digest(rows.slice(start, stop - start)) if stop > start else None
            if digest != stages.get(stage):
                faults.append(
                    f"The {stage} fingerprint of {file.path!r} of the work {file.work_id!r} "
                    "is not as recorded."
                )
        self._add(faults)

    def _check_digest(
        self, works: dict[str, str], files: list[tuple[WorkFile, str, dict[str, str]]]
    ) -> None:
        with_files = {file.work_id for file, _, _ in files}
        self._add(
            [f"The work {work_id!r} has no files." for work_id in sorted(set(works) - with_files)]
            + [
                f"The work {work_id!r} has no details."
                for work_id in sorted(with_files - set(works))
            ]
        )
        aliases = self.record.aliases
        self._add(
            [
                f"The former id {old!r} is of the work {new!r}, which is not there."
                for old, new in aliases.items()
                if new not in works
            ]
            + [
                f"The former id {old!r} of the work {new!r} is the id of another work."
                for old, new in aliases.items()
                if old in works
            ]
        )
        schemas = {name: schema_digest(schema) for name, schema in self.record.schemas.items()}
        digests = (digest for _, digest, _ in files)
        digest = index_digest(self.record.specs, schemas, works.values(), digests, aliases)
        if digest != self.record.digest and not self.faults:
            self.faults.append(
                f"Version {self.record.version} has the digest {digest} where "
                f"{self.record.digest} was recorded: works or files are missing, or are not of "
                "this version."
            )
