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

SHOWN = 20
TOLERANCE = 1e-9

FLAGGED = (Band.ESCALATE, Band.REVIEW, Band.INFO)


class TableError(ScreeningError):
    """The risk table would lose or contradict something: a defect, not a fault of the user's.

    Attributes:
        problems: a sentence for every fault.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        listed = "\n".join(f"  - {problem}" for problem in problems[:SHOWN])
        more = f"\n  and {len(problems) - SHOWN:,} more" if len(problems) > SHOWN else ""
        super().__init__(
            "The risk table contradicts itself and was not written; results of an earlier run are "
            f"whole. This is a defect in Clearance, please report it:\n{listed}{more}"
        )
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Cells:
    """Makes the cells of one asset.

    Attributes:
        asset_path: of the asset, for the faults.
        faults: to which a sentence is added for each value that does not fit its column.
    """

    asset_path: str
    faults: list[str]

    def fault(self, what: str) -> None:
        """Adds a sentence on this asset."""
        self.faults.append(f"{self.asset_path}: {what}.")

    def text(self, column: str, value: object) -> str | None:
        """Text that can be stored: a lone surrogate stands as an escape."""
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
        """A finite number; one that is missing is None and never NaN."""
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
        """A cell for each value; one that no stage declares would be lost, and is a fault."""
        makers = {"int": self.whole, "float": self.number, "bool": self.truth, "str": self.text}
        dtypes = {measure.name: measure.dtype for measure in declared}
        record: dict[str, object] = {}
        for name, value in values.items():
            if name in dtypes:
                record[name] = makers[dtypes[name]](name, value)
            else:
                self.fault(f"has a measure {name}, which no stage declares for its table")
        return record


def table_faults(paths: Sequence[str], discovered: int) -> list[str]:
    """Faults of the table as a whole: rows lost, or there twice. `paths` are the rows'."""
    faults = []
    if len(paths) != discovered:
        faults.append(
            f"{discovered:,} files were discovered and the table has {len(paths):,} rows."
        )
    twice = Counter(paths)
    faults += [f"{path}: is in {n} rows." for path, n in twice.items() if n > 1]
    return faults


def row_faults(row: RiskRow, works: Mapping[str, Work], prior: Mapping[str, float]) -> list[str]:
    """Faults of one row.

    Args:
        row: the row.
        works: every work of the index, by work id.
        prior: by kind, log-odds of a pair without evidence; a kind that is not there is not
            checked for the sum of its contributions.
    """
    said = [*_outcome_faults(row), *_band_faults(row)]
    for match in row.matches:
        said += _match_faults(match, works, prior.get(row.asset.kind))
    twice = Counter(match.work_id for match in row.matches)
    said += [f"matches {work_id} {n} times" for work_id, n in twice.items() if n > 1]
    return [f"{row.asset.asset_path}: {what}." for what in said]


def _outcome_faults(row: RiskRow) -> list[str]:
    found = Counter(outcome.stage for outcome in row.outcomes)
    said = [f"has {found[name]} outcomes of {name}" for name in STAGES if found[name] != 1]
    said += [f"has an outcome of {name}, which is no stage" for name in found if name not in STAGES]
    for outcome in row.outcomes:
        if outcome.outcome not in list(Outcome):
            said.append(f"{outcome.stage} has the unknown outcome {outcome.outcome!r}")
        if bool(outcome.evidence) != (outcome.outcome is Outcome.MATCHED):
            said.append(
                f"{outcome.stage} has the outcome {outcome.outcome} and evidence on "
                f"{len(outcome.evidence)} works"
            )
    evident = {one.work_id for outcome in row.outcomes for one in outcome.evidence}
    lost = sorted(evident - {match.work_id for match in row.matches})
    return said + [f"has evidence on {work_id} and no match with it" for work_id in lost]


def _band_faults(row: RiskRow) -> list[str]:
    said = []
    if row.band not in list(Band):
        return [f"has the unknown band {row.band!r}"]
    if row.risk is not None and not 0.0 <= row.risk <= 1.0:
        said.append(f"has the risk {row.risk!r}, which is not between 0 and 1")
    top = row.strongest
    none_counts = bool(row.matches) and top is None
    if none_counts and (row.band is not Band.INFO or row.risk is not None):
        said.append(
            f"is {row.band} at the risk {row.risk!r}, and each of its matches is suppressed"
        )
    if row.risk is None and row.band in (*FLAGGED, Band.NO_MATCH) and not none_counts:
        said.append(f"is {row.band} and has no risk")
    if row.risk is not None and row.band is Band.NOT_SCREENED:
        said.append("is not screened and has a risk")
    if (row.band in FLAGGED) != bool(row.matches):
        said.append(f"is {row.band} and has {len(row.matches)} matches")
    if top is not None and row.risk != top.risk:
        said.append(f"has the risk {row.risk!r}, its strongest match {top.risk!r}")
    if top is not None and top.band is not None and row.band is not top.band:
        said.append(f"is {row.band}, its strongest match {top.band}")
    if row.band is Band.NO_MATCH:
        applying = [o for o in row.outcomes if o.outcome is not Outcome.NOT_APPLICABLE]
        unsaid = [f"{o.stage} {o.outcome}" for o in applying if o.outcome is not Outcome.NO_MATCH]
        if not row.complete:
            said.append("is no_match though a part of the file was not looked at")
        if unsaid or not applying or row.works_compared < 1:
            said.append(
                "is no_match without having been screened in full "
                f"({', '.join(unsaid) or 'nothing to compare with'})"
            )
    return said


def _match_faults(match: Match, works: Mapping[str, Work], prior: float | None) -> list[str]:
    said = []
    if match.work_id not in works:
        said.append(f"matches {match.work_id}, which is no work of the index")
    if not 0.0 <= match.risk <= 1.0:
        said.append(f"matches {match.work_id} at the risk {match.risk!r}, not between 0 and 1")
    elif prior is not None:
        summed = risk_of(prior + math.fsum(match.contributions.values()))
        if not abs(summed - match.risk) <= TOLERANCE:
            said.append(
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
            said.append(f"has a passage with {match.work_id} that can't be: {passage!r}")
    return said
