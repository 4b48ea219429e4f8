"""`clearance audit`: what it prints, writes and exits with, and that runs stay as they are."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from decision_samples import some_record
from row_samples import RUN, WORKS, flagged_row, no_match_row, some_rows
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.core.layout import DECIDED, DECIDED_CSV
from pipeline.core.layout import RUN as RUN_JSON
from pipeline.core.records import Band
from pipeline.decisions.basis import Basis
from pipeline.decisions.events import Choice
from pipeline.decisions.hash_chain import GENESIS_HASH
from pipeline.decisions.record import Record
from pipeline.results.decided import COLUMNS
from pipeline.results.files import ResultFiles, read_run
from pipeline.results.table import write_tables


def run(*words: object, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["audit", *map(str, words)])
    assert done.exit_code == status, done.output
    return done.output


@pytest.fixture
def out(tmp_path: Path) -> Path:
    rows = [
        *some_rows(), flagged_row("=cmd.png", asset_id="1" * 64),
        flagged_row("two.png", 4.5, band=Band.REVIEW, asset_id="2" * 64),
        no_match_row("three.png"),
    ]  # fmt: skip
    with ResultFiles(tmp_path / "out") as files:
        write_tables(files, rows, RUN, WORKS, discovered=len(rows))
        files.write_json(RUN_JSON, {"run_id": RUN.run_id, "outputs": dict(files.digests)})
    return tmp_path / "out"


def digests(folder: Path) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
        if "decided" not in file.name
    }


def test_decisions_become_columns_of_the_table(out):
    record = Record.open(out, create=True)
    stored = read_run(out)
    rows = {row["asset_path"]: row for row in stored.risk_rows.to_pylist()}
    before = digests(out)
    record.decide("anna", Basis.of_row(rows["two.png"]), Choice.NEEDS_LICENCE)
    for who in ("anna", "bob"):
        record.decide(who, Basis.of_row(rows["b/cat.png"]), Choice.FALSE_MATCH, reason="a dog")
    record.decide("anna", Basis.of_row(rows["=cmd.png"]), Choice.NO_ISSUE, reason="secret")
    summary = json.loads(run("table", out, "--json"))
    assert summary["states"] == {"agreed": 1, "first_given": 1, "open": 5, "suppressed": 1}
    assert (
        "risk_table_decided.parquet: decided: 1; second person wanted: 1; open: 5; suppressed: 1."
    ) in " ".join(run("table", out).split())
    after = digests(out)
    assert {name: after[name] for name in before if name != "record.sqlite"} == {
        name: before[name] for name in before if name != "record.sqlite"
    }
    table = pq.read_table(out / DECIDED, use_threads=False)
    assert table.column_names == [*stored.risk_rows.column_names, *COLUMNS]
    assert table.select(stored.risk_rows.column_names).equals(stored.risk_rows)
    decided = {row["asset_path"]: row for row in table.to_pylist()}
    assert decided["two.png"]["decision"] == "needs_licence"
    assert decided["b/cat.png"]["decided_by"] == "anna / bob"
    assert decided["b/cat.png"]["decision_reason"] == "anna: a dog / bob: a dog"
    # The second person may read the table.
    assert decided["=cmd.png"]["decided_by"] == "anna"
    assert decided["=cmd.png"]["decision"] is None
    assert "secret" not in (out / DECIDED_CSV).read_text(encoding="utf-8-sig")
    read_run(out)


def test_verify_says_what_it_found(tmp_path):
    some_record(tmp_path)
    assert "is unchanged: 16 events" in run("verify", tmp_path)
    assert json.loads(run("verify", tmp_path, "--json"))["whole"]
    key = tmp_path / "keys"
    key.mkdir()
    run("key", key / "k")
    run("checkpoint", tmp_path, "--key", key / "k", "--checkpoints", key / "c.jsonl")
    trusted = ("--checkpoints", key / "c.jsonl", "--public-key", key / "k.pub")
    assert "no checkpoint" not in run("verify", tmp_path, *trusted)
    with closing(sqlite3.connect(tmp_path / "record.sqlite")) as database:
        database.execute("DROP TRIGGER clearance_events_no_update")
        database.execute("UPDATE clearance_events SET actor = 'eve' WHERE seq = 4")
        database.commit()
    assert "Event 4 was altered" in run("verify", tmp_path, status=2)
    verification = json.loads(run("verify", tmp_path, *trusted, "--json", status=2))
    assert verification["first_bad"] == 4
    assert "Nothing was signed" in run("checkpoint", tmp_path, "--key", key / "k", status=2)
    run("verify", tmp_path / "nothing", status=2)
    (tmp_path / "junk.sqlite").write_bytes(b"junk" * 1000)
    run("verify", tmp_path / "junk.sqlite", status=2)


def test_exports_hold_every_event(tmp_path):
    record = some_record(tmp_path)
    record.comment("=cmd|' /C calc'!A0", next(record.events(after=1)).item, "<script>\u202e")
    events = list(record.events())
    for form in ("csv", "json", "html"):
        run("export", tmp_path, "--out", tmp_path / f"export.{form}")
        run("export", tmp_path, "--out", tmp_path / f"export.{form}", status=2)  # never overwritten
    text = (tmp_path / "export.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["hash"] for row in rows] == [event.hash for event in events]
    assert rows[1]["decision"] == "needs_licence"
    assert rows[-1]["actor"].startswith("'=")
    value = json.loads((tmp_path / "export.json").read_text(encoding="utf-8"))
    previous = GENESIS_HASH
    for one in value["events"]:  # the file suffices to verify the chain
        assert one["previous"] == previous
        previous = hashlib.sha256(bytes.fromhex(previous) + one["body"].encode()).hexdigest()
        assert one["hash"] == previous
    page = (tmp_path / "export.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "\u202e" not in page
    assert "Ask the estate" in page
    assert "http:" not in page
    assert "https:" not in page


def test_rules_are_set_by_somebody(tmp_path):
    refused = run("rules", tmp_path, "--second-person", "none", status=2)
    assert "Setting rules needs --by NAME" in refused
    assert "Invalid value" not in refused
    run("rules", tmp_path, "--second-person", "urgent", "--by", "dora", status=2)
    run("rules", tmp_path, "--second-person", "none", "--by", "dora")
    rules = json.loads(run("rules", tmp_path, "--json"))
    assert rules["second_person"] == []
    assert rules["reason_in"] == ["escalate", "partly_screened", "not_screened"]
