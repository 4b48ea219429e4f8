"""The argument and the options of commands that read a manifest of works."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reference_index.manifest_file import ManifestReading

Works = Annotated[
    Path,
    typer.Argument(
        metavar="WORKS", help="A manifest (CSV, JSONL or .xlsx), or a folder: each file a work."
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="The encoding of a CSV that is not UTF-8, such as cp1252.",
    ),
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="NAME=HEADING",
        help="The heading of a column, such as title=Titel; repeat it for others.",
    ),
]
SheetOption = Annotated[
    str | None,
    typer.Option("--sheet", metavar="NAME", help="The sheet of a workbook, if not its first."),
]
PrefixOption = Annotated[
    list[str] | None,
    typer.Option(
        "--path-prefix",
        metavar="THERE=HERE",
        help="Where paths of the manifest are on this machine, such as "
        "'C:\\Katalog=/mnt/katalog'; repeat it for others.",
    ),
]
RightsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--rights",
        metavar="WORD=LABEL",
        help="What a word for the rights means, such as gemeinfrei=public_domain; repeat it for "
        "others.",
    ),
]


def manifest_reading(
    encoding: str | None = None,
    columns: Iterable[str] | None = None,
    sheet: str | None = None,
    prefixes: Iterable[str] | None = None,
    rights: Iterable[str] | None = None,
) -> ManifestReading:
    """How to read a manifest, from the options.

    Raises:
        ManifestError: if an option has no `=`, or names an unknown column or label.
    """
    from reference_index.errors import ManifestError
    from reference_index.manifest_file import ManifestReading
    from reference_index.rights import LABELS
    from reference_index.works import COLUMNS

    def pairs(option: str, texts: Iterable[str] | None, example: str) -> list[tuple[str, str]]:
        found = []
        for text in texts or ():
            left, equals, right = (part.strip() for part in text.partition("="))
            if not (left and equals and right):
                raise ManifestError(f"--{option} {text!r} must be like {example}.")
            found.append((left, right))
        return found

    named = pairs("column", columns, "title=Titel")
    for column, _ in named:
        if column not in COLUMNS:
            raise ManifestError(
                f"--column {column!r} is no column of a manifest; those are {', '.join(COLUMNS)}."
            )
    if len(dict(named)) < len(named) or len({heading for _, heading in named}) < len(named):
        raise ManifestError("--column names a column or a heading twice; name each once.")
    meant = pairs("rights", rights, "gemeinfrei=public_domain")
    for _, label in meant:
        if label not in LABELS:
            raise ManifestError(f"--rights {label!r} is no label; those are {', '.join(LABELS)}.")
    return ManifestReading(
        encoding,
        dict(named),
        sheet,
        tuple(pairs("path-prefix", prefixes, r"'C:\Katalog=/mnt/katalog'")),
        dict(meant),
    )
