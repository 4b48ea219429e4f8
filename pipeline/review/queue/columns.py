"""Columns of texts as small integers (numpy): a filter is a comparison, a count is a `bincount`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.review.queue.filters import NOBODY

Mask = NDArray[np.bool_]
Codes = NDArray[np.int32]


class Coded:
    """A column of texts as codes. `codes` are places in `values`, -1 for none."""

    def __init__(self, column: pa.ChunkedArray | Sequence[str | None]) -> None:
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        encoded = pa.array(array, pa.string()).dictionary_encode()
        self.values: list[str] = encoded.dictionary.to_pylist()
        self.codes: Codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        self.codes = self.codes.astype(np.int32)
        self._of = {value: code for code, value in enumerate(self.values)}

    def code(self, value: str) -> int | None:
        """The code of a value; None if no row has it."""
        return self._of.get(value)

    def is_(self, value: str) -> Mask:
        """The rows that have a value; `-` for those without any."""
        code = -1 if value == NOBODY else self._of.get(value, -2)
        found: Mask = self.codes == code
        return found

    def put(self, number: int, value: str) -> None:
        """Gives a row another value; empty for none."""
        code = -1
        if value:
            code = self._of.setdefault(value, len(self.values))
            if code == len(self.values):
                self.values.append(value)
        self.codes[number] = code

    def ranks(self, key: Callable[[str], Any] = str.casefold) -> NDArray[np.float64]:
        """Each row's place in the order of values; infinite for none."""
        order = sorted(range(len(self.values)), key=lambda code: (key(self.values[code]), code))
        ranks = np.empty(len(self.values) + 1)
        ranks[order] = np.arange(len(order))
        ranks[-1] = np.inf
        found: NDArray[np.float64] = ranks[self.codes]
        return found

    def counts(self, mask: Mask) -> NDArray[np.int64]:
        """How many rows of the mask have each value; the last, how many have none."""
        counted = np.bincount(self.codes[mask] + 1, minlength=len(self.values) + 1)
        return np.roll(counted, -1)


def fixed(column: pa.ChunkedArray, names: Sequence[str]) -> NDArray[np.int8]:
    """A column whose values are all known beforehand, as places in their list; -1 for none."""
    coded = Coded(column)
    places = np.array([names.index(value) for value in coded.values] + [-1], dtype=np.int8)
    found: NDArray[np.int8] = places[coded.codes]
    return found
