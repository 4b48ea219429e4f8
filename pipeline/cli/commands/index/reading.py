"""`clearance index list`, `show` and `verify`: what an index holds, read only."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK, EXIT_WRONG
from pipeline.cli.options import Index, Json
from pipeline.cli.output import print_json, print_text, stdout
from pipeline.core.wording.text import count


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
        print_json({**index_summary(opened), "works": works})
    else:
        print_works(opened, stdout())
    return EXIT_OK


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
            print_json({**index_summary(opened), "history": opened.history()})
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


@handle_exceptions
def index_verify(index: Index, as_json: Json = False) -> int:
    """Read everything in an index again and compare it with the recorded digests."""
    from reference_index.store import ReferenceIndex

    opened = ReferenceIndex.open(index)
    faults = opened.verify()
    if as_json:
        print_json({**index_summary(opened), "faults": faults})
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


def index_summary(index: Any) -> dict[str, Any]:
    """Facts of an opened index, as `--json` prints them."""
    return {"index": str(index.path), **index.facts()}
