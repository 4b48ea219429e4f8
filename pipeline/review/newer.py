"""Whether the run that a page shows is still the one that lies where it was read."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from pipeline.core.layout import LATEST, RUN
from pipeline.decisions.places import scan_directory_of

_Mark = tuple[int, int, int, int] | None


class NewerRun:
    """Looks for a newer run by one `stat` a call; a file is read only if it is another one.

    Args:
        given: the folder of results, scan directory, or link to either that the page was asked for.
        run_id: of the run that was read there.

    Attributes:
        file: the `run.json` that is looked at.
    """

    def __init__(self, given: Path, run_id: str) -> None:
        self.run_id = run_id
        self.file = given / RUN
        for folder in (given, scan_directory_of(given)):
            latest = folder / LATEST / RUN if folder is not None else None
            # Of an older scan it was known at the start that it is not the latest.
            if latest is not None and _run_id(latest) == run_id:
                self.file = latest
        self._lock = threading.Lock()
        self._mark: _Mark = None
        self._said = ""

    def sentence(self) -> str:
        """What to say at the top of a page; empty as long as its run is the one that is there."""
        mark = _mark(self.file)
        with self._lock:
            if mark is None or mark != self._mark:
                self._mark, self._said = mark, self._told()
            return self._said

    def _told(self) -> str:
        found = _run_id(self.file)
        if found == self.run_id:
            return ""
        if found is None:
            return (
                "The results that this page shows are not where they were read any more: start "
                "`clearance review` again on results that are there."
            )
        return (
            f"A newer run is there ({found}), and this page still shows {self.run_id}: start "
            "`clearance review` again to see it."
        )


def _mark(file: Path) -> _Mark:
    try:
        found = os.stat(file)  # noqa: PTH116 - for each request: no more than it takes
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _run_id(file: Path) -> str | None:
    try:
        run = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    found = run.get("run_id") if isinstance(run, dict) else None
    return str(found or "?")
