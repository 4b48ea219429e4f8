"""Where a record lies: beside results, never in a folder that a scan deletes."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipeline.core.errors import RecordError
from pipeline.core.layout import HISTORY, LOCK, STATE

RECORD = "record.sqlite"
CHECKPOINTS = "record.checkpoints.jsonl"

_URL = re.compile(r"[a-z][a-z0-9+]*://")
_MARKS = (LOCK, STATE)


def is_url(place: str | Path) -> bool:
    """Whether a record's place is a database's URL and not a path."""
    return isinstance(place, str) and _URL.match(place) is not None


def record_file(place: Path) -> Path:
    """The file of the record that a path means.

    Args:
        place: the record's file itself, a folder of results, or a scan directory. Results in a scan
            directory's history, which `latest` leads to as well, have their record in the scan
            directory, since the history is deleted in time.

    Raises:
        RecordError: if the file itself would lie in such a history.
    """
    if place.is_dir():
        return (scan_directory_of(place) or place) / RECORD
    scans = scan_directory_of(place.parent)
    if scans is not None:
        raise RecordError(
            f"A record can't lie in {place.parent}: a scan deletes that folder when it is old. "
            f"Name {scans / RECORD}, or the folder {scans}."
        )
    return place


def scan_directory_of(folder: Path) -> Path | None:
    """The scan directory in whose history a folder lies; None if it lies in none."""
    real = Path(os.path.realpath(folder))
    for one in (real, *real.parents):
        above = one.parent
        if one.name == HISTORY and any((above / mark).exists() for mark in _MARKS):
            return above
    return None
