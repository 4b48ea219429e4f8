"""What commands print with: text, one JSON object, what is wrong, and the consoles for the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console


def say(text: str = "") -> None:
    """Prints plain text, with control characters made visible."""
    from pipeline.core.wording.visible import visible

    typer.echo(visible(text, keep_newlines=True))


def emit(value: dict[str, Any]) -> None:
    """Prints one JSON object."""
    typer.echo(json.dumps(value, ensure_ascii=True, sort_keys=True, default=str))


def stderr() -> Console:
    """The console for progress and messages; results alone go to standard output."""
    from rich.console import Console

    return Console(stderr=True)


def stdout() -> Console:
    """The console for results."""
    from rich.console import Console

    class Results(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would exit with 1, which says something else here

    return Results()


def complain(message: str, problems: tuple[str, ...], as_json: bool, *, err: bool = True) -> None:
    """Prints what is wrong and the problems that the message does not name, each a line; with
    `as_json` one JSON object, on standard output.

    Args:
        err: whether text goes to standard error.
    """
    from pipeline.core.wording.visible import visible

    if as_json:
        emit({"error": message, "problems": list(problems)})
        return
    typer.echo(f"clearance: {visible(message, keep_newlines=True)}", err=err)
    for problem in problems:
        if problem not in message:
            typer.echo(f"  {visible(problem)}", err=err)
