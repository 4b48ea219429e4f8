"""`clearance index create` and `add`: make an index and register works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.commands.index.reading import index_summary
from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK, EXIT_WRONG
from pipeline.cli.manifest_options import (
    ColumnOption,
    EncodingOption,
    PrefixOption,
    RightsOption,
    SheetOption,
    Works,
    manifest_reading,
)
from pipeline.cli.options import Index, Json
from pipeline.cli.output import print_json, print_text, stderr

if TYPE_CHECKING:
    from reference_index.manifest_file import ManifestReading
    from reference_index.store import ReferenceIndex


@handle_exceptions
def index_create(
    index: Index,
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Embedding model: clearance-mini, an open_clip NAME:PRETRAINED, NAME:/checkpoint, "
            "hf-hub:ORG/NAME or local-dir:/folder.",
        ),
    ] = "clearance-mini",
    keep_content: Annotated[
        bool,
        typer.Option(
            help="Keep thumbnails and texts of the works, so that reviewers see both sides."
        ),
    ] = True,
    as_json: Json = False,
) -> int:
    """Make a new, empty index."""
    from pipeline.screening.register import create_index

    created = create_index(index, model=model, keep_content=keep_content)
    if as_json:
        print_json(index_summary(created))
    else:
        print_text(
            f"Made the index {index} (model {model}). Add works: clearance index add {index} WORKS"
        )
    return EXIT_OK


@handle_exceptions
def index_add(
    index: Index,
    works: Works,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Add the good rows and report the bad ones.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Say what would be added and what is wrong; add nothing."),
    ] = False,
    encoding: EncodingOption = None,
    column: ColumnOption = None,
    sheet: SheetOption = None,
    path_prefix: PrefixOption = None,
    rights: RightsOption = None,
    as_json: Json = False,
) -> int:
    """Register protected works: all of them, or none if a row is bad."""
    from pipeline.cli.terminal.registration import print_registration
    from pipeline.runtime.progress import console_progress
    from pipeline.screening.register import add_works
    from reference_index.store import ReferenceIndex

    reading = manifest_reading(encoding, column, sheet, path_prefix, rights)
    if check:
        return _check(ReferenceIndex.open(index), works, reading, as_json)
    with console_progress(stderr()) as progress:
        added = add_works(index, works, skip_bad=skip_bad, reading=reading, progress=progress)
    if as_json:
        print_json(
            {
                "index": str(index),
                "version": added.version,
                "works_added": added.works,
                "files_added": added.files,
                "reused": added.reused,
                "unchanged": added.unchanged,
                "problems": list(added.problems),
                "warnings": list(added.warnings),
                "notes": list(added.notes),
            }
        )
    else:
        print_registration(added)
    return EXIT_OK


def _check(index: ReferenceIndex, works: Path, reading: ManifestReading, as_json: bool) -> int:
    """Says what adding would do; the exit status is that of a refusal if rows are bad."""
    from pipeline.cli.terminal.registration import print_check
    from pipeline.runtime.progress import console_progress
    from pipeline.screening.works_check import check_works

    with console_progress(stderr()) as progress:
        check = check_works(index, works, reading=reading, progress=progress)
    if as_json:
        print_json({"index": str(index.path), **check.to_json()})
    else:
        print_check(check)
    return EXIT_WRONG if check.problems else EXIT_OK
