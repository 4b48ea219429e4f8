"""`clearance index sync`: the index becomes what the manifest lists, in one version."""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
import sys

import pytest
from PIL import Image

from pipeline.screening import register
from pipeline.screening.sync import check_sync, sync_works
from reference_index.errors import ReferenceIndexError
from reference_index.store import ReferenceIndex

HEADER = ("work_id", "title", "rightsholder", "rights", "path", "shelf")


class Catalogue:
    """A copy of the works and of their index, with a manifest to be changed."""

    def __init__(self, folder, works, index):
        self.folder = shutil.copytree(works, folder / "works")
        self.index = shutil.copytree(index, folder / "idx")
        self.manifest = self.folder / "works.csv"
        with self.manifest.open(newline="", encoding="utf-8") as file:
            self.rows = {row["work_id"]: row for row in csv.DictReader(file)}

    def write(self):
        with self.manifest.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, HEADER)
            writer.writeheader()
            writer.writerows(self.rows.values())
        return self.manifest

    def add(self, work_id, picture, name, **more):
        picture.save(self.folder / name)
        self.rows[f"{work_id} {name}"] = {
            "work_id": work_id, "title": work_id.title(), "rightsholder": "A Photographer",
            "rights": "protected", "path": name, "shelf": "test", **more,
        }  # fmt: skip

    def opened(self):
        return ReferenceIndex.open(self.index)

    def files(self):
        return {(file.work_id, file.path): file.file_id for file in self.opened().files}


@pytest.fixture
def catalogue(tmp_path, works, index):
    return Catalogue(tmp_path, works, index)


@pytest.fixture
def no_fingerprints(monkeypatch):
    def refuse(*_):
        raise AssertionError("a file was fingerprinted")

    monkeypatch.setattr(register, "fingerprint_all", refuse)


def changed(catalogue, photos):
    """A manifest with everything: new works and files, details, other bytes, a work gone."""
    catalogue.add("gewebe", photos["ihc"], "gewebe.png")
    catalogue.add("coffee", photos["ihc"].rotate(90, expand=True), "second.png")
    catalogue.rows["astronaut"]["title"] = "Eine Astronautin"
    catalogue.rows["lamp"]["shelf"] = "B4"
    photos["chelsea"].rotate(20).save(catalogue.folder / "chelsea.png")
    del catalogue.rows["rocket"]
    return catalogue.write()


def test_an_index_becomes_what_the_manifest_lists_in_one_version(catalogue, photos, run):
    manifest = changed(catalogue, photos)
    before = catalogue.files()
    checked = run("index", "sync", catalogue.index, manifest, "--check")
    assert checked.status == 0
    for line in (
        "1 new work:\n  gewebe: Gewebe",
        "2 works with new details:\n  astronaut: title\n  lamp: shelf",
        "2 new files:\n  gewebe.png of gewebe\n  second.png of coffee",
        "they take the place of the earlier ones:\n  chelsea.png of chelsea",
        "1 work gone from the manifest, kept (--remove-missing removes it):\n  rocket: Rocket",
        "3 files unchanged.",
        "Nothing was done (--check). The index is at version 2.",
    ):
        assert line in checked.stdout
    assert catalogue.opened().version == 2

    done = run("index", "sync", catalogue.index, manifest)
    assert done.status == 0
    assert done.stdout.startswith(checked.stdout.partition("Nothing was done")[0])
    index = catalogue.opened()
    assert index.version == 3
    assert index.history()[-1]["change"] == (
        "added 1 work; added 3 files; removed 1 file; new details for astronaut, lamp"
    )
    assert index.work("astronaut").title == "Eine Astronautin"
    assert index.work("lamp").notes == {"shelf": "B4"}
    after = catalogue.files()
    assert set(after) - set(before) == {("gewebe", "gewebe.png"), ("coffee", "second.png")}
    assert after["chelsea", "chelsea.png"] != before["chelsea", "chelsea.png"]
    assert ("rocket", "rocket.png") in after
    assert index.verify() == []

    gone = run("index", "sync", catalogue.index, manifest, "--remove-missing")
    assert "1 work gone from the manifest, removed:\n  rocket: Rocket" in gone.stdout
    assert "Removed 1 work; removed 1 file. The index is at version 4." in gone.stdout
    again = run("index", "sync", catalogue.index, manifest, "--remove-missing", "--json").json
    assert (again["version"], again["would_change"]) == (4, False)
    assert [work.work_id for work in catalogue.opened().works] == [
        "astronaut", "chelsea", "coffee", "gewebe", "lamp",
    ]  # fmt: skip


def test_an_equal_index_gives_the_results_of_one_made_anew(catalogue, photos, tmp_path, run):
    manifest = changed(catalogue, photos)
    run("index", "sync", catalogue.index, manifest, "--remove-missing")
    run("index", "create", tmp_path / "anew")
    run("index", "add", tmp_path / "anew", manifest)
    assert ReferenceIndex.open(tmp_path / "anew").digest == catalogue.opened().digest


def test_the_json_has_the_plan_and_what_was_done(catalogue, photos, run):
    manifest = changed(catalogue, photos)
    done = run("index", "sync", catalogue.index, manifest, "--remove-missing", "--json").json
    assert done["new_works"] == ["gewebe"]
    assert [one["path"] for one in done["changed_files"]] == ["chelsea.png"]
    assert done["gone_works"] == ["rocket"]
    assert (done["version_before"], done["version"]) == (2, 3)
    assert (done["works_removed"], done["files_removed"], done["files_added"]) == (1, 1, 3)


def test_details_and_paths_are_changed_without_fingerprinting(catalogue, run, no_fingerprints):
    catalogue.rows["chelsea"] |= {"rights": "licensed", "rightsholder": "Éva"}
    (catalogue.folder / "stills").mkdir()
    for name in ("coffee.png", "lamp.fountain"):
        (catalogue.folder / name).rename(catalogue.folder / "stills" / name)
        catalogue.rows[name.partition(".")[0]]["path"] = f"stills/{name}"
    digests = {file.path.rpartition("/")[2]: file.file_id for file in catalogue.opened().files}
    moved = run("index", "sync", catalogue.index, catalogue.write(), "--remove-missing")
    assert moved.status == 0
    assert "coffee.png of coffee: now stills/coffee.png" in moved.stdout
    assert "Moved 2 files; new details for chelsea." in moved.stdout
    index = catalogue.opened()
    assert {file.path.rpartition("/")[2]: file.file_id for file in index.files} == digests
    assert ("lamp", "stills/lamp.fountain") in catalogue.files()
    assert ("lamp", "lamp.fountain") not in catalogue.files()
    assert index.verify() == []


def test_a_file_gone_from_a_work_that_stays(catalogue, photos, run):
    catalogue.add("coffee", photos["ihc"], "second.png")
    run("index", "sync", catalogue.index, catalogue.write())
    del catalogue.rows["coffee second.png"]
    kept = run("index", "sync", catalogue.index, catalogue.write())
    assert "1 file gone from works that stay, kept" in kept.stdout
    assert "second.png of coffee" in kept.stdout
    assert ("coffee", "second.png") in catalogue.files()
    run("index", "sync", catalogue.index, catalogue.manifest, "--remove-missing")
    assert ("coffee", "second.png") not in catalogue.files()
    assert ("coffee", "coffee.png") in catalogue.files()


def test_a_work_that_seems_renamed_is_named_with_the_command(catalogue, run):
    catalogue.rows["lamp"]["work_id"] = "PLAY 1"
    checked = run("index", "sync", catalogue.index, catalogue.write(), "--check")
    assert f"clearance index rename {catalogue.index} lamp 'PLAY 1'" in checked.stdout
    run("index", "rename", catalogue.index, "lamp", "PLAY 1")
    after = run("index", "sync", catalogue.index, catalogue.manifest, "--check")
    assert "There is nothing to change." in after.stdout


def test_bad_rows_change_nothing_and_remove_nothing(catalogue, photos, run):
    manifest = changed(catalogue, photos)
    (catalogue.folder / "coffee.png").unlink()
    before = catalogue.files()
    checked = run("index", "sync", catalogue.index, manifest, "--check")
    assert checked.status == 2
    assert "gone is known only when every row can be used." in checked.stdout
    assert "coffee.png" in checked.stdout
    refused = run("index", "sync", catalogue.index, manifest)
    assert (refused.status, "coffee.png" in refused.stderr) == (2, True)
    unsure = run("index", "sync", catalogue.index, manifest, "--skip-bad", "--remove-missing")
    assert (unsure.status, "--remove-missing" in unsure.stderr) == (2, True)
    assert catalogue.files() == before
    skipped = run("index", "sync", catalogue.index, manifest, "--skip-bad", "--json")
    assert skipped.status == 0
    assert skipped.json["gone_works"] is None
    assert {("coffee", "coffee.png"), ("rocket", "rocket.png")} < set(catalogue.files())


def test_a_changed_file_that_cannot_be_used_takes_no_place(catalogue, run):
    Image.new("RGB", (64, 64), "white").save(catalogue.folder / "chelsea.png")
    catalogue.rows["astronaut"]["title"] = "A"
    before = catalogue.files()
    refused = run("index", "sync", catalogue.index, catalogue.write())
    assert (refused.status, "chelsea.png" in refused.stderr) == (2, True)
    removing = ("--remove-missing", "--skip-bad")
    unsure = run("index", "sync", catalogue.index, catalogue.manifest, *removing)
    assert (unsure.status, catalogue.opened().version) == (2, 2)
    skipped = run("index", "sync", catalogue.index, catalogue.manifest, "--skip-bad")
    assert (skipped.status, "left out: " in skipped.stdout) == (0, True)
    assert catalogue.files() == before
    assert catalogue.opened().work("astronaut").title == "A"


def test_an_index_that_changed_since_the_comparison_is_left_alone(catalogue, photos):
    manifest = changed(catalogue, photos)
    index = catalogue.opened()
    checked = check_sync(index, manifest, remove_missing=True)
    catalogue.opened().rename("rocket", "rakete")
    with pytest.raises(ReferenceIndexError, match="changed by another process"):
        sync_works(index, checked)
    assert catalogue.opened().version == 3


def test_a_folder_is_synchronised_too(tmp_path, photos, run):
    folder, index = tmp_path / "stills", tmp_path / "idx"
    folder.mkdir()
    for name in ("astronaut", "coffee", "rocket"):
        photos[name].save(folder / f"{name}.png")
    run("index", "create", index)
    run("index", "sync", index, folder)
    (folder / "rocket.png").unlink()
    photos["ihc"].save(folder / "coffee.png")
    done = run("index", "sync", index, folder, "--remove-missing", "--json").json
    assert (done["works_removed"], done["files_removed"], done["files_added"]) == (1, 1, 1)
    works = run("index", "list", index, "--json").json["works"]
    assert [work["work_id"] for work in works] == ["astronaut.png", "coffee.png"]


@pytest.mark.slow
def test_a_killed_sync_leaves_the_old_version(catalogue, photos):
    manifest = changed(catalogue, photos)
    before = catalogue.files()
    code = (
        "import os, signal, sys\n"
        "from reference_index import versions\n"
        "versions.write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from pipeline.cli import main\n"
        "sys.argv = ['clearance', 'index', 'sync', *sys.argv[1:], '--remove-missing']\n"
        "main()\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, catalogue.index, manifest], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert (catalogue.opened().version, catalogue.files()) == (2, before)
    assert catalogue.opened().verify() == []
    index = catalogue.opened()
    sync_works(index, check_sync(index, manifest, remove_missing=True))
    assert ReferenceIndex.open(catalogue.index).verify() == []


def test_a_manifest_as_an_office_makes_it_is_synchronised_as_it_is_added(
    catalogue, run, no_fingerprints
):
    lines = ["Nummer;Titel;rightsholder;rights;Datei;shelf"]
    for row in catalogue.rows.values():
        cells = [row["work_id"], f"Größe {row['title']}", row["rightsholder"], "PD", row["path"]]
        lines.append(";".join([*cells[:4], f"K:\\Katalog\\{cells[4]}", row["shelf"]]))
    manifest = catalogue.folder / "büro.csv"
    manifest.write_bytes("\r\n".join(lines).encode("cp1252"))
    done = run(
        "index", "sync", catalogue.index, manifest, "--remove-missing", "--encoding", "cp1252",
        "--column", "work_id=Nummer", "--column", "title=Titel", "--column", "path=Datei",
        "--path-prefix", f"K:\\Katalog={catalogue.folder}",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    works = catalogue.opened().works
    assert {(work.title[:6], work.rights) for work in works} == {("Größe ", "public_domain")}
