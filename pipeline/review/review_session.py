"""A review session: the rows of a run with the decisions on them, kept in step with the record."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
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
from pipeline.decisions.form_2 import SuppressionRule
from pipeline.decisions.places import SAVED_FILTERS, record_file
from pipeline.decisions.record import Record
from pipeline.decisions.standing import STANDING_KINDS, Standing, today
from pipeline.decisions.state import Items, ItemState, suppressed_by_rule
from pipeline.results.files import StoredRun
from pipeline.results.inputs import work_aliases
from pipeline.results.ruled import Ruled, RunRules
from pipeline.review.access.people import Person
from pipeline.review.item.pictures import Pictures
from pipeline.review.item.thumbnails import Thumbnails
from pipeline.review.queue.filters import Filters
from pipeline.review.queue.progress import Progress
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
"""The columns of the risk table that the basis of a decision is made of."""


class ReviewSession:
    """A run, its record, and the state of each row; safe for any number of threads.

    Args:
        stored: the run.
        place: of the record, which is created with the first decision.
        second_person: bands whose rows two people decide on; None keeps the record's rules.
        starter: who started the page; the actor who creates the record and sets its rules.
        keep_rules: whether the rules of a record that is there are left as they are.

    Raises:
        RecordError: if there is a record that can't be read or was altered.

    Attributes:
        stored: the run.
        record: the record; None while there is none.
    """

    def __init__(
        self,
        stored: StoredRun,
        place: str | Path,
        *,
        second_person: tuple[Band, ...] | None = None,
        starter: str = "clearance",
        keep_rules: bool = False,
    ) -> None:
        self.stored = stored
        self.record: Record | None = None
        self._place = place
        self._database = Database(place)
        self._second_person = second_person
        self._starter = starter
        self._lock = threading.RLock()
        self._aliases = work_aliases(stored.run)
        self._items = Items(aliases=self._aliases)
        self._head: str | None = None
        self._rules = Rules()
        self._changed: set[int] = set()
        self._run_rules = RunRules(stored)
        self._ruled: Ruled = {}
        self._ruled_on = ""
        """The day for which `_ruled` holds; empty if rules changed since."""
        self._queue = Queue(stored)
        self._asset_numbers: dict[str, list[int]] = {}
        self._path_numbers: dict[str, int] = {}
        ids = stored.risk_rows.column("asset_id").to_pylist()
        paths = stored.risk_rows.column("asset_path").to_pylist()
        for number, (asset_id, path) in enumerate(zip(ids, paths, strict=True)):
            self._asset_numbers.setdefault(asset_id or f"path:{path}", []).append(number)
            self._path_numbers[path] = number
        self.refresh()
        if self._database.exists and not keep_rules:
            self._set_rules(self.opened())

    def __len__(self) -> int:
        return int(self.stored.risk_rows.num_rows)

    def row(self, number: int) -> dict[str, Any]:
        """A row of the risk table by its number, from 0.

        Raises:
            RunError: if there is none.
        """
        if not 0 <= number < len(self):
            raise RunError(f"There is no row {number} in this run.")
        row: dict[str, Any] = self.stored.risk_rows.slice(number, 1).to_pylist()[0]
        return row

    def rows(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Rows by their numbers, only with the columns that the basis of a decision needs."""
        rows: list[dict[str, Any]] = (
            self.stored.risk_rows.select(self._basis_columns)
            .take(pa.array(numbers, pa.int64()))
            .to_pylist()
        )
        return rows

    @cached_property
    def _basis_columns(self) -> list[str]:
        # Runs of earlier releases lack the column on rows whose matches are all suppressed.
        suppressed = {"suppressed_works"} & {*self.stored.risk_rows.column_names}
        return [*_BASIS, *suppressed]

    def number_of(self, asset_path: str) -> int | None:
        """The number of a path's row; None if there is none."""
        return self._path_numbers.get(asset_path)

    def numbers_of(self, row: dict[str, Any]) -> list[int]:
        """The numbers of all rows with the same bytes as a row, its own included."""
        return self._asset_numbers[row["asset_id"] or f"path:{row['asset_path']}"]

    def matches(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """The row's matches, the strongest first."""
        start, end = self._match_ranges.get(row["asset_path"], (0, 0))
        matches: list[dict[str, Any]] = self.stored.match_rows.slice(start, end - start).to_pylist()
        return matches

    @cached_property
    def _match_ranges(self) -> dict[str, tuple[int, int]]:
        ranges: dict[str, tuple[int, int]] = {}
        for index, path in enumerate(self.stored.match_rows.column("asset_path").to_pylist()):
            ranges[path] = (ranges.get(path, (index, 0))[0], index + 1)
        return ranges

    def basis(self, row: dict[str, Any], work_id: str | None = None) -> Basis:
        """The basis of a decision on a row.

        Args:
            row: the row.
            work_id: one of its works; by default the strongest.

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
        """Digest of the evidence that a page shows: SHA-256 (hex) of the basis.

        Forms send it back, so that a decision on a row of another run in its place is refused.
        """
        return canonical_digest(self.basis(row, work_id).to_json())

    def states(self, rows: Iterable[dict[str, Any]]) -> list[ItemState]:
        """States of many rows, all at one moment. Pages show `visibility` instead."""
        with self._lock:
            self.refresh()
            return [self._state_of(row) for row in rows]

    def _state_of(self, row: dict[str, Any]) -> ItemState:
        return self._items.of_row(row, self._ruled.get(row["asset_path"]))

    def items(self) -> Items:
        """The states of all items, up to date with the record."""
        self.refresh()
        return self._items

    def state(self, row: dict[str, Any], work_id: str | None = None) -> ItemState:
        """State of a row, or of its match with another work. Pages show `visibility` instead."""
        with self._lock:
            self.refresh()
            if work_id is None or work_id == (row["work_id"] or None):
                return self._state_of(row)
            basis = self.basis(row, work_id)
            rule = self._ruled.get(row["asset_path"], {}).get(work_id)
            return suppressed_by_rule(self._items.state(basis.item, basis), rule)

    def suppression_rules(self) -> tuple[Standing[SuppressionRule], ...]:
        """The rules that suppress, oldest first, whatever their status."""
        with self._lock:
            self.refresh()
            return self._items.standings.rules

    def covered_by(self, rule: SuppressionRule) -> dict[Band, int] | None:
        """How many matches of the run a rule covers, by band; None if it can't be told."""
        with self._lock:
            return self._run_rules.counts(rule)

    def columns_of(self, work_id: str) -> Mapping[str, str]:
        """Title, rightsholder and rights of a work with evidence in the run."""
        with self._lock:
            return self._run_rules.columns(work_id)

    def rules_on(self, row: dict[str, Any], work_id: str) -> list[Standing[SuppressionRule]]:
        """The rules that cover a row's match with a work, whatever their status, newest first."""
        with self._lock:
            self.refresh()
            rules = self._items.standings.rules
            covers = self._run_rules.covers
            found = [one for one in rules if covers(one.payload, row["asset_path"], work_id)]
            return found[::-1]

    def visibility(
        self, row: dict[str, Any], person: Person, work_id: str | None = None
    ) -> Visibility:
        """What a person may see of a row's state, or of its match with another work."""
        persons = self.rules.persons(self.basis(row, work_id).band)
        return visibility_for(self.state(row, work_id), person.name, persons=persons)

    @property
    def rules(self) -> Rules:
        """The present rules for decisions."""
        with self._lock:
            self.refresh()
            if self.record is not None:
                return self._rules
        rules = Rules()
        if self._second_person is not None:
            rules = replace(rules, second_person=self._second_person)
        return rules

    def opened(self) -> Record:
        """The record to write to; created if there is none."""
        with self._lock:
            if self.record is None:
                record = Record.open(
                    self._place, create=True, actor=self._starter, aliases=self._aliases
                )
                self._set_rules(record)
                self.record = record
            return self.record

    def _set_rules(self, record: Record) -> None:
        rules = record.rules
        if self._second_person is None or set(rules.second_person) == set(self._second_person):
            return
        record.set_rules(self._starter, replace(rules, second_person=self._second_person))

    def refresh(self) -> None:
        """Takes events that were written to the record since, also by other programs.

        Raises:
            RecordError: if the record can't be read any more, was altered, or is another one;
                nothing is shown or written then.
        """
        with self._lock:
            if self.record is None:
                if not self._database.exists:
                    return
                self.record = Record.open(self._place, aliases=self._aliases)
            for event in self.record.events(after=self._items.at, known=self._head):
                self._items.take(event)
                self._head = event.hash
                if isinstance(event.payload, Rules):
                    self._rules = event.payload
                if event.kind in STANDING_KINDS:
                    self._ruled_on = ""
                # Remembered until they are updated: if reading the next event fails, this event is
                # not read again.
                self._changed.update(self._rows_of(event))
            self._update_rules()
            self._update_queue()

    def _update_rules(self) -> None:
        """Takes the rules that count today; what they cover or no longer cover has changed."""
        day = today()
        if self._ruled_on == day:
            return
        before, self._ruled = self._ruled, self._run_rules.ruled(self._items.standings, day)
        self._ruled_on = day
        for path in before.keys() | self._ruled.keys():
            if before.get(path) != self._ruled.get(path) and path in self._path_numbers:
                self._changed.add(self._path_numbers[path])

    def _update_queue(self) -> None:
        numbers = sorted(self._changed)
        for number, row in zip(numbers, self.rows(numbers) if numbers else (), strict=True):
            state = self._state_of(row)
            sealed = needs_second_person(state)
            if sealed:
                state = replace(state, assignee=visible_assignee(state, sealed_deciders(state)))
            self._queue.update(number, state, sealed=sealed)
        self._changed.clear()

    def _rows_of(self, event: Event) -> Iterable[int]:
        """Rows whose state an event may change: those of the same bytes, and of the same paths."""
        if event.item is None:
            return
        yield from self._asset_numbers.get(event.item.asset, ())
        for path in self._items.paths(event.item):
            number = self._path_numbers.get(path)
            if number is not None:
                yield number

    def page(self, filters: Filters, page: int = 1) -> QueuePage:
        """One page of the queue, with its facet counts."""
        with self._lock:
            self.refresh()
            return self._queue.page(filters, page)

    def count(self, filters: Filters) -> int:
        """How many rows pass the filters."""
        with self._lock:
            self.refresh()
            return self._queue.count(filters)

    def numbers(self, filters: Filters) -> list[int]:
        """Numbers of the rows that pass the filters, in the order of the queue."""
        with self._lock:
            self.refresh()
            return self._queue.numbers(filters)

    def neighbours(self, number: int, filters: Filters, skip: Collection[int] = ()) -> Neighbours:
        """The rows before and after one in the queue, even if it does not pass the filters.

        Rows in `skip` are passed over on the way to the row after it.
        """
        with self._lock:
            self.refresh()
            return Neighbours(*self._queue.neighbours(number, filters, skip))

    def decided_with(self, row: dict[str, Any], work_id: str | None = None) -> list[int]:
        """Numbers of the other rows on which a decision on this one holds: of files with the same
        bytes, with the same strongest work if it is this row's strongest that is decided on.
        """
        own = self._path_numbers[row["asset_path"]]
        same = [number for number in self.numbers_of(row) if number != own]
        if not same or work_id not in (None, row["work_id"] or None):
            return same
        works = self.stored.risk_rows.column("work_id").take(pa.array(same, pa.int64()))
        strongest = row["work_id"] or None
        return [
            number
            for number, work in zip(same, works.to_pylist(), strict=True)
            if (work or None) == strongest
        ]

    def progress(self, filters: Filters) -> Progress:
        """How far the decisions on the rows that pass the filters are."""
        with self._lock:
            self.refresh()
            return self._queue.progress(filters)

    def unknown(self, filters: Filters) -> list[str]:
        """A sentence for each value filtered by that no row of the run has."""
        with self._lock:
            self.refresh()
            return self._queue.unknown(filters)

    @property
    def filters_file(self) -> Path | None:
        """Where saved filters are kept: beside the record, or beside the results if the record is
        in a database; None if those are in object storage.
        """
        file = self._database.file
        if file is None and isinstance(self.stored.folder, Path):
            file = record_file(self.stored.folder)
        return file.with_name(SAVED_FILTERS) if file is not None else None

    @cached_property
    def pictures(self) -> Pictures:
        """The pictures of the run's items."""
        return Pictures(self.stored.run)

    @cached_property
    def thumbnails(self) -> Thumbnails:
        """Small pictures of the run's assets and works."""
        return Thumbnails(self.stored.run)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The place of a row in the queue.

    Attributes:
        before, after: numbers of the rows next to it; None at the ends.
        place: its place from 1, or the one it would have if it passed the filters.
        total: how many rows pass the filters.
    """

    before: int | None
    after: int | None
    place: int
    total: int
