"""Progress of the decisions: rows by state, for each band, each work and each person.

It counts only what everybody may see: which state a row is in, and who decided on it. What somebody
decided is in none of these numbers, nor is when, so a sealed first decision stays sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.decisions.state import State
from pipeline.decisions.texts import folded_name
from pipeline.review.queue.columns import DictionaryColumn, Mask

LISTED = 200
"""Works that are listed: those with the most rows to decide."""

_DONE = (str(State.AGREED), str(State.SUPPRESSED))


@dataclass(frozen=True, slots=True)
class RowsByState:
    """The rows of one band or work by state.

    Attributes:
        value: the band or the work's id.
        name: of the work; for a band its value.
        states: how many rows are in each state, by state, in the order of urgency.
    """

    value: str
    name: str
    states: Mapping[str, int]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(self.states.values())

    @property
    def done(self) -> int:
        """How many rows are decided, false matches included."""
        return sum(self.states[name] for name in _DONE)

    @property
    def left(self) -> int:
        """How many rows still want somebody's decision."""
        return self.rows - self.done


@dataclass(frozen=True, slots=True)
class PersonProgress:
    """What one person has decided, and has yet to look at.

    Attributes:
        name: of the person.
        decided: rows with a decision of theirs that was not taken back.
        waiting: of these, rows on which a second person has yet to decide.
        given: rows that are given to them and want a decision.
    """

    name: str
    decided: int
    waiting: int
    given: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the decisions are.

    Attributes:
        whole: all rows together.
        bands: by band, without bands that no row has.
        works: by strongest work, those with most rows to decide first.
        more_works: how many works are not listed.
        people: by name.
    """

    whole: RowsByState
    bands: tuple[RowsByState, ...]
    works: tuple[RowsByState, ...]
    more_works: int
    people: tuple[PersonProgress, ...]


Category = tuple[Sequence[str], NDArray[np.int8]]
"""The names of a category's values, and the index of each row's value."""


def progress_of(
    mask: Mask,
    *,
    bands: Category,
    states: Category,
    works: DictionaryColumn,
    titles: Mapping[str, str],
    deciders: Mapping[int, tuple[str, ...]],
    assignees: DictionaryColumn,
) -> Progress:
    """The progress of the rows of a mask.

    Args:
        mask: the rows.
        bands, states: the category of each row.
        works: the strongest work of each row.
        titles: of the works, by id.
        deciders: who decided on a row, by its number.
        assignees: whom each row is given to, as far as everybody may see it.
    """
    names, status = states

    def counted(codes: NDArray[np.integer], values: int) -> NDArray[np.int64]:
        """(values, states)."""
        there = mask & (codes >= 0)
        pairs = codes[there].astype(np.int64) * len(names) + status[there]
        return np.bincount(pairs, minlength=values * len(names)).reshape(values, len(names))

    def by_state(value: str, name: str, row: Iterable[int]) -> RowsByState:
        return RowsByState(value, name, dict(zip(names, map(int, row), strict=True)))

    by_band = counted(bands[1], len(bands[0]))
    by_work = counted(works.codes, len(works.values))
    present = np.flatnonzero(by_work.sum(axis=1))
    done = [names.index(name) for name in _DONE]
    left = by_work.sum(axis=1) - by_work[:, done].sum(axis=1)
    order = sorted(
        present.tolist(),
        key=lambda code: (-int(left[code]), titles[works.values[code]].casefold()),
    )
    return Progress(
        whole=by_state("", "", by_band.sum(axis=0)),
        bands=tuple(
            by_state(value, value, row)
            for value, row in zip(bands[0], by_band, strict=True)
            if row.sum()
        ),
        works=tuple(
            by_state(works.values[code], titles[works.values[code]], by_work[code])
            for code in order[:LISTED]
        ),
        more_works=max(0, len(order) - LISTED),
        people=_people(mask, states, deciders, assignees),
    )


def _people(
    mask: Mask,
    states: Category,
    deciders: Mapping[int, tuple[str, ...]],
    assignees: DictionaryColumn,
) -> tuple[PersonProgress, ...]:
    """Spellings of one person's name are one person, under the spelling met first."""
    names, status = states
    spelled: dict[str, str] = {}
    numbers: dict[str, list[int]] = {}

    def of(name: str) -> list[int]:
        key = folded_name(name)
        spelled.setdefault(key, name)
        return numbers.setdefault(key, [0, 0, 0])

    first_given = names.index(str(State.FIRST_GIVEN))
    for number, who in deciders.items():
        if mask[number]:
            for name in who:
                counts = of(name)
                counts[0] += 1
                counts[1] += int(status[number] == first_given)
    done = [names.index(name) for name in _DONE]
    given = assignees.counts(mask & ~np.isin(status, done))
    for code, name in enumerate(assignees.values):
        if given[code]:
            of(name)[2] += int(given[code])
    people = (PersonProgress(spelled[key], *counts) for key, counts in numbers.items())
    return tuple(sorted(people, key=lambda one: one.name.casefold()))
