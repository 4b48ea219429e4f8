"""Suppression in later scans: false matches are left out while their decisions are in effect, are
shown as suppressed, and count again at once when a decision is taken back.
"""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import sys
from contextlib import closing

import pyarrow.parquet as pq
import pytest
from scan_samples import Studio, words
from typer.testing import CliRunner

from pipeline import screen
from pipeline.cli import app
from pipeline.cli.exit_statuses import scan_exit_status
from pipeline.core.layout import DECIDED
from pipeline.decisions.basis import Basis
from pipeline.decisions.events import Choice
from pipeline.decisions.record import Record
from pipeline.decisions.state import State
from pipeline.results.files import read_run
from pipeline.review.review_session import ReviewSession
from pipeline.scan.operation.notify import completed_message, is_problem
from pipeline.scan.run import scan
from pipeline.scan.settings import load_settings
from pipeline.screening.register import add_works
from reference_index.store import ReferenceIndex

pytestmark = pytest.mark.slow

QUICK = {
    "bands": {"escalate": 0.99, "review": 0.5},
    "stages": {
        name: {"enabled": False} for name in ("clip_embedding", "local_features", "perceptual_hash")
    },
}
STRONG, WEAK, TWO, NONE = "a/copy.txt", "a/weak.txt", "a/two.txt", "a/none.txt"


def passage(seed: int, number: int) -> bytes:
    """A short passage of the work of that seed."""
    return b" ".join(words(seed, 200).split()[100 : 100 + number]) + b" "


@pytest.fixture(scope="module")
def texts_index(tmp_path_factory):
    studio = Studio(tmp_path_factory.mktemp("texts-index"))
    studio.works(three=words(3, 200), four=words(4, 200))
    return studio.index


@pytest.fixture
def studio(tmp_path, texts_index):
    """Scripts: a copy, a short passage, one with passages of two works, and one of none."""
    shutil.copytree(texts_index, tmp_path / "index")
    workspace = Studio(tmp_path / "studio", tmp_path / "index")
    workspace.screening |= QUICK
    workspace.put("copy.txt", words(3, 200)[:700])
    workspace.put("weak.txt", words(61, 120) + passage(3, 12) + words(62, 120))
    workspace.put("two.txt", words(3, 200)[:900] + words(63, 120) + passage(4, 12) + words(64, 120))
    workspace.put("none.txt", words(65, 120))
    workspace.scan()
    return workspace


def rows(studio):
    return {row["asset_path"]: row for row in studio.read().risk_rows.to_pylist()}


def matches(studio, path):
    return {
        row["work_id"]: row
        for row in studio.read().match_rows.to_pylist()
        if row["asset_path"] == path
    }


def changes(studio):
    table = pq.read_table(studio.out() / "latest" / "delta.parquet", use_threads=False)
    return {row["asset_path"]: (row["change"], row["why"]) for row in table.to_pylist()}


def false(studio, path, *people):
    """Records a decision "false match" on the row by each of these people; the decisions."""
    record = Record.open(studio.out(), create=True)
    basis = Basis.of_row(rows(studio)[path])
    return [record.decide(who, basis, Choice.FALSE_MATCH, reason="a common phrase").event_id
            for who in people]  # fmt: skip


def undo(studio, event_id):
    Record.open(studio.out()).undo("dora", event_id, "it is a copy after all")


def state(studio, path):
    return Record.open(studio.out()).items().of_row(rows(studio)[path]).state


def test_a_match_is_suppressed_once_both_decided_and_until_one_takes_it_back(studio):
    first = rows(studio)
    assert {path: first[path]["band"] for path in (STRONG, WEAK, TWO, NONE)} == {
        STRONG: "escalate", WEAK: "review", TWO: "escalate", NONE: "no_match",
    }  # fmt: skip
    false(studio, STRONG, "anna")
    done = studio.scan()
    assert done.summary["suppressed"] == 0
    assert changes(studio) == {}
    assert rows(studio)[STRONG]["suppressed_works"] == 0
    assert (
        "anna" not in rows(studio)[STRONG]["reasons"]
    )  # bob has not decided yet and must not see hers

    [second] = false(studio, STRONG, "bob")
    messages = []
    done = scan(load_settings(studio.config()), on_message=messages.append)
    assert "4 to keep with the previous results." in messages
    assert done.summary["read"] == 0
    assert (done.summary["suppressed"], done.summary["record"]) == (1, "read")
    assert changes(studio) == {STRONG: ("fallen", "false match suppressed")}
    row = rows(studio)[STRONG]
    assert (row["band"], row["risk"], row["work_id"]) == ("info", None, None)
    assert (row["suppressed_works"], row["other_works"]) == (1, 0)
    assert row["text_words"] is None
    sentence = row["reasons"].split(". ")[0]
    assert sentence.startswith("anna and bob said on 2")
    assert (
        "the match with “Three” (three) is false; without that its risk would be >0.99, "
        in sentence
    )
    assert "in band “Escalate”" in sentence
    [match] = matches(studio, STRONG).values()
    assert (match["suppressed"], match["band"], match["rank"]) == (True, "escalate", 1)
    assert match["risk"] == first[STRONG]["risk"]
    assert state(studio, STRONG) is State.SUPPRESSED
    assert "1 match is suppressed" in completed_message(done.summary, 0).body
    page = (done.folder / "delta.html").read_text(encoding="utf-8")
    assert "1 match is suppressed, because people agreed" in page
    assert "Suppressed match: " in page
    assert "anna and bob said on" in page

    undo(studio, second)
    assert state(studio, STRONG) is State.FIRST_GIVEN  # of a table from before that was taken back
    done = studio.scan()
    assert done.summary["read"] == 0
    assert changes(studio) == {STRONG: ("risen", "false match taken back")}
    back = rows(studio)[STRONG]
    assert {**back, "run_id": ""} == {**first[STRONG], "run_id": ""}


def test_a_second_scan_with_a_suppressed_match_finds_nothing_new(studio):
    false(studio, STRONG, "anna", "bob")
    studio.scan()
    before = studio.read().risk_rows.drop_columns(["run_id"])
    done = studio.scan()
    assert changes(studio) == {}
    assert done.summary["suppressed"] == 1
    assert studio.read().risk_rows.drop_columns(["run_id"]).equals(before)


def test_the_same_bytes_at_another_path_are_suppressed_too(studio):
    false(studio, WEAK, "anna")
    studio.put("other.txt", (studio.drop / "weak.txt").read_bytes())
    assert studio.scan().summary["suppressed"] == 2
    assert rows(studio)["a/other.txt"]["band"] == "info"
    assert state(studio, "a/other.txt") is State.SUPPRESSED


def test_of_two_works_the_other_one_decides(studio):
    first = rows(studio)[TWO]
    assert (first["work_id"], first["other_works"]) == ("three", 1)
    three = false(studio, TWO, "anna", "bob")
    studio.scan()
    assert changes(studio) == {TWO: ("fallen", "false match suppressed")}
    row = rows(studio)[TWO]
    assert (row["band"], row["work_id"]) == ("review", "four")
    assert (row["suppressed_works"], row["other_works"]) == (1, 0)
    assert row["reasons"].startswith("Needs review: evidence of copying from “Four” (four)")
    assert "the match with “Three” (three) is false" in row["reasons"]
    assert row["risk"] == matches(studio, TWO)["four"]["risk"]
    assert {w: m["suppressed"] for w, m in matches(studio, TWO).items()} == {
        "three": True, "four": False,
    }  # fmt: skip
    assert state(studio, TWO) is State.OPEN  # “Four” has no decision yet

    false(studio, TWO, "carol")  # of the current row, which is in review: one is enough
    studio.scan()
    assert changes(studio) == {TWO: ("fallen", "false match suppressed")}
    row = rows(studio)[TWO]
    assert (row["band"], row["work_id"], row["suppressed_works"]) == ("info", None, 2)
    assert row["reasons"].count(" is false; without that its risk would be ") == 2
    assert state(studio, TWO) is State.SUPPRESSED

    undo(studio, three[0])
    studio.scan()
    assert changes(studio) == {TWO: ("risen", "false match taken back")}
    row = rows(studio)[TWO]
    assert (row["band"], row["work_id"], row["suppressed_works"]) == ("escalate", "three", 1)
    assert row["other_works"] == 0


def test_a_decision_on_a_weaker_work_stays_valid_when_the_stronger_one_is_suppressed(studio):
    record = Record.open(studio.out(), create=True)
    basis = Basis.of_row(rows(studio)[TWO], matches(studio, TWO)["four"])
    assert (basis.band, basis.work_id) == ("review", "four")
    record.decide("anna", basis, Choice.FALSE_MATCH, reason="a common phrase")
    studio.scan()
    assert changes(studio) == {}
    row = rows(studio)[TWO]
    assert (row["work_id"], row["other_works"], row["suppressed_works"]) == ("three", 0, 1)
    false(studio, TWO, "anna", "bob")
    studio.scan()
    assert (rows(studio)[TWO]["band"], rows(studio)[TWO]["suppressed_works"]) == ("info", 2)


def more_of(studio, work, data):
    """Another file of a work."""
    place = studio.folder / "more"
    place.mkdir()
    (place / "more.txt").write_bytes(data)
    with (place / "works.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("work_id", "title", "rightsholder", "rights", "path"),
             (work, work.title(), "An Owner", "protected", "more.txt")]
        )  # fmt: skip
    add_works(studio.index, place / "works.csv")


def test_a_match_that_grew_stronger_is_flagged_again_and_says_so(studio):
    false(studio, WEAK, "anna")
    studio.scan()
    assert rows(studio)[WEAK]["suppressed_works"] == 1
    version = rows(studio)[WEAK]["index_version"]
    more_of(studio, "three", (studio.drop / "weak.txt").read_bytes())
    done = studio.scan()
    assert changes(studio) == {WEAK: ("risen", "false match no longer covers it")}
    assert (done.summary["suppressed"], done.summary["no_longer_suppressed"]) == (0, 1)
    row = rows(studio)[WEAK]
    assert (row["band"], row["work_id"], row["suppressed_works"]) == ("escalate", "three", 0)
    assert "anna said on 2" in row["reasons"]
    assert (
        "that no longer applies. The row was decided on as “Needs review” and is "
        f"“Escalate” now (the index is at version {row['index_version']}, it was at {version}"
    ) in row["reasons"]
    assert state(studio, WEAK) is State.REOPENED
    assert changes(studio)  # and stays flagged:
    studio.scan()
    assert (changes(studio), rows(studio)[WEAK]["band"]) == ({}, "escalate")
    false(studio, WEAK, "anna", "bob")
    studio.scan()
    assert changes(studio) == {WEAK: ("fallen", "false match suppressed")}


def test_decisions_are_written_next_to_the_results(studio):
    assert not (studio.out() / "latest" / DECIDED).exists()
    false(studio, STRONG, "anna", "bob")
    false(studio, TWO, "anna")
    studio.scan()
    table = pq.read_table(studio.out() / "latest" / DECIDED, use_threads=False).to_pylist()
    states = {row["asset_path"]: row["decision_state"] for row in table}
    assert states == {STRONG: "suppressed", TWO: "first_given", WEAK: "open", NONE: "open"}
    run = json.loads((studio.out() / "latest" / "run.json").read_text())
    assert run["record"]["suppressed"] == 1
    assert run["record"]["events"] == 4
    # Later decisions may replace it, and the run stays readable.
    assert DECIDED not in run["outputs"]


def alter(studio, *statements):
    with closing(sqlite3.connect(studio.out() / "record.sqlite")) as database:
        for name in ("update", "delete"):
            database.execute(f"DROP TRIGGER clearance_events_no_{name}")
        for statement in statements:
            database.execute(statement)
        database.commit()


@pytest.mark.parametrize("how", ["altered", "junk", "cut off", "gone", "folder", "no extra"])
def test_a_record_that_cannot_be_trusted_suppresses_nothing(studio, how, monkeypatch):
    event_id = false(studio, STRONG, "anna", "bob")[1]
    if how == "cut off":
        false(studio, WEAK, "anna")
        undo(studio, event_id)
    studio.scan()
    file = studio.out() / "record.sqlite"
    match how:
        case "altered":
            alter(studio, "UPDATE clearance_events SET actor = 'eve' WHERE seq = 2")
        case "junk":
            file.write_bytes(b"junk" * 1000)
        case "cut off":
            alter(studio, "DELETE FROM clearance_events WHERE kind = 'undo'")
        case "gone":
            file.unlink()
        case "folder":
            file.unlink()
            file.mkdir()
        case "no extra":
            for name in ("record", "database", "audit", "checkpoints"):
                monkeypatch.delitem(sys.modules, f"pipeline.decisions.{name}", raising=False)
            monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    done = studio.scan()
    assert (done.summary["suppressed"], done.summary["record"]) == (0, "unusable")
    back = WEAK if how == "cut off" else STRONG
    assert changes(studio) == {back: ("risen", "the record of decisions could not be used")}
    [note] = done.notes
    assert note.startswith("No match was suppressed, because the record of decisions could not")
    assert note.partition(": ")[2]
    assert "Traceback" not in note
    if how == "no extra":
        assert "pip install '.[review]'" in note
    assert note.split(":")[0] in (done.folder / "delta.html").read_text(encoding="utf-8")
    assert scan_exit_status(done.summary, None) == 3
    assert is_problem(done.summary)
    assert str(studio.folder) not in completed_message(done.summary, 3).body
    assert not (done.folder / DECIDED).exists()


def test_a_record_at_a_configured_path_is_read(studio, monkeypatch, tmp_path):
    false(studio, STRONG, "anna", "bob")
    (studio.out() / "record.sqlite").rename(tmp_path / "elsewhere.sqlite")
    done = studio.scan()
    assert (done.summary["record"], done.notes) == ("none", ())
    done = studio.scan(record=str(tmp_path / "elsewhere.sqlite"))
    assert done.summary["suppressed"] == 1
    monkeypatch.setenv("CLEARANCE_RECORD", str(tmp_path / "elsewhere.sqlite"))
    assert studio.scan().summary["suppressed"] == 1
    other = Record.open(tmp_path / "other.sqlite", create=True)
    assert other.name
    done = studio.scan(record=str(tmp_path / "other.sqlite"))
    assert done.summary["suppressed"] == 0
    assert "another one than the run before read" in done.notes[0]
    assert changes(studio) == {STRONG: ("risen", "false match taken back")}


def test_a_configured_record_that_does_not_exist_is_reported(studio, tmp_path):
    done = studio.scan(record=str(tmp_path / "typo.sqlite"))
    assert done.summary["record"] == "none"
    assert "not there yet" in done.notes[0]
    assert scan_exit_status(done.summary, None) == 0


def clearance(*arguments, status=0):
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == status, done.output
    return done.output


def test_screening_with_a_record_and_explaining_it(studio, tmp_path):
    false(studio, STRONG, "anna", "bob")
    false(studio, TWO, "anna", "bob")
    config = studio.folder / "screening.yaml"
    one = studio.drop / "copy.txt"
    out = tmp_path / "out"
    arguments = ("screen", studio.drop, "--index", studio.index, "--out", out, "--config", config)
    result = json.loads(clearance(*arguments, "--json"))
    assert (result["suppressed"], result["counts"]["escalate"]) == (0, 2)
    assert not (out / DECIDED).exists()
    result = json.loads(clearance(*arguments, "--record", studio.out(), "--json"))
    assert (result["suppressed"], result["counts"]["escalate"]) == (2, 0)
    assert (out / DECIDED).exists()
    assert "2 matches are suppressed" in clearance(*arguments, "--record", studio.out())
    run = screen(studio.drop, studio.index, out, config=config, record=studio.out())
    assert (run.table["suppressed_works"] > 0).sum() == 2
    text = " ".join(clearance("explain", out, one.name).split())
    assert "not given, because every match is suppressed" in text
    assert "anna and bob said on" in text
    assert "Suppressed: people agreed on that, and it decides nothing." in text
    explanation = json.loads(clearance("explain", out, "two.txt", "--json"))
    assert [(one["work_id"], one["suppressed"]) for one in explanation["matches"]] == [
        ("three", True), ("four", False),
    ]  # fmt: skip
    assert explanation["suppressed_works"] == 1
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Suppressed match: " in page
    assert "<b>Suppressed.</b>" in page
    error = clearance(*arguments, "--record", tmp_path / "nothing.sqlite", "--json", status=2)
    assert "There is no record" in json.loads(error)["error"]
    alter(studio, "UPDATE clearance_events SET actor = 'eve' WHERE seq = 2")
    error = clearance(*arguments, "--record", studio.out(), "--json", status=2)
    assert "Event 2 of the record was altered" in json.loads(error)["error"]


def test_a_renamed_work_keeps_its_decisions_and_makes_no_change(studio, tmp_path):
    false(studio, STRONG, "anna", "bob")
    record = Record.open(studio.out())
    record.decide("anna", Basis.of_row(rows(studio)[WEAK]), Choice.NO_ISSUE, reason="tiny")
    record.decide("anna", Basis.of_row(rows(studio)[TWO]), Choice.REPLACE, reason="first of two")
    studio.scan()
    before = rows(studio)

    index = ReferenceIndex.open(studio.index)
    index.rename("three", "dréi")
    done = studio.scan()
    assert done.summary["read"] == 0
    assert changes(studio) == {}
    assert done.summary["suppressed"] == 1
    assert done.summary["flagged_anew"] == {"escalate": 0, "review": 0, "info": 0}
    after = rows(studio)
    for path in (STRONG, WEAK, TWO, NONE):
        assert (after[path]["band"], after[path]["risk"]) == (
            before[path]["band"],
            before[path]["risk"],
        )
    assert {row["work_id"] for row in after.values()} == {None, "dréi"}
    assert "anna and bob said" in after[STRONG]["reasons"]
    decided = pq.read_table(studio.out() / "latest" / DECIDED, use_threads=False).to_pylist()
    assert {row["asset_path"]: row["decision_state"] for row in decided} == {
        STRONG: "suppressed", WEAK: "agreed", TWO: "first_given", NONE: "open",
    }  # fmt: skip

    # The second of two people decides under the new id, and both count together.
    session = ReviewSession(studio.read(), studio.out())
    number = session.number_of(TWO)
    assert session.state(session.row(number)).state is State.FIRST_GIVEN
    seen = []
    session.opened().decide(
        "bob",
        session.basis(session.row(number)),
        Choice.REPLACE,
        reason="so it is",
        check=lambda state, _: seen.append(state.state),
    )
    assert seen == [State.FIRST_GIVEN]
    assert session.state(session.row(number)).state is State.AGREED

    # screen --record
    out = tmp_path / "out"
    screen(studio.drop, studio.index, out, config=studio.folder / "screening.yaml",
           record=studio.out())  # fmt: skip
    screened = {row["asset_path"]: row for row in read_run(out).risk_rows.to_pylist()}
    assert screened["copy.txt"]["suppressed_works"] == 1

    # Taken back, a decision under the former id ends what it did.
    [_, second] = (
        event.event_id
        for event in record.events()
        if event.item is not None and event.item.asset == after[STRONG]["asset_id"]
    )
    session.opened().undo("bob", second, "it is a copy after all")
    studio.scan()
    assert changes(studio) == {STRONG: ("risen", "false match taken back")}


def test_a_file_added_to_a_renamed_work_is_told_as_added(studio, tmp_path):
    ReferenceIndex.open(studio.index).rename("three", "drei")
    (tmp_path / "more.txt").write_bytes(words(65, 120))
    (tmp_path / "more.csv").write_text(
        "work_id,title,rightsholder,rights,path\ndrei,Three,An Owner,protected,more.txt\n"
    )
    add_works(studio.index, tmp_path / "more.csv")
    studio.scan()
    assert changes(studio) == {NONE: ("newly_flagged", "work added")}
