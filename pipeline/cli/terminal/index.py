"""The reference index shown in a terminal: its works, one work, its versions and fingerprints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.core.wording.visible import visible
from reference_index.interface import Work, WorkFile
from reference_index.store import ReferenceIndex


def _cell(value: object) -> Text:
    # Text, never markup: a title with brackets is shown as it is.
    return Text(visible(str(value)), overflow="fold")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        right = heading in ("Files", "Works", "Version", "Bytes")
        table.add_column(heading, justify="right" if right else "left")
    return table


def print_works(index: ReferenceIndex, console: Console) -> None:
    """Prints a line for each work."""
    files = Counter(file.work_id for file in index.files)
    table = _table("Work", "Title", "Rightsholder", "Rights", "Files")
    for work in index.works:
        table.add_row(
            _cell(work.work_id),
            _cell(work.title),
            _cell(work.rightsholder),
            _cell(work.rights),
            f"{files[work.work_id]:,}",
        )
    if index.works:
        console.print(table)
    console.print(
        f"{len(index.works):,} works, {len(index.files):,} files, version {index.version}",
        highlight=False,
    )


def print_work(work: Work, files: Sequence[WorkFile], console: Console) -> None:
    """Prints one work with its files."""
    facts = [
        ("Work", work.work_id),
        ("Title", work.title),
        ("Rightsholder", work.rightsholder),
        ("Rights", work.rights),
        *work.notes.items(),
    ]
    _print_facts(facts, console)
    table = _table("File", "Kind", "Format", "Bytes", "SHA-256", "Note")
    for file in files:
        table.add_row(
            _cell(file.path),
            file.kind,
            file.format,
            f"{file.size:,}",
            file.file_id[:16],
            _cell(file.note),
        )
    console.print(table)


def print_index(index: ReferenceIndex, console: Console) -> None:
    """Prints what an index is: its versions, and how its works were fingerprinted."""
    kept = (
        "thumbnails and texts are kept"
        if index.keep_content
        else "fingerprints alone, small grey pictures among them"
    )
    _print_facts(
        [
            ("Index", index.path),
            ("Version", index.version),
            ("Digest", index.digest),
            ("Works", f"{len(index.works):,} works, {len(index.files):,} files"),
            ("Content", kept),
        ],
        console,
    )
    stages = _table("Stage", "Algorithm", "Weights", "Parameters")
    for name, spec in index.specs.items():
        parameters = ", ".join(f"{key} {value}" for key, value in sorted(spec.parameters.items()))
        weights = (spec.weights_sha256 or "")[:16]
        stages.add_row(name, _cell(spec.algorithm), weights, _cell(parameters))
    console.print(stages)
    console.print()
    versions = _table("Version", "Made", "Works", "Files", "Change")
    for row in index.history():
        versions.add_row(
            str(row["version"]),
            row["made"],
            f"{row['works']:,}",
            f"{row['files']:,}",
            _cell(row["change"]),
        )
    console.print(versions)


def _print_facts(facts: Sequence[tuple[str, object]], console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    for name, value in facts:
        table.add_row(Text(visible(name), style="bold"), _cell(value))
    console.print(table)
    console.print()
