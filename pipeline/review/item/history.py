"""The history of an item: its events, earlier scans of the asset, decisions on related items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.layout import RISK_TABLE
from pipeline.decisions.basis import Item
from pipeline.decisions.events import (
    Assignment,
    Choice,
    Comment,
    Decision,
    Event,
    Undo,
)
from pipeline.decisions.places import scan_directory_of
from pipeline.decisions.state import Items, ItemState, State
from pipeline.drops.places import Place
from pipeline.review.visibility import is_sealed_for

SCANS = 10
"""Earlier scans that are read, the latest ones."""

RELATED_ITEMS = 12
"""Other assets of a work, or other items of an asset, that are listed."""

_COLUMNS = ["asset_path", "asset_id", "band", "risk", "work_id", "index_version", "run_id"]


@dataclass(frozen=True, slots=True)
class Line:
    """One event in words.

    Attributes:
        event: the event.
        what: what was done, in a few words.
        choice: the decision, if it is one.
        words: reason, note or comment.
        undone: whether it is a decision that was taken back.
    """

    event: Event
    what: str
    choice: Choice | None
    words: tuple[str, ...]
    undone: bool


@dataclass(frozen=True, slots=True)
class Scanned:
    """The row of an earlier scan for the same path, or for the same bytes.

    Attributes:
        run_id, band, risk, work_id, index_version: as in its table.
        asset_path: of the file then.
        same_bytes: whether its bytes are those of the current row.
    """

    run_id: str
    asset_path: str
    band: str
    risk: float | None
    work_id: str | None
    index_version: int
    same_bytes: bool


@dataclass(frozen=True, slots=True)
class RelatedItem:
    """Another item and what a person may know of where it stands.

    Attributes:
        asset_path: of the asset.
        number: its row in this run; None if the run has none.
        work_id, title: of the work.
        risk: of the match; None if the run has none.
        state: its state.
        choices: what was decided, as far as the person may know.
        decided_by: who decided.
        reason: of the newest decision, as far as the person may know.
    """

    asset_path: str
    number: int | None
    work_id: str
    title: str
    risk: float | None
    state: State
    choices: tuple[Choice, ...] = ()
    decided_by: tuple[str, ...] = ()
    reason: str = ""


def history_lines(events: tuple[Event, ...], undone: frozenset[str]) -> tuple[Line, ...]:
    """Events in words, the newest first.

    Args:
        events: those that the person may see.
        undone: ids of decisions that were taken back.
    """
    return tuple(_line(event, event.event_id in undone) for event in reversed(events))


def _line(event: Event, undone: bool) -> Line:
    match event.payload:
        case Decision() as decision:
            words = tuple(text for text in (decision.reason, decision.note) if text)
            what = f"decided; assigned to {decision.assignee}" if decision.assignee else "decided"
            return Line(event, what, decision.choice, words, undone)
        case Undo() as undo:
            return Line(event, "took a decision back", None, (undo.reason,), False)
        case Assignment() as assignment:
            name = assignment.assignee or "nobody"
            words = (assignment.note,) if assignment.note else ()
            return Line(event, f"assigned it to {name}", None, words, False)
        case Comment() as comment:
            return Line(event, "commented", None, (comment.text,), False)
        case _:
            return Line(event, str(event.kind), None, (), False)


def earlier_scans(folder: Place, row: Mapping[str, Any], limit: int = SCANS) -> tuple[Scanned, ...]:
    """The rows of earlier scans for a row's path or bytes, the latest first.

    Args:
        folder: of the results. Only results in a scan's history have earlier scans.
        row: of the risk table.
        limit: scans that are read.
    """
    if not isinstance(folder, Path) or scan_directory_of(folder) is None:
        return ()
    folder = folder.resolve()
    tables = sorted(folder.parent.glob(f"*/{RISK_TABLE}"), reverse=True)
    earlier = [table for table in tables if table.parent.name < folder.name]
    return tuple(scanned for table in earlier[:limit] for scanned in _scanned(table, row))


def _scanned(file: Path, row: Mapping[str, Any]) -> Iterator[Scanned]:
    try:
        table = pq.read_table(file, columns=_COLUMNS, use_threads=False)
    except (pa.ArrowException, OSError):
        return  # the scan was deleted meanwhile, or can't be read
    selected = pc.equal(table.column("asset_path"), row["asset_path"])
    if row["asset_id"]:
        same = pc.fill_null(pc.equal(table.column("asset_id"), row["asset_id"]), False)
        selected = pc.or_(selected, same)
    for one in table.filter(selected).to_pylist():
        yield Scanned(
            run_id=one["run_id"],
            asset_path=one["asset_path"],
            band=one["band"],
            risk=one["risk"],
            work_id=one["work_id"],
            index_version=int(one["index_version"]),
            same_bytes=bool(row["asset_id"]) and one["asset_id"] == row["asset_id"],
        )


def known_to(item: Item, state: ItemState, name: str) -> RelatedItem | None:
    """What a person may know of an item that this run has no row for; None if nothing is decided.

    A first decision that the person may not see yet is told as such, and no more.
    """
    if state.state is State.OPEN or not state.decisions:
        return None
    givers = tuple(one.actor for one in state.decisions)
    sealed = is_sealed_for(state, name)
    newest = state.decisions[-1]
    return RelatedItem(
        asset_path=newest.decision.basis.asset_path,
        number=None,
        work_id=item.work_id or "",
        title="",
        risk=newest.decision.basis.risk,
        state=state.state,
        choices=() if sealed else state.choices,
        decided_by=givers,
        reason="" if sealed else newest.decision.reason,
    )


def decided_elsewhere(
    items: Items, item: Item, name: str, limit: int = RELATED_ITEMS
) -> tuple[tuple[RelatedItem, ...], tuple[RelatedItem, ...]]:
    """Decisions on the same asset with other works, and on the same work with other assets.

    Args:
        items: where every item stands.
        item: that which is looked at; it is in neither.
        name: the person who looks.
        limit: of each, those decided last.

    Returns:
        Of the asset and of the work, the newest first.
    """
    of_asset, of_work = [], []
    # A list at once, since the record may grow meanwhile.
    for other in list(items):
        if other == item:
            continue
        if other.asset == item.asset:
            of_asset.append(other)
        elif item.work_id is not None and other.work_id == item.work_id:
            of_work.append(other)
    return (_newest(items, of_asset, name, limit), _newest(items, of_work, name, limit))


def _newest(items: Items, chosen: list[Item], name: str, limit: int) -> tuple[RelatedItem, ...]:
    found = []
    # The items are in the order of their first events; enough of the latest ones are looked at.
    for item in reversed(chosen[-20 * limit :]):
        state = items.state(item)
        told_of = known_to(item, state, name)
        if told_of is not None:
            found.append((state.decisions[-1].event.seq, told_of))
    found.sort(key=lambda pair: -pair[0])
    return tuple(one for _, one in found[:limit])
