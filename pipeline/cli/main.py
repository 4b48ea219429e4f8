"""The command `clearance`: its commands put together, and its entry point."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.commands import audit, index, schedule
from pipeline.cli.commands.demo import demo
from pipeline.cli.commands.evaluate import evaluate
from pipeline.cli.commands.exit_statuses import (
    EXIT_BROKEN_PIPE,
    EXIT_DEFECT,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_WRONG,
)
from pipeline.cli.commands.explain import explain
from pipeline.cli.commands.output import emit
from pipeline.cli.commands.reported import CommandLineError
from pipeline.cli.commands.review import review, review_user
from pipeline.cli.commands.scan import scan
from pipeline.cli.commands.screen import screen

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
for command in (screen, scan, explain, evaluate, review, review_user, demo):
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
    """The entry point of the command `clearance`."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller: what is printed goes nowhere
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
        # Or the interpreter would try to flush what can't be written, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(status)


def _run() -> int:
    try:
        return int(app(standalone_mode=False) or EXIT_OK)
    except typer.Exit as ended:
        return int(ended.exit_code)
    except typer.Abort:
        return EXIT_INTERRUPTED
    except CommandLineError as error:
        # What typer's own validation puts before the sentence says nothing to a reader.
        error.message = error.message.replace("Value error, ", "")
        if "--json" in sys.argv[1:]:
            emit({"error": error.format_message(), "problems": []})
        else:
            error.show()
        return EXIT_WRONG
    except OSError:
        raise
    except Exception:
        # Python itself would exit with 1, which says something else here.
        traceback.print_exc()
        return EXIT_DEFECT
