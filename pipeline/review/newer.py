"""Detects that the results folder of the review page holds a newer run now."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from pipeline.core.layout import LATEST, RUN
from pipeline.decisions.places import scan_directory_of

_Identity = tuple[int, int, int, int] | None


class NewerRun:
    """Detects a newer run by one `stat` per call; run.json is read only if it changed.

    Args:
        out: the folder of results, scan directory, or link to either, as on the command line.
        run_id: of the run that was read there.

    Attributes:
        file: the `run.json` that is watched.
        there: whether the newer run can be opened, as far as `sentence` last found.
    """

    def __init__(self, out: Path, run_id: str) -> None:
        self.run_id = run_id
        self.file = out / RUN
        for folder in (out, scan_directory_of(out)):
            latest = folder / LATEST / RUN if folder is not None else None
            # Not for an older scan, which was not the latest at the start either.
            if latest is not None and _run_id(latest) == run_id:
                self.file = latest
        self._lock = threading.Lock()
        self._identity: _Identity = None
        self._sentence = ""
        self.there = False

    def sentence(self) -> str:
        """A notice for the top of each page; empty while its run is the one in the folder."""
        identity = _identity(self.file)
        with self._lock:
            if identity is None or identity != self._identity:
                self._identity, self._sentence = identity, self._compare()
            return self._sentence

    def _compare(self) -> str:
        run_id = _run_id(self.file)
        self.there = run_id is not None and run_id != self.run_id
        if run_id == self.run_id:
            return ""
        if run_id is None:
            return (
                "The results that this page shows are no longer there: start "
                "`clearance review` again on results that are there."
            )
        return f"A newer run is there ({run_id}), and this page still shows {self.run_id}."


def _identity(file: Path) -> _Identity:
    try:
        status = os.stat(file)  # noqa: PTH116 - for each request: no more than it takes
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _run_id(file: Path) -> str | None:
    try:
        run = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    run_id = run.get("run_id") if isinstance(run, dict) else None
    return str(run_id or "?")
