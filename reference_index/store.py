"""The reference index on disk: versioned Lance tables with one writer and any number of readers.

IDX/lock                    locked by the writer, see `locks`
IDX/tables/works.lance      the works' details
IDX/tables/files.lance      their files, with thumbnails and text if the index keeps content
IDX/tables/<stage>.lance    one table of fingerprint rows for each stage
IDX/versions/000001.json    one record for each version, see `versions`
IDX/cache/                  arrays that searches are built from, see `array_cache`
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from reference_index import locks, tables, versions
from reference_index.adding import Adder, RegisteredFile
from reference_index.changing import IndexChanger, Removal
from reference_index.contents import Contents
from reference_index.creating import create_index
from reference_index.digests import file_key, index_digest, schema_digest
from reference_index.errors import IndexCorruptError, ReferenceIndexError
from reference_index.interface import FingerprintSpec, StageEntries, StoredContent, Work, WorkFile
from reference_index.verifying import faults_of
from reference_index.versions import Change, VersionRecord

__all__ = ["ReferenceIndex", "RegisteredFile", "StoredContent"]

_ChangeTables = Callable[[tables.TableWriter, Contents], Change]
"""Changes the tables, and the contents in step with them; returns what it changed."""


class ReferenceIndex:
    """One version of a reference index, opened.

    The opened version does not change while other processes add and remove. `add` and `remove`
    start from the newest version and move this object to the version that they create. A forked
    process must open the index again (see `tables`). Not thread-safe.

    Attributes:
        path: folder of the index.
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
        if _digest_of(record, self._contents()) != record.digest:
            raise IndexCorruptError(
                f"Version {record.version} of the index {self.path} does not hold the works and "
                "files that were recorded. Restore the index from a copy."
            )

    @classmethod
    def create(
        cls,
        path: Path,
        specs: Sequence[FingerprintSpec],
        schemas: Mapping[str, pa.Schema],
        *,
        keep_content: bool = True,
    ) -> ReferenceIndex:
        """Creates an empty index, at version 1.

        Args:
            path: must not exist, or be an empty folder.
            specs: one for each stage.
            schemas: of the stages' rows, by stage.
            keep_content: whether `add` stores the works' thumbnails and text. If not, they are
                never written.

        Raises:
            IndexExistsError: if there is something at `path`.
            IndexLockedError: if another process is creating an index there.
            ReferenceIndexError: if the folder can't be written, or a stage can't be stored.
        """
        create_index(Path(path), specs, schemas, keep_content=keep_content)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, version: int | None = None) -> ReferenceIndex:
        """Opens the newest version of an index, or an earlier one for reading only.

        Raises:
            IndexNotFoundError: if there is no index at `path`, or no such version.
            IndexCorruptError: if the stored data differ from the recorded digests.
            ReferenceIndexError: if it can't be read, or is of a later release.
        """
        path = Path(path)
        record = versions.read(path, version)
        newest = versions.numbers(path)[-1]
        return cls(path, record, pinned=record.version != newest and version is not None)

    @property
    def version(self) -> int:
        """Number of the version, from 1."""
        return self._record.version

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the content of this version, see `digests.index_digest`."""
        return self._record.digest

    @property
    def specs(self) -> Mapping[str, FingerprintSpec]:
        """Fingerprint specs, by stage."""
        return self._record.specs

    @property
    def schemas(self) -> Mapping[str, pa.Schema]:
        """Schemas of the stages' rows, by stage."""
        return self._record.schemas

    @property
    def keep_content(self) -> bool:
        """Whether thumbnails and text of the works are stored."""
        return self._record.keep_content

    @property
    def works(self) -> tuple[Work, ...]:
        """All works, sorted by id."""
        return self._works

    @property
    def files(self) -> tuple[WorkFile, ...]:
        """All files, sorted by work id, path and file id."""
        return self._files

    @property
    def change(self) -> str:
        """What changed in this version, as a sentence: `added 2 works; added 3 files`."""
        return self._record.change.sentence()

    @property
    def aliases(self) -> Mapping[str, str]:
        """By former id of a work, its present id: what was decided under the former one counts on
        for the work."""
        return self._record.aliases

    def work(self, work_id: str) -> Work:
        """The work with this id.

        Raises:
            ReferenceIndexError: if there is none; the message names the nearest id, or the present
                one of a work that had this id.
        """
        for work in self._works:
            if work.work_id == work_id:
                return work
        raise ReferenceIndexError(self._contents().unknown(self.path, [work_id]))

    def entries(self, stage: str) -> StageEntries:
        """The rows of a stage, by file in the order of `files`, then in the order of the stage.

        The order does not depend on the order in which files were added. Cached after the first
        call.

        Raises:
            ReferenceIndexError: if the index has no such stage.
            IndexCorruptError: if the rows can't be read, or some are missing.
        """
        if stage not in self._record.schemas:
            raise ReferenceIndexError(
                f"The index {self.path} holds no fingerprints by {stage!r}; "
                f"it holds {', '.join(self._record.schemas)}."
            )
        if stage not in self._entries:
            rows, position = tables.read_stage(
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
        """The stored content of a file; empty if the index keeps no content.

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
            [row] = self._files_table.to_table(
                columns=tables.CONTENT.names, filter=f"file_key = '{key}'"
            ).to_pylist()
            return StoredContent(row["thumbnail"], row["text"])

    def add(self, files: Iterable[RegisteredFile], works: Iterable[Work] = ()) -> int:
        """Adds files of works, all or none; returns the version afterwards.

        Files are written as the iterable yields them, but no reader sees them before the last; if
        `files` raises, or the process ends, the index is unchanged.

        A file is identified by its work's id, its path and its SHA-256. A file that is stored
        already with the same values is skipped; with other values (such as another note) it is
        replaced. The same path with other bytes is another file, and both stay. A work that is
        stored already gets the new title, rightsholder, rights and notes, and is named in the
        version's `change` in `history`. If nothing changes, no version is created.

        Args:
            files: to add.
            works: details to store of works of which no file need be among `files`; read after
                them. A work that the index does not have then is left out.

        Raises:
            IndexLockedError: if another process is writing.
            ReferenceIndexError: if a file does not fit the index, two files have different
                details for one work, an earlier version was opened, or the tables can't be
                written.
            IndexCorruptError: if the index is damaged.
        """

        def change(writer: tables.TableWriter, contents: Contents) -> Change:
            adder = Adder(writer, self._record.schemas, self.keep_content, contents)
            return adder.add_all(files, works)

        return self._write(change)

    def synchronise(
        self,
        files: Iterable[RegisteredFile],
        works: Iterable[Work],
        moved: Mapping[WorkFile, str],
        gone: Callable[[], Removal],
    ) -> int:
        """Adds, changes and removes at once, all or nothing; returns the version afterwards.

        Args:
            files, works: as in `add`.
            moved: stored files, and the path that each gets in its work.
            gone: called after all files were added; what is to be removed. Each work of which it
                has files must keep one.

        Raises:
            IndexLockedError, IndexCorruptError, ReferenceIndexError: as in `add`.
        """

        def change(writer: tables.TableWriter, contents: Contents) -> Change:
            adder = Adder(writer, self._record.schemas, self.keep_content, contents)
            changer = self._changer(writer, contents)
            changed = adder.add_all(files, works) + changer.move_files(moved)
            removal = gone()
            changed += changer.remove_files(removal.files)
            work_ids = [work.work_id for work in removal.works]
            return changed + changer.remove_works(work_ids, self._files)

        return self._write(change)

    def remove(self, work_ids: Sequence[str]) -> int:
        """Removes works, all their files and their former ids; returns the version afterwards.
        Earlier versions still have them, with their stored content.

        Raises:
            IndexLockedError, IndexCorruptError: as in `add`.
            ReferenceIndexError: if an id is unknown (then nothing is removed, and the message
                names the nearest known ids), or an earlier version was opened.
        """

        return self._write(
            lambda writer, contents: self._changer(writer, contents).remove_works(
                work_ids, self._files
            )
        )

    def remove_file(self, work_id: str, path: str) -> int:
        """Removes the file of a work that was registered from a path, or all such files if it was
        registered with several contents; returns the version afterwards. Earlier versions still
        have it, with its stored content.

        Raises:
            IndexLockedError, IndexCorruptError: as in `add`.
            ReferenceIndexError: if the index has no such work or file, the work would have no file
                left, or an earlier version was opened.
        """

        def change(writer: tables.TableWriter, contents: Contents) -> Change:
            changer = self._changer(writer, contents)
            return changer.remove_file(self.work(work_id), path, self._files)

        return self._write(change)

    def rename(self, work_id: str, new: str) -> int:
        """Gives a work another id; returns the version afterwards. The id that it had becomes one
        of its former ids (`aliases`). Nothing is fingerprinted anew.

        Raises:
            IndexLockedError, IndexCorruptError: as in `add`.
            ReferenceIndexError: if the index has no such work, the new id is taken (by a work, or
                as a former id of another one) or can't be an id, or an earlier version was opened.
        """

        def change(writer: tables.TableWriter, contents: Contents) -> Change:
            if (present := contents.aliases.get(work_id)) is not None:
                advice = (
                    "there is nothing to do"
                    if new == present
                    else f"to give it another id, rename {present!r}"
                )
                raise ReferenceIndexError(
                    f"{work_id!r} is already renamed to {present!r} in the index {self.path}; "
                    f"{advice}."
                )
            files = [file for file in self._files if file.work_id == work_id]
            return self._changer(writer, contents).rename(self.work(work_id), new, files)

        return self._write(change)

    def _changer(self, writer: tables.TableWriter, contents: Contents) -> IndexChanger:
        return IndexChanger(self.path, writer, list(self._record.schemas), contents)

    def _contents(self) -> Contents:
        """A copy: if a change fails, this object stays as it is."""
        return Contents(
            dict(self._work_digests), dict(self._file_digests), dict(self._record.aliases)
        )

    def _write(self, change: _ChangeTables) -> int:
        if self._pinned:
            raise ReferenceIndexError(
                f"Version {self.version} of the index {self.path} was opened to be read; "
                "open the newest version to change it."
            )
        with locks.write_lock(self.path):
            before = versions.read(self.path)
            if before != self._record:
                self._load(before)
            contents = self._contents()
            writer = tables.TableWriter(self.path, before.tables)
            changed = change(writer, contents)
            if changed != Change():
                self._commit(before, writer, changed, contents)
        return self.version

    def _commit(
        self,
        before: VersionRecord,
        writer: tables.TableWriter,
        changed: Change,
        contents: Contents,
    ) -> None:
        try:
            record = replace(
                before,
                version=before.version + 1,
                made=versions.now(),
                digest=_digest_of(before, contents),
                tables=writer.finish(),
                works=len(contents.works),
                files=len(contents.files),
                change=changed,
                aliases=contents.aliases,
            )
            versions.write(self.path, record)
        except OSError as fault:
            raise ReferenceIndexError(
                f"The index {self.path} can't be written ({fault.strerror}); "
                f"it stays at version {before.version}."
            ) from None
        self._load(record)

    def facts(self) -> dict[str, Any]:
        """Facts that identify this version, as JSON values: `version`, `digest`, `works` and
        `files` (their numbers), `keep_content`, `aliases`, `specs` by stage.
        """
        return {
            "version": self.version,
            "digest": self.digest,
            "works": len(self.works),
            "files": len(self.files),
            "keep_content": self.keep_content,
            "aliases": dict(self.aliases),
            "specs": {name: spec.to_json() for name, spec in self.specs.items()},
        }

    def verify(self) -> list[str]:
        """Reads all data of this version and compares them with the recorded digests.

        Returns:
            One sentence for each fault; empty if there is none.
        """
        return faults_of(self.path, self.version)

    def history(self) -> list[dict[str, Any]]:
        """All versions, oldest first, as JSON values: `version`, `made` (UTC, ISO 8601), `works`,
        `files`, `digest`, `change` (a sentence).

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


def _digest_of(record: VersionRecord, contents: Contents) -> str:
    schemas = {name: schema_digest(schema) for name, schema in record.schemas.items()}
    return index_digest(
        record.specs, schemas, contents.works.values(), contents.files.values(), contents.aliases
    )
