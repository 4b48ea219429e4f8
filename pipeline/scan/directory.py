"""The names in a scan directory, by which others know one too."""

from __future__ import annotations

LOCK, STATE, HISTORY, LATEST = "scan.lock", "state.sqlite", "history", "latest"
