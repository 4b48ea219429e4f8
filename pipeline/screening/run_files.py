"""Write the files of a run: tables, decisions and run.json (docs/risk-table.md).

`clearance screen` and nightly scans both write their results here. They differ in what they add:
a report, or the changes since the previous scan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow.compute as pc

from pipeline.core.environment import environment, installed, now
from pipeline.core.layout import RUN
from pipeline.core.records import Band, RiskRow
from pipeline.results.files import ResultFiles, RunInfo
from pipeline.results.table import Tables, write_tables
from pipeline.screening.config import Config
from pipeline.screening.recorded import Recorded, write_decisions
from pipeline.screening.stage_runner import StageRunner
from reference_index.interface import Work
from reference_index.store import ReferenceIndex


@dataclass(frozen=True)
class Run:
    """What the rows of a run were made with.

    Attributes:
        info: the run columns of the tables, and the head of the report.
        index: the index that was searched.
        config: thresholds, calibration and bands.
        runners: the stages that ran, or why they could not.
        recorded: what was taken from the record of decisions.
    """

    info: RunInfo
    index: ReferenceIndex
    config: Config
    runners: Sequence[StageRunner]
    recorded: Recorded

    @cached_property
    def works(self) -> dict[str, Work]:
        """Every work of the index, by work id."""
        return {work.work_id: work for work in self.index.works}


def run_info(
    run_id: str, drop: str, started: str, index: ReferenceIndex, config: Config
) -> RunInfo:
    """The run columns of the tables, and the head of the report; `drop` is the drop's name."""
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


def write_run(
    files: ResultFiles,
    run: Run,
    rows: Iterable[RiskRow],
    *,
    discovered: int,
    source: Mapping[str, Any],
    write_more: Callable[[Tables, Mapping[str, int]], None],
) -> dict[str, Any]:
    """Writes every file of a run, run.json last.

    Args:
        files: where they are written.
        run: what the rows were made with.
        rows: one for each file discovered, sorted by asset path.
        discovered: how many files were discovered.
        source: keys of run.json that say where the assets came from.
        write_more: writes further files of this run, given its tables and the number of rows by
            band.

    Returns:
        The contents of run.json.

    Raises:
        TableError: if the tables would lose or contradict anything.
        DropError: if a file can't be written.
    """
    tables = write_tables(files, rows, run.info, run.works, discovered=discovered, in_order=True)
    write_decisions(files, tables.risk, run.recorded)
    by_band = Counter(tables.risk.column("band").to_pylist())
    counts = {band.value: by_band[band.value] for band in Band}
    write_more(tables, counts)
    suppressed = pc.sum(tables.risk.column("suppressed_works")).as_py() or 0
    manifest = {
        **source,
        "record": {**run.recorded.to_json(), "suppressed": suppressed},
        **_manifest(run, discovered, counts),
    }
    manifest["outputs"] = dict(files.digests)
    files.write_json(RUN, manifest)
    return manifest


def _manifest(run: Run, files: int, counts: Mapping[str, int]) -> dict[str, Any]:
    info, index, config = run.info, run.index, run.config
    weights = {name: spec.weights_sha256 for name, spec in index.specs.items()}
    return {
        "run_id": info.run_id,
        "started": info.started,
        "finished": now(),
        "files": files,
        "counts": dict(counts),
        "index": {"path": str(index.path.resolve()), **index.facts()},
        "config": config.values(),
        "config_fingerprint": info.config_fingerprint,
        "calibration": {
            "digest": config.loaded_calibration.digest(),
            "prior": dict(info.prior),
            "other_weights": config.loaded_calibration.other_weights(weights),
        },
        "not_run": {
            runner.name: runner.absent.detail for runner in run.runners if runner.absent is not None
        },
        **environment(),
    }
