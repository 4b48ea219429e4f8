"""A scan as an operator runs it: it can be stopped, watched, logged, and tells of its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline.core.errors import ScanBusyError
from pipeline.runtime.json_log import JsonLog
from pipeline.runtime.progress import Progress, combined
from pipeline.runtime.signals import Interrupted, interruptible
from pipeline.scan.events import Event
from pipeline.scan.operation.heartbeat import HEARTBEAT, Heartbeat
from pipeline.scan.operation.notify import Notifier
from pipeline.scan.run import OnMessage, ScanResult, scan
from pipeline.scan.settings import ScanSettings

EXIT_STOPPED = 130


@dataclass(frozen=True)
class Statuses:
    """Exit statuses: of a scan that completed, by its summary, and of one that an error ended."""

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
    """Scans, with a heartbeat beside the results, and a notification after them.

    Args:
        settings: of the scans.
        statuses: what the process is going to exit with.
        progress: told how far the scan is.
        say: told sentences for the one who watches.
        log: written to as well, if there is one.

    Raises:
        Interrupted: by Ctrl-C or SIGTERM; the next scan goes on where this one was.
        ConfigError: if `notify` can't be used, too.
        ScanError, DropError, ReferenceIndexError: as `scan`.
    """
    notifier = Notifier(settings.notify)
    heart = Heartbeat(settings.place(settings.out) / HEARTBEAT)
    scan_ids: list[str] = []

    def on_event(event: Event, facts: Mapping[str, Any]) -> None:
        if event is Event.STARTED:
            scan_ids.append(facts["scan_id"])
            heart.begin(facts["scan_id"])
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

            def checked(doing: str, done: int, total: int | None) -> None:
                stop.check()
                log_progress(doing, done, total)

            log_progress = combined(
                progress, heart.progress, *([log.progress] if log is not None else [])
            )
            done = scan(settings, progress=checked, on_message=on_message, on_event=on_event)
    except KeyboardInterrupt as stopped:
        number = stopped.status if isinstance(stopped, Interrupted) else EXIT_STOPPED
        heart.end("interrupted", number)
        raise
    except Exception as error:
        status = statuses.failed(error)
        heart.end("failed", status)
        # The scan that is at work tells of its own end.
        if not isinstance(error, ScanBusyError):
            warn(notifier.failed(scan_ids[-1] if scan_ids else None, error, status))
        raise
    status = statuses.completed(done.summary)
    heart.end("finished", status)
    if log is not None:
        log.event("scan_finished", exit_status=status, **finished_facts(done.summary))
    notes = notifier.completed(done.summary, status)
    warn(notes)
    return replace(done, notes=(*done.notes, *notes))


def finished_facts(summary: Mapping[str, Any]) -> dict[str, Any]:
    """A scan's summary for a log: counts and ids."""
    return {name: value for name, value in summary.items() if name != "scan_id"}
