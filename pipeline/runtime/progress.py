"""How long work tells of itself: bars on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.runtime.pace import Pace, pace_in_words

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many are done, and how many there are (None: not known)."""

QUIET_SECONDS = 1.0
LINE_SECONDS = 10.0


def silent(_doing: str, _done: int, _total: int | None) -> None:
    """A Progress that says nothing."""


def together(*several: Progress) -> Progress:
    """A Progress that tells each of several."""

    def progress(doing: str, done: int, total: int | None) -> None:
        for one in several:
            one(doing, done, total)

    return progress


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
        TextColumn("{task.fields[pace]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bars:
        began: dict[str, float] = {}
        tasks: dict[str, TaskID] = {}
        paces: dict[str, Pace] = {}

        def progress(doing: str, done: int, total: int | None) -> None:
            now = time.monotonic()
            pace = paces.setdefault(doing, Pace())
            pace.saw(done, now)
            if doing not in tasks and now - began.setdefault(doing, now) >= QUIET_SECONDS:
                tasks[doing] = bars.add_task(doing, total=total, pace="")
            if doing in tasks:
                said = pace_in_words(pace.per_second(now), pace.seconds_left(total, now))
                bars.update(tasks[doing], completed=done, total=total, pace=said)

        yield progress


def _lines(console: Console) -> Progress:
    spoke: dict[str, float] = {}
    paces: dict[str, Pace] = {}

    def progress(doing: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        pace = paces.setdefault(doing, Pace())
        pace.saw(done, now)
        last = spoke.setdefault(doing, now - LINE_SECONDS + QUIET_SECONDS)
        if now - last >= LINE_SECONDS:
            spoke[doing] = now
            of = f" of {total:,}" if total is not None else ""
            said = pace_in_words(pace.per_second(now), pace.seconds_left(total, now))
            line = f"{doing}: {done:,}{of}{f' ({said})' if said else ''}"
            console.print(line, markup=False, highlight=False)

    return progress
