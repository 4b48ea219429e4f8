"""The stored index: added files are read back in any order of adding, and every version stays."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from index_samples import SCHEMAS, SPECS, contents, make_index, registered, rows_of

from reference_index import locks, tables, versions
from reference_index.errors import (
    IndexCorruptError,
    IndexExistsError,
    IndexLockedError,
    IndexNotFoundError,
    ReferenceIndexError,
)
from reference_index.hamming import HammingIndex
from reference_index.store import ReferenceIndex

ROOT = Path(tables.__file__).parents[1]
SOME = [registered("b", 0), registered("a", 1), registered("b", 1), registered("a", 2)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "an index, #1 é%20"


def test_round_trip(path):
    index = make_index(path)
    assert (index.version, index.works, index.files) == (1, (), ())
    assert len(index.entries("bits")) == 0
    assert index.entries("bits").rows.schema == SCHEMAS["bits"]
    assert index.add(SOME) == 2
    for opened in (index, ReferenceIndex.open(path)):
        assert [work.work_id for work in opened.works] == ["a", "b"]
        assert opened.works[0] == SOME[1].work
        assert list(opened.files) == sorted(
            (one.file for one in SOME), key=lambda f: (f.work_id, f.path, f.file_id)
        )
        for stage in SCHEMAS:
            entries = opened.entries(stage)
            assert entries.rows.schema == SCHEMAS[stage]
            assert entries.files == opened.files
            assert entries is opened.entries(stage)
            for one in SOME:
                place = opened.files.index(one.file)
                stored = entries.rows.filter(pa.array(entries.file_of_row == place))
                given_rows = one.fingerprints.get(stage)
                assert stored.to_pylist() == (given_rows.to_pylist() if given_rows else [])
            assert np.all(np.diff(entries.file_of_row) >= 0)
        for one in SOME:
            content = opened.content(one.file)
            assert (content.thumbnail, content.text) == (one.thumbnail, one.text)
        assert opened.verify() == []
        assert dict(opened.specs) == {spec.stage: spec for spec in SPECS}
        assert opened.work("a").title == "Title of a"


def test_order_and_number_of_adds_do_not_matter(tmp_path):
    files = [registered(work, number) for work in "abc" for number in range(3)]
    stored = []
    for turn, cuts in enumerate([[9], [1] * 9, [4, 5], [2, 2, 5]]):
        index = make_index(tmp_path / str(turn))
        shuffled = random.Random(turn).sample(files, len(files))
        for cut in cuts:
            index.add(shuffled[:cut])
            shuffled = shuffled[cut:]
        stored.append(contents(ReferenceIndex.open(index.path)))
        assert index.verify() == []
    assert all(one == stored[0] for one in stored)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(st.tuples(st.sampled_from("abc'é"), st.integers(0, 3)), min_size=1),
    st.sets(st.tuples(st.sampled_from('xy"'), st.integers(0, 3)), min_size=1),
    st.integers(0, 2**20),
)
def test_added_then_removed_leaves_all_as_before(tmp_path, first, second, query):
    index = make_index(tmp_path / f"{len(list(tmp_path.iterdir()))}")
    index.add([registered(*one) for one in sorted(first)])

    def search():
        bits = index.entries("bits").rows.column("hash").combine_chunks()
        packed = np.frombuffer(b"".join(bits.to_pylist()), np.uint8).reshape(-1, 8)
        queries = np.random.default_rng(query).integers(0, 256, (3, 8), dtype=np.uint8)
        return [part.tolist() for part in HammingIndex(packed).within(queries, 30)]

    before, hits = contents(index), search()
    index.add([registered(*one) for one in sorted(second)])
    assert index.digest != before["digest"]
    index.remove(sorted({work_id for work_id, _ in second}))
    assert contents(index) == before == contents(ReferenceIndex.open(index.path))
    assert search() == hits
    assert index.verify() == []


def test_adding_again_changes_nothing(path):
    index = make_index(path)
    index.add(SOME)
    before = contents(index)
    assert index.add(SOME) == 2
    assert index.add(iter([])) == 2
    assert index.add([SOME[0], SOME[0]]) == 2
    assert contents(index) == before
    assert versions.numbers(path) == [1, 2]


def test_other_values_replace_and_new_details_update(path):
    index = make_index(path)
    index.add(SOME)
    noted = replace(SOME[0], file=replace(SOME[0].file, note="a stage abstained"))
    renamed = replace(registered("a", 1, title="Another title"))
    assert index.add([noted, renamed, SOME[2]]) == 3
    assert len(index.files) == len(SOME)
    assert index.files[2].note == "a stage abstained"
    assert index.work("a").title == "Another title"
    assert index.verify() == []
    assert "new details for a" in index.history()[-1]["change"]
    fresh = make_index(path.with_name("fresh"))
    fresh.add([noted, renamed, SOME[2], replace(SOME[3], work=renamed.work)])
    assert fresh.digest == index.digest
    assert contents(fresh) == contents(index)


def test_one_path_with_other_bytes_is_another_file(path):
    index = make_index(path)
    other = replace(SOME[0], file=replace(SOME[0].file, file_id="0" * 64))
    index.add([SOME[0], other])
    assert len(index.files) == 2
    assert index.files[0].file_id == "0" * 64


def test_a_file_twice_in_one_add_with_other_values_is_stored_once(path):
    index = make_index(path)
    noted = replace(SOME[0], file=replace(SOME[0].file, note="second"))
    index.add([SOME[0], noted])
    assert [file.note for file in index.files] == ["second"]
    assert index.verify() == []


def test_old_versions_stay_open_and_can_be_opened(path):
    index = make_index(path)
    index.add(SOME[:1])
    old = ReferenceIndex.open(path)
    before = contents(old)
    index.add(SOME[1:])
    index.remove(["b"])
    assert contents(old)["files"] == before["files"]
    again = ReferenceIndex.open(path, 2)
    assert contents(again) == before
    assert again.content(SOME[0].file).thumbnail == SOME[0].thumbnail
    assert again.verify() == []
    with pytest.raises(ReferenceIndexError, match="opened to be read"):
        again.add(SOME)
    assert [(v["version"], v["works"], v["files"]) for v in index.history()] == [
        (1, 0, 0),
        (2, 1, 1),
        (3, 2, 4),
        (4, 1, 2),
    ]
    json.dumps(index.history())
    with pytest.raises(IndexNotFoundError, match="no version 9; it has versions 1 to 4"):
        ReferenceIndex.open(path, 9)


def test_many_small_adds_are_put_together(path, monkeypatch):
    monkeypatch.setattr(tables, "FRAGMENTS", 3)
    index = make_index(path)
    for number in range(6):
        index.add([registered("a", number)])
    state = versions.read(path).tables["files"]
    dataset = tables.open_dataset(path, "files", state)
    assert len(dataset.get_fragments()) < 6
    # Lance can be set to delete old versions as it commits; here it must not be.
    assert not [key for key in dataset.config() if "cleanup" in key]
    assert index.verify() == []
    for number in range(1, 8):
        assert len(ReferenceIndex.open(path, number).files) == number - 1
        assert ReferenceIndex.open(path, number).verify() == []


def test_batches_are_written_as_they_come(path, monkeypatch):
    monkeypatch.setattr("reference_index.adding._BATCH_FILES", 2)
    index = make_index(path)
    index.add(registered("a", number) for number in range(7))
    whole = make_index(path.with_name("whole"))
    monkeypatch.setattr("reference_index.adding._BATCH_FILES", 100)
    whole.add(registered("a", number) for number in range(7))
    assert contents(index) == contents(whole)


def test_a_fault_in_the_middle_adds_nothing(path, monkeypatch):
    monkeypatch.setattr("reference_index.adding._BATCH_FILES", 2)
    index = make_index(path)
    index.add(SOME[:2])
    before = contents(index)

    def broken():
        yield from (registered("z", number) for number in range(5))
        raise KeyError("the caller's own")

    with pytest.raises(KeyError, match="own"):
        index.add(broken())
    assert contents(index) == before == contents(ReferenceIndex.open(path))
    index.add(SOME[2:])
    whole = make_index(path.with_name("whole"))
    whole.add(SOME)
    assert contents(index) == contents(whole)
    assert index.verify() == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (replace(SOME[0], fingerprints={"shape": rows_of("bits", 1, 1)}), "no fingerprints by"),
        (replace(SOME[0], fingerprints={"vectors": rows_of("bits", 1, 1)}), "stage's schema"),
        (replace(SOME[0], fingerprints={"bits": rows_of("bits", 1, 1)[:0]}), "no rows"),
        (
            replace(
                SOME[0],
                fingerprints={
                    "bits": pa.record_batch(
                        {"hash": pa.array([None], pa.binary(8)), "quality": pa.array([1.0])},
                        schema=SCHEMAS["bits"],
                    )
                },
            ),
            "null",
        ),
        (replace(SOME[0], work=replace(SOME[0].work, title="\ud800")), "Unicode"),
        (replace(SOME[0], work=replace(SOME[0].work, work_id="q")), "names the work"),
        (replace(SOME[0], file=replace(SOME[0].file, file_id="abc")), "SHA-256"),
        (registered("a", 4, title="Other"), "other details"),
    ],
)
def test_a_file_that_is_not_of_the_index_is_refused(path, wrong, words):
    index = make_index(path)
    with pytest.raises(ReferenceIndexError, match=words):
        index.add([SOME[1], wrong])
    assert contents(index)["files"] == ()
    assert ReferenceIndex.open(path).version == 1


def test_remove_of_an_unknown_work_names_the_nearest(path):
    index = make_index(path)
    index.add([registered("chelsea", 0)])
    with pytest.raises(ReferenceIndexError, match=r"no work 'chelsae' \(the nearest is 'chelsea'"):
        index.remove(["chelsea", "chelsae"])
    with pytest.raises(ReferenceIndexError, match="'chelsea'"):
        index.work("chelse")
    assert len(ReferenceIndex.open(path).works) == 1
    assert index.remove(["chelsea", "chelsea"]) == 3
    assert index.works == ()


def test_without_kept_content_no_trace_of_it_is_written(path):
    passage = "SECRET-PASSAGE-OF-THE-WORK"
    index = make_index(path, keep_content=False)
    files = [registered("a", 1, text=passage), replace(registered("a", 2), thumbnail=b"SECRETJPEG")]
    index.add(files)
    index.add([registered("b", 3, text=passage)])
    index.remove(["b"])
    content = index.content(files[0].file)
    assert (content.text, content.thumbnail) == (None, None)
    assert index.verify() == []
    everything = [file.read_bytes() for file in path.rglob("*") if file.is_file()]
    assert len(everything) > 10
    for data in everything:
        assert b"SECRET" not in data
        assert "SECRET".encode("utf-16-le") not in data
    with_content = make_index(path.with_name("kept"))
    with_content.add(files)
    assert any(
        b"SECRET" in file.read_bytes() for file in with_content.path.rglob("*") if file.is_file()
    )


def test_where_an_index_can_be_made(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert make_index(empty).version == 1
    with pytest.raises(IndexExistsError, match="already"):
        make_index(empty)
    full = tmp_path / "full"
    full.mkdir()
    (full / "a.txt").write_text("x")
    with pytest.raises(IndexExistsError, match="not empty"):
        make_index(full)
    with pytest.raises(IndexExistsError, match="not a folder"):
        make_index(full / "a.txt")
    assert (full / "a.txt").read_text() == "x"
    begun = tmp_path / "begun"
    (begun / "tables" / "x").mkdir(parents=True)
    with pytest.raises(IndexExistsError, match="not empty"):
        make_index(begun)
    (begun / "lock").write_text(json.dumps({"what": locks.MARK}))
    assert make_index(begun).verify() == []


@pytest.mark.parametrize(
    ("specs", "schemas", "words"),
    [
        (SPECS[:1], SCHEMAS, "one spec and one schema"),
        ([replace(SPECS[0], stage="works")], {"works": SCHEMAS["bits"]}, "name"),
        ([replace(SPECS[0], stage="a/b")], {"a/b": SCHEMAS["bits"]}, "name"),
        (SPECS[:1], {"bits": pa.schema([("file_key", pa.string())])}, "none named"),
        (SPECS[:1], {"bits": pa.schema([("when", pa.timestamp("s"))])}, "timestamp"),
    ],
)
def test_a_stage_that_cannot_be_stored(path, specs, schemas, words):
    with pytest.raises(ReferenceIndexError, match=words):
        ReferenceIndex.create(path, specs, schemas)
    assert not path.exists()


def test_a_folder_without_an_index(tmp_path):
    with pytest.raises(IndexNotFoundError, match="clearance index create"):
        ReferenceIndex.open(tmp_path / "none")
    with pytest.raises(IndexNotFoundError, match="clearance index create"):
        ReferenceIndex.open(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(IndexNotFoundError, match="clearance index create"):
        ReferenceIndex.open(tmp_path / "file")


def test_two_writers(path):
    index = make_index(path)
    other = ReferenceIndex.open(path)

    def meanwhile():
        yield SOME[0]
        with pytest.raises(IndexLockedError, match=f"process {os.getpid()} on .* since 20"):
            other.add(SOME)
        yield SOME[1]

    index.add(meanwhile())
    assert other.version == 1
    other.add(SOME[2:])
    assert other.version == 3
    assert len(ReferenceIndex.open(path).files) == 4


def test_readers_see_whole_versions_during_an_add(path, monkeypatch):
    monkeypatch.setattr("reference_index.adding._BATCH_FILES", 1)
    index = make_index(path)
    index.add(SOME)
    before = contents(index)
    code = (
        "import sys; from reference_index.store import ReferenceIndex\n"
        "i = ReferenceIndex.open(sys.argv[1])\n"
        "print(i.version, i.digest, len(i.entries('bits')), i.verify())"
    )
    readings = []

    def slowly():
        for number in range(4):
            yield registered("z", number)
            reader = ReferenceIndex.open(path)
            assert contents(reader) == before
            assert reader.verify() == []
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        readings.append(done.stdout.split())

    old = ReferenceIndex.open(path)
    index.add(slowly())
    assert readings == [["2", old.digest, str(len(old.entries("bits"))), "[]"]]
    assert contents(old) == before
    assert len(ReferenceIndex.open(path).files) == 8


def test_a_reader_on_a_thread_while_versions_are_made(path):
    index = make_index(path)
    stop = threading.Event()
    faults: list[object] = []

    def read():
        while not stop.is_set():
            try:
                opened = ReferenceIndex.open(path)
                if len(opened.files) != opened.version - 1:
                    faults.append((opened.version, len(opened.files)))
            except Exception as fault:
                faults.append(fault)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(8):
        index.add([registered("a", number)])
    stop.set()
    reader.join()
    assert faults == []


def test_digest_is_that_of_the_values(tmp_path):
    """A change of any one stored value gives another digest."""
    base = SOME[0]
    vectors = base.fingerprints["vectors"]
    changed = [
        base,
        replace(base, file=replace(base.file, note="n")),
        replace(base, thumbnail=b"other"),
        replace(base, work=replace(base.work, rights="own")),
        replace(base, work=replace(base.work, notes={})),
        replace(base, fingerprints={"vectors": vectors}),
        replace(base, fingerprints={**base.fingerprints, "vectors": rows_of("vectors", 2, 9)}),
    ]
    digests = []
    for number, one in enumerate(changed):
        index = make_index(tmp_path / str(number))
        index.add([one])
        digests.append(index.digest)
    for one, other in itertools.combinations(digests, 2):
        assert one != other


def test_a_damaged_version_record_is_refused(path):
    index = make_index(path)
    index.add(SOME)
    file = path / "versions" / "000002.json"
    file.chmod(0o644)
    text = file.read_text()
    file.write_text(text.replace('"works": 2', '"works": 3'))
    with pytest.raises(IndexCorruptError, match="damaged"):
        ReferenceIndex.open(path)
    assert ReferenceIndex.open(path, 1).files == ()
    assert "damaged" in index.verify()[0]
    file.write_text(text[:100])
    with pytest.raises(IndexCorruptError, match="damaged"):
        ReferenceIndex.open(path)
    file.write_text(text)
    assert ReferenceIndex.open(path).verify() == []
