"""Contents whose loading times out again and again: most scans skip them, to save the time."""

from __future__ import annotations

from pipeline.scan.memory.state import ScanCache

SKIP_AFTER = 3
"""Consecutive scans in which a content may time out before it is skipped: one or two timeouts may
come from a busy machine."""
RETRY_EVERY = 10
"""Every tenth scan tries a skipped content again."""


class RepeatedTimeouts:
    """Which contents a scan skips because they timed out in the scans before.

    Args:
        cache: holds the counts.
        load_key: what loading depends on (`invalidation.CacheKeys.load`); counts under another key
            do not apply.
        scan_id: of this scan.
    """

    def __init__(self, cache: ScanCache, load_key: str, scan_id: str) -> None:
        self._cache = cache
        self._load_key = load_key
        self._scan_id = scan_id
        self._skipped: set[str] = set()

    def skips(self, content: str) -> bool:
        """Whether this scan skips a content that would have to be loaded."""
        scans = self._cache.timeouts(content, self._load_key)
        skip = scans >= SKIP_AFTER and scans % RETRY_EVERY != 0
        if skip:
            self._skipped.add(content)
        return skip

    def count(self, content: str) -> None:
        """Counts this scan for a content that timed out, inside a transaction."""
        scans = self._cache.timeouts(content, self._load_key)
        self._cache.put_timeouts(content, self._load_key, scans + 1, self._scan_id)

    def reset(self, content: str) -> None:
        """Sets the count of a content that loaded to zero, inside a transaction."""
        self._cache.put_timeouts(content, self._load_key, 0, self._scan_id)

    def count_skipped(self) -> None:
        """Counts this scan for the contents that it skipped."""
        with self._cache.transaction():
            for content in self._skipped:
                self.count(content)
        self._skipped.clear()
