"""`clearance index sync`: make an index equal to a manifest."""

from __future__ import annotations

from typing import Annotated

import typer

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
from pipeline.cli.output import print_json, stderr


@handle_exceptions
def index_sync(
    index: Index,
    works: Works,
    remove_missing: Annotated[
        bool,
        typer.Option("--remove-missing", help="Remove works and files that are not listed."),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Say what would change and what is wrong; do nothing.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out the rows that can't be used.")
    ] = False,
    encoding: EncodingOption = None,
    column: ColumnOption = None,
    sheet: SheetOption = None,
    path_prefix: PrefixOption = None,
    rights: RightsOption = None,
    as_json: Json = False,
) -> int:
    """Make an index equal to a manifest: what is new, changed and gone is listed first."""
    from pipeline.cli.terminal.registration import print_sync, print_sync_plan
    from pipeline.runtime.progress import console_progress
    from pipeline.screening.sync import check_sync, sync_works
    from reference_index.store import ReferenceIndex

    reading = manifest_reading(encoding, column, sheet, path_prefix, rights)
    opened = ReferenceIndex.open(index)
    with console_progress(stderr()) as progress:
        checked = check_sync(
            opened,
            works,
            remove_missing=remove_missing,
            skip_bad=skip_bad,
            reading=reading,
            progress=progress,
        )
    if not (check or skip_bad):
        checked.check.raise_if_bad()
    if not as_json:
        print_sync_plan(index, checked, check=check)
    if check:
        if as_json:
            print_json({"index": str(index), **checked.to_json()})
        return EXIT_WRONG if checked.check.problems and not skip_bad else EXIT_OK
    with console_progress(stderr()) as progress:
        done = sync_works(opened, checked, skip_bad=skip_bad, progress=progress)
    if as_json:
        print_json(
            {
                "index": str(index),
                **checked.to_json(),
                "version": done.registered.version,
                "version_before": checked.check.version,
                "files_added": done.registered.files,
                "works_removed": done.works_removed,
                "files_removed": done.files_removed,
                "problems": list(done.registered.problems),
                "notes": list(done.registered.notes),
            }
        )
    else:
        print_sync(done)
    return EXIT_OK
