"""The demo's material: the same bytes each time, what it claims to be, nothing fetched."""

from __future__ import annotations

import csv
import hashlib
import re
import socket
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image

from pipeline.cli.demo import edits
from pipeline.cli.demo.material import (
    PHOTOGRAPHS,
    PHOTOGRAPHS_FOLDER,
    WORKS,
    Truth,
    photograph,
    planted,
    script_file,
    write_drop,
    write_works,
)
from pipeline.cli.demo.run import MARKER, _prepare
from pipeline.core.errors import DropError

ROOT = Path(__file__).parents[3]


def digests(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", re.sub(r"['’]", "", text.lower()))


def script(folder: str, name: str) -> str:
    text = script_file(folder, name).read_text(encoding="utf-8")
    if name.endswith(".fdx"):
        return " ".join(ET.fromstring(text).itertext())  # noqa: S314 -- our own file
    if name.endswith(".srt"):
        return " ".join(line for line in text.splitlines() if not re.match(r"\d", line))
    return text.partition("FADE IN:")[2]  # every title page has the same words


def shared_five_word_runs(one: str, other: str) -> int:
    first, second = words(one), words(other)
    runs = {tuple(second[i : i + 5]) for i in range(len(second) - 4)}
    return sum(tuple(first[i : i + 5]) in runs for i in range(len(first) - 4))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("the demo reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.mark.usefixtures("no_network")
def test_the_same_bytes_each_time_without_a_network(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_works(tmp_path / name / "works")
        write_drop(tmp_path / name / "drop")
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_the_manifest_names_every_work_and_its_files(tmp_path: Path) -> None:
    manifest = write_works(tmp_path / "works")
    with manifest.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    header = ["work_id", "title", "rightsholder", "rights", "path", "credit"]
    assert list(rows[0]) == header
    assert {row["work_id"] for row in rows} == {work.work_id for work in WORKS}
    assert all((manifest.parent / row["path"]).is_file() for row in rows)
    assert all(value for row in rows for value in row.values())


def test_the_truth_names_every_file_of_the_drop_and_real_works(tmp_path: Path) -> None:
    files = write_drop(tmp_path / "drop")
    with (tmp_path / "truth.csv").open(encoding="utf-8", newline="") as stream:
        listed_paths = [row["asset_path"] for row in csv.DictReader(stream)]
    assert sorted(digests(tmp_path / "drop")) == listed_paths
    for file in files:
        assert (file.work_id is not None) == (file.truth is Truth.COPY)
        assert file.work_id in {None, *(work.work_id for work in WORKS)}


def test_unrelated_photographs_are_of_no_work() -> None:
    registered = {source for work in WORKS for source in work.sources}
    works = {
        hashlib.sha256(photograph(name).tobytes()).digest()
        for name in PHOTOGRAPHS
        if name in registered
    }
    for file in planted():
        if file.truth is Truth.UNRELATED and file.asset_path.endswith(".png"):
            import io

            with Image.open(io.BytesIO(file.content())) as image:
                assert hashlib.sha256(image.convert("RGB").tobytes()).digest() not in works


@pytest.mark.parametrize("work", [work for work in WORKS if work.work_id.startswith("SCR")])
def test_screenplays_are_of_the_length_that_the_documentation_says(work) -> None:
    (name,) = work.sources
    assert 500 <= len(words(script("works", name))) <= 900


@pytest.mark.parametrize(
    ("drop", "work"),
    [
        ("ashgrove_draft.fountain", "lot_forty_one.fountain"),
        ("last_tram.fdx", "the_number_nine.fountain"),
        ("second_hearing.srt", "small_repairs.fountain"),
    ],
)
def test_a_lifted_scene_shares_words_only_with_its_work(drop: str, work: str) -> None:
    text = script("drop", drop)
    for other in (name for w in WORKS for name in w.sources if name.endswith(".fountain")):
        shared = shared_five_word_runs(text, script("works", other))
        assert shared > 100 if other == work else shared <= 2


def test_the_clean_script_shares_almost_nothing() -> None:
    text = script("drop", "the_rain_book.fountain")
    for other in (name for w in WORKS for name in w.sources if name.endswith(".fountain")):
        assert shared_five_word_runs(text, script("works", other)) <= 1


def test_the_note_has_too_few_words_and_the_cut_jpeg_is_broken(tmp_path: Path) -> None:
    write_drop(tmp_path / "drop")
    assert len((tmp_path / "drop/scripts/note_to_wardrobe.txt").read_text().split()) == 5
    with (
        Image.open(tmp_path / "drop/pictures/transfer_cut_off.jpg") as image,
        pytest.raises(OSError, match="truncated"),
    ):
        image.load()


def test_edits_do_what_they_are_called() -> None:
    cat = photograph("chelsea")
    assert edits.mirror(edits.mirror(cat)) == cat
    assert edits.rotate(cat).size == (cat.height, cat.width)
    assert edits.crop(cat, 0.7).size == (round(cat.width * 0.7), round(cat.height * 0.7))
    banner = edits.add_banner(cat, "TEXT")
    assert banner.crop((0, 0, cat.width, cat.height // 2)) == cat.crop(
        (0, 0, cat.width, cat.height // 2)
    )
    assert banner != cat


def test_a_folder_that_the_demo_did_not_make_is_not_changed(tmp_path: Path) -> None:
    own_file = tmp_path / "works" / "contract.txt"
    own_file.parent.mkdir()
    own_file.write_text("keep me")
    with pytest.raises(DropError, match="did not write"):
        _prepare(tmp_path)
    assert own_file.read_text() == "keep me"


def test_a_folder_that_the_demo_made_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / MARKER).touch()
    stale = tmp_path / "out" / "old.txt"
    stale.parent.mkdir()
    stale.touch()
    _prepare(tmp_path)
    assert not stale.exists()


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    place.write_text("a file")
    with pytest.raises(DropError, match="is a file"):
        _prepare(place)


def test_every_photograph_is_the_file_that_is_credited() -> None:
    table = (ROOT / "docs" / "third-party.md").read_text("utf-8")
    row = re.compile(r"^\| (\S+\.(?:png|jpg)) \|.*`([0-9a-f]{64})` \|$", re.MULTILINE)
    credited = dict(row.findall(table))
    assert credited == digests(PHOTOGRAPHS_FOLDER)
    assert set(credited) == {photo.file for photo in PHOTOGRAPHS.values()}
