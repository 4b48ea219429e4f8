"""What happens in a scan, told as it happens: counts and ids, nothing of what assets hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any


class Event(StrEnum):
    """What a scan tells of."""

    STARTED = "scan_started"
    INDEX_OPENED = "index_opened"
    DROP_LISTED = "drop_listed"
    DROP_UNREACHABLE = "drop_unreachable"
    PLAN = "plan"
    RECORD = "record_read"
    WRITTEN = "results_written"


EventSink = Callable[[Event, Mapping[str, Any]], None]
"""Told of each event with its facts: JSON values, no path, title or text among them."""


def discard_event(_event: Event, _facts: Mapping[str, Any]) -> None:
    """Event sink that discards events."""
