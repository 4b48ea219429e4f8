"""A full disk, folders that can't be written to, two scans at once, and a damaged state."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from scan_samples import Studio, bands, jpeg, png
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.core.errors import DropError, ScanError
from pipeline.core.layout import HISTORY, LATEST, LOCK, STATE
from pipeline.core.wording.safe_csv import write_csv
from pipeline.load.workers.pool import Workers
from pipeline.results.files import read_run
from pipeline.scan import run as scan_run
from pipeline.scan.run import scan_directory

pytestmark = pytest.mark.slow

FLAGS = {
    "a/copy.jpg": "escalate",
    "a/none.png": "no_match",
    "a/other.txt": "no_match",
    "a/script.txt": "escalate",
}


@pytest.fixture
def loads(monkeypatch):
    """Paths of the assets that were decoded, in order."""
    paths = []
    load = Workers.load

    def counted(self, asset):
        paths.append(asset.asset_path)
        return load(self, asset)

    monkeypatch.setattr(Workers, "load", counted)
    return paths


def table(studio: Studio):
    risk = studio.read().risk_rows
    return risk.drop_columns(["run_id"])


def command(studio: Studio, **more):
    answer = CliRunner().invoke(app, ["scan", "--config", str(studio.config(**more))])
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    return answer


def limited(studio: Studio, most: int) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process with a limit on the size of any file, in bytes."""
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(most), "scan", "--config", str(studio.config())],
        capture_output=True,
        text=True,
    )


LIMITED = """
import resource, sys
most = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
from pipeline.cli import main
main()
"""


def test_a_full_disk_is_reported_and_existing_results_stay(studio, monkeypatch):
    studio.scan()
    before = table(studio)
    studio.put("later.jpg", jpeg(2))
    # The limit is the current size of the state, so nothing can be added to it.
    answer = limited(studio, 20_000)
    assert answer.returncode == 2, answer.stderr
    assert "Traceback" not in answer.stderr
    assert len(answer.stderr.strip().splitlines()[-1]) < 600
    assert table(studio).equals(before)
    done = studio.scan()
    assert done.summary["changes"]["new"] == 1
    assert bands(studio.read()) == {**FLAGS, "a/later.jpg": "escalate"}


def test_results_that_do_not_fit_are_reported_and_the_next_scan_writes_them(studio, monkeypatch):
    studio.scan()
    before = table(studio)
    studio.put("later.jpg", jpeg(2))

    def full(rows, file):
        if "change" in rows.column_names:  # delta.csv, written after the tables
            raise OSError(28, "No space left on device")
        write_csv(rows, file)

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.results.table.write_csv", full)
        failed = command(studio)
    assert failed.exit_code == 2
    assert "No space left on device" in failed.stderr
    assert table(studio).equals(before)
    assert studio.scan().summary["changes"]["new"] == 1
    assert len(list((studio.out() / HISTORY).iterdir())) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any folder")
def test_a_scan_directory_that_cannot_be_written_to_is_reported(studio):
    studio.scan()
    out = studio.out()
    for folder in (out, out / HISTORY):
        folder.chmod(0o555)
    try:
        (out / LOCK).chmod(0o444)
        answer = command(studio)
    finally:
        for folder in (out, out / HISTORY):
            folder.chmod(0o755)
    assert answer.exit_code == 2
    assert "can't be written to" in answer.stderr


def test_a_scan_directory_below_a_file_is_reported(studio):
    (studio.folder / "file").write_text("x")
    config = studio.config()
    config.write_text(config.read_text().replace('"out": "scan"', '"out": "file/scan"'))
    answer = CliRunner().invoke(app, ["scan", "--config", str(config)])
    assert answer.exit_code == 2
    assert "can't be made" in answer.stderr


def test_of_two_scans_at_once_the_second_reports_who_holds_the_directory(studio):
    studio.scan()
    before = table(studio)
    with scan_directory(studio.out()):
        answer = subprocess.run(
            [sys.executable, "-m", "pipeline", "scan", "--config", str(studio.config())],
            capture_output=True,
            text=True,
        )
    assert answer.returncode == 2
    assert f"process {os.getpid()} on " in answer.stderr
    assert "Another scan is running in" in answer.stderr
    assert table(studio).equals(before)
    # The lock file that it left does not count as a lock.
    assert (studio.out() / LOCK).is_file()
    studio.scan()


def flip(studio: Studio, name: str) -> int:
    """Flips a byte in the middle of each stored value of a table; returns their number."""
    with closing(sqlite3.connect(studio.out() / STATE)) as opened, opened:
        rows = opened.execute(f"select rowid, data from {name}").fetchall()  # noqa: S608
        for row, data in rows:
            damaged = bytearray(data)
            damaged[len(damaged) // 2] ^= 0x10
            opened.execute(
                f"update {name} set data = ? where rowid = ?",  # noqa: S608
                (bytes(damaged), row),
            )
    return len(rows)


@pytest.mark.parametrize("names", [("outcomes",), ("answers",), ("outcomes", "answers")])
def test_flipped_bytes_in_the_stored_state_are_never_used(studio, names, loads):
    studio.scan()
    before = table(studio)
    for name in names:
        assert flip(studio, name)
    loads.clear()
    studio.works(four=png(70))
    studio.put("later.png", png(70))
    studio.scan()
    assert bands(studio.read()) == {**FLAGS, "a/later.png": "escalate"}
    (studio.drop / "later.png").unlink()
    studio.scan()
    columns = ["asset_path", "asset_id", "band", "work_id"]
    assert table(studio).select(columns).equals(before.select(columns))
    if names == ("outcomes", "answers"):
        assert {"a/copy.jpg", "a/none.png", "a/script.txt", "a/other.txt"} <= set(loads)


@pytest.mark.parametrize("size", [0.5, 0.02])
def test_a_truncated_state_is_reported_with_what_to_do(studio, size):
    studio.scan()
    before = table(studio)
    state = studio.out() / STATE
    os.truncate(state, int(state.stat().st_size * size))
    answer = command(studio)
    assert answer.exit_code == 2
    assert "move it away" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert read_run(studio.out() / LATEST).risk_rows.drop_columns(["run_id"]).equals(before)
    state.unlink()
    studio.scan()
    assert table(studio).equals(before)


def test_a_state_that_is_not_a_database_is_reported(studio):
    studio.out().mkdir()
    (studio.out() / STATE).write_bytes(b"not a database, and longer than a hundred bytes " * 9)
    with pytest.raises(ScanError, match="move it away"):
        studio.scan()


@pytest.mark.parametrize("how", ["deleted", "damaged", "half renamed"])
def test_lost_results_of_the_scan_before_are_reported_and_every_file_is_new(studio, how):
    last = studio.scan().folder
    if how == "deleted":
        shutil.rmtree(last)
    elif how == "damaged":
        (last / "risk_table.parquet").write_bytes(b"PAR1 no more")
    else:
        (last / "matches.parquet").unlink()
    done = studio.scan()
    [note] = done.notes
    assert note.startswith("The results of the scan before are lost, so every file is new here: ")
    assert done.summary["scan_id_before"] is None
    assert done.summary["changes"]["new"] == len(FLAGS)
    assert bands(studio.read()) == FLAGS
    assert studio.scan().summary["changes"]["new"] == 0


@pytest.mark.parametrize("how", ["file", "folder", "folder with files", "another link", "gone"])
def test_latest_is_restored_or_the_scan_reports_why_not(studio, how):
    studio.scan()
    latest = studio.out() / LATEST
    latest.unlink()
    if how == "file":
        latest.write_text("x")
    elif how == "another link":
        latest.symlink_to("nowhere")
    elif how != "gone":
        latest.mkdir()
        if how == "folder with files":
            (latest / "mine.txt").write_text("x")
    if how.startswith("folder"):
        with pytest.raises(DropError, match="can't be linked to the scan's results"):
            studio.scan()
        assert not list(studio.out().glob(".latest*"))
        shutil.rmtree(latest)
    studio.scan()
    assert bands(studio.read()) == FLAGS


def test_a_folder_in_the_history_that_is_not_a_scan_is_not_changed(studio):
    studio.scan()
    notes = studio.out() / HISTORY / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text("x")
    studio.scan()
    assert (notes / "a.txt").read_text() == "x"
    assert json.loads((studio.out() / LATEST / "delta.json").read_text())["changes"]["new"] == 0


@pytest.mark.parametrize(
    "change",
    [
        "update contents set facts = '{'",
        "update contents set facts = '[]'",
        "update contents set facts = '[[\"zz\"], null, [], true]'",
        "update contents set kind = 'zz'",
        "update files set fault = '{'",
        "update files set kind = 'zz'",
        "update files set asset_id = 'zz'",
        "update scans set started = 'never'",
    ],
)
def test_invalid_values_in_the_state_are_computed_again(studio, change):
    os.mkfifo(studio.drop / "pipe")
    studio.scan()
    before = table(studio)
    with closing(sqlite3.connect(studio.out() / STATE)) as opened, opened:
        opened.execute(change)
    answer = command(studio)
    assert answer.exit_code == 3, answer.output
    assert table(studio).equals(before)


def test_an_unreachable_drop_keeps_a_row_for_each_file_if_the_state_is_damaged(studio):
    studio.scan()
    studio.drop.rename(studio.folder / "away")
    for change in (
        "update contents set facts = '{' where kind = 'image'",
        "update files set kind = 'zz' where path like '%.txt'",
    ):
        with closing(sqlite3.connect(studio.out() / STATE)) as opened, opened:
            opened.execute(change)
    assert command(studio).exit_code == 3
    assert bands(studio.read()) == dict.fromkeys(FLAGS, "not_screened")
    (studio.folder / "away").rename(studio.drop)
    assert command(studio).exit_code == 0
    assert bands(studio.read()) == FLAGS


def test_a_file_kept_under_a_wrong_digest_is_read_again_by_the_scan_after(studio):
    studio.scan()
    with closing(sqlite3.connect(studio.out() / STATE)) as opened, opened:
        opened.execute("update files set asset_id = ? where path = 'copy.jpg'", ("0" * 64,))
    studio.scan()
    assert bands(studio.read())["a/copy.jpg"] == "not_screened"
    studio.scan()
    assert bands(studio.read()) == FLAGS


def test_a_copy_that_is_taken_away_during_a_scan_does_not_hide_the_other(studio, monkeypatch):
    studio.put("zcopy.jpg", jpeg(1))
    fetch = scan_run._fetch

    def taken_away(*arguments):
        (studio.drop / "copy.jpg").unlink()
        return fetch(*arguments)

    monkeypatch.setattr(scan_run, "_fetch", taken_away)
    studio.scan()
    assert bands(studio.read()) == {**FLAGS, "a/zcopy.jpg": "escalate"}
