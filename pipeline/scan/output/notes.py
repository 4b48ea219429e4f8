"""Sentences on a scan, for its page, summary and terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.core.records import Band
from pipeline.core.wording.text import count, suppressed_sentences, visible
from pipeline.scan.listing import Listing
from pipeline.scan.output.delta import Change
from pipeline.screening.recorded import Recorded, RecordUse

TITLES: Mapping[Change, str] = {
    Change.NEW: "new",
    Change.NEWLY_FLAGGED: "newly flagged",
    Change.RISEN: "risen",
    Change.ANOTHER_WORK: "flagged for another work",
    Change.NEWLY_NOT_SCREENED: "newly not screened",
    Change.FALLEN: "fallen",
    Change.NEWLY_SCREENED: "now screened",
    Change.OTHER_BYTES: "content changed",
    Change.MOVED: "moved",
    Change.GONE: "no longer present",
}
"""Titles of the kinds of change."""


def moved_from(row: Mapping[str, Any]) -> str:
    """Where a changed file was before, as the end of its cause; empty if it was not moved.

    Args:
        row: of the table of changes.
    """
    before = row["asset_path_before"]
    if before is None or before == row["asset_path"]:
        return ""
    return f"; before it was {visible(before)}"


def unreachable_notes(listing: Listing) -> tuple[str, ...]:
    """A sentence for each drop, and each folder of one, that could not be read."""
    drops = (
        f"The drop {one.drop} could not be read: {visible(one.why)} Its {_unchanged(one.files)}."
        for one in listing.unreachable
    )
    folders = (
        f"The folder {visible(path)} could not be read; its {_unchanged(files)}."
        for path, files in listing.unreadable_folders.items()
    )
    return (*drops, *folders)


def _unchanged(files: int) -> str:
    stay = "stays as it was" if files == 1 else "stay as they were"
    return f"{count(files, 'file')} {stay} last read"


def arriving_notes(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence on files that are still arriving, from a scan's summary; none if there are none.
    It counts them apart from other files that were not screened.
    """
    arriving = summary["still_arriving"]
    if not arriving:
        return ()
    others = summary["counts"][Band.NOT_SCREENED] - arriving
    one = f"{count(arriving, 'file is', 'files are')} still arriving and "
    waits = "waits" if arriving == 1 else "wait"
    rest = f"; {count(others, 'other was', 'others were')} not screened" if others else ""
    return (f"{one}{waits} for the next scan{rest}.",)


def suppressed_notes(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Sentences on suppressed matches, from a scan's summary."""
    lapsed = summary["no_longer_suppressed"]
    by_rules = summary.get("suppressed_by_rules", 0)  # absent in earlier releases
    notes = suppressed_sentences(summary["suppressed"], by_rules)
    if lapsed:
        notes.append(
            f"{count(lapsed, 'match counts', 'matches count')} again, because the band is another "
            "one than people decided on."
        )
    return tuple(notes)


def record_notes(recorded: Recorded, named: bool) -> tuple[str, ...]:
    """Sentences on the record of decisions that a reader must know.

    Args:
        recorded: what was taken from it.
        named: whether somebody named it, and so takes it to be there.
    """
    if recorded.use is RecordUse.UNUSABLE:
        said = "No match was suppressed, because the record of decisions could not be used"
        return (f"{said}: {visible(recorded.why)}",)
    if recorded.use is RecordUse.NONE and named:
        return ("The record of decisions that was named is not there yet; the first decision "
                "makes it.",)  # fmt: skip
    return (visible(recorded.why),) if recorded.why else ()
