"""Names of files: of a run's results, and in a scan directory."""

from __future__ import annotations

RISK_TABLE = "risk_table.parquet"
RISK_CSV = "risk_table.csv"
MATCHES = "matches.parquet"
PASSAGES = "passages.parquet"
REPORT = "report.html"
RUN = "run.json"

DELTA = "delta.parquet"
DELTA_CSV = "delta.csv"
DELTA_HTML = "delta.html"
DELTA_JSON = "delta.json"

DECIDED = "risk_table_decided.parquet"
DECIDED_CSV = "risk_table_decided.csv"

NAMES = (
    RISK_TABLE, RISK_CSV, MATCHES, PASSAGES, REPORT, RUN, DELTA, DELTA_CSV, DELTA_HTML, DELTA_JSON,
    DECIDED, DECIDED_CSV,
)  # fmt: skip
"""Every file that a run's or a nightly scan's results, and decisions on them, may hold."""

LOCK, STATE, HISTORY, LATEST = "scan.lock", "state.sqlite", "history", "latest"
"""In a scan directory."""
