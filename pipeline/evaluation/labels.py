"""Reading labelled pairs: which assets were copied from which works, as people know it.

A CSV with a row for each asset and work. Nothing here judges; what can't be used is named.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.errors import ManifestError
from pipeline.core.records import Asset, RiskRow
from pipeline.drops.discover import asset_of, text_of_path
from pipeline.runtime.progress import Progress, silent
from reference_index.manifest_rows import RawRow, read_csv

COLUMNS = ("asset", "work_id")
"""Columns that the file must have; `work_id` may be left blank in a row."""

COPY = "copy"
"""A column that it may have."""

TRUTHS = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}
"""What may stand under `copy`, in any case of letters."""

NEAREST = 3
HINTED = 50
"""Unknown ids for which the nearest known are looked for: among many works that takes a while."""


@dataclass(frozen=True, slots=True)
class LabelledAsset:
    """One asset with what is known of it.

    Attributes:
        asset: the file; what can't be read has a fault and is kept.
        copies: ids of the works that it was copied from; of a stranger, none.
        others: ids of works that the file says it was not copied from.
    """

    asset: Asset
    copies: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgedLabel:
    """A labelled asset with the row that a run makes of it."""

    label: LabelledAsset
    row: RiskRow


def read_labels(
    path: Path, works: Collection[str], *, progress: Progress = silent
) -> tuple[LabelledAsset, ...]:
    """The labelled assets of a CSV, in the order in which it first names them.

    Args:
        path: a CSV with the `COLUMNS` and perhaps `COPY`; others are passed over. Paths are
            relative to its folder, or absolute.
        works: ids of the works in the index.
        progress: told of the assets as they are read.

    Raises:
        ManifestError: if the file as a whole can't be used, or any row is bad. Every bad row is in
            `problems`, with its line number.
    """
    rows = _rows(path)
    read = _Reading(path, works)
    for row in rows:
        read.take(row)
    if read.problems:
        noun = "row" if len(rows) == 1 else "rows"
        raise ManifestError(
            f"{len(read.problems)} of {len(rows)} {noun} of {_printable(path.name)} can't be "
            "used; nothing was judged.",
            read.problems,
        )
    labelled = []
    for known in read.assets.values():
        asset = asset_of(known.file, text_of_path(known.path))
        labelled.append(LabelledAsset(asset, tuple(known.copies), tuple(known.others)))
        progress("Reading the assets", len(labelled), len(read.assets))
    return tuple(labelled)


def _rows(path: Path) -> list[RawRow]:
    name = _printable(str(path))
    if path.exists() and not path.is_file():
        raise ManifestError(
            f"{name} can't be read: it is a folder, a pipe or a device; name a CSV of labelled "
            "pairs."
        )
    if path.suffix.lower() != ".csv":
        raise ManifestError(f"{name} is no list of labelled pairs: its name must end in .csv.")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ManifestError(f"There is no list of labelled pairs at {name}.") from None
    except OSError as fault:
        raise ManifestError(
            f"The labelled pairs in {name} can't be read ({fault.strerror})."
        ) from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ManifestError(f"{name} is UTF-16; save it as UTF-8 (in Excel: CSV UTF-8).")
    # Bytes that are not UTF-8 become lone surrogates, by which their own row is found and named.
    text = data.decode("utf-8-sig", errors="surrogateescape")
    header, rows = read_csv(text)
    _check_header(name, header)
    if not rows:
        raise ManifestError(f"{name} lists no pairs: it has no rows below its header.")
    return rows


def _check_header(name: str, header: list[str]) -> None:
    known = (*COLUMNS, COPY)
    spare = [found for found in header if found not in known]
    faults = [
        f"the column {column} is there more than once"
        for column in known
        if header.count(column) > 1
    ]
    for column in known:
        near = difflib.get_close_matches(column, spare, 1, 0.6)
        if column in header or (column == COPY and not near):
            continue
        hint = f" ({near[0]!r} is near it)" if near else ""
        faults.append(f"it has no column {column}{hint}")
    if not faults:
        return
    advice = f"labelled pairs begin with a line of column names: {','.join(known)}"
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        advice = "its columns must be separated by commas"
    raise ManifestError(
        f"{name} can't be used: {'; '.join(map(_printable, faults))}; {advice}.",
        [_printable(fault) for fault in faults],
    )


@dataclass
class _Known:
    """What the rows so far say of one asset."""

    path: str
    file: Path
    line: int
    stranger: int | None = None
    copies: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    lines: dict[str, tuple[int, bool]] = field(default_factory=dict)


class _Reading:
    """The rows of one file as they are judged, one after the other."""

    def __init__(self, path: Path, works: Collection[str]) -> None:
        self.path = path
        self.works = works
        self.problems: list[str] = []
        self.assets: dict[str, _Known] = {}
        self.hints: dict[str, str] = {}

    def take(self, raw: RawRow) -> None:
        faults = list(raw.faults) or self._judge(raw)
        if faults:
            text = f"line {raw.line} of {self.path.name}: {'; '.join(faults)}."
            self.problems.append(_printable(text))

    def _judge(self, raw: RawRow) -> list[str]:
        values = {name: raw.values.get(name, "") for name in (*COLUMNS, COPY)}
        work = values["work_id"].strip()
        said = values[COPY].strip()
        copied = TRUTHS.get(said.lower()) if said else bool(work)
        faults = []
        path, fault = "", "asset is missing"
        if values["asset"].strip():
            path, fault = self._find(values["asset"])
        if fault:
            faults.append(fault)
        if work and work not in self.works:
            faults.append(f"the index has no work {work!r}{self._near(work)}")
        if copied is None:
            faults.append(f"copy is {said!r}, and must be 1 or 0, yes or no, true or false")
        elif copied and not work:
            faults.append(
                f"copy is {said!r} and work_id is empty; say of which work it is a copy, or say 0"
            )
        if faults:
            return faults
        file = self.path.parent / path
        known = self.assets.setdefault(os.path.normpath(file), _Known(path, file, raw.line))
        return _note(known, raw.line, work, bool(copied))

    def _find(self, given: str) -> tuple[str, str]:
        """The path as written, or without the blanks around it, whichever leads to a file; and
        what is wrong if neither does."""
        fault = ""
        for path in dict.fromkeys((given, given.strip())):
            fault = _unusable(self.path.parent / path)
            if not fault:
                return path, ""
        where = "" if Path(given.strip()).is_absolute() else f" beside {self.path.name}"
        return "", f"the asset {given.strip()!r}{where} {fault}"

    def _near(self, work: str) -> str:
        if work not in self.hints:
            near: list[str] = []
            if len(self.hints) < HINTED:
                near = difflib.get_close_matches(work, self.works, NEAREST, 0.6)
            named = ", ".join(repr(one) for one in near)
            self.hints[work] = f" (nearest: {named})" if near else ""
        return self.hints[work]


def _note(known: _Known, line: int, work: str, copied: bool) -> list[str]:
    """Adds what a row says of an asset; what is wrong if it repeats or contradicts another."""
    if not work:
        if known.stranger is not None:
            return [f"it repeats line {known.stranger}: the same asset without a work"]
        if known.copies:
            first = known.lines[known.copies[0]][0]
            return [f"it says that the asset is a copy of nothing, and line {first} of a work"]
        known.stranger = line
        return []
    if work in known.lines:
        earlier, so = known.lines[work]
        if so is copied:
            return [f"it repeats line {earlier}: the same asset and work_id"]
        return [f"it says the contrary of line {earlier}: the same asset and work_id"]
    if copied and known.stranger is not None:
        return [
            "it says that the asset is a copy of a work, and line "
            f"{known.stranger} that it is a copy of nothing"
        ]
    known.lines[work] = (line, copied)
    (known.copies if copied else known.others).append(work)
    return []


def _unusable(file: Path) -> str:
    """Why `file` can't be an asset, as the end of a sentence; empty if it can.

    A file that is there and can't be opened or decoded can be one: it is judged as unreadable.
    """
    try:
        if file.is_dir():
            return "is a folder; list its files"
        if not file.exists():
            return "does not exist"
    except PermissionError:
        return ""
    except (OSError, ValueError) as fault:
        return f"can't be looked for ({getattr(fault, 'strerror', None) or fault})"
    return "" if file.is_file() else "is not a regular file"


def _printable(text: str) -> str:
    """`text` as valid Unicode: bytes that are not UTF-8 stand as `\\xNN`."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
