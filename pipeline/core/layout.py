"""Names of the files in a folder of results and in a scan directory."""

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
"""Every file that the results of a run or nightly scan, and decisions on them, may consist of."""

LOCK, STATE, HISTORY, LATEST = "scan.lock", "state.sqlite", "history", "latest"
"""Files and folders in a scan directory."""
