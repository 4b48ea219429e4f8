"""Fitting a calibration: labelled pairs, the curves that are fitted to them, and how well the fit
does on pairs that it never saw.

`clearance evaluate --calibrate` does it with a user's own pairs, `benchmarks/calibrate.py` with
those behind the calibration that ships. What the numbers mean: docs/risk.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.records import StageOutcome, Value
from pipeline.evaluation.curves import Curve, fit
from pipeline.evaluation.metrics import (
    brier_score,
    expected_calibration_error,
    log_loss,
    micro_average_precision,
    reliability_table,
)
from pipeline.risk.calibration import HeldOut, KindModel, ReliabilityBin, numeric_measures, risk_of
from pipeline.stages import STAGES, StageSettings

RIDGE = 0.3
"""Weight of the penalty on curve increments: enough to keep curves finite where the pairs are
separated, little beside hundreds of pairs."""

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
"""The form of each measure's curve; a measure without one is not counted."""

WIDE: dict[str, dict[str, float]] = {
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
"""Search settings for the fit, by stage: wider than any configuration that ships."""


@dataclass
class Pairs:
    """Labelled pairs of assets and works of one kind.

    Attributes:
        columns: by measure name, float64 (n,) over pairs with evidence, NaN where missing.
        copied: bool (n,).
        rest: pairs without evidence, and how many of them are copies nevertheless.
    """

    columns: dict[str, NDArray[np.float64]]
    copied: NDArray[np.bool_]
    rest: tuple[int, int]


def widened(settings: Mapping[str, StageSettings]) -> dict[str, StageSettings]:
    """Settings for the fit: those of a run, made as wide as `WIDE` where they are narrower.

    The fit has to see weaker evidence than a run does, so that the curves reach down to where
    evidence is worth nothing. A search that a run has switched off (None) stays off.
    """
    return {name: _widened(name, its) for name, its in settings.items()}


def _widened(name: str, settings: StageSettings) -> StageSettings:
    usual = STAGES[name].Settings()
    changed: dict[str, float] = {}
    for key, wide in WIDE.get(name, {}).items():
        now = getattr(settings, key)
        if now is not None:
            # Which way is wider shows in how `WIDE` differs from the default.
            changed[key] = max(now, wide) if wide > getattr(usual, key) else min(now, wide)
    return type(settings)(**{**settings.model_dump(), **changed})


def pairs_of(
    judged: Iterable[tuple[Collection[str], Sequence[StageOutcome]]],
    works: Collection[str],
    stages: Iterable[str],
) -> Pairs:
    """Every pair of an asset and a work, with its measures and whether it is a copy.

    Args:
        judged: for each asset, the ids of the works that it was copied from, and what the stages
            said of it.
        works: ids of the works to pair the assets with; evidence against others is left out.
        stages: names of the stages whose measures count.
    """
    paired = frozenset(works)
    found: dict[str, dict[tuple[int, str], Mapping[str, Value]]] = {name: {} for name in stages}
    copies: set[tuple[int, str]] = set()
    assets = 0
    for place, (sources, outcomes) in enumerate(judged):
        assets += 1
        copies.update((place, work) for work in sources if work in paired)
        for outcome in outcomes:
            for evidence in outcome.evidence if outcome.stage in found else ():
                if evidence.work_id in paired:
                    found[outcome.stage][place, evidence.work_id] = evidence.measures
    keys = sorted({key for its in found.values() for key in its})
    copied = np.array([key in copies for key in keys], np.bool_)
    known = numeric_measures()
    columns = {
        measure: _column([its.get(key, {}).get(measure) for key in keys])
        for name, its in found.items()
        for measure in known[name][1]
    }
    every = assets * len(paired)
    return Pairs(columns, copied, (every - len(keys), len(copies) - int(copied.sum())))


def _column(values: Sequence[Value]) -> NDArray[np.float64]:
    return np.array([np.nan if v is None else float(v) for v in values], np.float64)


def risks_of(model: KindModel, pairs: Pairs) -> NDArray[np.float64]:
    """The model's risk of each pair with evidence."""
    stage_of = {term.measure: term.stage for term in model.terms}
    risks = []
    for row in range(len(pairs.copied)):
        measures: dict[str, dict[str, float | None]] = {}
        for name, stage in stage_of.items():
            value = pairs.columns[name][row] if name in pairs.columns else np.nan
            measures.setdefault(stage, {})[name] = None if np.isnan(value) else float(value)
        risks.append(risk_of(model.prior + sum(model.contributions(measures).values())))
    return np.asarray(risks, np.float64)


def held_out(model: KindModel, pairs: Pairs) -> HeldOut:
    """The model's figures on pairs that it was not fitted to."""
    risks = risks_of(model, pairs)
    rest, missed = pairs.rest
    copies = int(pairs.copied.sum())

    def rounded(value: float) -> float | None:
        return round(value, 4) if np.isfinite(value) else None

    return HeldOut(
        pairs=len(risks),
        copies=copies,
        copies_without_evidence=missed,
        pairs_without_evidence=rest,
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


def fitted(fitted_on: Pairs, measured_on: Pairs) -> KindModel:
    """The model for one kind: fitted to some pairs, measured on others.

    A measure that no pair has is left out: a curve fitted to nothing would say that such evidence
    weighs nothing, whereas evidence without a curve goes to a person.

    Args:
        fitted_on: pairs found under `widened` settings.
        measured_on: pairs of other works, found under the settings of a run.

    Raises:
        ValueError: if there is no copy or nothing but copies, no pair has evidence, or the fit
            does not converge.
    """
    columns = {name: c for name, c in fitted_on.columns.items() if np.isfinite(c).any()}
    curves = [curve for curve in CURVES if curve.measure in columns]
    if not curves:
        raise ValueError("no pair has evidence that a curve could be fitted to")
    model = fit(
        {curve.measure: columns[curve.measure] for curve in curves},
        fitted_on.copied,
        curves,
        without_evidence=fitted_on.rest,
        ridge=RIDGE,
    )
    return model.model_copy(update={"held_out": held_out(model, measured_on)})
