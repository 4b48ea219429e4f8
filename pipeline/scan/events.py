"""Events of a scan, for logs and heartbeats: counts and ids, no content of assets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any


class Event(StrEnum):
    """Events that a scan emits."""

    STARTED = "scan_started"
    INDEX_OPENED = "index_opened"
    DROP_LISTED = "drop_listed"
    DROP_UNREACHABLE = "drop_unreachable"
    PLAN = "plan"
    RECORD = "record_read"
    WRITTEN = "results_written"


EventSink = Callable[[Event, Mapping[str, Any]], None]
"""Called with each event and its facts: JSON values without any path, title or text."""


def discard_event(_event: Event, _facts: Mapping[str, Any]) -> None:
    """Event sink that discards events."""
