"""How well a descriptor finds works: µAP, recall at a precision, per edit and over all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def precision_recall(
    scores: NDArray[np.floating], correct: NDArray[np.bool_], positives: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall after each query, best score first; equal scores count as one step.

    `scores` (n,) holds each query's score of its nearest work, `correct` (n,) whether that work is
    the right one, and `positives` how many queries have a right one at all.
    """
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(correct[order])
    step = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    return found[step] / (step + 1), found[step] / max(positives, 1)


def micro_average_precision(
    scores: NDArray[np.floating], correct: NDArray[np.bool_], positives: int
) -> float:
    """µAP over each query's nearest work (Perronnin et al., "A family of contextual measures of
    similarity between distributions with application to image retrieval", CVPR 2009)."""
    precision, recall = precision_recall(scores, correct, positives)
    return float(np.sum(precision * np.diff(recall, prepend=0.0)))


def recall_at_precision(
    scores: NDArray[np.floating], correct: NDArray[np.bool_], positives: int, least: float
) -> float:
    """The greatest recall among the thresholds at which precision is at least `least`."""
    precision, recall = precision_recall(scores, correct, positives)
    return float(recall[precision >= least].max(initial=0.0))


def by_edit(
    scores: NDArray[np.floating],
    correct: NDArray[np.bool_],
    has_work: NDArray[np.bool_],
    edits: Sequence[str],
    least: float = 0.99,
) -> dict[str, tuple[float, float, float]]:
    """(µAP, recall at precision `least`, share found at rank one) for each edit and for "all"."""
    names = np.asarray(edits)
    rows = {}
    for name in [*dict.fromkeys(edits), "all"]:
        part = np.ones(len(names), bool) if name == "all" else names == name
        positives = int(has_work[part].sum())
        rows[name] = (
            micro_average_precision(scores[part], correct[part], positives),
            recall_at_precision(scores[part], correct[part], positives, least),
            float(correct[part].sum() / max(positives, 1)),
        )
    return rows
