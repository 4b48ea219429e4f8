"""The next scan cleans up after an interrupted one."""

from __future__ import annotations

import pytest
from scan_samples import bands, jpeg

from pipeline.core.layout import HISTORY
from pipeline.results.files import read_run
from pipeline.scan import history
from pipeline.scan import run as scan_run
from pipeline.scan.run import scan_directory


class CutOffError(Exception):
    pass


def cut_off(*_args, **_options):
    raise CutOffError


def test_results_of_a_scan_that_was_not_finished_are_never_taken_for_those_of_one_that_was(
    studio, monkeypatch
):
    first = studio.scan()
    studio.put("later.jpg", jpeg(2))
    # All its results are written, but it ends before it is marked as finished.
    with monkeypatch.context() as patched:
        patched.setattr(scan_run, "_finish", cut_off)
        with pytest.raises(CutOffError):
            studio.scan()
    assert len(list((studio.out() / HISTORY).iterdir())) == 2
    # The next one is interrupted while it cleans up.
    with monkeypatch.context() as patched:
        patched.setattr(history.shutil, "rmtree", cut_off)
        with pytest.raises(CutOffError), scan_directory(studio.out()):
            pass
    assert read_run(studio.out() / "latest").run["run_id"] == first.folder.name
    done = studio.scan()
    assert done.summary["scan_id_before"] == first.folder.name
    assert done.summary["changes"]["new"] == 1
    assert bands(studio.read())["a/later.jpg"] == "escalate"
    assert len(list((studio.out() / HISTORY).iterdir())) == 2


def test_a_scan_cut_off_while_it_forgets_old_ones_is_complete(studio, monkeypatch):
    first = studio.scan()
    with monkeypatch.context() as patched:
        patched.setattr(scan_run, "_delete_old_scans", cut_off)
        with pytest.raises(CutOffError):
            studio.scan()
    second = studio.read().run["run_id"]
    assert second != first.folder.name
    assert studio.scan().summary["scan_id_before"] == second


def test_what_was_half_deleted_is_deleted_by_the_next_scan(studio):
    studio.scan()
    history = studio.out() / HISTORY
    [scan_id] = [folder.name for folder in history.iterdir()]
    half, foreign = history / f".{scan_id}.gone", history / ".notes.gone"
    for folder in (half, foreign):
        folder.mkdir()
        (folder / "risk_table.csv").write_text("half", encoding="utf-8")
    done = studio.scan()
    assert not half.exists()
    assert foreign.exists(), "not Clearance's own"
    assert not any(done.notes)
