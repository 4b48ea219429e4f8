"""`clearance evaluate`: screens a user's labelled assets and measures how well that went.

The assets are screened exactly as `clearance screen` does it. What each metric means:
docs/evaluate.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.environment import environment
from pipeline.core.errors import ManifestError
from pipeline.core.records import Band, Kind
from pipeline.core.wording.text import count
from pipeline.evaluation.files import (
    EVALUATION,
    NAMES,
    PAIRS,
    PRECISION_RECALL,
    RELIABILITY,
    check_targets,
    check_writable,
    csv_bytes,
    write_all,
)
from pipeline.evaluation.labels import JudgedLabel, LabelledAsset, read_labels
from pipeline.evaluation.plots import Ranking, precision_recall_png, reliability_png
from pipeline.evaluation.quality import (
    Pair,
    QualityMetrics,
    cautions_of,
    pairs_of_assets,
    quality_metrics,
    reason_not_found,
)
from pipeline.evaluation.recalibrate import Recalibrated, check_enough, recalibrate
from pipeline.results.files import json_bytes
from pipeline.runtime.progress import Progress, silent
from pipeline.screening.config import Config, load_config
from pipeline.screening.screen import check_places, open_verified_index, screen_assets
from pipeline.screening.stage_runner import StageRunner, open_runners
from reference_index.store import ReferenceIndex


@dataclass(frozen=True)
class Evaluation:
    """The result of `clearance evaluate`.

    Attributes:
        metrics: of all assets by `all`, and of each kind by its name.
        pairs: every pair, by asset in the order of the labels, the strongest first.
        not_judged: by path of an asset that no stage could judge, why not.
        about: the inputs: labels, index, configuration, code.
        not_run: by stage name, why it ran for no asset.
        other_weights: stages whose model weights differ from those of the calibration.
        cautions: sentences on how far the metrics can be trusted.
        out: the folder of the results, or None.
        results: names of the files in it.
        calibrated: the new calibration, or None.
        calibration_file: its file, or None.
        refused: why no calibration could be fitted though one was requested, else empty.
    """

    metrics: Mapping[str, QualityMetrics]
    pairs: tuple[Pair, ...]
    not_judged: Mapping[str, str]
    about: Mapping[str, Any]
    not_run: Mapping[str, str]
    other_weights: tuple[str, ...]
    cautions: tuple[str, ...]
    out: Path | None = None
    results: tuple[str, ...] = ()
    calibrated: Recalibrated | None = None
    calibration_file: Path | None = None
    refused: str = ""

    @property
    def missed(self) -> tuple[Pair, ...]:
        """The copies for which no stage had evidence."""
        return tuple(pair for pair in self.pairs if pair.copy and not pair.found)

    def to_json(self) -> dict[str, Any]:
        """The content of evaluation.json; the same inputs give the same bytes."""
        of_kinds = {name: asdict(metrics) for name, metrics in self.metrics.items()}
        return {
            "all": of_kinds.pop("all"),
            "kinds": of_kinds,
            "cautions": list(self.cautions),
            "missed": [
                {"asset": pair.asset, "work_id": pair.work_id, "why": pair.why}
                for pair in self.missed
            ],
            "not_judged": [{"asset": asset, "why": why} for asset, why in self.not_judged.items()],
            "not_run": dict(self.not_run),
            "other_weights": list(self.other_weights),
            **self.about,
            "calibrated": None if self.calibrated is None else self.calibrated.to_json(),
        }

    def summary(self) -> dict[str, Any]:
        """The object that `clearance evaluate --json` prints."""
        return {
            **self.to_json(),
            "out": None if self.out is None else str(self.out),
            "results": list(self.results),
            "refused": self.refused,
            "calibration_file": (
                None if self.calibration_file is None else str(self.calibration_file)
            ),
        }


def evaluate(
    labels: Path,
    index_path: Path,
    *,
    config: Path | Config | None = None,
    out: Path | None = None,
    calibrate: Path | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Screens every labelled asset against the index and measures the result.

    If the labels turn out to be too few for a calibration only once they are screened, the metrics
    are returned nevertheless, and `refused` says why.

    Args:
        labels: a CSV of labelled pairs (`pipeline.evaluation.labels`).
        index_path: the reference index.
        config: as for `screen`.
        out: folder for evaluation.json, pairs.csv and two plots; None writes nothing.
        calibrate: file for a calibration fitted to these pairs; None fits none.
        progress: called after each asset.

    Raises:
        ManifestError: if the labels can't be used, or are too few to calibrate with.
        DropError: if `out` or `calibrate` can't be written, or would overwrite an input.
        ConfigError: if the configuration can't be used.
        ReferenceIndexError: if the index can't be read, or not with what is installed.
    """
    settings = config if isinstance(config, Config) else load_config(config)
    index = open_verified_index(index_path, doing="used")
    if not index.works:
        raise ManifestError(
            f"The index {index_path} holds no works, so there is nothing to judge against; add "
            f"some with `clearance index add {index_path} WORKS`."
        )
    ids = {work.work_id for work in index.works}
    labelled = read_labels(labels, ids, index.aliases, progress=progress)
    if out is not None:
        check_places(labels, index_path, out)
    check_targets(out, calibrate, index_path, [labels, *(one.asset.file for one in labelled)])
    if calibrate is not None:
        check_enough(labelled)
    check_writable(path for path in (out, calibrate and calibrate.parent) if path is not None)
    runners = open_runners(index, settings.stage_settings)
    judged = _screen_labelled(labelled, index, runners, settings, progress, "Judging")
    calibrated, refused = None, ""
    if calibrate is not None:
        try:
            calibrated = recalibrate(
                judged,
                lambda labels, wide_runners: _screen_labelled(
                    labels, index, wide_runners, settings, progress, "Looking wider"
                ),
                runners,
                settings,
                about={
                    "labels": labels.name,
                    "index_version": index.version,
                    "index_digest": index.digest,
                    "config_fingerprint": settings.fingerprint(),
                },
            )
        except ManifestError as error:
            refused = str(error)  # the metrics are still worth having
    metrics = {"all": quality_metrics(judged)}
    for kind in Kind:
        of_kind = [one for one in judged if one.row.asset.kind is kind]
        if of_kind:
            metrics[kind.value] = quality_metrics(of_kind)
    weights = {name: spec.weights_sha256 for name, spec in index.specs.items()}
    used = settings.loaded_calibration
    return _write(
        Evaluation(
            metrics=metrics,
            pairs=tuple(pairs_of_assets(judged)),
            not_judged={
                one.row.asset.asset_path: reason_not_found(one)
                for one in judged
                if one.row.band is Band.NOT_SCREENED
            },
            about={
                "labels": labels.name,
                "index": {
                    "version": index.version,
                    "digest": index.digest,
                    "works": len(index.works),
                    "specs": {name: spec.to_json() for name, spec in index.specs.items()},
                },
                "config": settings.values(),
                "config_fingerprint": settings.fingerprint(),
                "calibration_digest": used.digest(),
                **environment(),
            },
            not_run={
                runner.name: runner.absent.detail for runner in runners if runner.absent is not None
            },
            other_weights=tuple(used.other_weights(weights)),
            cautions=(*_uncounted(judged, index, runners), *cautions_of(metrics["all"])),
            out=out,
            results=() if out is None else NAMES,
            calibrated=calibrated,
            calibration_file=None if calibrated is None else calibrate,
            refused=refused,
        )
    )


def _uncounted(
    judged: Sequence[JudgedLabel], index: ReferenceIndex, runners: Sequence[StageRunner]
) -> tuple[str, ...]:
    """A sentence on labelled copies whose evidence is not counted for the rights of the works."""
    rights = {work.work_id: work.rights.strip().lower() for work in index.works}
    pairs, kinds = 0, set()
    for runner in runners:
        for one in judged:
            for match in one.row.matches:
                right = rights[match.work_id]
                if (
                    match.work_id in one.label.copies
                    and runner.name in match.contributions
                    and right in runner.settings.not_counted
                    and not match.identical_file
                ):
                    pairs += 1
                    kinds.add(right)
    if not pairs:
        return ()
    return (
        f"{count(pairs, 'labelled copy was', 'labelled copies were')} found but not counted, for "
        f"the rights of the works ({', '.join(sorted(kinds))}): such a risk says nothing of the "
        "evidence, so leave those labels out, or have all rights counted in the configuration, "
        "before you read the figures (docs/evaluate.md).",
    )


def _screen_labelled(
    labelled: Sequence[LabelledAsset],
    index: ReferenceIndex,
    runners: list[StageRunner],
    config: Config,
    progress: Progress,
    step: str,
) -> list[JudgedLabel]:
    judged = []
    rows = screen_assets((one.asset for one in labelled), index, runners, config)
    for label, one in zip(labelled, rows, strict=True):
        judged.append(JudgedLabel(label, one.row))
        progress(step, len(judged), len(labelled))
    return judged


def _write(evaluation: Evaluation) -> Evaluation:
    """Writes the requested files; all content is made before the first file is replaced."""
    results = {} if evaluation.out is None else _results(evaluation)
    if evaluation.calibrated is not None and evaluation.calibration_file is not None:
        content = json_bytes(evaluation.calibrated.calibration.model_dump(mode="json"))
        write_all(evaluation.calibration_file.parent, {evaluation.calibration_file.name: content})
    if evaluation.out is not None:
        write_all(evaluation.out, results)
    return evaluation


def _results(evaluation: Evaluation) -> dict[str, bytes]:
    pairs = evaluation.pairs
    columns = {
        "asset": pa.array([p.asset for p in pairs], pa.string()),
        "kind": pa.array([p.kind.value for p in pairs], pa.string()),
        "work_id": pa.array([p.work_id for p in pairs], pa.string()),
        "risk": pa.array([p.risk for p in pairs], pa.float64()),
        "asset_band": pa.array([p.asset_band.value for p in pairs], pa.string()),
        "copy": pa.array([p.copy for p in pairs], pa.bool_()),
        "found": pa.array([p.found for p in pairs], pa.bool_()),
        "why": pa.array([p.why or None for p in pairs], pa.string()),
    }
    tables = {name: metrics.table for name, metrics in evaluation.metrics.items() if name != "all"}
    rankings = {
        name: _ranking([p for p in pairs if name in ("all", p.kind.value)])
        for name in evaluation.metrics
    }
    cuts = evaluation.about["config"]["bands"]
    return {
        EVALUATION: json_bytes(evaluation.to_json()),
        PAIRS: csv_bytes(columns),
        RELIABILITY: reliability_png(tables),
        PRECISION_RECALL: precision_recall_png(rankings, cuts),
    }


def _ranking(pairs: Sequence[Pair]) -> Ranking:
    with_evidence = [pair for pair in pairs if pair.risk is not None]
    return Ranking(
        np.array([pair.risk for pair in with_evidence], np.float64),
        np.array([pair.copy for pair in with_evidence], np.bool_),
        sum(pair.copy for pair in pairs),
    )
