"""Logs as JSON lines on standard error, for machines: counts and ids, never what assets hold.

While such a log is open nothing else reaches standard error: libraries write warnings there with
paths in them, and a log that is collected must not hold those.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TextIO

from pipeline.runtime.pace import Pace

PROGRESS_SECONDS = 30.0


class JsonLog:
    """A log of JSON lines: each has `time` (ISO 8601, UTC, milliseconds) and `event`.

    Args:
        stream: what it is written to; a stream that breaks is written to no more.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._always: dict[str, Any] = {}
        self._paces: dict[str, Pace] = {}
        self._spoke: dict[str, float] = {}

    def always(self, **facts: Any) -> None:
        """Adds facts, such as a scan's id, to every later line."""
        self._always |= facts

    def event(self, name: str, **facts: Any) -> None:
        """Writes a line. The facts are JSON values that say nothing of what assets hold."""
        when = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"time": when, "event": name, **self._always, **facts}, ensure_ascii=True)
        with suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    def progress(self, doing: str, done: int, total: int | None) -> None:
        """A Progress: a line when something is begun or is complete, and now and then between."""
        now = self._clock()
        pace = self._paces.setdefault(doing, Pace())
        pace.saw(done, now)
        complete = done == total and total > 0
        if not complete and now - self._spoke.get(doing, -PROGRESS_SECONDS * 2) < PROGRESS_SECONDS:
            return
        self._spoke[doing] = now
        self.event("progress", phase=doing, done=done, total=total, **pace_facts(pace, total, now))


def pace_facts(pace: Pace, total: int | None, now: float) -> dict[str, float | None]:
    """`per_second` and `seconds_left`, rounded; None where not known."""
    rate, left = pace.per_second(now), pace.seconds_left(total, now)
    return {
        "per_second": None if rate is None else round(rate, 3),
        "seconds_left": None if left is None else round(left, 1),
    }


@contextmanager
def json_log() -> Iterator[JsonLog]:
    """A log on standard error, to which nothing else is written meanwhile."""
    log = JsonLog(sys.stderr)
    with _alone(log):
        yield log


@contextmanager
def _alone(log: JsonLog) -> Iterator[None]:
    """Leads file descriptor 2 nowhere, except for the log."""
    try:
        descriptor = sys.stderr.fileno()
    except (OSError, ValueError, io.UnsupportedOperation):
        descriptor = -1
    if descriptor != 2:
        yield
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    stream = os.fdopen(kept, "w", encoding="utf-8")
    before, log._stream = log._stream, stream
    try:
        yield
    finally:
        log._stream = before
        stream.flush()
        os.dup2(kept, 2)
        stream.close()
