"""Quality metrics over labelled pairs: µAP and recall of a ranking, calibration of risks.

A labelled pair is an asset and a work, with a score (or a risk, in [0, 1]) and whether the asset
was copied from the work. Copies that a search never returned count too, as missed positives. A
worked example: four copies, of which the search returned three, and one pair that is not a copy.

    score   copy   hits / pairs so far = precision   hits / 4 = recall   gain in recall
     0.9     yes            1 / 1 = 1.00                  0.25                0.25
     0.8     no     \
     0.8     yes    /       2 / 3 = 0.67                  0.50                0.25
     0.3     yes            3 / 4 = 0.75                  0.75                0.25

    µAP                          0.25 x 1.00 + 0.25 x 0.67 + 0.25 x 0.75 = 0.604
    recall at precision 0.7      0.75, the recall of the largest prefix with precision >= 0.7
    recall at precision 0.9      0.25

Equal scores enter together, so the order of the input doesn't matter. The copy that was never
returned keeps the recall at 0.75 and the µAP at most at 0.75.

The scores taken as risks, in two bins: below 0.5 one pair of risk 0.3, a copy; from 0.5 on three
pairs of mean risk 0.833, of which 2 / 3 are copies.

    expected calibration error   1/4 x |0.3 - 1| + 3/4 x |0.833 - 0.667| = 0.300
    Brier score                  ((0.9 - 1)^2 + 0.8^2 + (0.8 - 1)^2 + (0.3 - 1)^2) / 4 = 0.295
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOWEST_RISK = 1e-12
"""Risks are clipped to this distance from 0 and 1 in the log loss, which is infinite there."""


@dataclass(frozen=True, slots=True)
class ReliabilityRow:
    """One bin of a reliability table.

    Attributes:
        low, high: bounds of the bin's risks; half open, the last bin closed.
        pairs: number of pairs in it.
        mean_risk: their mean risk.
        copies: the share of them that are copies.
    """

    low: float
    high: float
    pairs: int
    mean_risk: float
    copies: float


def _checked(
    scores: ArrayLike, labels: ArrayLike, *, risks: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    values = np.asarray(scores, dtype=np.float64)
    truth = np.asarray(labels)
    if values.ndim != 1 or truth.shape != values.shape:
        raise ValueError(
            f"scores and labels must be two vectors of one length, not {values.shape} "
            f"and {truth.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite numbers")
    if not np.isin(truth, (0, 1)).all():
        raise ValueError("labels must be true or false")
    if risks and values.size and (values.min() < 0 or values.max() > 1):
        raise ValueError("risks must be in [0, 1]")
    return values, truth.astype(np.bool_)


def precision_recall(
    scores: ArrayLike, labels: ArrayLike, positives: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall, each (m,), after each of the m distinct scores, highest first.

    Equal scores enter together, so the order of the input doesn't matter. Arguments and errors as
    in `micro_average_precision`.
    """
    values, truth = _checked(scores, labels)
    returned = int(truth.sum())
    total = returned if positives is None else positives
    if total < returned:
        raise ValueError(f"{returned} labels are true, more than the {total} positives there are")
    if total == 0:
        raise ValueError("there is no true pair, so precision and recall have no meaning")
    order = np.argsort(-values, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(values[order])), values.size - 1)
    if values.size == 0:
        return np.empty(0), np.empty(0)
    hits = np.cumsum(truth[order])[last_of_tie]
    return hits / (last_of_tie + 1.0), hits / float(total)


def micro_average_precision(
    scores: ArrayLike, labels: ArrayLike, positives: int | None = None
) -> float:
    """Micro average precision (µAP) over all pairs of all assets in one ranking.

    The sum over the ranking of precision times gain in recall, as in the Image Similarity
    Challenge (Douze et al. 2021, arXiv:2106.09672, section 3).

    Args:
        scores: (n,), higher is stronger.
        labels: (n,), true where the pair is a copy.
        positives: number of all copies, those never returned included; by default of those in
            `labels`.

    Raises:
        ValueError: if shapes differ, a score is not finite, or there is no true pair.
    """
    precision, recall = precision_recall(scores, labels, positives)
    return float(np.sum(precision * np.diff(recall, prepend=0.0)))


def recall_at_precision(
    scores: ArrayLike, labels: ArrayLike, precision: float, positives: int | None = None
) -> float:
    """The largest recall of any score threshold whose precision is at least `precision`.

    0.0 if no threshold reaches it. Arguments and errors as in `micro_average_precision`.
    """
    if not 0.0 < precision <= 1.0:
        raise ValueError(f"precision must be in (0, 1], and is {precision}")
    reached, recall = precision_recall(scores, labels, positives)
    good = recall[reached >= precision]
    return float(good.max()) if good.size else 0.0


def brier_score(risks: ArrayLike, labels: ArrayLike) -> float:
    """Mean squared difference of risk and label (Brier 1950); 0 is best. NaN for no pairs."""
    values, truth = _checked(risks, labels, risks=True)
    return float(np.mean((values - truth) ** 2)) if values.size else float("nan")


def log_loss(risks: ArrayLike, labels: ArrayLike) -> float:
    """Mean negative log-likelihood of the labels, in nats; 0 is best. NaN for no pairs."""
    values, truth = _checked(risks, labels, risks=True)
    if not values.size:
        return float("nan")
    clipped = np.clip(values, LOWEST_RISK, 1.0 - LOWEST_RISK)
    return float(-np.mean(np.where(truth, np.log(clipped), np.log1p(-clipped))))


def reliability_table(
    risks: ArrayLike, labels: ArrayLike, bins: int = 10
) -> tuple[ReliabilityRow, ...]:
    """Mean risk and share of copies in `bins` bins of equal width; empty bins are left out.

    Args:
        risks: (n,) in [0, 1].
        labels: (n,), true where the pair is a copy.
        bins: number of bins.

    Raises:
        ValueError: if shapes differ, a risk is outside [0, 1], or `bins` is below 1.
    """
    values, truth = _checked(risks, labels, risks=True)
    if bins < 1:
        raise ValueError(f"bins must be at least 1, and is {bins}")
    edges = np.linspace(0.0, 1.0, bins + 1)
    bin_of = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, bins - 1)
    return tuple(
        ReliabilityRow(
            float(edges[b]),
            float(edges[b + 1]),
            int(np.sum(bin_of == b)),
            float(values[bin_of == b].mean()),
            float(truth[bin_of == b].mean()),
        )
        for b in np.unique(bin_of)
    )


def expected_calibration_error(risks: ArrayLike, labels: ArrayLike, bins: int = 10) -> float:
    """Mean distance of risk and share of copies over the bins, weighted by their pairs.

    Naeini, Cooper and Hauskrecht 2015 (AAAI), with the share of copies in place of accuracy.
    0 is best; NaN for no pairs. Arguments and errors as in `reliability_table`.
    """
    rows = reliability_table(risks, labels, bins)
    total = sum(row.pairs for row in rows)
    if not total:
        return float("nan")
    return sum(row.pairs * abs(row.mean_risk - row.copies) for row in rows) / total


def largest_share(hits: int, of: int, confidence: float = 0.95) -> float:
    """Upper bound of the share from which `hits` out of `of` were drawn, at this confidence.

    One-sided, by Clopper and Pearson 1934 (Biometrika 26): 0.05 for 0 hits of 59, 1.0 for 0 of 0.

    Raises:
        ValueError: if `hits` is not between 0 and `of`, or `confidence` not between 0 and 1.
    """
    from scipy.special import betaincinv

    if not 0 <= hits <= of or not 0.0 < confidence < 1.0:
        raise ValueError(f"{hits} of {of} at confidence {confidence} has no bound")
    return 1.0 if hits == of else float(betaincinv(hits + 1, of - hits, confidence))


def likely_shares(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval for the share that `hits` out of `of` were drawn from.

    Wilson 1927 (JASA 22): it stays within [0, 1] and holds for few draws too. (0.0, 1.0) if `of`
    is 0.
    """
    if not of:
        return 0.0, 1.0
    z = 1.959964
    share, spread = hits / of, z * z / of
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * float(np.sqrt(share * (1 - share) / of + spread / (4 * of)))
    # For 0 hits and for all, the bounds are exactly 0 and 1; rounding would miss them.
    return (middle - half if hits else 0.0), (middle + half if hits < of else 1.0)
