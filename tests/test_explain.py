"""Explaining a row from the stored files of a run."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace

import pytest
from rich.console import Console
from row_samples import (
    PRIOR,
    RUN,
    WORKS,
    flagged_row,
    no_match_row,
    some_rows,
    unreadable_row,
    values,
)

from pipeline.errors import RunError
from pipeline.explain import explain, explain_json
from pipeline.records import Kind, Passage
from pipeline.results import ResultFiles
from pipeline.risk_terminal import print_table
from pipeline.table import write_tables


def store(out, rows, **more):
    with ResultFiles(out) as files:
        write_tables(files, rows, RUN, WORKS, discovered=len(rows))
        run = {
            "calibration": {"prior": {"image": PRIOR, "script": PRIOR}},
            "outputs": dict(files.digests),
            **more,
        }
        files.write_json("run.json", run)
    return out


@pytest.fixture
def out(tmp_path):
    return store(tmp_path / "out", some_rows())


def printed(out, asset, width=100):
    text = io.StringIO()
    explain(out, asset, Console(file=text, width=width))
    return text.getvalue()


def test_the_steps_lead_from_the_prior_to_the_risk(out):
    told = explain_json(out, "b/cat.png")
    match = told["matches"][0]
    assert told["prior"] == PRIOR
    assert [step["name"] for step in match["steps"]] == [
        "prior", "perceptual_hash", "clip_embedding", "total",
    ]  # fmt: skip
    assert match["steps"][-1]["risk"] == pytest.approx(told["risk"], abs=1e-12)
    assert match["contributions"]["perceptual_hash"] == match["steps"][1]["added"]
    assert [m["work_id"] for m in told["matches"]] == ["w1", "w2"]
    named = {figure["name"] for figure in match["figures"]}
    assert named == {*values("perceptual_hash", "match"), *values("clip_embedding", "match")}
    assert match["work_files"] == {"perceptual_hash": "w1.file", "clip_embedding": "w1.file"}
    json.dumps(told, allow_nan=False)


def test_a_row_is_found_by_path_end_of_path_and_sha256(out):
    asset_id = explain_json(out, "b/cat.png")["asset_id"]
    assert explain_json(out, "cat.png")["asset_path"] == "b/cat.png"
    assert explain_json(out, "./b/cat.png")["asset_path"] == "b/cat.png"
    assert explain_json(out, "at.png")["asset_path"] == "b/cat.png"
    assert explain_json(out, asset_id.upper())["asset_path"] == "b/cat.png"


def test_the_whole_path_goes_before_the_end_of_another(tmp_path):
    out = store(tmp_path, [no_match_row("x.png"), no_match_row("a/x.png"), no_match_row("ax.png")])
    assert explain_json(out, "x.png")["asset_path"] == "x.png"
    assert explain_json(out, "a/x.png")["asset_path"] == "a/x.png"


def test_a_path_is_found_as_it_was_printed(tmp_path):
    out = store(tmp_path, [no_match_row("two\nlines.png"), no_match_row("other.png")])
    assert explain_json(out, "two\\nlines.png")["asset_path"] == "two\nlines.png"


@pytest.mark.parametrize(
    ("asset", "says"),
    [
        ("cta.png", "b/cat.png"),
        ("CAT", "b/cat.png"),
        ("nothing like it", "risk_table.csv"),
        ("", "risk_table.csv"),
    ],
)
def test_an_unknown_asset_is_refused_with_the_nearest(out, asset, says):
    with pytest.raises(RunError, match=r"has no asset") as caught:
        explain_json(out, asset)
    assert says in str(caught.value)


def test_an_ambiguous_asset_is_refused_with_those_it_names(tmp_path):
    rows = [no_match_row(f"{n}/same.png") for n in range(7)]
    out = store(tmp_path, rows)
    with pytest.raises(RunError, match="names 7 assets") as caught:
        explain_json(out, "same.png")
    assert "0/same.png, 1/same.png" in str(caught.value)
    assert "and 2 more" in str(caught.value)


def test_the_terminal_says_what_each_stage_said_and_why(out):
    told = printed(out, "b/cat.png")
    for words in ("b/cat.png", "Escalate", "Perceptual hash", "matched", "does not apply",
                  "“The Cat” (w1)", "“Der Kaffee – Maß” (w2)", "Before any evidence", "Together",
                  "A. Holder & Sons, protected"):  # fmt: skip
        assert words in told
    white = printed(out, "white.png")
    assert "could not judge it: a flat picture" in white
    assert "Not screened" in white


def test_passages_are_given_by_offsets_where_the_texts_are_gone(out):
    told = explain_json(out, "act one.fountain")
    found = told["matches"][0]["passages"]
    assert [(p["asset_start"], p["asset_end"], p["words"]) for p in found] == [(3, 60, 11)]
    assert found[0]["asset_text"] is None
    assert "characters 3–60 of the asset" in " ".join(printed(out, "act one.fountain").split())


TEXT = "One two three four five six seven eight nine ten eleven twelve thirteen words stand here."


def test_the_text_is_shown_while_the_file_is_still_the_one_screened(tmp_path):
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "act.txt").write_text(TEXT, encoding="utf-8")
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    passage = Passage("w1.file", 4, 30, 0, 10, 5, 0.5)
    row = flagged_row(
        "act.txt", kind=Kind.SCRIPT, passages=(passage,), asset_id=digest, size=len(TEXT)
    )
    out = store(tmp_path / "out", [row], drop=str(drop))
    told = explain_json(out, "act.txt")["matches"][0]["passages"][0]
    assert told["asset_text"] == TEXT[4:30]
    assert TEXT[4:30] in printed(out, "act.txt")
    (drop / "act.txt").write_text(TEXT.replace("two", "2"), encoding="utf-8")
    changed = explain_json(out, "act.txt")["matches"][0]["passages"][0]
    assert changed["asset_text"] is None
    assert changed["asset_start"] == 4


def test_a_name_cannot_act_on_the_terminal(tmp_path):
    name = "[red]x[/red]\x1b[31m\n\u202egnp.png"
    row = replace(flagged_row(name), reasons=(f"Escalate: {name}",))
    told = printed(store(tmp_path, [row]), name)
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert "[red]x[/red]\\x1b[31m\\n\\u202egnp.png" in told


def test_without_a_prior_the_risk_is_given_without_steps(tmp_path):
    out = store(tmp_path, some_rows(), calibration={})
    told = explain_json(out, "b/cat.png")
    assert told["prior"] is None
    assert told["matches"][0]["steps"] == []
    assert "Risk" in printed(out, "b/cat.png")


def test_an_asset_that_was_never_read_is_explained(tmp_path):
    told = printed(store(tmp_path, [unreadable_row("x.png")]), "x.png")
    assert "permission denied" in told
    assert "size unknown" in told


def test_the_table_in_the_terminal_shows_the_most_urgent_rows(out):
    text = io.StringIO()
    console = Console(file=text, width=140)
    print_table(some_rows(), console, WORKS, limit=3)
    lines = text.getvalue().splitlines()
    assert "b/cat.png" in lines[1]
    assert "The Cat" in lines[1]
    assert "act one.fountain" in lines[2]
    assert "2 more rows in risk_table.csv" in lines[-1]
    text.truncate(0)
    print_table([], console)
    assert "more" not in text.getvalue()
