"""Contents that take longer to load than they may, which would cost that time in every scan."""

from __future__ import annotations

from pipeline.scan.memory.state import ScanCache

LATE_SCANS = 3
"""Scans in a row in which a content may take too long before it is left: one or two may be the
fault of a machine that had much to do."""
LATE_AGAIN = 10
"""Of the scans after those, every tenth tries it again."""


class Late:
    """Which contents a scan leaves, since they took too long in the scans before.

    Args:
        cache: what is kept.
        load_key: what loading depends on (`pipeline.scan.memory.cache_keys`); by another, nothing
            was counted.
        scan_id: of this scan.
    """

    def __init__(self, cache: ScanCache, load_key: str, scan_id: str) -> None:
        self._cache = cache
        self._load_key = load_key
        self._scan_id = scan_id
        self._left: set[str] = set()

    def leaves(self, content: str) -> bool:
        """Whether a content that should be loaded is left this time."""
        scans = self._cache.late(content, self._load_key)
        left = scans >= LATE_SCANS and scans % LATE_AGAIN != 0
        if left:
            self._left.add(content)
        return left

    def took_too_long(self, content: str) -> None:
        """Counts a scan, inside a change of the cache."""
        scans = self._cache.late(content, self._load_key)
        self._cache.put_late(content, self._load_key, scans + 1, self._scan_id)

    def was_loaded(self, content: str) -> None:
        """Forgets what was counted, inside a change of the cache."""
        self._cache.put_late(content, self._load_key, 0, self._scan_id)

    def count_left(self) -> None:
        """Counts this scan for the contents that were left."""
        with self._cache.change():
            for content in self._left:
                self.took_too_long(content)
        self._left.clear()
