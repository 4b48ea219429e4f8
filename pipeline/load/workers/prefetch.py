"""Loading ahead: files are decoded while earlier ones are fingerprinted."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from pipeline.core.records import Fault
from pipeline.load.loaded import Loaded, LoadedImage

Item = TypeVar("Item")

CHUNK_ITEMS = 16
CHUNK_BYTES = 256 * 2**20


def decoded_bytes(loaded: Loaded | Fault) -> int:
    """Memory that a loaded file holds, roughly, in bytes."""
    if isinstance(loaded, LoadedImage):
        return sum(frame.nbytes for frame in loaded.frames)
    if isinstance(loaded, Fault):
        return 0
    return 4 * len(loaded.text)


def prefetch(
    items: Iterable[Item], load_one: Callable[[Item], Loaded | Fault]
) -> Iterator[list[tuple[Item, Loaded | Fault]]]:
    """Chunks of loaded items, in order.

    A chunk ends at `CHUNK_ITEMS` items or `CHUNK_BYTES` of decoded data, so that a few very large
    pictures do not stand in memory together. `load_one` is called on threads, which mostly wait for
    a worker (`pipeline.load.workers.pool`). Who leaves early doesn't wait for files that are being
    read.
    """
    threads = max(2, os.cpu_count() or 1)
    source = iter(items)
    waiting: deque[tuple[Item, Future[Loaded | Fault]]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="load")

    def refill() -> None:
        while len(waiting) < threads:
            try:
                item = next(source)
            except StopIteration:
                return
            waiting.append((item, pool.submit(load_one, item)))

    chunk: list[tuple[Item, Loaded | Fault]] = []
    held = 0
    try:
        refill()
        while waiting:
            item, future = waiting.popleft()
            loaded = future.result()
            refill()
            chunk.append((item, loaded))
            held += decoded_bytes(loaded)
            if len(chunk) >= CHUNK_ITEMS or held >= CHUNK_BYTES:
                yield chunk
                chunk, held = [], 0
        if chunk:
            yield chunk
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
