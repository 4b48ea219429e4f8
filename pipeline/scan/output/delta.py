"""The morning's answer: what is other in a scan's table than in that of the scan before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pyarrow as pa

from pipeline.core.records import Band
from pipeline.results.table import CHUNK_ROWS
from pipeline.results.table_checks import FLAGGED

_FLAGGED = frozenset(band.value for band in FLAGGED)
_OPEN = frozenset({Band.NOT_SCREENED.value, Band.PARTLY_SCREENED.value})
_URGENCY = {band.value: place for place, band in enumerate(Band)}


class Change(StrEnum):
    """What became of a row, in the order of the summary."""

    NEW = "new"
    NEWLY_FLAGGED = "newly_flagged"
    RISEN = "risen"
    ANOTHER_WORK = "another_work"
    NEWLY_NOT_SCREENED = "newly_not_screened"
    FALLEN = "fallen"
    NEWLY_SCREENED = "newly_screened"
    OTHER_BYTES = "other_bytes"
    GONE = "gone"


class Why(StrEnum):
    """What a change came of."""

    NEW_FILE = "new file"
    OTHER_BYTES = "the file has other bytes"
    GONE = "the file is no longer in its drop"
    WORK_ADDED = "work added"
    WORK_REMOVED = "work removed"
    CONFIGURATION = "configuration changed"
    INDEX = "index changed"
    SUPPRESSED = "false match suppressed"
    TAKEN_BACK = "false match taken back"
    LAPSED = "false match no longer covers it"
    RECORD = "the record of decisions could not be used"
    ARRIVED = "the file has arrived"
    ARRIVING = "the file is still arriving"
    UNREAD = "the file could be read in one of the two scans only"
    AGAIN = "judged again"


Works = Mapping[str, frozenset[str]]
"""Works of rows, by asset path; a row without any is not there."""


@dataclass(frozen=True)
class Suppressed:
    """Works whose match with an asset is suppressed, and what may have ended that.

    Attributes:
        now, before: those of the two scans.
        lapsed: works that people spoke of, whose band is another one now.
        unusable: whether the record of decisions could not be used this time.
    """

    now: Works = field(default_factory=dict)
    before: Works = field(default_factory=dict)
    lapsed: Works = field(default_factory=dict)
    unusable: bool = False

    def of(self, path: str) -> tuple[frozenset[str], frozenset[str]]:
        """The works of one row: now, and before."""
        return self.now.get(path, _NONE), self.before.get(path, _NONE)


_NONE: frozenset[str] = frozenset()


def suppressed_works(matches: pa.Table) -> Works:
    """The suppressed works of matches.parquet; none in that of an earlier release."""
    if "suppressed" not in matches.column_names:
        return {}
    columns = matches.filter(matches.column("suppressed")).select(["asset_path", "work_id"])
    found: dict[str, set[str]] = {}
    for row in columns.to_pylist():
        found.setdefault(row["asset_path"], set()).add(row["work_id"])
    return {path: frozenset(works) for path, works in found.items()}


def delta_schema() -> pa.Schema:
    """Columns of delta.parquet and delta.csv, in order (docs/nightly.md)."""
    text, whole, number = pa.string(), pa.int64(), pa.float64()
    return pa.schema(
        [
            pa.field("change", text, nullable=False),
            pa.field("why", text, nullable=False),
            pa.field("asset_path", text, nullable=False),
            pa.field("asset_id", text),
            pa.field("band", text),
            pa.field("band_before", text),
            pa.field("risk", number),
            pa.field("risk_before", number),
            pa.field("work_id", text),
            pa.field("title", text),
            pa.field("work_id_before", text),
            pa.field("reasons", text),
            pa.field("index_version", whole),
            pa.field("index_version_before", whole),
            pa.field("scan_id", text, nullable=False),
            pa.field("scan_id_before", text),
        ]
    )


COMPARED = (
    "asset_path", "asset_id", "band", "risk", "work_id", "title", "reasons", "index_version",
    "index_digest", "config_fingerprint",
)  # fmt: skip
"""Columns of the risk table that the answer is made from."""


def delta_of(
    risk: pa.Table,
    before: pa.Table | None,
    scan_id: str,
    scan_before: str | None,
    *,
    added: Callable[[str], bool],
    removed: Callable[[str], bool],
    suppressed: Suppressed | None = None,
    arrived: Set[str] = _NONE,
    arriving: Set[str] = _NONE,
) -> pa.Table:
    """Rows of the table that are other than before, the most urgent changes first.

    Args:
        risk: the scan's risk table.
        before: that of the scan before; None if there was none.
        scan_id, scan_before: names of the two scans.
        added, removed: whether a work, by id, came to the index since, or lost a file or went.
        suppressed: the matches that were suppressed in either scan.
        arrived: paths of files that were still arriving in the scan before, and are not now.
        arriving: paths of files that are.

    Returns:
        In `delta_schema()`, sorted by change, then band, risk and path.
    """
    columns, suppressed = list(COMPARED), suppressed or Suppressed()
    rows = _by_path(risk.select(columns))
    old = _by_path(before.select(columns)) if before is not None else {}
    found: list[_Changed] = []
    for path, row in rows.items():
        was = old.get(path)
        change = Change.NEW if was is None else _change(row, was)
        if change is not None:
            why = (
                Why.NEW_FILE
                if was is None
                else _why_in_file(row, was, arrived, arriving)
                or _why_suppressed(change, row, was, added, suppressed)
                or _why_in_index(row, was, added, removed, suppressed)
            )
            found.append((change, why, row, was))
    for path, was in old.items():
        if path not in rows:
            found.append((Change.GONE, Why.GONE, None, was))
    order = {change: place for place, change in enumerate(Change)}

    def urgency(changed: _Changed) -> tuple[int, int, float, str]:
        change, _, row, was = changed
        now = row or {}
        path = (row or was or {})["asset_path"]
        return order[change], _URGENCY.get(now.get("band") or "", 0), -(now.get("risk") or 0), path

    found.sort(key=urgency)
    schema = delta_schema()
    parts = [schema.empty_table()]
    for start in range(0, len(found), CHUNK_ROWS):
        records = [_record(*one, scan_id, scan_before) for one in found[start : start + CHUNK_ROWS]]
        parts.append(pa.Table.from_pylist(records, schema=schema))
    return pa.concat_tables(parts).combine_chunks()


_Row = Mapping[str, Any]
_Changed = tuple[Change, Why, _Row | None, _Row | None]
"""A change, what it came of, the row and the one before."""


def _by_path(table: pa.Table) -> dict[str, dict[str, Any]]:
    """Rows by path; a value that stands in many of them is kept once."""
    columns = []
    for column in table.columns:
        cells: list[Any] = []
        for chunk in column.dictionary_encode().chunks:
            values = chunk.dictionary.to_pylist()
            places = chunk.indices.to_pylist()
            cells += [None if place is None else values[place] for place in places]
        columns.append(cells)
    names = table.column_names
    rows = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return {row["asset_path"]: row for row in rows}


def _change(row: Mapping[str, Any], was: Mapping[str, Any]) -> Change | None:
    """What became of a row that was there before; None if nothing a reader would call news."""
    band, before = row["band"], was["band"]
    if band in _FLAGGED and before not in _FLAGGED:
        return Change.NEWLY_FLAGGED
    if band in _OPEN and before not in _OPEN:
        return Change.NEWLY_NOT_SCREENED
    if band in _FLAGGED and _weight(row) < _weight(was):
        return Change.RISEN
    if before in _FLAGGED and _weight(row) > _weight(was):
        return Change.FALLEN
    if before in _OPEN and band not in _OPEN:
        return Change.NEWLY_SCREENED
    if band in _FLAGGED and row["work_id"] != was["work_id"]:
        return Change.ANOTHER_WORK
    return Change.OTHER_BYTES if _other_bytes(row, was) else None


def _weight(row: Mapping[str, Any]) -> tuple[int, bool]:
    """The less, the more urgent. A flagged row without a work has suppressed matches alone."""
    return _URGENCY[row["band"]], row["work_id"] is None


def _other_bytes(row: Mapping[str, Any], was: Mapping[str, Any]) -> bool:
    return (
        row["asset_id"] is not None
        and was["asset_id"] is not None
        and row["asset_id"] != was["asset_id"]
    )


def _why_in_file(
    row: Mapping[str, Any], was: Mapping[str, Any], arrived: Set[str], arriving: Set[str]
) -> Why | None:
    if row["asset_path"] in arriving:
        return Why.ARRIVING
    if row["asset_path"] in arrived and was["asset_id"] is None:
        return Why.ARRIVED
    if _other_bytes(row, was):
        return Why.OTHER_BYTES
    if (row["asset_id"] is None) is not (was["asset_id"] is None):
        return Why.UNREAD
    return None


def _why_suppressed(
    change: Change,
    row: Mapping[str, Any],
    was: Mapping[str, Any],
    added: Callable[[str], bool],
    suppressed: Suppressed,
) -> Why | None:
    """What came of people's word; None if the change came of something else."""
    now, before = suppressed.of(row["asset_path"])
    work, work_before = row["work_id"], was["work_id"]
    if work_before in now - before and (change is Change.FALLEN or not (work and added(work))):
        return Why.SUPPRESSED
    if change is Change.FALLEN or work not in before - now:
        return None
    if suppressed.unusable:
        return Why.RECORD
    lapsed = work in suppressed.lapsed.get(row["asset_path"], _NONE)
    return Why.LAPSED if lapsed else Why.TAKEN_BACK


def _why_in_index(
    row: Mapping[str, Any],
    was: Mapping[str, Any],
    added: Callable[[str], bool],
    removed: Callable[[str], bool],
    suppressed: Suppressed,
) -> Why:
    now, before = suppressed.of(row["asset_path"])
    # A row whose every match is suppressed names no work, and rests on all of them.
    works = {row["work_id"]} if row["work_id"] is not None else now
    works_before = {was["work_id"]} if was["work_id"] is not None else before
    if any(added(work) for work in works):
        return Why.WORK_ADDED
    if any(removed(work) for work in works_before):
        return Why.WORK_REMOVED
    if row["config_fingerprint"] != was["config_fingerprint"]:
        return Why.CONFIGURATION
    # Another index may have the same number of versions.
    return Why.INDEX if row["index_digest"] != was["index_digest"] else Why.AGAIN


def _record(
    change: Change,
    why: Why,
    row: Mapping[str, Any] | None,
    was: Mapping[str, Any] | None,
    scan_id: str,
    scan_before: str | None,
) -> dict[str, Any]:
    now, then = row or {}, was or {}
    return {
        "change": change.value,
        "why": why.value,
        "asset_path": now.get("asset_path") or then.get("asset_path"),
        "asset_id": now.get("asset_id") if row else then.get("asset_id"),
        "band": now.get("band"),
        "band_before": then.get("band"),
        "risk": now.get("risk"),
        "risk_before": then.get("risk"),
        "work_id": now.get("work_id"),
        "title": now.get("title"),
        "work_id_before": then.get("work_id"),
        "reasons": now.get("reasons"),
        "index_version": now.get("index_version"),
        "index_version_before": then.get("index_version"),
        "scan_id": scan_id,
        "scan_id_before": scan_before,
    }


def change_counts(delta: pa.Table) -> dict[str, int]:
    """How many rows there are of each change; every change is there."""
    found = Counter(delta.column("change").to_pylist())
    return {change.value: found[change.value] for change in Change}
