"""The calibration: how much each stage's measures say that an asset was copied from a work.

For each kind of asset an additive logistic model (a generalised additive model with monotone,
piecewise-linear parts; Hastie and Tibshirani 1990):

    log-odds of a copy = prior + sum over measures of a curve of the measure
    risk               = 1 / (1 + exp(-log-odds))

Every curve is at least 0 and never falls as the evidence grows stronger, and a measure that is
missing adds nothing. So the risk is the prior and what each stage added, exactly, and no evidence
ever lowers it. The numbers stand in a JSON file with the data they were fitted to and their
reliability on works held out (docs/risk.md).
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    ValidationError,
    model_validator,
)

from pipeline.core.errors import ConfigError
from pipeline.core.records import Kind, Value
from pipeline.core.validation import Place, did_you_mean, problems_of
from reference_index.canonical_json import json_digest

Direction = Literal["lower", "higher"]
"""Which way a measure grows stronger: a distance is stronger when lower."""

DECIMALS = 4
"""Fitted numbers are stored to this many places: far finer than their uncertainty."""

Count = Annotated[int, Field(ge=0)]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]


def risk_of(log_odds: float) -> float:
    """The risk, in (0, 1), for log-odds in nats."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    grown = math.exp(max(log_odds, -700.0))
    return grown / (1.0 + grown)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Term(_Frozen):
    """One measure's curve.

    Attributes:
        stage, measure: the stage and its measure.
        direction: which way the measure grows stronger.
        knots: values of the measure, ascending; the curve is straight between them and level
            beyond them.
        values: the curve at the knots, in log-odds (nats).
    """

    stage: str
    measure: str
    direction: Direction
    knots: tuple[FiniteFloat, ...] = Field(min_length=1)
    values: tuple[FiniteFloat, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_a_monotone_curve(self) -> Self:
        if len(self.knots) != len(self.values):
            raise ValueError(f"{len(self.knots)} knots have {len(self.values)} values")
        if any(b <= a for a, b in pairwise(self.knots)):
            raise ValueError("the knots must ascend")
        if min(self.values) < 0:
            raise ValueError("the values must be at least 0, for no evidence lowers the risk")
        strongest_last = self.values if self.direction == "higher" else self.values[::-1]
        if any(b < a for a, b in pairwise(strongest_last)):
            raise ValueError(f"the values must not fall as {self.measure} grows stronger")
        return self

    def added(self, value: Value) -> float:
        """What a value of the measure adds, in nats; 0.0 if it is missing or not a number."""
        if value is None or isinstance(value, str) or not math.isfinite(value):
            return 0.0
        return float(np.interp(float(value), self.knots, self.values))


class ReliabilityBin(_Frozen):
    """A row of the held-out reliability table (`pipeline.evaluation.metrics.ReliabilityRow`)."""

    low: Share
    high: Share
    pairs: Count
    mean_risk: Share
    copies: Share


class HeldOut(_Frozen):
    """How the model did on works that it was not fitted to.

    Attributes:
        pairs, copies: pairs with any evidence, and how many of them are copies.
        copies_without_evidence: copies for which no stage had evidence.
        pairs_without_evidence: all pairs for which no stage had evidence.
        brier, log_loss, expected_calibration_error: over the pairs with evidence.
        table: their reliability table.
    """

    pairs: Count
    copies: Count
    copies_without_evidence: Count
    pairs_without_evidence: Count
    brier: FiniteFloat | None
    log_loss: FiniteFloat | None
    expected_calibration_error: FiniteFloat | None
    micro_average_precision: FiniteFloat | None
    table: tuple[ReliabilityBin, ...]


class KindModel(_Frozen):
    """The model for one kind of asset.

    Attributes:
        prior: log-odds (nats) of a copy for a pair without any evidence.
        terms: the curves.
        pairs, copies: what it was fitted to, pairs without evidence included.
        held_out: its measured reliability.
    """

    prior: FiniteFloat
    terms: tuple[Term, ...]
    pairs: Count = 0
    copies: Count = 0
    held_out: HeldOut | None = None

    @model_validator(mode="after")
    def _has_each_measure_once(self) -> Self:
        measures = [term.measure for term in self.terms]
        twice = sorted({m for m in measures if measures.count(m) > 1})
        if twice:
            raise ValueError(f"more than one term for {', '.join(twice)}")
        return self

    def contributions(self, measures: Mapping[str, Mapping[str, Value]]) -> dict[str, float]:
        """What each stage adds, in nats.

        Args:
            measures: by stage name, the measures of its evidence by measure name.

        Returns:
            By stage name, for the stages that the model knows. A stage of which no known measure
            has a value is left out, and `fuse` then says that its evidence was not counted.
        """
        added: dict[str, float] = {}
        for term in self.terms:
            value = measures.get(term.stage, {}).get(term.measure)
            if value is not None:
                added[term.stage] = added.get(term.stage, 0.0) + term.added(value)
        return added


class Calibration(_Frozen):
    """A calibration file.

    Attributes:
        version: of the file's form.
        kinds: a model for each kind of asset.
        weights_sha256: by stage name, SHA-256 (hex) of the model weights it was fitted with.
        data: where the pairs came from, how they were made and split, seeds.
    """

    version: Literal[1] = 1
    kinds: dict[Literal[Kind.IMAGE, Kind.SCRIPT], KindModel]
    weights_sha256: dict[str, str] = {}
    data: dict[str, JsonValue] = {}

    @model_validator(mode="after")
    def _has_every_kind(self) -> Self:
        missing = [kind.value for kind in (Kind.IMAGE, Kind.SCRIPT) if kind not in self.kinds]
        if missing:
            raise ValueError(f"kinds lacks {' and '.join(missing)}")
        return self

    def prior(self, kind: Kind) -> float:
        """Log-odds (nats) of a copy for a pair without evidence; 0.0 for a kind not judged."""
        return 0.0 if kind is Kind.OTHER else self.kinds[kind].prior

    @classmethod
    def load(
        cls, path: Path, known: Mapping[str, tuple[Kind, Collection[str]]] | None = None
    ) -> Calibration:
        """The calibration in the JSON file `path`.

        Args:
            path: of the file.
            known: by stage name, its kind and its numeric measures; by default those of the
                registered stages.

        Raises:
            ConfigError: if it can't be read, or is not a valid calibration; every fault is named.
        """
        if path.exists() and not path.is_file():
            raise ConfigError(f"The calibration {path} is not a file; name one that is.")
        try:
            text = path.read_bytes().decode("utf-8-sig")
            raw = json.loads(text)
        except OSError as error:
            raise ConfigError(
                f"The calibration file {path} can't be read ({error.strerror}); "
                "name one that exists under calibration in the configuration."
            ) from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"The calibration file {path} is not JSON: {error}.") from error
        try:
            calibration = cls.model_validate_json(json.dumps(raw), strict=True)
        except ValidationError as error:
            raise _refused(path, problems_of(error, cls, _nowhere)) from error
        problems = calibration.strangers(numeric_measures() if known is None else known)
        if problems:
            raise _refused(path, problems)
        return calibration

    def strangers(self, known: Mapping[str, tuple[Kind, Collection[str]]]) -> list[str]:
        """A sentence for each term whose stage or measure is not known, or of another kind."""
        found = []
        for kind, model in self.kinds.items():
            for position, term in enumerate(model.terms):
                name = f"kinds.{kind.value}.terms[{position}]"
                if term.stage not in known:
                    near = did_you_mean(term.stage, known)
                    found.append(f"{name}.stage {term.stage} is not known{near}")
                    continue
                judges, measures = known[term.stage]
                if judges is not kind:
                    found.append(f"{name}.stage {term.stage} judges {judges.value} assets only.")
                if term.measure not in measures:
                    near = did_you_mean(term.measure, measures)
                    found.append(f"{name}.measure {term.measure} is not known{near}")
        return found

    def save(self, path: Path) -> None:
        """Writes the file that `load` reads; the same calibration gives the same bytes."""
        text = json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")

    def digest(self) -> str:
        """SHA-256 (hex) of what it says; layout and place of the file do not matter."""
        return json_digest(self.model_dump(mode="json"))

    def other_weights(self, weights: Mapping[str, str | None]) -> list[str]:
        """Stages, by name, whose model weights are not those that this was fitted with.

        Args:
            weights: by stage name, the SHA-256 in the index's fingerprint spec.
        """
        return sorted(
            stage
            for stage, digest in self.weights_sha256.items()
            if weights.get(stage) not in (None, digest)
        )


def _nowhere(_place: Place) -> str:
    return ""


def _refused(path: Path, problems: Sequence[str]) -> ConfigError:
    listed = "\n".join(f"  - {problem}" for problem in problems)
    return ConfigError(f"The calibration file {path} can't be used:\n{listed}", problems)


def numeric_measures() -> dict[str, tuple[Kind, tuple[str, ...]]]:
    """By registered stage, its kind and its measures of a match that are numbers."""
    from pipeline.stages import STAGES

    return {
        name: (
            stage.kind,
            tuple(m.name for m in stage.measures if m.of == "match" and m.dtype != "str"),
        )
        for name, stage in STAGES.items()
    }
