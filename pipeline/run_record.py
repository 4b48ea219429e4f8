"""What a run says of itself: in its tables and report, and in run.json (docs/risk-table.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.config import Config
from pipeline.judge import Bench
from pipeline.manifest import environment, installed, now
from pipeline.places import Place, place
from pipeline.results import RunInfo
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


def asset_place(run: Mapping[str, Any], asset_path: str) -> Place | None:
    """Where the asset of that path lay when it was screened; None if the run does not say.

    Args:
        run: run.json, of a run over one drop or of a nightly scan over several.
        asset_path: as in its tables.
    """
    found = drop_of(run, asset_path)
    if found is None:
        return None
    name, drop = found
    where = place(drop)
    if name:
        return where / asset_path.partition("/")[2]
    return where if isinstance(where, Path) and where.is_file() else where / asset_path


def drops_of(run: Mapping[str, Any]) -> dict[str, str]:
    """The drops that a run screened, as far as it says: by name, where they lie.

    Args:
        run: run.json. A nightly scan's drops have names; that of a run over one drop has the name
            "".
    """
    drops = run.get("drops")
    named = drops if isinstance(drops, dict) else {"": run.get("drop")}
    return {name: where for name, where in named.items() if isinstance(where, str)}


def drop_of(run: Mapping[str, Any], asset_path: str) -> tuple[str, str] | None:
    """The drop that an asset lay in: its name and where it lies; None if the run does not say."""
    name = asset_path.partition("/")[0] if isinstance(run.get("drops"), dict) else ""
    where = drops_of(run).get(name)
    return (name, where) if where is not None else None


def drop_places(run: Mapping[str, Any]) -> list[str]:
    """Where the drops lie that a run screened, as far as it says."""
    return [*drops_of(run).values()]


def run_manifest(
    info: RunInfo,
    index: ReferenceIndex,
    config: Config,
    benches: Sequence[Bench],
    files: int,
    counts: Mapping[str, int],
) -> dict[str, Any]:
    """run.json, but for where the assets lay; `files` rows, `counts` of them by band."""
    absent = {b.name: b.absent.detail for b in benches if b.absent is not None}
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
