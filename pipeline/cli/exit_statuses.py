"""The exit statuses of `clearance`: what each means, and which one a run, a scan or an error gets.

docs/getting-started.md has the same table for users.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

EXIT_OK = 0
"""The command did what was asked; every file was screened in full."""

EXIT_FAIL_ON = 1
"""A row is in the band of `--fail-on` or above; it goes before `EXIT_NOT_SCREENED`."""

EXIT_WRONG = 2
"""The command line, the configuration, the index or the file system is wrong; a message says how
to fix it."""

EXIT_NOT_SCREENED = 3
"""The run completed, but some files could not be screened, or only in part, or there were none."""

EXIT_DEFECT = 70
"""An unexpected exception, with a traceback: a defect of Clearance (EX_SOFTWARE of sysexits.h)."""

EXIT_INTERRUPTED = 130
"""Ctrl-C: 128 + SIGINT, as shells have it."""

EXIT_BROKEN_PIPE = 141
"""The reader of standard output closed it: 128 + SIGPIPE."""

EXIT_TERMINATED = 143
"""A nightly scan was terminated: 128 + SIGTERM."""


class FailOn(StrEnum):
    """Bands that `--fail-on` takes."""

    escalate = "escalate"
    review = "review"


_FAIL_ON: dict[FailOn | None, tuple[str, ...]] = {
    None: (),
    FailOn.escalate: ("escalate",),
    FailOn.review: ("escalate", "review"),
}
"""By the value of `--fail-on`, the bands that make a run fail."""


def run_exit_status(summary: Mapping[str, Any], fail_on: FailOn | None) -> int:
    """The exit status of a run that completed, from its summary (`ScreenedRun.summary`).

    System files (.DS_Store) are not missed by anybody, and do not count as not screened.
    """
    counts = summary["counts"]
    if any(counts[band] for band in _FAIL_ON[fail_on]):
        return EXIT_FAIL_ON
    rows = sum(counts.values()) - summary["system_files"]["rows"]
    return EXIT_NOT_SCREENED if _incomplete(summary) or not rows else EXIT_OK


def scan_exit_status(summary: Mapping[str, Any], fail_on: FailOn | None) -> int:
    """The exit status of a scan that completed, from its summary (docs/nightly.md).

    Only rows that are new or have risen count for `fail_on`.
    """
    flagged_anew = summary["flagged_anew"]
    if any(flagged_anew[band] for band in _FAIL_ON[fail_on]):
        return EXIT_FAIL_ON
    unread = summary["unreachable"] or summary["record"] == "unusable"
    return EXIT_NOT_SCREENED if _incomplete(summary) or unread else EXIT_OK


def _incomplete(summary: Mapping[str, Any]) -> bool:
    counts = summary["counts"]
    not_screened = counts["not_screened"] - summary["system_files"]["rows"]
    return bool(not_screened or counts["partly_screened"] or summary["flagged_in_part"])


def error_exit_status(error: BaseException) -> int:
    """The exit status of a command that ended with an error."""
    from pipeline.core.errors import ScreeningError

    expected = isinstance(error, ScreeningError | UnicodeError | OSError)
    return EXIT_WRONG if expected else EXIT_DEFECT
