"""`clearance evaluate --calibrate`: a calibration fitted to a user's own labelled pairs.

The works are split in half, with every asset that the labels connect to them: one half fits the
curves (`pipeline.evaluation.fitting`), the other measures them. A kind of asset without labelled
pairs keeps its model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from pydantic import JsonValue

from pipeline.core.errors import ManifestError
from pipeline.core.records import Band, Kind
from pipeline.core.wording.text import count
from pipeline.evaluation.fitting import (
    RIDGE,
    Pairs,
    fit_model,
    measure_held_out,
    pairs_of,
    widen_settings,
)
from pipeline.evaluation.labels import JudgedLabel, LabelledAsset
from pipeline.risk.calibration import Calibration, HeldOut, KindModel
from pipeline.screening.config import Config
from pipeline.screening.stage_runner import StageRunner
from pipeline.stages import STAGES, stage_title


@dataclass(frozen=True)
class MinimumLabels:
    """How many labels of one kind a fit needs.

    With so few the curves are rough, and the metrics on the held-out half show it.

    Attributes:
        copies, works, distractors: in all: 20 copies of 10 works leave each half some 10 copies of
            5 works.
        per_half: copies, and distractors, in each half.
        for_fine_curves: with fewer copies to fit to, a sentence says that the model is rough.
    """

    copies: int = 20
    works: int = 10
    distractors: int = 20
    per_half: int = 5
    for_fine_curves: int = 100


MINIMUM = MinimumLabels()

SEED = 1
"""Of the split by work: the same labels always give the same halves."""

FitKind = Literal[Kind.IMAGE, Kind.SCRIPT]
"""A kind of asset that has a model."""

KINDS: tuple[FitKind, ...] = (Kind.IMAGE, Kind.SCRIPT)
NOUNS: Mapping[FitKind, str] = {Kind.IMAGE: "pictures", Kind.SCRIPT: "scripts"}

ScreenWidely = Callable[[Sequence[LabelledAsset], list[StageRunner]], list[JudgedLabel]]
"""Screens labelled assets with other runners than the run's."""


@dataclass(frozen=True)
class Recalibrated:
    """A new calibration, compared with the one in use.

    Attributes:
        calibration: with a fitted model for each of `before`, the others as they were.
        before: by fitted kind, metrics of the calibration in use on the pairs that measure the new
            one.
        kept: kinds without labelled pairs, whose model was kept.
        cautions: sentences on what the labels can't tell.
    """

    calibration: Calibration
    before: Mapping[FitKind, HeldOut]
    kept: tuple[FitKind, ...]
    cautions: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The metrics on the held-out pairs, without the curves."""
        return {
            "digest": self.calibration.digest(),
            "kept": [kind.value for kind in self.kept],
            "cautions": list(self.cautions),
            "held_out": {kind.value: self._held_out(kind) for kind in self.before},
            "held_out_before": {
                kind.value: held_out.model_dump(mode="json")
                for kind, held_out in self.before.items()
            },
        }

    def _held_out(self, kind: FitKind) -> dict[str, Any]:
        held_out = self.calibration.kinds[kind].held_out
        return {} if held_out is None else held_out.model_dump(mode="json")


@dataclass
class Half:
    """Labelled assets of one half, and the works that only they may be paired with."""

    assets: list[JudgedLabel]
    works: set[str]

    @property
    def copies(self) -> int:
        """Labelled copies."""
        return sum(len(one.label.copies) for one in self.assets)

    @property
    def distractors(self) -> int:
        """Assets that are copies of no work."""
        return sum(not one.label.copies for one in self.assets)


def check_enough(
    labelled: Sequence[LabelledAsset], participle: str = "labelled"
) -> tuple[FitKind, ...]:
    """The kinds that can be fitted: all that have labelled assets.

    Args:
        labelled: the assets.
        participle: what they are, for the message: "No picture is labelled".

    Raises:
        ManifestError: if a kind has too few of anything, or none has any.
    """
    kinds = tuple(k for k in KINDS if any(one.asset.kind is k for one in labelled))
    if not kinds:
        raise ManifestError(
            f"No picture and no script is {participle}, so there is nothing to fit a calibration "
            "to."
        )
    for kind in kinds:
        of_kind = [one for one in labelled if one.asset.kind is kind]
        copies = sum(len(one.copies) for one in of_kind)
        works = len({work for one in of_kind for work in one.copies})
        distractors = sum(not one.copies for one in of_kind)
        if copies < MINIMUM.copies or works < MINIMUM.works or distractors < MINIMUM.distractors:
            raise ManifestError(
                f"Too few {NOUNS[kind]} are {participle} to fit a calibration: "
                f"{count(copies, 'copy', 'copies')} of {count(works, 'work')} and "
                f"{count(distractors, 'distractor')}, and it takes {MINIMUM.copies} of "
                f"{MINIMUM.works} and {MINIMUM.distractors}; label more of "
                f"them{_or_leave_out(kind, kinds)}."
            )
    return kinds


def _or_leave_out(kind: FitKind, kinds: Sequence[FitKind]) -> str:
    """The alternative in a message, if another kind could be fitted alone."""
    others = [NOUNS[other] for other in kinds if other is not kind]
    if not others:
        return ""
    return f", or leave the {NOUNS[kind]} out of the labels to fit the {others[0]} alone"


def recalibrate(
    judged: Sequence[JudgedLabel],
    screen_widely: ScreenWidely,
    runners: Sequence[StageRunner],
    config: Config,
    *,
    about: Mapping[str, JsonValue],
) -> Recalibrated:
    """Fits a calibration to one half of the labels and measures it on the other.

    Args:
        judged: every labelled asset with its row.
        screen_widely: screens the half to fit again, under wider settings.
        runners: the run's.
        config: the run's.
        about: the origin of the pairs, for the new file.

    Raises:
        ManifestError: if there are too few pairs, or they can't be split by work.
    """
    # Assets that no stage could judge tell nothing about evidence.
    usable = [one for one in judged if one.row.band is not Band.NOT_SCREENED]
    kinds = check_enough([one.label for one in usable], "labelled and could be judged")
    settings = widen_settings({runner.name: runner.settings for runner in runners})
    wide = [replace(runner, settings=settings[runner.name]) for runner in runners]
    used = config.loaded_calibration
    models: dict[FitKind, KindModel] = {}
    before: dict[FitKind, HeldOut] = {}
    cautions: list[str] = []
    counts: dict[str, JsonValue] = {}
    for kind in kinds:
        halves = split([one for one in usable if one.row.asset.kind is kind])
        for half in halves:
            if min(half.copies, half.distractors) < MINIMUM.per_half:
                raise ManifestError(
                    f"The labelled {NOUNS[kind]} can't be split in half by work: too many are tied "
                    "to one work, by being copies of it or of several works at once."
                )
        to_fit, to_measure = halves
        widely_screened = screen_widely([one.label for one in to_fit.assets], wide)
        ran = [runner for runner in runners if runner.kind is kind and runner.absent is None]
        fit_on = _pairs(widely_screened, to_fit, to_measure, ran)
        measure_on = _pairs(to_measure.assets, to_measure, to_fit, ran)
        try:
            models[kind] = fit_model(fit_on, measure_on)
        except ValueError as error:
            raise ManifestError(
                f"No calibration could be fitted to the labelled {NOUNS[kind]} ({error})."
            ) from error
        before[kind] = measure_held_out(used.kinds[kind], measure_on)
        cautions += _cautions(kind, models[kind], before[kind])
        counts[kind.value] = {
            name: {"assets": len(half.assets), "copies": half.copies, "strangers": half.distractors}
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
    judged: Sequence[JudgedLabel], half: Half, other: Half, runners: Sequence[StageRunner]
) -> Pairs:
    """The pairs of one half: its assets with its works and with works that no label names."""
    stored = frozenset[str]().union(*(runner.works for runner in runners))
    works = (stored | half.works) - other.works
    return pairs_of(
        ((one.label.copies, one.row.outcomes) for one in judged),
        works,
        [runner.name for runner in runners],
    )


def split(judged: Sequence[JudgedLabel]) -> tuple[Half, Half]:
    """Two halves of about equal size, without a work or a file on both sides.

    Largest groups first, each to the half that has fewer copies (or distractors). The order of the
    labels only decides between equal groups.
    """
    groups = _connected(judged)
    order = np.random.default_rng(SEED).permutation(len(groups))
    largest_first = sorted(
        (groups[number] for number in order), key=lambda g: (-g.copies, -g.distractors)
    )
    halves = (Half([], set()), Half([], set()))
    for group in largest_first:
        by_copies = group.copies > 0
        smaller = min(
            halves,
            key=lambda h: (h.copies, h.distractors) if by_copies else (h.distractors, h.copies),
        )
        smaller.assets += group.assets
        smaller.works |= group.works
    return halves


def _connected(judged: Sequence[JudgedLabel]) -> list[Half]:
    """Groups of assets that share a work or their bytes, directly or through others (union-find).

    In the order of their first assets.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = name = parent[parent[name]]
        return name

    names = []
    for number, one in enumerate(judged):
        works = sorted({*one.label.copies, *one.label.others})
        content = one.row.asset.asset_id
        nodes = [f"asset {number}", *(f"work {work}" for work in works)]
        for name in nodes if content is None else [*nodes, f"bytes {content}"]:
            parent[root(name)] = root(nodes[0])
        names.append((nodes[0], works))
    groups: dict[str, Half] = {}
    for one, (name, works) in zip(judged, names, strict=True):
        group = groups.setdefault(root(name), Half([], set()))
        group.assets.append(one)
        group.works.update(works)
    return list(groups.values())


def _cautions(kind: FitKind, model: KindModel, before: HeldOut) -> list[str]:
    counted = {term.stage for term in model.terms}
    cautions = [
        f"No labelled pair had evidence of {stage_title(name)}, so it has no curve: what it finds "
        "goes to review and is not weighed."
        for name, stage in STAGES.items()
        if stage.kind is kind and name not in counted
    ]
    if model.copies < MINIMUM.for_fine_curves:
        cautions.append(
            f"The model for {NOUNS[kind]} is fitted to only "
            f"{count(model.copies, 'copy', 'copies')}, so it is rough; with more labels it "
            "would be finer."
        )
    now = model.held_out.log_loss if model.held_out is not None else None
    if now is not None and before.log_loss is not None and now >= before.log_loss:
        cautions.append(
            f"For {NOUNS[kind]} the new model does no better on the works held out than the one in "
            f"use (log loss {now:.3f}, before {before.log_loss:.3f}): the one in use is to be "
            "preferred."
        )
    return cautions


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
