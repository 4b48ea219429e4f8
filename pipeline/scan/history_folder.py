"""Earlier scans: the result folders below `history` in a scan directory."""

from __future__ import annotations

import re
import shutil
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pipeline.core.errors import RunError
from pipeline.core.wording.text import visible
from pipeline.results.files import StoredRun, read_run
from pipeline.scan.memory.state import KnownScan
from pipeline.scan.output.delta import COMPARED

_SCAN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_GONE = ".gone"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def start_time(scan: KnownScan) -> datetime | None:
    """When a scan began; None if the cached time is damaged."""
    with suppress(ValueError):
        return datetime.strptime(scan.started, _TIME).replace(tzinfo=UTC)
    return None


def scan_results(folder: Path) -> StoredRun:
    """The results of a scan in its folder, checked to be comparable.

    Raises:
        RunError: if they can't be read, are damaged, or are not a scan's.
    """
    stored = read_run(folder)
    scan_of(stored)
    missing = [name for name in COMPARED if name not in stored.risk_rows.column_names]
    if missing:
        raise RunError(
            f"The risk table in {folder} has no column {' or '.join(missing)}; another version of "
            "Clearance wrote it."
        )
    return stored


def scan_of(stored: StoredRun) -> KnownScan:
    """The scan that wrote these results, from its run.json.

    Raises:
        RunError: if they are not those of a scan.
    """
    run, index = stored.run, stored.run.get("index")
    facts = index if isinstance(index, dict) else {}
    name, version, digest = run.get("run_id"), facts.get("version"), facts.get("digest")
    started, finished = run.get("started"), run.get("finished")
    if (
        name == Path(str(stored.folder)).name
        and isinstance(version, int)
        and isinstance(digest, str)
        and isinstance(started, str)
        and isinstance(finished, str)
    ):
        scan = KnownScan(name, started, "", version, digest, finished)
        if start_time(scan) is not None:
            return scan
    raise RunError(f"{stored.folder} is not the result of a scan.")


def unlisted_folders(history: Path, listed: Container[str]) -> Iterator[Path]:
    """Folders of the history that have a scan's name and are not listed in the cache, by name."""
    for folder in sorted(history.iterdir()):
        if _SCAN_ID.fullmatch(folder.name) and folder.name not in listed and folder.is_dir():
            yield folder


def find_unlisted_scans(history: Path, listed: Container[str]) -> list[KnownScan]:
    """Scans with results in the history that are not listed in the cache, by name.

    A folder in which a scan was interrupted before its results were complete is deleted. Any other
    folder that can't be read is left as it is: it may be a person's, or come from a backup.
    """
    scans = []
    for folder in unlisted_folders(history, listed):
        try:
            scans.append(scan_of(read_run(folder)))
        except RunError:
            if _is_unfinished(folder):
                delete_results(folder)
    return scans


def unreadable_notes(history: Path, listed: Container[str]) -> tuple[str, ...]:
    """A sentence for each folder of the history that has a scan's name and can't be read as one."""
    notes = []
    for folder in unlisted_folders(history, listed):
        try:
            scan_of(read_run(folder))
        except RunError as error:
            notes.append(
                f"{visible(str(folder))} is not counted among earlier scans and was left as it "
                f"is; move it away, or restore it. {visible(str(error))}"
            )
    return tuple(notes)


def delete_results(folder: Path) -> None:
    """Deletes the results of a scan. The folder is renamed first, so that a partial deletion is not
    mistaken for results; `finish_deletions` completes it.
    """
    gone = folder.with_name(f".{folder.name}{_GONE}")
    with suppress(OSError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def finish_deletions(history: Path) -> None:
    """Completes deletions that were interrupted."""
    for folder in history.glob(f".*{_GONE}"):
        if _SCAN_ID.fullmatch(folder.name[1 : -len(_GONE)]):
            shutil.rmtree(folder, ignore_errors=True)


def _is_unfinished(folder: Path) -> bool:
    """Whether it holds only temporary files, whose names begin with a dot."""
    with suppress(OSError):
        return all(one.name.startswith(".") for one in folder.iterdir())
    return False


def earlier_and_later(
    unlisted: Sequence[KnownScan], listed: Sequence[KnownScan]
) -> tuple[list[KnownScan], list[KnownScan]]:
    """The unlisted scans that began before the last listed one, and those that began after it."""
    finished = [one for one in listed if one.finished is not None]
    last = start_time(finished[-1]) if finished else None
    times = [(one, start_time(one)) for one in unlisted]
    earlier = [one for one, time in times if last is not None and time is not None and time < last]
    return earlier, [one for one in unlisted if one not in earlier]
