"""Rate, time left, and how progress is shown."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from pipeline.runtime.progress import (
    RateEstimator,
    console_progress,
    duration_in_words,
    rate_in_words,
)


def test_the_rate_is_of_the_last_minute():
    rate = RateEstimator()
    rate.update(0, 0.0)
    assert rate.per_second(0.5) is None
    for second in range(1, 200):
        rate.update(10 * min(second, 100) + max(0, second - 100), float(second))
    assert rate.per_second(199.0) == pytest.approx(1.0, rel=0.05)
    assert rate.seconds_left(1199, 199.0) == pytest.approx(100, rel=0.05)
    assert rate.seconds_left(None, 199.0) is None


def test_the_rate_falls_while_no_item_is_done():
    rate = RateEstimator()
    rate.update(0, 0.0)
    rate.update(10, 10.0)
    assert rate.per_second(20.0) == 0.5


def test_rate_and_time_left_in_words():
    assert rate_in_words(12.3, 190) == "12/s, 3 min left"
    assert rate_in_words(0.05, None) == "3.0/min"
    assert rate_in_words(None, None) == ""
    assert [duration_in_words(s) for s in (0, 59, 60, 3599, 3600, 11100)] == [
        "0 s", "59 s", "1 min", "1 h 00 min", "1 h 00 min", "3 h 05 min",
    ]  # fmt: skip


def test_lines_show_rate_and_time_left(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("pipeline.runtime.progress.time.monotonic", lambda: now[0])
    out = StringIO()
    with console_progress(Console(file=out, width=100)) as progress:
        for done in range(0, 31, 10):
            now[0] = float(done)
            progress("Judging", done, 100)
    assert "Judging: 20 of 100 (1/s, 1 min left)" in out.getvalue()


def test_a_bar_shows_rate_and_time_left(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("pipeline.runtime.progress.time.monotonic", lambda: now[0])
    out = StringIO()
    console = Console(file=out, width=100, force_terminal=True)
    with console_progress(console) as progress:
        for done in (0, 20, 40):
            now[0] = 100.0 + done
            progress("Judging", done, 100)
    assert "1/s, 1 min left" in out.getvalue()
