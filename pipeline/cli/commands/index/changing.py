"""`clearance index remove`: change what an index holds."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK
from pipeline.cli.options import Index, Json
from pipeline.cli.output import print_json, print_text
from pipeline.core.wording.text import count


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
