"""What must hold of a scan directory at any moment, and of two that saw the same."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.layout import DELTA, DELTA_JSON, HISTORY, LATEST, LOCK, NAMES, STATE
from pipeline.results.files import read_run
from pipeline.scan.operation.operate import HEARTBEAT

JOURNAL = ".clearance-run.journal"
OWN = {"risk_table": ("run_id",), "delta": ("scan_id", "scan_id_before")}
"""Columns that name a scan."""

OWN_OF_SUMMARY = ("scan_id", "scan_id_before", "started", "read")
"""Of delta.json: what names a scan, and how many files it read, which is fewer if a scan that was
killed had read them.
"""


@dataclass(frozen=True, slots=True)
class View:
    """A scan directory as a killed scan left it.

    Attributes:
        finished: scans that are complete, the earliest first.
        open: the scan that was under way, None if none was.
        seen: how many files the open scan has written down.
        latest: the scan that `latest` leads to; None if there is none.
    """

    finished: tuple[str, ...]
    open: str | None
    seen: int
    latest: str | None


def view_of(out: Path) -> View:
    """A scan directory that no process works in, looked at without a change to it."""
    latest = out / LATEST
    target = latest.readlink().name if latest.is_symlink() else None
    finished, under_way, seen = [], None, 0
    for scan_id, ended in _query(out, "select scan_id, finished from scans order by started, 1"):
        if ended is None:
            under_way = scan_id
        else:
            finished.append(scan_id)
    if under_way is not None:
        [(seen,)] = _query(out, "select count(*) from files where seen = ?", under_way)
    return View(tuple(finished), under_way, seen, target)


def _query(out: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Of a copy: opening a state writes down what its journal holds."""
    with tempfile.TemporaryDirectory() as place:
        copies = [file for file in out.glob(f"{STATE}*") if not file.name.endswith("-shm")]
        for file in copies:
            shutil.copyfile(file, Path(place) / file.name)
        if not copies:
            return []
        with closing(sqlite3.connect(Path(place) / STATE)) as opened:
            [(tables,)] = opened.execute(
                "select count(*) from sqlite_master where name in ('scans', 'files')"
            )
            return opened.execute(query, values).fetchall() if tables == 2 else []


def phase_of(out: Path, view: View, before: View, files: int) -> str:
    """Where in a scan a kill landed, from what it left.

    Args:
        out: the scan directory.
        view: of it, after the kill.
        before: of it, before that scan.
        files: how many files the drops hold.
    """
    if len(view.finished) > len(before.finished) or view.finished[-1:] != before.finished[-1:]:
        return (
            "finished, `latest` not yet led there"
            if view.latest != view.finished[-1]
            else ("finished, forgetting what is old")
        )
    if view.open is None or view.open == before.open:
        return "starting"
    folder = out / HISTORY / view.open
    if not folder.is_dir():
        return "reading the drops" if view.seen < files else "judging"
    if (folder / JOURNAL).exists():
        return "renaming results"
    return (
        "results written, not yet finished"
        if (folder / "run.json").exists()
        else ("writing results")
    )


def faults_of(out: Path, view: View, known: Mapping[str, bytes]) -> list[str]:
    """What is wrong with a scan directory between two scans.

    Args:
        out: the scan directory.
        view: of it.
        known: by finished scan, its run.json as it was when the scan ended.
    """
    faults = []
    if known and view.latest is None:
        faults.append(f"{LATEST} leads nowhere")
    if view.latest is not None and view.latest not in view.finished:
        faults.append(f"{LATEST} leads to a scan that is not finished")
    for scan_id in {view.latest, *view.finished} - {None}:
        folder = out / HISTORY / str(scan_id)
        if (folder / JOURNAL).exists():
            faults.append(f"{scan_id} is half renamed")
            continue
        try:
            run = read_run(folder)
        except Exception as error:
            faults.append(f"{scan_id} can't be read: {error}")
            continue
        if run.run["run_id"] != scan_id:
            faults.append(f"{scan_id} holds the results of {run.run['run_id']}")
        if (
            known.get(str(scan_id), (folder / "run.json").read_bytes())
            != (folder / "run.json").read_bytes()
        ):
            faults.append(f"{scan_id} was changed after it had ended")
    return faults


def left_over(out: Path, view: View) -> list[str]:
    """What lies in a scan directory and should not, after a scan that ended by itself."""
    wanted = {LOCK, STATE, HISTORY, LATEST, HEARTBEAT}
    problems = sorted(file.name for file in out.iterdir() if file.name not in wanted)
    for folder in sorted((out / HISTORY).iterdir()):
        if folder.name not in view.finished:
            problems.append(f"{HISTORY}/{folder.name}")
            continue
        others = sorted(file.name for file in folder.iterdir() if file.name not in NAMES)
        problems += [f"{HISTORY}/{folder.name}/{name}" for name in others]
    if view.open is not None:
        problems.append(f"the unfinished scan {view.open} in {STATE}")
    return problems


def differences(
    disturbed: Path, undisturbed: Path, before: tuple[str | None, str | None]
) -> list[str]:
    """Differences in the results of two scans of the same files, names and times aside.

    The tables, columns that name a scan aside, and what changed since the last scan that was
    complete, which `before` names for each of the two.
    """
    one, other = read_run(disturbed), read_run(undisturbed)
    problems = []
    for name in ("risk_rows", "match_rows", "passage_rows"):
        problems += _other(name, getattr(one, name), getattr(other, name), OWN["risk_table"])
    deltas = [pq.read_table(place / DELTA, use_threads=False) for place in (disturbed, undisturbed)]
    problems += _other("delta", *deltas, OWN["delta"])
    for delta, earlier in zip(deltas, before, strict=True):
        if set(delta.column("scan_id_before").to_pylist()) - {earlier}:
            problems.append(f"delta: not since {earlier}")
    summaries = [
        json.loads((place / DELTA_JSON).read_bytes()) for place in (disturbed, undisturbed)
    ]
    for summary, earlier in zip(summaries, before, strict=True):
        if summary["scan_id_before"] != earlier:
            problems.append(f"delta.json: not since {earlier}")
        for name in OWN_OF_SUMMARY:
            del summary[name]
    if summaries[0] != summaries[1]:
        problems.append(f"delta.json: {summaries[0]} and {summaries[1]}")
    return problems


def _other(name: str, one: pa.Table, other: pa.Table, own: tuple[str, ...]) -> list[str]:
    one, other = (
        table.drop_columns([column for column in own if column in table.column_names])
        for table in (one, other)
    )
    if one.num_rows != other.num_rows:
        return [f"{name}: {one.num_rows} and {other.num_rows} rows"]
    if one.equals(other):
        return []
    return [
        f"{name}: {column} is other"
        for column in one.column_names
        if not one.column(column).equals(other.column(column))
    ]


def kept_differences(disturbed: Path, undisturbed: Path) -> list[str]:
    """What is other in what two scan directories keep of contents, but for which scan saw them."""
    problems = []
    for table, columns in (
        ("files", "drop_name, path, asset_id, kind, size, fault"),
        ("contents", "content, load_key, facts, kind"),
        ("answers", "content, stage, spec, digest"),
        ("outcomes", "content, search_key, index_version, index_digest, digest"),
    ):
        query = f"select {columns} from {table} order by 1, 2"  # noqa: S608
        one, other = _query(disturbed, query), _query(undisturbed, query)
        if one != other:
            number = len(set(one) ^ set(other))
            problems.append(f"{STATE}: {number} rows of {table} are in only one of the two")
    return problems
