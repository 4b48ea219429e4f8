"""Prefetching: every item once and in order, with bounded memory."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import Reason
from pipeline.core.records import Fault
from pipeline.load.loaded import LoadedImage, LoadedScript, Span
from pipeline.load.workers import pool

FAULT = Fault(Reason.CORRUPT, "it is damaged")


def image(side):
    return LoadedImage((np.zeros((side, side, 3), np.uint8),), "PNG")


def test_decoded_bytes():
    script = LoadedScript("words", (Span(0, 5),), "txt")
    assert pool.decoded_bytes(FAULT) == 0
    assert pool.decoded_bytes(image(10)) == 300
    assert pool.decoded_bytes(script) == 20


@given(st.integers(0, 100))
@settings(max_examples=15)
def test_every_item_once_and_in_order(count):
    chunks = list(pool.prefetch(range(count), lambda _: FAULT))
    assert [item for chunk in chunks for item, _ in chunk] == list(range(count))
    assert all(len(chunk) == pool.CHUNK_ITEMS for chunk in chunks[:-1])
    assert all(chunks)


@pytest.mark.parametrize(("bound", "expected"), [(599, 2), (600, 2), (601, 3), (1, 1)])
def test_a_chunk_ends_at_its_size_limit(monkeypatch, bound, expected):
    monkeypatch.setattr(pool, "CHUNK_BYTES", bound)
    chunks = list(pool.prefetch(range(6), lambda _: image(10)))
    assert [len(chunk) for chunk in chunks[:-1]] == [expected] * (len(chunks) - 1)
    assert sum(map(len, chunks)) == 6


def test_items_are_requested_at_most_one_per_thread_ahead():
    requested = []

    def source():
        for number in range(500):
            requested.append(number)
            yield number

    chunks = pool.prefetch(source(), lambda _: FAULT)
    assert requested == []
    assert len(next(chunks)) == pool.CHUNK_ITEMS
    threads = threading.active_count()
    assert len(requested) <= pool.CHUNK_ITEMS + max(2, threads)
    chunks.close()


def test_a_fault_of_the_program_is_not_hidden():
    def broken(item):
        if item == 3:
            raise ZeroDivisionError
        return FAULT

    with pytest.raises(ZeroDivisionError):
        list(pool.prefetch(range(5), broken))
