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
    """What a row keeps of how its asset loaded.

    Attributes:
        fault: why it did not load; None if it did.
        format: as in `LoadedImage` and `LoadedScript`; None with a fault, as are the next.
        notes, complete: as there.
    """

    fault: Fault | None
    format: str | None = None
    notes: tuple[str, ...] = ()
    complete: bool = True


def facts_of(loaded: Loaded | Fault) -> Facts:
    """The facts of what loading gave."""
    if isinstance(loaded, Fault):
        return Facts(loaded)
    return Facts(None, loaded.format, loaded.notes, loaded.complete)


class Rows:
    """Makes rows.

    Args:
        index: what was searched.
        runners: the stages that searched it.
        config: calibration and bands.
        suppressions: false matches that people agreed on.
    """

    def __init__(
        self,
        index: ReferenceIndex,
        runners: Sequence[StageRunner],
        config: Config,
        suppressions: Sequence[Suppression] = (),
    ) -> None:
        self._works = {work.work_id: work for work in index.works}
        gathered: dict[str, set[str]] = {}
        for file in index.files:
            gathered.setdefault(file.work_id, set()).add(file.file_id)
        self._file_ids = {work_id: frozenset(ids) for work_id, ids in gathered.items()}
        self._runners = runners
        self._stages = {runner.name: runner.stage for runner in runners if runner.stage is not None}
        self._not_counted = {runner.name: runner.settings.not_counted for runner in runners}
        self._config = config
        self._false_matches = FalseMatches(
            suppressions, index.version, index.digest, config.fingerprint()
        )

    def row(self, asset: Asset, facts: Facts, outcomes: Sequence[StageOutcome]) -> RiskRow:
        """An asset's row; its outcomes are one of each runner."""
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
