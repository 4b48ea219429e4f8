"""What `clearance index add` did, or would do, in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.cli.output import print_text
from pipeline.core.wording.text import count

if TYPE_CHECKING:
    from pipeline.screening.register import Registration
    from pipeline.screening.works_check import WorksCheck

LISTED = 20
"""Lines of one kind that are printed; `--json` lists all."""


def print_check(check: WorksCheck) -> None:
    """Prints what adding a manifest would change, each new, changed or bad thing by name."""
    plan = check.plan
    _print_remarks(check.notes, check.warnings)
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
        count(len(plan.changed_files), "file")
        + " with other bytes than the index has; the index keeps the earlier ones beside them",
        [
            f"{change.listed.row.path} of {change.listed.row.work.work_id}"
            for change in plan.changed_files
        ],
    )
    print_text(f"{count(len(plan.unchanged_files), 'file')} unchanged.")
    _listed(f"{count(len(check.problems), 'row')} that can't be used", check.problems, every=True)
    print_text(f"Nothing was added (--check). The index is at version {check.version}.")


def print_registration(added: Registration) -> None:
    """Prints what was added."""
    _print_remarks(added.notes, added.warnings)
    for problem in added.problems:
        print_text(f"left out: {problem}")
    reused = f" ({added.reused:,} fingerprinted by an earlier try)" if added.reused else ""
    already = f"; {count(added.unchanged, 'was', 'were')} there already" if added.unchanged else ""
    left_out = f"; {len(added.problems):,} left out" if added.problems else ""
    print_text(
        f"Added {count(added.files, 'file')}{reused} of {count(added.works, 'new work')}"
        f"{already}{left_out}. The index is at version {added.version}."
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
