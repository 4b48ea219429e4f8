"""`clearance index remove`, `remove-file` and `rename`: change what an index holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK
from pipeline.cli.options import Index, Json
from pipeline.cli.output import print_json, print_text
from pipeline.core.wording.text import count

WorkId = Annotated[str, typer.Argument(metavar="WORK_ID", help="The work.")]


@handle_exceptions
def index_remove(
    index: Index,
    work_ids: Annotated[
        list[str] | None, typer.Argument(metavar="WORK_ID", help="Works to remove.")
    ] = None,
    listed: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Remove the works that a file lists: ids one a line, or a column work_id.",
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Remove works from an index, all or none; earlier versions still hold them."""
    from reference_index.id_list import check_ids, read_ids
    from reference_index.store import ReferenceIndex

    if not work_ids and listed is None:
        raise typer.BadParameter("Name works, or a file that lists them with --from.")
    opened = ReferenceIndex.open(index)
    removed = dict.fromkeys(work_ids or ())
    if listed is not None:
        ids = read_ids(listed)
        check_ids(ids, listed, opened)
        removed |= dict.fromkeys(ids.values())
    version = opened.remove(list(removed))
    if as_json:
        facts = {"removed": len(removed), "work_ids": list(removed)}
        print_json({"index": str(index), "version": version, **facts})
    else:
        print_text(f"Removed {count(len(removed), 'work')}. The index is at version {version}.")
    return EXIT_OK


@handle_exceptions
def index_remove_file(
    index: Index,
    work_id: WorkId,
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="The file's path, as `index show` gives it.")
    ],
    as_json: Json = False,
) -> int:
    """Remove one file of a work from an index; earlier versions still hold it."""
    from reference_index.store import ReferenceIndex

    version = ReferenceIndex.open(index).remove_file(work_id, path)
    if as_json:
        facts = {"work_id": work_id, "path": path}
        print_json({"index": str(index), "version": version, **facts})
    else:
        print_text(f"Removed {path} from {work_id}. The index is at version {version}.")
    return EXIT_OK


@handle_exceptions
def index_rename(
    index: Index,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The id that the work has.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The id that it gets.")],
    as_json: Json = False,
) -> int:
    """Give a work another id; decisions made under the old one go on counting."""
    from reference_index.store import ReferenceIndex

    version = ReferenceIndex.open(index).rename(old, new)
    if as_json:
        print_json({"index": str(index), "version": version, "work_id": new, "former_id": old})
        return EXIT_OK
    print_text(
        f"Renamed {old!r} to {new!r}. What was decided under {old!r} counts for {new!r}; write "
        f"{new!r} in manifests that list the work. The index is at version {version}."
    )
    return EXIT_OK
