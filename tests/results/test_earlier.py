"""Earlier results where a run is to write: replaced, moved aside with decisions, or refused."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from pipeline.core.errors import DropError
from pipeline.core.layout import DECIDED, HISTORY, REPORT, RUN, STATE
from pipeline.decisions.places import RECORD
from pipeline.drops.settings import ObjectStorage
from pipeline.results.earlier import room_for_results
from pipeline.results.files import LOCK, ResultFiles

RUN_ID = "20260101-120000-abcdef"


def write_run(out: Path, drop: Path, *others: str) -> None:
    out.mkdir(exist_ok=True)
    manifest = {"run_id": RUN_ID, "drop": str(drop.resolve()), "outputs": {}}
    (out / RUN).write_text(json.dumps(manifest), encoding="utf-8")
    for name in (REPORT, *others):
        (out / name).write_text(f"earlier {name}", encoding="utf-8")


def room(out: Path, drop: Path, *, replace: bool = False):
    return room_for_results(out, drop, ObjectStorage(), replace=replace)


def refusal(out: Path, drop: Path) -> str:
    with pytest.raises(DropError) as refused, room(out, drop):
        pass
    return str(refused.value)


@pytest.mark.parametrize("present", [False, True])
def test_a_new_or_empty_folder_and_foreign_names_are_no_hindrance(tmp_path, present):
    out = tmp_path / "out"
    if present:
        out.mkdir()
        (out / "notes.txt").write_text("mine", encoding="utf-8")
    with room(out, tmp_path / "drop") as moved:
        assert moved is None


def test_results_of_the_same_drop_are_replaced_and_their_record_stays(tmp_path):
    out, drop = tmp_path / "out", tmp_path / "drop"
    write_run(out, drop, RECORD)
    with room(out, drop) as moved:
        assert moved is None
    assert (out / RECORD).read_text(encoding="utf-8") == f"earlier {RECORD}"
    link = tmp_path / "link"
    link.symlink_to(drop)
    with room(out, link) as moved:
        assert moved is None, "the same place by another name"


def test_results_of_another_drop_are_refused_and_the_drop_is_named(tmp_path):
    out = tmp_path / "out"
    write_run(out, tmp_path / "first")
    message = refusal(out, tmp_path / "second")
    assert str(tmp_path / "first") in message
    assert "--replace" in message
    with room(out, tmp_path / "second", replace=True) as moved:
        assert moved is None, "nobody decided on them"
    assert (out / REPORT).exists(), "replaced by the run, not deleted before it"


@pytest.mark.parametrize("name", [REPORT, DECIDED, "risk_table.csv"])
@pytest.mark.parametrize("manifest", [None, "{", "[]", '{"run_id": "../x", "drop": "d"}', "{}"])
def test_files_that_no_run_wrote_are_refused_by_name(tmp_path, name, manifest):
    (tmp_path / name).write_text("mine", encoding="utf-8")
    if manifest is not None:
        (tmp_path / RUN).write_text(manifest, encoding="utf-8")
    message = refusal(tmp_path, tmp_path / "drop")
    assert name in message
    assert "--replace" in message


@pytest.mark.parametrize("decided", [RECORD, DECIDED])
def test_with_replace_results_and_record_move_together(tmp_path, decided):
    out = tmp_path / "out"
    write_run(out, tmp_path / "first", decided)
    assert "a record of decisions is kept there" in refusal(out, tmp_path / "second")
    with room(out, tmp_path / "second", replace=True) as moved, ResultFiles(out) as files:
        assert moved == tmp_path / f"out.{RUN_ID}"
        files.write_json(RUN, {})
    assert {path.name for path in out.iterdir()} == {RUN}
    assert {path.name for path in moved.iterdir()} == {RUN, REPORT, decided}


def test_the_place_is_relative_if_the_one_given_is(tmp_path, monkeypatch):
    write_run(tmp_path / "out", tmp_path / "first", RECORD)
    monkeypatch.chdir(tmp_path)
    with room(Path("out"), tmp_path / "second", replace=True) as moved:
        assert moved == Path(f"out.{RUN_ID}")


def test_what_was_moved_comes_back_if_the_run_fails(tmp_path):
    out = tmp_path / "out"
    write_run(out, tmp_path / "first", RECORD)
    with (
        pytest.raises(KeyboardInterrupt),
        room(out, tmp_path / "second", replace=True),
        ResultFiles(out),
    ):
        raise KeyboardInterrupt
    assert {path.name for path in out.iterdir()} == {RUN, REPORT, RECORD}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_nothing_is_moved_onto_what_is_there_already(tmp_path):
    out = tmp_path / "out"
    write_run(out, tmp_path / "first", RECORD)
    (tmp_path / f"out.{RUN_ID}").mkdir()
    with pytest.raises(DropError, match="there already"), room(out, tmp_path / "d", replace=True):
        pass
    assert not (out / LOCK).exists()
    assert (out / RECORD).exists()


def test_results_that_another_run_is_writing_are_not_moved(tmp_path):
    out = tmp_path / "out"
    write_run(out, tmp_path / "first", RECORD)
    with (
        ResultFiles(out),
        pytest.raises(DropError, match="Another run"),
        room(out, tmp_path / "second", replace=True),
    ):
        pass
    assert (out / RECORD).exists()


def test_the_history_of_a_nightly_scan_is_never_written_to(tmp_path):
    history = tmp_path / HISTORY / "one"
    history.mkdir(parents=True)
    (tmp_path / STATE).touch()
    with pytest.raises(DropError, match="nightly scan"), room(history, tmp_path, replace=True):
        pass


def test_a_full_disk_is_noticed_before_the_work(tmp_path):
    """A bound on the size of files stands for a disk on which only empty files can be made."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
    try:
        with pytest.raises(DropError, match=r"can't be written in"), ResultFiles(tmp_path / "out"):
            raise AssertionError("the work began")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not (tmp_path / "out").exists()


def test_a_failed_run_leaves_no_empty_folder(tmp_path):
    with pytest.raises(DropError, match="no index"), ResultFiles(tmp_path / "out"):
        raise DropError("no index")
    assert not (tmp_path / "out").exists()
