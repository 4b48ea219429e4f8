"""`clearance schedule`: systemd units or a crontab line for nightly scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK
from pipeline.cli.options import Json
from pipeline.cli.output import print_error, print_json, print_text

app = typer.Typer(
    name="schedule",
    help="Write out a schedule for nightly scans, ready to install.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ScanConfig = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="The configuration of the scans.")
]
At = Annotated[str, typer.Option(metavar="HH:MM", help="When, in the machine's local time.")]
UnitsOut = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where files are written; if not given, they are printed."),
]


@app.command("systemd")
@handle_exceptions
def schedule_systemd(
    config: ScanConfig, at: At = "02:30", out: UnitsOut = None, as_json: Json = False
) -> int:
    """A systemd service and timer."""
    from pipeline.scan.operation.schedule import schedule_of, systemd_units
    from pipeline.scan.settings import load_settings

    schedule = schedule_of(load_settings(config), config, at)
    return _print_or_write(schedule, systemd_units(schedule), out, as_json=as_json)


@app.command("cron")
@handle_exceptions
def schedule_cron(
    config: ScanConfig, at: At = "02:30", out: UnitsOut = None, as_json: Json = False
) -> int:
    """A line for a crontab."""
    from pipeline.scan.operation.schedule import MADE, cron_line, schedule_of
    from pipeline.scan.settings import load_settings

    schedule = schedule_of(load_settings(config), config, at)
    line = cron_line(schedule)
    text = line if out is None else f"{MADE}\n{line}"
    return _print_or_write(schedule, {f"{schedule.name}.crontab": text}, out, as_json=as_json)


def _print_or_write(
    schedule: Any, files: dict[str, str], out: Path | None, *, as_json: bool
) -> int:
    from pipeline.scan.operation.schedule import notes_of, write_files

    written = write_files(files, out) if out is not None else []
    notes = notes_of(schedule)
    if as_json:
        print_json({"files": files, "written": [str(one) for one in written], "notes": notes})
        return EXIT_OK
    for name, text in files.items():
        if out is None:
            if len(files) > 1:
                typer.echo(f"# {name}")
            typer.echo(text, nl=len(files) > 1)
    for one in written:
        print_text(f"Wrote {one}.")
    for note in notes:
        print_error(note)
    return EXIT_OK
