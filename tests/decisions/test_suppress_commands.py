"""`clearance audit suppress`: what it prints, writes and exits with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from row_samples import RUN, WORKS, flagged_row, no_match_row
from test_form_2 import FORM_1
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.core.layout import RUN as RUN_JSON
from pipeline.core.records import Band
from pipeline.decisions.record import Record
from pipeline.results import ruled
from pipeline.results.files import ResultFiles
from pipeline.results.ruled import RunRules
from pipeline.results.table import write_tables


def run(*words: object, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["audit", "suppress", *map(str, words)])
    assert done.exit_code == status, done.output
    return done.output


def as_json(*words: object) -> dict:
    return json.loads(run(*words, "--json"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    rows = [
        flagged_row("ep01/a.png", asset_id="1" * 64),
        flagged_row("ep01/b.png", 4.5, band=Band.REVIEW, asset_id="2" * 64),
        flagged_row("ep02/c.png", asset_id="3" * 64),
        no_match_row("none.png"),
    ]
    with ResultFiles(tmp_path / "out") as files:
        write_tables(files, rows, RUN, WORKS, discovered=len(rows))
        files.write_json(RUN_JSON, {"run_id": RUN.run_id, "outputs": dict(files.digests)})
    return tmp_path / "out"


ADD = ("--work", "w1", "--folder", "ep01", "--reason", "Our own series", "--by", "Anna Berg")


def test_a_rule_is_checked_added_agreed_to_and_revoked(out):
    check = run("add", out, *ADD, "--check")
    assert "covers 2 matches of these results: 1 Escalate, 1 Needs review" in check
    assert "Nothing was added" in check
    assert not (out / "record.sqlite").exists()
    added = run("add", out, *ADD, "--until", "2999-01-31")
    assert "Rule 2, waiting: matches with the work “w1”, in “ep01”." in added
    assert "A second person has yet to agree" in added
    assert "waits for another person" in run(
        "agree", out, 2, "--by", "anna berg", status=2
    ).replace("\n", " ")
    assert as_json("agree", out, 2, "--by", "Bob Lee")["status"] == "active"
    [rule] = as_json("list", out)["rules"]
    assert rule["matches"] == {"escalate": 1, "review": 1}
    assert (rule["by"], rule["until"]) == (["Anna Berg", "Bob Lee"], "2999-01-31")
    table = CliRunner().invoke(app, ["audit", "table", str(out), "--json"])
    assert json.loads(table.output)["states"] == {"open": 2, "suppressed": 2}
    revoked = run("revoke", out, 2, "--by", "Bob Lee", "--reason", "Sold in May")
    assert "Revoked by Bob Lee" in revoked
    table = CliRunner().invoke(app, ["audit", "table", str(out), "--json"])
    assert json.loads(table.output)["states"] == {"open": 4}
    run("revoke", out, 2, "--by", "Bob Lee", "--reason", "again", status=2)


def test_a_rule_on_a_column_of_the_manifest_needs_the_index_to_be_counted(out):
    ask = ("--reason", "x", "--by", "Anna", "--check")
    holder = next(iter(WORKS.values())).rightsholder
    counted = as_json("add", out, "--works", f"rightsholder={holder.upper()}", *ask)
    assert sum(counted["matches"].values()) == 3
    assert "could not be counted" in run("add", out, "--works", "series=Night", *ask)
    assert as_json("add", out, "--works", "series=Night", *ask)["matches"] is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--work", "w1", "--works", "rights=own"), "one of the two"),
        ((), "names works"),
        (("--works", "rights"), "has no ="),
        (("--work", "w1", "--folder", "/srv"), "no folder of the risk table"),
        (("--work", "w1", "--until", "2020-01-01"), "is over"),
    ],
)
def test_what_is_no_rule_is_one_sentence_and_makes_no_record(out, words, sentence):
    output = run("add", out, *words, "--reason", "x", "--by", "Anna", status=2)
    assert sentence in " ".join(output.split())
    assert "Traceback" not in output
    assert not (out / "record.sqlite").exists()


def test_what_is_not_there_is_one_sentence(out):
    assert "no record" in run("agree", out, 7, "--by", "x", status=2)
    Record.open(out, create=True)
    assert "no rules that suppress" in run("list", out)
    for words in (("agree", out, 7, "--by", "x"), ("revoke", out, 7, "--by", "x", "--reason", "y")):
        assert "no rule 7" in run(*words, status=2)


def test_a_check_says_what_may_be_mistyped_and_whether_a_second_person_is_needed(out, monkeypatch):
    index = {"w1": {"title": "One", "series": "Night"}, "w2": {"title": "Two"}}
    monkeypatch.setattr(RunRules, "_index_works", index)
    monkeypatch.setattr(ruled, "work_aliases", lambda _run: {"old": "w1"})
    ask = ("--reason", "x", "--by", "Anna", "--check")
    said = run("add", out, "--work", "w11", "--folder", "ep1", *ask)
    assert "The index has no work “w11”; the nearest is “w1”." in said
    assert "No file of these results lies in “ep1”." in said
    assert "A second person must agree" in said
    said = run("add", out, "--works", "serie=Night", *ask)
    assert "No work has a column “serie”; the nearest is “series”." in said
    assert as_json("add", out, "--works", "serie=Night", *ask)["hints"] == [
        "No work has a column “serie”; the nearest is “series”."
    ]
    known = run("add", out, "--work", "old", *ask)
    assert "with the work “w1”" in known, "a renamed work has its present id"
    assert "nearest" not in known
    set_rules = ["audit", "rules", str(out), "--second-person", "none", "--by", "Anna"]
    assert CliRunner().invoke(app, set_rules).exit_code == 0
    assert "second person" not in run("add", out, "--work", "w1", *ask)


def test_a_mistyped_place_is_refused_and_no_record_is_made(out, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for place, sentence in ((tmp_path / "out2x", "There is no"), (empty, "holds no results")):
        for words in (ADD, (*ADD, "--check")):
            assert sentence in " ".join(run("add", place, *words, status=2).split())
        set_rules = ("rules", str(tmp_path / "out2x"), "--second-person", "none", "--by", "Anna")
        assert CliRunner().invoke(app, ["audit", *set_rules]).exit_code == 2
    assert {path.name for path in tmp_path.iterdir()} == {"out", "empty"}
    assert not any(empty.iterdir())
    run("add", tmp_path / "new.sqlite", *ADD)
    assert (tmp_path / "new.sqlite").is_file()


def test_results_without_a_record_have_no_rules(out, tmp_path):
    assert "no rules that suppress" in run("list", out)
    assert as_json("list", out) == {"rules": []}
    assert "There is no" in run("list", tmp_path / "out2x", status=2)
    bare = " ".join(run("list", tmp_path, status=2).split())
    assert "the first decision or rule makes it" in bare
    (out / "record.sqlite").write_bytes(b"")
    run("list", out, status=2)


def test_a_record_that_goes_over_to_form_2_says_so(tmp_path):
    (tmp_path / "record.sqlite").write_bytes((FORM_1 / "record.sqlite").read_bytes())
    place = tmp_path / "record.sqlite"
    assert "The record is of form 2 from here on" in run("add", place, *ADD)
    assert "form 2" not in run("add", place, *ADD[:2], *ADD[4:])
