"""`clearance index list`, `find`, `show` and `verify`: what an index holds, read only."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK, EXIT_WRONG
from pipeline.cli.options import Index, Json
from pipeline.cli.output import print_json, print_text, stdout
from pipeline.core.wording.text import count

if TYPE_CHECKING:
    import pyarrow as pa

    from reference_index.store import ReferenceIndex

WORK_COLUMNS = ("work_id", "title", "rightsholder", "rights", "files", "former_ids")
"""Columns of `index list --csv`; a column for each note follows."""


@handle_exceptions
def index_list(
    index: Index,
    version: Annotated[int | None, typer.Option(help="An earlier version of the index.")] = None,
    as_csv: Annotated[
        bool,
        typer.Option("--csv", help="Print CSV: a line for each work, its notes as columns."),
    ] = False,
    as_json: Json = False,
) -> int:
    """List the works of an index."""
    from pipeline.cli.terminal.index import print_works
    from reference_index.store import ReferenceIndex

    if as_csv and as_json:
        raise typer.BadParameter("--csv and --json can't be given together.")
    opened = ReferenceIndex.open(index, version)
    if as_csv:
        from pipeline.core.wording.safe_csv import write_csv

        write_csv(_works_table(opened), typer.get_binary_stream("stdout"))
    elif as_json:
        print_json({**index_summary(opened), "works": _works_json(opened)})
    else:
        print_works(opened, stdout(unbroken=True))
    return EXIT_OK


def _works_json(index: ReferenceIndex) -> list[dict[str, Any]]:
    files = Counter(file.work_id for file in index.files)
    return [
        {
            "work_id": work.work_id,
            "title": work.title,
            "rightsholder": work.rightsholder,
            "rights": work.rights,
            "files": files[work.work_id],
            "former_ids": former_ids(index, work.work_id),
        }
        for work in index.works
    ]


def _works_table(index: ReferenceIndex) -> pa.Table:
    """As `_works_json`, with a column for each note that any work has."""
    import pyarrow as pa

    rows = _works_json(index)
    columns = {name: [row[name] for row in rows] for name in WORK_COLUMNS}
    columns["former_ids"] = ["; ".join(row["former_ids"]) for row in rows]
    for note in sorted({note for work in index.works for note in work.notes}):
        name = f"{note} (note)" if note in columns else note
        columns[name] = [work.notes.get(note, "") for work in index.works]
    return pa.table(columns)


@handle_exceptions
def index_find(
    index: Index,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="WORDS", help="Parts of title, rightsholder, id or path; all must be there."
        ),
    ],
    as_json: Json = False,
) -> int:
    """Find works by words in title, rightsholder, id or path; case and accents don't count."""
    from pipeline.cli.terminal.index import print_found
    from reference_index.finding import find_works
    from reference_index.store import ReferenceIndex

    asked = " ".join(words).split()
    if not asked:
        raise typer.BadParameter("Give a word to find.")
    opened = ReferenceIndex.open(index)
    found = find_works(asked, opened.works, opened.files, opened.aliases)
    if as_json:
        works = [
            {**asdict(one.work), "found_in": list(one.fields), "paths": list(one.paths)}
            for one in found
        ]
        print_json({"index": str(index), "version": opened.version, "works": works})
    else:
        print_found(found, opened, stdout(unbroken=True))
    return EXIT_OK


@handle_exceptions
def index_show(
    index: Index,
    work_id: Annotated[
        str | None, typer.Argument(metavar="WORK_ID", help="One work; without it, the index.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Show an index (works, versions, fingerprints, model), or one work of it."""
    from pipeline.cli.terminal.index import print_index, print_work
    from reference_index.store import ReferenceIndex

    opened = ReferenceIndex.open(index)
    if work_id is None:
        if as_json:
            print_json({**index_summary(opened), "history": opened.history()})
        else:
            print_index(opened, stdout(unbroken=True))
        return EXIT_OK
    work = opened.work(opened.aliases.get(work_id, work_id))
    files = [file for file in opened.files if file.work_id == work.work_id]
    former = former_ids(opened, work.work_id)
    if as_json:
        print_json(
            {
                "work": asdict(work),
                "former_ids": former,
                "files": [asdict(file) for file in files],
            }
        )
        return EXIT_OK
    if work_id in opened.aliases:
        print_text(f"{work_id} was renamed to {work.work_id}:\n")
    print_work(work, former, files, stdout(unbroken=True))
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


def former_ids(index: ReferenceIndex, work_id: str) -> list[str]:
    """The former ids of a work, sorted."""
    return sorted(old for old, new in index.aliases.items() if new == work_id)


def index_summary(index: ReferenceIndex) -> dict[str, Any]:
    """Facts of an opened index, as `--json` prints them."""
    return {"index": str(index.path), **index.facts()}
