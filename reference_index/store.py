"""The stored reference index: versioned Lance tables that one process changes while others read.

IDX/lock                    held by the writer, see `locks`
IDX/tables/works.lance      the works' details
IDX/tables/files.lance      their files, and, if kept, thumbnails and text
IDX/tables/<stage>.lance    one table of fingerprint rows for each stage
IDX/versions/000001.json    one record for each version, see `versions`
IDX/cache/                  arrays that searches are built from, see `array_cache`
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from reference_index import locks, tables, versions
from reference_index.adding import Adding, RegisteredFile, work_key
from reference_index.digests import file_key, index_digest, schema_digest
from reference_index.errors import IndexCorruptError, IndexExistsError, ReferenceIndexError
from reference_index.interface import StageEntries, Work, WorkFile
from reference_index.spec import FingerprintSpec
from reference_index.stored_rows import read_stage
from reference_index.verifying import faults_of
from reference_index.versions import Change, VersionRecord

__all__ = ["ReferenceIndex", "RegisteredFile", "StoredContent"]

_Changing = Callable[[tables.TableWriter, dict[str, str], dict[str, str]], Change]
"""What changes the tables, and with them the digests of works and files; what it changed."""

_OWN_NAMES = frozenset({"cache", "lock", "tables", "versions"})


@dataclass(frozen=True, slots=True)
class StoredContent:
    """What an index keeps of a file's own content: a JPEG, a text, or neither."""

    thumbnail: bytes | None
    text: str | None


class ReferenceIndex:
    """One version of a reference index, opened.

    What has been opened stays as it is while other processes add and remove; `add` and `remove`
    start from the newest version and leave this object at the one that they made. Open it anew
    in a forked process (see `tables`). Not for use by several threads at once.

    Attributes:
        path: the index's folder.
    """

    def __init__(self, path: Path, record: VersionRecord, *, pinned: bool = False) -> None:
        self.path = path
        self._pinned = pinned
        self._load(record)

    def _load(self, record: VersionRecord) -> None:
        self._record = record
        works = tables.read_works(self.path, record.tables["works"])
        files = tables.read_files(self.path, record.tables["files"])
        self._work_digests = {work.work_id: digest for work, digest in works}
        self._works = tuple(work for work, _ in works)
        self._files = tuple(file for file, _ in files)
        self._keys = [file_key(file) for file in self._files]
        self._file_digests = dict(zip(self._keys, (digest for _, digest in files), strict=True))
        self._entries: dict[str, StageEntries] = {}
        self._files_table: Any = None
        if _whole_digest(record, self._work_digests, self._file_digests) != record.digest:
            raise IndexCorruptError(
                f"Version {record.version} of the index {self.path} does not hold the works and "
                "files that were recorded. Restore the index from a copy."
            )

    @staticmethod
    def check_free(path: Path) -> None:
        """Sees that an index can be made at `path`: nothing is there, or an empty folder, or
        what an interrupted `create` left.

        Raises:
            IndexExistsError: if something else is there.
            ReferenceIndexError: if it can't be looked into.
        """
        if not path.exists() and not path.is_symlink():
            return
        if not path.is_dir():
            raise IndexExistsError(f"{path} exists and is not a folder; choose another path.")
        try:
            names = {entry.name for entry in path.iterdir()}
        except OSError as fault:
            raise ReferenceIndexError(f"{path} can't be read ({fault.strerror}).") from None
        if versions.numbers(path):
            raise IndexExistsError(
                f"{path} is a reference index already; add works to it, or choose another path."
            )
        if names and not (names <= _OWN_NAMES and locks.is_marked(path)):
            raise IndexExistsError(f"The folder {path} is not empty; choose another path.")

    @classmethod
    def create(
        cls,
        path: Path,
        specs: Sequence[FingerprintSpec],
        schemas: Mapping[str, pa.Schema],
        *,
        keep_content: bool = True,
    ) -> ReferenceIndex:
        """A new, empty index, at version 1.

        Args:
            path: must not exist, or be an empty folder.
            specs: one for each stage.
            schemas: of the stages' rows, by stage.
            keep_content: whether `add` stores the works' thumbnails and text. If not, nothing of
                them is ever written.

        Raises:
            IndexExistsError: if something is at `path`.
            IndexLockedError: if another process is making an index there.
            ReferenceIndexError: if the folder can't be written, or a stage can't be stored.
        """
        path = Path(path)
        by_stage = {spec.stage: spec for spec in specs}
        digests = tables.check_stages(by_stage, len(specs), schemas)
        cls.check_free(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise ReferenceIndexError(
                f"The folder {path} can't be made ({fault.strerror})."
            ) from None
        with locks.write_lock(path):
            cls.check_free(path)
            try:
                shutil.rmtree(path / "tables", ignore_errors=True)
                (path / "tables").mkdir()
                (path / "versions").mkdir(exist_ok=True)
                wanted = tables.layout(schemas, keep_content=keep_content)
                states = tables.create(path, wanted)
                record = VersionRecord(
                    version=1,
                    made=versions.now(),
                    digest=index_digest(by_stage, digests, (), ()),
                    keep_content=keep_content,
                    specs=by_stage,
                    schemas=dict(schemas),
                    tables=states,
                    works=0,
                    files=0,
                )
                versions.write(path, record)
            except OSError as fault:
                raise ReferenceIndexError(
                    f"The index {path} can't be written ({fault.strerror})."
                ) from None
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, version: int | None = None) -> ReferenceIndex:
        """The newest version of an index, or an earlier one to read.

        Raises:
            IndexNotFoundError: if there is no index at `path`, or no such version.
            IndexCorruptError: if what is stored is not what was recorded.
            ReferenceIndexError: if it can't be read, or is of a later release.
        """
        path = Path(path)
        record = versions.read(path, version)
        newest = versions.numbers(path)[-1]
        return cls(path, record, pinned=record.version != newest and version is not None)

    @property
    def version(self) -> int:
        """Counted from 1."""
        return self._record.version

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all that this version holds, see `digests.index_digest`."""
        return self._record.digest

    @property
    def specs(self) -> Mapping[str, FingerprintSpec]:
        """How the works were fingerprinted, by stage."""
        return self._record.specs

    @property
    def schemas(self) -> Mapping[str, pa.Schema]:
        """Schemas of the stages' rows, by stage."""
        return self._record.schemas

    @property
    def keep_content(self) -> bool:
        """Whether the works' own thumbnails and text are stored."""
        return self._record.keep_content

    @property
    def works(self) -> tuple[Work, ...]:
        """Every work, sorted by id."""
        return self._works

    @property
    def files(self) -> tuple[WorkFile, ...]:
        """Every file, sorted by work id, path and file id."""
        return self._files

    def work(self, work_id: str) -> Work:
        """The work of this id.

        Raises:
            ReferenceIndexError: if there is none; names the nearest id.
        """
        for work in self._works:
            if work.work_id == work_id:
                return work
        raise ReferenceIndexError(self._unknown([work_id]))

    def entries(self, stage: str) -> StageEntries:
        """All that a stage has stored: rows by file (in the order of `files`), then as the stage
        gave them, whatever the order in which files were added. Kept for the next call.

        Raises:
            ReferenceIndexError: if the index holds no such stage.
            IndexCorruptError: if the rows can't be read, or some are missing.
        """
        if stage not in self._record.schemas:
            raise ReferenceIndexError(
                f"The index {self.path} holds no fingerprints by {stage!r}; "
                f"it holds {', '.join(self._record.schemas)}."
            )
        if stage not in self._entries:
            rows, position = read_stage(
                self.path,
                stage,
                self._record.tables[stage],
                self._record.schemas[stage],
                self._keys,
            )
            folder = self.path / "cache" / f"{stage}-{self.digest[:32]}"
            self._entries[stage] = StageEntries(rows, position, self._files, folder=folder)
        return self._entries[stage]

    def content(self, file: WorkFile) -> StoredContent:
        """What is kept of a file; nothing, if the index keeps no content.

        Raises:
            ReferenceIndexError: if the index has no such file.
            IndexCorruptError: if it can't be read.
        """
        key = file_key(file)
        if key not in self._file_digests:
            raise ReferenceIndexError(
                f"The index {self.path} has no file {file.path!r} of a work {file.work_id!r}."
            )
        if not self.keep_content:
            return StoredContent(None, None)
        if self._files_table is None:
            self._files_table = tables.open_dataset(
                self.path, "files", self._record.tables["files"]
            )
        with tables.reading(self.path, "files"):
            found = self._files_table.to_table(
                columns=tables.CONTENT.names, filter=f"file_key = '{key}'"
            ).to_pylist()
            return StoredContent(found[0]["thumbnail"], found[0]["text"])

    def add(self, files: Iterable[RegisteredFile]) -> int:
        """Adds files of works, all or none; the version afterwards.

        Files are written as they come, and are seen by nobody until the last is there; if
        `files` raises, or the process ends, the index is as before.

        A file is known by its work's id, its path and its SHA-256. One that is there already
        with the same values is passed over; with other values (another note, say) it is
        replaced. The same path with other bytes is another file, and both are kept. A work that
        is there already takes the title, rightsholder, rights and notes now given; the version's
        `change` in `history` names it. If nothing changes, no version is made.

        Raises:
            IndexLockedError: if another process is writing.
            ReferenceIndexError: if a file is not of the index's form, two files give one work
                other details, an earlier version was opened, or the tables can't be written.
            IndexCorruptError: if the index is not whole.
        """

        def change(
            writer: tables.TableWriter, known_works: dict[str, str], known_files: dict[str, str]
        ) -> Change:
            schemas = self._record.schemas
            adding = Adding(writer, schemas, self.keep_content, known_works, known_files)
            return adding.take_all(files)

        return self._write(change)

    def remove(self, work_ids: Sequence[str]) -> int:
        """Takes works and all their files out; the version afterwards. Earlier versions still
        hold them, and their content, if it is kept.

        Raises:
            IndexLockedError, IndexCorruptError: as in `add`.
            ReferenceIndexError: if an id is unknown (nothing is removed then; the nearest known
                ids are named), or an earlier version was opened.
        """

        def change(
            writer: tables.TableWriter, works: dict[str, str], files: dict[str, str]
        ) -> Change:
            gone = dict.fromkeys(work_ids)
            unknown = [work_id for work_id in gone if work_id not in works]
            if unknown:
                raise ReferenceIndexError(self._unknown(unknown))
            keys = [file_key(file) for file in self._files if file.work_id in gone]
            writer.delete("works", "work_key", [work_key(work_id) for work_id in gone])
            for name in ("files", *self._record.schemas):
                writer.delete(name, "file_key", keys)
            for work_id in gone:
                del works[work_id]
            for key in keys:
                del files[key]
            return Change(files_removed=len(keys), works_removed=len(gone))

        return self._write(change)

    def _write(self, change: _Changing) -> int:
        if self._pinned:
            raise ReferenceIndexError(
                f"Version {self.version} of the index {self.path} was opened to be read; "
                "open the newest version to change it."
            )
        with locks.write_lock(self.path):
            before = versions.read(self.path)
            if before != self._record:
                self._load(before)
            # Copies: if the change does not come to its end, this object stays as it is.
            works, files = dict(self._work_digests), dict(self._file_digests)
            writer = tables.TableWriter(self.path, before.tables)
            changed = change(writer, works, files)
            if changed != Change():
                self._commit(before, writer, changed, works, files)
        return self.version

    def _commit(
        self,
        before: VersionRecord,
        writer: tables.TableWriter,
        changed: Change,
        works: Mapping[str, str],
        files: Mapping[str, str],
    ) -> None:
        try:
            record = replace(
                before,
                version=before.version + 1,
                made=versions.now(),
                digest=_whole_digest(before, works, files),
                tables=writer.finish(),
                works=len(works),
                files=len(files),
                change=changed,
            )
            versions.write(self.path, record)
        except OSError as fault:
            raise ReferenceIndexError(
                f"The index {self.path} can't be written ({fault.strerror}); "
                f"it stays at version {before.version}."
            ) from None
        self._load(record)

    def _unknown(self, work_ids: Sequence[str]) -> str:
        names = []
        for work_id in work_ids:
            near = difflib.get_close_matches(work_id, self._work_digests, 1, 0.5)
            names.append(f"{work_id!r}" + (f" (the nearest is {near[0]!r})" if near else ""))
        noun = "work" if len(names) == 1 else "works"
        return f"The index {self.path} has no {noun} {', '.join(names)}."

    def facts(self) -> dict[str, Any]:
        """What identifies this version, all JSON values: `version`, `digest`, `works` and `files`
        (how many), `keep_content`, `specs` by stage.
        """
        return {
            "version": self.version,
            "digest": self.digest,
            "works": len(self.works),
            "files": len(self.files),
            "keep_content": self.keep_content,
            "specs": {name: spec.to_json() for name, spec in self.specs.items()},
        }

    def verify(self) -> list[str]:
        """Reads everything in this version again and compares it with the recorded digests.

        Returns:
            One sentence for each fault; empty if all is as it was written.
        """
        return faults_of(self.path, self.version)

    def history(self) -> list[dict[str, Any]]:
        """Every version, oldest first: `version`, `made` (UTC, ISO 8601), `works`, `files`,
        `digest`, `change` (a sentence), all JSON values.

        Raises:
            IndexCorruptError: if a version's record is damaged.
        """
        records = [versions.read(self.path, number) for number in versions.numbers(self.path)]
        return [
            {
                "version": record.version,
                "made": record.made,
                "works": record.works,
                "files": record.files,
                "digest": record.digest,
                "change": record.change.sentence(),
            }
            for record in records
        ]


def _whole_digest(record: VersionRecord, works: Mapping[str, str], files: Mapping[str, str]) -> str:
    schemas = {name: schema_digest(schema) for name, schema in record.schemas.items()}
    return index_digest(record.specs, schemas, works.values(), files.values())
