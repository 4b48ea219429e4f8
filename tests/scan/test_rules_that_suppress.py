"""Rules that suppress in nightly scans: rows are judged again though no file changed, and the
changes say why.
"""

from __future__ import annotations

import csv
import io
import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scan_samples import Studio, words

from pipeline.core.layout import DECIDED
from pipeline.decisions import standing
from pipeline.decisions.basis import Basis
from pipeline.decisions.events import Choice
from pipeline.decisions.record import Record
from pipeline.decisions.selection import FolderSelection, WorkSelection
from pipeline.results.files import read_run
from pipeline.scan import run as scan_run
from pipeline.scan.operation.notify import completed_message
from pipeline.screening.screen import screen

pytestmark = pytest.mark.slow

QUICK = {
    "bands": {"escalate": 0.99, "review": 0.5},
    "stages": {
        name: {"enabled": False} for name in ("clip_embedding", "local_features", "perceptual_hash")
    },
}
COPY, TWO, OTHER = "a/ep01/copy.txt", "a/ep01/two.txt", "a/ep02/copy.txt"
THREE = WorkSelection.of(["three"])


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Copies of two works in two folders; both works are of a series."""
    studio = Studio(tmp_path_factory.mktemp("rules") / "studio")
    studio.works(three=words(3, 200), four=words(4, 200))
    studio.put("ep01/copy.txt", words(3, 200)[:700])
    studio.put("ep01/two.txt", words(3, 200)[:900] + words(63, 120) + words(4, 200)[:500])
    studio.put("ep02/copy.txt", words(3, 200)[:800])
    studio.put("ep02/none.txt", words(65, 120))
    return studio


@pytest.fixture
def studio(kept, tmp_path):
    shutil.copytree(kept.folder, tmp_path / "studio", dirs_exist_ok=True)
    again = Studio.__new__(Studio)
    again.folder, again.drop = tmp_path / "studio", tmp_path / "studio" / "drop"
    again.index, again.screening, again.scans = tmp_path / "studio" / "index", dict(QUICK), 0
    again.scan()
    return again


def rows(studio):
    return {row["asset_path"]: row for row in studio.read().risk_rows.to_pylist()}


def changes(studio):
    table = pq.read_table(studio.out() / "latest" / "delta.parquet", use_threads=False)
    return {row["asset_path"]: (row["change"], row["why"]) for row in table.to_pylist()}


def rule(studio, works=THREE, *folders, until="", agreed=True):
    record = Record.open(studio.out(), create=True)
    event = record.add_rule("anna", works, FolderSelection.of(folders), "our series", until=until)
    if agreed:
        record.agree("bob", event.event_id)
    return event


def on_day(monkeypatch, day):
    """Scans begin on that day."""
    real = scan_run.now
    monkeypatch.setattr(scan_run, "now", lambda: f"{day}T{real()[11:]}")


def test_a_rule_counts_from_the_next_scan_on_and_until_it_is_revoked(studio):
    first = rows(studio)
    assert {first[path]["band"] for path in (COPY, TWO, OTHER)} == {"escalate"}
    waiting = rule(studio, THREE, "a/ep01", agreed=False)
    assert studio.scan().summary["suppressed"] == 0
    assert changes(studio) == {}
    Record.open(studio.out()).agree("bob", waiting.event_id)
    done = studio.scan()
    assert done.summary["read"] == 0  # no file is loaded or searched for again
    assert changes(studio) == {
        COPY: ("fallen", "suppressed by a rule"),
        TWO: ("another_work", "suppressed by a rule"),
    }
    assert (done.summary["suppressed"], done.summary["suppressed_by_rules"]) == (2, 2)
    now = rows(studio)
    assert (now[COPY]["band"], now[COPY]["suppressed_works"]) == ("info", 1)
    assert now[TWO]["work_id"] == "four"
    assert now[OTHER]["band"] == "escalate"  # not in that folder
    assert f"Rule {waiting.seq} suppresses the match with “Three” (three)" in now[COPY]["reasons"]
    assert "2 matches are suppressed by rules" in completed_message(done.summary, 0).body
    run = studio.read().run["record"]
    assert (run["rules"], run["suppressed"], run["suppressed_by_rules"]) == (1, 2, 2)
    decided = pq.read_table(studio.out() / "latest" / DECIDED, use_threads=False).to_pylist()
    [copy] = [row for row in decided if row["asset_path"] == COPY]
    assert (copy["decision_state"], copy["decided_by"]) == ("suppressed", "anna / bob")
    assert copy["decision_reason"] == f"Rule {waiting.seq}: our series"
    studio.scan()
    assert changes(studio) == {}

    Record.open(studio.out()).revoke("carol", waiting.event_id, "sold in May")
    done = studio.scan()
    assert done.summary["read"] == 0
    assert changes(studio) == {
        COPY: ("risen", "rule revoked"), TWO: ("another_work", "rule revoked"),
    }  # fmt: skip
    assert {**rows(studio)[COPY], "run_id": ""} == {**first[COPY], "run_id": ""}


def test_an_expired_rule_stops_counting(studio, monkeypatch):
    rule(studio, THREE, until="2998-12-31")
    on_day(monkeypatch, "2998-12-31")
    assert studio.scan().summary["suppressed_by_rules"] == 3
    on_day(monkeypatch, "2999-01-01")
    done = studio.scan()
    assert (done.summary["suppressed"], done.summary["read"]) == (0, 0)
    assert set(changes(studio).values()) == {
        ("risen", "rule expired"), ("another_work", "rule expired"),
    }  # fmt: skip
    assert standing.today() < "2998"


def test_a_rule_on_a_column_follows_the_index(studio):
    rule(studio, WorkSelection.of((), "rightsholder", "an owner"))
    done = studio.scan()
    assert done.summary["suppressed_by_rules"] == 4
    from pipeline.screening.register import add_works
    from reference_index.store import ReferenceIndex

    file = studio.folder / "works" / "works.csv"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("An Owner", "Another"), encoding="utf-8")
    ReferenceIndex.open(studio.index).remove(["three", "four"])
    add_works(studio.index, file)
    studio.scan()
    assert {why for _, why in changes(studio).values()} <= {
        "rule no longer covers it", "work added",
    }  # fmt: skip
    assert rows(studio)[COPY]["band"] == "escalate"


def without_reasons(table: pa.Table, *names: str) -> pa.Table:
    names = ("run_id", *names)
    return table.drop_columns([name for name in names if name in table.column_names])


@pytest.mark.parametrize("folders", [(), ("ep01",), ("*/copy.txt",)])
def test_tables_are_those_of_false_matches_but_for_reasons(studio, tmp_path, folders):
    """Each covered pair decided `false_match` by both people gives the same tables."""
    config = studio.folder / "screening.yaml"
    plain = tmp_path / "plain"
    screen(studio.drop, studio.index, plain, config=config)
    stored = read_run(plain)
    by_path = {row["asset_path"]: row for row in stored.risk_rows.to_pylist()}
    false = Record.open(tmp_path / "false.sqlite", create=True)
    ruled = Record.open(tmp_path / "ruled.sqlite", create=True)
    assets = FolderSelection.of(folders)
    ruled.agree("bob", ruled.add_rule("anna", THREE, assets, "ours").event_id)
    pairs = 0
    for match in stored.match_rows.to_pylist():
        if match["work_id"] == "three" and assets.covers(match["asset_path"]):
            basis = Basis.of_row(by_path[match["asset_path"]], match)
            for who in ("anna", "bob"):
                false.decide(who, basis, Choice.FALSE_MATCH, reason="ours")
            pairs += 1
    assert pairs
    runs = []
    for name in ("false", "ruled"):
        record = tmp_path / f"{name}.sqlite"
        screen(studio.drop, studio.index, tmp_path / name, config=config, record=record)
        runs.append(read_run(tmp_path / name))
    one, other = runs
    assert one.run["record"]["suppressed"] == pairs
    risk = [without_reasons(run.risk_rows, "reasons") for run in runs]
    assert risk[0].equals(risk[1])
    assert not risk[0].equals(without_reasons(stored.risk_rows, "reasons"))
    matches = [without_reasons(run.match_rows, "suppressed_by") for run in runs]
    assert matches[0].equals(matches[1])
    assert without_reasons(one.passage_rows).equals(without_reasons(other.passage_rows))
    for run in runs:
        decided = pq.read_table(run.folder / DECIDED, use_threads=False)
        states = dict(zip(*(decided.column(name).to_pylist() for name in (
            "asset_path", "decision_state")), strict=True))  # fmt: skip
        assert ("suppressed" in states.values()) is (one.run["counts"]["info"] > 0)
    report = (tmp_path / "ruled" / "report.html").read_text(encoding="utf-8")
    assert "Rule 2 suppresses the match with" in report
    table = csv.DictReader(
        io.StringIO((tmp_path / "ruled" / "risk_table.csv").read_text(encoding="utf-8-sig"))
    )
    assert any("Rule 2 suppresses" in row["reasons"] for row in table)
    assert json.loads((tmp_path / "ruled" / "run.json").read_text())["record"]["rules"] == 1
