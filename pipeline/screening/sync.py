"""Make an index equal to a manifest: what is new is added, what changed is changed, and what is
gone is removed if that is asked for; all in one version, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.core.errors import ManifestError, ReferenceIndexError
from pipeline.core.wording.text import count
from pipeline.load.limits import Limits
from pipeline.runtime.progress import Progress, silent
from pipeline.screening import kept_fingerprints
from pipeline.screening.register import Registration, RegistrationRun
from pipeline.screening.works_check import WorksCheck, check_works
from reference_index.changing import Removal
from reference_index.manifest_file import ManifestReading
from reference_index.store import ReferenceIndex, RegisteredFile
from reference_index.sync_plan import SyncPlan, plan_sync


@dataclass(frozen=True)
class SyncCheck:
    """A manifest compared with the index that is to be made equal to it.

    Attributes:
        check: the manifest as it was read; its plan is that of `plan`.
        plan: what is to be changed.
        remove_missing: whether works and files that are gone are to be removed.
    """

    check: WorksCheck
    plan: SyncPlan
    remove_missing: bool

    @property
    def changes(self) -> bool:
        """Whether the index is not equal to the manifest, as far as it is to be made so."""
        return self.plan.changes(remove_missing=self.remove_missing)

    @property
    def gone_is_known(self) -> bool:
        """Whether it can be told what is gone: not while rows can't be used, which may list it."""
        return not self.check.problems

    def to_json(self) -> dict[str, Any]:
        """What is to be changed, as JSON values."""
        plan, known = self.plan, self.gone_is_known
        return {
            **self.check.to_json(),
            "moved_files": [
                {
                    "work_id": one.stored.work_id,
                    "path": one.listed.row.path,
                    "path_before": one.stored.path,
                }
                for one in plan.moved_files
            ],
            "gone_works": [work.work_id for work in plan.gone_works] if known else None,
            "gone_files": [{"work_id": file.work_id, "path": file.path} for file in plan.gone_files]
            if known
            else None,
            "likely_renames": [{"from": old, "to": new} for old, new in plan.likely_renames],
            "remove_missing": self.remove_missing,
            "would_change": self.changes,
        }


@dataclass(frozen=True)
class Synchronised:
    """The result of `sync_works`.

    Attributes:
        checked: what was to be changed.
        registered: what was added.
        change: the change as a sentence, such as `added 2 works; added 3 files`; blank for none.
        works_removed, files_removed: how many were removed; files of removed works are not among
            these files, and those that were replaced by others of the same path are.
    """

    checked: SyncCheck
    registered: Registration
    change: str
    works_removed: int
    files_removed: int


def check_sync(
    index: ReferenceIndex,
    works: Path,
    *,
    remove_missing: bool = False,
    skip_bad: bool = False,
    reading: ManifestReading | None = None,
    limits: Limits | None = None,
    progress: Progress = silent,
) -> SyncCheck:
    """Compares a manifest or folder with an index; changes nothing.

    Args:
        index: to compare with.
        works: a manifest, or a folder: each file a work.
        remove_missing: whether works and files that are gone are to be removed.
        skip_bad: whether rows that can't be used are to be left out.
        reading: how to read a manifest that was made elsewhere.
        limits: on the size of files.
        progress: called while files are read.

    Raises:
        ManifestError: if the manifest as a whole can't be used, or rows are bad and works are to be
            removed: what only a bad row lists would count as gone.
    """
    check = check_works(index, works, reading=reading, limits=limits, progress=progress)
    if check.problems and remove_missing and skip_bad:
        raise _uncertain(works, check.problems, check.rows)
    plan = plan_sync(check.plan, index.files)
    return SyncCheck(replace(check, plan=plan.registration), plan, remove_missing)


def sync_works(
    index: ReferenceIndex,
    checked: SyncCheck,
    *,
    skip_bad: bool = False,
    limits: Limits | None = None,
    progress: Progress = silent,
) -> Synchronised:
    """Makes an index equal to a manifest, in one new version; all or nothing.

    Details are changed and paths replaced without fingerprinting anything. A file with other bytes
    takes the place of the one that it was. Works and files that are gone stay, unless
    `remove_missing` was asked for.

    Args:
        index: that was compared; it is at the new version afterwards.
        checked: the comparison.
        skip_bad: leave out the rows that can't be used, rather than change nothing. What the index
            has under them stays.
        limits: on the size of files.
        progress: called while files are fingerprinted.

    Raises:
        ManifestError: if rows are bad and `skip_bad` is not set, or works are to be removed.
        ReferenceIndexError: if another process changed the index since it was compared.
        SpecMismatchError, ModelError: if the index can't be added to with what is installed.
    """
    check, plan = checked.check, checked.plan
    if not skip_bad:
        check.raise_if_bad()
    run = RegistrationRun(index, check, limits or Limits(), progress, skip_bad)
    removed = Removal()
    replaced = {file.identity[:2] for file in plan.registration.unchanged_files}

    def files() -> Iterator[RegisteredFile]:
        if index.version != check.version:
            raise ReferenceIndexError(
                f"The index {index.path} was changed by another process after it was compared with "
                f"{check.source}; nothing was changed here, so try again."
            )
        for file in run.files():
            replaced.add((file.file.work_id, file.file.path))
            yield file

    def gone() -> Removal:
        nonlocal removed
        if checked.remove_missing and run.problems:
            raise _uncertain(check.source, run.problems, check.rows)
        # A changed file that could not be used takes no other's place.
        outdated = [
            file
            for file in plan.registration.outdated_files
            if (file.work_id, file.path) in replaced
        ]
        removed = Removal(files=tuple(outdated))
        if checked.remove_missing:
            removed = Removal(plan.gone_works, (*outdated, *plan.gone_files))
        return removed

    if checked.changes:
        moved = {one.stored: one.listed.row.path for one in plan.moved_files}
        index.synchronise(files(), run.unchanged_works(), moved, gone)
        kept_fingerprints.clear(index)
    change = index.change if index.version != check.version else ""
    registered = run.registration()
    return Synchronised(checked, registered, change, len(removed.works), len(removed.files))


def _uncertain(works: Path, problems: Sequence[str], rows: int) -> ManifestError:
    return ManifestError(
        f"{len(problems):,} of {count(rows, 'row')} of {works} can't be used, so it can't be told "
        "what is gone; mend them, or leave out --remove-missing. Nothing was changed.",
        tuple(problems),
    )
