"""Finding rows in a stored run: by what a person typed, or by the values of columns."""

from __future__ import annotations

import difflib
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import RunError
from pipeline.core.wording.text import visible
from pipeline.results.files import StoredRun

NEAREST = 5
"""Assets named in an error message."""

SHORTEST_ID = 4
"""Digits of a SHA-256 that are enough to name an asset."""


def find_row(stored: StoredRun, asset: str) -> dict[str, Any]:
    """The row of the risk table that `asset` names.

    In this order: the whole path (as stored or as printed, with escapes), the beginning of the
    SHA-256 (at least 4 digits), the last parts of the path, the end of the path.

    Raises:
        RunError: if none or several are named.
    """
    paths: list[str] = stored.risk_rows["asset_path"].to_pylist()
    ids: list[str | None] = stored.risk_rows["asset_id"].to_pylist()
    wanted = asset.removeprefix("./")
    ways = (
        lambda path, _id: path == wanted,
        lambda path, _id: visible(path) == wanted,
        lambda _path, id_: (
            id_ is not None and len(wanted) >= SHORTEST_ID and id_.startswith(wanted.lower())
        ),
        lambda path, _id: path.endswith(f"/{wanted}"),
        lambda path, _id: visible(path).endswith(f"/{wanted}"),
        lambda path, _id: bool(wanted) and path.endswith(wanted),
        lambda path, _id: bool(wanted) and visible(path).endswith(wanted),
    )
    for way in ways:
        places = [n for n, pair in enumerate(zip(paths, ids, strict=True)) if way(*pair)]
        if len(places) == 1:
            row: dict[str, Any] = stored.risk_rows.slice(places[0], 1).to_pylist()[0]
            return row
        if places:
            listed = ", ".join(visible(paths[n]) for n in places[:NEAREST])
            more = f" and {len(places) - NEAREST:,} more" if len(places) > NEAREST else ""
            raise RunError(
                f"{visible(asset)} names {len(places):,} assets of the run in {stored.folder}: "
                f"{listed}{more}; give the whole path of one."
            )
    raise RunError(
        f"The run in {stored.folder} has no asset {visible(asset)}{_nearest(wanted, paths)}; "
        "risk_table.csv lists them all."
    )


def _nearest(wanted: str, paths: list[str]) -> str:
    by_name: dict[str, str] = {}
    for path in paths:
        by_name.setdefault(path, path)
        by_name.setdefault(path.rsplit("/", 1)[-1], path)
    part = wanted.casefold()
    near = [name for name in by_name if part and part in name.casefold()][:NEAREST]
    near = near or difflib.get_close_matches(wanted, by_name, n=3, cutoff=0.6)
    named = list(dict.fromkeys(visible(by_name[name]) for name in near))
    return f" (nearest: {', '.join(named)})" if named else ""


def rows_of(table: pa.Table, **wanted: str) -> list[dict[str, Any]]:
    """The rows whose columns have these values."""
    for column, value in wanted.items():
        table = table.filter(pc.equal(table[column], value))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
