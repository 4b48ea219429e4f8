"""`clearance scan`: screen drop folders incrementally, or show the history of an asset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.exception_handling import current_log, handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK, FailOn, error_exit_status, scan_exit_status
from pipeline.cli.options import Json, LogJson
from pipeline.cli.output import print_json, stderr, stdout


@handle_exceptions
def scan(
    config: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="Drops, index and scan directory, as in configs/nightly.yaml."
        ),
    ],
    history: Annotated[
        str | None,
        typer.Option(
            metavar="ASSET",
            help="Instead of scanning, show what earlier scans found for an asset: its path, the "
            "end of it, or the start of its SHA-256.",
        ),
    ] = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="Exit with status 1 if anything new or risen is in this band or above."),
    ] = None,
    _log_json: LogJson = False,
    as_json: Json = False,
) -> int:
    """Scan drop folders and report what changed since the previous scan."""
    from pipeline.scan.settings import load_settings

    settings = load_settings(config)
    if history is not None:
        return _scan_history(settings, history, as_json=as_json)
    from pipeline.cli.terminal.scan import print_scan
    from pipeline.runtime.progress import console_progress, silent
    from pipeline.scan.operation.operate import Statuses, operate
    from pipeline.scan.run import ignore_message

    statuses = Statuses(lambda summary: scan_exit_status(summary, fail_on), error_exit_status)
    log = current_log()
    if log is not None:
        outcome = operate(settings, statuses, progress=silent, on_message=ignore_message, log=log)
    else:
        console = stderr()
        with console_progress(console) as progress:
            outcome = operate(
                settings,
                statuses,
                progress=progress,
                on_message=lambda text: console.print(text, markup=False, highlight=False),
            )
    if as_json:
        print_json({**outcome.summary, "out": str(outcome.folder), "notes": list(outcome.notes)})
    else:
        print_scan(outcome, stdout())
    return scan_exit_status(outcome.summary, fail_on)


def _scan_history(settings: Any, asset: str, *, as_json: bool) -> int:
    from dataclasses import asdict

    from pipeline.cli.terminal.scan import print_history
    from pipeline.scan.history import history_of

    rows = history_of(settings, asset)
    if as_json:
        print_json({"asset": asset, "rows": [asdict(row) for row in rows]})
    else:
        print_history(asset, rows, stdout())
    return EXIT_OK
