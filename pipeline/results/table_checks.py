"""Checks of the tables before they are written: values fit their columns, rows are consistent."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

from pipeline.core.errors import ScreeningError
from pipeline.core.records import Band, Match, Measure, Outcome, RiskRow, Value
from pipeline.risk.calibration import risk_of
from pipeline.stages import STAGES
from reference_index.interface import Work

MOST_LISTED = 20
"""Faults that an error lists."""
TOLERANCE = 1e-9
"""Difference of risks that rounding explains."""

FLAGGED = (Band.ESCALATE, Band.REVIEW, Band.INFO)


class TableError(ScreeningError):
    """The risk table would lose or contradict something: a defect, not a fault of the user's.

    Attributes:
        problems: a sentence for every fault.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        listed = "\n".join(f"  - {problem}" for problem in problems[:MOST_LISTED])
        more = (
            f"\n  and {len(problems) - MOST_LISTED:,} more" if len(problems) > MOST_LISTED else ""
        )
        super().__init__(
            "The risk table contradicts itself and was not written; results of an earlier run are "
            f"whole. This is a defect in Clearance, please report it:\n{listed}{more}"
        )
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Cells:
    """Converts values of one asset to cells of the tables.

    Attributes:
        asset_path: of the asset, for the faults.
        faults: sentences on values that do not fit their column; appended to.
    """

    asset_path: str
    faults: list[str]

    def fault(self, what: str) -> None:
        """Adds a fault of this asset."""
        self.faults.append(f"{self.asset_path}: {what}.")

    def text(self, column: str, value: object) -> str | None:
        """Text; lone surrogates, which can't be stored, become escapes."""
        if value is None:
            return None
        if not isinstance(value, str):
            self.fault(f"{column} is {value!r}, which is not text")
            return None
        return value.encode("utf-8", "backslashreplace").decode("utf-8")

    def whole(self, column: str, value: object) -> int | None:
        """A whole number."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, Integral):
            self.fault(f"{column} is {value!r}, which is not a whole number")
            return None
        return int(value)

    def number(self, column: str, value: object) -> float | None:
        """A finite number; a missing one is None, never NaN."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            self.fault(f"{column} is {value!r}, which is not a finite number")
            return None
        return float(value)

    def truth(self, column: str, value: object) -> bool | None:
        """True or false."""
        if value is None or isinstance(value, bool):
            return value
        self.fault(f"{column} is {value!r}, which is neither true nor false")
        return None

    def measures(
        self, values: Mapping[str, Value], declared: Sequence[Measure]
    ) -> dict[str, object]:
        """A cell for each value; one that no stage declares would be lost, so it is a fault."""
        convert = {"int": self.whole, "float": self.number, "bool": self.truth, "str": self.text}
        dtypes = {measure.name: measure.dtype for measure in declared}
        record: dict[str, object] = {}
        for name, value in values.items():
            if name in dtypes:
                record[name] = convert[dtypes[name]](name, value)
            else:
                self.fault(f"has a measure {name}, which no stage declares for its table")
        return record


def table_faults(paths: Sequence[str], discovered: int) -> list[str]:
    """Rows that are missing or duplicated; `paths` are the asset paths of the rows."""
    faults = []
    if len(paths) != discovered:
        faults.append(
            f"{discovered:,} files were discovered and the table has {len(paths):,} rows."
        )
    rows_by_path = Counter(paths)
    faults += [f"{path}: is in {n} rows." for path, n in rows_by_path.items() if n > 1]
    return faults


def row_faults(row: RiskRow, works: Mapping[str, Work], prior: Mapping[str, float]) -> list[str]:
    """Faults of one row.

    Args:
        row: the row.
        works: every work of the index, by work id.
        prior: by kind, log-odds of a pair without evidence. The sum of contributions is not checked
            for a kind without one.
    """
    faults = [*_outcome_faults(row), *_band_faults(row)]
    for match in row.matches:
        faults += _match_faults(match, works, prior.get(row.asset.kind))
    per_work = Counter(match.work_id for match in row.matches)
    faults += [f"matches {work_id} {n} times" for work_id, n in per_work.items() if n > 1]
    return [f"{row.asset.asset_path}: {what}." for what in faults]


def _outcome_faults(row: RiskRow) -> list[str]:
    per_stage = Counter(outcome.stage for outcome in row.outcomes)
    faults = [
        f"has {per_stage[name]} outcomes of {name}" for name in STAGES if per_stage[name] != 1
    ]
    faults += [
        f"has an outcome of {name}, which is no stage" for name in per_stage if name not in STAGES
    ]
    for outcome in row.outcomes:
        if outcome.outcome not in list(Outcome):
            faults.append(f"{outcome.stage} has the unknown outcome {outcome.outcome!r}")
        if bool(outcome.evidence) != (outcome.outcome is Outcome.MATCHED):
            faults.append(
                f"{outcome.stage} has the outcome {outcome.outcome} and evidence on "
                f"{len(outcome.evidence)} works"
            )
    works_with_evidence = {one.work_id for outcome in row.outcomes for one in outcome.evidence}
    lost = sorted(works_with_evidence - {match.work_id for match in row.matches})
    return faults + [f"has evidence on {work_id} and no match with it" for work_id in lost]


def _band_faults(row: RiskRow) -> list[str]:
    faults = []
    if row.band not in list(Band):
        return [f"has the unknown band {row.band!r}"]
    if row.risk is not None and not 0.0 <= row.risk <= 1.0:
        faults.append(f"has the risk {row.risk!r}, which is not between 0 and 1")
    top = row.strongest
    none_counts = bool(row.matches) and top is None
    if none_counts and (row.band is not Band.INFO or row.risk is not None):
        faults.append(
            f"is {row.band} at the risk {row.risk!r}, and each of its matches is suppressed"
        )
    if row.risk is None and row.band in (*FLAGGED, Band.NO_MATCH) and not none_counts:
        faults.append(f"is {row.band} and has no risk")
    if row.risk is not None and row.band is Band.NOT_SCREENED:
        faults.append("is not screened and has a risk")
    if (row.band in FLAGGED) != bool(row.matches):
        faults.append(f"is {row.band} and has {len(row.matches)} matches")
    if top is not None and row.risk != top.risk:
        faults.append(f"has the risk {row.risk!r}, its strongest match {top.risk!r}")
    if top is not None and top.band is not None and row.band is not top.band:
        faults.append(f"is {row.band}, its strongest match {top.band}")
    if row.band is Band.NO_MATCH:
        applying = [o for o in row.outcomes if o.outcome is not Outcome.NOT_APPLICABLE]
        unsaid = [f"{o.stage} {o.outcome}" for o in applying if o.outcome is not Outcome.NO_MATCH]
        if not row.complete:
            faults.append("is no_match though a part of the file was not looked at")
        if unsaid or not applying or row.works_compared < 1:
            faults.append(
                "is no_match without having been screened in full "
                f"({', '.join(unsaid) or 'nothing to compare with'})"
            )
    return faults


def _match_faults(match: Match, works: Mapping[str, Work], prior: float | None) -> list[str]:
    faults = []
    if match.work_id not in works:
        faults.append(f"matches {match.work_id}, which is no work of the index")
    if not 0.0 <= match.risk <= 1.0:
        faults.append(f"matches {match.work_id} at the risk {match.risk!r}, not between 0 and 1")
    elif prior is not None:
        summed = risk_of(prior + math.fsum(match.contributions.values()))
        if not abs(summed - match.risk) <= TOLERANCE:
            faults.append(
                f"matches {match.work_id} at the risk {match.risk!r}, and its contributions "
                f"make {summed!r}"
            )
    for passage in match.passages:
        ordered = (
            0 <= passage.asset_start < passage.asset_end
            and 0 <= passage.work_start < passage.work_end
        )
        inside = all(
            passage.asset_start <= start < end <= passage.asset_end
            and passage.work_start <= work_start < work_end <= passage.work_end
            for start, end, work_start, work_end in passage.agreeing
        )
        if not ordered or not inside or passage.words < 1 or not 0.0 <= passage.identity <= 1.0:
            faults.append(f"has a passage with {match.work_id} that can't be: {passage!r}")
    return faults
