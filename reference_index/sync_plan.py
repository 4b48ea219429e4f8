"""What making an index equal to a manifest would change: a comparison that does nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from reference_index.interface import Work, WorkFile
from reference_index.registration_plan import ListedFile, RegistrationPlan


@dataclass(frozen=True, slots=True)
class MovedFile:
    """A file of a work that the manifest lists under another path, with the same bytes.

    Attributes:
        listed: as the manifest has it.
        stored: as the index has it.
    """

    listed: ListedFile
    stored: WorkFile


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """The difference between an index and a manifest that it is made equal to.

    Attributes:
        registration: what adding the manifest would change; moved files are unchanged in it.
        moved_files: files with another path, which need not be fingerprinted anew.
        gone_works: works that the manifest does not list.
        gone_files: files that it does not list, of works that it does.
        likely_renames: ids of gone works and of new ones that have the very same files.
    """

    registration: RegistrationPlan
    moved_files: tuple[MovedFile, ...]
    gone_works: tuple[Work, ...]
    gone_files: tuple[WorkFile, ...]
    likely_renames: tuple[tuple[str, str], ...]

    def changes(self, *, remove_missing: bool) -> bool:
        """Whether the index would change.

        Args:
            remove_missing: whether works and files that are gone are removed.
        """
        plan = self.registration
        gone = remove_missing and (self.gone_works or self.gone_files)
        return bool(not plan.adds_nothing or plan.outdated_files or self.moved_files or gone)


def plan_sync(plan: RegistrationPlan, files: Iterable[WorkFile]) -> SyncPlan:
    """What making an index equal to a manifest would change.

    Args:
        plan: what adding the manifest would change.
        files: of the index.
    """
    missing_ids = {work.work_id for work in plan.missing_works}
    gone = [file for file in plan.missing_files if file.work_id not in missing_ids]
    by_bytes: dict[tuple[str, str, str], list[WorkFile]] = {}
    for file in gone:
        by_bytes.setdefault((file.work_id, file.file_id, _suffix(file.path)), []).append(file)
    moved, new = [], []
    for listed in plan.new_files:
        key = (listed.row.work.work_id, listed.file_id, _suffix(listed.row.path))
        same = by_bytes.get(key)
        if same:
            moved.append(MovedFile(listed, same.pop(0)))
        else:
            new.append(listed)
    stored = {one.stored for one in moved}
    return SyncPlan(
        replace(
            plan,
            new_files=tuple(new),
            unchanged_files=(*plan.unchanged_files, *(one.listed for one in moved)),
        ),
        tuple(moved),
        plan.missing_works,
        tuple(file for file in gone if file not in stored),
        tuple(_likely_renames(plan, files)),
    )


def _suffix(path: str) -> str:
    """By which it is decided how a text is read: with another one, a file is another file."""
    return PurePosixPath(path).suffix.lower()


def _likely_renames(plan: RegistrationPlan, files: Iterable[WorkFile]) -> Iterable[tuple[str, str]]:
    new_ids = {work.work_id for work in plan.new_works}
    of_new: dict[str, set[str]] = {}
    for listed in plan.new_files:
        if listed.row.work.work_id in new_ids:
            of_new.setdefault(listed.row.work.work_id, set()).add(listed.file_id)
    new_by_bytes: dict[frozenset[str], list[str]] = {}
    for work_id, ids in of_new.items():
        new_by_bytes.setdefault(frozenset(ids), []).append(work_id)
    of_gone: dict[str, set[str]] = {work.work_id: set() for work in plan.missing_works}
    for file in files:
        if file.work_id in of_gone:
            of_gone[file.work_id].add(file.file_id)
    for work_id, ids in of_gone.items():
        same = new_by_bytes.get(frozenset(ids), [])
        if len(same) == 1:
            yield work_id, same[0]
