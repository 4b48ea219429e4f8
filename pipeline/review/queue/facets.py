"""What there is to filter the queue by: values, each with how many rows it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.review.queue.columns import Coded, Mask
from pipeline.review.queue.filters import NOBODY

FACET_VALUES = 200
"""How many works, rightsholders and folders are offered to choose from, those with most rows."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A value to filter by, and how many rows it leaves beside the other filters."""

    value: str
    name: str
    rows: int


def places(names: Sequence[str], column: NDArray[np.int8], mask: Mask) -> tuple[Counted, ...]:
    """Every one of `names`, with the rows of the mask whose place in them `column` holds."""
    counts = np.bincount(column[mask], minlength=len(names))
    return tuple(Counted(name, name, int(rows)) for name, rows in zip(names, counts, strict=True))


def bits(names: Sequence[str], column: NDArray[np.int16], mask: Mask) -> tuple[Counted, ...]:
    """Every one of `names`, with the rows of the mask whose bit for it is set."""
    return tuple(
        Counted(name, name, int(((column >> bit & 1).astype(bool) & mask).sum()))
        for bit, name in enumerate(names)
    )


def saying(columns: Mapping[str, NDArray[np.int8]], place: int, mask: Mask) -> tuple[Counted, ...]:
    """Every column's name, with the rows of the mask in which it says `place`."""
    return tuple(
        Counted(name, name, int(((said == place) & mask).sum())) for name, said in columns.items()
    )


def values(
    column: Coded, mask: Mask, chosen: str, names: Mapping[str, str] | None = None
) -> tuple[tuple[Counted, ...], int]:
    """The values with most rows, in the order of their names, and how many are left out.

    Args:
        column: the values.
        mask: the rows to count.
        chosen: a value that is listed however few rows it has.
        names: what values are called, if not by themselves.
    """
    counts = column.counts(mask)
    there = np.flatnonzero(counts[:-1])
    kept = there[np.argsort(-counts[there], kind="stable")][:FACET_VALUES].tolist()
    code = column.code(chosen)
    if code is not None and code not in kept:
        kept.append(code)
    found = []
    for one in kept:
        value = column.values[one]
        found.append(Counted(value, names[value] if names else value, int(counts[one])))
    found.sort(key=lambda counted: counted.name.casefold())
    if counts[-1]:
        found.append(Counted(NOBODY, "", int(counts[-1])))
    return tuple(found), max(0, len(there) - len(kept))


def folders(column: Coded, mask: Mask, chosen: str) -> tuple[tuple[Counted, ...], int]:
    """The folders right below the chosen one, each with all that is below it."""
    counts = column.counts(mask)
    start = len(chosen) + 1 if chosen else 0
    children: dict[str, int] = {}
    for code in np.flatnonzero(counts[:-1]):
        folder = column.values[code]
        if not folder or (chosen and not folder.startswith(chosen + "/")):
            continue
        end = folder.find("/", start)
        child = folder if end < 0 else folder[:end]
        children[child] = children.get(child, 0) + int(counts[code])
    most = sorted(children.items(), key=lambda one: -one[1])[:FACET_VALUES]
    listed = [Counted(path, path[start:], rows) for path, rows in most]
    listed.sort(key=lambda counted: counted.name.casefold())
    return tuple(listed), len(children) - len(listed)
