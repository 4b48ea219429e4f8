"""A calibration fitted to a user's own labelled pairs.

Half of the works, with everything that the labels tie to them, fit the curves; the other half
measures them. A kind of asset without labelled pairs keeps the model that it had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import JsonValue

from pipeline.core.errors import ManifestError
from pipeline.core.records import Band, Kind
from pipeline.core.wording.terms import count
from pipeline.evaluation.fitting import RIDGE, Pairs, fitted, held_out, pairs_of, widened
from pipeline.evaluation.labels import JudgedLabel, LabelledAsset
from pipeline.risk.calibration import Calibration, HeldOut, KindModel
from pipeline.screening.config import Config
from pipeline.screening.stage_runner import StageRunner
from pipeline.stages import STAGES, stage_title

LEAST_COPIES = 20
LEAST_WORKS = 10
LEAST_STRANGERS = 20
"""What a fit takes at least, of one kind. With so few it is rough, and its figures say so."""

FEW_COPIES = 100
"""Fewer to fit to, and a sentence says that the model is rough."""

LEAST_ON_A_SIDE = 5
"""Copies, and strangers, that each half must have at least."""

SEED = 1
"""Of the deal of works to the two halves: the same labels are always dealt alike."""

FitKind = Literal[Kind.IMAGE, Kind.SCRIPT]
"""A kind of asset that has a model."""

KINDS: tuple[FitKind, ...] = (Kind.IMAGE, Kind.SCRIPT)
NOUNS: Mapping[FitKind, str] = {Kind.IMAGE: "pictures", Kind.SCRIPT: "scripts"}

JudgeWidely = Callable[[Sequence[LabelledAsset], list[StageRunner]], list[JudgedLabel]]
"""Judges labelled assets with other runners than the run's."""


@dataclass(frozen=True)
class Recalibrated:
    """A new calibration, and how it compares.

    Attributes:
        calibration: with a fitted model for each of `before`, the others as they were.
        before: by fitted kind, how the calibration in use does on the very pairs that measure the
            new one.
        kept: kinds without labelled pairs, whose model was kept.
        cautions: sentences on what the labels could not tell.
    """

    calibration: Calibration
    before: Mapping[FitKind, HeldOut]
    kept: tuple[FitKind, ...]
    cautions: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The figures on the pairs held out, without the curves."""
        return {
            "digest": self.calibration.digest(),
            "kept": [kind.value for kind in self.kept],
            "cautions": list(self.cautions),
            "held_out": {kind.value: self._held_out(kind) for kind in self.before},
            "held_out_before": {
                kind.value: its.model_dump(mode="json") for kind, its in self.before.items()
            },
        }

    def _held_out(self, kind: FitKind) -> dict[str, Any]:
        its = self.calibration.kinds[kind].held_out
        return {} if its is None else its.model_dump(mode="json")


@dataclass
class Half:
    """Labelled assets of one half, and the works that only this half may be paired with."""

    assets: list[JudgedLabel]
    works: set[str]

    @property
    def copies(self) -> int:
        """Labelled copies."""
        return sum(len(one.label.copies) for one in self.assets)

    @property
    def strangers(self) -> int:
        """Assets that are copies of nothing."""
        return sum(not one.label.copies for one in self.assets)


def check_enough(labelled: Sequence[LabelledAsset], of: str = "labelled") -> tuple[FitKind, ...]:
    """The kinds that can be fitted: all that have labelled assets.

    Raises:
        ManifestError: if a kind has too few of anything, or none has any.
    """
    kinds = tuple(k for k in KINDS if any(one.asset.kind is k for one in labelled))
    if not kinds:
        raise ManifestError(
            f"No picture and no script is {of}, so there is nothing to fit a calibration to."
        )
    for kind in kinds:
        mine = [one for one in labelled if one.asset.kind is kind]
        copies = sum(len(one.copies) for one in mine)
        works = len({work for one in mine for work in one.copies})
        strangers = sum(not one.copies for one in mine)
        if copies < LEAST_COPIES or works < LEAST_WORKS or strangers < LEAST_STRANGERS:
            raise ManifestError(
                f"Too few {NOUNS[kind]} are {of} to fit a calibration: "
                f"{count(copies, 'copy', 'copies')} of {count(works, 'work')} and "
                f"{count(strangers, 'stranger')}, and it takes {LEAST_COPIES} of {LEAST_WORKS} and "
                f"{LEAST_STRANGERS}; label more of them{_or_leave_out(kind, kinds)}."
            )
    return kinds


def _or_leave_out(kind: FitKind, kinds: Sequence[FitKind]) -> str:
    """The other way out, where another kind is labelled that could be fitted alone."""
    others = [NOUNS[other] for other in kinds if other is not kind]
    if not others:
        return ""
    return f", or leave the {NOUNS[kind]} out of the labels to fit the {others[0]} alone"


def recalibrate(
    judged: Sequence[JudgedLabel],
    judge_widely: JudgeWidely,
    runners: Sequence[StageRunner],
    config: Config,
    *,
    about: Mapping[str, JsonValue],
) -> Recalibrated:
    """Fits a calibration.

    Args:
        judged: every labelled asset, as the run judged it.
        judge_widely: judges some of them again.
        runners: the run's.
        config: the run's.
        about: what the new file should say of where its pairs came from.

    Raises:
        ManifestError: if there are too few pairs, or they can't be split by work.
    """
    # What no stage could judge says nothing of the evidence.
    usable = [one for one in judged if one.row.band is not Band.NOT_SCREENED]
    kinds = check_enough([one.label for one in usable], "labelled and could be judged")
    settings = widened({runner.name: runner.settings for runner in runners})
    wide = [replace(runner, settings=settings[runner.name]) for runner in runners]
    used = config.loaded_calibration
    models: dict[FitKind, KindModel] = {}
    before: dict[FitKind, HeldOut] = {}
    cautions: list[str] = []
    counts: dict[str, JsonValue] = {}
    for kind in kinds:
        halves = split([one for one in usable if one.row.asset.kind is kind])
        for half in halves:
            if min(half.copies, half.strangers) < LEAST_ON_A_SIDE:
                raise ManifestError(
                    f"The labelled {NOUNS[kind]} can't be split in half by work: too many are tied "
                    "to one work, by being copies of it or of several works at once."
                )
        to_fit, to_measure = halves
        seen = judge_widely([one.label for one in to_fit.assets], wide)
        ran = [b for b in runners if b.kind is kind and b.absent is None]
        fit_on = _pairs(seen, to_fit, to_measure, ran)
        measure_on = _pairs(to_measure.assets, to_measure, to_fit, ran)
        try:
            models[kind] = fitted(fit_on, measure_on)
        except ValueError as error:
            raise ManifestError(
                f"No calibration could be fitted to the labelled {NOUNS[kind]} ({error})."
            ) from error
        before[kind] = held_out(used.kinds[kind], measure_on)
        cautions += _cautions(kind, models[kind], before[kind])
        counts[kind.value] = {
            name: {"assets": len(half.assets), "copies": half.copies, "strangers": half.strangers}
            for name, half in (("fitted", to_fit), ("held_out", to_measure))
        }
    return Recalibrated(
        Calibration(
            kinds={kind: models.get(kind, used.kinds[kind]) for kind in KINDS},
            weights_sha256=_weights(models, used, ran_weights(runners)),
            data={
                "made_by": "clearance evaluate --calibrate",
                **about,
                "fitted": [kind.value for kind in kinds],
                "kept_from": None if len(kinds) == len(KINDS) else used.digest(),
                "split": "by work, half to fit, half held out; assets that share a work, or their "
                "very bytes, lie on one side",
                "seed": SEED,
                "ridge": RIDGE,
                "counts": counts,
            },
        ),
        before,
        tuple(kind for kind in KINDS if kind not in kinds),
        tuple(cautions),
    )


def _pairs(
    judged: Sequence[JudgedLabel], mine: Half, other: Half, runners: Sequence[StageRunner]
) -> Pairs:
    """The pairs of one half: its assets with its works, and with those that no label names."""
    stored = frozenset[str]().union(*(runner.works for runner in runners))
    works = (stored | mine.works) - other.works
    return pairs_of(
        ((one.label.copies, one.row.outcomes) for one in judged),
        works,
        [runner.name for runner in runners],
    )


def split(judged: Sequence[JudgedLabel]) -> tuple[Half, Half]:
    """The two halves: what the labels tie together lies on one side.

    The order of the labels decides nothing but which of two equals is dealt first.
    """
    groups = _tied(judged)
    order = np.random.default_rng(SEED).permutation(len(groups))
    dealt = sorted((groups[place] for place in order), key=lambda g: (-g.copies, -g.strangers))
    halves = (Half([], set()), Half([], set()))
    for group in dealt:
        by_copies = group.copies > 0
        least = min(
            halves,
            key=lambda h: (h.copies, h.strangers) if by_copies else (h.strangers, h.copies),
        )
        least.assets += group.assets
        least.works |= group.works
    return halves


def _tied(judged: Sequence[JudgedLabel]) -> list[Half]:
    """Groups of assets that share a work or their bytes, directly or through others.

    In the order in which their first assets stand.
    """
    leader: dict[str, str] = {}

    def leads(name: str) -> str:
        while leader.setdefault(name, name) != name:
            leader[name] = name = leader[leader[name]]
        return name

    names = []
    for place, one in enumerate(judged):
        works = sorted({*one.label.copies, *one.label.others})
        content = one.row.asset.asset_id
        own = [f"asset {place}", *(f"work {work}" for work in works)]
        for name in own if content is None else [*own, f"bytes {content}"]:
            leader[leads(name)] = leads(own[0])
        names.append((own[0], works))
    groups: dict[str, Half] = {}
    for one, (name, works) in zip(judged, names, strict=True):
        group = groups.setdefault(leads(name), Half([], set()))
        group.assets.append(one)
        group.works.update(works)
    return list(groups.values())


def _cautions(kind: FitKind, model: KindModel, before: HeldOut) -> list[str]:
    counted = {term.stage for term in model.terms}
    said = [
        f"No labelled pair had evidence of {stage_title(name)}, so it has no curve: what it finds "
        "goes to review and is not weighed."
        for name, stage in STAGES.items()
        if stage.kind is kind and name not in counted
    ]
    if model.copies < FEW_COPIES:
        said.append(
            f"The model for {NOUNS[kind]} is fitted to {count(model.copies, 'copy', 'copies')} "
            "alone, so it is rough; with more labels it would be finer."
        )
    now = model.held_out.log_loss if model.held_out is not None else None
    if now is not None and before.log_loss is not None and now >= before.log_loss:
        said.append(
            f"For {NOUNS[kind]} the new model does no better on the works held out than the one in "
            f"use (log loss {now:.3f}, before {before.log_loss:.3f}): the one in use is to be "
            "preferred."
        )
    return said


def ran_weights(runners: Iterable[StageRunner]) -> dict[str, str]:
    """By name of a stage that ran and has model weights, their SHA-256."""
    return {
        runner.name: runner.stage.spec.weights_sha256
        for runner in runners
        if runner.stage is not None and runner.stage.spec.weights_sha256 is not None
    }


def _weights(
    models: Mapping[FitKind, KindModel], used: Calibration, ran: Mapping[str, str]
) -> dict[str, str]:
    """The weights behind each stage's curves: the index's where they are new."""
    new = {term.stage for model in models.values() for term in model.terms}
    old = {
        name: digest
        for name, digest in used.weights_sha256.items()
        if name in STAGES and STAGES[name].kind not in models
    }
    return {**old, **{name: digest for name, digest in ran.items() if name in new}}
