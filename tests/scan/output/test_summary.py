"""The summary of a scan on the terminal."""

from __future__ import annotations

import io
import json
import re

import pyarrow.parquet as pq
from rich.console import Console
from scan_samples import bands, jpeg, words

from pipeline.cli.terminal.scan import print_scan
from pipeline.scan.output.write import CompactRows
from pipeline.scan.run import scan
from pipeline.scan.settings import load_settings
from pipeline.screening.run_files import Rows

MARKED = {"a": {"path": "drop", "settle": {"seconds": 0, "marker": "_DONE"}}}


def screen(done):
    console = Console(file=io.StringIO(), width=200)
    print_scan(done, console)
    return console.file.getvalue()


def test_files_that_are_still_arriving_are_counted_apart(studio):
    for name, data in {"b/copy.jpg": jpeg(1), "b/none.txt": b"", "b/_DONE": b""}.items():
        studio.put(name, data)
    output = screen(studio.scan(drops=MARKED))
    assert "escalate 1, not screened 5." in output
    assert (
        "4 files are still arriving and wait for the next scan; 1 other was not screened." in output
    )
    assert "Not screened: still arriving 4, empty file 1." in output
    assert "a/b/none.txt" in output
    assert "a/script.txt" not in output, "the lines are for what a person can do something about"
    assert "4 files are still arriving" in (studio.out() / "latest" / "delta.html").read_text()
    assert json.loads((studio.out() / "latest" / "delta.json").read_text())["still_arriving"] == 4
    studio.put("_DONE", b"")
    (studio.drop / "b" / "none.txt").write_bytes(words(77))
    done = studio.scan(drops=MARKED)
    output = screen(done)
    assert "arriving" not in output
    assert "newly flagged: the file has arrived" in output
    assert set(bands(studio.read()).values()) == {"escalate", "no_match"}


def test_a_judged_file_that_is_sent_again_is_reported_as_arriving(studio):
    studio.put("_DONE", b"")
    studio.scan(drops=MARKED)
    (studio.drop / "_DONE").unlink()
    messages = []
    done = scan(load_settings(studio.config(drops=MARKED)), on_message=messages.append)
    assert "4 are still arriving and left for the next scan." in messages
    rows = pq.read_table(done.folder / "delta.parquet").to_pylist()
    assert {one["why"] for one in rows} == {"the file is still arriving"}


def test_one_file_that_is_still_arriving(studio):
    for file in studio.drop.iterdir():
        if file.name != "none.png":
            file.unlink()
    assert "1 file is still arriving and waits for the next scan.\n" in screen(
        studio.scan(drops=MARKED)
    )


def test_each_row_is_computed_once_and_the_page_keeps_little_of_it(studio, monkeypatch):
    """In a first scan every file is new: the page's memory must not grow with their number."""
    computed, light = [], []
    row, lighten = Rows.row, CompactRows.row

    def counted(self, asset, *args):
        computed.append(asset.asset_path)
        return row(self, asset, *args)

    def recorded(self, one):
        light.append(lighten(self, one))
        return light[-1]

    monkeypatch.setattr(Rows, "row", counted)
    monkeypatch.setattr(CompactRows, "row", recorded)
    for number in range(40):
        studio.put(f"empty/{number}.txt", b"")
    studio.put("broken.png", b"\x89PNG\r\n\x1a\n and no more")
    studio.scan()
    assert len(computed) == len(set(computed)) == 45
    empty = [one for one in light if "empty/" in one.asset.asset_path]
    assert len(empty) == 40
    assert len({id(one.outcomes) for one in empty}) == len({id(one.reasons) for one in empty}) == 1
    page = (studio.out() / "latest" / "delta.html").read_text(encoding="utf-8")
    for text in ("a/empty/39.txt", "a/broken.png", "a/none.png", "Empty file", "Damaged file"):
        assert text in page
    computed.clear()
    studio.put("late.txt", words(88))
    studio.scan()
    assert len(computed) == 46, "and none twice in a later scan either"


def test_a_renamed_file_is_one_change_that_says_where_it_was(studio):
    studio.scan()
    file = next(file for file in sorted(studio.drop.rglob("*.jpg")))
    file.rename(file.with_name("renamed_<b>.jpg"))
    done = studio.scan()
    changes = json.loads((done.folder / "delta.json").read_text())["changes"]
    assert {name: number for name, number in changes.items() if number} == {"moved": 1}
    output = screen(done)
    assert "1 moved" in output
    page = (done.folder / "delta.html").read_text()
    assert "before it was" in page
    assert f"a/{file.relative_to(studio.drop)}" in page


def test_the_page_counts_as_many_changes_as_it_lists(studio):
    """Files that are gone are changes too, and what was not screened of the changed files is told
    from what was not of all."""
    studio.put("gone/one.txt", words(91))
    studio.put("gone/two.txt", words(92))
    studio.put("old.txt", b"")
    studio.scan()
    for file in sorted((studio.drop / "gone").iterdir()):
        file.unlink()
    studio.put("copy.jpg", jpeg(1, quality=70))
    studio.put("new.txt", b"")
    done = studio.scan()
    counts = json.loads((done.folder / "delta.json").read_text())["counts"]
    page = (done.folder / "delta.html").read_text(encoding="utf-8")
    text = " ".join(re.sub(r"<[^>]+>", " ", page.partition("</style>")[2]).split())
    listed = page.partition("<tbody>")[2].partition("</tbody>")[0].count("<tr>")
    assert listed == 4
    assert (
        "4 changes. 1 of the 2 changed files still there needs review by a person. 1 was not "
        "screened, or only in part." in text
    )
    assert "of 2 changes" not in text
    assert "Changed files that were not screened, or only in part" in text
    assert counts["not_screened"] > 1
    files, unscreened = sum(counts.values()), counts["not_screened"]
    assert f"Of all {files} files, {unscreened} are in these bands" in text
