"""The works to register, from a manifest (CSV, JSONL or a workbook) or a folder of files.

Files are only checked for being readable here; `pipeline.screening.register` decodes them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reference_index.errors import ManifestError
from reference_index.interface import Work
from reference_index.manifest_file import (
    EXCEL,
    ManifestFormat,
    ManifestReading,
    place_of,
    read_rows,
    row_problem,
)
from reference_index.manifest_paths import FileFinder, file_fault
from reference_index.manifest_text import RawRow, printable
from reference_index.rights import rights_fault, rights_label

COLUMNS = ("work_id", "title", "rightsholder", "rights", "path")
"""Columns that a manifest must have. Of these only `rightsholder` may be left blank in a row."""

_FORMAT = ManifestFormat(
    name="manifest",
    contents="works",
    required=COLUMNS,
    suffixes=(".csv", ".tsv", ".txt", ".jsonl", ".ndjson", *EXCEL),
    has_options=True,
    reads_all_columns=True,
)

_DETAILS = ("title", "rightsholder", "rights")
_LITTER = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One good row of a manifest, or one file of a folder.

    Attributes:
        line: of the manifest, counted from 1, on which the row begins; for a folder the number of
            the file, from 1.
        work: the work; equal in every row that shares its `work_id`.
        file: path of the file on this machine.
        path: as the manifest has it, even if the file has another place or spelling here; or
            relative to the folder, with `/`.
        location: for messages, such as `line 4 of works.csv`.
    """

    line: int
    work: Work
    file: Path
    path: str
    location: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The works of a manifest or folder.

    Attributes:
        rows: the good rows, in order.
        problems: one sentence for each bad row.
        notices: sentences on how the manifest was read, and one for each file that was found under
            another spelling, or skipped on purpose (a folder's hidden files).
        source: the manifest or folder.
    """

    rows: tuple[ManifestRow, ...]
    problems: tuple[str, ...]
    notices: tuple[str, ...] = ()
    source: Path = Path()


def read_manifest(
    path: Path, *, skip_bad: bool = False, reading: ManifestReading | None = None
) -> Manifest:
    """The works that a manifest lists.

    A manifest is CSV (a header line; columns separated by commas, semicolons or tabs), JSONL
    (`.jsonl`, `.ndjson`: one object a line) or a sheet of a workbook (`.xlsx`). It has the
    `COLUMNS`; any further column becomes a note of the work. Paths are relative to the manifest's
    folder, or absolute. Rows that share a `work_id` must agree in title, rightsholder and rights;
    if their notes differ, the work keeps all of them, joined by "; ".

    Args:
        path: the manifest.
        skip_bad: return the good rows and list the others in `problems`, rather than raise.
        reading: how to read one that was made elsewhere.

    Raises:
        ManifestError: if the file as a whole can't be used, or, without `skip_bad`, if any row
            is bad. Every bad row is in `problems`, with its line number.
    """
    path = Path(path)
    reading = reading or ManifestReading()
    raw = read_rows(path, _FORMAT, reading)
    reader = _WorkRows(path, reading)
    for row in raw.rows:
        reader.add(row)
    if reader.problems and not skip_bad:
        noun = "row" if len(raw.rows) == 1 else "rows"
        raise ManifestError(
            f"{len(reader.problems)} of {len(raw.rows)} {noun} of {printable(path.name)} can't be "
            "used; nothing was added.",
            reader.problems,
        )
    notices = (*raw.notes, *reader.notices())
    return Manifest(reader.with_notes(), tuple(reader.problems), notices, path)


def folder_as_works(folder: Path) -> Manifest:
    """Each file in `folder`, at any depth, as a work of its own.

    The work's id is the file's path relative to the folder, its title the file's name without
    suffix, its rights `protected`, its rightsholder blank. Hidden files and folders (a name that
    begins with a dot, and the files that desktops leave behind) and symbolic links to folders are
    skipped and named in `notices`. Files that can't be read are named in `problems`; the caller
    decides whether to go on.

    Raises:
        ManifestError: if `folder` is no folder, or no file in it can be a work.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ManifestError(f"{folder} is not a folder.")
    files: list[tuple[str, Path]] = []
    problems: list[str] = []
    notices: list[str] = []

    def unreadable(fault: OSError) -> None:
        name = fault.filename if isinstance(fault.filename, str) else str(folder)
        problems.append(f"{printable(name)}: can't be read ({fault.strerror}).")

    for parent, folders, names in os.walk(folder, onerror=unreadable):
        for name in sorted(folders):
            inner = Path(parent, name)
            if name.startswith(".") or inner.is_symlink():
                folders.remove(name)
                why = "a symbolic link to a folder" if inner.is_symlink() else "a hidden folder"
                notices.append(f"{_relative(inner, folder)}: {why} was skipped.")
        folders.sort()
        for name in names:
            file = Path(parent, name)
            path = _relative(file, folder)
            if name.startswith(".") or name.lower() in _LITTER:
                notices.append(f"{path}: a hidden file was skipped.")
            elif fault := file_fault(file, readable=True):
                problems.append(f"{path}: {fault}.")
            else:
                files.append((path, file))
    if not files and not problems:
        raise ManifestError(f"{folder} holds no files that could be works.")
    files.sort()
    rows = tuple(
        ManifestRow(
            number,
            Work(path, printable(file.stem), "", "protected"),
            file,
            path,
            f"file {number} of {folder.name}",
        )
        for number, (path, file) in enumerate(files, 1)
    )
    return Manifest(rows, tuple(problems), tuple(sorted(notices)), folder)


class _WorkRows:
    """The rows of one manifest, checked one after the other.

    Attributes:
        rows: the good ones.
        problems: one sentence for each bad one.
    """

    def __init__(self, path: Path, reading: ManifestReading) -> None:
        self.rows: list[ManifestRow] = []
        self.problems: list[str] = []
        self._path = path
        self._finder = FileFinder(path, reading.prefixes)
        self._reading = reading
        self._found_otherwise: list[str] = []
        self._rights: dict[tuple[str, str], int] = {}
        self._notes: dict[str, dict[str, list[str]]] = {}
        self._details: dict[str, tuple[int, dict[str, str]]] = {}
        self._lines: dict[tuple[str, str], int] = {}

    def add(self, row: RawRow) -> None:
        faults = row.faults or self._check(row)
        if faults:
            self.problems.append(row_problem(self._path, row, faults))

    def _check(self, row: RawRow) -> list[str]:
        values = {name: row.values.get(name, "") for name in COLUMNS}
        text = {name: value.strip() for name, value in values.items()}
        faults = [
            f"{name} is missing" for name in COLUMNS if name != "rightsholder" and not text[name]
        ]
        if label := self._label(text["rights"]):
            text["rights"] = label
        elif text["rights"]:
            faults.append(rights_fault(text["rights"]))
        found = self._finder.find(values["path"]) if text["path"] else None
        if found and found.fault:
            faults.append(found.fault)
        if text["work_id"]:
            faults += self._agreement(row.line, text)
            if found and not found.fault:
                faults += self._repetition(row.line, text["work_id"], found.file)
        if faults or found is None:
            return faults
        work = Work(text["work_id"], text["title"], text["rightsholder"], text["rights"])
        location = place_of(self._path, row.line)
        if found.note:
            self._found_otherwise.append(f"{location}: {found.note}")
        self.rows.append(ManifestRow(row.line, work, found.file, found.path, location))
        self._note(work.work_id, row.values)
        return []

    def _label(self, written: str) -> str | None:
        label = rights_label(written, self._reading.rights)
        if label and label != written:
            self._rights[written, label] = self._rights.get((written, label), 0) + 1
        return label

    def notices(self) -> list[str]:
        """Sentences on rights and paths that were read otherwise than they are written."""
        name = printable(self._path.name)
        rights = [
            f"{name}: the rights {written!r} were read as {label} ({count:,} "
            f"{'row' if count == 1 else 'rows'})."
            for (written, label), count in self._rights.items()
        ]
        unused = [
            f"{name}: no path begins with {prefix!r}, for which --path-prefix was given."
            for prefix in self._finder.unused_prefixes()
        ]
        return [*rights, *unused, *self._found_otherwise]

    def _agreement(self, line: int, text: Mapping[str, str]) -> list[str]:
        details = {name: text[name] for name in _DETAILS}
        earlier, first = self._details.setdefault(text["work_id"], (line, details))
        return [
            f"{name} of work {text['work_id']!r} is {details[name]!r} here and "
            f"{first[name]!r} on line {earlier}"
            for name in _DETAILS
            # A blank title or rights is reported as missing already.
            if details[name] != first[name] and (details[name] or name == "rightsholder")
        ]

    def _repetition(self, line: int, work_id: str, file: Path) -> list[str]:
        earlier = self._lines.setdefault((work_id, os.path.normpath(file)), line)
        if earlier == line:
            return []
        return [f"it repeats line {earlier}: the same work_id and path"]

    def _note(self, work_id: str, values: Mapping[str, str]) -> None:
        notes = self._notes.setdefault(work_id, {})
        for name, value in values.items():
            if name not in COLUMNS and value.strip():
                texts = notes.setdefault(name, [])
                if value.strip() not in texts:
                    texts.append(value.strip())

    def with_notes(self) -> tuple[ManifestRow, ...]:
        """The good rows, each with the notes that its work has from all of them."""
        works = {
            row.work.work_id: replace(
                row.work,
                notes={
                    name: "; ".join(texts)
                    for name, texts in sorted(self._notes[row.work.work_id].items())
                },
            )
            for row in self.rows
        }
        return tuple(replace(row, work=works[row.work.work_id]) for row in self.rows)


def _relative(file: Path, folder: Path) -> str:
    return printable(file.relative_to(folder).as_posix())
