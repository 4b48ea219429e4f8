"""Clean shutdown: the first Ctrl-C or SIGTERM raises an exception, the second ends the process."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SHOW_CURSOR = b"\x1b[?25h"
"""ANSI escape sequence."""


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM was received; `number` is the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def status(self) -> int:
        """Exit status by shell convention: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number


class StopRequest:
    """Whether a signal was received, and which; `number` is None before."""

    def __init__(self) -> None:
        self.number: int | None = None

    def check(self) -> None:
        """Raises Interrupted if a signal was received: the exception raised by the handler is
        lost if it came up inside a destructor.
        """
        if self.number is not None:
            raise Interrupted(self.number)


@contextmanager
def interruptible(on_signal: Callable[[str], None]) -> Iterator[StopRequest]:
    """In the block the first SIGINT or SIGTERM raises Interrupted, and the second ends the process.

    Python delivers signals to the main thread only; in other threads this does nothing.

    Args:
        on_signal: called by the handler with the name of the first signal, such as `SIGTERM`; its
            exceptions are ignored.

    Raises:
        Interrupted: anywhere in the block.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.number is not None:
            with suppress(OSError, ValueError):
                if sys.stderr.isatty():
                    os.write(2, SHOW_CURSOR)  # a progress bar has hidden it
            os._exit(128 + number)
        stop.number = number
        with suppress(Exception):
            on_signal(signal.Signals(number).name)
        raise Interrupted(number)

    before = {one: signal.signal(one, handle) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
