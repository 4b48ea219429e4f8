"""Progress of long work: its rate and time left, as bars on a terminal or as lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[str, int, int | None], None]
"""Called with the name of the step, how many items are done, and how many there are (None: not
known)."""

QUIET_SECONDS = 1.0
"""Steps that take less are not shown."""
LINE_SECONDS = 10.0
"""Time between two lines of a step, where there is no terminal."""

WINDOW_SECONDS = 60.0
"""A rate is measured over this long: the speed of earlier items predicts little."""
LEAST_SECONDS = 1.0
"""A rate over less time is too noisy to show."""


class RateEstimator:
    """Rate and remaining time of one step, measured over the last minute.

    Times are seconds of a monotonic clock.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def update(self, done: int, now: float) -> None:
        """Adds the number of items done by the time `now`; a smaller number starts afresh."""
        if self._samples and done < self._samples[-1][1]:
            self._samples.clear()
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[1][0] > WINDOW_SECONDS:
            self._samples.popleft()

    def per_second(self, now: float) -> float | None:
        """Items per second; None if not known yet."""
        if len(self._samples) < 2 or now - self._samples[0][0] < LEAST_SECONDS:
            return None
        return (self._samples[-1][1] - self._samples[0][1]) / (now - self._samples[0][0])

    def seconds_left(self, total: int | None, now: float) -> float | None:
        """Estimated time until `total` items are done; None if not known."""
        rate = self.per_second(now)
        if not rate or total is None:
            return None
        last, done = self._samples[-1]
        return max(0.0, (total - done) / rate - (now - last))

    def facts(self, total: int | None, now: float) -> dict[str, float | None]:
        """`per_second` and `seconds_left` for logs, rounded; None if not known."""
        rate, left = self.per_second(now), self.seconds_left(total, now)
        return {
            "per_second": None if rate is None else round(rate, 3),
            "seconds_left": None if left is None else round(left, 1),
        }


def rate_in_words(per_second: float | None, seconds_left: float | None) -> str:
    """`12/s, 3 min left`; blank if nothing is known."""
    parts = []
    if per_second:
        slow = per_second < 1
        parts.append(f"{per_second * 60:.1f}/min" if slow else f"{per_second:,.0f}/s")
    if seconds_left is not None:
        parts.append(f"{duration_in_words(seconds_left)} left")
    return ", ".join(parts)


def duration_in_words(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def silent(_step: str, _done: int, _total: int | None) -> None:
    """A Progress that does nothing."""


def combined(*callbacks: Progress) -> Progress:
    """A Progress that calls each of several."""

    def progress(step: str, done: int, total: int | None) -> None:
        for callback in callbacks:
            callback(step, done, total)

    return progress


@contextmanager
def console_progress(console: Console) -> Iterator[Progress]:
    """A Progress on `console`: a bar if it is a terminal, else a line every few seconds."""
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
        TextColumn("{task.fields[rate]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bars:
        began: dict[str, float] = {}
        tasks: dict[str, TaskID] = {}
        rates: dict[str, RateEstimator] = {}

        def progress(step: str, done: int, total: int | None) -> None:
            now = time.monotonic()
            rate = rates.setdefault(step, RateEstimator())
            rate.update(done, now)
            if step not in tasks and now - began.setdefault(step, now) >= QUIET_SECONDS:
                tasks[step] = bars.add_task(step, total=total, rate="")
            if step in tasks:
                text = rate_in_words(rate.per_second(now), rate.seconds_left(total, now))
                bars.update(tasks[step], completed=done, total=total, rate=text)

        yield progress


def _lines(console: Console) -> Progress:
    printed: dict[str, float] = {}
    rates: dict[str, RateEstimator] = {}

    def progress(step: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        rate = rates.setdefault(step, RateEstimator())
        rate.update(done, now)
        last = printed.setdefault(step, now - LINE_SECONDS + QUIET_SECONDS)
        if now - last >= LINE_SECONDS:
            printed[step] = now
            of = f" of {total:,}" if total is not None else ""
            text = rate_in_words(rate.per_second(now), rate.seconds_left(total, now))
            line = f"{step}: {done:,}{of}{f' ({text})' if text else ''}"
            console.print(line, markup=False, highlight=False)

    return progress
