"""`clearance report`: one card of a stored run as a file of its own."""

from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image
from row_samples import flagged_row, no_match_row, unreadable_row
from test_explain import make_screened, store
from test_report import ASSET_TEXT, Reader, script_row
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.core.errors import DropError, RunError
from pipeline.report.card_file import write_card


@pytest.fixture
def screened(tmp_path):
    return make_screened(tmp_path)


def clearance(*words):
    return CliRunner().invoke(app, ["report", *map(str, words)])


def test_the_card_is_written_with_pictures_of_both_sides(screened):
    done = write_card(screened / "out", "cat.png", screened / "card.html")
    assert done.notes == ()
    assert done.asset_path == "b/cat.png"
    read = Reader((screened / "card.html").read_text(encoding="utf-8"))
    assert read.pictures == [
        "The asset b/cat.png with the outline of the work",
        "The work The Cat with the outline of what is in the asset",
        "The asset b/cat.png with the work The Cat laid onto it in squares",
    ]
    assert len(read.kept) == 3
    assert read.named("script") == []
    policy = next(m for m in read.named("meta") if m.get("http-equiv"))
    assert str(policy["content"]).startswith("default-src 'none'; img-src data:;")
    assert "decides nothing in law" in read.text


def test_what_is_not_there_any_more_is_said(screened):
    Image.new("RGB", (8, 8)).save(screened / "drop" / "b" / "cat.png")
    shutil.rmtree(screened / "idx")
    done = write_card(screened / "out", "cat.png", screened / "card.html")
    assert "has other content than was screened" in done.notes[0]
    assert "The index that was searched is not there as it was" in done.notes[1]
    read = Reader((screened / "card.html").read_text(encoding="utf-8"))
    assert read.kept == []
    for note in done.notes:
        assert note in read.text
    assert "The work’s picture lies in the asset" in read.text


def test_without_kept_content_the_work_is_said_not_to_be_shown(tmp_path):
    folder = make_screened(tmp_path, keep_content=False)
    done = write_card(folder / "out", "cat.png", folder / "card.html")
    assert done.notes == ("The index keeps no picture of the work.",)


def test_an_asset_in_object_storage_has_no_picture_and_says_so(screened, tmp_path):
    out = store(tmp_path / "far", [flagged_row("b/cat.png", size=5)], drop="s3://bucket/drop")
    done = write_card(out, "cat.png", tmp_path / "card.html")
    assert "lies in object storage" in done.notes[0]


def test_a_script_shows_its_passage_while_the_file_is_unchanged(tmp_path):
    import hashlib

    data = ASSET_TEXT.encode()
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "act.txt").write_bytes(data)
    row = script_row("act.txt", asset_id=hashlib.sha256(data).hexdigest(), size=len(data))
    out = store(tmp_path / "out", [row], drop=str(tmp_path / "drop"))
    done = write_card(out, "act.txt", tmp_path / "card.html")
    assert "quick brown" in Reader((tmp_path / "card.html").read_text()).text
    [note] = done.notes
    assert "The text of the work is not shown" in note


def test_a_row_without_a_match_has_a_card_too(tmp_path):
    out = store(tmp_path / "out", [no_match_row("own.png"), unreadable_row("broken.png")])
    for asset, says in (("own.png", "No match found"), ("broken.png", "permission denied")):
        write_card(out, asset, tmp_path / f"{asset}.html")
        assert says in Reader((tmp_path / f"{asset}.html").read_text()).text


def test_nothing_is_overwritten_and_nothing_put_among_the_originals(screened):
    (screened / "there.html").write_bytes(b"somebody's")
    for file, says in (
        (screened / "there.html", "is there already"),
        (screened / "drop" / "b" / "new.html", "inside the drop"),
        (screened / "idx" / "new.html", "inside the reference index"),
        (screened / "card.pdf", "ends in .html"),
        (screened / "nowhere" / "new.html", "can't be written"),
    ):
        with pytest.raises(DropError, match=says):
            write_card(screened / "out", "cat.png", file)
    assert (screened / "there.html").read_bytes() == b"somebody's"


def test_an_unknown_asset_is_refused_with_near_names(screened):
    with pytest.raises(RunError, match=r"has no asset cats.png \(nearest: b/cat.png\)"):
        write_card(screened / "out", "cats.png", screened / "card.html")


def test_the_command_writes_the_card_of_a_run_or_of_the_latest_scan(screened):
    done = clearance(screened / "out", "--asset", "cat.png", "--out", screened / "a.html")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"Wrote {screened / 'a.html'}.\n"
    again = clearance(screened / "out", "--asset", "cat.png", "--out", screened / "a.html")
    assert again.exit_code == 2
    assert "nothing is overwritten" in again.stderr
    (screened / "scans").mkdir()
    (screened / "scans" / "latest").symlink_to(screened / "out")
    words = (screened / "scans", "--asset", "cat.png", "--out", screened / "b.html", "--json")
    assert json.loads(clearance(*words).stdout) == {
        "asset_path": "b/cat.png",
        "band": "escalate",
        "file": str(screened / "b.html"),
        "notes": [],
    }
