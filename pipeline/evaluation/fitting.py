"""The fit of the calibration: labelled pairs in, a model with one monotone curve a measure out.

`clearance evaluate --calibrate` fits to a user's own pairs (`pipeline.evaluation.recalibrate`),
`benchmarks/calibrate.py` to those behind the calibration that ships. What the numbers mean:
docs/risk.md; how a stored model is applied: `pipeline.risk.calibration`.

The model is logistic regression on piecewise-linear bases, with weights bounded at 0 and a ridge
penalty. A worked example with one measure, pHash distance (bits, lower is stronger evidence):

    curve     Curve("perceptual_hash", "phash_distance", "lower", knots=(0, 8, 16))
    basis     a column for "has evidence", then one for each step between knots, weakest first:

              distance      has evidence   16 to 8   8 to 0
               4 bits             1           1        0.5
               8 bits             1           1        0
              20 bits             1           0        0
              missing             0           0        0

    pairs     copied        distances 0, 2, 4, 6, 14
              not copied    distances 4, 12, 16, 16, 20
              90 pairs without evidence, of which 2 are copies that no stage found

    features  (10 + 2, 3): the 90 are two weighted rows of zeros, 2 copies and 88 others
    fit       prior -3.54; weights 1.81, 1.89 and 1.14, all of them >= 0, so the curve is monotone
    curve     cumulated weights: 1.81 at 16 bits, 3.69 at 8, 4.83 at 0 (log-odds, nats)
    risk      1 / (1 + exp(-(prior + curve))): 0.78 at 0 bits, 0.54 at 8, 0.15 at 16 and beyond,
              0.03 for a pair without evidence

Without the penalty the curve of a measure that separates the pairs perfectly would be infinite;
`RIDGE` keeps it finite and matters little with hundreds of pairs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.records import StageOutcome, Value
from pipeline.evaluation.metrics import (
    brier_score,
    expected_calibration_error,
    log_loss,
    micro_average_precision,
    reliability_table,
)
from pipeline.risk.calibration import (
    DECIMALS,
    Direction,
    HeldOut,
    KindModel,
    ReliabilityBin,
    Term,
    numeric_measures,
    risk_of,
)
from pipeline.stages import STAGES, StageSettings

RIDGE = 0.3
"""Weight of the penalty on the squared weights of the bases: enough to keep curves finite where
the pairs are separated, and of little effect with hundreds of pairs."""

_OPTIMISER: Mapping[str, Any] = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-13, "gtol": 1e-7}
"""Of scipy's L-BFGS-B: tolerances far below the `DECIMALS` that are stored."""


@dataclass(frozen=True)
class Curve:
    """The form of a term before it is fitted: as in `Term`, without the values."""

    stage: str
    measure: str
    direction: Direction
    knots: tuple[float, ...]

    def basis(self, column: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, knots): 1 where the measure exists, then a ramp from each knot to the next stronger.

        Non-negative weights of these make every monotone curve on the knots. A missing value (NaN)
        gives a row of zeros.
        """
        exists = np.isfinite(column)
        sign = 1.0 if self.direction == "higher" else -1.0
        x = sign * np.where(exists, column, self.knots[0])
        knots = np.sort(sign * np.asarray(self.knots))
        ramps = np.clip((x[:, None] - knots[:-1]) / np.diff(knots), 0.0, 1.0)
        return np.column_stack([np.ones_like(x), ramps]) * exists[:, None]

    def to_term(self, weights: NDArray[np.float64]) -> Term:
        """The term whose curve has these weights of the basis."""
        values = [round(float(v), DECIMALS) for v in np.cumsum(weights)]
        if self.direction == "lower":
            values.reverse()
        return Term(
            stage=self.stage,
            measure=self.measure,
            direction=self.direction,
            knots=self.knots,
            values=tuple(values),
        )


CURVES = (
    Curve("perceptual_hash", "phash_distance", "lower", (0, 4, 8, 10, 12, 16, 20, 26, 32)),
    Curve("perceptual_hash", "pdq_distance", "lower", (0, 31, 45, 60, 75, 90, 105, 128)),
    Curve("clip_embedding", "clip_margin", "higher", (0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)),
    Curve(
        "local_features", "overlap_agreement", "higher", (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    ),
    Curve("local_features", "overlap_strength", "higher", (0.2, 0.6, 1, 2, 4, 8, 16, 32, 64)),
    Curve("local_features", "overlap_contradiction", "lower", (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7)),
    Curve(
        "local_features", "overlap_larger_share", "higher", (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
    ),
    Curve("text_overlap", "text_score", "higher", (4, 6, 8, 10, 13, 18, 25, 40, 80, 200)),
    Curve("text_overlap", "text_words", "higher", (8, 12, 16, 24, 32, 48, 100, 300)),
    Curve("text_overlap", "text_longest", "higher", (4, 8, 12, 16, 24, 32, 48, 100)),
    Curve("text_overlap", "text_run", "higher", (3, 5, 8, 12, 16, 24, 48, 100)),
    Curve("text_overlap", "text_identity", "higher", (0.5, 0.6, 0.7, 0.8, 0.9, 1)),
    Curve("text_overlap", "text_asset_share", "higher", (0, 0.01, 0.03, 0.1, 0.3, 1)),
)
"""The form of each measure's curve; a measure without one adds nothing to the risk.

Knots are closer together where a small difference changes the odds most. Hash distances end at half
of the bits, by which unrelated pictures differ on average; 31 of PDQ's 256 bits is the threshold
that its authors recommend.
"""

WIDE_SETTINGS: dict[str, dict[str, float]] = {
    "perceptual_hash": {"phash_max_distance": 18, "pdq_max_distance": 100},
    "clip_embedding": {"min_likeness": 0.02, "top_k": 30},
    "local_features": {
        "min_agreement": 0.1,
        "min_strength": 0.2,
        "min_whole_agreement": 0.3,
        "candidates": 12,
    },
    "text_overlap": {
        "min_words": 6,
        "min_score": 4.0,
        "min_identity": 0.3,
        "min_jaccard": 0.1,
    },
}
"""Search settings for the fit, by stage: wider than any configuration that ships, so that the
curves also see evidence that is worth nothing."""


@dataclass
class Pairs:
    """Labelled pairs of assets and works of one kind.

    Attributes:
        columns: by measure name, float64 (n,) over pairs with evidence, NaN where missing.
        copied: bool (n,).
        without_evidence: number of pairs without evidence, and how many of them are copies.
    """

    columns: dict[str, NDArray[np.float64]]
    copied: NDArray[np.bool_]
    without_evidence: tuple[int, int]


def pairs_of(
    outcomes_by_asset: Iterable[tuple[Collection[str], Sequence[StageOutcome]]],
    works: Collection[str],
    stages: Iterable[str],
) -> Pairs:
    """Every pair of an asset and a work, with its measures and whether it is a copy.

    Args:
        outcomes_by_asset: for each asset, the ids of the works that it was copied from, and the
            outcomes of the stages.
        works: ids of the works to pair the assets with; evidence against others is left out.
        stages: names of the stages whose measures count.
    """
    paired = frozenset(works)
    measures: dict[str, dict[tuple[int, str], Mapping[str, Value]]] = {name: {} for name in stages}
    copies: set[tuple[int, str]] = set()
    assets = 0
    for number, (sources, outcomes) in enumerate(outcomes_by_asset):
        assets += 1
        copies.update((number, work) for work in sources if work in paired)
        for outcome in outcomes:
            for evidence in outcome.evidence if outcome.stage in measures else ():
                if evidence.work_id in paired:
                    measures[outcome.stage][number, evidence.work_id] = evidence.measures
    keys = sorted({key for of_stage in measures.values() for key in of_stage})
    copied = np.array([key in copies for key in keys], np.bool_)
    known = numeric_measures()
    columns = {
        measure: _column([of_stage.get(key, {}).get(measure) for key in keys])
        for name, of_stage in measures.items()
        for measure in known[name][1]
    }
    every = assets * len(paired)
    return Pairs(columns, copied, (every - len(keys), len(copies) - int(copied.sum())))


def _column(values: Sequence[Value]) -> NDArray[np.float64]:
    return np.array([np.nan if v is None else float(v) for v in values], np.float64)


def widen_settings(settings: Mapping[str, StageSettings]) -> dict[str, StageSettings]:
    """A run's settings by stage, made as wide as `WIDE_SETTINGS` where they are narrower.

    A search that a run has switched off (None) stays off.
    """
    return {name: _widen(name, of_stage) for name, of_stage in settings.items()}


def _widen(name: str, settings: StageSettings) -> StageSettings:
    default = STAGES[name].Settings()
    changed: dict[str, float] = {}
    for key, wide in WIDE_SETTINGS.get(name, {}).items():
        current = getattr(settings, key)
        if current is not None:
            # `WIDE_SETTINGS` above the default means that larger values are wider.
            larger_is_wider = wide > getattr(default, key)
            changed[key] = max(current, wide) if larger_is_wider else min(current, wide)
    return type(settings)(**{**settings.model_dump(), **changed})


def fit_curves(
    columns: Mapping[str, NDArray[np.float64]],
    copied: NDArray[np.bool_],
    curves: Sequence[Curve],
    *,
    without_evidence: tuple[int, int],
    ridge: float,
) -> KindModel:
    """The penalised maximum-likelihood model, by L-BFGS-B under bounds (Byrd et al. 1995).

    Args:
        columns: by measure name, float64 (n,) over the pairs with evidence, NaN where missing.
        copied: (n,), true where the pair is a copy.
        curves: the forms of the terms.
        without_evidence: number of pairs without evidence, and how many of them are copies.
        ridge: weight of the sum of squared curve increments; the prior is not penalised.

    Raises:
        ValueError: if shapes differ, there is no copy or nothing but copies, or the optimiser
            does not converge.
    """
    from scipy.optimize import minimize

    if any(column.shape != copied.shape for column in columns.values()):
        raise ValueError("every column must have one value for each pair")
    empty, missed = without_evidence
    # All pairs without evidence have the same (empty) row, so two weighted rows represent them.
    labels = np.concatenate([copied, [True, False]]).astype(np.float64)
    counts = np.concatenate([np.ones(len(copied)), [missed, empty - missed]])
    if min(float(counts @ labels), float(counts @ (1 - labels))) <= 0:
        raise ValueError("calibration needs pairs that are copies and pairs that are not")
    bases = [curve.basis(columns[curve.measure]) for curve in curves]
    features = np.vstack([np.column_stack(bases), np.zeros((2, sum(b.shape[1] for b in bases)))])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_odds = weights[0] + features @ weights[1:]
        value = counts @ (np.logaddexp(0.0, log_odds) - labels * log_odds)
        slope = counts * (0.5 * (1.0 + np.tanh(0.5 * log_odds)) - labels)
        gradient = np.concatenate([[slope.sum()], features.T @ slope + ridge * weights[1:]])
        return float(value + 0.5 * ridge * weights[1:] @ weights[1:]), gradient

    start = np.concatenate([[-3.0], np.full(features.shape[1], 0.1)])
    bounds = [(None, None)] + [(0.0, None)] * features.shape[1]
    result = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=dict(_OPTIMISER)
    )
    if not result.success:
        raise ValueError(f"the fit did not converge: {result.message}")
    splits = np.cumsum([b.shape[1] for b in bases])[:-1]
    return KindModel(
        prior=round(float(result.x[0]), DECIMALS),
        terms=tuple(
            curve.to_term(weights)
            for curve, weights in zip(curves, np.split(result.x[1:], splits), strict=True)
        ),
        pairs=len(copied) + empty,
        copies=int(copied.sum()) + missed,
    )


def fit_model(fitted_on: Pairs, measured_on: Pairs) -> KindModel:
    """The model for one kind: fitted to some pairs, measured on others.

    A measure that no pair has is left out: a curve fitted to nothing would say that such evidence
    weighs nothing, whereas evidence without a curve goes to a person.

    Args:
        fitted_on: pairs found under `widen_settings`.
        measured_on: pairs of other works, found under the settings of a run.

    Raises:
        ValueError: if there is no copy or nothing but copies, no pair has evidence, or the fit
            does not converge.
    """
    columns = {name: c for name, c in fitted_on.columns.items() if np.isfinite(c).any()}
    curves = [curve for curve in CURVES if curve.measure in columns]
    if not curves:
        raise ValueError("no pair has evidence that a curve could be fitted to")
    model = fit_curves(
        {curve.measure: columns[curve.measure] for curve in curves},
        fitted_on.copied,
        curves,
        without_evidence=fitted_on.without_evidence,
        ridge=RIDGE,
    )
    return model.model_copy(update={"held_out": measure_held_out(model, measured_on)})


def predict_risks(model: KindModel, pairs: Pairs) -> NDArray[np.float64]:
    """The model's risk of each pair with evidence, float64 (n,) in (0, 1)."""
    stage_of = {term.measure: term.stage for term in model.terms}
    risks = []
    for row in range(len(pairs.copied)):
        measures: dict[str, dict[str, float | None]] = {}
        for name, stage in stage_of.items():
            value = pairs.columns[name][row] if name in pairs.columns else np.nan
            measures.setdefault(stage, {})[name] = None if np.isnan(value) else float(value)
        risks.append(risk_of(model.prior + sum(model.contributions(measures).values())))
    return np.asarray(risks, np.float64)


def measure_held_out(model: KindModel, pairs: Pairs) -> HeldOut:
    """The model's metrics on pairs that it was not fitted to, rounded to four places."""
    risks = predict_risks(model, pairs)
    without_evidence, missed = pairs.without_evidence
    copies = int(pairs.copied.sum())

    def rounded(value: float) -> float | None:
        return round(value, 4) if np.isfinite(value) else None

    return HeldOut(
        pairs=len(risks),
        copies=copies,
        copies_without_evidence=missed,
        pairs_without_evidence=without_evidence,
        brier=rounded(brier_score(risks, pairs.copied)),
        log_loss=rounded(log_loss(risks, pairs.copied)),
        expected_calibration_error=rounded(expected_calibration_error(risks, pairs.copied)),
        micro_average_precision=rounded(
            micro_average_precision(risks, pairs.copied, copies + missed)
        ),
        table=tuple(
            ReliabilityBin(**{name: round(value, 4) for name, value in asdict(row).items()})
            for row in reliability_table(risks, pairs.copied)
        ),
    )
