"""Reading the works to register: a manifest (CSV or JSONL), or a folder of files.

Nothing here opens a work's file further than to see that it can be read.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from reference_index.errors import ManifestError
from reference_index.interface import Work
from reference_index.manifest_rows import RawRow, read_csv, read_jsonl

COLUMNS = ("work_id", "title", "rightsholder", "rights", "path")
"""Columns that a manifest must have. Of these only `rightsholder` may be left blank in a row."""

RIGHTS = ("protected", "licensed", "own", "public_domain")
"""Known labels of the basis on which a work is held; any other text is kept as it is."""

_DETAILS = ("title", "rightsholder", "rights")
_LITTER = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One good row of a manifest, or one file of a folder.

    Attributes:
        line: of the manifest, counted from 1, where the row begins; for a folder the file's
            place in it, from 1.
        work: the work; equal in every row that shares its `work_id`.
        file: where the file lies.
        path: as the manifest gives it, or relative to the folder, with `/`.
        where: for messages, such as `line 4 of works.csv`.
    """

    line: int
    work: Work
    file: Path
    path: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was read.

    Attributes:
        rows: the good rows, in order.
        problems: one sentence for each bad row.
        notices: one sentence for each thing passed over on purpose (a folder's hidden files).
        source: the manifest or folder.
    """

    rows: tuple[ManifestRow, ...]
    problems: tuple[str, ...]
    notices: tuple[str, ...] = ()
    source: Path = Path()


def read_manifest(path: Path, *, skip_bad: bool = False) -> Manifest:
    """The works that a manifest lists.

    A manifest is CSV (commas, a header line, UTF-8 with or without a byte order mark) or JSONL
    (`.jsonl`, `.ndjson`: one object a line). It has the `COLUMNS`; any further column becomes a
    note of the work. Paths are relative to the manifest's folder, or absolute. Rows that share a
    `work_id` must agree in title, rightsholder and rights; where their notes differ, the work
    keeps each, joined by "; ".

    Args:
        path: the manifest.
        skip_bad: give the good rows and list the others in `problems`, rather than raise.

    Raises:
        ManifestError: if the file as a whole can't be used, or, without `skip_bad`, if any row
            is bad. Every bad row is in `problems`, with its line number.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ManifestError(
            f"{path} can't be read: it is a folder, a pipe or a device; name a manifest."
        )
    raw = _raw_rows(path)
    if not raw:
        raise ManifestError(f"{path} lists no works: it has no rows below its header.")
    read = _Reading(path)
    for row in raw:
        read.take(row)
    if read.problems and not skip_bad:
        rows = "row" if len(raw) == 1 else "rows"
        raise ManifestError(
            f"{len(read.problems)} of {len(raw)} {rows} of {path.name} can't be used; "
            "nothing was added.",
            read.problems,
        )
    return Manifest(read.with_notes(), tuple(read.problems), source=path)


def folder_as_works(folder: Path) -> Manifest:
    """Each file in `folder`, at any depth, as a work of its own.

    The work's id is the file's path relative to the folder, its title the file's name without
    suffix, its rights `protected`, its rightsholder blank. Hidden files and folders (a name that
    begins with a dot, and the files that desktops leave behind) and folders reached by a
    symbolic link are passed over and named in `notices`. What can't be read is named in
    `problems`; the caller decides whether that stops it.

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
        problems.append(f"{_printable(name)}: can't be read ({fault.strerror}).")

    for place, folders, names in os.walk(folder, onerror=unreadable):
        for name in sorted(folders):
            inner = Path(place, name)
            if name.startswith(".") or inner.is_symlink():
                folders.remove(name)
                why = "a symbolic link to a folder" if inner.is_symlink() else "a hidden folder"
                notices.append(f"{_relative(inner, folder)}: {why} was passed over.")
        folders.sort()
        for name in names:
            file = Path(place, name)
            inside = _relative(file, folder)
            if name.startswith(".") or name.lower() in _LITTER:
                notices.append(f"{inside}: a hidden file was passed over.")
            elif fault := _unusable(file):
                problems.append(f"{inside}: {fault}.")
            else:
                files.append((inside, file))
    if not files and not problems:
        raise ManifestError(f"{folder} holds no files that could be works.")
    files.sort()
    rows = tuple(
        ManifestRow(
            number,
            Work(inside, _printable(file.stem), "", "protected"),
            file,
            inside,
            f"file {number} of {folder.name}",
        )
        for number, (inside, file) in enumerate(files, 1)
    )
    return Manifest(rows, tuple(problems), tuple(sorted(notices)), folder)


class _Reading:
    """The rows of one manifest as they are judged, one after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[ManifestRow] = []
        self.problems: list[str] = []
        self.notes: dict[str, dict[str, list[str]]] = {}
        self.first: dict[str, tuple[int, dict[str, str]]] = {}
        self.lines: dict[tuple[str, str], int] = {}

    def take(self, raw: RawRow) -> None:
        faults = list(raw.faults)
        if not faults:
            faults = self._judge(raw)
        if faults:
            self.problems.append(
                f"line {raw.line} of {_printable(self.path.name)}: {'; '.join(faults)}."
            )

    def _judge(self, raw: RawRow) -> list[str]:
        values = {name: raw.values.get(name, "") for name in COLUMNS}
        text = {name: value.strip() for name, value in values.items()}
        faults = [
            f"{name} is missing" for name in COLUMNS if name != "rightsholder" and not text[name]
        ]
        path, fault = self._find(values["path"]) if text["path"] else ("", "")
        file = self.path.parent / path
        if fault:
            faults.append(fault)
        if text["work_id"]:
            faults += self._agreement(raw.line, text)
            if path and not fault:
                faults += self._repetition(raw.line, text["work_id"], file)
        if faults:
            return faults
        work = Work(text["work_id"], text["title"], text["rightsholder"], text["rights"])
        where = f"line {raw.line} of {_printable(self.path.name)}"
        self.rows.append(ManifestRow(raw.line, work, file, path, where))
        self._note(work.work_id, raw.values)
        return []

    def _find(self, given: str) -> tuple[str, str]:
        """The path as written, or without the blanks around it, whichever leads to a file; and
        what is wrong if neither does."""
        fault = ""
        for path in dict.fromkeys((given, given.strip())):
            fault = _unusable(self.path.parent / path)
            if not fault:
                return path, ""
        where = "" if Path(given).is_absolute() else " beside the manifest"
        return given.strip(), f"the file {given.strip()!r}{where} {fault}"

    def _agreement(self, line: int, text: Mapping[str, str]) -> list[str]:
        details = {name: text[name] for name in _DETAILS}
        earlier, first = self.first.setdefault(text["work_id"], (line, details))
        return [
            f"{name} of work {text['work_id']!r} is {details[name]!r} here and "
            f"{first[name]!r} on line {earlier}"
            for name in _DETAILS
            # A blank title or rights is reported as missing already.
            if details[name] != first[name] and (details[name] or name == "rightsholder")
        ]

    def _repetition(self, line: int, work_id: str, file: Path) -> list[str]:
        earlier = self.lines.setdefault((work_id, os.path.normpath(file)), line)
        if earlier == line:
            return []
        return [f"it repeats line {earlier}: the same work_id and path"]

    def _note(self, work_id: str, values: Mapping[str, str]) -> None:
        notes = self.notes.setdefault(work_id, {})
        for name, value in values.items():
            if name not in COLUMNS and value.strip():
                known = notes.setdefault(name, [])
                if value.strip() not in known:
                    known.append(value.strip())

    def with_notes(self) -> tuple[ManifestRow, ...]:
        """The good rows, each with the notes that its work has from all of them."""
        works = {
            row.work.work_id: replace(
                row.work,
                notes={
                    name: "; ".join(known)
                    for name, known in sorted(self.notes[row.work.work_id].items())
                },
            )
            for row in self.rows
        }
        return tuple(replace(row, work=works[row.work.work_id]) for row in self.rows)


def _raw_rows(path: Path) -> list[RawRow]:
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl", ".ndjson"):
        raise ManifestError(
            f"{path} is no manifest: its name must end in .csv or .jsonl (or give a folder)."
        )
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ManifestError(f"There is no manifest at {path}.") from None
    except OSError as fault:
        raise ManifestError(f"The manifest {path} can't be read ({fault.strerror}).") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ManifestError(f"{path} is UTF-16; save it as UTF-8 (in Excel: CSV UTF-8).")
    # Bytes that are not UTF-8 become lone surrogates, by which their own row is found and named.
    text = data.decode("utf-8-sig", errors="surrogateescape")
    if suffix != ".csv":
        return list(read_jsonl(text, COLUMNS))
    header, rows = read_csv(text)
    _check_header(path, header)
    return rows


def _check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in header]
    faults = [
        f"the column {name} is there more than once"
        for name in dict.fromkeys(header)
        if name and header.count(name) > 1
    ]
    for name in missing:
        spare = [found for found in header if found not in COLUMNS]
        near = difflib.get_close_matches(name, spare, 1, 0.6)
        hint = f" ({near[0]!r} is near it)" if near else ""
        faults.append(f"it has no column {name}{hint}")
    if not faults:
        return
    advice = f"a manifest begins with a line of column names: {','.join(COLUMNS)}"
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        advice = "its columns must be separated by commas"
    raise ManifestError(
        f"{_printable(str(path))} can't be used: {'; '.join(_printable(f) for f in faults)}; "
        f"{advice}.",
        faults,
    )


def _unusable(file: Path) -> str:
    """Why `file` can't be a work's file, as the end of a sentence; empty if it can."""
    try:
        if file.is_dir():
            return "is a folder; list its files"
        if not file.exists():
            return "does not exist"
        if not file.is_file():
            return "is not a regular file"
        with file.open("rb"):
            return ""
    except (OSError, ValueError) as fault:
        return f"can't be read ({getattr(fault, 'strerror', None) or fault})"


def _relative(file: Path, folder: Path) -> str:
    return _printable(file.relative_to(folder).as_posix())


def _printable(name: str) -> str:
    """`name` as valid Unicode: bytes that are not UTF-8 stand as `\\xNN`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
