"""Results in the history belong to the studio: none are lost, and only the last completed scan is
compared with.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing

import pyarrow.parquet as pq
import pytest
from command_line import clearance
from scan_samples import jpeg, png

from pipeline import load_run
from pipeline.core.errors import ScanError
from pipeline.core.layout import HISTORY, LATEST, STATE
from pipeline.scan import run as scan_run
from pipeline.scan.history import history_of
from pipeline.scan.settings import load_settings
from pipeline.screening.register import create_index

pytestmark = pytest.mark.slow


class KilledError(Exception):
    pass


def in_state(studio, statement, *values):
    with closing(sqlite3.connect(studio.out() / STATE)) as opened, opened:
        opened.execute(statement, values)


def test_results_that_a_new_state_cannot_read_are_left_and_reported(studio):
    edited, whole, half = (studio.scan().folder for _ in range(3))
    # A spreadsheet saved over one, and another interrupted before its results were complete.
    with (edited / "risk_table.parquet").open("ab") as file:
        file.write(b"x")
    shutil.rmtree(half)
    half.mkdir()
    (half / ".delta.csv.00ff00ff.partial").write_text("x")
    (studio.out() / STATE).unlink()
    done = studio.scan()
    assert (edited / "risk_table.csv").exists()
    assert not half.exists()
    assert done.summary["scan_id_before"] == whole.name
    [note] = done.notes
    assert str(edited) in note
    assert "left as it is; move it away" in note


def test_a_scan_directory_opens_its_latest_scan(studio):
    first, second = (studio.scan().folder for _ in range(2))
    loaded = load_run(str(studio.out()))
    assert loaded.info["run_id"] == second.name
    assert loaded.folder == second.resolve()
    assert load_run(first).info["run_id"] == first.name
    explained = clearance("explain", studio.out(), "copy.jpg", "--json").json
    assert explained["run"]["run_id"] == second.name


def test_an_old_scan_that_comes_back_from_a_backup_is_not_the_scan_before(studio):
    old = studio.scan().folder
    studio.put("later.png", png(2))
    last = studio.scan().folder
    in_state(studio, "delete from scans where scan_id = ?", old.name)
    in_state(studio, "update scans set started = '2099-01-01T00:00:00Z'")
    done = studio.scan()
    assert done.summary["scan_id_before"] == last.name
    assert not any(done.summary["changes"].values())
    assert (studio.out() / LATEST).readlink().name == done.folder.name
    assert old.exists()


def test_a_scan_killed_while_it_deletes_old_results_is_the_scan_before(studio, monkeypatch):
    studio.scan()
    in_state(studio, "update scans set started = '2020-01-01T00:00:00Z'")
    studio.put("later.jpg", jpeg(2))

    def killed(*_args, **_options):
        raise KilledError

    for place in ("forget_scan", "forget_contents"):
        with monkeypatch.context() as patched:
            patched.setattr(scan_run.ScanCache, place, killed)
            with pytest.raises(KilledError):
                studio.scan(keep_days=1)
        last = (studio.out() / LATEST).readlink().name
        assert studio.scan().summary["scan_id_before"] == last
        in_state(studio, "update scans set started = '2020-01-01T00:00:00Z'")


@pytest.mark.parametrize(
    "run",
    [
        {},
        {"run_id": 3, "index": None},
        {"index": {"version": "x", "digest": []}, "run_id": "ID"},
        {"index": {"version": 1, "digest": "x"}, "run_id": "ID", "started": "x", "finished": "x"},
    ],
)
def test_an_invalid_manifest_is_reported_and_every_file_is_new(studio, run):
    folder = studio.scan().folder
    if run.get("run_id") == "ID":
        run = {**run, "run_id": folder.name}
    (folder / "run.json").write_text(json.dumps(run))
    done = studio.scan()
    [note] = done.notes
    assert note.startswith("The results of the scan before are lost, so every file is new here: ")
    assert done.summary["changes"]["new"] == 4
    assert not studio.scan().notes


def test_a_table_of_an_earlier_version_is_reported_and_every_file_is_new(studio):
    folder = studio.scan().folder
    table = pq.read_table(folder / "risk_table.parquet").drop_columns(["title"])
    pq.write_table(table, folder / "risk_table.parquet")
    run = json.loads((folder / "run.json").read_text())
    del run["outputs"]["risk_table.parquet"]
    (folder / "run.json").write_text(json.dumps(run))
    [note] = studio.scan().notes
    assert "has no column title; another version of Clearance wrote it" in note


def test_a_folder_in_place_of_latest_is_an_error_that_says_what_to_do(studio):
    studio.scan()
    latest = studio.out() / LATEST
    latest.unlink()
    latest.mkdir()
    with pytest.raises(scan_run.DropError, match="Move away what is at"):
        studio.scan()


def test_a_rebuilt_index_is_the_cause_of_a_risen_row(studio):
    studio.scan()
    shutil.rmtree(studio.index)
    create_index(studio.index)
    studio.works(one=png(1), seven=png(50), three=png(3))
    done = studio.scan()
    delta = pq.read_table(done.folder / "delta.parquet").to_pylist()
    why = {row["asset_path"]: row["why"] for row in delta}
    assert why["a/none.png"] == "index changed"
    assert len(list((studio.out() / HISTORY).iterdir())) == 2


def test_the_history_of_a_path_that_is_not_unicode(studio):
    name = os.fsdecode(b"caf\xe9.png")
    studio.put(name, png(2))
    done = studio.scan()
    settings = load_settings(studio.config())
    [entry] = history_of(settings, name)
    assert (entry.scan_id, entry.asset_path) == (done.folder.name, "a/caf\\xe9.png")
    assert history_of(settings, "caf\\xe9.png") == [entry]
    with pytest.raises(ScanError, match="No scan in"):
        history_of(settings, os.fsdecode(b"\xff"))
