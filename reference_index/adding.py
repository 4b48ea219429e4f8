"""Adding registered files to the tables of an index, in batches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from reference_index.contents import Contents
from reference_index.digests import (
    content_digest,
    file_digest,
    file_key,
    rows_digest,
    schema_digest,
    work_digest,
    work_key,
)
from reference_index.errors import ReferenceIndexError
from reference_index.interface import Work, WorkFile
from reference_index.tables import WORKS, TableWriter, layout
from reference_index.versions import Change

_BATCH_FILES = 256
_BATCH_BYTES = 64 << 20
"""A batch is written when it has this many files or bytes, which bounds memory."""


@dataclass(frozen=True, slots=True)
class RegisteredFile:
    """One fingerprinted file of a work.

    Attributes:
        work: the work; equal for all of its files in one `add`.
        file: the file; `file.work_id` is the work's.
        fingerprints: rows by stage, each in the stage's schema, at least one row, no nulls. A
            stage that abstained or does not apply is absent.
        thumbnail: a small JPEG of a picture, or None.
        text: of a script, or None. An index that keeps no content stores neither.
    """

    work: Work
    file: WorkFile
    fingerprints: Mapping[str, pa.RecordBatch]
    thumbnail: bytes | None = None
    text: str | None = None


@dataclass
class _Batch:
    files: list[dict[str, Any]] = field(default_factory=list)
    rows: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    replaced: list[str] = field(default_factory=list)
    bytes: int = 0


class Adder:
    """Writes the files of one `add`.

    Args:
        tables: to write to.
        schemas: of the stages' rows.
        keep_content: whether thumbnails and text are stored.
        contents: what the index holds; updated for every file.
    """

    def __init__(
        self,
        tables: TableWriter,
        schemas: Mapping[str, pa.Schema],
        keep_content: bool,
        contents: Contents,
    ) -> None:
        self.works, self.files = contents.works, contents.files
        self._aliases = contents.aliases
        self._tables = tables
        self._schemas = schemas
        self._schema_digests = {name: schema_digest(schema) for name, schema in schemas.items()}
        self._layout = layout(schemas, keep_content=keep_content)
        self._keep_content = keep_content
        self._stored = set(self.files)
        self._details: dict[str, Work] = {}
        self._batch = _Batch()
        self._added = self._replaced = 0

    def add_all(self, files: Iterable[RegisteredFile], works: Iterable[Work]) -> Change:
        """Writes every file that is not stored yet, and the works' details; returns what changed.

        `works` are further details, of works that are stored or of which a file is.

        Raises:
            ReferenceIndexError: if a file does not fit the index. Exceptions of `files` are passed
                on.
        """
        for registered in files:
            self._add(registered)
        self._flush()
        for work in works:
            if work.work_id in self.works or work.work_id in self._details:
                self._detail(work, f"The work {work.work_id!r}")
        new, updated = [], []
        for work_id, work in self._details.items():
            digest = work_digest(work)
            if work_id not in self.works:
                new.append(work_id)
            elif self.works[work_id] != digest:
                updated.append(work_id)
            else:
                continue
            self.works[work_id] = digest
        self._write_works(sorted(new), sorted(updated))
        return Change(
            files_added=self._added,
            files_replaced=self._replaced,
            works_added=len(new),
            works_updated=tuple(sorted(updated)),
        )

    def _add(self, registered: RegisteredFile) -> None:
        self._check(registered)
        thumbnail = registered.thumbnail if self._keep_content else None
        text = registered.text if self._keep_content else None
        key = file_key(registered.file)
        content = content_digest(thumbnail, text)
        stages = {
            name: self._digest(registered.file, name, rows) for name, rows in _sorted(registered)
        }
        digest = file_digest(registered.file, content, stages)
        if self.files.get(key) == digest:
            return
        if key in self._batch.keys:
            self._flush()
        if key in self._stored:
            self._batch.replaced.append(key)
            self._replaced += 1
        else:
            self._added += 1
        self.files[key] = digest
        self._batch.keys.add(key)
        record = {
            **{name: getattr(registered.file, name) for name in WorkFile.__dataclass_fields__},
            "file_key": key,
            "digest": digest,
            "stages": json.dumps(stages, sort_keys=True),
            "content": content,
        }
        if self._keep_content:
            record |= {"thumbnail": thumbnail, "text": text}
        self._batch.files.append(record)
        self._batch.bytes += len(thumbnail or b"") + len(text or "")
        for name, rows in _sorted(registered):
            self._batch.rows.setdefault(name, []).append(self._keyed(name, key, rows))
            self._batch.bytes += rows.nbytes
        if len(self._batch.files) >= _BATCH_FILES or self._batch.bytes >= _BATCH_BYTES:
            self._flush()

    def _check(self, registered: RegisteredFile) -> None:
        name = f"{registered.file.path!r} of work {registered.work.work_id!r}"
        if registered.file.work_id != registered.work.work_id:
            raise ReferenceIndexError(
                f"The file {name} can't be added: it names the work {registered.file.work_id!r}."
            )
        if not registered.work.work_id or len(registered.file.file_id) != 64:
            raise ReferenceIndexError(
                f"The file {name} can't be added: a work needs an id, and a file its SHA-256."
            )
        if registered.work.work_id in self._aliases:
            raise ReferenceIndexError(
                f"The file {name} can't be added: {registered.work.work_id!r} is a former id of "
                f"the work {self._aliases[registered.work.work_id]!r}, so use "
                f"{self._aliases[registered.work.work_id]!r} instead."
            )
        self._detail(registered.work, f"The file {name}")
        file = registered.file
        _check_unicode(
            (file.path, file.format, file.note, registered.text or ""), f"The file {name}"
        )

    def _detail(self, work: Work, name: str) -> None:
        earlier = self._details.setdefault(work.work_id, work)
        if earlier is work:
            _check_unicode(
                (
                    work.work_id,
                    work.title,
                    work.rightsholder,
                    work.rights,
                    *work.notes,
                    *work.notes.values(),
                ),
                name,
            )
        elif earlier != work:
            raise ReferenceIndexError(
                f"{name} can't be added: another file of the work has other details "
                "(title, rightsholder, rights or notes)."
            )

    def _digest(self, file: WorkFile, stage: str, rows: pa.RecordBatch) -> str:
        fault = ""
        if stage not in self._schemas:
            stages = ", ".join(self._schemas)
            fault = f"the index has no fingerprints by {stage!r} (it has {stages})"
        elif schema_digest(rows.schema) != self._schema_digests[stage]:
            fault = f"its {stage} fingerprint is not in the stage's schema"
        elif rows.num_rows == 0:
            fault = f"its {stage} fingerprint has no rows"
        else:
            try:
                return rows_digest(rows)
            except ValueError as error:
                fault = f"its {stage} fingerprint is not valid: {error}"
        raise ReferenceIndexError(
            f"The file {file.path!r} of work {file.work_id!r} can't be added: {fault}."
        )

    def _keyed(self, stage: str, key: str, rows: pa.RecordBatch) -> pa.RecordBatch:
        count = rows.num_rows
        keys = pa.repeat(pa.scalar(key, pa.string()), count)
        numbers = pa.array(range(count), pa.int32())
        schema = self._schemas[stage]
        columns = [
            column if column.type == field.type else column.cast(field.type)
            for column, field in zip(rows.columns, schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays([keys, numbers, *columns], schema=self._layout[stage])

    def _flush(self) -> None:
        batch, self._batch = self._batch, _Batch()
        if batch.replaced:
            for name in self._layout:
                if name != "works":
                    self._tables.delete(name, "file_key", batch.replaced)
        if batch.files:
            self._tables.append(
                "files", pa.Table.from_pylist(batch.files, schema=self._layout["files"])
            )
        for name, parts in batch.rows.items():
            self._tables.append(name, pa.Table.from_batches(parts, schema=self._layout[name]))
        self._stored |= batch.keys

    def _write_works(self, new: list[str], updated: list[str]) -> None:
        self._tables.delete("works", "work_key", [work_key(work_id) for work_id in updated])
        rows = [
            {
                "work_id": work.work_id,
                "title": work.title,
                "rightsholder": work.rightsholder,
                "rights": work.rights,
                "notes": json.dumps(work.notes, sort_keys=True, ensure_ascii=False),
                "work_key": work_key(work.work_id),
                "digest": self.works[work.work_id],
            }
            for work in (self._details[work_id] for work_id in (*new, *updated))
        ]
        self._tables.append("works", pa.Table.from_pylist(rows, schema=WORKS))


def _sorted(registered: RegisteredFile) -> list[tuple[str, pa.RecordBatch]]:
    return sorted(registered.fingerprints.items())


def _check_unicode(texts: Iterable[str], name: str) -> None:
    try:
        for text in texts:
            text.encode()
    except UnicodeEncodeError:
        raise ReferenceIndexError(
            f"{name} can't be added: its text or details are not valid Unicode."
        ) from None
