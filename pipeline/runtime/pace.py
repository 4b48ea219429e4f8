"""How fast work goes, and how long it will take from here."""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 60.0
"""What happened longer ago says little of how fast work goes now."""


LEAST_SECONDS = 1.0
"""What happened in less says nothing."""


class Pace:
    """How fast one kind of work goes, over the last minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def saw(self, done: int, now: float) -> None:
        """Takes note that `done` are done at the time `now`, in seconds of a clock that never goes
        back.
        """
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > WINDOW_SECONDS:
            self._seen.popleft()

    def per_second(self, now: float) -> float | None:
        """How many are done in a second; None if that can't be told yet."""
        if len(self._seen) < 2 or now - self._seen[0][0] < LEAST_SECONDS:
            return None
        return (self._seen[-1][1] - self._seen[0][1]) / (now - self._seen[0][0])

    def seconds_left(self, total: int | None, now: float) -> float | None:
        """How long the rest will take; None if that can't be told."""
        rate = self.per_second(now)
        if not rate or total is None:
            return None
        last, done = self._seen[-1]
        return max(0.0, (total - done) / rate - (now - last))


def pace_in_words(per_second: float | None, seconds_left: float | None) -> str:
    """`12/s, 3 min left`; empty if nothing is known."""
    said = []
    if per_second:
        slow = per_second < 1
        said.append(f"{per_second * 60:.1f}/min" if slow else f"{per_second:,.0f}/s")
    if seconds_left is not None:
        said.append(f"{duration_in_words(seconds_left)} left")
    return ", ".join(said)


def duration_in_words(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
