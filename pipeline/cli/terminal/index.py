"""The reference index in a terminal: its works, one work, its versions and fingerprints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from pipeline.cli.terminal.tables import Column, pairs, safe_text, table
from pipeline.core.wording.text import count
from reference_index.interface import Work, WorkFile
from reference_index.store import ReferenceIndex


def print_works(index: ReferenceIndex, console: Console) -> None:
    """Prints a line for each work."""
    files = Counter(file.work_id for file in index.files)
    columns = ("Work", "Title", "Rightsholder", "Rights", Column("Files", number=True))
    rows = (
        (work.work_id, work.title, work.rightsholder, work.rights, f"{files[work.work_id]:,}")
        for work in index.works
    )
    if index.works:
        console.print(table(columns, rows))
    console.print(
        f"{_size(index)}, version {index.version}",
        highlight=False,
    )


def print_work(work: Work, files: Sequence[WorkFile], console: Console) -> None:
    """Prints one work with its files."""
    _print_facts(
        [
            ("Work", work.work_id),
            ("Title", work.title),
            ("Rightsholder", work.rightsholder),
            ("Rights", work.rights),
            *work.notes.items(),
        ],
        console,
    )
    columns = ("File", "Kind", "Format", Column("Bytes", number=True), "SHA-256", "Note")
    rows = (
        (file.path, file.kind, file.format, f"{file.size:,}", file.file_id[:16], file.note)
        for file in files
    )
    console.print(table(columns, rows))


def print_index(index: ReferenceIndex, console: Console) -> None:
    """Prints what an index is: its versions, and how its works were fingerprinted."""
    content = (
        "thumbnails and texts are kept"
        if index.keep_content
        else "only fingerprints, which include small grey pictures"
    )
    _print_facts(
        [
            ("Index", index.path),
            ("Version", index.version),
            ("Digest", index.digest),
            ("Works", _size(index)),
            ("Content", content),
        ],
        console,
    )
    stages = (
        (
            name,
            spec.algorithm,
            (spec.weights_sha256 or "")[:16],
            ", ".join(f"{key} {value}" for key, value in sorted(spec.parameters.items())),
        )
        for name, spec in index.specs.items()
    )
    console.print(table(("Stage", "Algorithm", "Weights", "Parameters"), stages))
    console.print()
    columns = (
        Column("Version", number=True),
        "Made",
        Column("Works", number=True),
        Column("Files", number=True),
        "Change",
    )
    versions = (
        (
            str(row["version"]),
            row["made"],
            f"{row['works']:,}",
            f"{row['files']:,}",
            row["change"],
        )
        for row in index.history()
    )
    console.print(table(columns, versions))


def _size(index: ReferenceIndex) -> str:
    return f"{count(len(index.works), 'work')}, {count(len(index.files), 'file')}"


def _print_facts(facts: Sequence[tuple[str, object]], console: Console) -> None:
    console.print(pairs((safe_text(name, "bold"), str(value)) for name, value in facts))
    console.print()
