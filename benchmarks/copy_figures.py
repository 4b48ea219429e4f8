"""Figures of the copy benchmark: of rankings of pairs, by edit, and of what was flagged falsely."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.metrics import micro_average_precision, recall_at_precision

PRECISIONS = (0.90, 0.99, 1.00)


@dataclass(frozen=True)
class Ranking:
    """Pairs of a query and a work with a score; pairs not in it were not found.

    Attributes:
        query, work: int64 (n,), places.
        score: float64 (n,), higher is stronger.
    """

    query: NDArray[np.int64]
    work: NDArray[np.int64]
    score: NDArray[np.float64]

    @classmethod
    def of(cls, pairs: Sequence[tuple[int, int, float]]) -> Ranking:
        """From (query, work, score) of each pair."""
        query, work, score = zip(*pairs, strict=True) if pairs else ((), (), ())
        return cls(np.array(query, np.int64), np.array(work, np.int64), np.array(score, np.float64))

    @classmethod
    def nearest(cls, scores: NDArray[np.float64]) -> Ranking:
        """Of (queries, works), each query's best work; of several as good, all. NaN is no pair."""
        if not scores.size:
            return cls.of([])
        filled = np.where(np.isnan(scores), -np.inf, scores)
        best = filled.max(axis=1, keepdims=True)
        query, work = np.nonzero((filled == best) & np.isfinite(filled))
        return cls(query.astype(np.int64), work.astype(np.int64), filled[query, work])

    def only(self, queries: NDArray[np.bool_]) -> Ranking:
        """The pairs of the queries that are set."""
        kept = queries[self.query]
        return Ranking(self.query[kept], self.work[kept], self.score[kept])

    def first(self) -> Ranking:
        """Each query's best pairs alone."""
        best: dict[int, float] = {}
        for query, score in zip(self.query.tolist(), self.score.tolist(), strict=True):
            best[query] = max(score, best.get(query, -np.inf))
        kept = np.array(
            [best[q] == s for q, s in zip(self.query.tolist(), self.score, strict=True)]
        )
        kept = kept.astype(np.bool_)
        return Ranking(self.query[kept], self.work[kept], self.score[kept])


def right(ranking: Ranking, truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs are true: `truth` has each query's work, -1 for none."""
    found: NDArray[np.bool_] = truth[ranking.query] == ranking.work
    return found


def overall(ranking: Ranking, truth: NDArray[np.int64]) -> dict[str, float]:
    """µAP, and recall at each of `PRECISIONS`, over the copies of `truth`."""
    positives = int((truth >= 0).sum())
    labels = right(ranking, truth)
    said = {"map": micro_average_precision(ranking.score, labels, positives)}
    for precision in PRECISIONS:
        said[f"recall_at_{precision:.2f}"] = recall_at_precision(
            ranking.score, labels, precision, positives
        )
    return said


def threshold_at(ranking: Ranking, truth: NDArray[np.int64], precision: float) -> float:
    """The lowest score down to which at least `precision` of the pairs are right; else infinity."""
    if not len(ranking.score):
        return float("inf")
    order = np.argsort(-ranking.score, kind="stable")
    score, labels = ranking.score[order], right(ranking, truth)[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    good = np.cumsum(labels)[last_of_tie] / (last_of_tie + 1.0) >= precision
    return float(score[last_of_tie[good][-1]]) if good.any() else float("inf")


def first_right(ranking: Ranking, truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each query, whether its true work stands first, and alone there."""
    found = np.zeros(len(truth), np.bool_)
    best = ranking.first()
    count = Counter(best.query.tolist())
    for query, good in zip(best.query.tolist(), right(best, truth).tolist(), strict=True):
        found[query] = good and count[query] == 1
    return found


def by_edit(
    ranking: Ranking,
    truth: NDArray[np.int64],
    edits: Sequence[str],
    bands: Sequence[str],
    row_bands: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """A line for each edit.

    Args:
        edits: each query's.
        bands: each query's band of the pair with its true work, "" if that was not found.
        row_bands: each query's band of its row.
    """
    cut = threshold_at(ranking, truth, 0.99)
    labels = right(ranking, truth)
    caught = np.zeros(len(truth), np.bool_)
    caught[ranking.query[labels & (ranking.score >= cut)]] = True
    first = first_right(ranking, truth)
    named = np.array(edits)
    lines: dict[str, dict[str, Any]] = {}
    for edit in dict.fromkeys(edits):
        these = named == edit
        copies = these & (truth >= 0)
        distractors = np.flatnonzero(these & (truth < 0)).tolist()
        if not copies.any():
            continue
        alone = ranking.only(these)
        count = int(copies.sum())
        shares = Counter(bands[place] or "none" for place in np.flatnonzero(copies).tolist())
        lines[edit] = {
            "copies": count,
            "map": micro_average_precision(alone.score, right(alone, truth), count),
            "recall": float(caught[copies].mean()),
            "first": float(first[copies].mean()),
            "bands": {name: n / count for name, n in sorted(shares.items())},
            "strangers": len(distractors),
            "strangers_flagged": sum(
                row_bands[place] in ("escalate", "review") for place in distractors
            ),
        }
    return lines


def per_10000(bands: Sequence[str]) -> dict[str, Any]:
    """Counts by band, and how many of 10,000 that would be, for rows that should have none."""
    counts = Counter(bands)
    return {
        "assets": len(bands),
        "counts": dict(sorted(counts.items())),
        "per_10000": {
            band: 10_000 * counts[band] / len(bands) if bands else float("nan")
            for band in ("escalate", "review", "info")
        },
    }


def upper_bound(found: int, of: int) -> float:
    """The largest rate that `found` of `of` would leave room for, at 95 % (Clopper–Pearson)."""
    from scipy.stats import beta

    if not of:
        return float("nan")
    return 1.0 if found >= of else float(beta.ppf(0.95, found + 1, of - found))
