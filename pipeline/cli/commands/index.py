"""`clearance index`: create, fill, list, shrink and verify a reference index of protected works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK, EXIT_WRONG
from pipeline.cli.options import Index, Json
from pipeline.cli.output import print_json, print_text, stderr, stdout
from pipeline.core.wording.text import count

app = typer.Typer(
    name="index",
    help="Make and keep a reference index of protected works.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("create")
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
        print_json(_index_summary(created))
    else:
        print_text(
            f"Made the index {index} (model {model}). Add works: clearance index add {index} WORKS"
        )
    return EXIT_OK


@app.command("add")
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
    left_out = f"; {len(added.problems):,} left out" if added.problems else ""
    new_works = count(added.works, "new work")
    print_text(
        f"Added {count(added.files, 'file')} of {new_works}{already}{left_out}. "
        f"The index is at version {added.version}."
    )
    return EXIT_OK


@app.command("list")
@handle_exceptions
def index_list(
    index: Index,
    version: Annotated[int | None, typer.Option(help="An earlier version of the index.")] = None,
    as_json: Json = False,
) -> int:
    """List the works of an index."""
    from pipeline.cli.terminal.index import print_works
    from reference_index.store import ReferenceIndex

    opened = ReferenceIndex.open(index, version)
    if as_json:
        files: dict[str, int] = {}
        for file in opened.files:
            files[file.work_id] = files.get(file.work_id, 0) + 1
        works = [
            {
                "work_id": work.work_id,
                "title": work.title,
                "rightsholder": work.rightsholder,
                "rights": work.rights,
                "files": files.get(work.work_id, 0),
            }
            for work in opened.works
        ]
        print_json({**_index_summary(opened), "works": works})
    else:
        print_works(opened, stdout())
    return EXIT_OK


@app.command("show")
@handle_exceptions
def index_show(
    index: Index,
    work_id: Annotated[
        str | None, typer.Argument(metavar="WORK_ID", help="One work; without it, the index.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Show an index (versions, fingerprints, model), or one work of it."""
    from pipeline.cli.terminal.index import print_index, print_work
    from reference_index.store import ReferenceIndex

    opened = ReferenceIndex.open(index)
    if work_id is None:
        if as_json:
            print_json({**_index_summary(opened), "history": opened.history()})
        else:
            print_index(opened, stdout())
        return EXIT_OK
    work = opened.work(work_id)
    files = [file for file in opened.files if file.work_id == work_id]
    if as_json:
        from dataclasses import asdict

        print_json({"work": asdict(work), "files": [asdict(file) for file in files]})
    else:
        print_work(work, files, stdout())
    return EXIT_OK


@app.command("remove")
@handle_exceptions
def index_remove(
    index: Index,
    work_ids: Annotated[list[str], typer.Argument(metavar="WORK_ID", help="Works to remove.")],
    as_json: Json = False,
) -> int:
    """Take works out of an index; earlier versions still hold them."""
    from reference_index.store import ReferenceIndex

    version = ReferenceIndex.open(index).remove(work_ids)
    removed = len(set(work_ids))
    if as_json:
        print_json({"index": str(index), "version": version, "removed": removed})
    else:
        print_text(f"Removed {count(removed, 'work')}. The index is at version {version}.")
    return EXIT_OK


@app.command("verify")
@handle_exceptions
def index_verify(index: Index, as_json: Json = False) -> int:
    """Read everything in an index again and compare it with the recorded digests."""
    from reference_index.store import ReferenceIndex

    opened = ReferenceIndex.open(index)
    faults = opened.verify()
    if as_json:
        print_json({**_index_summary(opened), "faults": faults})
    elif faults:
        for fault in faults:
            print_text(fault)
        print_text(
            f"{count(len(faults), 'fault')}: restore the index from a copy, or create it again."
        )
    else:
        print_text(
            f"Version {opened.version} is intact: {count(len(opened.works), 'work')}, "
            f"{count(len(opened.files), 'file')}, digest {opened.digest}."
        )
    return EXIT_WRONG if faults else EXIT_OK


def _index_summary(index: Any) -> dict[str, Any]:
    return {"index": str(index.path), **index.facts()}
