"""The exit statuses of `clearance`, as docs/getting-started.md has them, and what decides which."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

EXIT_OK = 0
EXIT_FAIL_ON = 1
EXIT_WRONG = 2
EXIT_NOT_SCREENED = 3
EXIT_DEFECT = 70
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
EXIT_TERMINATED = 143


class FailOn(StrEnum):
    """Bands that `--fail-on` takes."""

    escalate = "escalate"
    review = "review"


_FAIL_ON: dict[FailOn | None, tuple[str, ...]] = {
    None: (),
    FailOn.escalate: ("escalate",),
    FailOn.review: ("escalate", "review"),
}
"""By what `--fail-on` was given, the bands that make a run fail."""


def run_exit_status(
    counts: dict[str, int], fail_on: FailOn | None, flagged_in_part: int = 0
) -> int:
    """The documented exit status of a run that completed, from its counts by band and of flagged
    rows that were not screened in full.
    """
    if any(counts.get(band) for band in _FAIL_ON[fail_on]):
        return EXIT_FAIL_ON
    if counts.get("not_screened") or counts.get("partly_screened") or flagged_in_part:
        return EXIT_NOT_SCREENED
    return EXIT_OK


def scan_exit_status(summary: dict[str, Any], fail_on: FailOn | None) -> int:
    """The documented exit status of a scan that completed, from its summary."""
    anew, counts = summary["flagged_anew"], summary["counts"]
    if any(anew[band] for band in _FAIL_ON[fail_on]):
        return EXIT_FAIL_ON
    unsure = counts["not_screened"] or counts["partly_screened"] or summary["flagged_in_part"]
    unread = summary["unreachable"] or summary["record"] == "unusable"
    return EXIT_NOT_SCREENED if unsure or unread else EXIT_OK


def error_exit_status(error: BaseException) -> int:
    """The exit status of a command that an error ended."""
    from pipeline.core.errors import ScreeningError

    known = isinstance(error, ScreeningError | UnicodeError | OSError)
    return EXIT_WRONG if known else EXIT_DEFECT
