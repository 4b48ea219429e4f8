"""`clearance demo`: registers and screens works and a drop that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.exception_handling import handle_exceptions
from pipeline.cli.exit_statuses import EXIT_OK
from pipeline.cli.options import Json
from pipeline.cli.output import print_json


@handle_exceptions
def demo(
    folder: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the demo's files are written.")
    ] = Path("demo"),
    as_json: Json = False,
) -> int:
    """Index real works, screen a real drop, and show what was found and what was missed."""
    from rich.console import Console

    from pipeline.cli.demo import run_demo

    result = run_demo(folder, Console(quiet=as_json))
    if as_json:
        print_json(result)
    return EXIT_OK
