"""The reference index in a terminal: its works, one work, its versions and fingerprints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console

from pipeline.cli.terminal.tables import Column, pairs, print_line, safe_text, table
from pipeline.core.wording.text import count, visible
from reference_index.finding import FoundWork
from reference_index.interface import Work, WorkFile
from reference_index.store import ReferenceIndex

VERSIONS = 10
"""Versions that `print_index` lists; `--json` gives all."""

_FIELDS = {"work_id": "id", "former_id": "former id"}
"""Names of fields of a found work that differ from the words for them."""


def print_works(index: ReferenceIndex, console: Console) -> None:
    """Prints a line for each work."""
    files = Counter(file.work_id for file in index.files)
    columns = ("Title", "Rightsholder", Column("Rights", wrap=False), Column("Files", number=True))
    if index.works:
        rows = [
            (work.work_id, work.title, work.rightsholder, work.rights, f"{files[work.work_id]:,}")
            for work in index.works
        ]
        lines = [(*row[1:-1], count(files[row[0]], "file")) for row in rows]
        _print_by_id(columns, rows, lines, console)
    console.print(
        f"{count(len(index.works), 'work')}, {count(len(index.files), 'file')}, "
        f"version {index.version}",
        highlight=False,
    )


def print_found(found: Sequence[FoundWork], index: ReferenceIndex, console: Console) -> None:
    """Prints a line for each work that was found."""
    if found:
        columns = ("Title", "Rightsholder", "Found in")
        rows = [
            (one.work.work_id, one.work.title, one.work.rightsholder, _where(one)) for one in found
        ]
        _print_by_id(columns, rows, [row[1:] for row in rows], console)
    works = f"{len(found):,} of {count(len(index.works), 'work')}"
    console.print(f"{works} found, version {index.version}", highlight=False)


def _where(found: FoundWork) -> str:
    if found.paths:
        more = f" and {len(found.paths) - 1:,} more" if len(found.paths) > 1 else ""
        return found.paths[0] + more
    return ", ".join(_FIELDS.get(name, name) for name in found.fields)


def _print_by_id(
    columns: Sequence[Column | str],
    rows: Sequence[Sequence[str]],
    lines: Sequence[Sequence[str]],
    console: Console,
) -> None:
    """Prints rows whose first cell is an id, which is never broken: where ids leave the other
    columns too little room, each stands on a line of its own, above one of `lines`."""
    if not console.is_terminal:
        _print_lines(columns, rows, console)
        return
    widest = max(cell_len(str(safe_text(row[0]))) for row in rows)
    if widest <= console.width // 2:
        console.print(table((Column("Work", wrap=False), *columns), rows))
        return
    for row, line in zip(rows, lines, strict=True):
        console.print(safe_text(row[0], "bold"), soft_wrap=True)
        print_line(console, " · ".join(cell for cell in line if cell), indent=2)


def _print_lines(
    columns: Sequence[Column | str], rows: Sequence[Sequence[str]], console: Console
) -> None:
    """Prints each row on one line, however long, much faster than a table of rich for many rows."""
    headings = ["Work", *(one.heading if isinstance(one, Column) else one for one in columns)]
    cells = [headings, *([visible(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True))
        console.file.write("  ".join(padded).rstrip() + "\n")


def print_work(
    work: Work, former_ids: Sequence[str], files: Sequence[WorkFile], console: Console
) -> None:
    """Prints one work with its files."""
    kinds = Counter(file.kind for file in files)
    _print_facts(
        [
            ("Work", work.work_id),
            ("Title", work.title),
            ("Rightsholder", work.rightsholder or "–"),
            ("Rights", work.rights),
            ("Files", _kinds(kinds)),
            *((("Former ids", ", ".join(former_ids)),) if former_ids else ()),
            *work.notes.items(),
        ],
        console,
    )
    noted = any(file.note for file in files)
    for file in files:
        console.print(safe_text(file.path), soft_wrap=True)
        facts = f"{file.kind}, {file.format}, {file.size:,} bytes, SHA-256 {file.file_id[:16]}"
        print_line(console, facts, "dim", indent=2)
        if noted and file.note:
            print_line(console, file.note, indent=2)


def print_index(index: ReferenceIndex, console: Console) -> None:
    """Prints what an index is: what it holds, its latest versions, how works were fingerprinted."""
    content = (
        "thumbnails and texts are kept"
        if index.keep_content
        else "only fingerprints, which include small grey pictures"
    )
    history = index.history()
    rights = Counter(work.rights for work in index.works)
    former = f", {count(len(index.aliases), 'former id')}" if index.aliases else ""
    _print_facts(
        [
            ("Index", index.path),
            ("Works", f"{len(index.works):,}{former}"),
            ("Files", _kinds(Counter(file.kind for file in index.files))),
            ("Rights", ", ".join(f"{name} {n:,}" for name, n in rights.most_common()) or "–"),
            ("Version", f"{index.version}, {_day(history[-1])} UTC: {history[-1]['change']}"),
            *(
                ("Model", spec.parameters["model"])
                for spec in index.specs.values()
                if "model" in spec.parameters
            ),
            ("Content", content),
            ("Digest", index.digest),
        ],
        console,
    )
    columns = (
        Column("Version", number=True),
        Column("Made (UTC)", wrap=False),
        Column("Works", number=True),
        Column("Files", number=True),
        "Change",
    )
    versions = (
        (
            str(row["version"]),
            _day(row),
            f"{row['works']:,}",
            f"{row['files']:,}",
            row["change"],
        )
        for row in history[: -VERSIONS - 1 : -1]
    )
    console.print(table(columns, versions))
    if len(history) > VERSIONS:
        print_line(console, f"and {len(history) - VERSIONS:,} earlier; --json gives all", "dim")
    console.print()
    for name, spec in index.specs.items():
        weights = f", weights {spec.weights_sha256[:16]}" if spec.weights_sha256 else ""
        print_line(console, f"{name}: {spec.algorithm}{weights}", "bold")
        parameters = (f"{key} {value}" for key, value in sorted(spec.parameters.items()))
        print_line(console, ", ".join(parameters), indent=2)


def _day(version: Mapping[str, Any]) -> str:
    """When a version was made, as `2026-01-31 09:05`."""
    return str(version["made"])[:16].replace("T", " ")


def _kinds(kinds: Counter[str]) -> str:
    names = {"image": "picture", "script": "script"}
    parts = (count(number, names.get(kind, kind)) for kind, number in sorted(kinds.items()))
    return ", ".join(parts) or "0"


def _print_facts(facts: Iterable[tuple[str, object]], console: Console) -> None:
    console.print(pairs((safe_text(name, "bold"), str(value)) for name, value in facts))
    console.print()
