"""Notifications of scans through apprise: counts and a scan's id, no content of assets."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import ConfigError
from pipeline.core.extras import needs_extra
from pipeline.core.records import Band
from pipeline.core.wording.text import BANDS, count
from pipeline.runtime.failures import failure_in_words
from pipeline.scan.output.delta import Change
from pipeline.scan.output.notes import TITLES, arriving_notes, suppressed_notes
from pipeline.scan.settings import ENV, Notify
from pipeline.screening.recorded import RecordUse

if TYPE_CHECKING:
    from apprise import Apprise

EXTRA = "notify"


@dataclass(frozen=True)
class Message:
    """A message: its text, and its kind as apprise names it (`info`, `warning`, `failure`)."""

    title: str
    body: str
    kind: str = "info"


class Notifier:
    """Sends the notifications of scans.

    Args:
        settings: targets, and when they are notified.

    Raises:
        ConfigError: if the extra is not installed, or a target can't be used. Its sentences name a
            target by its position in the list, since a URL may hold a password.
    """

    def __init__(self, settings: Notify) -> None:
        self._settings = settings
        self._targets = _targets(settings.to) if settings.to else []

    def completed(self, summary: Mapping[str, Any], status: int) -> list[str]:
        """Notifies of a scan that completed, if `when` asks for it.

        Returns:
            A sentence for each target that could not be reached.
        """
        if not _is_wanted(self._settings.when, summary):
            return []
        return self._send(completed_message(summary, status))

    def failed(self, scan_id: str | None, error: BaseException, status: int) -> list[str]:
        """Notifies of a scan that failed; returns the same as `completed`."""
        return self._send(failed_message(scan_id, error, status))

    def _send(self, message: Message) -> list[str]:
        seconds = self._settings.timeout_seconds
        deliveries = [_Delivery(target, message) for target in self._targets]
        for delivery in deliveries:
            delivery.start()
        notes = []
        for number, delivery in enumerate(deliveries, start=1):
            delivery.join(seconds)
            late = f"no answer within {seconds:g} seconds"
            why = late if delivery.is_alive() else delivery.fault
            if why is not None:
                notes.append(
                    f"Notification {number} of {len(deliveries)} could not be sent ({why}); "
                    "this does not affect the results."
                )
        return notes


def _targets(urls: Sequence[str]) -> list[Apprise]:
    """An apprise object for each URL, all of them checked."""
    try:
        import apprise
    except ImportError:
        raise ConfigError(needs_extra("`notify` in a configuration", EXTRA)) from None
    # Failures are reported as notes; the log lines of apprise contain host names.
    logging.getLogger("apprise").propagate = False
    logging.getLogger("apprise").addHandler(logging.NullHandler())
    asset = apprise.AppriseAsset(
        app_id="Clearance",
        app_desc="Clearance",
        app_url="",
        async_mode=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    targets, problems = [], []
    for place, text in enumerate(urls):
        url, fault = _resolved(text)
        target = apprise.Apprise(asset=asset)
        with warnings.catch_warnings():
            # apprise imports its plug-ins, whose libraries emit warnings.
            warnings.simplefilter("ignore")
            if url is not None and not target.add(url):
                fault = "is not a URL that apprise supports"
        if fault:
            problems.append(f"notify.to[{place}] {fault}.")
        targets.append(target)
    if problems:
        raise ConfigError("\n".join(problems), problems)
    return targets


class _Delivery(threading.Thread):
    """Sends one message to one target. A daemon, so that a target that hangs does not keep the
    process alive.
    """

    def __init__(self, target: Apprise, message: Message) -> None:
        super().__init__(name="notify", daemon=True)
        self._target, self._message = target, message
        self.fault: str | None = None

    def run(self) -> None:
        from apprise import NotifyFormat, NotifyType

        try:
            if not self._target.notify(
                body=self._message.body,
                title=self._message.title,
                notify_type=NotifyType(self._message.kind),
                body_format=NotifyFormat.TEXT,
            ):
                self.fault = "the target refused it, or could not be reached"
        except Exception as error:  # plug-ins may raise anything
            self.fault = type(error).__name__


def _resolved(target: str) -> tuple[str | None, str]:
    """The URL of a target, or what is wrong with it."""
    if not target.startswith(ENV):
        return target, ""
    name = target.removeprefix(ENV)
    url = os.environ.get(name)
    if not url:
        return None, f"names the environment variable {name}, which is not set"
    return url, ""


def is_problem(summary: Mapping[str, Any]) -> bool:
    """Whether a drop or the record could not be read, or a new or changed file was not screened in
    full.
    """
    unread = summary["unreachable"] or summary["record"] == RecordUse.UNUSABLE
    return bool(unread) or summary["not_screened_anew"] > 0


def _is_wanted(when: str, summary: Mapping[str, Any]) -> bool:
    if when == "always" or is_problem(summary):
        return True
    return when == "changes" and any(summary["changes"].values())


def completed_message(summary: Mapping[str, Any], status: int) -> Message:
    """The message on a scan that completed, in counts."""
    changed = sum(summary["changes"].values())
    title = f"Clearance: {count(changed, 'change')}, scan {summary['scan_id']}"
    changes = ", ".join(
        f"{n:,} {TITLES[Change(name)]}" for name, n in summary["changes"].items() if n
    )
    flagged, bands = (
        ", ".join(f"{BANDS[Band(band)].lower()} {n:,}" for band, n in summary[name].items() if n)
        for name in ("flagged_anew", "counts")
    )
    body = [f"Changed: {changes or 'nothing'}."]
    if flagged:
        body.append(f"New or risen: {flagged}.")
    files, works = count(summary["files"], "file"), count(summary["works"], "work")
    body.append(f"In total: {files} against {works}: {bands or 'nothing'}.")
    if summary["unreachable"]:
        body.append(f"{count(len(summary['unreachable']), 'drop')} could not be read.")
    body += [*arriving_notes(summary), *suppressed_notes(summary)]
    if summary["record"] == RecordUse.UNUSABLE:
        body.append("The record of decisions could not be used, so no match was suppressed.")
    body.append(f"Scan {summary['scan_id']}, exit status {status}.")
    return Message(title, "\n".join(body), "warning" if is_problem(summary) else "info")


def failed_message(scan_id: str | None, error: BaseException, status: int) -> Message:
    """The message on a scan that failed, in one sentence."""
    named = f"scan {scan_id}" if scan_id else "a scan that had not begun"
    return Message(
        "Clearance: a scan failed",
        f"Clearance could not complete {named}: {failure_in_words(error)} (exit status {status}).",
        "failure",
    )
