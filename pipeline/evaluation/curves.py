"""The forms of a calibration's terms, and their fit to labelled pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.risk.calibration import DECIMALS, Direction, KindModel, Term


@dataclass(frozen=True)
class Curve:
    """The form of a term before it is fitted: as in `Term`, without the values."""

    stage: str
    measure: str
    direction: Direction
    knots: tuple[float, ...]

    def basis(self, column: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, knots): 1 where the measure is there, then a ramp from each knot to the next
        stronger one. Non-negative weights of these make every monotone curve on the knots.

        A missing value (NaN) gives a row of zeros.
        """
        there = np.isfinite(column)
        sign = 1.0 if self.direction == "higher" else -1.0
        x = sign * np.where(there, column, self.knots[0])
        knots = np.sort(sign * np.asarray(self.knots))
        ramps = np.clip((x[:, None] - knots[:-1]) / np.diff(knots), 0.0, 1.0)
        return np.column_stack([np.ones_like(x), ramps]) * there[:, None]

    def fitted(self, weights: NDArray[np.float64]) -> Term:
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


def fit(
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
        without_evidence: pairs without evidence, and how many of them are copies nevertheless.
        ridge: weight of the sum of squared curve increments; the prior is not penalised.

    Raises:
        ValueError: if shapes differ, there is no copy or nothing but copies, or the optimiser
            does not converge.
    """
    from scipy.optimize import minimize

    if any(column.shape != copied.shape for column in columns.values()):
        raise ValueError("every column must have one value for each pair")
    rest, missed = without_evidence
    # All pairs without evidence have the same (empty) row, so two weighted rows stand for them.
    labels = np.concatenate([copied, [True, False]]).astype(np.float64)
    counts = np.concatenate([np.ones(len(copied)), [missed, rest - missed]])
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
    options: dict[str, Any] = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-13, "gtol": 1e-7}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    if not found.success:
        raise ValueError(f"the fit did not converge: {found.message}")
    splits = np.cumsum([b.shape[1] for b in bases])[:-1]
    return KindModel(
        prior=round(float(found.x[0]), DECIMALS),
        terms=tuple(
            curve.fitted(weights)
            for curve, weights in zip(curves, np.split(found.x[1:], splits), strict=True)
        ),
        pairs=len(copied) + rest,
        copies=int(copied.sum()) + missed,
    )
