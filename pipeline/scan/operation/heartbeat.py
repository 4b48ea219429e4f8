"""heartbeat.json in a scan directory: the current step of a scan, for monitoring.

A thread writes it every few seconds while the scan runs. An old `updated` means that the process is
gone; a recent `updated` with an old `progressed` means that it hangs.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.core.environment import now
from pipeline.runtime.progress import RateEstimator
from reference_index.atomic_write import write_atomically

HEARTBEAT = "heartbeat.json"
BEAT_SECONDS = 5.0


class Heartbeat:
    """The heartbeat of one scan. A beat that can't be written is skipped; the scan goes on.

    Args:
        path: of the file. It is first written once the scan holds the directory's lock, since
            until then it may be another scan's.
        every: seconds between two beats.
    """

    def __init__(self, path: Path, every: float = BEAT_SECONDS) -> None:
        self._path = path
        self._every = every
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._facts: dict[str, Any] = {}
        self._rates: dict[str, RateEstimator] = {}
        self._doing: tuple[str, int, int | None] = ("Beginning", 0, None)
        self._progressed = now()

    def start(self, scan_id: str) -> None:
        """Writes the first beat and starts the thread that writes the others."""
        self._facts = {
            "scan_id": scan_id,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "started": now(),
        }
        with suppress(OSError):
            for left in self._path.parent.glob(f".{HEARTBEAT}.*"):  # of a scan that was killed
                left.unlink(missing_ok=True)
        self._write("running", None)
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def progress(self, doing: str, done: int, total: int | None) -> None:
        """Progress callback: the next beat reports these numbers."""
        self._rates.setdefault(doing, RateEstimator()).update(done, time.monotonic())
        self._doing = doing, done, total
        self._progressed = now()

    def end(self, state: str, exit_status: int) -> None:
        """Writes the last beat: `finished`, `failed` or `interrupted`."""
        if self._thread is None:
            return
        self._ended.set()
        self._thread.join()
        self._thread = None
        if self._is_ours():
            self._write(state, exit_status)

    def _beat(self) -> None:
        while not self._ended.wait(self._every):
            self._write("running", None)

    def _is_ours(self) -> bool:
        """Whether no other scan has started since this one released the directory."""
        try:
            beat = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return True
        return not isinstance(beat, dict) or beat.get("scan_id") == self._facts["scan_id"]

    def _write(self, state: str, exit_status: int | None) -> None:
        doing, done, total = self._doing
        rate = self._rates.get(doing, RateEstimator())
        beat = {
            "state": state,
            **self._facts,
            "phase": doing,
            "done": done,
            "total": total,
            **rate.facts(total, time.monotonic()),
            "progressed": self._progressed,
            "updated": now(),
            "exit_status": exit_status,
        }
        text = json.dumps(beat, sort_keys=True) + "\n"
        with suppress(OSError):
            # Not flushed: it is written every few seconds, and a reader wants it only soon.
            write_atomically(self._path, text.encode(), flush=False)
