"""The rows of one asset in all kept scans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.errors import ScanError
from pipeline.core.layout import HISTORY, RISK_TABLE
from pipeline.core.wording.text import visible
from pipeline.drops.discover import text_of_path
from pipeline.scan.settings import ScanSettings

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
            f"No scan in {folder.parent} knows {visible(asset)}; name a path as in risk_table.csv, "
            "the end of one, or the beginning of a SHA-256."
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
