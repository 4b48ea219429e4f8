"""A column that a stage brings to the tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
