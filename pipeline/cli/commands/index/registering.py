"""`clearance index create` and `add`: make an index and register works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.commands.index.reading import index_summary
from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK
from pipeline.cli.options import Index, Json
from pipeline.cli.output import print_json, print_text, stderr
from pipeline.core.wording.text import count


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
    works: Annotated[
        Path,
        typer.Argument(
            metavar="WORKS", help="A manifest (CSV or JSONL), or a folder: each file a work."
        ),
    ],
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Add the good rows and report the bad ones.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Register protected works: all of them, or none if a row is bad."""
    from pipeline.runtime.progress import console_progress
    from pipeline.screening.register import add_works

    with console_progress(stderr()) as progress:
        added = add_works(index, works, skip_bad=skip_bad, progress=progress)
    if as_json:
        print_json(
            {
                "index": str(index),
                "version": added.version,
                "works_added": added.works,
                "files_added": added.files,
                "unchanged": added.unchanged,
                "problems": list(added.problems),
                "notes": list(added.notes),
            }
        )
        return EXIT_OK
    for note in added.notes:
        print_text(f"note: {note}")
    for problem in added.problems:
        print_text(f"left out: {problem}")
    already = f"; {count(added.unchanged, 'was', 'were')} there already" if added.unchanged else ""
    left_out = f"; {len(added.problems)} left out" if added.problems else ""
    new_works = count(added.works, "new work")
    print_text(
        f"Added {count(added.files, 'file')} of {new_works}{already}{left_out}. "
        f"The index is at version {added.version}."
    )
    return EXIT_OK
