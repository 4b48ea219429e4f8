"""What a scan finds in its drops, and what it leaves for the next."""

import json
import os
import time
from contextlib import ExitStack

import pytest

from pipeline.core.errors import Reason
from pipeline.drops.drop import open_drop
from pipeline.runtime.progress import silent
from pipeline.scan.listing import list_drops
from pipeline.scan.memory.state import ScanCache
from pipeline.scan.output.notes import unreachable_notes
from pipeline.scan.settings import load_settings
from pipeline.screening.config import Config

LONG_AGO = 1_700_000_000


@pytest.fixture
def place(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    cache = ScanCache(tmp_path / "state.sqlite")
    yield tmp_path
    cache.close()


def put(file, data=b"x", when=None):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    if when is not None:
        os.utime(file, (when, when))
    return file


def listing(place, scan_id="s1", now=None, **settings):
    text = {"version": 1, "index": "i", "out": "o", "drops": {}}
    for name in "ab":
        text["drops"][name] = {"path": name, "settle": {"seconds": 0}, **settings}
    (place / "n.yaml").write_text(json.dumps(text))
    cache = ScanCache(place / "state.sqlite")
    try:
        scan_settings = load_settings(place / "n.yaml")
        with ExitStack() as stack:
            sources = {
                name: stack.enter_context(
                    open_drop(
                        scan_settings.drop_place(name),
                        Config().limits.max_file_bytes,
                        Config().object_storage,
                    )
                )
                for name in scan_settings.drops
            }
            listed = list_drops(
                scan_settings, sources, cache, scan_id, now or time.time(), 2**20, silent
            )
        with cache.transaction():
            for name in "ab":
                if name not in {one.drop for one in listed.unreachable}:
                    cache.forget_files(name, scan_id)
        return listed
    finally:
        cache.close()


def paths(listed):
    return [asset.asset_path for asset in listed.assets]


def test_files_are_listed_under_the_name_of_their_drop_and_read_once(place):
    put(place / "a" / "x.txt")
    put(place / "b" / "in" / "y.txt")
    first = listing(place)
    assert paths(first) == ["a/x.txt", "b/in/y.txt"]
    assert first.read == 2
    again = listing(place, "s2")
    assert again.read == 0
    assert [a.asset_id for a in again.assets] == [a.asset_id for a in first.assets]


def test_a_change_is_seen_even_with_the_old_time_of_change(place):
    file = put(place / "a" / "x.txt", b"one", LONG_AGO)
    [before] = listing(place).assets
    put(file, b"two", LONG_AGO)
    listed = listing(place, "s2")
    assert listed.read == 1
    assert listed.assets[0].asset_id != before.asset_id


def test_a_file_that_may_still_be_arriving_is_a_row_and_judged_later(place):
    put(place / "a" / "x.txt")
    now = time.time()
    [asset] = listing(place, now=now, settle={"seconds": 60}).assets
    assert asset.fault.reason is Reason.ARRIVING
    assert asset.asset_id is None
    [asset] = listing(place, "s2", now=now + 61, settle={"seconds": 60}).assets
    assert asset.fault is None
    assert asset.asset_id is not None


def test_a_marker_makes_its_folder_and_what_is_below_it_ready(place):
    for name in ("one/x.txt", "one/deep/y.txt", "two/z.txt", "w.txt"):
        put(place / "a" / name)
    put(place / "a" / "one" / "_DONE")
    listed = listing(place, settle={"seconds": 0, "marker": "_DONE"})
    ready = [asset.asset_path for asset in listed.assets if asset.fault is None]
    assert ready == ["a/one/deep/y.txt", "a/one/x.txt"]
    assert len(listed.assets) == 4
    assert listed.markers == 1
    assert "_DONE" in listed.assets[-1].fault.detail


def test_a_drop_that_is_not_there_keeps_its_files(place):
    put(place / "a" / "x.txt")
    put(place / "b" / "y.txt")
    before = listing(place)
    (place / "a").rename(place / "elsewhere")
    listed = listing(place, "s2")
    assert paths(listed) == paths(before)
    assert [(one.drop, one.files) for one in listed.unreachable] == [("a", 1)]
    assert listed.from_cache == {"a/x.txt"}
    (place / "elsewhere").rename(place / "a")
    assert not listing(place, "s3").unreachable


def test_an_emptied_drop_is_taken_for_one_that_is_not_mounted(place):
    file = put(place / "a" / "x.txt")
    listing(place)
    file.unlink()
    listed = listing(place, "s2")
    assert [one.drop for one in listed.unreachable] == ["a"]
    assert "may_be_empty" in listed.unreachable[0].why
    assert paths(listed) == ["a/x.txt"]
    assert paths(listing(place, "s3", may_be_empty=True)) == []


def test_a_drop_that_was_always_empty_is_one(place):
    assert not listing(place).unreachable


def test_an_entry_that_is_not_a_file_is_checked_in_every_scan(place):
    os.mkfifo(place / "a" / "pipe")
    for scan_id in ("s1", "s2"):
        [asset] = listing(place, scan_id).assets
        assert asset.fault.reason is Reason.NOT_A_FILE


def test_a_judged_file_stays_judged_when_the_clock_is_set_back(place):
    put(place / "a" / "x.txt")
    now = time.time()
    [before] = listing(place, now=now + 61, settle={"seconds": 60}).assets
    [after] = listing(place, "s2", now=now - 86_400, settle={"seconds": 60}).assets
    assert after.asset_id == before.asset_id is not None
    put(place / "a" / "x.txt", b"other")
    [changed] = listing(place, "s3", now=now - 86_400, settle={"seconds": 60}).assets
    assert changed.fault.reason is Reason.ARRIVING


def test_a_time_of_change_in_the_future_is_waited_out_for_one_scan(place):
    file = put(place / "a" / "x.txt", when=LONG_AGO * 2)
    [first] = listing(place, settle={"seconds": 60}).assets
    assert first.fault.reason is Reason.ARRIVING
    assert "is in the future" in first.fault.detail
    put(file, b"more", LONG_AGO * 2)
    [still] = listing(place, "s2", settle={"seconds": 60}).assets
    assert still.fault.reason is Reason.ARRIVING
    [at_rest] = listing(place, "s3", settle={"seconds": 60}).assets
    assert at_rest.fault is None
    assert at_rest.asset_id is not None


def test_a_young_file_is_not_ready_for_being_the_same_in_two_scans(place):
    put(place / "a" / "x.txt")
    now = time.time()
    for scan_id, later in (("s1", 1), ("s2", 59.0)):
        [asset] = listing(place, scan_id, now=now + later, settle={"seconds": 60}).assets
        assert asset.fault.reason is Reason.ARRIVING


def test_files_below_a_folder_that_cannot_be_listed_stay_as_they_were(place, monkeypatch):
    for name in ("sub/x.txt", "sub/deep/y.txt", "subtle.txt", "gone.txt"):
        put(place / "a" / name)
    before = {asset.asset_path: asset.asset_id for asset in listing(place).assets}
    (place / "a" / "gone.txt").unlink()
    scandir = os.scandir

    def refused(folder):
        if os.fspath(folder).endswith("/sub"):
            raise OSError(5, "Input/output error", folder)
        return scandir(folder)

    for scan_id in ("s2", "s3"):
        with monkeypatch.context() as patched:
            patched.setattr(os, "scandir", refused)
            listed = listing(place, scan_id)
        [folder] = [asset for asset in listed.assets if asset.asset_path == "a/sub"]
        assert folder.fault is not None
        asset_ids = {a.asset_path: a.asset_id for a in listed.assets if a is not folder}
        assert asset_ids == {path: one for path, one in before.items() if path != "a/gone.txt"}
        assert listed.from_cache == {"a/sub/x.txt", "a/sub/deep/y.txt"}
        assert listed.unreadable_folders == {"a/sub": 2}
        assert unreachable_notes(listed)[-1] == (
            "The folder a/sub could not be read; its 2 files stay as they were last read."
        )
        assert not listed.unreachable
    again = listing(place, "s4")
    assert again.read == 0
    assert not again.unreadable_folders
