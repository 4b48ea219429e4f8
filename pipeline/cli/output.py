"""What commands print with: text, one JSON object, error messages, and consoles for the rest.

Results go to standard output; messages and progress to standard error.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console


_UNBROKEN = 1_000_000
"""A width in characters that no line reaches."""


def print_text(text: str = "") -> None:
    """Prints plain text, with control characters made visible."""
    from pipeline.core.wording.text import visible

    typer.echo(visible(text, keep_newlines=True))


def print_json(value: dict[str, Any]) -> None:
    """Prints one JSON object on one line, ASCII only, keys sorted."""
    typer.echo(json.dumps(value, ensure_ascii=True, sort_keys=True, default=str))


def print_error(
    message: str, problems: tuple[str, ...] = (), as_json: bool = False, *, err: bool = True
) -> None:
    """Prints what is wrong, and each problem that the message does not name on a line of its own.

    Args:
        as_json: print one JSON object to standard output instead.
        err: whether text goes to standard error.
    """
    from pipeline.core.wording.text import visible

    if as_json:
        print_json({"error": message, "problems": list(problems)})
        return
    typer.echo(f"clearance: {visible(message, keep_newlines=True)}", err=err)
    for problem in problems:
        if problem not in message:
            typer.echo(f"  {visible(problem)}", err=err)


def stderr() -> Console:
    """The console for progress and messages."""
    from rich.console import Console

    return Console(stderr=True)


def stdout(*, unbroken: bool = False) -> Console:
    """The console for results.

    Args:
        unbroken: whether lines are never broken where no terminal shows them, in a file or a pipe,
            so that other programs find each id and path whole.
    """
    from rich.console import Console

    class Results(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would exit with 1, which is `EXIT_FAIL_ON` here

    results = Results()
    if unbroken and not results.is_terminal:
        results.width = _UNBROKEN
    return results
