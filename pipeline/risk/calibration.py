"""Calibration: turns the measures of each stage into log-odds of a copy, and these into a risk.

For each kind of asset an additive logistic model (a generalised additive model with monotone,
piecewise-linear parts; Hastie and Tibshirani 1990):

    log-odds of a copy = prior + sum over measures of a curve of the measure
    risk               = 1 / (1 + exp(-log-odds))

Every curve is at least 0 and never falls as the evidence grows stronger, and a measure that is
missing adds nothing. So the log-odds are exactly the prior plus what each stage added, and no
evidence ever lowers the risk. The numbers are in a JSON file, with the data they were fitted to and
their reliability on held-out works (docs/risk.md).

A worked example. Log-odds are in nats, for which the natural logarithm is taken:

    prior        -5.0                            a pair without evidence: risk 0.0067
    curve 1      bits, stronger when lower       knots (0, 4, 10) bits, values (8, 6, 1) nats
    curve 2      cosine, stronger when higher    knots (0.5, 0.9), values (0, 3) nats

    bits = 7     halfway between the knots 4 and 10, so (6 + 1) / 2 = 3.5
    cosine = 0.7 halfway between 0.5 and 0.9, so (0 + 3) / 2 = 1.5
    log-odds     -5.0 + 3.5 + 1.5 = 0.0          risk 0.5: one in two such pairs is a copy
    bits = 12    beyond the last knot the curve is level, so 1.0; without the cosine,
                 log-odds -5.0 + 1.0 = -4.0      risk 0.018
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
from pipeline.core.validation import did_you_mean, validation_problems
from reference_index.canonical_json import json_digest

Direction = Literal["lower", "higher"]
"""Which values of a measure are stronger evidence: of a distance, the lower ones."""

DECIMALS = 4
"""Decimal places of stored fitted numbers: far finer than their uncertainty, and short to read."""

_MOST_NATS = 700.0
"""math.exp overflows from 710 on."""

Count = Annotated[int, Field(ge=0)]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]


def risk_of(log_odds: float) -> float:
    """The risk, in (0, 1), for log-odds in nats."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    odds = math.exp(max(log_odds, -_MOST_NATS))
    return odds / (1.0 + odds)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Term(_Frozen):
    """One measure's curve.

    Attributes:
        stage, measure: the stage and its measure.
        direction: whether lower or higher values are stronger evidence.
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
        """Log-odds (nats) that a value of the measure adds; 0.0 if missing or not a number."""
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
    """Reliability of the model on works that it was not fitted to.

    Attributes:
        pairs, copies: pairs with any evidence, and how many of them are copies.
        copies_without_evidence: copies for which no stage had evidence.
        pairs_without_evidence: all pairs for which no stage had evidence.
        brier, log_loss, expected_calibration_error: over the pairs with evidence; None if there
            are none.
        micro_average_precision: µAP of the pairs with evidence; copies without count as missed.
        table: the reliability table of the pairs with evidence.
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
        pairs, copies: pairs that it was fitted to, and how many of them are copies; pairs without
            evidence included.
        held_out: its reliability on held-out works.
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
        """Log-odds (nats) that each stage adds.

        Args:
            measures: by stage name, the measures of its evidence by measure name.

        Returns:
            By stage name. A stage without a value for any measure that has a curve is left out,
            and `fuse` then reports that the calibration gives its evidence no weight.
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
        version: of the file format.
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
        """Log-odds (nats) of a copy for a pair without evidence; 0.0 for a kind without a model."""
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
            ConfigError: if it can't be read, or is not a valid calibration; lists every fault.
        """
        if path.exists() and not path.is_file():
            raise ConfigError(f"The calibration {path} is not a file; name one that is.")
        try:
            text = path.read_bytes().decode("utf-8-sig")
            raw = json.loads(text)
        except FileNotFoundError as error:
            raise ConfigError(
                f"There is no calibration file {path}; put one there, or name another under "
                "calibration in the configuration, by its path from the configuration's folder."
            ) from error
        except OSError as error:
            raise ConfigError(
                f"The calibration file {path} can't be read ({error.strerror}); "
                "name another under calibration in the configuration."
            ) from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"The calibration file {path} is not JSON: {error}.") from error
        try:
            calibration = cls.model_validate_json(json.dumps(raw), strict=True)
        except ValidationError as error:
            raise _refused(path, validation_problems(error, cls)) from error
        problems = calibration.unknown_measures(numeric_measures() if known is None else known)
        if problems:
            raise _refused(path, problems)
        return calibration

    def unknown_measures(self, known: Mapping[str, tuple[Kind, Collection[str]]]) -> list[str]:
        """A sentence for each term whose stage or measure is unknown, or of another kind.

        Args:
            known: by stage name, its kind and its numeric measures.
        """
        problems = []
        for kind, model in self.kinds.items():
            for position, term in enumerate(model.terms):
                name = f"kinds.{kind.value}.terms[{position}]"
                if term.stage not in known:
                    near = did_you_mean(term.stage, known)
                    problems.append(f"{name}.stage {term.stage} is not known{near}")
                    continue
                stage_kind, measures = known[term.stage]
                if stage_kind is not kind:
                    problems.append(
                        f"{name}.stage {term.stage} judges {stage_kind.value} assets only."
                    )
                if term.measure not in measures:
                    near = did_you_mean(term.measure, measures)
                    problems.append(f"{name}.measure {term.measure} is not known{near}")
        return problems

    def save(self, path: Path) -> None:
        """Writes the file that `load` reads; the same calibration gives the same bytes."""
        text = json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")

    def digest(self) -> str:
        """SHA-256 (hex) of its values; the file's layout and path do not matter."""
        return json_digest(self.model_dump(mode="json"))

    def other_weights(self, weights: Mapping[str, str | None]) -> list[str]:
        """Names of stages whose model weights are not those that this was fitted with, sorted.

        Args:
            weights: by stage name, the SHA-256 (hex) in the index's fingerprint spec.
        """
        return sorted(
            stage
            for stage, digest in self.weights_sha256.items()
            if weights.get(stage) not in (None, digest)
        )


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
