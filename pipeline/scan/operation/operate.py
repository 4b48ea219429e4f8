"""A scan as an operator runs it: with signals, heartbeat, log and notifications."""

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

EXIT_INTERRUPTED = 130


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
