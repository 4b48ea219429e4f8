"""What a run says of itself: in its tables and report, and in run.json (docs/risk-table.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.core.environment import environment, installed, now
from pipeline.results.files import RunInfo
from pipeline.screening.config import Config
from pipeline.screening.stage_runner import StageRunner
from reference_index.store import ReferenceIndex


def run_info(
    run_id: str, drop: str, started: str, index: ReferenceIndex, config: Config
) -> RunInfo:
    """What stands in the tables and the report; `drop` is its name for people."""
    kinds = config.loaded_calibration.kinds
    return RunInfo(
        run_id=run_id,
        index_version=index.version,
        index_digest=index.digest,
        config_fingerprint=config.fingerprint(),
        drop=drop,
        started=started,
        works=len(index.works),
        clearance_version=installed("clearance"),
        prior={str(kind): model.prior for kind, model in kinds.items()},
        bands=config.bands.model_dump(),
    )


def run_manifest(
    info: RunInfo,
    index: ReferenceIndex,
    config: Config,
    runners: Sequence[StageRunner],
    files: int,
    counts: Mapping[str, int],
) -> dict[str, Any]:
    """run.json, but for where the assets lay; `files` rows, `counts` of them by band."""
    absent = {b.name: b.absent.detail for b in runners if b.absent is not None}
    weights = {name: spec.weights_sha256 for name, spec in index.specs.items()}
    return {
        "run_id": info.run_id,
        "started": info.started,
        "finished": now(),
        "files": files,
        "counts": dict(counts),
        "index": {
            "path": str(index.path.resolve()),
            **index.facts(),
        },
        "config": config.values(),
        "config_fingerprint": info.config_fingerprint,
        "calibration": {
            "digest": config.loaded_calibration.digest(),
            "prior": dict(info.prior),
            "other_weights": config.loaded_calibration.other_weights(weights),
        },
        "not_run": absent,
        **environment(),
    }
