"""`clearance scan`: drop folders again, and what earlier scans said of an asset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.commands.exit_statuses import EXIT_OK, FailOn, error_exit_status, scan_exit_status
from pipeline.cli.commands.options import Json, LogJson
from pipeline.cli.commands.output import emit, stderr, stdout
from pipeline.cli.commands.reported import log_under_way, reported


@reported
def scan(
    config: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Drops, index and scan directory: configs/nightly.yaml."),
    ],
    history: Annotated[
        str | None,
        typer.Option(
            metavar="ASSET",
            help="Instead of scanning, what earlier scans said of an asset: its path, the end of "
            "it, or its SHA-256's beginning.",
        ),
    ] = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="Exit with status 1 if anything new or risen is in this band or above."),
    ] = None,
    _log_json: LogJson = False,
    as_json: Json = False,
) -> int:
    """Scan drop folders again and say what changed since the scan before."""
    from pipeline.scan.settings import load_settings

    settings = load_settings(config)
    if history is not None:
        return _scan_history(settings, history, as_json=as_json)
    from pipeline.cli.terminal.scan import print_scan
    from pipeline.runtime.progress import console_progress, silent
    from pipeline.scan.operation.operate import Statuses, operate
    from pipeline.scan.run import ignore_message

    statuses = Statuses(lambda summary: scan_exit_status(summary, fail_on), error_exit_status)
    log = log_under_way()
    if log is not None:
        done = operate(settings, statuses, progress=silent, on_message=ignore_message, log=log)
    else:
        console = stderr()
        with console_progress(console) as progress:
            done = operate(
                settings,
                statuses,
                progress=progress,
                on_message=lambda text: console.print(text, markup=False, highlight=False),
            )
    if as_json:
        emit({**done.summary, "out": str(done.folder), "notes": list(done.notes)})
    else:
        print_scan(done, stdout())
    return scan_exit_status(done.summary, fail_on)


def _scan_history(settings: Any, asset: str, *, as_json: bool) -> int:
    from dataclasses import asdict

    from pipeline.cli.terminal.scan import print_history
    from pipeline.scan.history import history_of

    seen = history_of(settings, asset)
    if as_json:
        emit({"asset": asset, "rows": [asdict(one) for one in seen]})
    else:
        print_history(asset, seen, stdout())
    return EXIT_OK
