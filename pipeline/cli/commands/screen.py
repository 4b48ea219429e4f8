"""`clearance screen`: one drop against an index."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

import typer

from pipeline.cli.exception_handling import current_log, handle_exceptions
from pipeline.cli.exit_statuses import FailOn, run_exit_status
from pipeline.cli.options import ConfigFile, IndexOption, Json, LogJson
from pipeline.cli.output import print_error, print_json, stderr, stdout

_NOT_LOGGED = frozenset({"moved", "not_run", "out", "record_not_used", "results"})
"""Keys of a run's summary that a log leaves out: paths, and sentences that may name one."""


@handle_exceptions
def screen(
    drop: Annotated[
        str,
        typer.Argument(metavar="DROP", help="A folder of assets, one file, or s3://BUCKET/PREFIX."),
    ],
    index: IndexOption,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            metavar="OUT",
            help="Where the results are written: a folder, or s3://BUCKET/PREFIX.",
        ),
    ],
    config: ConfigFile = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="Exit with status 1 if any row is in this band or above."),
    ] = None,
    index_version: Annotated[
        int | None,
        typer.Option(metavar="N", help="An earlier version of the index, to repeat a run."),
    ] = None,
    record: Annotated[
        str | None,
        typer.Option(
            "--record",
            metavar="RECORD",
            help="A record of decisions: its false matches and rules suppress matches. "
            "Without it none is used, not even that in OUT.",
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Replace what OUT holds, even if it is of another drop or not of Clearance. "
            "Results with a record of decisions are moved to OUT.RUN_ID first.",
        ),
    ] = False,
    _log_json: LogJson = False,
    as_json: Json = False,
) -> int:
    """Screen a drop against an index and write the risk table and report."""
    from pipeline.cli.terminal.risk import print_run
    from pipeline.drops.places import place
    from pipeline.runtime.progress import console_progress
    from pipeline.screening.screen import screen as run

    source, target = place(drop), place(out)
    log = current_log()
    with console_progress(stderr()) if log is None else nullcontext(log.progress) as progress:
        outcome = run(
            source,
            index,
            target,
            config=config,
            index_version=index_version,
            record=record,
            replace=replace,
            progress=progress,
        )
    status = run_exit_status(outcome.summary(), fail_on)
    if log is not None:
        facts = {
            name: value for name, value in outcome.summary().items() if name not in _NOT_LOGGED
        }
        log.event("screen_finished", exit_status=status, **facts)
    elif all(row.is_system_file for row in outcome.rows):
        # A warning, not a result: on standard error with --json too.
        print_error(f"{drop} has no files to screen; check that it is the folder you meant.")
    if as_json:
        print_json(outcome.summary())
    else:
        print_run(outcome, stdout())
    return status
