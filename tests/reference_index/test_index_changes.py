"""Renaming works and removing single files: stored rows move, former ids stay known."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from index_samples import SCHEMAS, contents, make_index, registered

from reference_index import versions
from reference_index.canonical_json import json_digest
from reference_index.errors import IndexCorruptError, ReferenceIndexError
from reference_index.store import ReferenceIndex


@pytest.fixture
def path(tmp_path):
    return tmp_path / "idx"


def filled(path, works=("älter", "b", "c")):
    index = make_index(path)
    index.add([registered(work, number) for work in works for number in range(3)])
    return index


def rows_by_file(index):
    """The stored rows by path, however the works are named."""
    found = {}
    for stage in SCHEMAS:
        entries = index.entries(stage)
        for row, place in zip(entries.rows.to_pylist(), entries.file_of_row, strict=True):
            found.setdefault((entries.files[place].path, stage), []).append(row)
    return found


def test_a_renamed_work_keeps_all_it_has_under_the_new_id(path):
    index = filled(path)
    before, kept = rows_by_file(index), {file.path: index.content(file) for file in index.files}
    work, digest = index.work("älter"), index.digest
    assert index.rename("älter", "neu") == 3
    index = ReferenceIndex.open(path)
    assert index.aliases == {"älter": "neu"}
    assert index.work("neu") == replace(work, work_id="neu")
    assert [work.work_id for work in index.works] == ["b", "c", "neu"]
    assert rows_by_file(index) == before
    assert {file.path: index.content(file) for file in index.files} == kept
    assert index.digest != digest
    assert index.verify() == []
    assert index.history()[-1]["change"] == "renamed älter to neu"
    assert ReferenceIndex.open(path, 2).digest == digest


def test_a_work_of_many_files_is_renamed_in_parts(path, monkeypatch):
    monkeypatch.setattr("reference_index.tables._REWRITTEN_KEYS", 2)
    index = filled(path)
    before = rows_by_file(index)
    index.rename("b", "z")
    assert rows_by_file(ReferenceIndex.open(path)) == before
    assert index.verify() == []


def test_former_ids_lead_to_the_present_one_and_an_id_can_be_given_back(path):
    index = filled(path)
    index.rename("b", "b2")
    index.rename("b2", "b3")
    assert index.aliases == {"b": "b3", "b2": "b3"}
    index.rename("b3", "b")
    assert index.aliases == {"b2": "b", "b3": "b"}
    assert index.verify() == []


def test_the_digest_covers_former_ids(path, tmp_path):
    renamed, other = filled(path), filled(tmp_path / "other")
    renamed.rename("b", "x")
    renamed.rename("x", "b")
    assert {**contents(renamed), "digest": ""} == {**contents(other), "digest": ""}
    assert renamed.digest != other.digest


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("b", "c", "has a work 'c' already"),
        ("b", "b", "has a work 'b' already"),
        ("b", "c0", "former id of the work 'c'"),
        ("c0", "d", "'c0' is already renamed to 'c'"),
        ("c0", "c", "there is nothing to do"),
        ("bb", "d", "no work 'bb' (the nearest is 'b')"),
        ("b", " d", "can't be the id"),
        ("b", "", "can't be the id"),
        ("b", "d\udcff", "can't be the id"),
    ],
)
def test_a_rename_that_would_mix_up_works_is_refused(path, old, new, words):
    index = filled(path, ("b", "c0"))
    index.rename("c0", "c")
    before = contents(index)
    with pytest.raises(ReferenceIndexError) as refused:
        index.rename(old, new)
    assert words in str(refused.value)
    assert contents(ReferenceIndex.open(path)) == before


def test_a_former_id_is_no_id_of_another_work(path):
    index = filled(path)
    index.rename("b", "x")
    with pytest.raises(ReferenceIndexError, match="'b' is a former id of the work 'x'"):
        index.add([registered("b", 7)])
    with pytest.raises(ReferenceIndexError, match=r"'b' \(it was renamed to 'x'\)"):
        index.remove(["b", "c"])
    index.remove(["x"])
    assert index.aliases == {}
    index.add([registered("b", 7)])
    assert index.verify() == []


def test_an_index_without_former_ids_is_written_as_before(path):
    index = filled(path)
    record = json.loads((path / "versions" / "000002.json").read_bytes())
    assert record["format"] == 1
    assert "aliases" not in record
    assert "works_renamed" not in record["change"]
    index.rename("b", "x")
    assert json.loads((path / "versions" / "000003.json").read_bytes())["format"] == 2


def test_altered_former_ids_are_found(path):
    index = filled(path)
    index.rename("b", "x")
    file = path / "versions" / "000003.json"

    def alter(aliases):
        value = json.loads(file.read_bytes())
        del value["seal"]
        value["aliases"] = aliases
        file.write_text(json.dumps({**value, "seal": json_digest(value)}), encoding="utf-8")

    alter({"b": "c"})
    with pytest.raises(IndexCorruptError):
        ReferenceIndex.open(path)
    assert "digest" in index.verify()[-1]
    alter({"b": "gone", "c": "x"})
    faults = " ".join(index.verify())
    assert "former id 'b' is of the work 'gone', which is not there" in faults
    assert "former id 'c' of the work 'x' is the id of another work" in faults


def test_a_file_is_removed_and_the_work_stays(path):
    index = filled(path)
    assert index.remove_file("b", "b/1.txt") == 3
    index = ReferenceIndex.open(path)
    assert [file.path for file in index.files if file.work_id == "b"] == ["b/0.png", "b/2.png"]
    assert ("b/1.txt", "passages") not in rows_by_file(index)
    assert index.verify() == []
    assert index.history()[-1]["change"] == "removed 1 file"
    assert len(ReferenceIndex.open(path, 2).files) == 9


def test_a_file_of_two_contents_is_removed_whole(path):
    index = filled(path)
    other = registered("b", 2)
    index.add([replace(other, file=replace(other.file, file_id="f" * 64))])
    index.remove_file("b", "b/2.png")
    assert [file.path for file in index.files if file.work_id == "b"] == ["b/0.png", "b/1.txt"]


@pytest.mark.parametrize(
    ("work", "file", "words"),
    [
        ("b", "b/9.png", "no file 'b/9.png' (the nearest is 'b/2.png')"),
        ("bx", "b/0.png", "no work 'bx' (the nearest is 'b')"),
        ("it's", "it's/0.png", "clearance index remove"),
    ],
)
def test_a_file_that_cannot_be_removed_is_named(path, work, file, words):
    index = filled(path)
    index.add([registered("it's", 0)])
    before = contents(index)
    with pytest.raises(ReferenceIndexError) as refused:
        index.remove_file(work, file)
    assert words in str(refused.value)
    assert contents(ReferenceIndex.open(path)) == before


def test_an_interrupted_rename_leaves_the_index_as_it_was(path, monkeypatch):
    index = filled(path)
    before = contents(index)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(versions, "write", full)
    with pytest.raises(ReferenceIndexError, match="stays at version 2"):
        index.rename("b", "x")
    monkeypatch.undo()
    assert contents(ReferenceIndex.open(path)) == before
    assert ReferenceIndex.open(path).rename("b", "x") == 3
    assert ReferenceIndex.open(path).verify() == []
