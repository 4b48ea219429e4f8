"""What `clearance index add` and `sync` did, or would do, in a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.cli.output import print_text
from pipeline.core.wording.text import capitalized, count

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.screening.register import Registration
    from pipeline.screening.sync import SyncCheck, Synchronised
    from pipeline.screening.works_check import WorksCheck
    from reference_index.registration_plan import RegistrationPlan

LISTED = 20
"""Lines of one kind that are printed; `--json` lists all."""


def print_check(check: WorksCheck) -> None:
    """Prints what adding a manifest would change, each new, changed or bad thing by name."""
    _print_remarks(check.notes, check.warnings)
    _print_plan(check.plan, "the index keeps the earlier ones beside them")
    _print_unchanged(check.plan)
    _listed(f"{count(len(check.problems), 'row')} that can't be used", check.problems, every=True)
    print_text(f"Nothing was added (--check). The index is at version {check.version}.")


def _print_plan(plan: RegistrationPlan, earlier: str) -> None:
    """Prints what is new and what changed; `earlier` says what becomes of the bytes before."""
    _listed(
        count(len(plan.new_works), "new work"),
        [f"{work.work_id}: {work.title}" for work in plan.new_works],
    )
    _listed(
        count(len(plan.changed_works), "work") + " with new details",
        [f"{change.after.work_id}: {', '.join(change.fields)}" for change in plan.changed_works],
    )
    _listed(
        count(len(plan.new_files), "new file"),
        [f"{file.row.path} of {file.row.work.work_id}" for file in plan.new_files],
    )
    _listed(
        count(len(plan.changed_files), "file") + f" with other bytes than the index has; {earlier}",
        [
            f"{change.listed.row.path} of {change.listed.row.work.work_id}"
            for change in plan.changed_files
        ],
    )


def _print_unchanged(plan: RegistrationPlan) -> None:
    if plan.unchanged_files:
        print_text(f"{count(len(plan.unchanged_files), 'file')} unchanged.")


def _fate(number: int, *, removed: bool) -> str:
    """What becomes of so many works or files that are gone from a manifest."""
    if removed:
        return "removed"
    return f"kept (--remove-missing removes {'it' if number == 1 else 'them'})"


def print_sync_plan(index: Path, checked: SyncCheck, *, check: bool) -> None:
    """Prints what making an index equal to a manifest changes: what is new, changed and gone.

    Args:
        index: path of the index.
        checked: the manifest compared with the index.
        check: whether that is all.
    """
    plan, problems = checked.plan, checked.check.problems
    _print_remarks(checked.check.notes, checked.check.warnings)
    _print_plan(plan.registration, "they take the place of the earlier ones")
    _listed(
        count(len(plan.moved_files), "file") + " with another path and the same bytes",
        [
            f"{one.stored.path} of {one.stored.work_id}: now {one.listed.row.path}"
            for one in plan.moved_files
        ],
    )
    if checked.gone_is_known:
        every = checked.remove_missing
        _listed(
            f"{count(len(plan.gone_works), 'work')} gone from the manifest, "
            + _fate(len(plan.gone_works), removed=every),
            [f"{work.work_id}: {work.title}" for work in plan.gone_works],
            every=every,
        )
        _listed(
            f"{count(len(plan.gone_files), 'file')} gone from works that stay, "
            + _fate(len(plan.gone_files), removed=every),
            [f"{file.path} of {file.work_id}" for file in plan.gone_files],
            every=every,
        )
        _capped(
            [
                f"note: {old} is gone and {new} is new, with the same files; if it is the same "
                f"work, rename it first, so that what was decided on it goes on counting: "
                f"clearance index rename {shlex.join([str(index), old, new])}"
                for old, new in plan.likely_renames
            ]
        )
    else:
        print_text("Which works and files are gone is known only when every row can be used.")
    _print_unchanged(plan.registration)
    _listed(f"{count(len(problems), 'row')} that can't be used", problems, every=True)
    if check:
        equal = "" if checked.changes else "There is nothing to change. "
        print_text(
            f"{equal}Nothing was done (--check). The index is at version {checked.check.version}."
        )


def print_sync(done: Synchronised) -> None:
    """Prints what was changed."""
    registered = done.registered
    _capped([f"note: {note}" for note in registered.notes[len(done.checked.check.notes) :]])
    for problem in registered.problems:
        print_text(f"left out: {problem}")
    print_text(
        f"{capitalized(done.change or 'there was nothing to change')}. "
        f"The index is at version {registered.version}."
    )


def print_registration(added: Registration) -> None:
    """Prints what was added."""
    _print_remarks(added.notes, added.warnings)
    for problem in added.problems:
        print_text(f"left out: {problem}")
    reused = f" ({added.reused:,} fingerprinted by an earlier try)" if added.reused else ""
    already = f"; {count(added.unchanged, 'was', 'were')} there already" if added.unchanged else ""
    left_out = f"; {len(added.problems):,} left out" if added.problems else ""
    works = f" of {count(added.works, 'new work')}" if added.works else ""
    files = count(added.files, "file") if added.files else "no files"
    print_text(
        f"Added {files}{reused}{works}{already}{left_out}. The index is at version {added.version}."
    )


def _print_remarks(notes: Sequence[str], warnings: Sequence[str]) -> None:
    _capped([f"note: {note}" for note in notes])
    _capped([f"warning: {warning}" for warning in warnings])


def _listed(heading: str, items: Sequence[str], *, every: bool = False) -> None:
    if not items:
        return
    print_text(f"{heading}:")
    _capped([f"  {item}" for item in items], most=len(items) if every else LISTED)


def _capped(lines: Sequence[str], most: int = LISTED) -> None:
    for line in lines[:most]:
        print_text(line)
    if len(lines) > most:
        print_text(f"  … and {len(lines) - most:,} more (--json lists all)")
