"""Rows of the risk table: outcomes fused against one index under one configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.core.records import Asset, Fault, RiskRow, StageOutcome
from pipeline.decisions.state import Suppression
from pipeline.load.loaded import Loaded
from pipeline.risk.fuse import fuse
from pipeline.risk.suppression import FalseMatches
from pipeline.screening.config import Config
from pipeline.screening.stage_runner import StageRunner, works_compared
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
    """

    def __init__(
        self,
        index: ReferenceIndex,
        runners: Sequence[StageRunner],
        config: Config,
        suppressions: Sequence[Suppression] = (),
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
        self._false_matches = FalseMatches(
            suppressions, index.version, index.digest, config.fingerprint()
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
            false_matches=self._false_matches,
        )
        return row if facts.format is None else replace(row, extra={"format": facts.format})
