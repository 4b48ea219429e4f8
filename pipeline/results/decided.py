"""Decisions as columns of the risk table: risk_table_decided.parquet and .csv (docs/record.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core.layout import DECIDED, DECIDED_CSV
from pipeline.decisions.record import Record
from pipeline.decisions.standing import today
from pipeline.decisions.state import Items, ItemState, State
from pipeline.results.files import ResultFiles, read_run
from pipeline.results.inputs import work_aliases
from pipeline.results.ruled import Ruled, RunRules
from pipeline.results.table import write_table_and_csv

COLUMNS = (
    "decision",
    "decided_by",
    "decided_at",
    "decision_reason",
    "decision_state",
    "decision_reopened_because",
)
"""The columns that decisions add, all text."""


def decisions_for(
    items: Items,
    rows: Iterable[Mapping[str, Any]],
    ruled: Ruled | None = None,
) -> list[dict[str, str | None]]:
    """For each row of the risk table, `COLUMNS`.

    While an item waits for its second decision, the first one and its reason are left out: the
    second reviewer may read the table.

    Args:
        items: of the record.
        rows: of the risk table, by column.
        ruled: by asset path, then work id, the rules that count and suppress matches.
    """
    ruled = ruled or {}
    return [_columns(items.of_row(row, ruled.get(row["asset_path"]))) for row in rows]


def _columns(state: ItemState) -> dict[str, str | None]:
    columns: dict[str, str | None] = dict.fromkeys(COLUMNS)
    columns["decision_state"] = str(state.state)
    if state.rule is not None:
        rule = state.rule
        columns["decided_by"], columns["decided_at"] = " / ".join(rule.by), rule.since
        columns["decision_reason"] = f"Rule {rule.number}: {rule.payload.reason}"
        return columns
    if not state.decisions:
        return columns
    columns["decided_by"] = " / ".join(one.actor for one in state.decisions)
    columns["decided_at"] = state.decisions[-1].event.time
    if state.state is State.FIRST_GIVEN:
        return columns
    columns["decision"] = " / ".join(state.choices)
    reasons = [
        f"{one.actor}: {one.decision.reason}" for one in state.decisions if one.decision.reason
    ]
    if len(state.decisions) == 1:
        reasons = [state.decisions[0].decision.reason]
    columns["decision_reason"] = " / ".join(filter(None, reasons)) or None
    if state.state is State.REOPENED:
        columns["decision_reopened_because"] = " ".join(state.why)
    return columns


def decided_table(table: pa.Table, items: Items, ruled: Ruled | None = None) -> pa.Table:
    """The risk table with `COLUMNS` at its end. Arguments as `decisions_for`."""
    wanted = ["asset_path", "asset_id", "work_id", "risk", "band", "run_id", "index_version"]
    wanted += ["index_digest", "config_fingerprint"]
    if "suppressed_works" in table.column_names:  # a run of an earlier release has none
        wanted.append("suppressed_works")
    rows = table.select(wanted).to_pylist()
    added = decisions_for(items, rows, ruled)
    for name in COLUMNS:
        table = table.append_column(name, pa.array([one[name] for one in added], pa.string()))
    return table


def write_decided(out: Path, record: Record) -> pa.Table:
    """Writes risk_table_decided.parquet and .csv to a run's results, which are not changed.

    Args:
        out: the folder of results.
        record: the record of decisions.

    Returns:
        The table that was written.

    Raises:
        RunError: if the results can't be read, or were altered.
        RecordError: if the record can't be read, or was altered.
        DropError: if the files can't be written.
    """
    run = read_run(out)
    items = Items(record.events(), work_aliases(run.run))
    ruled = RunRules(run).ruled(items.standings, today())
    with ResultFiles(out) as files:
        return write_decided_table(files, run.risk_rows, items, ruled)


def write_decided_table(
    files: ResultFiles, risk: pa.Table, items: Items, ruled: Ruled | None = None
) -> pa.Table:
    """Writes both files to a run's results and returns the table. Arguments as `decided_table`.

    They are not part of the run, since later decisions replace them, so run.json does not have
    their digests.

    Raises:
        DropError: if they can't be written.
    """
    table = decided_table(risk, items, ruled)
    write_table_and_csv(files, table, DECIDED, DECIDED_CSV)
    for name in (DECIDED, DECIDED_CSV):
        del files.digests[name]
    return table
