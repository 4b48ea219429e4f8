"""Changes of the risk table between the previous scan and this one (docs/nightly.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from pipeline.core.records import Band
from pipeline.decisions.form_2 import SuppressionRule
from pipeline.decisions.standing import Standing, Status
from pipeline.results.table import CHUNK_ROWS
from pipeline.results.table_checks import FLAGGED

_FLAGGED = frozenset(band.value for band in FLAGGED)
_OPEN = frozenset({Band.NOT_SCREENED.value, Band.PARTLY_SCREENED.value})
_URGENCY = {band.value: place for place, band in enumerate(Band)}


class Change(StrEnum):
    """How a row changed, in the order of the summary."""

    NEW = "new"
    NEWLY_FLAGGED = "newly_flagged"
    RISEN = "risen"
    ANOTHER_WORK = "another_work"
    NEWLY_NOT_SCREENED = "newly_not_screened"
    FALLEN = "fallen"
    NEWLY_SCREENED = "newly_screened"
    OTHER_BYTES = "other_bytes"
    MOVED = "moved"
    GONE = "gone"


class Cause(StrEnum):
    """Why a row changed."""

    NEW_FILE = "new file"
    OTHER_BYTES = "the file has other bytes"
    MOVED = "the file was moved or renamed"
    GONE = "the file is no longer in its drop"
    WORK_ADDED = "work added"
    WORK_REMOVED = "work removed"
    CONFIGURATION = "configuration changed"
    INDEX = "index changed"
    SUPPRESSED = "false match suppressed"
    TAKEN_BACK = "false match taken back"
    LAPSED = "false match no longer covers it"
    RULED = "suppressed by a rule"
    RULE_REVOKED = "rule revoked"
    RULE_EXPIRED = "rule expired"
    RULE_LAPSED = "rule no longer covers it"
    RECORD = "the record of decisions could not be used"
    ARRIVED = "the file has arrived"
    ARRIVING = "the file is still arriving"
    UNREAD = "the file could be read in one of the two scans only"
    AGAIN = "judged again"


Works = Mapping[str, frozenset[str]]
"""Work ids by asset path; rows without any work have no key."""


@dataclass(frozen=True)
class Suppressed:
    """Suppressed matches of two scans.

    Attributes:
        now, before: works of suppressed matches in this scan and in the previous one.
        lapsed: works of matches that are not suppressed any more because their band changed.
        by_rule: of `now`, those that a rule suppresses and no false match.
        rule_ended: works of `before` that a rule suppressed, with why it does so no more.
        unusable: whether the record of decisions could not be used this time.
    """

    now: Works = field(default_factory=dict)
    before: Works = field(default_factory=dict)
    lapsed: Works = field(default_factory=dict)
    by_rule: Works = field(default_factory=dict)
    rule_ended: Mapping[str, Mapping[str, Cause]] = field(default_factory=dict)
    unusable: bool = False

    def of(self, row: _Row, old: _Row) -> tuple[frozenset[str], frozenset[str]]:
        """Suppressed works of one row: now, and before."""
        path, path_before = row["asset_path"], old["asset_path"]
        return self.now.get(path, _NONE), self.before.get(path_before, _NONE)


_NONE: frozenset[str] = frozenset()
_NO_ALIASES: Mapping[str, str] = MappingProxyType({})


def suppressed_works(matches: pa.Table, aliases: Mapping[str, str] = _NO_ALIASES) -> Works:
    """Suppressed works in matches.parquet, with their present ids; none in a table of an earlier
    release."""
    if "suppressed" not in matches.column_names:
        return {}
    columns = matches.filter(matches.column("suppressed")).select(["asset_path", "work_id"])
    works_by_path: dict[str, set[str]] = {}
    for row in columns.to_pylist():
        work_id = row["work_id"]
        works_by_path.setdefault(row["asset_path"], set()).add(aliases.get(work_id, work_id))
    return {path: frozenset(works) for path, works in works_by_path.items()}


def why_ended(rule: Standing[SuppressionRule], day: str) -> Cause:
    """Why a rule that suppressed a match does so no more on a day."""
    status = rule.status(day)
    ended = {Status.REVOKED: Cause.RULE_REVOKED, Status.EXPIRED: Cause.RULE_EXPIRED}
    return ended.get(status, Cause.RULE_LAPSED)


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
            pa.field("asset_path_before", text),
        ]
    )


COMPARED = (
    "asset_path", "asset_id", "band", "risk", "work_id", "title", "reasons", "index_version",
    "index_digest", "config_fingerprint",
)  # fmt: skip
"""Columns of the risk table that the comparison needs."""


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
    aliases: Mapping[str, str] = _NO_ALIASES,
) -> pa.Table:
    """The rows that changed since the previous scan, the most urgent changes first.

    A file that is gone from one path and new at another with the same bytes was moved: one row,
    compared with that of its path before.

    Args:
        risk: the scan's risk table.
        before: that of the previous scan; None if there was none.
        scan_id, scan_before: names of the two scans.
        added, removed: whether a work, by id, was added to the index since then; whether it was
            removed or lost a file.
        suppressed: the suppressed matches of both scans.
        arrived: paths of files that were still arriving in the previous scan, and are not now.
        arriving: paths of files that are still arriving.
        aliases: by former id of a work, its present id; a rename is no change.

    Returns:
        In `delta_schema()`, sorted by change, then band, risk and path.
    """
    columns, suppressed = list(COMPARED), suppressed or Suppressed()
    rows = _by_path(risk.select(columns))
    old_rows = _by_path(before.select(columns)) if before is not None else {}
    for was in old_rows.values():
        was["work_id"] = aliases.get(was["work_id"], was["work_id"])
    changed: list[_Changed] = []
    moved = moved_paths(rows, old_rows)
    for path, row in rows.items():
        old = old_rows.get(moved.get(path, path))
        if old is None:
            changed.append((Change.NEW, Cause.NEW_FILE, row, None))
        elif (change := _change(row, old)) is not None:
            cause = (
                _cause_in_file(row, old, arrived, arriving)
                or _cause_in_decisions(change, row, old, added, suppressed)
                or _cause_in_index(row, old, added, removed, suppressed)
            )
            changed.append((change, cause, row, old))
        elif path in moved:
            changed.append((Change.MOVED, Cause.MOVED, row, old))
    left = set(moved.values())
    for path, old in old_rows.items():
        if path not in rows and path not in left:
            changed.append((Change.GONE, Cause.GONE, None, old))
    order = {change: place for place, change in enumerate(Change)}

    def urgency(one: _Changed) -> tuple[int, int, float, str]:
        change, _, row, old = one
        now = row or {}
        path = (row or old or {})["asset_path"]
        return order[change], _URGENCY.get(now.get("band") or "", 0), -(now.get("risk") or 0), path

    changed.sort(key=urgency)
    schema = delta_schema()
    parts = [schema.empty_table()]
    for start in range(0, len(changed), CHUNK_ROWS):
        records = [
            _record(*one, scan_id, scan_before) for one in changed[start : start + CHUNK_ROWS]
        ]
        parts.append(pa.Table.from_pylist(records, schema=schema))
    return pa.concat_tables(parts).combine_chunks()


_Row = Mapping[str, Any]
_Changed = tuple[Change, Cause, _Row | None, _Row | None]
"""A change, its cause, the row and the row before."""


def moved_paths(rows: Mapping[str, _Row], old_rows: Mapping[str, _Row]) -> dict[str, str]:
    """The path before of each file that was moved: gone from there, new here, the same bytes.

    Where several files of the same bytes were moved at once, those that kept their name are paired
    first, and the others in the order of their paths. A copy, whose first file is still there, is
    new.

    Args:
        rows, old_rows: rows of the two scans by path, with `asset_id`.
    """
    gone: dict[str, list[str]] = {}
    for path in sorted(old_rows.keys() - rows.keys()):
        if (asset_id := old_rows[path]["asset_id"]) is not None:
            gone.setdefault(asset_id, []).append(path)
    moved: dict[str, str] = {}
    new = [path for path in sorted(rows.keys() - old_rows.keys()) if rows[path]["asset_id"] in gone]
    for same_name in (True, False):
        for path in new:
            places = gone[rows[path]["asset_id"]]
            fit = (one for one in places if not same_name or _name(one) == _name(path))
            before = next(fit, None) if path not in moved else None
            if before is not None:
                moved[path] = before
                places.remove(before)
    return moved


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _by_path(table: pa.Table) -> dict[str, dict[str, Any]]:
    """Rows by path; values that many rows have are stored once."""
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


def _change(row: Mapping[str, Any], old: Mapping[str, Any]) -> Change | None:
    """How a row of both tables changed; None if nothing changed that a reader must know."""
    band, before = row["band"], old["band"]
    if band in _FLAGGED and before not in _FLAGGED:
        return Change.NEWLY_FLAGGED
    if band in _OPEN and before not in _OPEN:
        return Change.NEWLY_NOT_SCREENED
    if band in _FLAGGED and _weight(row) < _weight(old):
        return Change.RISEN
    if before in _FLAGGED and _weight(row) > _weight(old):
        return Change.FALLEN
    if before in _OPEN and band not in _OPEN:
        return Change.NEWLY_SCREENED
    if band in _FLAGGED and row["work_id"] != old["work_id"]:
        return Change.ANOTHER_WORK
    return Change.OTHER_BYTES if _other_bytes(row, old) else None


def _weight(row: Mapping[str, Any]) -> tuple[int, bool]:
    """Smaller is more urgent. A flagged row without a work has only suppressed matches."""
    return _URGENCY[row["band"]], row["work_id"] is None


def _other_bytes(row: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    return (
        row["asset_id"] is not None
        and old["asset_id"] is not None
        and row["asset_id"] != old["asset_id"]
    )


def _cause_in_file(
    row: Mapping[str, Any], old: Mapping[str, Any], arrived: Set[str], arriving: Set[str]
) -> Cause | None:
    if row["asset_path"] in arriving:
        return Cause.ARRIVING
    if row["asset_path"] in arrived and old["asset_id"] is None:
        return Cause.ARRIVED
    if _other_bytes(row, old):
        return Cause.OTHER_BYTES
    if (row["asset_id"] is None) is not (old["asset_id"] is None):
        return Cause.UNREAD
    return None


def _cause_in_decisions(
    change: Change,
    row: Mapping[str, Any],
    old: Mapping[str, Any],
    added: Callable[[str], bool],
    suppressed: Suppressed,
) -> Cause | None:
    """A change caused by a decision; None if it has another cause."""
    now, before = suppressed.of(row, old)
    work, work_before = row["work_id"], old["work_id"]
    if work_before in now - before and (change is Change.FALLEN or not (work and added(work))):
        by_rule = work_before in suppressed.by_rule.get(row["asset_path"], _NONE)
        return Cause.RULED if by_rule else Cause.SUPPRESSED
    if change is Change.FALLEN or work not in before - now:
        return None
    if suppressed.unusable:
        return Cause.RECORD
    rule_ended = suppressed.rule_ended.get(row["asset_path"], {}).get(work)
    if rule_ended is not None:
        return rule_ended
    lapsed = work in suppressed.lapsed.get(row["asset_path"], _NONE)
    return Cause.LAPSED if lapsed else Cause.TAKEN_BACK


def _cause_in_index(
    row: Mapping[str, Any],
    old: Mapping[str, Any],
    added: Callable[[str], bool],
    removed: Callable[[str], bool],
    suppressed: Suppressed,
) -> Cause:
    now, before = suppressed.of(row, old)
    # A row with only suppressed matches names no work; then all of them count.
    works = {row["work_id"]} if row["work_id"] is not None else now
    works_before = {old["work_id"]} if old["work_id"] is not None else before
    if any(added(work) for work in works):
        return Cause.WORK_ADDED
    if any(removed(work) for work in works_before):
        return Cause.WORK_REMOVED
    if row["config_fingerprint"] != old["config_fingerprint"]:
        return Cause.CONFIGURATION
    # Another index may have the same number of versions.
    return Cause.INDEX if row["index_digest"] != old["index_digest"] else Cause.AGAIN


def _record(
    change: Change,
    cause: Cause,
    row: Mapping[str, Any] | None,
    old: Mapping[str, Any] | None,
    scan_id: str,
    scan_before: str | None,
) -> dict[str, Any]:
    now, then = row or {}, old or {}
    return {
        "change": change.value,
        "why": cause.value,
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
        "asset_path_before": then.get("asset_path"),
    }


def change_counts(delta: pa.Table) -> dict[str, int]:
    """How many rows changed in each way; every kind of change is a key."""
    counts = Counter(delta.column("change").to_pylist())
    return {change.value: counts[change.value] for change in Change}
