"""The sentences of a row's `reasons`, the most important first.

They say what was found and what could not be judged. They never say what it means in law.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.errors import Reason
from pipeline.core.records import Asset, Band, Evidence, Kind, Match, Outcome, StageOutcome
from pipeline.core.wording.text import capitalized, count, visible
from pipeline.risk.suppression import Effect
from pipeline.stages import Stage, stage_title
from reference_index.interface import Work

OTHER_WORKS_NAMED = 3
"""Further works that are named; a longer list hides the sentences below it."""

_LEAD = {
    Band.ESCALATE: "Escalate",
    Band.REVIEW: "Needs review",
    Band.INFO: "For information",
}


@dataclass(frozen=True, slots=True)
class ScoredMatch:
    """A match with the evidence that its risk was computed from.

    Attributes:
        match: the fused evidence.
        evidence: by stage name.
        band: of this match by itself, regardless of other matches of the asset.
        unweighted: names of stages whose evidence the calibration has no weight for.
        uncounted: names of stages whose evidence adds nothing because of the work's rights.
    """

    match: Match
    evidence: Mapping[str, Evidence]
    band: Band
    unweighted: tuple[str, ...]
    uncounted: tuple[str, ...] = ()


def reasons(
    asset: Asset,
    band: Band,
    outcomes: Sequence[StageOutcome],
    matches: Sequence[ScoredMatch],
    works: Mapping[str, Work],
    works_compared: int,
    stages: Mapping[str, Stage],
    notes: Sequence[str],
    effects: Mapping[str, tuple[Effect, ...]] | None = None,
) -> tuple[str, ...]:
    """The sentences of one row.

    Args:
        band: of the row.
        matches: of the asset, strongest first.
        effects: by work id, what decisions that a match is false, and rules, do to it.
        asset, outcomes, works, works_compared, stages, notes: as in `pipeline.risk.fuse.fuse`.
    """
    sentences: list[str] = []
    effects = effects or {}
    if matches:
        counted = [one for one in matches if not _suppressed(one, effects)]
        if counted:
            sentences += _strongest_match(counted[0], works[counted[0].match.work_id], stages)
            sentences += _other_matches(counted[1:], works)
        sentences += _suppressions(matches, works, effects)
        fault = _fault(asset, outcomes)
        if fault is not None:
            sentences.append(f"The file itself was not screened: {fault}.")
    elif band is Band.NO_MATCH:
        sentences.append(f"No match found among {count(works_compared, 'work')}.")
    elif band is Band.PARTLY_SCREENED:
        sentences.append(
            f"Partly screened: no match found among {count(works_compared, 'work')} in what could "
            "be judged."
        )
    else:
        sentences.append(f"Not screened: {_why_not_screened(asset, outcomes)}.")
    sentences += _stages_that_did_not_run(outcomes)
    remarks = [stages[o.stage].remark(o.facts) for o in outcomes if o.stage in stages]
    sentences += [remark for remark in remarks if remark is not None]
    sentences += [f"{_phrase(note)}." for note in notes]
    return tuple(dict.fromkeys(sentences))


def _strongest_match(scored: ScoredMatch, work: Work, stages: Mapping[str, Stage]) -> list[str]:
    match = scored.match
    holder = f", held by {visible(work.rightsholder)}" if work.rightsholder.strip() else ""
    named = f"{_title(work)}{holder}"
    if match.identical_file:
        what = f"the file is, byte for byte, a registered file of {named}"
    elif match.likeness_only:
        what = f"likeness to {named}, which no other evidence confirms"
    elif scored.uncounted and scored.band is Band.INFO:
        what = f"words shared with {named}"
    elif scored.band is Band.INFO:
        what = f"weak evidence of copying from {named}"
    else:
        what = f"evidence of copying from {named}"
    sentences = [f"{_LEAD[scored.band]}: {what}."]
    sentences += [stages[name].sentence(one) for name, one in scored.evidence.items()]
    if scored.unweighted:
        titles = ", ".join(stage_title(name) for name in scored.unweighted)
        sentences.append(
            f"The calibration gives no weight to this evidence, so a person must: {titles}."
        )
    if scored.uncounted:
        titles = ", ".join(stage_title(name) for name in scored.uncounted)
        sentences.append(
            f"The register lists the work as {visible(work.rights.strip())}, so what {titles} "
            "found is shown and not counted; whether that covers this use is for a person to judge."
        )
    elif work.rights.strip() and work.rights.strip().lower() != "protected":
        sentences.append(
            f"The register lists the work as {visible(work.rights.strip())}; whether that covers "
            "this use is for a person to judge."
        )
    return sentences


def _suppressed(scored: ScoredMatch, effects: Mapping[str, tuple[Effect, ...]]) -> bool:
    return any(one.suppresses for one in effects.get(scored.match.work_id, ()))


def _suppressions(
    matches: Sequence[ScoredMatch],
    works: Mapping[str, Work],
    effects: Mapping[str, tuple[Effect, ...]],
) -> list[str]:
    """The sentences on matches that were decided to be false, or that a rule covers; first of those
    that count again.
    """
    decided = [one for one in matches if one.match.work_id in effects]
    decided.sort(key=lambda one: _suppressed(one, effects))
    return [
        effect.sentence(_title(works[one.match.work_id]), one.match.risk, one.band)
        for one in decided
        for effect in effects[one.match.work_id]
    ]


def _other_matches(matches: Sequence[ScoredMatch], works: Mapping[str, Work]) -> list[str]:
    if not matches:
        return []
    titles = [_title(works[one.match.work_id]) for one in matches[:OTHER_WORKS_NAMED]]
    more = len(matches) - len(titles)
    listed = ", ".join(titles) + (f" and {more:,} more" if more else "")
    if len(matches) == 1:
        return [f"1 other work has evidence as well: {listed}."]
    return [f"{len(matches):,} other works have evidence as well: {listed}."]


def _why_not_screened(asset: Asset, outcomes: Sequence[StageOutcome]) -> str:
    fault = _fault(asset, outcomes)
    if fault is not None:
        return fault
    if asset.kind is Kind.OTHER or all(o.outcome is Outcome.NOT_APPLICABLE for o in outcomes):
        return "no stage judges files of this kind"
    if any(o.outcome in (Outcome.MATCHED, Outcome.NO_MATCH) for o in outcomes):
        return "there was no work to compare it with"
    return "no stage could judge it"


def _fault(asset: Asset, outcomes: Sequence[StageOutcome]) -> str | None:
    """Why the file could not be read, in discovery or in loading; None if it could."""
    if asset.fault is not None:
        return _phrase(asset.fault.detail)
    details = (o.detail for o in outcomes if o.reason is Reason.NOT_LOADED)
    return next((_phrase(detail) for detail in details), None)


def _stages_that_did_not_run(outcomes: Sequence[StageOutcome]) -> list[str]:
    sentences = []
    for outcome in outcomes:
        if outcome.reason is Reason.NOT_LOADED:
            continue  # the file's fault has a sentence of its own, for all stages
        verb = {
            Outcome.ABSTAINED: "could not judge it",
            Outcome.SKIPPED: "was not run",
            Outcome.FAILED: "failed",
        }.get(outcome.outcome)
        if verb:
            title = stage_title(outcome.stage)
            detail = f": {_phrase(outcome.detail)}" if outcome.detail.strip() else ""
            sentences.append(f"{capitalized(title)} {verb}{detail}.")
    return sentences


def _title(work: Work) -> str:
    return f"“{visible(work.title)}” ({visible(work.work_id)})"


def _phrase(text: str) -> str:
    """A detail or note on one line, without its full stop."""
    return visible(" ".join(text.split())).rstrip(".")
