"""Loads assets in a pool of worker processes with limits on memory and time, and prefetches them.

A file that crashes its decoder costs only its own row. Workers are started on demand, reused as
long as this process runs, and replaced when they have died or have decoded many files. For the
reasons see docs/design/workers.md. `prefetch` loads files on threads while earlier ones are
fingerprinted.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from pipeline.core.errors import DecodingError, Reason
from pipeline.core.records import Asset, Fault
from pipeline.load.limits import Limits
from pipeline.load.load import OUT_OF_MEMORY
from pipeline.load.loaded import Loaded, LoadedImage
from pipeline.load.workers.worker import (
    Clock,
    Worker,
    WorkerDiedError,
    WorkerGoneError,
    WorkerStartError,
    WorkerTimeoutError,
    forget_workers,
)

Item = TypeVar("Item")

FILES_A_WORKER = 1000
"""Files after which a worker is replaced, so that memory leaks of decoders stay bounded."""
START_PAUSES = (0.2, 1.0)
"""Seconds before each further attempt to start a worker that exited while it started: what killed
it, such as the OOM killer, may need a moment to free memory."""
FAILED_STARTS = 20
"""Files in a row for which no worker could be started, after which the run fails."""
_BYTES_A_SECOND = 4 * 2**20

CHUNK_ITEMS = 16
"""Files of a chunk: as many as a model embeds in one batch."""
CHUNK_BYTES = 256 * 2**20
"""Decoded data after which a chunk ends, so that few large pictures are in memory together."""


def seconds_for(asset: Asset, limits: Limits) -> float:
    """How long decoding the asset may take, in seconds."""
    return limits.max_load_seconds + (asset.size or 0) / _BYTES_A_SECOND


class Pool:
    """The idle workers of this process; starts new ones."""

    def __init__(self) -> None:
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._clock: Clock | None = None

    def take(self, memory_bytes: int, *, fresh: bool = False) -> Worker:
        """An idle worker with that memory limit, or a new one.

        A worker that exits while it starts is started again, `len(START_PAUSES)` times at most.

        Args:
            memory_bytes: limit on address space, in bytes.
            fresh: start a new one, which has decoded nothing yet.

        Raises:
            DecodingError: if none is idle and none can be started.
        """
        for pause in START_PAUSES:
            try:
                return self._take(memory_bytes, fresh)
            except WorkerStartError:
                time.sleep(pause)
        return self._take(memory_bytes, fresh)

    def _take(self, memory_bytes: int, fresh: bool) -> Worker:
        discarded = []
        suitable = None
        with self._lock:
            clock = self._clock = self._clock or Clock()
            while self._idle and suitable is None and not fresh:
                worker = self._idle.pop()
                if worker.memory_bytes == memory_bytes and worker.alive():
                    suitable = worker
                else:
                    discarded.append(worker)
        for worker in discarded:
            worker.end()
        return suitable or Worker(memory_bytes, clock)

    def put_back(self, worker: Worker) -> None:
        """Makes a worker idle again that has replied, or ends it if it is to be replaced."""
        if worker.files >= FILES_A_WORKER or worker.leaks():
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
    """After a fork: the workers in memory belong to the parent, and must not be used here."""
    global _pool
    forget_workers()
    _pool = Pool()


atexit.register(close_workers)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


class _LeftError(Exception):
    """The context was left before or while a file was loaded."""


class Workers:
    """Loads assets in workers. A context manager: leaving it kills the workers that are busy.

    Args:
        limits: on size, time and memory.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._busy: set[Worker] = set()
        self._lock = threading.Lock()
        self._left = False
        self._started_any = False
        self._failed_starts = 0

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
        """The asset's pixels or text, or the fault that prevents it. Thread-safe.

        A worker that dies, or runs out of memory, may do so because of earlier files. So the file
        is tried once more in a new worker, and that result counts. If no worker can be started, the
        file gets a fault, provided that one could be started before in this run.

        Raises:
            DecodingError: if no worker can be started, and none could be before, or none for
                `FAILED_STARTS` files in a row.
        """
        if asset.fault is not None:
            return asset.fault
        try:
            result = self._attempt(asset, fresh=False)
            for _ in START_PAUSES:
                if result is not None:
                    return result
                result = self._attempt(asset, fresh=True)
        except DecodingError:
            with self._lock:
                self._failed_starts += 1
                if not self._started_any or self._failed_starts >= FAILED_STARTS:
                    raise
            return _NO_WORKER
        return result if result is not None else _NO_WORKER

    def _attempt(self, asset: Asset, *, fresh: bool) -> Loaded | Fault | None:
        """The result of one worker; None if a new worker may give another."""
        worker = _pool.take(self._limits.max_worker_bytes, fresh=fresh)
        fresh = worker.files == 0
        with self._lock:
            self._started_any, self._failed_starts = True, 0
            left = self._left
            if not left:
                self._busy.add(worker)
        reusable = left
        try:
            if left:
                raise _LeftError
            result = worker.load(asset, self._limits, seconds_for(asset, self._limits))
            reusable = result != OUT_OF_MEMORY
        except WorkerTimeoutError:
            return timeout_fault(asset, self._limits)
        except WorkerGoneError as gone:
            if self._left:
                raise _LeftError from gone
            return None
        except WorkerDiedError as died:
            if self._left:
                raise _LeftError from died
            return _died(str(died)) if fresh else None
        else:
            return result if reusable or fresh else None
        finally:
            with self._lock:
                self._busy.discard(worker)
            if reusable:
                _pool.put_back(worker)
            else:
                worker.kill()
                worker.end()


def load_all(
    items: Iterable[Item], limits: Limits, asset_of: Callable[[Item], Asset]
) -> Iterator[list[tuple[Item, Loaded | Fault]]]:
    """Loads the assets of items in workers: chunks of (item, result), in order (`prefetch`).

    Raises:
        DecodingError: if no worker can be started.
    """
    with Workers(limits) as workers:
        yield from prefetch(items, lambda item: workers.load(asset_of(item)))


def load_in_worker(asset: Asset, limits: Limits) -> Loaded | Fault:
    """Loads one asset in a worker: the result of `pipeline.load.load.load`.

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


def timeout_fault(asset: Asset, limits: Limits) -> Fault:
    """The fault of an asset whose decoding exceeded its time limit."""
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


def decoded_bytes(loaded: Loaded | Fault) -> int:
    """Approximate memory of a loaded file, in bytes; text counts 4 bytes a character."""
    if isinstance(loaded, LoadedImage):
        return sum(frame.nbytes for frame in loaded.frames)
    if isinstance(loaded, Fault):
        return 0
    return 4 * len(loaded.text)


def prefetch(
    items: Iterable[Item], load_one: Callable[[Item], Loaded | Fault]
) -> Iterator[list[tuple[Item, Loaded | Fault]]]:
    """Loads items ahead of the consumer: chunks of (item, result), in order.

    A chunk ends at `CHUNK_ITEMS` items or `CHUNK_BYTES` of decoded data. At most as many items are
    loaded ahead as the machine has processors. Closing the generator does not wait for files that
    are being loaded.

    Args:
        items: taken from the iterator as loading proceeds.
        load_one: called on threads, which mostly wait for a worker (`Workers.load`).
    """
    threads = max(2, os.cpu_count() or 1)
    source = iter(items)
    waiting: deque[tuple[Item, Future[Loaded | Fault]]] = deque()
    executor = ThreadPoolExecutor(threads, thread_name_prefix="load")

    def refill() -> None:
        while len(waiting) < threads:
            try:
                item = next(source)
            except StopIteration:
                return
            waiting.append((item, executor.submit(load_one, item)))

    chunk: list[tuple[Item, Loaded | Fault]] = []
    chunk_bytes = 0
    try:
        refill()
        while waiting:
            item, future = waiting.popleft()
            loaded = future.result()
            refill()
            chunk.append((item, loaded))
            chunk_bytes += decoded_bytes(loaded)
            if len(chunk) >= CHUNK_ITEMS or chunk_bytes >= CHUNK_BYTES:
                yield chunk
                chunk, chunk_bytes = [], 0
        if chunk:
            yield chunk
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
