"""The reasons of a row: sentences that a lawyer can read, the most important first.

They say what was found and what could not be looked at. They never say what it means in law.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.errors import Reason
from pipeline.core.records import Asset, Band, Evidence, Kind, Match, Outcome, StageOutcome
from pipeline.core.wording.visible import visible
from pipeline.risk.suppression import Ruling
from pipeline.stages import STAGES, Stage
from reference_index.interface import Work

OTHER_WORKS_NAMED = 3


@dataclass(frozen=True, slots=True)
class Judgement:
    """One match with what stands behind it.

    Attributes:
        match: the fused evidence.
        evidence: by stage name.
        band: of this match alone.
        uncounted: stages whose evidence the calibration does not know how to weigh.
        shown_only: stages whose evidence is not counted for the work's rights.
    """

    match: Match
    evidence: Mapping[str, Evidence]
    band: Band
    uncounted: tuple[str, ...]
    shown_only: tuple[str, ...] = ()


def reasons(
    asset: Asset,
    band: Band,
    outcomes: Sequence[StageOutcome],
    judged: Sequence[Judgement],
    works: Mapping[str, Work],
    works_compared: int,
    stages: Mapping[str, Stage],
    notes: Sequence[str],
    rulings: Mapping[str, Ruling] | None = None,
) -> tuple[str, ...]:
    """The sentences of one row. Arguments as in `pipeline.risk.fuse.fuse`; `judged` strongest
    first,
    `rulings` by work id.
    """
    said: list[str] = []
    rulings = rulings or {}
    if judged:
        counted = [j for j in judged if not _suppressed(j, rulings)]
        if counted:
            said += _of_match(counted[0], works[counted[0].match.work_id], stages)
            said += _of_others(counted[1:], works)
        said += _of_rulings(judged, works, rulings)
        fault = _fault(asset, outcomes)
        if fault is not None:
            said.append(f"The file itself was not screened: {fault}.")
    elif band is Band.NO_MATCH:
        said.append(f"No match found among {_works(works_compared)}.")
    elif band is Band.PARTLY_SCREENED:
        said.append(
            f"Partly screened: no match found among {_works(works_compared)} in what could be "
            "judged."
        )
    else:
        said.append(f"Not screened: {_why_not(asset, outcomes)}.")
    said += _not_run(outcomes)
    remarks = [stages[o.stage].remark(o.facts) for o in outcomes if o.stage in stages]
    said += [remark for remark in remarks if remark is not None]
    said += [f"{_phrase(note)}." for note in notes]
    return tuple(dict.fromkeys(said))


def _of_match(judgement: Judgement, work: Work, stages: Mapping[str, Stage]) -> list[str]:
    match = judgement.match
    lead = {
        Band.ESCALATE: "Escalate",
        Band.REVIEW: "Needs review",
        Band.INFO: "For information",
    }[judgement.band]
    holder = f", held by {visible(work.rightsholder)}" if work.rightsholder.strip() else ""
    named = f"{_title(work)}{holder}"
    if match.identical_file:
        what = f"the file is, byte for byte, a registered file of {named}"
    elif match.likeness_only:
        what = f"likeness to {named}, which no other evidence confirms"
    elif judgement.shown_only and judgement.band is Band.INFO:
        what = f"words shared with {named}"
    elif judgement.band is Band.INFO:
        what = f"weak evidence of copying from {named}"
    else:
        what = f"evidence of copying from {named}"
    said = [f"{lead}: {what}."]
    said += [stages[name].sentence(one) for name, one in judgement.evidence.items()]
    if judgement.uncounted:
        titles = ", ".join(title_of(name) for name in judgement.uncounted)
        said.append(
            f"The calibration gives no weight to this evidence, so a person must: {titles}."
        )
    if judgement.shown_only:
        titles = ", ".join(title_of(name) for name in judgement.shown_only)
        said.append(
            f"The register lists the work as {visible(work.rights.strip())}, so what {titles} "
            "found is shown and not counted; whether that covers this use is for a person to judge."
        )
    elif work.rights.strip() and work.rights.strip().lower() != "protected":
        said.append(
            f"The register lists the work as {visible(work.rights.strip())}; whether that covers "
            "this use is for a person to judge."
        )
    return said


def _suppressed(judgement: Judgement, rulings: Mapping[str, Ruling]) -> bool:
    ruling = rulings.get(judgement.match.work_id)
    return ruling is not None and ruling.suppresses


def _of_rulings(
    judged: Sequence[Judgement], works: Mapping[str, Work], rulings: Mapping[str, Ruling]
) -> list[str]:
    """A sentence for each match that people said is false, those that came back first."""
    spoken = [j for j in judged if j.match.work_id in rulings]
    spoken.sort(key=lambda j: _suppressed(j, rulings))
    return [
        rulings[j.match.work_id].sentence(_title(works[j.match.work_id]), j.match.risk, j.band)
        for j in spoken
    ]


def _of_others(judged: Sequence[Judgement], works: Mapping[str, Work]) -> list[str]:
    if not judged:
        return []
    named = [_title(works[j.match.work_id]) for j in judged[:OTHER_WORKS_NAMED]]
    more = len(judged) - len(named)
    listed = ", ".join(named) + (f" and {more:,} more" if more else "")
    if len(judged) == 1:
        return [f"1 other work has evidence as well: {listed}."]
    return [f"{len(judged):,} other works have evidence as well: {listed}."]


def _why_not(asset: Asset, outcomes: Sequence[StageOutcome]) -> str:
    fault = _fault(asset, outcomes)
    if fault is not None:
        return fault
    if asset.kind is Kind.OTHER or not _applying(outcomes):
        return "no stage judges files of this kind"
    if any(o.outcome in (Outcome.MATCHED, Outcome.NO_MATCH) for o in outcomes):
        return "there was no work to compare it with"
    return "no stage could judge it"


def _fault(asset: Asset, outcomes: Sequence[StageOutcome]) -> str | None:
    """Why the file could not be loaded, if so, known from discovery or from loading."""
    if asset.fault is not None:
        return _phrase(asset.fault.detail)
    details = (o.detail for o in outcomes if o.reason is Reason.NOT_LOADED)
    return next((_phrase(detail) for detail in details), None)


def _applying(outcomes: Sequence[StageOutcome]) -> list[StageOutcome]:
    return [o for o in outcomes if o.outcome is not Outcome.NOT_APPLICABLE]


def _not_run(outcomes: Sequence[StageOutcome]) -> list[str]:
    said = []
    for outcome in outcomes:
        if outcome.reason is Reason.NOT_LOADED:
            continue  # the file's own fault is said once, for all stages
        verb = {
            Outcome.ABSTAINED: "could not judge it",
            Outcome.SKIPPED: "was not run",
            Outcome.FAILED: "failed",
        }.get(outcome.outcome)
        if verb:
            title = title_of(outcome.stage)
            detail = f": {_phrase(outcome.detail)}" if outcome.detail.strip() else ""
            said.append(f"{title[:1].upper()}{title[1:]} {verb}{detail}.")
    return said


def title_of(stage: str) -> str:
    """A stage's title for people; its name if it is not registered."""
    return STAGES[stage].title if stage in STAGES else stage


def _title(work: Work) -> str:
    return f"“{visible(work.title)}” ({visible(work.work_id)})"


def _works(count: int) -> str:
    return f"{count:,} work{'' if count == 1 else 's'}"


def _phrase(text: str) -> str:
    """A detail or note without its final stop, on one line."""
    return visible(" ".join(text.split())).rstrip(".")
