"""Loads some files of every kind of the hostile corpus in workers, as screening does.

tests/end_to_end/test_hostile_corpus.py screens them all.
"""

from __future__ import annotations

import itertools
import os

import pytest
from corpus import KINDS, Expect, Plan, make
from load_samples import checked

from pipeline.core.errors import Reason
from pipeline.core.records import Fault
from pipeline.drops.discover import discover
from pipeline.load.limits import Limits
from pipeline.load.workers.pool import load_all

LIMITS = Limits(max_worker_bytes=1280 * 2**20, max_load_seconds=8)
FILES_OF_EACH_KIND = 3


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    base = tmp_path_factory.mktemp("corpus")
    plan = Plan(seed=3, port=9, outside=base / "outside", large=False)
    files = make(base / "drop", plan, FILES_OF_EACH_KIND)
    assets = list(discover(base / "drop", LIMITS.max_file_bytes))
    for number, file in enumerate(sorted((base / "drop" / "gone_before_they_are_read").iterdir())):
        file.unlink()
        if number % 2:
            os.mkfifo(file)
    results = itertools.chain(*load_all(assets, LIMITS, lambda asset: asset))
    return files, {asset.asset_path: checked(result) for asset, result in results}


def test_every_file_has_a_result(loaded):
    files, results = loaded
    assert results.keys() == {file.path for file in files}
    assert {file.kind for file in files} == KINDS.keys()


@pytest.mark.parametrize("kind", ["cut_off", "links", "sparse", "billion_laughs", "zip_bombs"])
def test_the_corpus_is_the_same_each_time(tmp_path, kind):
    plan = Plan(seed=3, port=9, outside=tmp_path, large=False)
    one, other = (
        [(name, data) for name, data in KINDS[kind].generator(plan) if isinstance(data, bytes)]
        for _ in range(2)
    )
    assert one == other


def test_damaged_files_are_never_loaded_completely(loaded):
    files, results = loaded
    for file in files:
        result = results[file.path]
        if file.expect is Expect.REFUSED:
            assert isinstance(result, Fault) or not result.complete, (file, result)
        elif file.expect is Expect.GOOD:
            assert not isinstance(result, Fault), (file, result)


def test_what_was_taken_away_is_not_there(loaded):
    _, results = loaded
    gone = [result for path, result in results.items() if path.startswith("gone_before")]
    assert {result.reason for result in gone} == {Reason.UNREADABLE, Reason.NOT_A_FILE}
