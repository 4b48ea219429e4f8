"""The review: a run's rows with what people decided on them, kept up to date with the record."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core.errors import RunError
from pipeline.core.records import Band
from pipeline.decisions.basis import Basis
from pipeline.decisions.canonical_json import canonical_digest
from pipeline.decisions.database import Database
from pipeline.decisions.events import Event, Rules
from pipeline.decisions.record import Record
from pipeline.decisions.state import Items, ItemState
from pipeline.results.files import StoredRun
from pipeline.review.access.people import Person
from pipeline.review.queue.filters import Filters
from pipeline.review.queue.queue import Queue, QueuePage
from pipeline.review.visibility import (
    Visibility,
    needs_second_person,
    sealed_deciders,
    visibility_for,
    visible_assignee,
)

_BASIS = [
    "asset_id", "asset_path", "work_id", "index_version", "index_digest", "config_fingerprint",
    "risk", "band", "run_id",
]  # fmt: skip
"""The columns of the risk table that a decision on it is made on."""


class ReviewSession:
    """A run, its record, and where each row stands; any number of threads may use it.

    Args:
        stored: the run.
        place: the record's place; the record is made with the first decision.
        second_person: bands whose rows two persons decide on; None leaves the record's rules.
        starter: who started the page; who makes the record, and sets its rules.

    Raises:
        RecordError: if there is a record that can't be read or was altered.

    Attributes:
        stored: the run.
        record: None until something is written.
    """

    def __init__(
        self,
        stored: StoredRun,
        place: str | Path,
        *,
        second_person: tuple[Band, ...] | None = None,
        starter: str = "clearance",
    ) -> None:
        self.stored = stored
        self.record: Record | None = None
        self._place = place
        self._database = Database(place)
        self._second_person = second_person
        self._starter = starter
        self._lock = threading.RLock()
        self._items = Items()
        self._head: str | None = None
        self._rules = Rules()
        self._moved: set[int] = set()
        self._queue = Queue(stored)
        self._asset_numbers: dict[str, list[int]] = {}
        self._path_numbers: dict[str, int] = {}
        ids = stored.risk_rows.column("asset_id").to_pylist()
        paths = stored.risk_rows.column("asset_path").to_pylist()
        for number, (asset_id, path) in enumerate(zip(ids, paths, strict=True)):
            self._asset_numbers.setdefault(asset_id or f"path:{path}", []).append(number)
            self._path_numbers[path] = number
        self.refresh()
        if self._database.exists:
            self._set_rules(self.opened())

    def __len__(self) -> int:
        return int(self.stored.risk_rows.num_rows)

    def row(self, number: int) -> dict[str, Any]:
        """A row of the risk table by its place there, from 0.

        Raises:
            RunError: if there is none.
        """
        if not 0 <= number < len(self):
            raise RunError(f"There is no row {number} in this run.")
        found: dict[str, Any] = self.stored.risk_rows.slice(number, 1).to_pylist()[0]
        return found

    def rows(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Rows by their places, with what a decision is made on and no more."""
        found: list[dict[str, Any]] = (
            self.stored.risk_rows.select(self._decided_on)
            .take(pa.array(numbers, pa.int64()))
            .to_pylist()
        )
        return found

    @cached_property
    def _decided_on(self) -> list[str]:
        # Where a row's every match is suppressed stands in a column that earlier releases lack.
        suppressed = {"suppressed_works"} & {*self.stored.risk_rows.column_names}
        return [*_BASIS, *suppressed]

    def number_of(self, asset_path: str) -> int | None:
        """The row of a path."""
        return self._path_numbers.get(asset_path)

    def numbers_of(self, row: dict[str, Any]) -> list[int]:
        """The rows of the same bytes as a row, itself among them."""
        return self._asset_numbers[row["asset_id"] or f"path:{row['asset_path']}"]

    def matches(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """The row's matches, the strongest first."""
        start, end = self._match_places.get(row["asset_path"], (0, 0))
        found: list[dict[str, Any]] = self.stored.match_rows.slice(start, end - start).to_pylist()
        return found

    @cached_property
    def _match_places(self) -> dict[str, tuple[int, int]]:
        places: dict[str, tuple[int, int]] = {}
        for place, path in enumerate(self.stored.match_rows.column("asset_path").to_pylist()):
            places[path] = (places.get(path, (place, 0))[0], place + 1)
        return places

    def basis(self, row: dict[str, Any], work_id: str | None = None) -> Basis:
        """What a decision on a row is made on.

        Args:
            row: the row.
            work_id: another of its works than the strongest.

        Raises:
            RunError: if it has no evidence with that work.
        """
        if work_id is None or work_id == (row["work_id"] or None):
            return Basis.of_row(row)
        for match in self.matches(row):
            if match["work_id"] == work_id:
                return Basis.of_row(row, match)
        raise RunError(f"This row has no evidence with a work {work_id}.")

    def evidence(self, row: dict[str, Any], work_id: str | None = None) -> str:
        """A name for what is in front of a person: SHA-256 (hex) of the basis.

        A form carries it back, so that nobody decides on a row that another run put in its place.
        """
        return canonical_digest(self.basis(row, work_id).to_json())

    def states(self, rows: Iterable[dict[str, Any]]) -> list[ItemState]:
        """Where many rows stand, all at one moment; not for showing."""
        with self._lock:
            self.refresh()
            return [self._items.of_row(row) for row in rows]

    def items(self) -> Items:
        """Where every item stands, up to date with the record."""
        self.refresh()
        return self._items

    def state(self, row: dict[str, Any], work_id: str | None = None) -> ItemState:
        """State of a row, or of its match with another work. Pages show `visibility` instead."""
        with self._lock:
            self.refresh()
            if work_id is None or work_id == (row["work_id"] or None):
                return self._items.of_row(row)
            basis = self.basis(row, work_id)
            return self._items.state(basis.item, basis)

    def visibility(
        self, row: dict[str, Any], person: Person, work_id: str | None = None
    ) -> Visibility:
        """What a person may see of a row's state, or of its match with another work."""
        persons = self.rules.persons(self.basis(row, work_id).band)
        return visibility_for(self.state(row, work_id), person.name, persons=persons)

    @property
    def rules(self) -> Rules:
        """What is asked of decisions."""
        with self._lock:
            self.refresh()
            if self.record is not None:
                return self._rules
        rules = Rules()
        if self._second_person is not None:
            rules = replace(rules, second_person=self._second_person)
        return rules

    def opened(self) -> Record:
        """The record to write to; made if there is none."""
        with self._lock:
            if self.record is None:
                made = Record.open(self._place, create=True, actor=self._starter)
                self._set_rules(made)
                self.record = made
            return self.record

    def _set_rules(self, record: Record) -> None:
        rules = record.rules
        if self._second_person is None or set(rules.second_person) == set(self._second_person):
            return
        record.set_rules(self._starter, replace(rules, second_person=self._second_person))

    def refresh(self) -> None:
        """Takes what was written to the record since, by whomever.

        Raises:
            RecordError: if the record can't be read any more, was altered, or is another one;
                nothing is shown or written then.
        """
        with self._lock:
            if self.record is None:
                if not self._database.exists:
                    return
                self.record = Record.open(self._place)
            for event in self.record.events(after=self._items.at, known=self._head):
                self._items.take(event)
                self._head = event.hash
                if isinstance(event.payload, Rules):
                    self._rules = event.payload
                # Kept until it is done: should the record fail at the next event, this one is not
                # read again.
                self._moved.update(self._touched(event))
            self._put()

    def _put(self) -> None:
        numbers = sorted(self._moved)
        for number, row in zip(numbers, self.rows(numbers) if numbers else (), strict=True):
            state = self._items.of_row(row)
            sealed = needs_second_person(state)
            if sealed:
                state = replace(state, assignee=visible_assignee(state, sealed_deciders(state)))
            self._queue.put(number, state, sealed=sealed)
        self._moved.clear()

    def _touched(self, event: Event) -> Iterable[int]:
        """The rows that an event may move: those of the same bytes, and of the same paths."""
        if event.item is None:
            return
        yield from self._asset_numbers.get(event.item.asset, ())
        for path in self._items.paths(event.item):
            number = self._path_numbers.get(path)
            if number is not None:
                yield number

    def page(self, filters: Filters, page: int = 1) -> QueuePage:
        """One page of the queue, with its counts."""
        with self._lock:
            self.refresh()
            return self._queue.page(filters, page)

    def count(self, filters: Filters) -> int:
        """How many rows pass."""
        with self._lock:
            self.refresh()
            return self._queue.count(filters)

    def numbers(self, filters: Filters) -> list[int]:
        """The rows that pass, in the order of the queue."""
        with self._lock:
            self.refresh()
            return self._queue.numbers(filters)

    def around(self, number: int, filters: Filters) -> Around:
        """The rows before and after one in the queue, whether it passes the filters or not."""
        with self._lock:
            self.refresh()
            return Around(*self._queue.around(number, filters))


@dataclass(frozen=True, slots=True)
class Around:
    """Where a row stands in the queue.

    Attributes:
        before, after: the rows next to it; None at the ends.
        place: its place from 1, or that at which it would stand.
        total: how many rows pass.
    """

    before: int | None
    after: int | None
    place: int
    total: int
