"""Cells of the tables: values made fit for their columns, with what does not fit named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

from pipeline.core.records import Measure, Value


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
