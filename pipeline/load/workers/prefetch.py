"""Prefetching: files are decoded on other threads while earlier ones are fingerprinted."""

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
"""Files of a chunk: as many as a model embeds in one batch."""
CHUNK_BYTES = 256 * 2**20
"""Decoded data after which a chunk ends, so that few large pictures are in memory together."""


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
        load_one: called on threads, which mostly wait for a worker (`pipeline.load.workers.pool`).
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
        pool.shutdown(wait=False, cancel_futures=True)
