"""More than five hundred files of forty kinds, made to do harm: as many rows, and no harm done."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

HOSTILE = Path(__file__).parents[1] / "hostile"
ROOT = HOSTILE.parents[1]
sys.path += [str(HOSTILE), str(HOSTILE.parent / "load")]

from corpus import Expect, Plan, make  # noqa: E402

MEMORY = 1280 * 2**20
CONFIG = f"""version: 1
limits:
  max_worker_bytes: {MEMORY}
  max_load_seconds: 8
report:
  thumbnails: false
"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="memory is read from /proc"),
]


class Listener:
    """A server on the loopback that nothing may contact."""

    def __enter__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.contacts = 0
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        return self

    def _listen(self):
        while True:
            with self._socket.accept()[0]:
                if self._ends:
                    return
                self.contacts += 1

    _ends = False

    def __exit__(self, *_):
        self._ends = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._socket.close()


def everything(folder, but=()):
    """Mode, size and modification time of every path below `folder`."""
    states = {}
    for here, folders, files in os.walk(folder):
        if Path(here) in but:
            folders.clear()
            continue
        for name in (*folders, *files):
            state = os.lstat(Path(here) / name)
            states[str(Path(here) / name)] = (state.st_mode, state.st_size, state.st_mtime_ns)
    return states


@pytest.fixture(scope="module")
def screened(tmp_path_factory, index):
    base = tmp_path_factory.mktemp("corpus")
    (base / "tmp").mkdir()
    (base / "config.yaml").write_text(CONFIG)
    with Listener() as listener:
        plan = Plan(seed=7, port=listener.port, outside=base / "outside", large=True)
        hostile_files = make(base / "drop", plan)
        before = everything(base, but=(base / "drop" / "gone_before_they_are_read",))
        command = [
            sys.executable, HOSTILE / "screening.py", base / "drop", index, base / "out",
            base / "config.yaml", base / "seen.json",
        ]  # fmt: skip
        environment = {**os.environ, "TMPDIR": str(base / "tmp"), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=base / "tmp", timeout=900
        )
        assert done.returncode == 0, done.stderr[-3000:]
    table = pd.read_parquet(base / "out" / "risk_table.parquet").set_index("asset_path")
    observed = json.loads((base / "seen.json").read_text())
    return base, hostile_files, before, table, observed, listener


def test_as_many_rows_as_files(screened):
    _, hostile_files, _, table, observed, _ = screened
    kinds = Counter(file.kind for file in hostile_files)
    assert len(kinds) >= 25
    assert len(hostile_files) >= 500
    assert len(table) == observed["rows"] == len(hostile_files)
    assert set(table.index) == {file.path for file in hostile_files}


def test_nothing_damaged_passes_for_a_file_without_a_match(screened):
    _, hostile_files, _, table, _, _ = screened
    damaged = [file.path for file in hostile_files if file.expect is Expect.REFUSED]
    rows = table.loc[damaged]
    passed = rows[~rows["band"].isin(["not_screened", "partly_screened"])]
    assert passed.empty, passed[["band", "reasons"]].to_dict("index")
    assert (rows["reasons"].str.len() > 0).all()


def test_sound_content_under_any_name_is_screened(screened):
    _, hostile_files, _, table, _, _ = screened
    sound = [file.path for file in hostile_files if file.expect is Expect.GOOD]
    rows = table.loc[sound]
    failed = rows[~rows["band"].isin(["no_match", "partly_screened", "info", "review", "escalate"])]
    assert failed.empty, failed[["band", "reasons"]].to_dict("index")


def test_no_worker_took_more_memory_than_it_may(screened):
    *_, observed, _ = screened
    assert len(observed["peaks"]) >= 2
    assert max(observed["peaks"].values()) < MEMORY


def test_nothing_was_contacted(screened):
    *_, observed, listener = screened
    assert listener.contacts == 0
    assert observed["connections"] == []


def test_nothing_was_written_outside_the_results(screened, index):
    """Except the index, which stores computed values next to its tables."""
    base, _, before, _, observed, _ = screened
    allowed = {str(base / "seen.json"), str(base / "out")}
    gone = base / "drop" / "gone_before_they_are_read"
    now = everything(base, but=(base / "out", gone))
    folders = {str(base / "drop"), str(gone)}  # the test itself changes files in it
    changed = {path for path in now.keys() | before.keys() if now.get(path) != before.get(path)}
    assert changed - allowed - folders == set()
    allowed_places = (base / "out", base / "seen.json", gone, index, Path(os.devnull))
    for path in observed["written"]:
        place = Path(path).resolve()
        assert path.isdigit() or any(place.is_relative_to(one) for one in allowed_places), path
