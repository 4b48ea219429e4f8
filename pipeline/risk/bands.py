"""Which band a match and a row get: the cuts between `review`, `escalate` and `info`, and the bands
of rows without evidence (docs/risk.md, "From risk to band").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import (
    Field,
    FiniteFloat,
    model_validator,
)

from pipeline.core.config_file import Section
from pipeline.core.errors import Reason
from pipeline.core.records import Asset, Band, Kind, Match, Outcome, RiskRow, StageOutcome

URGENCY = {Band.ESCALATE: 0, Band.REVIEW: 1, Band.INFO: 2}
"""Bands of a match, the most urgent first: a row's strongest match has the lowest number."""

_RAN = (Outcome.MATCHED, Outcome.NO_MATCH)
DID_NOT_RUN = (Outcome.ABSTAINED, Outcome.SKIPPED, Outcome.FAILED)


class Bands(Section):
    """Where the bands are cut, on calibrated risk; a risk equal to a cut is in the band above.

    Attributes:
        escalate: risk from which a row with evidence of copying is `escalate`.
        review: risk from which a row with evidence is `review`; below it, `info`.
    """

    escalate: FiniteFloat = Field(default=0.9, gt=0, le=1)
    review: FiniteFloat = Field(default=0.3, gt=0, lt=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.review < self.escalate:
            raise ValueError(f"review ({self.review:g}) must be below escalate ({self.escalate:g})")
        return self


def match_band(match: Match, bands: Bands, *, unweighted: bool) -> Band:
    """The band of one match: `escalate`, `review` or `info`.

    Args:
        match: with its risk.
        bands: the cuts.
        unweighted: whether some of its evidence has no weight in the calibration.
    """
    if match.identical_file:
        return Band.ESCALATE
    if match.risk >= bands.escalate:
        return Band.REVIEW if match.likeness_only else Band.ESCALATE
    # The calibration can't weigh this evidence, so a person must.
    return Band.REVIEW if unweighted or match.risk >= bands.review else Band.INFO


def row_band(
    asset: Asset,
    outcomes: Sequence[StageOutcome],
    matches: Sequence[Band],
    *,
    suppressed: int,
    works_compared: int,
    complete: bool,
) -> Band:
    """The band of a row.

    Args:
        asset: the discovered file.
        outcomes: one of each registered stage.
        matches: bands of the matches that are not suppressed, strongest match first.
        suppressed: how many matches are suppressed.
        works_compared: how many works some stage compared the asset with.
        complete: whether loading left out no content.
    """
    if matches:
        return matches[0]
    if suppressed:
        return Band.INFO  # there was evidence, so never `no_match`
    if asset.fault is not None or asset.kind is Kind.OTHER or works_compared == 0:
        return Band.NOT_SCREENED
    if not any(outcome.outcome in _RAN for outcome in outcomes):
        return Band.NOT_SCREENED
    not_loaded = any(outcome.reason is Reason.NOT_LOADED for outcome in outcomes)
    if not complete or not_loaded or _some_stage_did_not_run(outcomes):
        return Band.PARTLY_SCREENED
    return Band.NO_MATCH


def partly_judged(row: RiskRow) -> bool:
    """Whether a part of the file was not looked at, or a stage that applies to it did not run."""
    return not row.complete or _some_stage_did_not_run(row.outcomes)


def _some_stage_did_not_run(outcomes: Sequence[StageOutcome]) -> bool:
    return any(outcome.outcome in DID_NOT_RUN for outcome in outcomes)
