"""Interrupted writers and damaged files: the old version stays complete, and damage is reported."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from index_samples import SCHEMAS, contents, make_index, registered

import reference_index
from reference_index.errors import IndexCorruptError, ReferenceIndexError
from reference_index.store import ReferenceIndex
from reference_index.tables import reading

pytestmark = pytest.mark.slow

ROOT = Path(reference_index.__file__).parents[1]
HERE = Path(__file__).parent
FIRST = [registered(work, number) for work in "ab" for number in range(3)]
SECOND = [registered(work, number, title="New title") for work in "bc" for number in range(4)]

KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[3])
from index_samples import registered
from reference_index import adding, store, tables, versions

def end(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

path, point = sys.argv[1:3]
adding._BATCH_FILES = 2
def files():
    for number, (work, place) in enumerate([(w, n) for w in "bc" for n in range(4)]):
        if point == f"item {number}":
            end()
        yield registered(work, place, title="New title")
if point == "after the last item":
    adding.Adder._write_works = end
elif point == "works deleted":
    plain = tables.TableWriter.append
    tables.TableWriter.append = lambda self, name, rows: (
        end() if name == "works" else plain(self, name, rows)
    )
elif point == "before the record":
    versions.write = end
elif point == "before the link":
    os.link = end
elif point == "after the link":
    versions.flush_folder = lambda folder: end() if folder.name == "versions" else None
tables.FRAGMENTS = 2
store.ReferenceIndex.open(path).add(files())
"""


@pytest.mark.parametrize(
    "point",
    [
        "item 0",
        "item 1",
        "item 5",
        "after the last item",
        "works deleted",
        "before the record",
        "before the link",
        "after the link",
    ],
)
def test_a_killed_add_leaves_the_old_version_whole(tmp_path, point):
    path = tmp_path / "index"
    index = make_index(path)
    index.add(FIRST)
    before = contents(index)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), point, str(HERE)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    whole = make_index(tmp_path / "whole")
    whole.add(FIRST)
    whole.add(SECOND)
    opened = ReferenceIndex.open(path)
    if point == "after the link":
        assert contents(opened) == contents(whole)
    else:
        assert opened.version == 2
        assert contents(opened) == before
    assert opened.verify() == []
    opened.add(SECOND)
    assert opened.version == 3
    assert contents(ReferenceIndex.open(path)) == contents(whole)
    assert ReferenceIndex.open(path).verify() == []
    assert contents(ReferenceIndex.open(path, 2)) == before
    assert not list((path / "versions").glob("*.tmp"))


def test_a_killed_create_can_be_repeated(tmp_path):
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[2])\n"
        "from index_samples import make_index\n"
        "from reference_index import versions\n"
        "versions.write = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "make_index(__import__('pathlib').Path(sys.argv[1]))"
    )
    path = tmp_path / "index"
    done = subprocess.run([sys.executable, "-c", code, str(path), str(HERE)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    index = make_index(path)
    index.add(FIRST)
    assert index.verify() == []


def data_files(path: Path, table: str) -> list[Path]:
    return sorted((path / "tables" / f"{table}.lance" / "data").glob("*.lance"))


@pytest.fixture
def index(tmp_path):
    index = make_index(tmp_path / "index")
    index.add(FIRST)
    return index


@pytest.mark.parametrize("table", ["works", "files", *SCHEMAS])
@pytest.mark.parametrize("harm", ["removed", "emptied", "cut", "overwritten", "folder removed"])
def test_a_damaged_table_is_reported(index, table, harm):
    (file,) = data_files(index.path, table)
    data = file.read_bytes()
    if harm == "removed":
        file.unlink()
    elif harm == "folder removed":
        shutil.rmtree(file.parents[1])
    else:
        file.write_bytes(
            {"emptied": b"", "cut": data[: len(data) // 2], "overwritten": b"\xa5" * len(data)}[
                harm
            ]
        )
    faults = index.verify()
    assert faults
    assert any(table in fault for fault in faults)
    missing = harm in ("removed", "folder removed")
    assert (
        f"The table {table} of the index {index.path} is "
        f"{'missing or lacks files' if missing else 'damaged'}. Restore the index from a copy, or "
        "open an earlier version of it."
    ) in faults
    if table in SCHEMAS:
        fresh = ReferenceIndex.open(index.path)
        with pytest.raises(IndexCorruptError, match=table):
            fresh.entries(table)
    else:
        with pytest.raises(IndexCorruptError, match=table):
            ReferenceIndex.open(index.path)


def altered(file: Path, old: bytes, new: bytes) -> None:
    data = file.read_bytes()
    assert data.count(old) >= 1
    file.write_bytes(data.replace(old, new))


def test_verify_finds_one_altered_fingerprint(index):
    value = index.entries("bits").rows.column("hash")[0].as_py()
    (file,) = data_files(index.path, "bits")
    altered(file, value, bytes(8))
    (fault,) = ReferenceIndex.open(index.path).verify()
    first = index.files[index.entries("bits").file_of_row[0]]
    assert "bits" in fault
    assert repr(first.path) in fault


def test_verify_finds_an_altered_text_and_thumbnail(index):
    (file,) = data_files(index.path, "files")
    altered(file, b"The whole text of a/1", b"The false text of a/1")
    altered(file, b"\xff\xd8b/2", b"\xff\xd8b/9")
    faults = ReferenceIndex.open(index.path).verify()
    assert len(faults) == 2
    assert "'a/1.txt' of the work 'a'" in faults[0]
    assert "'b/2.png' of the work 'b'" in faults[1]


def test_verify_finds_altered_details_of_a_work(index):
    (file,) = data_files(index.path, "works")
    altered(file, b"Title of a", b"Title of z")
    faults = ReferenceIndex.open(index.path).verify()
    assert any("details of the work 'a'" in fault for fault in faults)


def test_rows_swapped_for_those_of_another_index_are_found(index, tmp_path):
    """A valid table that belongs to another index."""
    other = make_index(tmp_path / "other")
    other.add([registered("z", number) for number in range(3)])
    other.add([registered("y", number) for number in range(3)])
    shutil.rmtree(index.path / "tables" / "bits.lance")
    shutil.copytree(other.path / "tables" / "bits.lance", index.path / "tables" / "bits.lance")
    assert index.verify()
    with pytest.raises(IndexCorruptError):
        ReferenceIndex.open(index.path).entries("bits")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_index_that_cannot_be_read(index):
    index.path.chmod(0)
    try:
        with pytest.raises(ReferenceIndexError, match="can't be read"):
            ReferenceIndex.open(index.path)
    finally:
        index.path.chmod(0o755)


def test_an_error_of_the_operating_system_is_reported_as_such():
    with pytest.raises(IndexCorruptError) as raised, reading(Path("idx"), "bits"):
        raise OSError("LanceError(IO): Generic error: Permission denied (os error 13), io.rs:1:2")
    assert str(raised.value) == "The table bits of the index idx can't be read: Permission denied."


def test_the_error_of_a_truncated_file_names_no_source_file_of_the_library(index):
    file = next((index.path / "tables" / "files.lance").rglob("data/*.lance"))
    file.write_bytes(file.read_bytes()[:10])
    with pytest.raises(ReferenceIndexError) as fault:
        ReferenceIndex.open(index.path)
    message = str(fault.value)
    assert "files" in message
    assert ".rs:" not in message
    assert message.endswith(".")
