"""Verdicts on the demo's run: each row of the risk table compared with the ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.cli.demo.material import Planted, Truth
from pipeline.core.records import Band

FLAGGED = frozenset({Band.ESCALATE.value, Band.REVIEW.value})
NOT_JUDGED = frozenset({Band.NOT_SCREENED.value, Band.PARTLY_SCREENED.value})


class VerdictKind(StrEnum):
    """How a row compares with the truth; the value is the word that the demo prints."""

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
    """One file of the drop: the truth, the row's values, and how they compare."""

    planted: Planted
    band: str
    risk: float | None
    work_id: str | None
    kind: VerdictKind

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
            "verdict": self.kind.value,
        }


def judge(planted: Planted, band: str, work_id: str | None) -> VerdictKind:
    """How one row compares with the truth about its file."""
    if planted.truth is Truth.UNJUDGEABLE:
        return VerdictKind.NOT_JUDGED if band in NOT_JUDGED else VerdictKind.MISJUDGED
    if planted.truth is Truth.UNRELATED:
        if band in FLAGGED:
            return VerdictKind.FALSE_ALARM
        if band in NOT_JUDGED:
            return VerdictKind.NOT_JUDGED
        return VerdictKind.FAINT if band == Band.INFO.value else VerdictKind.NOTHING
    if band in FLAGGED:
        return VerdictKind.FOUND if work_id == planted.work_id else VerdictKind.OTHER_WORK
    if band == Band.INFO.value and work_id == planted.work_id:
        return VerdictKind.FAINT
    return VerdictKind.MISSED


def verdicts(
    planted: Sequence[Planted], rows: Mapping[str, Mapping[str, Any]]
) -> tuple[Verdict, ...]:
    """A verdict for each planted file; `rows` are the risk table's, by `asset_path`.

    Raises:
        ValueError: if the table lacks a planted file or holds another one.
    """
    if set(rows) != {file.asset_path for file in planted}:
        raise ValueError("the risk table does not hold exactly the files of the drop")
    result = []
    for file in planted:
        row = rows[file.asset_path]
        kind = judge(file, row["band"], row["work_id"])
        result.append(Verdict(file, row["band"], row["risk"], row["work_id"], kind))
    return tuple(result)


def conclusions(all_verdicts: Sequence[Verdict]) -> list[str]:
    """Sentences on copies found and missed, false alarms, and files that can't be judged."""
    copies = [v for v in all_verdicts if v.planted.truth is Truth.COPY]
    unrelated = [v for v in all_verdicts if v.planted.truth is Truth.UNRELATED]
    unjudgeable = [v for v in all_verdicts if v.planted.truth is Truth.UNJUDGEABLE]
    hits = [v for v in copies if v.kind is VerdictKind.FOUND]
    found = f"Found: {len(hits)} of {len(copies)} copies"
    sentences = [f"{found}, each with the work it was made from."]
    sentences += [
        f"Not found: {v.planted.asset_path} ({v.planted.what}){_instead(v)}."
        for v in copies
        if v.kind is not VerdictKind.FOUND
    ]
    alarms = [v for v in unrelated if v.kind is VerdictKind.FALSE_ALARM]
    sentences.append(
        f"Unrelated files: {len(unrelated)}, of which {len(alarms)} flagged although nothing in "
        "them was copied."
    )
    sentences += [
        f"Flagged wrongly: {v.planted.asset_path} ({v.planted.what}), {v.band} on {v.work_id}."
        for v in alarms
    ]
    not_judged = [v for v in unjudgeable if v.kind is VerdictKind.NOT_JUDGED]
    sentences.append(
        f"Files that can't be judged: {len(unjudgeable)}, of which {len(not_judged)} "
        f"{'has' if len(not_judged) == 1 else 'have'} a row that says so."
    )
    sentences += [
        f"Judged although it can't be judged: {v.planted.asset_path} ({v.planted.what}), {v.band}."
        for v in unjudgeable
        if v.kind is VerdictKind.MISJUDGED
    ]
    return sentences


def _instead(verdict: Verdict) -> str:
    if verdict.kind is VerdictKind.FAINT:
        return ": only weak evidence was found, in the band info"
    if verdict.kind is VerdictKind.OTHER_WORK:
        return f": flagged, but for {verdict.work_id} instead of {verdict.planted.work_id}"
    return f": its row is in the band {verdict.band}"
