"""`clearance demo` from start to end: every file a row, and its verdicts agree with the table."""

from __future__ import annotations

import io
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_demo_runs_and_reports_the_known_truth(tmp_path: Path) -> None:
    import pyarrow.parquet as pq
    from rich.console import Console

    from pipeline.cli.demo import run_demo

    output = io.StringIO()
    result = run_demo(tmp_path / "demo", Console(file=output, width=200))
    table = pq.read_table(tmp_path / "demo" / "out" / "risk_table.parquet")
    rows = {row["asset_path"]: row for row in table.to_pylist()}
    assert len(rows) == len(result["files"]) == sum(result["counts"].values())
    for file in result["files"]:
        assert rows[file["asset_path"]]["band"] == file["band"]
    by_path = {file["asset_path"]: file["verdict"] for file in result["files"]}
    # The plainest cases; how many of the harder ones are found is for the demo to say.
    for path in ("pictures/as_received.png", "scripts/ashgrove_draft.fountain"):
        assert by_path[path] == "found"
    for file in result["files"]:
        if file["truth"] == "unjudgeable":
            assert file["verdict"] == "not judged", file
    text = output.getvalue()
    assert f"Found: {result['found']} of {result['copies']} copies" in text
    assert "report.html" in text
    assert Path(result["report"]).is_file()
