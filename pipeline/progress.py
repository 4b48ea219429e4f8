"""How long work tells of itself: bars on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many are done, and how many there are (None: not known)."""

QUIET_SECONDS = 1.0
LINE_SECONDS = 10.0


def silent(_doing: str, _done: int, _total: int | None) -> None:
    """A Progress that says nothing."""


@contextmanager
def shown(console: Console) -> Iterator[Progress]:
    """A Progress on `console`: a bar if it is a terminal, else a plain line now and then.

    Nothing is shown of what takes less than a second.
    """
    if console.is_terminal:
        with _bars(console) as progress:
            yield progress
    else:
        yield _lines(console)


@contextmanager
def _bars(console: Console) -> Iterator[Progress]:
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bars:
        began: dict[str, float] = {}
        tasks: dict[str, TaskID] = {}

        def progress(doing: str, done: int, total: int | None) -> None:
            now = time.monotonic()
            if doing not in tasks and now - began.setdefault(doing, now) >= QUIET_SECONDS:
                tasks[doing] = bars.add_task(doing, total=total)
            if doing in tasks:
                bars.update(tasks[doing], completed=done, total=total)

        yield progress


def _lines(console: Console) -> Progress:
    spoke: dict[str, float] = {}

    def progress(doing: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        last = spoke.setdefault(doing, now - LINE_SECONDS + QUIET_SECONDS)
        if now - last >= LINE_SECONDS:
            spoke[doing] = now
            of = f" of {total:,}" if total is not None else ""
            console.print(f"{doing}: {done:,}{of}", markup=False, highlight=False)

    return progress
