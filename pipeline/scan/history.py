"""Earlier scans: the result folders below `history` in a scan directory, and the rows in them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.errors import RunError, ScanError
from pipeline.core.layout import HISTORY, RISK_TABLE
from pipeline.core.wording.text import visible
from pipeline.drops.discover import text_of_path
from pipeline.results.files import StoredRun, read_run
from pipeline.scan.memory.state import KnownScan
from pipeline.scan.output.delta import COMPARED
from pipeline.scan.settings import ScanSettings

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


_COLUMNS = ["asset_path", "asset_id", "band", "risk", "work_id", "index_version", "run_id"]


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A row of one scan's table; `started` is when the scan began, ISO 8601, UTC."""

    scan_id: str
    started: str
    asset_path: str
    asset_id: str | None
    band: str
    risk: float | None
    work_id: str | None
    index_version: int


def history_of(settings: ScanSettings, asset: str) -> list[HistoryRow]:
    """Rows of an asset in every kept scan, the latest scan first.

    Args:
        settings: of the scans.
        asset: a path as in the tables, the end of one after a `/`, or the beginning of a SHA-256
            (8 hex digits or more).

    Raises:
        ScanError: if there is no history, or no such asset in it.
    """
    try:
        asset.encode()
    except UnicodeEncodeError:
        asset = text_of_path(asset)  # a path that is not UTF-8, as the tables write it
    folder = settings.place(settings.out) / HISTORY
    tables = sorted(folder.glob(f"*/{RISK_TABLE}"), reverse=True)
    if not tables:
        raise ScanError(f"There is no finished scan in {folder.parent}; scan first.")
    rows = [row for table in tables for row in _rows(table, asset)]
    if not rows:
        raise ScanError(
            f"No scan in {folder.parent} has an asset {visible(asset)}; name a path as in "
            "risk_table.csv, the end of one, or the beginning of a SHA-256."
        )
    return rows


def _rows(file: Path, asset: str) -> list[HistoryRow]:
    try:
        table = pq.read_table(file, columns=_COLUMNS, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise ScanError(
            f"{file} can't be read ({error}); delete its folder to leave that scan out."
        ) from error
    paths, ids = table.column("asset_path"), table.column("asset_id")
    mask = pc.or_(pc.equal(paths, asset), pc.ends_with(paths, pattern=f"/{asset}"))
    if len(asset) >= 8 and all(c in "0123456789abcdef" for c in asset):
        mask = pc.or_(mask, pc.fill_null(pc.starts_with(ids, pattern=asset), False))
    return [
        HistoryRow(
            row["run_id"], _time_of(row["run_id"]), row["asset_path"], row["asset_id"], row["band"],
            row["risk"], row["work_id"], row["index_version"],
        )
        for row in table.filter(mask).to_pylist()
    ]  # fmt: skip


def _time_of(scan_id: str) -> str:
    day, clock = scan_id[:8], scan_id[9:15]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}Z"
