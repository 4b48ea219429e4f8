"""Results of two versions of Clearance, compared cell by cell.

A file's cells: of a table (Parquet, CSV) each row's columns, and the columns' types; of JSON each
value by where it stands; of a page or a text each line; of anything else its bytes' SHA-256.
What names a run, and nothing else, is set aside: `ASIDE` and `MASKS` are all of it.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

ASIDE = frozenset(
    {
        "run_id", "scan_id", "scan_id_before", "started", "finished", "code_digest",
        "clearance_version",
    }
)  # fmt: skip
"""Columns, and names in JSON, that are another in each run or of each version."""

DIGESTS = re.compile(r"outputs\.")
"""Of run.json: digests of files that are themselves compared; they cover `run_id`, so that they
differ in each run. That one is there for the same files is compared."""

MASKS = (
    (re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}"), "<run>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)"), "<time>"),
    (re.compile(r"(<dt>Clearance</dt><dd>)[^<]*"), r"\1<version>"),
    (re.compile(r"^The demo took \d+ seconds?\.$", re.MULTILINE), "The demo took <seconds>."),
)
"""What is replaced in every text, in this order, after the folder that all was made in: names of
runs, times, the version that a report names, the duration that the demo prints."""

PROGRESS = re.compile(r"[A-Z][A-Za-z ]+: [\d,]+(?: of [\d,]+)?(?: \([^)]*\))?\s*")
"""A line that says how far a command is, left out of what commands print: which are printed
depends on how long things take."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "risk_table": ("asset_path",),
    "matches": ("asset_path", "work_id"),
    "passages": (
        "asset_path", "work_id", "work_file", "asset_start", "asset_end", "work_start", "work_end",
    ),
    "delta": ("asset_path",),
    "works": ("path",),
}  # fmt: skip
"""By a table's name, the columns that tell which row is which; of others it is the number."""

HEADS = "(types)", "(header)"
"""Rows that tell of a table's columns."""

SHOWN = 5
WIDTH = 160
MISSING = "(missing)"


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell that is another one.

    Attributes:
        file: path below the folder of results.
        row: what it is found by.
        column: its name; `row`, `file` or `order` where that is what differs.
        before, after: what it holds.
    """

    file: str
    row: str
    column: str
    before: str
    after: str


@dataclass
class Compared:
    """What a comparison gave; `cells` is how many were compared."""

    cells: int
    files: int
    differences: list[Difference]


Rows = dict[str, dict[str, str]]
"""By row, in order, by column, what stands there."""


class Side:
    """One of two folders of results.

    Args:
        folder: of the results.
        made_in: the folder that they were made in, which texts may name.
    """

    def __init__(self, folder: Path, made_in: str) -> None:
        self.folder = folder
        self._made_in = made_in

    def files(self) -> set[str]:
        """Every file, by its path below the folder."""
        return {
            file.relative_to(self.folder).as_posix()
            for file in self.folder.rglob("*")
            if file.is_file()
        }

    def masked(self, text: str) -> str:
        """Without what is of this run alone."""
        text = text.replace(self._made_in, "<folder>")
        for pattern, instead in MASKS:
            text = pattern.sub(instead, text)
        return text

    def rows(self, name: str) -> Rows:
        """The cells of a table or of JSON."""
        file = self.folder / name
        keys = KEYS.get(file.stem.split(".")[0], ())
        if name.endswith(".parquet"):
            return self._parquet(file, keys)
        if name.endswith(".csv"):
            return self._csv(file, keys)
        return {
            where: {"value": self.masked(value)}
            for where, value in flat(json.loads(file.read_bytes()))
        }

    def lines(self, name: str) -> list[str]:
        """The lines of a page or a text."""
        text = (self.folder / name).read_bytes().decode("utf-8", "backslashreplace")
        lines = self.masked(text).split("\n")
        if name.endswith(".html"):
            return lines
        return [line.rstrip() for line in lines if not PROGRESS.fullmatch(line)]

    def digest(self, name: str) -> str:
        """SHA-256 of a file's bytes."""
        return hashlib.sha256((self.folder / name).read_bytes()).hexdigest()

    def _parquet(self, file: Path, keys: Sequence[str]) -> Rows:
        table = pq.ParquetFile(file).read(use_threads=False)
        said = {column.name: str(column.type) for column in table.schema}
        for name, value in (table.schema.metadata or {}).items():
            said[f"metadata {name.decode()}"] = self.masked(value.decode("utf-8", "replace"))
        return {HEADS[0]: said, **self._keyed(table.to_pylist(), keys)}

    def _csv(self, file: Path, keys: Sequence[str]) -> Rows:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            read = csv.DictReader(opened, restkey="(beyond the header)")
            rows = list(read)
        header = dict.fromkeys(read.fieldnames or (), "a column")
        return {HEADS[1]: header, **self._keyed(rows, keys)}

    def _keyed(self, rows: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> Rows:
        found: Rows = {}
        seen: Counter[str] = Counter()
        for number, row in enumerate(rows, 1):
            named = [self.masked(str(row[name])) for name in keys if name in row]
            key = " ".join(named) or f"row {number}"
            seen[key] += 1
            if seen[key] > 1:
                key += f" #{seen[key]}"
            found[key] = {
                name: self.masked(value if isinstance(value, str) else repr(value))
                for name, value in row.items()
            }
        return found


def flat(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Each value in a JSON value, and where it stands; of what is set aside, that it is there."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            place = f"{where}.{name}" if where else name
            yield from [(place, "set aside")] if name in ASIDE else flat(inner, place)
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from flat(inner, f"{where}[{place}]")
    elif DIGESTS.match(where):
        yield where, "a digest"
    else:
        yield where, value if isinstance(value, str) else repr(value)


def compare(before: Side, after: Side) -> Compared:
    """Every file of either side with the one of the other."""
    ours, theirs = before.files(), after.files()
    done = Compared(0, len(ours | theirs), [])
    for name in sorted(ours | theirs):
        if name not in ours or name not in theirs:
            there = [_there(name in ours), _there(name in theirs)]
            done.differences.append(Difference(name, "", "file", *there))
        elif name.endswith((".parquet", ".csv", ".json")):
            _rows(name, before.rows(name), after.rows(name), done)
        elif name.endswith((".html", ".txt")):
            _lines(name, before.lines(name), after.lines(name), done)
        else:
            done.cells += 1
            digests = before.digest(name), after.digest(name)
            if digests[0] != digests[1]:
                done.differences.append(Difference(name, "", "bytes", *digests))
    return done


def _there(is_there: bool) -> str:
    return "(there)" if is_there else MISSING


def _rows(name: str, before: Rows, after: Rows, done: Compared) -> None:
    for row in {**before, **after}:
        if row not in before or row not in after:
            there = [_there(row in before), _there(row in after)]
            done.differences.append(Difference(name, row, "row", *there))
            continue
        ours, theirs = before[row], after[row]
        for column in {**ours, **theirs}:
            if column in ASIDE and column in ours and column in theirs:
                continue
            done.cells += 1
            values = ours.get(column, MISSING), theirs.get(column, MISSING)
            if values[0] != values[1]:
                done.differences.append(Difference(name, row, column, *values))
        if row in HEADS:
            _order(name, f"{row} place", ours, theirs, done)
    _order(name, "place", before, after, done)


def _order(
    name: str, what: str, before: Iterable[str], after: Iterable[str], done: Compared
) -> None:
    """Whether what both have comes in the same order."""
    both = set(before) & set(after)
    orders = [[one for one in side if one in both] for side in (before, after)]
    for place, (ours, theirs) in enumerate(zip(*orders, strict=True)):
        if ours != theirs:
            done.differences.append(Difference(name, f"{what} {place}", "order", ours, theirs))


def _lines(name: str, before: Sequence[str], after: Sequence[str], done: Compared) -> None:
    done.cells += max(len(before), len(after))
    if before == after:
        return
    matched = difflib.SequenceMatcher(a=before, b=after, autojunk=len(before) > 5_000)
    for what, start, end, other_start, other_end in matched.get_opcodes():
        if what == "equal":
            continue
        for place in range(max(end - start, other_end - other_start)):
            ours = before[start + place] if start + place < end else MISSING
            theirs = after[other_start + place] if other_start + place < other_end else MISSING
            row = f"line {(start if start < end else other_start) + place + 1}"
            done.differences.append(Difference(name, row, "line", ours, theirs))


def told(differences: Sequence[Difference], shown: int = SHOWN) -> str:
    """The differences by file and column: the first few of each, and how many there are."""
    groups: dict[tuple[str, str], list[Difference]] = defaultdict(list)
    for one in differences:
        groups[one.file, one.column].append(one)
    lines = []
    for (file, column), found in groups.items():
        lines.append(f"{file}, {column}: {len(found):,}")
        for one in found[:shown]:
            before, after = _around(one.before, one.after)
            lines += [f"  {one.row}", f"    before: {before}", f"    after:  {after}"]
        if len(found) > shown:
            lines.append(f"  and {len(found) - shown:,} more")
    return "\n".join(lines)


def _around(before: str, after: str) -> tuple[str, str]:
    """Both, or of long ones the part from shortly before where they first differ."""
    if max(len(before), len(after)) <= WIDTH:
        return before, after
    same = next(
        (n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
        min(len(before), len(after)),
    )
    start = max(0, same - WIDTH // 4)
    cut = [f"{'…' if start else ''}{one[start : start + WIDTH]}" for one in (before, after)]
    return cut[0], cut[1]


csv.field_size_limit(sys.maxsize)
