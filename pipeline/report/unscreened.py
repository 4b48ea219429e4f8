"""Why files were not screened, or only in part: rows grouped by reason, with titles for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.errors import Reason
from pipeline.core.records import Band, Outcome, RiskRow
from pipeline.core.wording.text import BANDS, visible
from pipeline.results.table import urgency
from pipeline.risk.bands import partly_judged

REASONS: Mapping[Reason, str] = {
    Reason.EMPTY_FILE: "Empty file",
    Reason.UNREADABLE: "Could not be read",
    Reason.NOT_A_FILE: "Not a regular file",
    Reason.UNSUPPORTED: "Kind of file that no stage judges",
    Reason.SYSTEM_FILE: "File of an operating system",
    Reason.CORRUPT: "Damaged file",
    Reason.TOO_LARGE: "Too large",
    Reason.TIMED_OUT: "Took too long to decode",
    Reason.DECODER_DIED: "Broke the decoder",
    Reason.NO_DECODER: "No process to decode it in",
    Reason.ENCRYPTED: "Encrypted",
    Reason.NO_TEXT: "No text in it",
    Reason.TOO_LITTLE_DETAIL: "Too little detail to judge",
    Reason.TOO_FEW_WORDS: "Too few words to judge",
    Reason.SWITCHED_OFF: "A stage was switched off",
    Reason.NOT_IN_INDEX: "The index lacks a stage",
    Reason.NO_WORKS: "No works of this kind in the index",
    Reason.NO_WEIGHTS: "A model's weights were not there",
    Reason.STAGE_FAILED: "A stage broke",
    Reason.NOT_LOADED: "Could not be loaded",
    Reason.ARRIVING: "Still arriving",
}
"""Titles of the reasons."""


@dataclass(frozen=True, slots=True)
class Unscreened:
    """Rows that could not be screened for one reason; `rows` have a path, a band
    with its title, and sentences."""

    anchor: str
    title: str
    files: int
    rows: tuple[tuple[str, tuple[str, str], str], ...]


def unscreened_rows(rows: Iterable[RiskRow]) -> list[RiskRow]:
    """The rows that were not screened, or only in part, flagged ones among them."""
    bands = (Band.NOT_SCREENED, Band.PARTLY_SCREENED)
    return [row for row in rows if partly_judged(row) or row.band in bands]


def why_unscreened(row: RiskRow) -> tuple[str, str]:
    """Why a row was not screened or only in part, as the name and the title of a group: the fault
    of its file, or the reason of its first stage that did not run.
    """
    unrun = (Outcome.ABSTAINED, Outcome.SKIPPED, Outcome.FAILED)
    reason = next((o.reason for o in row.outcomes if o.reason and o.outcome in unrun), None)
    if row.asset.fault is not None:
        reason = row.asset.fault.reason
    if reason is not None:
        return str(reason), REASONS.get(reason, str(reason))
    if not row.complete:
        return "in_part", "A part of it was not looked at"
    return "other", "Nothing to compare with"


def unscreened_groups(rows: Sequence[RiskRow], limit: int) -> list[Unscreened]:
    """Rows grouped by reason, the commonest first; at most `limit` rows in all."""
    grouped: dict[tuple[str, str], list[RiskRow]] = {}
    for row in sorted(rows, key=urgency):
        grouped.setdefault(why_unscreened(row), []).append(row)
    sizes = Counter({why: len(group) for why, group in grouped.items()})
    groups, room = [], limit
    for (name, title), files in sizes.most_common():
        listed = grouped[name, title][:room]
        room -= len(listed)
        groups.append(
            Unscreened(
                anchor=f"why-{name}",
                title=title,
                files=files,
                rows=tuple(
                    (
                        visible(row.asset.asset_path),
                        (row.band.value, BANDS[row.band]),
                        visible(" ".join(row.reasons)),
                    )
                    for row in listed
                ),
            )
        )
    return groups


def reason_counts(rows: Iterable[RiskRow], band: Band) -> dict[str, int]:
    """How many rows of a band there are for each reason, by its title, the commonest first."""
    return dict(Counter(why_unscreened(row)[1] for row in rows if row.band is band).most_common())


def reasons_in_words(counted: Mapping[str, int]) -> str:
    """`empty file 1, damaged file 2`."""
    return ", ".join(f"{title[:1].lower()}{title[1:]} {n:,}" for title, n in counted.items())
