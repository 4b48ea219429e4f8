"""JSON logs: lines at intervals, and nothing else on standard error."""

from __future__ import annotations

import json
import os
from io import StringIO

from pipeline.runtime import json_log
from pipeline.runtime.json_log import JsonLog


def test_progress_is_logged_at_intervals():
    stream, now = StringIO(), [0.0]
    log = JsonLog(stream, clock=lambda: now[0])
    for done in range(101):
        now[0] = float(done)
        log.progress("Judging", done, 100)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["done"] for line in lines] == [0, 30, 60, 90, 100]
    assert lines[1]["per_second"] == 1.0
    assert lines[1]["seconds_left"] == 70.0


def test_a_broken_stream_is_ignored():
    class Broken(StringIO):
        def write(self, _text):
            raise BrokenPipeError

    JsonLog(Broken()).event("scan_started")


def test_nothing_but_the_log_reaches_standard_error(capfd):
    with json_log._only_log_on_stderr(JsonLog(StringIO())):
        pass  # under capture, standard error is not descriptor 2: nothing is redirected
    os.write(2, b"still there")
    assert capfd.readouterr().err == "still there"
