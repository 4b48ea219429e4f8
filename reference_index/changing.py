"""Changes of what an index holds already: works and files removed, a work's id replaced.

Nothing here is fingerprinted: where an id changes, the stored rows are written again under their
new keys.
"""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from reference_index.contents import Contents
from reference_index.digests import file_digest, file_key, work_digest, work_key
from reference_index.errors import ReferenceIndexError
from reference_index.interface import Work, WorkFile
from reference_index.tables import TableWriter
from reference_index.versions import Change


@dataclass(frozen=True, slots=True)
class Removal:
    """What is to be removed: works with all their files, and files of works that stay."""

    works: tuple[Work, ...] = ()
    files: tuple[WorkFile, ...] = ()


class IndexChanger:
    """Removes and renames within one change of an index.

    Args:
        index: its path, for messages.
        tables: to write to.
        stages: names of the stages' tables.
        contents: what the index holds; updated.
    """

    def __init__(
        self, index: object, tables: TableWriter, stages: Sequence[str], contents: Contents
    ) -> None:
        self._index = index
        self._tables = tables
        self._stages = stages
        self._contents = contents

    def remove_works(self, work_ids: Iterable[str], files: Iterable[WorkFile]) -> Change:
        """Removes works, given all files of the index; their former ids go with them.

        Raises:
            ReferenceIndexError: if an id is unknown; all unknown ones are named.
        """
        removed = dict.fromkeys(work_ids)
        contents = self._contents
        unknown = [work_id for work_id in removed if work_id not in contents.works]
        if unknown:
            raise ReferenceIndexError(contents.unknown(self._index, unknown))
        keys = self._delete_files(file for file in files if file.work_id in removed)
        self._tables.delete("works", "work_key", [work_key(work_id) for work_id in removed])
        for work_id in removed:
            del contents.works[work_id]
        for old in [old for old, new in contents.aliases.items() if new in removed]:
            del contents.aliases[old]
        return Change(files_removed=keys, works_removed=len(removed))

    def remove_file(self, work: Work, path: str, files: Iterable[WorkFile]) -> Change:
        """Removes the files of a work that were registered from a path, given all of the index's.

        Raises:
            ReferenceIndexError: if there is none, or the work would have no file left.
        """
        of_work = [file for file in files if file.work_id == work.work_id]
        removed = [file for file in of_work if file.path == path]
        if not removed:
            paths = [file.path for file in of_work]
            near = difflib.get_close_matches(path, paths, 1, 0.5)
            hint = f" (the nearest is {near[0]!r})" if near else ""
            raise ReferenceIndexError(
                f"The work {work.work_id!r} in the index {self._index} has no file {path!r}{hint}."
            )
        if len(removed) == len(of_work):
            raise ReferenceIndexError(
                f"{path!r} is the only file of the work {work.work_id!r}, and a work without a "
                "file can't be found; to remove the work: clearance index remove "
                f"{shlex.quote(str(self._index))} {shlex.quote(work.work_id)}"
            )
        return self.remove_files(removed)

    def remove_files(self, removed: Iterable[WorkFile]) -> Change:
        """Removes files; the caller sees to it that each of their works keeps one."""
        return Change(files_removed=self._delete_files(removed))

    def move_files(self, moved: Mapping[WorkFile, str]) -> Change:
        """Gives files other paths in their works; none of the new ones may be taken by a file of
        the same bytes."""
        self._rekey({file_key(file): replace(file, path=path) for file, path in moved.items()})
        return Change(files_moved=len(moved))

    def _delete_files(self, removed: Iterable[WorkFile]) -> int:
        keys = [file_key(file) for file in removed]
        for name in ("files", *self._stages):
            self._tables.delete(name, "file_key", keys)
        for key in keys:
            del self._contents.files[key]
        return len(keys)

    def rename(self, work: Work, new: str, files: Sequence[WorkFile]) -> Change:
        """Gives a work another id; its present one becomes a former id.

        Args:
            work: the work.
            new: its new id.
            files: of the work, all of them.

        Raises:
            ReferenceIndexError: if the new id is taken.
        """
        old, contents = work.work_id, self._contents
        if not new or new != new.strip() or not _is_unicode(new):
            raise ReferenceIndexError(
                f"{new!r} can't be the id of a work: an id is valid Unicode, is not blank, and "
                "neither begins nor ends with a blank."
            )
        if new in contents.works:
            raise ReferenceIndexError(
                f"The index {self._index} has a work {new!r} already; choose another id."
            )
        if contents.aliases.get(new, old) != old:
            raise ReferenceIndexError(
                f"{new!r} is a former id of the work {contents.aliases[new]!r} in the index "
                f"{self._index}; choose another id."
            )
        self._rekey({file_key(file): replace(file, work_id=new) for file in files})
        renamed = replace(work, work_id=new)
        digest = work_digest(renamed)
        self._tables.rewrite(
            "works",
            "work_key",
            [work_key(old)],
            lambda rows: _with(rows, work_id=[new], work_key=[work_key(new)], digest=[digest]),
        )
        del contents.works[old]
        contents.works[new] = digest
        aliases = {one: new if to == old else to for one, to in contents.aliases.items()}
        aliases[old] = new
        aliases.pop(new, None)  # a work that gets an id back
        contents.aliases.clear()
        contents.aliases.update(aliases)
        return Change(works_renamed=((old, new),))

    def _rekey(self, files: Mapping[str, WorkFile]) -> None:
        """Gives files, by their present keys, another work id or path."""
        keys = {key: file_key(file) for key, file in files.items()}

        def rekeyed(rows: pa.Table) -> pa.Table:
            present = rows.column("file_key").to_pylist()
            return _with(rows, file_key=[keys[key] for key in present])

        def renamed(rows: pa.Table) -> pa.Table:
            present = rows.column("file_key").to_pylist()
            stages = map(json.loads, rows.column("stages").to_pylist())
            content = rows.column("content").to_pylist()
            digests = [
                file_digest(files[key], *parts)
                for key, parts in zip(present, zip(content, stages, strict=True), strict=True)
            ]
            for key, digest in zip(present, digests, strict=True):
                del self._contents.files[key]
                self._contents.files[keys[key]] = digest
            named = [files[key] for key in present]
            return _with(
                rekeyed(rows),
                work_id=[file.work_id for file in named],
                path=[file.path for file in named],
                digest=digests,
            )

        self._tables.rewrite("files", "file_key", list(files), renamed)
        for stage in self._stages:
            self._tables.rewrite(stage, "file_key", list(files), rekeyed)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _with(rows: pa.Table, **columns: Sequence[str]) -> pa.Table:
    for name, values in columns.items():
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, rows.schema.field(place), pa.array(values, pa.string()))
    return rows
