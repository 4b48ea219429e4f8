"""Logs as JSON lines on standard error: counts and ids, never names or content of assets.

While such a log is open nothing else reaches standard error: libraries write warnings with paths
there, which must not get into a collected log.
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

from pipeline.runtime.progress import RateEstimator

PROGRESS_SECONDS = 30.0
"""Time between two lines of a step that goes on."""


class JsonLog:
    """A log of JSON lines: each has `time` (ISO 8601, UTC, milliseconds) and `event`.

    Args:
        stream: to write to; errors on writing are ignored, because a log must stop no scan.
        clock: seconds, monotonic.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._bound: dict[str, Any] = {}
        self._rates: dict[str, RateEstimator] = {}
        self._logged: dict[str, float] = {}

    def bind(self, **facts: Any) -> None:
        """Adds facts, such as a scan's id, to every later line."""
        self._bound |= facts

    def event(self, name: str, **facts: Any) -> None:
        """Writes a line. The facts are JSON values without names or content of assets."""
        when = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"time": when, "event": name, **self._bound, **facts}, ensure_ascii=True)
        with suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    def progress(self, step: str, done: int, total: int | None) -> None:
        """A Progress: a line at the start and the end of a step, and every 30 s between."""
        now = self._clock()
        rate = self._rates.setdefault(step, RateEstimator())
        rate.update(done, now)
        complete = done == total and total > 0
        if not complete and now - self._logged.get(step, -PROGRESS_SECONDS * 2) < PROGRESS_SECONDS:
            return
        self._logged[step] = now
        self.event("progress", phase=step, done=done, total=total, **rate.facts(total, now))


@contextmanager
def json_log() -> Iterator[JsonLog]:
    """A log on standard error; everything else written there meanwhile is discarded."""
    log = JsonLog(sys.stderr)
    with _only_log_on_stderr(log):
        yield log


@contextmanager
def _only_log_on_stderr(log: JsonLog) -> Iterator[None]:
    """Redirects file descriptor 2, at which libraries in C write too, to /dev/null; the log keeps
    the original.
    """
    try:
        descriptor = sys.stderr.fileno()
    except (OSError, ValueError, io.UnsupportedOperation):
        descriptor = -1
    if descriptor != 2:
        yield
        return
    sys.stderr.flush()
    original, devnull = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    os.close(devnull)
    stream = os.fdopen(original, "w", encoding="utf-8")
    before, log._stream = log._stream, stream
    try:
        yield
    finally:
        log._stream = before
        stream.flush()
        os.dup2(original, 2)
        stream.close()
