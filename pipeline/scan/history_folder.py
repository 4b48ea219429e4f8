"""Scans that were: what the folders of a scan directory's history tell of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pipeline.core.errors import RunError
from pipeline.core.wording.visible import visible
from pipeline.results.files import StoredRun, read_run
from pipeline.scan.memory.state import KnownScan
from pipeline.scan.output.delta import COMPARED

_SCAN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_GONE = ".gone"
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def began(scan: KnownScan) -> datetime | None:
    """When a scan began; None if what is kept of that is damaged."""
    with suppress(ValueError):
        return datetime.strptime(scan.started, _TIME).replace(tzinfo=UTC)
    return None


def scan_results(folder: Path) -> StoredRun:
    """The results of a scan in its folder, fit to be compared with.

    Raises:
        RunError: if they can't be read, are damaged, or are not a scan's.
    """
    stored = read_run(folder)
    told_by(stored)
    missing = [name for name in COMPARED if name not in stored.risk_rows.column_names]
    if missing:
        raise RunError(
            f"The risk table in {folder} has no column {' or '.join(missing)}; another version of "
            "Clearance wrote it."
        )
    return stored


def told_by(stored: StoredRun) -> KnownScan:
    """A scan as its own results tell it.

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
        found = KnownScan(name, started, "", version, digest, finished)
        if began(found) is not None:
            return found
    raise RunError(f"{stored.folder} is not the result of a scan.")


def unknown_folders(history: Path, known: Container[str]) -> Iterator[Path]:
    """Folders of the history that have a scan's name and are none of these, by name."""
    for folder in sorted(history.iterdir()):
        if _SCAN_ID.fullmatch(folder.name) and folder.name not in known and folder.is_dir():
            yield folder


def taken_in(history: Path, known: Container[str]) -> list[KnownScan]:
    """Scans whose results lie in the history and are none of these, by name.

    A folder in which a scan was cut off before its results were whole is deleted. Whatever else
    can't be read is left as it is: it may be a person's, or come from a backup.
    """
    found = []
    for folder in unknown_folders(history, known):
        try:
            found.append(told_by(read_run(folder)))
        except RunError:
            if _cut_off(folder):
                erase(folder)
    return found


def left_notes(history: Path, known: Container[str]) -> tuple[str, ...]:
    """A sentence for each folder of the history that has a scan's name and can't be read as one."""
    notes = []
    for folder in unknown_folders(history, known):
        try:
            told_by(read_run(folder))
        except RunError as error:
            notes.append(
                f"{visible(str(folder))} is not counted among earlier scans and was left as it "
                f"is; move it away, or restore it. {visible(str(error))}"
            )
    return tuple(notes)


def erase(folder: Path) -> None:
    """Deletes the results of a scan. Killed on the way, it leaves nothing that looks like results:
    what is half deleted has another name by then, and `finish_erasing` knows it.
    """
    gone = folder.with_name(f".{folder.name}{_GONE}")
    with suppress(OSError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def finish_erasing(history: Path) -> None:
    """Deletes what an `erase` that was cut off left."""
    for folder in history.glob(f".*{_GONE}"):
        if _SCAN_ID.fullmatch(folder.name[1 : -len(_GONE)]):
            shutil.rmtree(folder, ignore_errors=True)


def _cut_off(folder: Path) -> bool:
    """Whether nothing lies there but what results are written through: their names have a dot."""
    with suppress(OSError):
        return all(one.name.startswith(".") for one in folder.iterdir())
    return False


def earlier_and_later(
    found: Sequence[KnownScan], known: Sequence[KnownScan]
) -> tuple[list[KnownScan], list[KnownScan]]:
    """Scans that were taken in, those before the last known one and those after it."""
    finished = [one for one in known if one.finished is not None]
    last = began(finished[-1]) if finished else None
    times = [(one, began(one)) for one in found]
    earlier = [one for one, time in times if last is not None and time is not None and time < last]
    return earlier, [one for one in found if one not in earlier]
