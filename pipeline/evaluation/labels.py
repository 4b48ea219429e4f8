"""Reading labelled pairs, the ground truth: which assets were copied from which works.

A CSV with a row for each asset and work.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.errors import ManifestError
from pipeline.core.records import Asset, RiskRow
from pipeline.drops.discover import asset_of, text_of_path
from pipeline.runtime.progress import Progress, silent
from reference_index.manifest_file import ManifestFormat, read_rows, row_problem
from reference_index.manifest_paths import find_file
from reference_index.manifest_text import RawRow, printable

COLUMNS = ("asset", "work_id")
"""Columns that the file must have; `work_id` may be left blank in a row."""

COPY = "copy"
"""A column that it may have."""

TRUTHS = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}
"""Values of `copy`; upper and lower case are the same."""

NEAREST = 3
HINTED = 50
"""Unknown ids for which similar ids are searched: among many works that takes a while."""

_FORMAT = ManifestFormat(
    name="list of labelled pairs", contents="pairs", required=COLUMNS, optional=(COPY,)
)


@dataclass(frozen=True, slots=True)
class LabelledAsset:
    """One asset with its labels.

    Attributes:
        asset: the file; one that can't be read has a fault and is kept.
        copies: ids of the works that it was copied from; none for a distractor.
        others: ids of works that it was not copied from, according to the labels.
    """

    asset: Asset
    copies: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgedLabel:
    """A labelled asset and its row in the risk table."""

    label: LabelledAsset
    row: RiskRow


def read_labels(
    path: Path,
    works: Collection[str],
    aliases: Mapping[str, str] | None = None,
    *,
    progress: Progress = silent,
) -> tuple[LabelledAsset, ...]:
    """The labelled assets of a CSV, in the order in which it first names them.

    Args:
        path: a CSV (commas, semicolons or tabs between its columns) with the `COLUMNS` and perhaps
            `COPY`; other columns are ignored. Paths are relative to its folder, or absolute.
        works: ids of the works in the index.
        aliases: by former id of a work, its present id, which the labels then have.
        progress: called after each asset that was read.

    Raises:
        ManifestError: if the file as a whole can't be used, or any row is bad. Every bad row is in
            `problems`, with its line number.
    """
    rows = read_rows(path, _FORMAT).rows
    reader = _LabelRows(path, works, aliases or {})
    for row in rows:
        reader.add(row)
    if reader.problems:
        noun = "row" if len(rows) == 1 else "rows"
        raise ManifestError(
            f"{len(reader.problems)} of {len(rows)} {noun} of {printable(path.name)} can't be "
            "used; nothing was judged.",
            reader.problems,
        )
    labelled = []
    for labels in reader.assets.values():
        asset = asset_of(labels.file, text_of_path(labels.path))
        labelled.append(LabelledAsset(asset, tuple(labels.copies), tuple(labels.others)))
        progress("Reading the assets", len(labelled), len(reader.assets))
    return tuple(labelled)


@dataclass
class _AssetLabels:
    """The labels of one asset in the rows so far.

    Attributes:
        path: as its first row has it.
        file: the asset.
        distractor: the line that says that it is a copy of nothing; None if there is none.
        copies, others: as of `LabelledAsset`.
        lines: by work id, the line of its label, and whether it says that the asset is a copy.
    """

    path: str
    file: Path
    distractor: int | None = None
    copies: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    lines: dict[str, tuple[int, bool]] = field(default_factory=dict)

    def add(self, line: int, work_id: str, is_copy: bool) -> list[str]:
        """Adds the label of a row; its faults if it repeats or contradicts an earlier one."""
        if not work_id:
            if self.distractor is not None:
                return [f"it repeats line {self.distractor}: the same asset without a work"]
            if self.copies:
                first = self.lines[self.copies[0]][0]
                return [f"it says that the asset is a copy of nothing, and line {first} of a work"]
            self.distractor = line
            return []
        if work_id in self.lines:
            earlier, was_copy = self.lines[work_id]
            if was_copy is is_copy:
                return [f"it repeats line {earlier}: the same asset and work_id"]
            return [f"it says the contrary of line {earlier}: the same asset and work_id"]
        if is_copy and self.distractor is not None:
            return [
                "it says that the asset is a copy of a work, and line "
                f"{self.distractor} that it is a copy of nothing"
            ]
        self.lines[work_id] = (line, is_copy)
        (self.copies if is_copy else self.others).append(work_id)
        return []


class _LabelRows:
    """The rows of one file, checked one after the other.

    Attributes:
        assets: labels by normalized path.
        problems: one sentence for each bad row.
    """

    def __init__(self, path: Path, works: Collection[str], aliases: Mapping[str, str]) -> None:
        self.assets: dict[str, _AssetLabels] = {}
        self.problems: list[str] = []
        self._path = path
        self._works = works
        self._aliases = aliases
        self._hints: dict[str, str] = {}

    def add(self, row: RawRow) -> None:
        faults = row.faults or self._check(row)
        if faults:
            self.problems.append(row_problem(self._path, row, faults))

    def _check(self, row: RawRow) -> list[str]:
        values = {name: row.values.get(name, "") for name in (*COLUMNS, COPY)}
        work_id = values["work_id"].strip()
        work_id = self._aliases.get(work_id, work_id)
        copy = values[COPY].strip()
        is_copy = TRUTHS.get(copy.lower()) if copy else bool(work_id)
        faults = []
        path, fault = "", "asset is missing"
        if values["asset"].strip():
            # A file that can't be opened or decoded is no fault: it is screened as unreadable.
            path, fault = find_file(self._path, values["asset"], readable=False, noun="asset")
        if fault:
            faults.append(fault)
        if work_id and work_id not in self._works:
            faults.append(f"the index has no work {work_id!r}{self._similar(work_id)}")
        if is_copy is None:
            faults.append(f"copy is {copy!r}, and must be 1 or 0, yes or no, true or false")
        elif is_copy and not work_id:
            faults.append(
                f"copy is {copy!r} and work_id is empty; say of which work it is a copy, or say 0"
            )
        if faults:
            return faults
        file = self._path.parent / path
        labels = self.assets.setdefault(os.path.normpath(file), _AssetLabels(path, file))
        return labels.add(row.line, work_id, bool(is_copy))

    def _similar(self, work_id: str) -> str:
        """The known ids most similar to an unknown one, as part of its fault."""
        if work_id not in self._hints:
            similar: list[str] = []
            if len(self._hints) < HINTED:
                similar = difflib.get_close_matches(work_id, self._works, NEAREST, 0.6)
            names = ", ".join(map(repr, similar))
            self._hints[work_id] = f" (nearest: {names})" if similar else ""
        return self._hints[work_id]
