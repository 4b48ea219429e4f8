"""The queue: filtering, sorting, counting and paging over hundreds of thousands of rows.

Columns are dictionary-encoded as small integers (`columns`), so that a filter is a comparison, a
facet count a `bincount`, and an order a sort of precomputed ranks. numpy rather than
pyarrow.compute: cells change with each decision, and at 300,000 rows the same pages took a third
longer with pyarrow. Not thread-safe: `ReviewSession` locks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.core.records import Band, Outcome
from pipeline.core.wording.text import capitalized, reasons_in_one_line, visible
from pipeline.decisions.events import Choice
from pipeline.decisions.state import ItemState, State
from pipeline.report.row_view import deciding_evidence_in_short
from pipeline.results.files import StoredRun
from pipeline.review.queue import facets
from pipeline.review.queue.columns import DictionaryColumn, Mask, category_codes
from pipeline.review.queue.facets import FacetCount
from pipeline.review.queue.filters import NOBODY, Filters
from pipeline.review.queue.progress import Progress, progress_of

PAGE_ROWS = 50
CACHED_SEARCHES = 32

_BANDS = [str(band) for band in Band]
_STATES = [
    str(one)
    for one in (
        State.OPEN, State.REOPENED, State.CONTESTED, State.FIRST_GIVEN, State.AGREED,
        State.SUPPRESSED,
    )
]  # fmt: skip
_CHOICES = [str(choice) for choice in Choice]
_OUTCOMES = [str(outcome) for outcome in Outcome]
_OUTCOME = "outcome_"


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One row as the queue shows it.

    Attributes:
        reason: all of the row's reasons, without its band and work.
        reason_in_short: what sets the row apart from others, in a few words.
        choices: those that everybody may see.
        same_bytes: how many other rows have the same bytes.
    """

    number: int
    asset_path: str
    kind: str
    band: str
    risk: float | None
    work_id: str | None
    title: str | None
    rightsholder: str | None
    reason: str
    reason_in_short: str
    status: str
    choices: tuple[str, ...]
    assignee: str
    asset_id: str | None
    same_bytes: int


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One page of the queue.

    Attributes:
        lines: its rows.
        page, pages: number of the page, and how many there are.
        first: place of its first row, from 1; 0 if there is none.
        total: how many rows pass the filters.
        table: how many rows the table has.
        bands, statuses, choices, stages, works, rightsholders, folders, assignees: facets, each
            counted with all other filters applied. Counts of `bands` and of `statuses` add up to
            the rows that pass the other filters; without any they add up to the table.
        more_works, more_rightsholders, more_folders: how many values are not listed.
    """

    lines: tuple[QueueRow, ...]
    page: int
    pages: int
    first: int
    total: int
    table: int
    bands: tuple[FacetCount, ...]
    statuses: tuple[FacetCount, ...]
    choices: tuple[FacetCount, ...]
    stages: tuple[FacetCount, ...]
    works: tuple[FacetCount, ...]
    rightsholders: tuple[FacetCount, ...]
    folders: tuple[FacetCount, ...]
    assignees: tuple[FacetCount, ...]
    more_works: int
    more_rightsholders: int
    more_folders: int


class Queue:
    """The rows of a run, ready to be filtered.

    Args:
        stored: the run.
    """

    def __init__(self, stored: StoredRun) -> None:
        table = stored.risk_rows
        self._table = table
        self.size = int(table.num_rows)
        self._band = category_codes(table.column("band"), _BANDS)
        risk = table.column("risk").combine_chunks().fill_null(np.nan)
        self._risk: NDArray[np.float64] = risk.to_numpy(zero_copy_only=False)
        self._paths: list[str] = table.column("asset_path").to_pylist()
        self._folder = DictionaryColumn([path.rpartition("/")[0] for path in self._paths])
        self._work = DictionaryColumn(table.column("work_id"))
        self._titles = _titles(table)
        self._asset = DictionaryColumn(table.column("asset_id"))
        self._of_same_bytes = self._asset.counts(np.ones(self.size, bool))
        self._deciders: dict[int, tuple[str, ...]] = {}
        self._holder = DictionaryColumn(table.column("rightsholder"))
        self._stages = {
            name.removeprefix(_OUTCOME): category_codes(table.column(name), _OUTCOMES)
            for name in table.column_names
            if name.startswith(_OUTCOME)
            and not name.startswith(("outcome_reason_", "outcome_detail_"))
        }
        self._status = np.zeros(self.size, dtype=np.int8)
        self._choices = np.zeros(self.size, dtype=np.int16)  # one bit for each visible choice
        self._assignee = DictionaryColumn([None] * self.size)
        searched = ("asset_path", "work_id", "title", "rightsholder")
        texts = zip(*(table.column(name).to_pylist() for name in searched), strict=True)
        self._texts = pa.array(
            ("\n".join(filter(None, cells)).casefold() for cells in texts), pa.large_string()
        )
        self._searches: dict[str, Mask] = {}
        self._path_rank = np.empty(self.size)
        self._path_rank[sorted(range(self.size), key=self._paths.__getitem__)] = np.arange(
            self.size
        )
        urgent = np.lexsort((self._path_rank, np.nan_to_num(-self._risk, nan=np.inf), self._band))
        self._urgency = np.empty(self.size)
        self._urgency[urgent] = np.arange(self.size)
        self._ranks = {
            "path": self._path_rank,
            "risk": np.where(np.isnan(self._risk), np.inf, self._risk),
            "work": self._work.ranks(lambda work_id: self._titles[work_id].casefold()),
            "rightsholder": self._holder.ranks(),
            "folder": self._folder.ranks(),
        }

    def update(self, number: int, state: ItemState, *, sealed: bool) -> None:
        """Updates the state of a row.

        Args:
            number: of the row.
            state: its state.
            sealed: whether its decisions are hidden from some people; its choices are then empty.
        """
        self._status[number] = _STATES.index(str(state.state))
        choices = () if sealed else state.choices
        self._choices[number] = sum(1 << _CHOICES.index(str(choice)) for choice in choices)
        self._assignee.set(number, state.assignee)
        self._deciders[number] = tuple(one.actor for one in state.decisions)

    def count(self, filters: Filters) -> int:
        """How many rows pass the filters."""
        return int(self._passing(filters).sum())

    def numbers(self, filters: Filters) -> list[int]:
        """Numbers of the rows that pass the filters, in order."""
        numbers: list[int] = self._ordered(self._passing(filters), filters).tolist()
        return numbers

    def progress(self, filters: Filters) -> Progress:
        """How far the decisions on the rows that pass the filters are."""
        return progress_of(
            self._passing(filters),
            bands=(_BANDS, self._band),
            states=(_STATES, self._status),
            works=self._work,
            titles=self._titles,
            deciders=self._deciders,
            assignees=self._assignee,
        )

    def unknown(self, filters: Filters) -> list[str]:
        """A sentence for each value filtered by that no row of the run has."""
        folders = self._folder.values
        below = filters.folder + "/"
        found = (
            (filters.work_id, self._work, "No row of this run has the work"),
            (filters.rightsholder, self._holder, "No row of this run has the rightsholder"),
            (filters.assignee, self._assignee, "No row of this run is assigned to"),
            (filters.asset_id, self._asset, "No file of this run has the SHA-256"),
        )
        sentences = [
            f"{sentence} “{visible(value)}”."
            for value, column, sentence in found
            if value and value != NOBODY and not column.is_(value).any()
        ]
        if filters.folder and not any(
            one == filters.folder or one.startswith(below) for one in folders
        ):
            sentences.append(f"This run has no folder “{visible(filters.folder)}”.")
        if filters.stage and filters.stage not in self._stages:
            sentences.append(f"This run has no outcomes of the stage “{filters.stage}”.")
        return sentences

    def neighbours(
        self, number: int, filters: Filters, skip: Collection[int] = ()
    ) -> tuple[int | None, int | None, int, int]:
        """The rows before and after one, its place from 1, and how many rows pass the filters.

        A row that does not pass has the place that it would have if it did: after a decision that
        removes the row from a filter, the person goes on where they were.

        Args:
            number: of the row.
            filters: of the queue.
            skip: rows that are passed over on the way to the row after it.
        """
        mask = self._passing(filters)
        passes = bool(mask[number])
        total = int(mask.sum())
        mask[number] = True
        order = self._ordered(mask, filters)
        place = int(np.flatnonzero(order == number)[0])
        before = int(order[place - 1]) if place else None
        following = (int(one) for one in order[place + 1 :])
        after = next((one for one in following if one not in skip), None)
        return before, after, place + 1 if passes else min(place + 1, total), total

    def page(self, filters: Filters, page: int = 1) -> QueuePage:
        """One page, with its facet counts."""
        masks = self._masks(filters)

        def without(*names: str) -> Mask:
            return self._all(mask for name, mask in masks.items() if name not in names)

        passing = without()
        total = int(passing.sum())
        pages = max(1, -(-total // PAGE_ROWS))
        page = min(max(1, page), pages)
        start = (page - 1) * PAGE_ROWS
        numbers = self._first(passing, filters, start + PAGE_ROWS)[start:]
        works, more_works = facets.value_counts(
            self._work, without("work_id"), filters.work_id, self._titles
        )
        holders, more_holders = facets.value_counts(
            self._holder, without("rightsholder"), filters.rightsholder
        )
        folders, more_folders = facets.folder_counts(
            self._folder, without("folder"), filters.folder
        )
        assignees, _ = facets.value_counts(self._assignee, without("assignee"), filters.assignee)
        outcome = _OUTCOMES.index(filters.outcome)
        return QueuePage(
            lines=tuple(self._row(int(number)) for number in numbers),
            page=page,
            pages=pages,
            first=start + 1 if total else 0,
            total=total,
            table=self.size,
            bands=facets.category_counts(_BANDS, self._band, without("band")),
            statuses=facets.category_counts(_STATES, self._status, without("status")),
            choices=facets.flag_counts(_CHOICES, self._choices, without("choice")),
            stages=facets.outcome_counts(self._stages, outcome, without("stage")),
            works=works,
            rightsholders=holders,
            folders=folders,
            assignees=assignees,
            more_works=more_works,
            more_rightsholders=more_holders,
            more_folders=more_folders,
        )

    def _masks(self, filters: Filters) -> dict[str, Mask]:
        masks: dict[str, Mask] = {}
        if filters.band:
            masks["band"] = np.isin(self._band, [_BANDS.index(one) for one in filters.band])
        if filters.status:
            masks["status"] = np.isin(self._status, [_STATES.index(x) for x in filters.status])
        if filters.choice:
            bits = sum(1 << _CHOICES.index(one) for one in filters.choice)
            masks["choice"] = (self._choices & bits) != 0
        if filters.stage:
            outcomes = self._stages.get(filters.stage)
            outcome = _OUTCOMES.index(filters.outcome)
            masks["stage"] = np.zeros(self.size, bool) if outcomes is None else outcomes == outcome
        if filters.work_id:
            masks["work_id"] = self._work.is_(filters.work_id)
        if filters.rightsholder:
            masks["rightsholder"] = self._holder.is_(filters.rightsholder)
        if filters.assignee:
            masks["assignee"] = self._assignee.is_(filters.assignee)
        if filters.asset_id:
            masks["asset_id"] = self._asset.is_(filters.asset_id)
        if filters.folder:
            below = filters.folder + "/"
            within = [f == filters.folder or f.startswith(below) for f in self._folder.values]
            masks["folder"] = np.array([*within, False])[self._folder.codes]
        if filters.q:
            masks["q"] = self._searched(filters.q)
        return masks

    def _searched(self, words: str) -> Mask:
        """Rows with all of the words; cached for a few searches, which paging repeats."""
        if words not in self._searches:
            while len(self._searches) >= CACHED_SEARCHES:
                self._searches.pop(next(iter(self._searches)))
            self._searches[words] = self._all(
                pc.match_substring(self._texts, word).to_numpy(zero_copy_only=False)
                for word in dict.fromkeys(words.casefold().split())
            )
        return self._searches[words]

    def _all(self, masks: Iterable[Mask]) -> Mask:
        passing = np.ones(self.size, bool)
        for mask in masks:
            passing &= mask
        return passing

    def _passing(self, filters: Filters) -> Mask:
        return self._all(self._masks(filters).values())

    def _keys(self, passing: Mask, filters: Filters) -> tuple[NDArray[Any], NDArray[Any]]:
        """The numbers of the rows that pass, and the key to sort them by: a rank without ties."""
        numbers = np.flatnonzero(passing)
        urgency = self._urgency[numbers]
        if filters.sort == "urgency":
            return numbers, urgency if filters.order == "asc" else -urgency
        if filters.sort == "status":
            ranks = self._status.astype(float)
        elif filters.sort == "assignee":
            ranks = self._assignee.ranks()
        else:
            ranks = self._ranks[filters.sort]
        key = ranks[numbers]
        if filters.order == "desc":
            key = np.where(np.isinf(key), key, -key)  # rows without a value are last either way
        if filters.sort == "path":
            return numbers, key
        ranked = np.empty(len(numbers))
        ranked[np.lexsort((urgency, key))] = np.arange(len(numbers))
        return numbers, ranked

    def _ordered(self, passing: Mask, filters: Filters) -> NDArray[np.intp]:
        numbers, key = self._keys(passing, filters)
        ordered: NDArray[np.intp] = numbers[np.argsort(key, kind="stable")]
        return ordered

    def _first(self, passing: Mask, filters: Filters, count: int) -> NDArray[np.intp]:
        numbers, key = self._keys(passing, filters)
        if count < len(numbers) // 4:  # for the first pages, without sorting all
            near = np.argpartition(key, count)[:count]
            numbers, key = numbers[near], key[near]
        first: NDArray[np.intp] = numbers[np.argsort(key, kind="stable")][:count]
        return first

    def _row(self, number: int) -> QueueRow:
        row = self._table.slice(number, 1)

        def cell(name: str) -> Any:
            return row.column(name)[0].as_py()

        reason = reasons_in_one_line(cell("reasons") or "", (cell("title"), cell("rightsholder")))
        short = ""
        if cell("work_id") is not None:
            cells = row.to_pylist()[0]
            short = deciding_evidence_in_short(
                cells,
                identical=bool(cells.get("identical_file")),
                likeness_only=bool(cells.get("likeness_only")),
            )
        bits = int(self._choices[number])
        assignee, asset = int(self._assignee.codes[number]), int(self._asset.codes[number])
        return QueueRow(
            number=number,
            asset_path=self._paths[number],
            kind=cell("kind"),
            band=_BANDS[self._band[number]],
            risk=cell("risk"),
            work_id=cell("work_id"),
            title=cell("title"),
            rightsholder=cell("rightsholder"),
            reason=reason,
            reason_in_short=capitalized(short) or reason,
            status=_STATES[self._status[number]],
            choices=tuple(name for bit, name in enumerate(_CHOICES) if bits >> bit & 1),
            assignee=self._assignee.values[assignee] if assignee >= 0 else "",
            asset_id=cell("asset_id"),
            same_bytes=int(self._of_same_bytes[asset]) - 1 if asset >= 0 else 0,
        )


def _titles(table: pa.Table) -> dict[str, str]:
    """Title of each work, or its id if it has none."""
    pairs = zip(table.column("work_id").to_pylist(), table.column("title").to_pylist(), strict=True)
    return {work_id: title or work_id for work_id, title in pairs if work_id}
