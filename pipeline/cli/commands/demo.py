"""`clearance demo`: everything once, on works and a drop that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.commands.exit_statuses import EXIT_OK
from pipeline.cli.commands.options import Json
from pipeline.cli.commands.output import emit
from pipeline.cli.commands.reported import reported


@reported
def demo(
    folder: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the demo's files are written.")
    ] = Path("demo"),
    as_json: Json = False,
) -> int:
    """Index real works, screen a real drop, and say what was found and what was not."""
    from rich.console import Console

    from pipeline.cli.demo import run_demo

    result = run_demo(folder, Console(quiet=as_json))
    if as_json:
        emit(result)
    return EXIT_OK
