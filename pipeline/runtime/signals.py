"""Ending early and cleanly: Ctrl-C and SIGTERM raise once, and end the process the second time."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SHOW_CURSOR = b"\x1b[?25h"


class Interrupted(KeyboardInterrupt):
    """A signal came; `number` is its number."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def status(self) -> int:
        """The exit status that says so: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number


class Stop:
    """Whether a signal has come."""

    def __init__(self) -> None:
        self.number: int | None = None

    def check(self) -> None:
        """Raises Interrupted if a signal has come: one that was raised inside a destructor or the
        like is lost there.
        """
        if self.number is not None:
            raise Interrupted(self.number)


@contextmanager
def interruptible(heard: Callable[[str], None]) -> Iterator[Stop]:
    """Within, the first SIGINT or SIGTERM raises Interrupted, and the second ends the process.

    Signals reach the main thread alone; in another nothing is changed.

    Args:
        heard: told the name of the first signal at once; what it raises is dropped.

    Raises:
        Interrupted: out of whatever was being done.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.number is not None:
            with suppress(OSError, ValueError):
                if sys.stderr.isatty():
                    os.write(2, SHOW_CURSOR)  # or it stays hidden where a bar was drawn
            os._exit(128 + number)
        stop.number = number
        with suppress(Exception):
            heard(signal.Signals(number).name)
        raise Interrupted(number)

    before = {one: signal.signal(one, handle) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
