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
    for line in (3, 4, 5, 7):
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
    assert "Added no files; 1 was there already; 5 left out." in again
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


@pytest.fixture
def copied(index, tmp_path):
    """A copy of the index of `works`, to be changed."""
    import shutil

    return shutil.copytree(index, tmp_path / "copied")


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """An index of some hundred works with long and non-ASCII ids."""
    from index_of_many import index_of_many

    return index_of_many(tmp_path_factory.mktemp("wide") / "idx", 300)


def test_a_renamed_work_is_found_under_both_ids(copied, run):
    renamed = run("index", "rename", copied, "lamp", "STÜCK-1")
    assert renamed.status == 0
    assert "decided under 'lamp' counts for 'STÜCK-1'" in renamed.stdout
    shown = run("index", "show", copied, "lamp")
    assert "lamp was renamed to STÜCK-1" in shown.stdout
    assert "The Lamp Room" in shown.stdout
    assert run("index", "show", copied, "STÜCK-1", "--json").json["former_ids"] == ["lamp"]
    assert "renamed" not in run("index", "show", copied, "STÜCK-1").stdout
    for new in ("chelsea", "STÜCK-1"):
        refused = run("index", "rename", copied, "coffee", new)
        assert (refused.status, "already" in refused.stderr) == (2, True)
    assert run("index", "rename", copied, "coffee", "lamp", "--json").status == 2
    again = run("index", "rename", copied, "lamp", "STÜCK-1")
    assert (again.status, "'lamp' is already renamed to 'STÜCK-1'" in again.stderr) == (2, True)
    done = run("index", "rename", copied, "coffee", "cup", "--json").json
    assert (done["work_id"], done["former_id"], done["version"]) == ("cup", "coffee", 4)
    assert run("index", "verify", copied).status == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ids.txt", "lamp\n\n  chelsea \ncoffee\n"),
        ("ids.csv", "title,work_id\r\nThe Lamp Room,lamp\r\nChelsea,chelsea\r\nC,coffee\r\n"),
        ("ids.csv", "\ufeffwork_id\nlamp\nchelsea\ncoffee\n"),
        ("ids.csv", "lamp\nchelsea\ncoffee\n"),
        ("ids.csv", "Titel;work_id\nThe Lamp Room;lamp\nChelsea;chelsea\nC;coffee\n"),
        ("ids.tsv", "work_id\tTitel\nlamp\tThe Lamp Room\nchelsea\t\ncoffee\tC\n"),
        ("ids.jsonl", '{"work_id": "lamp"}\n{"work_id": "chelsea"}\n{"work_id": "coffee"}\n'),
    ],
)
def test_works_that_a_file_lists_are_removed(copied, tmp_path, run, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    removed = run("index", "remove", copied, "rocket", "--from", tmp_path / name, "--json").json
    assert removed["removed"] == 4
    assert removed["work_ids"] == ["rocket", "lamp", "chelsea", "coffee"]
    left = run("index", "list", copied, "--json").json["works"]
    assert [work["work_id"] for work in left] == ["astronaut"]


def test_unknown_ids_of_a_list_are_all_named_and_nothing_is_removed(copied, tmp_path, run):
    run("index", "rename", copied, "lamp", "room")
    (tmp_path / "ids.txt").write_text("coffee\nchelsee\nlamp\nno\n", encoding="utf-8")
    refused = run("index", "remove", copied, "--from", tmp_path / "ids.txt")
    assert refused.status == 2
    assert "does not have 3 of the 4 works" in refused.stderr
    assert "line 2 of ids.txt: no work 'chelsee' (the nearest is 'chelsea')." in refused.stderr
    assert "line 3 of ids.txt: no work 'lamp' (it was renamed to 'room')." in refused.stderr
    assert "line 4 of ids.txt: no work 'no'" in refused.stderr
    assert len(run("index", "list", copied, "--json").json["works"]) == 5


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("none.txt", None, "No such file"),
        ("empty.txt", b" \n", "lists no ids"),
        ("latin.txt", b"a\nb\xfcb\n", "not UTF-8 text (line 2)"),
        ("rows.csv", b"work_id,title\n,A\n", "line 2 of rows.csv: work_id is missing"),
        ("", None, "Is a directory"),
    ],
)
def test_a_list_of_works_that_cannot_be_read(copied, tmp_path, run, name, data, words):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    refused = run("index", "remove", copied, "--from", tmp_path / name)
    assert (refused.status, words in refused.stderr) == (2, True)


def test_a_file_is_removed_but_never_the_last(copied, photos, tmp_path, run):
    photos["ihc"].save(tmp_path / "tissue.png")
    rows = [("lamp", "The Lamp Room", "A Writer", "protected", "tissue.png")]
    run("index", "add", copied, write_manifest(tmp_path / "more.csv", rows))
    removed = run("index", "remove-file", copied, "lamp", "lamp.fountain")
    assert removed.status == 0
    assert "Removed lamp.fountain from lamp" in removed.stdout
    last = run("index", "remove-file", copied, "lamp", "tissue.png")
    assert last.status == 2
    assert f"clearance index remove {copied} lamp" in last.stderr
    unknown = run("index", "remove-file", copied, "chelsea", "chelsey.png")
    assert (unknown.status, "nearest is 'chelsea.png'" in unknown.stderr) == (2, True)


def test_works_are_found_by_words(index, run):
    found = run("index", "find", index, "LAMP", "writer")
    assert found.status == 0
    assert "The Lamp Room" in found.stdout
    assert "1 of 5 works found" in found.stdout
    assert "0 of 5 works found" in run("index", "find", index, "nothing").stdout
    [work] = run("index", "find", index, "fountain", "--json").json["works"]
    assert (work["work_id"], work["found_in"]) == ("lamp", ["path"])
    assert work["paths"] == ["lamp.fountain"]


def test_the_list_as_csv_can_be_read_back(copied, tmp_path, run):
    import io

    run("index", "rename", copied, "lamp", "Stück; 1")
    listed = run("index", "list", copied, "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(listed.removeprefix("\ufeff"), newline="")))
    assert rows[0] == {
        "work_id": "Stück; 1", "title": "The Lamp Room", "rightsholder": "A Writer",
        "rights": "protected", "files": "1", "former_ids": "lamp", "shelf": "",
    }  # fmt: skip
    assert [row["shelf"] for row in rows[1:]] == ["test"] * 4
    assert listed.startswith("\ufeffwork_id,title,rightsholder,rights,files,former_ids,shelf\n")
    (tmp_path / "list.csv").write_text(listed, encoding="utf-8", newline="")
    assert run("index", "remove", copied, "--from", tmp_path / "list.csv", "--json").json[
        "removed"
    ] == 5  # fmt: skip
    assert run("index", "list", copied, "--csv", "--json").status == 2


@pytest.mark.parametrize("columns", ["", "60"])
def test_no_id_is_broken_in_a_pipe(wide, columns, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    works = run("index", "list", wide, "--json").json["works"]
    assert len(works) == 300
    listed = run("index", "list", wide).stdout.splitlines()
    assert len(listed) == 302
    for work, line in zip(works, listed[1:], strict=False):
        assert line.startswith(work["work_id"])
        assert work["title"] in line
    found = run("index", "find", wide, "nachtzug").stdout.splitlines()
    assert len(found) == 62
    assert all("/Serie-Nachtzug/" in line for line in found[1:-1])
    long = next(work["work_id"] for work in works if "Nachtzug" in work["work_id"])
    assert long in run("index", "show", wide, long).stdout


@pytest.mark.parametrize("words", [["list"], ["list", "--csv"]])
def test_a_reader_that_closes_the_pipe_gets_its_own_status(tmp_path, words):
    import subprocess
    import sys

    from index_of_many import index_of_many

    index = index_of_many(tmp_path / "idx", 1500)  # more than a pipe holds
    code = "import sys; from pipeline.cli import main; sys.argv[0] = 'clearance'; main()"
    command = [sys.executable, "-c", code, "index", *words[:1], str(index), *words[1:]]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(120) == 141


def test_no_id_is_broken_in_a_narrow_terminal(wide):
    import io

    from rich.console import Console

    from pipeline.cli.terminal.index import print_works
    from reference_index.store import ReferenceIndex

    index, sink = ReferenceIndex.open(wide), io.StringIO()
    print_works(index, Console(file=sink, force_terminal=True, width=60, color_system=None))
    for work in index.works:
        assert f"{work.work_id}\n" in sink.getvalue()


def test_what_people_look_for_comes_first(copied, run):
    run("index", "rename", copied, "lamp", "room")
    lines = run("index", "show", copied).stdout.splitlines()
    names = [line.split()[0] for line in lines[:8]]
    assert names == ["Index", "Works", "Files", "Rights", "Version", "Model", "Content", "Digest"]
    assert "5, 1 former id" in lines[1]
    assert "4 pictures, 1 script" in lines[2]
    assert "renamed lamp to room" in lines[4]
    versions = [line.split()[0] for line in lines[10:13]]
    assert versions == ["3", "2", "1"]
    work = run("index", "show", copied, "room").stdout.splitlines()
    assert [line.split()[0] for line in work[:5]] == [
        "Work", "Title", "Rightsholder", "Rights", "Files",
    ]  # fmt: skip
