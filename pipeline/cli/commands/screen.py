"""`clearance screen`: one drop against an index."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

import typer

from pipeline.cli.commands.exit_statuses import FailOn, run_exit_status
from pipeline.cli.commands.options import ConfigFile, IndexOption, Json, LogJson
from pipeline.cli.commands.output import complain, emit, stderr, stdout
from pipeline.cli.commands.reported import log_under_way, reported

_UNTOLD = frozenset({"not_run", "out", "results"})
"""What of a run's summary a log leaves out: places, and sentences that may name one."""


@reported
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
            help="A record of decisions: what people agreed is a false match is suppressed.",
        ),
    ] = None,
    _log_json: LogJson = False,
    as_json: Json = False,
) -> int:
    """Screen a drop against an index and write the risk table and report."""
    from pipeline.cli.terminal.risk import print_run
    from pipeline.drops.places import place
    from pipeline.runtime.progress import console_progress
    from pipeline.screening.screen import screen as run

    source, target = place(drop), place(out)
    log = log_under_way()
    with console_progress(stderr()) if log is None else nullcontext(log.progress) as progress:
        done = run(
            source,
            index,
            target,
            config=config,
            index_version=index_version,
            record=record,
            progress=progress,
        )
    status = run_exit_status(done.counts, fail_on, done.flagged_in_part)
    if log is not None:
        facts = {name: value for name, value in done.summary().items() if name not in _UNTOLD}
        log.event("screen_finished", exit_status=status, **facts)
    elif not done.rows:
        # A remark and no result, so on standard error with --json as well.
        complain(f"{drop} holds no files; see that it is the folder you meant.", (), False)
    if as_json:
        emit(done.summary())
    else:
        print_run(done, stdout())
    return status
