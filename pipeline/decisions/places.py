"""Where the record is stored: next to the results, never in a folder that a scan deletes."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipeline.core.errors import RecordError
from pipeline.core.layout import HISTORY, LATEST, LOCK, RUN, STATE

RECORD = "record.sqlite"
CHECKPOINTS = "record.checkpoints.jsonl"
SAVED_FILTERS = "record.filters.json"

_URL = re.compile(r"[a-z][a-z0-9+]*://")
_SCAN_FILES = (LOCK, STATE)
_OF_RESULTS = (RUN, LATEST, RECORD, *_SCAN_FILES)
"""What a folder holds one of if it is one of results, a scan directory, or has a record."""


def is_url(place: str | Path) -> bool:
    """Whether a record's place is the URL of a database and not a path."""
    return isinstance(place, str) and _URL.match(place) is not None


def record_file(place: Path) -> Path:
    """The record's file for a path.

    Args:
        place: the record's file itself, a folder of results, or a scan directory. The record of
            results in a scan directory's history, where `latest` points too, is in the scan
            directory, since scans delete old history.

    Raises:
        RecordError: if the file itself is in such a history.
    """
    if place.is_dir():
        return (scan_directory_of(place) or place) / RECORD
    scans = scan_directory_of(place.parent)
    if scans is not None:
        raise RecordError(
            f"A record can't be kept in {place.parent}: a scan deletes that folder when it is old. "
            f"Name {scans / RECORD}, or the folder {scans}."
        )
    return place


def refuse_no_place(place: str | Path, *, results: bool = False) -> None:
    """Refuses a path that is mistyped, rather than making a record there.

    Args:
        place: as for `record_file`, or a URL. A new record's file ends in `.sqlite`.
        results: whether a folder must hold results, a scan or a record.

    Raises:
        RecordError: if nothing is there, or the folder holds nothing of the kind.
    """
    path = Path(place)
    if is_url(place) or path.is_file():
        return
    if not path.is_dir():
        if path.suffix != Path(RECORD).suffix:
            raise RecordError(
                f"There is no {path}: name a folder of results, a scan directory, or a record's "
                "file (a new one ends in .sqlite)."
            )
    elif results and not any(os.path.lexists(path / name) for name in _OF_RESULTS):
        raise RecordError(
            f"{path} holds no results, no scan and no record of decisions; name the folder of "
            "results or scan directory that the record belongs to."
        )


def scan_directory_of(folder: Path) -> Path | None:
    """The scan directory whose history contains a folder; None if none does."""
    real = Path(os.path.realpath(folder))
    for path in (real, *real.parents):
        scans = path.parent
        if path.name == HISTORY and any((scans / name).exists() for name in _SCAN_FILES):
            return scans
    return None
