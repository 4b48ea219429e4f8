"""Dictionary-encoded columns in numpy: a filter is a comparison, a count is a `bincount`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.review.queue.filters import NOBODY

Mask = NDArray[np.bool_]
Codes = NDArray[np.int32]


class DictionaryColumn:
    """A column of texts, dictionary-encoded; unlike pyarrow's, its cells can be changed.

    Attributes:
        values: the distinct values.
        codes: (n,) int32, the index of each row's value, -1 for none.
    """

    def __init__(self, column: pa.ChunkedArray | Sequence[str | None]) -> None:
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        encoded = pa.array(array, pa.string()).dictionary_encode()
        self.values: list[str] = encoded.dictionary.to_pylist()
        self.codes: Codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        self.codes = self.codes.astype(np.int32)
        self._codes = {value: code for code, value in enumerate(self.values)}

    def code(self, value: str) -> int | None:
        """The code of a value; None if no row has it."""
        return self._codes.get(value)

    def is_(self, value: str) -> Mask:
        """The rows with a value; `-` for those without any."""
        code = -1 if value == NOBODY else self._codes.get(value, -2)
        mask: Mask = self.codes == code
        return mask

    def set(self, number: int, value: str) -> None:
        """Sets a row's value; empty for none."""
        code = -1
        if value:
            code = self._codes.setdefault(value, len(self.values))
            if code == len(self.values):
                self.values.append(value)
        self.codes[number] = code

    def ranks(self, key: Callable[[str], Any] = str.casefold) -> NDArray[np.float64]:
        """The rank of each row's value in the order of `key`, (n,) float64; infinite for none."""
        order = sorted(range(len(self.values)), key=lambda code: (key(self.values[code]), code))
        ranks = np.empty(len(self.values) + 1)
        ranks[order] = np.arange(len(order))
        ranks[-1] = np.inf
        row_ranks: NDArray[np.float64] = ranks[self.codes]
        return row_ranks

    def counts(self, mask: Mask) -> NDArray[np.int64]:
        """How many rows of the mask have each value; last, how many have none."""
        counted = np.bincount(self.codes[mask] + 1, minlength=len(self.values) + 1)
        return np.roll(counted, -1)


def category_codes(column: pa.ChunkedArray, names: Sequence[str]) -> NDArray[np.int8]:
    """A column with a known list of values, as indices of that list, (n,) int8; -1 for none."""
    encoded = DictionaryColumn(column)
    indices = np.array([names.index(value) for value in encoded.values] + [-1], dtype=np.int8)
    codes: NDArray[np.int8] = indices[encoded.codes]
    return codes
