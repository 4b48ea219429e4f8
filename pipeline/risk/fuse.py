"""Fusion: all stages' evidence on one asset to a calibrated risk, a band, and reasons.

How a risk comes about and how the bands follow from it: docs/risk.md.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.core.errors import Reason
from pipeline.core.records import (
    Asset,
    Band,
    Evidence,
    Kind,
    Match,
    Outcome,
    RiskRow,
    StageOutcome,
    Value,
)
from pipeline.risk.bands import Bands
from pipeline.risk.calibration import Calibration, KindModel, risk_of
from pipeline.risk.reasons import Judgement, reasons
from pipeline.risk.suppression import FalseMatches
from pipeline.stages import Stage
from reference_index.interface import Work

IDENTICAL_FILE = "identical_file"
"""Name of the contribution that identity of bytes makes, beside those of the stages."""

IDENTICAL_RISK = 0.999
"""Least risk of an asset whose bytes are a registered file's: a rule, not an estimate."""

RAN = (Outcome.MATCHED, Outcome.NO_MATCH)
DID_NOT_RUN = (Outcome.ABSTAINED, Outcome.SKIPPED, Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class Step:
    """One bar of a waterfall from the prior to the risk.

    Attributes:
        name: `prior`, a stage's name, `identical_file` or `total`.
        added: log-odds (nats) that it adds; for `total`, their sum.
        log_odds: after it.
        risk: after it.
    """

    name: str
    added: float
    log_odds: float
    risk: float


def explain_contributions(prior: float, contributions: Mapping[str, float]) -> tuple[Step, ...]:
    """The steps from the prior, over each contribution in its order, to the total.

    Args:
        prior: log-odds (nats) of a pair without evidence, of the calibration's model for the
            asset's kind.
        contributions: as in `Match`.

    Returns:
        `prior`, each contribution, `total`; the last `risk` is the match's.
    """
    steps = [Step("prior", prior, prior, risk_of(prior))]
    total = prior
    for name, added in contributions.items():
        total += added
        steps.append(Step(name, added, total, risk_of(total)))
    return (*steps, Step("total", total, total, risk_of(total)))


def fuse(
    asset: Asset,
    outcomes: Sequence[StageOutcome],
    calibration: Calibration,
    bands: Bands,
    works: Mapping[str, Work],
    file_ids: Mapping[str, frozenset[str]],
    works_compared: int,
    *,
    stages: Mapping[str, Stage],
    not_counted: Mapping[str, Collection[str]] | None = None,
    notes: Sequence[str] = (),
    complete: bool = True,
    false_matches: FalseMatches | None = None,
) -> RiskRow:
    """One row of the risk table.

    Args:
        asset: the discovered file.
        outcomes: one of each registered stage, in the order in which they run.
        calibration: what measures say in log-odds.
        bands: cuts on the risk.
        works: every work of the index, by work id.
        file_ids: by work id, SHA-256 (hex) of each of its files.
        works_compared: how many works some stage compared the asset with.
        stages: by name, the stages that ran.
        not_counted: by stage, rights (lower case) of works whose evidence adds nothing.
        notes: sentences on what loading had to do or leave out.
        complete: whether loading left out nothing that is content.
        false_matches: matches that people agreed are false; those still covered decide nothing.

    Raises:
        KeyError: if evidence names a work or a stage that is not given.
    """
    model = None if asset.kind is Kind.OTHER else calibration.kinds[asset.kind]
    judged = sorted(
        (
            _judge(
                works[work_id], evidence, asset, model, bands, file_ids, stages, not_counted or {}
            )
            for work_id, evidence in _by_work(asset, outcomes, file_ids).items()
        ),
        key=lambda j: (
            _URGENCY[j.band],
            -j.match.risk,
            not j.match.identical_file,
            j.match.work_id,
        ),
    )
    rulings = (
        false_matches.rulings(asset, ((j.match.work_id, j.match.risk, j.band) for j in judged))
        if false_matches is not None
        else {}
    )
    suppressed = {work_id for work_id, ruling in rulings.items() if ruling.suppresses}
    counted = [j for j in judged if j.match.work_id not in suppressed]
    risk: float | None = None
    if counted:
        band, risk = counted[0].band, counted[0].match.risk
    elif judged:
        # Evidence was found, so it is never no_match; no figure is true of it.
        band = Band.INFO
    else:
        band = _band_without_evidence(asset, outcomes, works_compared, complete)
        # Where a stage could not judge, nothing found says nothing: no figure is better than one.
        risk = risk_of(model.prior) if band is Band.NO_MATCH and model is not None else None
    return RiskRow(
        asset=asset,
        band=band,
        risk=risk,
        reasons=reasons(
            asset, band, outcomes, judged, works, works_compared, stages, notes, rulings
        ),
        outcomes=tuple(outcomes),
        matches=tuple(
            replace(j.match, band=j.band, suppressed=j.match.work_id in suppressed) for j in judged
        ),
        works_compared=works_compared,
        complete=complete,
        lapsed=tuple(work_id for work_id in rulings if work_id not in suppressed),
    )


_URGENCY = {Band.ESCALATE: 0, Band.REVIEW: 1, Band.INFO: 2}


def _by_work(
    asset: Asset, outcomes: Sequence[StageOutcome], file_ids: Mapping[str, frozenset[str]]
) -> dict[str, dict[str, Evidence]]:
    """By work id, then stage name, the evidence; a work that has the very file is among them."""
    found: dict[str, dict[str, Evidence]] = {}
    for outcome in outcomes:
        for evidence in outcome.evidence:
            found.setdefault(evidence.work_id, {})[outcome.stage] = evidence
    if asset.asset_id is not None:
        for work_id, ids in file_ids.items():
            if asset.asset_id in ids:
                found.setdefault(work_id, {})
    return found


def _judge(
    work: Work,
    evidence: Mapping[str, Evidence],
    asset: Asset,
    model: KindModel | None,
    bands: Bands,
    file_ids: Mapping[str, frozenset[str]],
    stages: Mapping[str, Stage],
    not_counted: Mapping[str, Collection[str]],
) -> Judgement:
    work_id, rights = work.work_id, work.rights.strip().lower()
    prior = model.prior if model is not None else 0.0
    contributions = (
        model.contributions({name: one.measures for name, one in evidence.items()})
        if model is not None
        else {}
    )
    identical = asset.asset_id is not None and asset.asset_id in file_ids.get(work_id, frozenset())
    shown_only = tuple(name for name in evidence if rights in not_counted.get(name, ()))
    contributions |= dict.fromkeys(shown_only, 0.0)
    uncounted = tuple(name for name in evidence if name not in contributions)
    log_odds = prior + math.fsum(contributions.values())
    if identical and risk_of(log_odds) < IDENTICAL_RISK:
        least = math.log(IDENTICAL_RISK / (1.0 - IDENTICAL_RISK))
        contributions[IDENTICAL_FILE] = least - log_odds
        log_odds = least
    measures: dict[str, Value] = {}
    for one in evidence.values():
        measures.update(one.measures)
    likeness_only = not identical and not any(stages[name].shows_copying for name in evidence)
    match = Match(
        work_id=work_id,
        risk=risk_of(log_odds),
        contributions=contributions,
        measures=measures,
        work_files={name: one.work_file for name, one in evidence.items()},
        passages=tuple(passage for one in evidence.values() for passage in one.passages),
        identical_file=identical,
        likeness_only=likeness_only,
    )
    band = _band_of(match, bands, bool(uncounted))
    return Judgement(match, evidence, band, uncounted, shown_only)


def _band_of(match: Match, bands: Bands, uncounted: bool) -> Band:
    if match.identical_file:
        return Band.ESCALATE
    if match.risk >= bands.escalate:
        return Band.REVIEW if match.likeness_only else Band.ESCALATE
    # Evidence that the calibration can't weigh is for a person to weigh.
    return Band.REVIEW if uncounted or match.risk >= bands.review else Band.INFO


def in_part(row: RiskRow) -> bool:
    """Whether something of the file was not judged: a part of it was not looked at, or a stage
    that applies did not run.
    """
    return not row.complete or any(o.outcome in DID_NOT_RUN for o in row.outcomes)


def _band_without_evidence(
    asset: Asset, outcomes: Sequence[StageOutcome], works_compared: int, complete: bool
) -> Band:
    if asset.fault is not None or asset.kind is Kind.OTHER:
        return Band.NOT_SCREENED
    ran = [o for o in outcomes if o.outcome in RAN]
    if not ran or works_compared == 0:
        return Band.NOT_SCREENED
    if not complete or any(
        o.outcome in DID_NOT_RUN or o.reason is Reason.NOT_LOADED for o in outcomes
    ):
        return Band.PARTLY_SCREENED
    return Band.NO_MATCH
