"""Make the rows of a run and write its files: tables, decisions and run.json (docs/risk-table.md).

`clearance screen` and nightly scans both fuse outcomes into rows and write their results here. They
differ in what they add: a report, or the changes since the previous scan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pyarrow.compute as pc

from pipeline.core.environment import environment, installed, now
from pipeline.core.layout import RUN
from pipeline.core.records import Asset, Band, Fault, RiskRow, StageOutcome
from pipeline.decisions.form_2 import SuppressionRule
from pipeline.decisions.standing import Standing
from pipeline.decisions.state import Suppression
from pipeline.load.loaded import Loaded
from pipeline.results.files import ResultFiles, RunInfo
from pipeline.results.ruled import works_of_rules
from pipeline.results.table import Tables, write_tables
from pipeline.risk.fuse import fuse
from pipeline.risk.suppression import RuleCover, Suppressions, work_columns
from pipeline.screening.config import Config
from pipeline.screening.recorded import Recorded, write_decisions
from pipeline.screening.stage_runner import StageRunner, works_compared
from reference_index.interface import Work
from reference_index.store import ReferenceIndex


@dataclass(frozen=True, slots=True)
class Facts:
    """How an asset loaded, without its pixels or text.

    Attributes:
        fault: why it did not load; None if it did.
        format: such as `PNG` or `fountain`; None if it did not load.
        notes: sentences on what was not decoded as usual.
        complete: False if a part of the file was not read.
    """

    fault: Fault | None
    format: str | None = None
    notes: tuple[str, ...] = ()
    complete: bool = True


def facts_of(loaded: Loaded | Fault) -> Facts:
    """The facts of the result of loading."""
    if isinstance(loaded, Fault):
        return Facts(loaded)
    return Facts(None, loaded.format, loaded.notes, loaded.complete)


class Rows:
    """Builds rows of the risk table.

    Args:
        index: the index that was searched.
        runners: the stages that searched it.
        config: calibration and bands.
        suppressions: matches that reviewers agreed are false.
        rules: rules that suppress, those that count on the day of the run.
    """

    def __init__(
        self,
        index: ReferenceIndex,
        runners: Sequence[StageRunner],
        config: Config,
        suppressions: Sequence[Suppression] = (),
        rules: Sequence[Standing[SuppressionRule]] = (),
    ) -> None:
        self._works = {work.work_id: work for work in index.works}
        file_ids: dict[str, set[str]] = {}
        for file in index.files:
            file_ids.setdefault(file.work_id, set()).add(file.file_id)
        self._file_ids = {work_id: frozenset(ids) for work_id, ids in file_ids.items()}
        self._runners = runners
        self._stages = {runner.name: runner.stage for runner in runners if runner.stage is not None}
        self._not_counted = {runner.name: runner.settings.not_counted for runner in runners}
        self._config = config
        cover = RuleCover(
            rules, {work.work_id: work_columns(work) for work in index.works}, index.aliases
        )
        self._suppressions = Suppressions(
            suppressions, index.version, index.digest, config.fingerprint(), cover
        )

    def row(self, asset: Asset, facts: Facts, outcomes: Sequence[StageOutcome]) -> RiskRow:
        """The row of an asset; `outcomes` has one outcome of each runner."""
        row = fuse(
            replace(asset, fault=facts.fault) if facts.fault else asset,
            outcomes,
            self._config.loaded_calibration,
            self._config.bands,
            self._works,
            self._file_ids,
            works_compared(outcomes, self._runners),
            stages=self._stages,
            not_counted=self._not_counted,
            notes=facts.notes,
            complete=facts.complete,
            suppressions=self._suppressions,
        )
        return row if facts.format is None else replace(row, extra={"format": facts.format})


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


class SystemFiles:
    """Counts the files of operating systems among rows, and leaves out their rows if configured.

    Attributes:
        rows: how many have a row.
        counted: how many are only counted.
    """

    def __init__(self, config: Config) -> None:
        self._have_rows = config.system_files == "row"
        self.rows = self.counted = 0

    def has_row(self, row: RiskRow) -> bool:
        """Counts the row; False if it is to be left out."""
        if not row.is_system_file:
            return True
        self.rows += self._have_rows
        self.counted += not self._have_rows
        return self._have_rows

    def to_json(self) -> dict[str, int]:
        """As in run.json and in the summary of a scan."""
        return {"rows": self.rows, "counted": self.counted}


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
    system_files: SystemFiles,
    source: Mapping[str, Any],
    write_more: Callable[[Tables, Mapping[str, int]], None],
) -> dict[str, Any]:
    """Writes every file of a run, run.json last.

    Args:
        files: where they are written.
        run: what the rows were made with.
        rows: one for each file discovered, sorted by asset path.
        discovered: how many files were discovered.
        system_files: by which the rows were taken.
        source: keys of run.json that say where the assets came from.
        write_more: writes further files of this run, given its tables and the number of rows by
            band.

    Returns:
        The contents of run.json.

    Raises:
        TableError: if the tables would lose or contradict anything.
        DropError: if a file can't be written.
    """
    tables = write_tables(
        files,
        rows,
        run.info,
        run.works,
        discovered=discovered,
        counted=lambda: system_files.counted,
        in_order=True,
    )
    write_decisions(files, tables.risk, tables.matches, run.recorded)
    by_band = Counter(tables.risk.column("band").to_pylist())
    counts = {band.value: by_band[band.value] for band in Band}
    write_more(tables, counts)
    suppressed = pc.sum(tables.risk.column("suppressed_works")).as_py() or 0
    by_rules = works_of_rules(tables.matches, run.recorded.items.standings)
    manifest = {
        **source,
        "record": {
            **run.recorded.to_json(),
            "suppressed": suppressed,
            "suppressed_by_rules": sum(map(len, by_rules.values())),
        },
        **_manifest(run, discovered, counts),
        "system_files": system_files.to_json(),
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
