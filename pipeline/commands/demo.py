"""`clearance demo`: everything once, on works and a drop that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.exit_statuses import EXIT_OK
from pipeline.commands.options import Json
from pipeline.commands.output import emit
from pipeline.commands.reported import reported


@reported
def demo(
    folder: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the demo's files are written.")
    ] = Path("demo"),
    as_json: Json = False,
) -> int:
    """Index real works, screen a real drop, and say what was found and what was not."""
    from rich.console import Console

    from pipeline.demo import run_demo

    result = run_demo(folder, Console(quiet=as_json))
    if as_json:
        emit(result)
    return EXIT_OK
