"""The entry point of `clearance`: registers the commands, handles errors outside them."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.commands import audit, index, schedule
from pipeline.cli.commands.demo import demo
from pipeline.cli.commands.doctor import doctor
from pipeline.cli.commands.evaluate import evaluate
from pipeline.cli.commands.explain import explain
from pipeline.cli.commands.report import report
from pipeline.cli.commands.review import review, review_user
from pipeline.cli.commands.scan import scan
from pipeline.cli.commands.screen import screen
from pipeline.cli.exception_handling import CommandLineError
from pipeline.cli.exit_statuses import (
    EXIT_BROKEN_PIPE,
    EXIT_DEFECT,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_WRONG,
)
from pipeline.cli.output import print_json

app = typer.Typer(
    name="clearance",
    help="Screen generated images and scripts for copyright risk. A person decides; Clearance "
    "shows where to look and why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# Help lists them in this order, and groups after single commands.
for command in (screen, scan, explain, report, evaluate, review, review_user, demo, doctor):
    app.command()(command)
for group in (index, audit, schedule):
    app.add_typer(group.app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"clearance {version('clearance')}")
        raise typer.Exit


@app.callback()
def _root(
    _show: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line and exits with its status (`pipeline.cli.exit_statuses`)."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller: output is discarded
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif str(stream.encoding).lower() != "utf-8":
            # A terminal that can't show a character gets an escape, not a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        status = EXIT_BROKEN_PIPE
    except OSError as error:
        typer.echo(f"clearance: the output can't be written ({error.strerror}).", err=True)
        status = EXIT_WRONG
    if status in (EXIT_BROKEN_PIPE, EXIT_WRONG):
        # Otherwise the interpreter fails again when it flushes what can't be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(status)


def _run() -> int:
    try:
        return int(app(standalone_mode=False) or EXIT_OK)
    except typer.Exit as finished:
        return int(finished.exit_code)
    except typer.Abort:
        return EXIT_INTERRUPTED
    except CommandLineError as error:
        # The prefix of typer's own validation tells a user nothing.
        error.message = error.message.replace("Value error, ", "")
        if "--json" in sys.argv[1:]:
            print_json({"error": error.format_message(), "problems": []})
        else:
            error.show()
        return EXIT_WRONG
    except OSError:
        raise
    except Exception:
        # Python itself would exit with 1, which is `EXIT_FAIL_ON` here.
        traceback.print_exc()
        return EXIT_DEFECT
