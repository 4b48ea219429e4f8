"""Quality metrics of labelled assets that were screened, and warnings where they are uncertain.

The formulas are in `pipeline.evaluation.metrics`; docs/evaluate.md explains each metric.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.records import Band, Kind
from pipeline.evaluation.labels import JudgedLabel
from pipeline.evaluation.metrics import (
    ReliabilityRow,
    brier_score,
    expected_calibration_error,
    largest_share,
    log_loss,
    micro_average_precision,
    recall_at_precision,
    reliability_table,
)

PRECISIONS = (0.9, 0.99, 1.0)
"""Precisions at which recall is reported."""

FALSE_FLAGS = {"review": (Band.ESCALATE, Band.REVIEW), "escalate": (Band.ESCALATE,)}
"""Bands that count as a flag, by name: that band or above. `info` needs no action."""

FEW_COPIES = 100
FEW_DISTRACTORS = 1000
FEW_PAIRS = 200
"""Below these a sentence says how uncertain the metrics are."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One asset and one work: with evidence, or labelled, or both.

    Attributes:
        asset: its path as in the labels.
        kind: of the asset.
        work_id: the work; None for an asset that has neither label nor evidence.
        risk: of the pair; None if no stage had evidence.
        asset_band: the band of the asset's row in a risk table.
        copy: whether the asset was copied from the work.
        found: whether any stage had evidence.
        why: for a copy that was not found, why not.
    """

    asset: str
    kind: Kind
    work_id: str | None
    risk: float | None
    asset_band: Band
    copy: bool
    found: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class BandCounts:
    """Assets in one band.

    Attributes:
        copies: that were copied from some work.
        right_work: of these, those whose strongest match is a work that they were copied from.
        strangers: the distractors, copied from no work (the name of the stored key).
    """

    copies: int
    right_work: int
    strangers: int


@dataclass(frozen=True, slots=True)
class FalseFlags:
    """Distractors in a band or above.

    Attributes:
        flagged, of: distractors flagged, of all distractors that could be judged.
        per_10_000: the same as a rate; None without distractors.
        at_most_per_10_000: upper bound of the rate at 95 % confidence.
    """

    flagged: int
    of: int
    per_10_000: float | None
    at_most_per_10_000: float


@dataclass(frozen=True, slots=True)
class QualityMetrics:
    """The metrics of some labelled assets; None where one is undefined.

    The names of the fields are keys of evaluation.json.

    Attributes:
        assets, copied_assets, strangers: all assets, the copies, the distractors.
        not_judged: assets that no stage could judge.
        pairs: labelled copies, an asset and a work each.
        found: of these, those with evidence.
        pairs_with_evidence: copies or not.
        micro_average_precision: over the pairs with evidence; copies without evidence lower recall.
        recall_at_precision: by precision, such as `0.99`.
        bands: by band, the assets in it.
        false_flags: by `review` and `escalate`.
        expected_calibration_error, brier, log_loss, table: over the pairs with evidence.
    """

    assets: int
    copied_assets: int
    strangers: int
    not_judged: int
    pairs: int
    found: int
    pairs_with_evidence: int
    micro_average_precision: float | None
    recall_at_precision: Mapping[str, float | None]
    bands: Mapping[str, BandCounts]
    false_flags: Mapping[str, FalseFlags]
    expected_calibration_error: float | None
    brier: float | None
    log_loss: float | None
    table: tuple[ReliabilityRow, ...]


def pairs_of_assets(judged: Iterable[JudgedLabel]) -> Iterator[Pair]:
    """Every pair with evidence or a label; an asset with neither has one pair without a work."""
    for one in judged:
        row, label = one.row, one.label
        path, kind = row.asset.asset_path, row.asset.kind
        found = {match.work_id for match in row.matches}
        for match in row.matches:
            is_copy = match.work_id in label.copies
            yield Pair(path, kind, match.work_id, match.risk, row.band, is_copy, True)
        for work in label.copies:
            if work not in found:
                yield Pair(path, kind, work, None, row.band, True, False, reason_not_found(one))
        for work in label.others:
            if work not in found:
                yield Pair(path, kind, work, None, row.band, False, False)
        if not (found or label.copies or label.others):
            yield Pair(path, kind, None, None, row.band, False, False)


def reason_not_found(missed: JudgedLabel) -> str:
    """Why a labelled copy has no evidence, or why the asset could not be judged."""
    row = missed.row
    if row.asset.fault is not None:
        return row.asset.fault.detail
    if row.matches:
        return "evidence against other works only"
    if row.band is Band.NOT_SCREENED and len(row.reasons) > 1:
        return " ".join(row.reasons[1:])  # the first only repeats the band
    return row.reasons[0] if row.reasons else "no evidence"


def quality_metrics(judged: Sequence[JudgedLabel]) -> QualityMetrics:
    """The metrics of screened assets with their labels."""
    pairs = list(pairs_of_assets(judged))
    # A pair has a risk exactly if it has evidence.
    risks = [pair.risk for pair in pairs if pair.risk is not None]
    copies = [pair.copy for pair in pairs if pair.risk is not None]
    total = sum(pair.copy for pair in pairs)
    table = reliability_table(risks, copies)
    return QualityMetrics(
        assets=len(judged),
        copied_assets=sum(bool(one.label.copies) for one in judged),
        strangers=sum(not one.label.copies for one in judged),
        not_judged=sum(one.row.band is Band.NOT_SCREENED for one in judged),
        pairs=total,
        found=sum(copies),
        pairs_with_evidence=len(risks),
        micro_average_precision=(micro_average_precision(risks, copies, total) if total else None),
        recall_at_precision={
            f"{precision:.2f}": (
                recall_at_precision(risks, copies, precision, total) if total else None
            )
            for precision in PRECISIONS
        },
        bands={band.value: _in_band(judged, band) for band in Band},
        false_flags={name: _false_flags(judged, bands) for name, bands in FALSE_FLAGS.items()},
        expected_calibration_error=_finite(expected_calibration_error(risks, copies)),
        brier=_finite(brier_score(risks, copies)),
        log_loss=_finite(log_loss(risks, copies)),
        table=table,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _in_band(judged: Sequence[JudgedLabel], band: Band) -> BandCounts:
    here = [one for one in judged if one.row.band is band]
    copied = [one for one in here if one.label.copies]
    right = sum(
        bool(one.row.matches) and one.row.matches[0].work_id in one.label.copies for one in copied
    )
    return BandCounts(len(copied), right, len(here) - len(copied))


def _false_flags(judged: Sequence[JudgedLabel], bands: Sequence[Band]) -> FalseFlags:
    distractors = [
        one for one in judged if not one.label.copies and one.row.band is not Band.NOT_SCREENED
    ]
    flagged = sum(one.row.band in bands for one in distractors)
    rate = 10_000 * flagged / len(distractors) if distractors else None
    return FalseFlags(
        flagged, len(distractors), rate, 10_000 * largest_share(flagged, len(distractors))
    )


def cautions_of(metrics: QualityMetrics) -> tuple[str, ...]:
    """Sentences on metrics that few labels make uncertain; none if there are enough of all."""
    cautions = []
    if not metrics.pairs:
        cautions.append("No copy is labelled, so µAP and recall have no meaning.")
    elif metrics.pairs < FEW_COPIES:
        cautions.append(
            f"Few copies are labelled ({metrics.pairs}): one found more or less moves recall by "
            f"{1 / metrics.pairs:.3f}."
        )
    flags = metrics.false_flags["review"]
    if not flags.of:
        cautions.append("No distractor could be judged, so nothing is known of false flags.")
    elif flags.of < FEW_DISTRACTORS:
        cautions.append(
            f"Few distractors were judged ({flags.of:,}): with {flags.flagged} flagged, a rate of "
            f"up to {flags.at_most_per_10_000:,.0f} in 10,000 is possible (95 % confidence)."
        )
    if metrics.pairs_with_evidence < FEW_PAIRS:
        cautions.append(
            f"Few pairs have evidence ({metrics.pairs_with_evidence}): calibration error, Brier "
            "score and log loss are rough."
        )
    return tuple(cautions)
