"""Facet counts of the queue: the values to filter by, each with how many rows it would leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.review.queue.columns import DictionaryColumn, Mask
from pipeline.review.queue.filters import NOBODY

FACET_VALUES = 200
"""How many works, rightsholders and folders are listed: those with the most rows."""


@dataclass(frozen=True, slots=True)
class FacetCount:
    """A value to filter by, and how many rows it leaves together with the other filters."""

    value: str
    name: str
    rows: int


def category_counts(
    names: Sequence[str], column: NDArray[np.int8], mask: Mask
) -> tuple[FacetCount, ...]:
    """Each of `names`, with how many rows of the mask have its index in `column`."""
    counts = np.bincount(column[mask], minlength=len(names))
    return tuple(
        FacetCount(name, name, int(rows)) for name, rows in zip(names, counts, strict=True)
    )


def flag_counts(
    names: Sequence[str], column: NDArray[np.int16], mask: Mask
) -> tuple[FacetCount, ...]:
    """Each of `names`, with how many rows of the mask have the bit of its index set."""
    return tuple(
        FacetCount(name, name, int(((column >> bit & 1).astype(bool) & mask).sum()))
        for bit, name in enumerate(names)
    )


def outcome_counts(
    columns: Mapping[str, NDArray[np.int8]], outcome: int, mask: Mask
) -> tuple[FacetCount, ...]:
    """Each stage, with how many rows of the mask have that outcome of it."""
    return tuple(
        FacetCount(name, name, int(((codes == outcome) & mask).sum()))
        for name, codes in columns.items()
    )


def value_counts(
    column: DictionaryColumn, mask: Mask, chosen: str, names: Mapping[str, str] | None = None
) -> tuple[tuple[FacetCount, ...], int]:
    """The values with most rows, in the order of their names, and how many are not listed.

    Args:
        column: the values.
        mask: the rows to count.
        chosen: a value that is always listed.
        names: display names of the values; by default the values themselves.
    """
    counts = column.counts(mask)
    present = np.flatnonzero(counts[:-1])
    listed = present[np.argsort(-counts[present], kind="stable")][:FACET_VALUES].tolist()
    chosen_code = column.code(chosen)
    if chosen_code is not None and chosen_code not in listed:
        listed.append(chosen_code)
    facets = []
    for code in listed:
        value = column.values[code]
        facets.append(FacetCount(value, names[value] if names else value, int(counts[code])))
    facets.sort(key=lambda facet: facet.name.casefold())
    if counts[-1]:
        facets.append(FacetCount(NOBODY, "", int(counts[-1])))
    return tuple(facets), max(0, len(present) - len(listed))


def folder_counts(
    column: DictionaryColumn, mask: Mask, chosen: str
) -> tuple[tuple[FacetCount, ...], int]:
    """The direct subfolders of the chosen folder, with their rows at any depth, and how many are
    not listed.
    """
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
    listed = [FacetCount(path, path[start:], rows) for path, rows in most]
    listed.sort(key=lambda facet: facet.name.casefold())
    return tuple(listed), len(children) - len(listed)
