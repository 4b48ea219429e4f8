"""A file that takes too long is skipped in most scans, and tried again from time to time."""

from __future__ import annotations

import pytest
from scan_samples import bands, words

from pipeline.load.workers.pool import close_workers
from pipeline.load.workers.worker import Worker, WorkerTimeoutError
from pipeline.scan.memory import timeouts
from pipeline.scan.run import scan
from pipeline.scan.settings import load_settings


class Slow:
    """Makes scripts with `slow` in their name time out while `on` is true."""

    def __init__(self, monkeypatch):
        self.on, self.tried = True, 0
        load = Worker.load

        def loaded(worker, asset, limits, seconds):
            if "slow" not in asset.asset_path or not self.on:
                return load(worker, asset, limits, seconds)
            self.tried += 1
            raise WorkerTimeoutError("it took more than that")

        monkeypatch.setattr(Worker, "load", loaded)

    def took(self):
        """The number of tries since the last call."""
        tried, self.tried = self.tried, 0
        return tried


@pytest.fixture
def slow(studio, monkeypatch):
    studio.put("slow.txt", words(60))
    yield Slow(monkeypatch)
    close_workers()


def row(studio):
    rows = studio.read().risk_rows.to_pylist()
    return next(one for one in rows if one["asset_path"] == "a/slow.txt")


def scanned(studio):
    """The messages of a scan, the `reasons` of the row, and the result."""
    messages = []
    done = scan(load_settings(studio.config()), on_message=messages.append)
    return " ".join(messages), row(studio)["reasons"], done


def test_bytes_that_took_too_long_in_three_scans_are_left_with_the_same_reason(studio, slow):
    first = scanned(studio)[1]
    assert first.startswith("Not screened: decoding the file took more than the 120 seconds")
    for _ in range(2):
        assert scanned(studio)[1] == first
    assert slow.took() == 3
    plan, reasons, done = scanned(studio)
    assert slow.took() == 0
    assert reasons == first
    assert "1 to keep with the previous results: took too long in the scans before." in plan
    assert bands(studio.read())["a/slow.txt"] == "not_screened"
    assert not any(done.summary["changes"].values())


def test_it_is_tried_again_in_every_tenth_scan_and_screened_when_it_loads(studio, slow):
    tried = []
    for _ in range(12):
        studio.scan()
        tried.append(slow.took())
    assert tried == [1, 1, 1, *[0] * 7, 1, 0]
    slow.on = False
    for _ in range(9):
        studio.scan()
    assert bands(studio.read())["a/slow.txt"] == "no_match"
    assert timeouts.RETRY_EVERY == 10


def test_other_limits_or_other_bytes_are_tried_at_once(studio, slow):
    for _ in range(4):
        studio.scan()
    assert slow.took() == 3
    studio.screening = {"limits": {"max_load_seconds": 240}}
    assert "240 seconds" in scanned(studio)[1]
    assert slow.took() == 1
    studio.put("slow.txt", words(61))
    studio.scan()
    assert slow.took() == 1


def test_a_scan_in_which_it_loads_resets_the_count(studio, slow):
    for _ in range(2):
        studio.scan()
    slow.on = False
    studio.scan()
    assert bands(studio.read())["a/slow.txt"] == "no_match"
    slow.on = True
    studio.screening = {"limits": {"max_load_seconds": 240}}
    slow.took()
    for _ in range(3):
        studio.scan()
    assert slow.took() == 3


def test_a_state_of_an_earlier_release_is_used_and_gets_the_table(studio, slow):
    from pipeline.scan.memory.state import ScanCache

    studio.scan()
    cache = ScanCache(studio.out() / "state.sqlite")
    with cache.transaction():
        cache._db.execute("drop table late")
    cache.close()
    studio.scan()
    assert slow.took() == 2
