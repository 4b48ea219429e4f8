"""Notifications of a scan, through apprise: counts and a scan's id, never what assets hold."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.core.errors import ConfigError
from pipeline.core.records import Band
from pipeline.core.wording.terms import BANDS, count
from pipeline.runtime.failures import failure_in_words
from pipeline.scan.output.delta import Change
from pipeline.scan.output.notes import TITLES, arriving_notes, suppressed_notes
from pipeline.scan.settings import ENV, Notify
from pipeline.screening.recorded import RecordUse

EXTRA = "notify"


@dataclass(frozen=True)
class Message:
    """What is sent."""

    title: str
    body: str
    kind: str = "info"


class Notifier:
    """Sends what `notify` of a configuration asks for.

    Args:
        settings: to whom, and when.

    Raises:
        ConfigError: if the extra is not installed, or a target can't be used. Its sentences name
            a target by its place in the list, since a URL may hold a password.
    """

    def __init__(self, settings: Notify) -> None:
        self._settings = settings
        self._urls: list[str] = []
        if not settings.to:
            return
        try:
            import apprise
        except ImportError:
            raise ConfigError(
                f"`notify` needs the extra {EXTRA}, which is not installed: run "
                f"`pip install 'clearance[{EXTRA}]'`, or take `notify` out of the configuration."
            ) from None
        # What it has to say is told in a note; its own lines name hosts.
        logging.getLogger("apprise").propagate = False
        logging.getLogger("apprise").addHandler(logging.NullHandler())
        problems = []
        with warnings.catch_warnings():
            # apprise looks through its plug-ins, and their libraries warn of each other.
            warnings.simplefilter("ignore")
            known = [apprise.Apprise().add(url) for url, _ in map(_resolved, settings.to) if url]
        for place, target in enumerate(settings.to):
            url, fault = _resolved(target)
            if url is not None and not known.pop(0):
                fault = "is no URL that apprise knows"
            if fault:
                problems.append(f"notify.to[{place}] {fault}.")
            elif url is not None:
                self._urls.append(url)
        if problems:
            raise ConfigError("\n".join(problems), problems)

    def completed(self, summary: Mapping[str, Any], status: int) -> list[str]:
        """Tells of a scan that completed, if `when` asks for it; a sentence for each target that
        could not be told.
        """
        if not _asked(self._settings.when, summary):
            return []
        return self._send(completed_message(summary, status))

    def failed(self, scan_id: str | None, error: BaseException, status: int) -> list[str]:
        """Tells of a scan that failed; as `completed`."""
        return self._send(failed_message(scan_id, error, status))

    def _send(self, message: Message) -> list[str]:
        seconds = self._settings.timeout_seconds
        sent = [_Sending(url, message) for url in self._urls]
        for one in sent:
            one.start()
        notes = []
        for place, one in enumerate(sent):
            one.join(seconds)
            why = f"no answer within {seconds:g} seconds" if one.is_alive() else one.fault
            if why is not None:
                notes.append(
                    f"Notification {place + 1} of {len(sent)} could not be sent ({why}); the "
                    "results are not touched by that."
                )
        return notes


class _Sending(threading.Thread):
    """Sends one message to one target; a daemon, so that a target that hangs holds nothing up."""

    def __init__(self, url: str, message: Message) -> None:
        super().__init__(name="notify", daemon=True)
        self._url, self._message = url, message
        self.fault: str | None = None

    def run(self) -> None:
        try:
            if not self._sent():
                self.fault = "the target refused it, or could not be reached"
        except Exception as error:  # a plug-in raises whatever it likes
            self.fault = type(error).__name__

    def _sent(self) -> bool:
        import apprise

        asset = apprise.AppriseAsset(
            app_id="Clearance",
            app_desc="Clearance",
            app_url="",
            async_mode=False,
            storage_mode=apprise.PersistentStoreMode.MEMORY,
        )
        target = apprise.Apprise(asset=asset)
        target.add(self._url)
        done = target.notify(
            body=self._message.body,
            title=self._message.title,
            notify_type=apprise.NotifyType(self._message.kind),
            body_format=apprise.NotifyFormat.TEXT,
        )
        return bool(done)


def _resolved(target: str) -> tuple[str | None, str]:
    """A target's URL, or what is wrong with it."""
    if not target.startswith(ENV):
        return target, ""
    name = target.removeprefix(ENV)
    url = os.environ.get(name)
    if not url:
        return None, f"names the environment variable {name}, which is not set"
    return url, ""


def is_problem(summary: Mapping[str, Any]) -> bool:
    """Whether a drop or the record could not be read, or anything came that was not screened in
    full.
    """
    unread = summary["unreachable"] or summary["record"] == RecordUse.UNUSABLE
    return bool(unread) or summary["not_screened_anew"] > 0


def _asked(when: str, summary: Mapping[str, Any]) -> bool:
    if when == "always" or is_problem(summary):
        return True
    return when == "changes" and any(summary["changes"].values())


def completed_message(summary: Mapping[str, Any], status: int) -> Message:
    """A scan that completed, in counts."""
    changed = sum(summary["changes"].values())
    title = f"Clearance: {count(changed, 'change')}, scan {summary['scan_id']}"
    changes = ", ".join(
        f"{n:,} {TITLES[Change(name)]}" for name, n in summary["changes"].items() if n
    )
    anew, bands = (
        ", ".join(f"{BANDS[Band(band)].lower()} {n:,}" for band, n in summary[name].items() if n)
        for name in ("flagged_anew", "counts")
    )
    body = [f"Changed: {changes or 'nothing'}."]
    if anew:
        body.append(f"New or risen: {anew}.")
    files, works = count(summary["files"], "file"), count(summary["works"], "work")
    body.append(f"All of it: {files} against {works}: {bands or 'nothing'}.")
    if summary["unreachable"]:
        body.append(f"{count(len(summary['unreachable']), 'drop')} could not be read.")
    body += [*arriving_notes(summary), *suppressed_notes(summary)]
    if summary["record"] == RecordUse.UNUSABLE:
        body.append("The record of decisions could not be used, so no match was suppressed.")
    body.append(f"Scan {summary['scan_id']}, exit status {status}.")
    return Message(title, "\n".join(body), "warning" if is_problem(summary) else "info")


def failed_message(scan_id: str | None, error: BaseException, status: int) -> Message:
    """A scan that failed, in one sentence."""
    named = f"scan {scan_id}" if scan_id else "a scan that had not begun"
    return Message(
        "Clearance: a scan failed",
        f"Clearance could not complete {named}: {failure_in_words(error)} (exit status {status}).",
        "failure",
    )
