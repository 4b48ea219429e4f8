"""`clearance index add`: checks first, fingerprints only what is new, and loses no work done."""

from __future__ import annotations

import csv
import shutil

import pytest
from PIL import Image

from pipeline.stages import STAGES

COLUMNS = ("work_id", "title", "rightsholder", "rights", "path")


@pytest.fixture
def place(works, tmp_path, run):
    """A folder with an empty index, the works, and a manifest of them."""
    for file in works.iterdir():
        shutil.copy(file, tmp_path / file.name)
    assert run("index", "create", tmp_path / "idx").status == 0
    return tmp_path


@pytest.fixture
def fingerprinted(monkeypatch):
    """The number of pictures that were fingerprinted, as a list of one."""
    stage = STAGES["perceptual_hash"]
    original = stage.fingerprint
    count = [0]

    def counting(self, loaded):
        count[0] += len(loaded)
        return original(self, loaded)

    monkeypatch.setattr(stage, "fingerprint", counting)
    return count


def write(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return path


def row(work_id, path, title="T"):
    return (work_id, title, "H", "protected", path)


def snapshot(folder):
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}


def test_bad_rows_are_told_before_anything_is_fingerprinted(place, run, fingerprinted):
    (place / "short.png").write_bytes((place / "coffee.png").read_bytes()[:3000])
    (place / "film.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(64))
    (place / "empty.png").write_bytes(b"")
    rows = [row("a", "chelsea.png"), row("b", "short.png"), row("c", "film.mp4")]
    rows += [row("d", "empty.png"), row("e", "none.png"), row("", "coffee.png")]
    answer = run("index", "add", place / "idx", write(place / "m.csv", rows), "--json")
    assert answer.status == 2
    assert [problem.split(":")[0] for problem in answer.json["problems"]] == [
        f"line {line} of m.csv" for line in (3, 4, 5, 6, 7)
    ]
    assert fingerprinted == [0]


def test_unchanged_files_are_not_fingerprinted_again(place, run, fingerprinted):
    assert run("index", "add", place / "idx", place / "works.csv").status == 0
    assert fingerprinted == [4]
    again = run("index", "add", place / "idx", place / "works.csv", "--json").json
    assert (again["files_added"], again["unchanged"]) == (0, 5)
    with (place / "works.csv").open("a") as file:
        file.write("more,More,H,protected,more.png,\n")
    shutil.copy(place / "rocket.png", place / "more.png")
    with (place / "more.png").open("ab") as file:
        file.write(b"other bytes")
    assert (
        run("index", "add", place / "idx", place / "works.csv", "--json").json["works_added"] == 1
    )
    assert fingerprinted == [5]


def test_new_details_of_unchanged_files_need_no_fingerprints(place, run, fingerprinted):
    manifest = write(place / "m.csv", [row("a", "chelsea.png"), row("b", "lamp.fountain")])
    assert run("index", "add", place / "idx", manifest).status == 0
    write(place / "m.csv", [row("a", "chelsea.png", "New"), row("b", "lamp.fountain")])
    added = run("index", "add", place / "idx", manifest, "--json").json
    assert (added["version"], added["unchanged"]) == (3, 2)
    assert run("index", "show", place / "idx", "a", "--json").json["work"]["title"] == "New"
    assert fingerprinted == [1]
    assert run("index", "verify", place / "idx").status == 0


def test_what_was_fingerprinted_is_kept_until_the_rows_are_mended(place, run, fingerprinted):
    Image.new("RGB", (64, 64), "white").save(place / "white.png")
    rows = [row("a", "chelsea.png"), row("w", "white.png"), row("l", "lamp.fountain")]
    manifest = write(place / "m.csv", rows)
    refused = run("index", "add", place / "idx", manifest)
    assert refused.status == 2
    assert "line 3 of m.csv: white.png: no stage can fingerprint it" in refused.stderr
    assert "fingerprints of 2 files are kept" in refused.stderr
    assert run("index", "list", place / "idx", "--json").json["works"] == []
    assert fingerprinted == [2]

    write(manifest, [rows[0], rows[2]])
    added = run("index", "add", place / "idx", manifest, "--json").json
    assert (added["files_added"], added["reused"]) == (2, 2)
    assert fingerprinted == [2]
    assert not (place / "idx" / "cache" / "fingerprinted").exists()

    assert run("index", "create", place / "fresh").status == 0
    assert run("index", "add", place / "fresh", manifest).status == 0
    digests = [
        run("index", "show", place / name, "--json").json["digest"] for name in ("idx", "fresh")
    ]
    assert digests[0] == digests[1]


def test_a_damaged_kept_fingerprint_is_computed_again(place, run, fingerprinted):
    Image.new("RGB", (64, 64), "white").save(place / "white.png")
    manifest = write(place / "m.csv", [row("a", "chelsea.png"), row("w", "white.png")])
    assert run("index", "add", place / "idx", manifest).status == 2
    (kept,) = [f for f in (place / "idx/cache/fingerprinted").rglob("*") if f.is_file()]
    data = bytearray(kept.read_bytes())
    data[len(data) // 2] ^= 1
    kept.write_bytes(bytes(data))
    added = run("index", "add", place / "idx", manifest, "--skip-bad", "--json").json
    assert (added["files_added"], added["reused"]) == (1, 0)
    assert run("index", "verify", place / "idx").status == 0


def test_what_is_kept_holds_no_content_if_the_index_keeps_none(place, run):
    Image.new("RGB", (64, 64), "white").save(place / "white.png")
    assert run("index", "create", place / "bare", "--no-keep-content").status == 0
    manifest = write(place / "m.csv", [row("l", "lamp.fountain"), row("w", "white.png")])
    assert run("index", "add", place / "bare", manifest).status == 2
    kept = b"".join(f.read_bytes() for f in (place / "bare/cache").rglob("*") if f.is_file())
    assert kept
    assert b"kept it burning" not in kept


def test_check_says_what_it_would_do_and_does_nothing(place, run, fingerprinted):
    index = place / "idx"
    manifest = write(place / "m.csv", [row("a", "chelsea.png"), row("b", "coffee.png")])
    assert run("index", "add", index, manifest).status == 0
    Image.open(place / "rocket.png").save(place / "coffee.png")
    shutil.copy(place / "chelsea.png", place / "copy.png")
    rows = [row("a", "chelsea.png", "New"), row("b", "coffee.png"), row("c", "copy.png")]
    write(manifest, [*rows, row("d", "none.png")])
    before, fingerprinted[0] = snapshot(place), 0
    said = run("index", "add", index, manifest, "--check")
    asked = run("index", "add", index, manifest, "--check", "--json")
    assert (snapshot(place), fingerprinted) == (before, [0])
    assert (said.status, asked.status) == (2, 2)
    told = asked.json
    assert told["new_works"] == ["c"]
    assert told["changed_works"] == [{"work_id": "a", "changed": ["title"]}]
    assert [file["path"] for file in told["new_files"]] == ["copy.png"]
    assert [file["path"] for file in told["changed_files"]] == ["coffee.png"]
    assert told["unchanged"] == 1
    assert len(told["problems"]) == len(told["warnings"]) == 1
    for words in ("new work", "none.png", "copy.png", "the same bytes", "Nothing was added"):
        assert words in said.stdout
    write(manifest, rows)
    assert run("index", "add", index, manifest, "--check").status == 0


def test_the_same_bytes_under_two_works_are_added_with_a_warning(place, run):
    shutil.copy(place / "chelsea.png", place / "copy.png")
    manifest = write(place / "m.csv", [row("a", "chelsea.png"), row("b", "copy.png")])
    added = run("index", "add", place / "idx", manifest)
    assert added.status == 0
    assert "warning: the same bytes are registered under several works" in added.stdout


def test_an_index_that_changes_after_the_check_loses_nothing(place, run, monkeypatch):
    from pipeline.screening import register
    from reference_index.store import ReferenceIndex

    manifest = write(place / "m.csv", [row("a", "chelsea.png"), row("b", "coffee.png")])
    assert run("index", "add", place / "idx", manifest).status == 0
    write(manifest, [row("a", "chelsea.png"), row("b", "coffee.png"), row("c", "rocket.png")])
    original = register.check_works

    def then_another_removes(index, *args, **kwargs):
        check = original(index, *args, **kwargs)
        ReferenceIndex.open(place / "idx").remove(["a"])
        return check

    monkeypatch.setattr(register, "check_works", then_another_removes)
    assert run("index", "add", place / "idx", manifest).status == 0
    listed = run("index", "list", place / "idx", "--json").json["works"]
    assert [(work["work_id"], work["files"]) for work in listed] == [("a", 1), ("b", 1), ("c", 1)]


def test_a_row_with_the_former_id_of_a_work_is_bad(place, run):
    from reference_index.store import ReferenceIndex

    manifest = write(place / "m.csv", [row("a", "chelsea.png"), row("b", "coffee.png")])
    assert run("index", "add", place / "idx", manifest).status == 0
    ReferenceIndex.open(place / "idx").rename("a", "z")
    answer = run("index", "add", place / "idx", manifest, "--check", "--json")
    assert answer.status == 2
    assert answer.json["problems"] == [
        "line 2 of m.csv: 'a' is a former id of the work 'z'; write 'z' instead."
    ]


def test_a_manifest_of_an_office_is_added_and_synchronised_with_the_same_options(place, run):
    text = (
        "Nr;Titel;Inhaber;Rechte;Datei\r\n"
        "1;Märchen;Öhl;gemeinfrei;C:\\Katalog\\CHELSEA.png\r\n"
        "2;Café;;PD;C:\\Katalog\\lamp.fountain\r\n"
    )
    (place / "m.csv").write_bytes(text.encode("cp1252"))
    refused = run("index", "add", place / "idx", place / "m.csv")
    assert refused.status == 2
    assert len(refused.stderr.strip().splitlines()) == 1
    options = ["--encoding", "cp1252", "--path-prefix", f"C:\\Katalog={place}"]
    options += ["--rights", "gemeinfrei=public_domain"]
    for name, heading in zip(COLUMNS, ("Nr", "Titel", "Inhaber", "Rechte", "Datei"), strict=True):
        options += ["--column", f"{name}={heading}"]
    added = run("index", "add", place / "idx", place / "m.csv", *options)
    assert added.status == 0
    for words in ("separated by semicolons", "letter case differs", "read as public_domain"):
        assert words in added.stdout
    work = run("index", "show", place / "idx", "1", "--json").json["work"]
    assert (work["title"], work["rights"]) == ("Märchen", "public_domain")
    again = run("index", "sync", place / "idx", place / "m.csv", "--check", "--json", *options)
    assert (again.status, again.json["unchanged"]) == (0, 2)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--column", "title", "must be like title=Titel"),
        ("--column", "tilte=Titel", "is no column of a manifest"),
        ("--path-prefix", "=/mnt", "must be like"),
        ("--rights", "frei=free", "is no label; those are protected"),
        ("--encoding", "klingon", "There is no encoding 'klingon'"),
        ("--sheet", "A", "is no workbook"),
    ],
)
def test_an_option_that_makes_no_sense_is_one_sentence(place, run, option, value, words):
    answer = run("index", "add", place / "idx", place / "works.csv", option, value, "--check")
    assert (answer.status, len(answer.stderr.strip().splitlines())) == (2, 1)
    assert words in answer.stderr


def test_options_of_manifests_are_refused_for_a_folder(place, run):
    answer = run("index", "add", place / "idx", place, "--encoding", "cp1252")
    assert (answer.status, "is a folder" in answer.stderr) == (2, True)
