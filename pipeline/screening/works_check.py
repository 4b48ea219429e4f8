"""Checks a manifest before anything is fingerprinted, and says what adding it would change.

Every file is opened, hashed and recognised by its content; nothing is decoded, so what shows only
when pixels or text are read (a blank picture, damage in the middle of a file) is found later.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline.core.errors import ManifestError
from pipeline.core.records import Asset, Kind
from pipeline.core.wording.text import count
from pipeline.drops.discover import asset_of
from pipeline.load.formats import HEAD_BYTES, recognise
from pipeline.load.image.truncation import refuse_cut_off
from pipeline.load.limits import Limits
from pipeline.load.opening import open_regular, unreadable
from pipeline.load.refusal import FileRefusedError
from pipeline.runtime.progress import Progress, silent
from reference_index.manifest_file import ManifestReading
from reference_index.registration_plan import ListedFile, RegistrationPlan, plan_registration
from reference_index.store import ReferenceIndex
from reference_index.works import Manifest, ManifestRow, folder_as_works, read_manifest

_LINE = re.compile(r"^(?:line|row) (\d+) ")
_BLOCK = 1000
"""Files between two reports of progress."""


@dataclass(frozen=True)
class WorksCheck:
    """A manifest compared with an index; nothing was changed.

    Attributes:
        source: the manifest or folder.
        plan: what adding the good rows would change.
        assets: each file of the plan, opened and hashed, by its identity
            (`ListedFile.identity`).
        problems: one sentence for each row that can't be used, in the order of the manifest.
        rows: how many rows the manifest has, bad ones included.
        notes: sentences on how the manifest was read, and on files left out on purpose.
        version: of the index that it was compared with.
    """

    source: Path
    plan: RegistrationPlan
    assets: dict[tuple[str, str, str], Asset] = field(repr=False)
    problems: tuple[str, ...]
    rows: int
    notes: tuple[str, ...]
    version: int

    def raise_if_bad(self) -> None:
        """Raises ManifestError with all `problems`, if there are any."""
        if self.problems:
            raise bad_rows(self.source, self.problems, self.rows)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what can be added and may be a mistake."""
        return tuple(shared.sentence() for shared in self.plan.shared)

    def to_json(self) -> dict[str, Any]:
        """What adding would do, as JSON values."""
        plan = self.plan
        return {
            "version": self.version,
            "rows": self.rows,
            "new_works": [work.work_id for work in plan.new_works],
            "changed_works": [
                {"work_id": change.after.work_id, "changed": list(change.fields)}
                for change in plan.changed_works
            ],
            "new_files": [_file_json(file) for file in plan.new_files],
            "changed_files": [_file_json(change.listed) for change in plan.changed_files],
            "unchanged": len(plan.unchanged_files),
            "missing_works": [work.work_id for work in plan.missing_works],
            "problems": list(self.problems),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }


def check_works(
    index: ReferenceIndex,
    works: Path,
    *,
    reading: ManifestReading | None = None,
    limits: Limits | None = None,
    progress: Progress = silent,
) -> WorksCheck:
    """Reads a manifest or folder and each of its files, and compares it with `index`.

    Args:
        index: to compare with.
        works: a manifest, or a folder: each file a work.
        reading: how to read a manifest that was made elsewhere.
        limits: on the size of files.
        progress: called while files are read.

    Raises:
        ManifestError: if the manifest as a whole can't be used. Bad rows are in `problems`.
    """
    manifest = read_works(works, reading)
    limits = limits or Limits()
    problems = list(manifest.problems)
    listed: list[ListedFile] = []
    assets: dict[tuple[str, str, str], Asset] = {}
    for row, asset in _assets(manifest, limits, progress):
        work_id = row.work.work_id
        if work_id in index.aliases:
            problems.append(
                f"{row.location}: {work_id!r} is a former id of the work "
                f"{index.aliases[work_id]!r}; write {index.aliases[work_id]!r} instead."
            )
        elif asset.fault is not None:
            problems.append(f"{row.location}: {row.path}: {asset.fault.detail}")
        elif asset.asset_id is None or asset.size is None:
            raise AssertionError("a file without a fault has an id and a size")
        else:
            file = ListedFile(row, asset.asset_id, asset.size)
            listed.append(file)
            assets[file.identity] = asset
    return WorksCheck(
        works,
        plan_registration(listed, index.works, index.files),
        assets,
        in_order(problems),
        len(manifest.rows) + len(manifest.problems),
        manifest.notices,
        index.version,
    )


def read_works(works: Path, reading: ManifestReading | None = None) -> Manifest:
    """The manifest at `works`, or the folder `works` with each file as a work.

    Raises:
        ManifestError: if there is no such path, or the manifest as a whole can't be used.
    """
    if not works.is_dir():
        return read_manifest(works, skip_bad=True, reading=reading)
    if reading not in (None, ManifestReading()):
        raise ManifestError(
            f"{works} is a folder; --encoding, --column, --sheet, --path-prefix and --rights are "
            "for manifests, so leave them out."
        )
    return folder_as_works(works)


def bad_rows(source: Path, problems: Iterable[str], rows: int, kept: str = "") -> ManifestError:
    """The error that lists bad rows, and says what was kept in spite of them."""
    problems = in_order(problems)
    return ManifestError(
        f"{len(problems)} of {count(rows, 'row')} of {source} can't be used and nothing was added; "
        f"fix them, or add the other rows with --skip-bad.{kept}",
        problems,
    )


def in_order(problems: Iterable[str]) -> tuple[str, ...]:
    """The problems in the order of the manifest's lines."""
    return tuple(sorted(problems, key=lambda text: int((*_LINE.findall(text), "0")[0])))


def _assets(
    manifest: Manifest, limits: Limits, progress: Progress
) -> Iterable[tuple[ManifestRow, Asset]]:
    """Each row with its file, read on several threads: hashing releases the interpreter's lock."""

    def read(row: ManifestRow) -> Asset:
        return _read(row, limits.max_file_bytes)

    rows = manifest.rows
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1), thread_name_prefix="check") as pool:
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            yield from zip(block, pool.map(read, block), strict=True)
            progress("Checking files", start + len(block), len(rows))


def _read(row: ManifestRow, max_bytes: int) -> Asset:
    asset = asset_of(row.file, row.path, max_bytes)
    if asset.fault is not None or asset.kind is not Kind.IMAGE:
        return asset
    try:
        with open_regular(row.file) as stream:
            image_format = recognise(row.file.name, stream.read(HEAD_BYTES)).format
            refuse_cut_off(stream, image_format or "")
    except FileRefusedError as refused:
        return replace(asset, fault=refused.fault)
    except OSError as error:
        return replace(asset, fault=unreadable(error).fault)
    return asset


def _file_json(file: ListedFile) -> dict[str, Any]:
    return {"work_id": file.row.work.work_id, "path": file.row.path, "line": file.row.line}
