"""What a run said of the demo's drop, held against what the demo knows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.cli.demo.material import Planted, Truth
from pipeline.core.records import Band

FLAGGED = frozenset({Band.ESCALATE.value, Band.REVIEW.value})
NOT_JUDGED = frozenset({Band.NOT_SCREENED.value, Band.PARTLY_SCREENED.value})


class Said(StrEnum):
    """How a row stands to the truth; the value is the word that the demo prints."""

    FOUND = "found"
    FAINT = "faint"
    OTHER_WORK = "other work"
    MISSED = "missed"
    NOTHING = "no match"
    FALSE_ALARM = "false alarm"
    NOT_JUDGED = "not judged"
    MISJUDGED = "misjudged"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One file of the drop: the truth, the row's words, and how they agree."""

    planted: Planted
    band: str
    risk: float | None
    work_id: str | None
    said: Said

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain JSON values."""
        return {
            "asset_path": self.planted.asset_path,
            "what": self.planted.what,
            "truth": self.planted.truth.value,
            "truth_work_id": self.planted.work_id,
            "band": self.band,
            "risk": self.risk,
            "work_id": self.work_id,
            "verdict": self.said.value,
        }


def judge(planted: Planted, band: str, work_id: str | None) -> Said:
    """How one row agrees with the truth about its file."""
    if planted.truth is Truth.UNJUDGEABLE:
        return Said.NOT_JUDGED if band in NOT_JUDGED else Said.MISJUDGED
    if planted.truth is Truth.UNRELATED:
        if band in FLAGGED:
            return Said.FALSE_ALARM
        if band in NOT_JUDGED:
            return Said.NOT_JUDGED
        return Said.FAINT if band == Band.INFO.value else Said.NOTHING
    if band in FLAGGED:
        return Said.FOUND if work_id == planted.work_id else Said.OTHER_WORK
    if band == Band.INFO.value and work_id == planted.work_id:
        return Said.FAINT
    return Said.MISSED


def verdicts(
    planted: Sequence[Planted], rows: Mapping[str, Mapping[str, Any]]
) -> tuple[Verdict, ...]:
    """A verdict for each planted file; `rows` are the risk table's, by `asset_path`.

    Raises:
        ValueError: if the table lacks a planted file or holds another one.
    """
    if set(rows) != {file.asset_path for file in planted}:
        raise ValueError("the risk table does not hold exactly the files of the drop")
    found = []
    for file in planted:
        row = rows[file.asset_path]
        said = judge(file, row["band"], row["work_id"])
        found.append(Verdict(file, row["band"], row["risk"], row["work_id"], said))
    return tuple(found)


def conclusions(found: Sequence[Verdict]) -> list[str]:
    """Plain sentences: what was found, what was not, what was flagged wrongly, what was left."""
    copies = [v for v in found if v.planted.truth is Truth.COPY]
    others = [v for v in found if v.planted.truth is Truth.UNRELATED]
    hard = [v for v in found if v.planted.truth is Truth.UNJUDGEABLE]
    hits = [v for v in copies if v.said is Said.FOUND]
    sentences = [f"Found: {len(hits)} of {len(copies)} copies, each with the work it was made of."]
    sentences += [
        f"Not found: {v.planted.asset_path} ({v.planted.what}){_instead(v)}."
        for v in copies
        if v.said is not Said.FOUND
    ]
    alarms = [v for v in others if v.said is Said.FALSE_ALARM]
    sentences.append(
        f"Unrelated files: {len(others)}, of which {len(alarms)} flagged although nothing in them "
        "was copied."
    )
    sentences += [
        f"Flagged wrongly: {v.planted.asset_path} ({v.planted.what}), {v.band} on {v.work_id}."
        for v in alarms
    ]
    told = [v for v in hard if v.said is Said.NOT_JUDGED]
    sentences.append(
        f"Files that nobody could judge: {len(hard)}, of which {len(told)} say so in their row."
    )
    sentences += [
        f"Judged although it can't be: {v.planted.asset_path} ({v.planted.what}), {v.band}."
        for v in hard
        if v.said is Said.MISJUDGED
    ]
    return sentences


def _instead(verdict: Verdict) -> str:
    if verdict.said is Said.FAINT:
        return ": only a faint likeness was noted, in the band info"
    if verdict.said is Said.OTHER_WORK:
        return f": flagged, but {verdict.work_id} was named in place of {verdict.planted.work_id}"
    return f": its row stands in the band {verdict.band}"
