"""Loading in workers: processes with bounds on memory and time, so that a file can do no harm.

A file that takes the decoder down costs its own row. Workers are started when they are needed, kept
as long as this process runs, and replaced when they have died or have read many files.
docs/design/workers.md says why it is so.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

from pipeline.core.errors import DecodingError, Reason
from pipeline.core.records import Asset, Fault
from pipeline.load import OUT_OF_MEMORY
from pipeline.load.limits import Limits
from pipeline.load.loaded import Loaded
from pipeline.load.workers.prefetch import Item, prefetch
from pipeline.load.workers.worker import (
    Clock,
    Worker,
    WorkerDiedError,
    WorkerGoneError,
    WorkerLateError,
    WorkerStartError,
    forget_workers,
)

FILES_A_WORKER = 1000
"""A worker is replaced after so many files: what a decoder leaks does not grow for ever."""
START_PAUSES = (0.2, 1.0)
"""Seconds before each further try to start a worker that ended while it started: whatever killed it
may need a moment to make room."""
FILES_WITHOUT = 20
"""Files in a row for which no worker could be started, after which the run ends."""
_BYTES_A_SECOND = 4 * 2**20


def seconds_for(asset: Asset, limits: Limits) -> float:
    """How long decoding the asset may take, in seconds."""
    return limits.max_load_seconds + (asset.size or 0) / _BYTES_A_SECOND


class Pool:
    """The workers of this process that are idle, and the making of new ones."""

    def __init__(self) -> None:
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._clock: Clock | None = None

    def take(self, memory_bytes: int, *, fresh: bool = False) -> Worker:
        """A worker with that bound; with `fresh`, one that has read nothing yet.

        One that ends while it starts is started again, `len(START_PAUSES)` times at most.

        Raises:
            DecodingError: if there is none and none can be started.
        """
        for pause in START_PAUSES:
            try:
                return self._take(memory_bytes, fresh)
            except WorkerStartError:
                time.sleep(pause)
        return self._take(memory_bytes, fresh)

    def _take(self, memory_bytes: int, fresh: bool) -> Worker:
        unfit = []
        found = None
        with self._lock:
            clock = self._clock = self._clock or Clock()
            while self._idle and found is None and not fresh:
                worker = self._idle.pop()
                if worker.memory_bytes == memory_bytes and worker.alive():
                    found = worker
                else:
                    unfit.append(worker)
        for worker in unfit:
            worker.end()
        return found or Worker(memory_bytes, clock)

    def give(self, worker: Worker) -> None:
        """Takes a worker back that has answered."""
        if worker.files >= FILES_A_WORKER or worker.swollen():
            worker.end()
            return
        with self._lock:
            self._idle.append(worker)

    def close(self) -> None:
        """Ends the idle workers."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()


_pool = Pool()


def close_workers() -> None:
    """Ends the workers that are idle; the next file starts others."""
    _pool.close()


def _forget() -> None:
    """A forked process has its parent's workers in its memory, and must not speak to them."""
    global _pool
    forget_workers()
    _pool = Pool()


atexit.register(close_workers)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class _LeftError(Exception):
    """A file was asked for, or was being read, when the caller had left already."""


class Workers:
    """Loads assets in workers; to be left as a context, and then ends those that are still busy.

    Args:
        limits: what is too large, takes too long or takes too much memory.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._busy: set[Worker] = set()
        self._lock = threading.Lock()
        self._left = False
        self._served = False
        self._without = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._left = True
            busy = list(self._busy)
        for worker in busy:
            worker.kill()

    def load(self, asset: Asset) -> Loaded | Fault:
        """The asset's pixels or text, or why it has none to give. May be called from any thread.

        A worker that dies, or has no memory left, may do so for what earlier files left behind in
        it. So the file is tried once more in a new worker, and what happens there is the answer.
        If no worker can be started, that is the file's fault as long as others could be before.

        Raises:
            DecodingError: if no worker can be started, and none could be before, or none for many
                files in a row.
        """
        if asset.fault is not None:
            return asset.fault
        try:
            answer = self._tried(asset, fresh=False)
            for _ in START_PAUSES:
                if answer is not None:
                    return answer
                answer = self._tried(asset, fresh=True)
        except DecodingError:
            with self._lock:
                self._without += 1
                if not self._served or self._without >= FILES_WITHOUT:
                    raise
            return _NO_WORKER
        return answer if answer is not None else _NO_WORKER

    def _tried(self, asset: Asset, *, fresh: bool) -> Loaded | Fault | None:
        """The answer of a worker, or None if a new worker may have another."""
        worker = _pool.take(self._limits.max_worker_bytes, fresh=fresh)
        fresh = worker.files == 0
        with self._lock:
            self._served, self._without = True, 0
            left = self._left
            if not left:
                self._busy.add(worker)
        sound = left
        try:
            if left:
                raise _LeftError
            answer = worker.load(asset, self._limits, seconds_for(asset, self._limits))
            sound = answer != OUT_OF_MEMORY
        except WorkerLateError:
            return timed_out(asset, self._limits)
        except WorkerGoneError as gone:
            if self._left:
                raise _LeftError from gone
            return None
        except WorkerDiedError as died:
            if self._left:
                raise _LeftError from died
            return _died(str(died)) if fresh else None
        else:
            return answer if sound or fresh else None
        finally:
            with self._lock:
                self._busy.discard(worker)
            if sound:
                _pool.give(worker)
            else:
                worker.kill()
                worker.end()


def load_all(
    items: Iterable[Item], limits: Limits, asset_of: Callable[[Item], Asset]
) -> Iterator[list[tuple[Item, Loaded | Fault]]]:
    """Chunks of items with what loading their assets gave, in order (`prefetch`).

    Raises:
        DecodingError: if no worker can be started.
    """
    with Workers(limits) as workers:
        yield from prefetch(items, lambda item: workers.load(asset_of(item)))


def load_in_worker(asset: Asset, limits: Limits) -> Loaded | Fault:
    """What `pipeline.load.load` gives for one asset, decoded in a worker.

    Raises:
        DecodingError: if no worker can be started.
    """
    with Workers(limits) as workers:
        return workers.load(asset)


_NO_WORKER = Fault(
    Reason.NO_DECODER,
    "no process could be started to decode the file in, which is the machine's fault and not the "
    "file's: it was out of memory or of processes, or something ended them; screen it again",
)


def timed_out(asset: Asset, limits: Limits) -> Fault:
    """The fault of an asset whose decoding took longer than it may."""
    seconds = seconds_for(asset, limits)
    return Fault(
        Reason.TIMED_OUT,
        f"decoding the file took more than the {seconds:,.0f} seconds that it has by "
        "limits.max_load_seconds of the configuration; it may be made to do harm; save it anew, or "
        "raise the limit",
    )


def _died(how: str) -> Fault:
    return Fault(
        Reason.DECODER_DIED,
        f"the file broke the process that decoded it ({how}); it is damaged or made to do harm; "
        "save it anew from the program that made it",
    )
