"""`clearance index …` through the command line."""

from __future__ import annotations

import csv
import json

import pytest
from PIL import Image


def write_manifest(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("work_id", "title", "rightsholder", "rights", "path"), *rows])
    return path


@pytest.fixture
def empty(tmp_path, run):
    path = tmp_path / "idx"
    assert run("index", "create", path).status == 0
    return path


def test_every_bad_row_is_reported_at_once_and_nothing_is_added(empty, works, tmp_path, run):
    (tmp_path / "broken.png").write_bytes((works / "coffee.png").read_bytes()[:2000])
    Image.new("RGB", (64, 64), "white").save(tmp_path / "white.png")
    (tmp_path / "clip.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(64))
    manifest = write_manifest(
        tmp_path / "works.csv",
        [
            ("good", "Good", "A", "protected", str(works / "chelsea.png")),
            ("gone", "Gone", "A", "protected", "nowhere.png"),
            ("", "No id", "A", "protected", str(works / "coffee.png")),
            ("broken", "Broken", "A", "protected", "broken.png"),
            ("white", "White", "A", "protected", "white.png"),
            ("clip", "Clip", "A", "protected", "clip.mp4"),
        ],
    )
    answer = run("index", "add", empty, manifest)
    assert answer.status == 2
    assert "fix them, or add the other rows with --skip-bad." in " ".join(answer.stderr.split())
    for line in (3, 4, 5, 6, 7):
        assert f"line {line}" in answer.stderr
    assert "line 2" not in answer.stderr
    assert run("index", "list", empty, "--json").json["works"] == []

    skipped = run("index", "add", empty, manifest, "--skip-bad", "--json")
    assert skipped.status == 0
    assert skipped.json["files_added"] == 1
    assert len(skipped.json["problems"]) == 5
    listed = run("index", "list", empty, "--json").json["works"]
    assert [work["work_id"] for work in listed] == ["good"]
    again = run("index", "add", empty, manifest, "--skip-bad").stdout
    assert "Added 0 files of 0 new works; 1 was there already; 5 left out." in again
    assert "1 work, 1 file, version" in run("index", "list", empty).stdout


def test_a_jsonl_manifest_and_a_work_of_two_files(empty, works, tmp_path, run):
    manifest = tmp_path / "works.jsonl"
    row = {"work_id": "w", "title": "T", "rightsholder": "R", "rights": "own", "shelf": "B4"}
    manifest.write_text(
        "".join(
            json.dumps({**row, "path": str(works / name)}) + "\n"
            for name in ("coffee.png", "rocket.png")
        )
    )
    assert run("index", "add", empty, manifest).status == 0
    listing = run("index", "show", empty, "w", "--json").json
    assert listing["work"]["notes"] == {"shelf": "B4"}
    assert len(listing["files"]) == 2


def test_adding_twice_adds_once(empty, works, run):
    assert run("index", "add", empty, works / "works.csv").status == 0
    before = run("index", "show", empty, "--json").json
    again = run("index", "add", empty, works / "works.csv", "--json").json
    assert again["files_added"] == 0
    assert again["unchanged"] == 5
    assert run("index", "show", empty, "--json").json["digest"] == before["digest"]


def test_a_work_added_and_removed_leaves_results_as_before(index, works, photos, tmp_path, run):
    import shutil

    import pandas as pd

    copied_index = tmp_path / "idx"
    shutil.copytree(index, copied_index)
    drop = tmp_path / "drop"
    drop.mkdir()
    photos["ihc"].save(drop / "tissue.png")
    photos["chelsea"].save(drop / "cat.jpg")

    def results(name):
        run("screen", drop, "--index", copied_index, "--out", tmp_path / name)
        table = pd.read_parquet(tmp_path / name / "risk_table.parquet")
        return table.drop(columns=["run_id", "index_version"])

    before = results("before")
    extra = tmp_path / "extra"
    extra.mkdir()
    photos["ihc"].save(extra / "tissue.png")
    assert run("index", "add", copied_index, extra).status == 0
    during = results("during")
    assert set(during["work_id"].dropna()) == {"chelsea", "tissue.png"}
    assert run("index", "remove", copied_index, "tissue.png").status == 0
    pd.testing.assert_frame_equal(results("after"), before, check_exact=True)


def test_a_work_that_a_stage_broke_on_is_a_bad_row(empty, works, run, monkeypatch):
    from pipeline.stages import STAGES

    def broken(*args, **kwargs):
        raise RuntimeError("out of order")

    monkeypatch.setattr(STAGES["perceptual_hash"], "fingerprint", broken)
    refused = run("index", "add", empty, works / "works.csv", "--json")
    assert refused.status == 2
    assert len(refused.json["problems"]) == 4
    assert all("out of order" in problem for problem in refused.json["problems"])
    skipped = run("index", "add", empty, works / "works.csv", "--skip-bad", "--json")
    assert skipped.status == 0
    assert skipped.json["works_added"] == 1


def test_verify_says_intact_and_finds_damage(empty, works, run):
    run("index", "add", empty, works / "works.csv")
    intact = run("index", "verify", empty)
    assert intact.status == 0
    assert "intact" in intact.stdout
    victim = max((f for f in empty.rglob("*.lance") if f.is_file()), key=lambda f: f.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 0xFF
    victim.write_bytes(bytes(data))
    damaged = run("index", "verify", empty)
    assert damaged.status == 2
    assert "Traceback" not in damaged.stdout + damaged.stderr


def test_without_kept_content_no_text_of_the_work_is_in_the_index(works, tmp_path, run):
    idx = tmp_path / "idx"
    assert run("index", "create", idx, "--no-keep-content").status == 0
    assert run("index", "add", idx, works / "works.csv").status == 0
    stored = b"".join(file.read_bytes() for file in idx.rglob("*") if file.is_file())
    assert b"kept it burning" not in stored
    assert b"\xff\xd8\xff" not in stored
    answer = run("screen", works, "--index", idx, "--out", tmp_path / "o")
    assert answer.status == 3  # works.csv itself is no script
    assert "escalate" in answer.stdout


@pytest.mark.parametrize("words", [["--help"], ["index", "--help"], ["screen", "--help"]])
def test_help(words, run):
    assert run(*words).status == 0


def test_help_imports_no_model_library():
    import subprocess
    import sys

    code = (
        "import sys, pipeline, pipeline.cli\n"
        "heavy = {'torch', 'open_clip', 'faiss', 'lancedb', 'pandas', 'cv2', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_bad_rows_come_in_the_order_of_their_lines(empty, works, tmp_path, run):
    lines = ["work_id,title,rightsholder,rights,path"]
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    lines += ["a,A,H,protected,broken.png", ",B,H,protected,broken.png", "c,C,H,protected,no.png"]
    lines += ["d,D,H,protected,broken.png"] * 8
    (tmp_path / "m.csv").write_text("\n".join(lines), encoding="utf-8")
    problems = run("index", "add", empty, tmp_path / "m.csv", "--json").json["problems"]
    assert [int(one.split()[1]) for one in problems] == sorted(
        int(one.split()[1]) for one in problems
    )
    assert len(problems) >= 4


def test_a_manifest_that_is_a_pipe_is_refused_at_once(empty, tmp_path, run):
    import os

    os.mkfifo(tmp_path / "works.csv")
    answer = run("index", "add", empty, tmp_path / "works.csv")
    assert (answer.status, "pipe" in answer.stderr) == (2, True)
