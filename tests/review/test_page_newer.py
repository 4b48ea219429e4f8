"""A newer run than the one shown is announced at the top of the page, at the cost of a stat."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from page_samples import ANNA, DORA, HOST, ReviewSite, rows, write_run
from row_samples import RUN as RUN_INFO

from pipeline.core.layout import RUN
from pipeline.review import newer
from pipeline.review.access.sessions import Access
from pipeline.review.app import create_app
from pipeline.review.newer import NewerRun

SAYS = "A newer run is there"
ID = RUN_INFO.run_id


def renamed(out: Path, run_id: str) -> None:
    """As a new run does: another file takes the place of `run.json`."""
    run = json.loads((out / RUN).read_bytes())
    (out / "new").write_text(json.dumps({**run, "run_id": run_id}))
    (out / "new").replace(out / RUN)


@pytest.fixture
def watched(tmp_path):
    site = ReviewSite(tmp_path / "out")
    site.app = create_app(site.review, site.access, NewerRun(site.out, ID))
    return site


def test_replaced_results_are_announced_on_every_page(watched):
    browser = watched.browser(ANNA)
    for place in ("/", "/item/0"):
        assert SAYS not in browser.get(place).text
    renamed(watched.out, "run-<2>")
    for place in ("/", "/item/0", "/item/9999"):
        text = browser.get(place).text
        assert text.count(SAYS) == 1, place
        assert "(run-&lt;2&gt;)" in text
        assert ID in text
    # A client that is not signed in is shown nothing about runs.
    signed_out = create_app(watched.review, Access(local=DORA, hosts=frozenset({HOST})))
    signed_out.state.newer = watched.app.state.newer
    watched.app = signed_out
    assert SAYS not in watched.client().get("/login").text
    renamed(watched.out, ID)
    assert SAYS not in browser.get("/").text


def test_a_newer_latest_scan_is_announced(tmp_path):
    history = tmp_path / "scan" / "history"
    write_run(history / "1", rows())
    write_run(history / "2", rows())
    (tmp_path / "scan" / "scan.lock").touch()
    renamed(history / "2", "second")
    latest = tmp_path / "scan" / "latest"
    latest.symlink_to("history/1")
    pages = [NewerRun(place, ID) for place in (tmp_path / "scan", latest, history / "1")]
    assert [page.sentence() for page in pages] == ["", "", ""]
    latest.unlink()
    latest.symlink_to("history/2")
    for page in pages:
        assert SAYS in page.sentence()
        assert "second" in page.sentence()
    # A user who opens an older scan knows that it is not the latest.
    assert NewerRun(history / "1", ID).sentence() == ""


def test_deleted_results_are_announced(tmp_path):
    write_run(tmp_path / "out", rows())
    page = NewerRun(tmp_path / "out", ID)
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    assert "no longer there" in page.sentence()
    (tmp_path / "elsewhere").rename(tmp_path / "out")
    assert page.sentence() == ""


def test_nothing_is_read_as_long_as_the_file_is_the_same(tmp_path, monkeypatch):
    write_run(tmp_path / "out", rows())
    page = NewerRun(tmp_path / "out", ID)
    page.sentence()
    monkeypatch.setattr(newer, "_run_id", lambda file: pytest.fail("read"))
    assert [page.sentence() for _ in range(100)] == [""] * 100
    monkeypatch.undo()
    # A copy that was put back is another file, and the same run.
    os.utime(tmp_path / "out" / RUN, (1, 1))
    assert page.sentence() == ""
