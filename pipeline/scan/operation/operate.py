"""A scan as an operator runs it: with signals, heartbeat, log and notifications.

heartbeat.json in a scan directory has the current step of a scan, for monitoring. A thread writes
it every few seconds while the scan runs. An old `updated` means that the process is gone; a recent
`updated` with an old `progressed` means that it hangs.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.core.environment import now
from pipeline.core.errors import ScanBusyError
from pipeline.runtime.json_log import JsonLog
from pipeline.runtime.progress import Progress, RateEstimator, combined
from pipeline.runtime.signals import Interrupted, interruptible
from pipeline.scan.events import Event
from pipeline.scan.operation.notify import Notifier
from pipeline.scan.run import OnMessage, ScanResult, scan
from pipeline.scan.settings import ScanSettings
from reference_index.atomic_write import write_atomically

EXIT_INTERRUPTED = 130
HEARTBEAT = "heartbeat.json"
BEAT_SECONDS = 5.0


@dataclass(frozen=True)
class Statuses:
    """Exit statuses: of a completed scan, from its summary; of a failed one, from its error."""

    completed: Callable[[dict[str, Any]], int]
    failed: Callable[[BaseException], int]


def operate(
    settings: ScanSettings,
    statuses: Statuses,
    *,
    progress: Progress,
    on_message: OnMessage,
    log: JsonLog | None = None,
) -> ScanResult:
    """Scans, writes a heartbeat meanwhile, and sends notifications afterwards.

    Args:
        settings: of the scans.
        statuses: the exit statuses of the process.
        progress: called as the scan advances.
        on_message: called with sentences for the person who watches.
        log: JSON log for events and progress; None for none.

    Raises:
        Interrupted: by Ctrl-C or SIGTERM; the next scan resumes this one.
        ConfigError: as `scan`, and if `notify` can't be used.
        ScanError, DropError, ReferenceIndexError: as `scan`.
    """
    notifier = Notifier(settings.notify)
    heartbeat = Heartbeat(settings.place(settings.out) / HEARTBEAT)
    scan_ids: list[str] = []

    def on_event(event: Event, facts: Mapping[str, Any]) -> None:
        if event is Event.STARTED:
            scan_ids.append(facts["scan_id"])
            heartbeat.start(facts["scan_id"])
            if log is not None:
                log.bind(scan_id=facts["scan_id"])
        if log is not None:
            log.event(event, **facts)

    def warn(notes: list[str]) -> None:
        for note in notes:
            on_message(note)
            if log is not None:
                log.event("notification_failed", message=note)

    def stopping(name: str) -> None:
        if log is not None:
            log.event("stopping", signal=name)
        on_message("Stopping; once more to stop at once.")

    try:
        with interruptible(stopping) as stop:

            def check_and_report(doing: str, done: int, total: int | None) -> None:
                stop.check()
                report(doing, done, total)

            report = combined(
                progress, heartbeat.progress, *([log.progress] if log is not None else [])
            )
            done = scan(
                settings, progress=check_and_report, on_message=on_message, on_event=on_event
            )
    except KeyboardInterrupt as interrupt:
        status = interrupt.status if isinstance(interrupt, Interrupted) else EXIT_INTERRUPTED
        heartbeat.end("interrupted", status)
        raise
    except Exception as error:
        status = statuses.failed(error)
        heartbeat.end("failed", status)
        # The scan that is running sends its own notification.
        if not isinstance(error, ScanBusyError):
            warn(notifier.failed(scan_ids[-1] if scan_ids else None, error, status))
        raise
    status = statuses.completed(done.summary)
    heartbeat.end("finished", status)
    if log is not None:
        log.event("scan_finished", exit_status=status, **finished_facts(done.summary))
    notes = notifier.completed(done.summary, status)
    warn(notes)
    return replace(done, notes=(*done.notes, *notes))


def finished_facts(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary for a log: counts and ids."""
    return {name: value for name, value in summary.items() if name != "scan_id"}


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
