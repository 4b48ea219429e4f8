"""Fusion: the evidence of all stages on one asset becomes a calibrated risk, a band, and reasons.

A worked example, with a calibration for pictures that has the prior -5.0 nats (risk 0.0067). An
asset has evidence against two works:

    work   perceptual_hash  clip_embedding  log-odds            risk   band (cuts 0.9 and 0.3)
    w1     6.0 nats         3.0 nats        -5 + 6 + 3 =  4.0   0.982  escalate
    w2     no evidence      4.5 nats        -5 + 4.5   = -0.5   0.378  review: likeness only

The row names w1, its strongest match, with its risk and band; both matches are in the table. If
people decide that w1 is a false match, w2 is the strongest that is left, and the row is `review` at
0.378. If the asset's bytes are those of a file of w2, w2 gains the contribution `identical_file`
of 6.907 + 0.5 = 7.407 nats, which lifts its risk to 0.999, and its band is `escalate`.

docs/risk.md has the rules, and what a risk means.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.core.records import (
    Asset,
    Band,
    Evidence,
    Kind,
    Match,
    RiskRow,
    StageOutcome,
    Value,
)
from pipeline.risk.bands import URGENCY, Bands, match_band, row_band
from pipeline.risk.calibration import Calibration, KindModel, risk_of
from pipeline.risk.reasons import ScoredMatch, reasons
from pipeline.risk.suppression import Suppressions
from pipeline.stages import Stage
from reference_index.interface import Work

IDENTICAL_FILE = "identical_file"
"""Name of the contribution of identical bytes, among those of the stages."""

IDENTICAL_RISK = 0.999
"""Least risk of an asset whose bytes are a registered file's: a rule, not an estimate. Below 1, so
that its log-odds are finite and the waterfall can draw them."""


@dataclass(frozen=True, slots=True)
class WaterfallStep:
    """One bar of a waterfall chart from the prior to the risk.

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


def explain_contributions(
    prior: float, contributions: Mapping[str, float]
) -> tuple[WaterfallStep, ...]:
    """The steps from the prior, over each contribution in its order, to the total.

    Args:
        prior: log-odds (nats) of a pair without evidence, of the calibration's model for the
            asset's kind.
        contributions: as in `Match`.

    Returns:
        `prior`, each contribution, `total`; the last `risk` is the match's.
    """
    steps = [WaterfallStep("prior", prior, prior, risk_of(prior))]
    total = prior
    for name, added in contributions.items():
        total += added
        steps.append(WaterfallStep(name, added, total, risk_of(total)))
    return (*steps, WaterfallStep("total", total, total, risk_of(total)))


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
    suppressions: Suppressions | None = None,
) -> RiskRow:
    """One row of the risk table.

    Args:
        asset: the discovered file.
        outcomes: one of each registered stage, in the order in which they run.
        calibration: turns measures into log-odds.
        bands: cuts on the risk.
        works: every work of the index, by work id.
        file_ids: by work id, SHA-256 (hex) of each of its files.
        works_compared: how many works some stage compared the asset with.
        stages: by name, the stages that ran.
        not_counted: by stage, rights (lower case) of works whose evidence adds nothing.
        notes: sentences on what loading had to change or leave out.
        complete: whether loading left out no content.
        suppressions: decisions that a match is false, and rules that suppress. The matches that
            they cover stay in the row, and do not count for its band and risk.

    Raises:
        KeyError: if evidence names a work that `works` lacks, or a stage that `stages` lacks.
    """
    model = None if asset.kind is Kind.OTHER else calibration.kinds[asset.kind]
    matches = sorted(
        (
            _scored(
                works[work_id], evidence, asset, model, bands, file_ids, stages, not_counted or {}
            )
            for work_id, evidence in _by_work(asset, outcomes, file_ids).items()
        ),
        key=lambda one: (
            URGENCY[one.band],
            -one.match.risk,
            not one.match.identical_file,
            one.match.work_id,
        ),
    )
    effects = (
        suppressions.effects(asset, [(m.match.work_id, m.match.risk, m.band) for m in matches])
        if suppressions is not None
        else {}
    )
    suppressed = {
        work_id: tuple(name for one in several if one.suppresses for name in one.event_ids)
        for work_id, several in effects.items()
        if any(one.suppresses for one in several)
    }
    counted = [one for one in matches if one.match.work_id not in suppressed]
    band = row_band(
        asset,
        outcomes,
        [one.band for one in counted],
        suppressed=len(suppressed),
        works_compared=works_compared,
        complete=complete,
    )
    risk: float | None = None
    if counted:
        risk = counted[0].match.risk
    elif band is Band.NO_MATCH and model is not None:
        # Only here: where a stage could not judge, or a match was suppressed, no number is true.
        risk = risk_of(model.prior)
    return RiskRow(
        asset=asset,
        band=band,
        risk=risk,
        reasons=reasons(
            asset, band, outcomes, matches, works, works_compared, stages, notes, effects
        ),
        outcomes=tuple(outcomes),
        matches=tuple(
            replace(
                one.match,
                band=one.band,
                suppressed=one.match.work_id in suppressed,
                suppressed_by=suppressed.get(one.match.work_id, ()),
            )
            for one in matches
        ),
        works_compared=works_compared,
        complete=complete,
        lapsed=tuple(work_id for work_id in effects if work_id not in suppressed),
    )


def _by_work(
    asset: Asset, outcomes: Sequence[StageOutcome], file_ids: Mapping[str, frozenset[str]]
) -> dict[str, dict[str, Evidence]]:
    """By work id, then stage name, the evidence; empty for a work of which only the bytes agree."""
    by_work: dict[str, dict[str, Evidence]] = {}
    for outcome in outcomes:
        for evidence in outcome.evidence:
            by_work.setdefault(evidence.work_id, {})[outcome.stage] = evidence
    if asset.asset_id is not None:
        for work_id, ids in file_ids.items():
            if asset.asset_id in ids:
                by_work.setdefault(work_id, {})
    return by_work


def _scored(
    work: Work,
    evidence: Mapping[str, Evidence],
    asset: Asset,
    model: KindModel | None,
    bands: Bands,
    file_ids: Mapping[str, frozenset[str]],
    stages: Mapping[str, Stage],
    not_counted: Mapping[str, Collection[str]],
) -> ScoredMatch:
    work_id, rights = work.work_id, work.rights.strip().lower()
    prior = model.prior if model is not None else 0.0
    contributions = (
        model.contributions({name: one.measures for name, one in evidence.items()})
        if model is not None
        else {}
    )
    identical = asset.asset_id is not None and asset.asset_id in file_ids.get(work_id, frozenset())
    uncounted = tuple(name for name in evidence if rights in not_counted.get(name, ()))
    contributions |= dict.fromkeys(uncounted, 0.0)
    unweighted = tuple(name for name in evidence if name not in contributions)
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
    band = match_band(match, bands, unweighted=bool(unweighted))
    return ScoredMatch(match, evidence, band, unweighted, uncounted)
