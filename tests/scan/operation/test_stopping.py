"""Ctrl-C, SIGTERM and a kill, on a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from pipeline.runtime.signals import Interrupted, interruptible

SLOW = """
import sys, time
from pipeline.load.workers.pool import Workers
real, seconds = Workers.load, float(sys.argv.pop(1))
def load(*words):
    time.sleep(seconds)
    return real(*words)
Workers.load = load
from pipeline.cli import main
main()
"""


@pytest.fixture
def started(night):
    """Starts a slow scan as a process, and waits until it is under way."""
    for number in range(28):
        (night.drop / f"{number:02d}.txt").write_text(f"{number} words that are no copy " * 4)
    processes = []

    def start(seconds, *words):
        process = subprocess.Popen(
            [sys.executable, "-c", SLOW, str(seconds), "scan", "--config", night.config, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        processes.append(process)
        deadline = time.monotonic() + 120
        while not judged(night):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def judged(night) -> int:
    """The number of contents in the scan cache."""
    import sqlite3

    state = night.scan / "state.sqlite"
    if not state.exists():
        return 0
    with sqlite3.connect(f"file:{state}?mode=ro", uri=True) as database:
        try:
            [number] = database.execute("select count(*) from contents").fetchone()
        except sqlite3.OperationalError:
            return 0
    database.close()
    return number


def test_sigterm_ends_cleanly_and_the_next_scan_goes_on(night, started):
    process = started(0.1, "--log-json")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "Interrupted; the next scan resumes where this one stopped." in out
    assert [json.loads(line)["event"] for line in err.splitlines()][-2:] == [
        "stopping", "scan_interrupted",
    ]  # fmt: skip
    assert (night.beat["state"], night.beat["exit_status"]) == ("interrupted", 143)
    judged_count = judged(night)
    assert 0 < judged_count < 32
    done = night.run("--log-json")
    [plan] = [line for line in done.lines if line["event"] == "plan"]
    assert (plan["keep"], plan["load"]) == (judged_count, 32 - judged_count)
    assert night.delta()["files"] == 32


TWICE = """
import os, signal
from pathlib import Path
from pipeline.runtime.signals import interruptible
from pipeline.scan.operation.operate import Heartbeat
Heartbeat(Path("heartbeat.json")).start("one")
with interruptible(print):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        print("not reached")
"""


def test_the_second_ctrl_c_ends_at_once_and_leaves_the_last_beat(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", TWICE], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 130
    assert "not reached" not in done.stdout
    assert not done.stderr
    beat = json.loads((tmp_path / "heartbeat.json").read_text())
    assert (beat["state"], beat["exit_status"]) == ("running", None)


def test_a_signal_raises_once_and_is_remembered():
    heard = []
    before = signal.getsignal(signal.SIGTERM)
    with interruptible(heard.append) as stop:
        stop.check()
        with pytest.raises(Interrupted) as caught:
            os.kill(os.getpid(), signal.SIGTERM)
        assert caught.value.status == 143
        assert heard == ["SIGTERM"]
        with pytest.raises(Interrupted):
            stop.check()
    assert signal.getsignal(signal.SIGTERM) is before


def test_ctrl_c_says_that_the_next_scan_goes_on(night, monkeypatch):
    def stop(*_):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the signal should have been raised")

    monkeypatch.setattr("pipeline.scan.run.write_outputs", stop)
    done = night.run()
    assert done.status == 130
    assert done.stderr.endswith("Interrupted; the next scan resumes where this one stopped.\n")
    assert (night.beat["state"], night.beat["exit_status"]) == ("interrupted", 130)
    assert not (night.scan / "latest").exists()
