"""The frozen records that pass from step to step."""

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
    """What an asset is. `OTHER` is a kind that no stage judges."""

    IMAGE = "image"
    SCRIPT = "script"
    OTHER = "other"


class Outcome(StrEnum):
    """What one stage has to say of one asset (DESIGN: missing evidence is not "no match")."""

    MATCHED = "matched"
    NO_MATCH = "no_match"
    ABSTAINED = "abstained"
    SKIPPED = "skipped"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


class Band(StrEnum):
    """Where a row stands, most urgent first."""

    ESCALATE = "escalate"
    REVIEW = "review"
    INFO = "info"
    PARTLY_SCREENED = "partly_screened"
    NOT_SCREENED = "not_screened"
    NO_MATCH = "no_match"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a file could not be used: a code, and a sentence that says what and how to mend it."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Asset:
    """One discovered file.

    Attributes:
        file: where it lies on this machine.
        asset_path: its path relative to the drop, with `/`, always valid Unicode; bytes that
            are not UTF-8 stand as `\\xNN`.
        asset_id: SHA-256 (hex) of its bytes, None if they could not be read.
        kind: by its content and name.
        size: bytes, None if unknown.
        fault: why it can't be loaded, if that is known already.
    """

    file: Path
    asset_path: str
    asset_id: str | None
    kind: Kind
    size: int | None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A column that a stage brings to the tables.

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
    """What one stage keeps of one asset or one file of a work.

    Attributes:
        stage: the stage's name.
        rows: a record batch in the stage's schema, at least one row (a row a frame, say).
        facts: asset-level measures for the risk table (such as `pdq_quality`), by measure name.
    """

    stage: str
    rows: pa.RecordBatch
    facts: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Abstention:
    """A stage's word that it can't judge this input, and why. `facts` as in `Fingerprint`."""

    reason: Reason
    detail: str
    facts: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of words that an asset shares with a file of a work.

    Offsets are characters of both raw texts, half open. `words` are the words of the asset's
    stretch that have their partner in the work's; `identity` is `words` over the longer
    stretch's number of words, in [0, 1].

    Attributes:
        longest: the longest run of such words without a break; 0 if not known, as are the next.
        score: weight of such words, rare ones counting more, times `identity`.
        chains: parts of it, in the asset's order, that go forward in the work too: 1 if nothing
            was put in another order.
        asset_share, work_share: `words` over all compared words of the asset, of the work's file.
        agreeing: the runs of such words: start and end in the asset, start and end in the work.
            What lies between them in either text was changed, put in or left out.
        asset_scene: heading of the scene of the asset in which it begins; None if it has none.
        asset_page: page of the asset on which it begins, from 1; None if it has none.
        work_scene, work_page: the same of the work's file, where what the index keeps tells them.
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
    """What one stage found between one asset and one work (its best file).

    Attributes:
        work_id: the work.
        work_file: path of the file of the work, as registered.
        work_file_id: that file's SHA-256 (hex).
        measures: values by measure name; a missing measure is None.
        passages: overlapping passages, longest first; empty for pictures.
    """

    work_id: str
    work_file: str
    work_file_id: str
    measures: Mapping[str, Value]
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """One stage's answer for one asset."""

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
        contributions: what each stage added, in log-odds (nats), by stage name.
        measures: every stage's measures together.
        work_files: by stage name, the file of the work the evidence is from.
        passages: of all stages.
        identical_file: whether a file of the work has the asset's very bytes.
        likeness_only: whether no stage found evidence of copying, only of likeness.
        band: in which the match alone would put the row; None if not known.
        suppressed: whether people agreed that it is false, so that it decides nothing.
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


@dataclass(frozen=True, slots=True)
class RiskRow:
    """One row of the risk table: one discovered file, judged.

    `matches` are all works with evidence, strongest first, suppressed ones among them; `reasons`
    are sentences. `complete` is False if a part of the file was not looked at. `lapsed` are works
    whose match people said is false, which does not cover it any more.
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
    def suppressed(self) -> int:
        """How many matches are suppressed."""
        return sum(match.suppressed for match in self.matches)
