"""Records that are passed from one step of screening to the next; all frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from pipeline.core.errors import Reason

Value = str | int | float | bool | None
"""Value of a measure or a fact: one cell of a table."""


class Kind(StrEnum):
    """Kind of an asset. No stage judges `OTHER`."""

    IMAGE = "image"
    SCRIPT = "script"
    OTHER = "other"


class Outcome(StrEnum):
    """Outcome of one stage for one asset. Missing evidence is never `NO_MATCH`."""

    MATCHED = "matched"
    NO_MATCH = "no_match"
    ABSTAINED = "abstained"
    SKIPPED = "skipped"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


class Band(StrEnum):
    """Urgency of a row, most urgent first."""

    ESCALATE = "escalate"
    REVIEW = "review"
    INFO = "info"
    PARTLY_SCREENED = "partly_screened"
    NOT_SCREENED = "not_screened"
    NO_MATCH = "no_match"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a file could not be used: a code, and a sentence that also says how to fix it."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Asset:
    """One discovered file.

    Attributes:
        file: path on this machine.
        asset_path: path relative to the drop, with `/`, always valid Unicode; bytes that are not
            UTF-8 are escaped as `\\xNN`.
        asset_id: SHA-256 (hex) of its bytes, None if they could not be read.
        kind: detected from its content and name.
        size: bytes, None if unknown.
        fault: why it can't be loaded, if discovery found that out.
    """

    file: Path
    asset_path: str
    asset_id: str | None
    kind: Kind
    size: int | None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A column that a stage adds to the tables.

    Attributes:
        name: column name, unique over all stages.
        dtype: `int`, `float`, `bool` or `str`; every column is nullable.
        of: `match` (one value for an asset and a work) or `asset` (one for the asset).
        unit: for people, such as `bits of 64` or `words`.
        description: one sentence for docs and report.
    """

    name: str
    dtype: Literal["int", "float", "bool", "str"]
    of: Literal["match", "asset"]
    unit: str
    description: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Fingerprint of one asset, or of one file of a work, by one stage.

    Attributes:
        stage: the stage's name.
        rows: a record batch in the stage's schema, at least one row (for example one for each
            frame).
        facts: measures of the asset itself for the risk table (such as `pdq_quality`), by name.
    """

    stage: str
    rows: pa.RecordBatch
    facts: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Abstention:
    """A stage can't judge this input: why, as code and sentence. `facts` as in `Fingerprint`."""

    reason: Reason
    detail: str
    facts: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of an asset that is aligned with a passage of a work's file.

    Attributes:
        work_file: path of the work's file, as registered.
        asset_start, asset_end, work_start, work_end: character offsets in both raw texts, half
            open.
        words: aligned words, which are equal in both passages.
        identity: `words` over the number of words of the longer passage, in [0, 1].
        longest: the longest run of aligned words without a gap; 0 if not known, as the following.
        score: weight of the aligned words, rare ones counting more, times `identity`.
        chains: number of parts that are in the same order in both texts: 1 if nothing was moved.
        asset_share, work_share: `words` over all compared words of the asset, of the work's file.
        agreeing: the runs of aligned words: start and end in the asset, start and end in the work.
            Text between two runs was changed, inserted or deleted.
        asset_scene: heading of the scene of the asset in which it begins; None if it has none.
        asset_page: page of the asset on which it begins, from 1; None if it has none.
        work_scene, work_page: the same of the work's file, if the index keeps its text.
    """

    work_file: str
    asset_start: int
    asset_end: int
    work_start: int
    work_end: int
    words: int
    identity: float
    longest: int = 0
    score: float = 0.0
    chains: int = 1
    asset_share: float = 0.0
    work_share: float = 0.0
    agreeing: tuple[tuple[int, int, int, int], ...] = ()
    asset_scene: str | None = None
    asset_page: int | None = None
    work_scene: str | None = None
    work_page: int | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence of one stage between one asset and one work (its best file).

    Attributes:
        work_id: the work.
        work_file: path of the file of the work, as registered.
        work_file_id: that file's SHA-256 (hex).
        measures: values by measure name; None if not measured.
        passages: aligned passages, longest first; empty for pictures.
    """

    work_id: str
    work_file: str
    work_file_id: str
    measures: Mapping[str, Value]
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """Outcome of one stage for one asset, with its reason and evidence."""

    stage: str
    outcome: Outcome
    reason: Reason | None = None
    detail: str = ""
    facts: Mapping[str, Value] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """All evidence between one asset and one work, fused.

    Attributes:
        work_id: the work.
        risk: calibrated, in [0, 1].
        contributions: log-odds (nats) added by each stage, by stage name.
        measures: of all stages.
        work_files: by stage name, the file of the work that the evidence is from.
        passages: of all stages.
        identical_file: whether a file of the work is byte for byte the asset.
        likeness_only: whether there is only similarity and no evidence of copying.
        band: of a row with only this match; None if not known.
        suppressed: whether people decided that it is a false match, or a rule of theirs covers it,
            so that it does not count.
        suppressed_by: ids of the events of the record that suppress it: decisions, or a rule.
    """

    work_id: str
    risk: float
    contributions: Mapping[str, float]
    measures: Mapping[str, Value]
    work_files: Mapping[str, str]
    passages: tuple[Passage, ...] = ()
    identical_file: bool = False
    likeness_only: bool = False
    band: Band | None = None
    suppressed: bool = False
    suppressed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RiskRow:
    """One row of the risk table: one discovered file.

    Attributes:
        asset: the file.
        band: its urgency.
        risk: of the strongest match that counts, in [0, 1]; None if too little could be judged.
        reasons: sentences for people.
        outcomes: of every stage.
        matches: all works with evidence, strongest first, suppressed ones among them.
        works_compared: how many works of its kind it was compared with.
        complete: False if a part of the file was not screened.
        extra: further columns.
        lapsed: ids of works with a decision "false match" that no longer applies to the match.
    """

    asset: Asset
    band: Band
    risk: float | None
    reasons: tuple[str, ...]
    outcomes: tuple[StageOutcome, ...]
    matches: tuple[Match, ...]
    works_compared: int
    complete: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    lapsed: tuple[str, ...] = ()

    @property
    def strongest(self) -> Match | None:
        """The match that decides the row: the strongest that is not suppressed."""
        return next((match for match in self.matches if not match.suppressed), None)

    @property
    def is_system_file(self) -> bool:
        """Whether it is a file that an operating system left in the drop, such as .DS_Store."""
        faults = [self.asset.fault.reason] if self.asset.fault is not None else []
        return Reason.SYSTEM_FILE in (*faults, *(outcome.reason for outcome in self.outcomes))

    @property
    def suppressed(self) -> int:
        """How many matches are suppressed."""
        return sum(match.suppressed for match in self.matches)
