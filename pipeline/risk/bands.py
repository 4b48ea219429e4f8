"""Where the bands are cut."""

from __future__ import annotations

from typing import Self

from pydantic import (
    Field,
    FiniteFloat,
    model_validator,
)

from pipeline.core.section import Section


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
            raise ValueError(
                f"review ({self.review:g}) must lie below escalate ({self.escalate:g})"
            )
        return self
