"""Discovery: every entry of a drop is one asset, and hostile entries do no harm."""

import contextlib
import hashlib
import inspect
import os
import socket
import stat
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.core.errors import DropError, Reason
from pipeline.core.records import Kind
from pipeline.core.wording.text import visible
from pipeline.drops import discover as discovery
from pipeline.drops.discover import Entry, asset_of, discover, identify, list_drop, text_of_path


@pytest.fixture
def drop(tmp_path):
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


def write(folder, path, data=b"words"):
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def by_path(drop):
    """The drop's assets by path; every path occurs once and is valid Unicode."""
    assets = list(discover(drop))
    assets_by_path = {asset.asset_path: asset for asset in assets}
    assert len(assets_by_path) == len(assets)
    for asset in assets:
        asset.asset_path.encode("utf-8")
        if asset.fault:
            assert visible(asset.fault.detail) == asset.fault.detail
            assert len(asset.fault.detail) > 15
    return assets_by_path


def fault_of(drop, path):
    fault = by_path(drop)[path].fault
    assert fault is not None
    return fault


def test_files_of_a_drop(drop):
    write(drop, "script.txt")
    write(drop, "deep/er/scene.md", b"more words")
    write(drop, ".hidden/.file.txt")
    Image.new("RGB", (3, 2)).save(drop / "deep" / "a.png")
    assets = by_path(drop)
    assert list(assets) == [".hidden/.file.txt", "deep/a.png", "deep/er/scene.md", "script.txt"]
    scene = assets["deep/er/scene.md"]
    assert scene.asset_id == hashlib.sha256(b"more words").hexdigest()
    assert (scene.kind, scene.size, scene.fault) == (Kind.SCRIPT, 10, None)
    assert scene.file == drop / "deep" / "er" / "scene.md"
    assert assets["deep/a.png"].kind is Kind.IMAGE


def test_an_empty_drop(drop):
    assert by_path(drop) == {}
    (drop / "empty" / "folders").mkdir(parents=True)
    assert by_path(drop) == {}


def test_assets_are_sorted_by_complete_path(drop):
    for path in ("a/b.txt", "a.txt", "a-b.txt", "a0.txt", "B.txt", "é.txt", "a/a/z.txt"):
        write(drop, path)
    paths = list(by_path(drop))
    assert paths == sorted(paths)


def test_files_with_equal_content_are_separate_assets(drop):
    write(drop, "one.txt")
    write(drop, "two.txt")
    os.link(drop / "one.txt", drop / "linked.txt")
    assets = by_path(drop)
    assert len(assets) == 3
    assert len({asset.asset_id for asset in assets.values()}) == 1


@pytest.mark.parametrize(
    ("name", "data", "kind", "reason"),
    [
        ("empty.png", b"", Kind.IMAGE, Reason.EMPTY_FILE),
        ("empty.txt", b"", Kind.SCRIPT, Reason.EMPTY_FILE),
        ("empty", b"", Kind.OTHER, Reason.EMPTY_FILE),
        ("text.png", b"words", Kind.IMAGE, Reason.CORRUPT),
        ("film.mp4", b"\0\0\0\x18ftypmp42", Kind.OTHER, Reason.UNSUPPORTED),
    ],
)
def test_files_that_can_not_be_used_keep_their_id(drop, name, data, kind, reason):
    write(drop, name, data)
    asset = by_path(drop)[name]
    assert (asset.kind, asset.fault.reason, asset.size) == (kind, reason, len(data))
    assert asset.asset_id == hashlib.sha256(data).hexdigest()


# Names

NAMES = [
    b"new\nline.txt", b"tab\t.txt", b"escape\x1b[2J.txt", b"bell\x07.txt", b" leading.txt",
    b"trailing .txt ", b"-rf.txt", b"*.txt", b"back\\slash.txt", b"quote\"'.txt", b"=cmd().txt",
    b"latin-\xe9.txt", b"half-\xe8\xaa.txt", b"\xff\xfe.txt", b"\\xe9.txt", b"\\x5cxe9.txt",
    b"\xe9.txt", "語 🎬.txt".encode(), "e\u0301.txt".encode(), "é.txt".encode(),
    "\u202etxt.exe".encode(), b"...", b"a" * 255,
]  # fmt: skip


def test_any_name_that_a_file_can_have(drop):
    for number, name in enumerate(NAMES):
        with open(os.fsencode(drop) + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(b"%d" % number)
    assets = by_path(drop)
    assert len(assets) == len(NAMES)
    ids = {hashlib.sha256(b"%d" % number).hexdigest() for number in range(len(NAMES))}
    assert {asset.asset_id for asset in assets.values()} == ids
    assert "new\nline.txt" in assets
    assert assets["latin-\\xe9.txt"].file.read_bytes() == b"11"


@pytest.mark.parametrize(
    ("raw", "escaped"),
    [
        (b"plain", "plain"),
        ("é".encode(), "é"),
        (b"\xe9", "\\xe9"),
        (b"\\xe9", "\\x5cxe9"),
        (b"\\x5cxe9", "\\x5cx5cxe9"),
        (b"\\\xe9", "\\\\xe9"),
        (b"a\\b", "a\\b"),
        (b"\\xE9", "\\xE9"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
    ],
)
def test_paths_as_text(raw, escaped):
    assert text_of_path(os.fsdecode(raw)) == escaped


near_escapes = st.lists(
    st.sampled_from([b"\\", b"x", b"e9", b"5c", b"\xe9", b"\xc3", b"\xa9", b"\xff", b"a"])
).map(b"".join)


@given(st.lists(near_escapes, min_size=2, max_size=2, unique=True))
def test_different_names_never_become_one(pair):
    one, other = (text_of_path(os.fsdecode(raw)) for raw in pair)
    one.encode("utf-8")
    assert one != other


unicode_name = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
file_name = st.one_of(st.binary(min_size=1, max_size=12), unicode_name.map(str.encode)).filter(
    lambda name: name not in (b".", b"..") and not set(name) & {0, ord("/")}
)


@given(st.lists(st.lists(file_name, min_size=1, max_size=3), max_size=8))
@settings(max_examples=50)
def test_discovered_assets_are_the_files_created(paths):
    with tempfile.TemporaryDirectory() as base:
        files = 0
        for number, parts in enumerate(paths):
            raw = os.fsencode(base) + b"/" + b"/".join(parts)
            # A name may be taken by a folder, or a folder's by a file.
            with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
                os.makedirs(os.path.dirname(raw), exist_ok=True)  # noqa: PTH103, PTH120
                with open(raw, "xb") as file:  # noqa: PTH123
                    file.write(b"%d" % number)
                files += 1
        assets = by_path(Path(base))
        assert len(assets) == files
        assert list(assets) == sorted(assets)
        assert len({asset.asset_id for asset in assets.values()}) == files


# Links


def test_a_link_to_a_file_inside_the_drop_is_followed(drop):
    file = write(drop, "sub/file.txt")
    (drop / "link.txt").symlink_to(file)
    (drop / "sub" / "relative.txt").symlink_to("../link.txt")
    assets = by_path(drop)
    assert [asset.fault for asset in assets.values()] == [None] * 3
    assert len({asset.asset_id for asset in assets.values()}) == 1


@pytest.mark.parametrize("target", ["outside.txt", "drop-2/inside.txt"])
def test_a_link_out_of_the_drop_is_not_followed(drop, target):
    """Nor one to a folder whose name merely begins as the drop's."""
    write(drop.parent, target, b"secret")
    (drop / "link.txt").symlink_to(drop.parent / target)
    asset = by_path(drop)["link.txt"]
    assert (asset.kind, asset.asset_id, asset.size) == (Kind.OTHER, None, None)
    assert asset.fault.reason is Reason.NOT_A_FILE
    assert "leads out of the drop" in asset.fault.detail


def test_a_link_out_by_way_of_a_link_inside(drop):
    write(drop.parent, "outside.txt")
    (drop / "one.txt").symlink_to("../outside.txt")
    (drop / "two.txt").symlink_to("one.txt")
    for asset in by_path(drop).values():
        assert "leads out of the drop" in asset.fault.detail


def test_links_to_folders_are_not_followed(drop):
    write(drop, "sub/file.txt")
    (drop / "again").symlink_to(drop / "sub")
    (drop / "sub" / "loop").symlink_to(drop)
    (drop / "out").symlink_to(drop.parent)
    assets = by_path(drop)
    assert list(assets) == ["again", "out", "sub/file.txt", "sub/loop"]
    for path in ("again", "out", "sub/loop"):
        assert assets[path].fault.reason is Reason.NOT_A_FILE
        assert "link to a folder" in assets[path].fault.detail


def test_links_that_lead_nowhere(drop):
    (drop / "dangling.txt").symlink_to("nowhere.txt")
    (drop / "self.txt").symlink_to("self.txt")
    (drop / "one.txt").symlink_to("two.txt")
    (drop / "two.txt").symlink_to("one.txt")
    (drop / "through.txt").symlink_to("dangling.txt/more")
    assets = by_path(drop)
    assert len(assets) == 5
    for asset in assets.values():
        assert asset.fault.reason is Reason.NOT_A_FILE
        assert "leads nowhere" in asset.fault.detail


def test_a_link_to_a_device(drop):
    (drop / "endless.txt").symlink_to("/dev/zero")
    assert fault_of(drop, "endless.txt").reason is Reason.NOT_A_FILE


def test_a_drop_that_is_a_link_itself(drop):
    file = write(drop, "file.txt")
    (drop / "inside.txt").symlink_to(file)
    link = drop.parent / "link"
    link.symlink_to(drop)
    assert [asset.fault for asset in by_path(link).values()] == [None, None]


# What is no file


def test_pipes_sockets_and_devices_are_never_opened(drop, monkeypatch):
    """Opening a pipe would wait for a writer for ever."""
    os.mkfifo(drop / "pipe.txt")
    (drop / "to_pipe.txt").symlink_to("pipe.txt")
    monkeypatch.chdir(drop)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.png")
        assets = by_path(drop)
    assert len(assets) == 3
    for path, what in (("pipe.txt", "pipe"), ("to_pipe.txt", "pipe"), ("socket.png", "socket")):
        asset = assets[path]
        assert (asset.kind, asset.asset_id, asset.size) == (Kind.OTHER, None, None)
        assert asset.fault.reason is Reason.NOT_A_FILE
        assert what in asset.fault.detail


# What can't be read. Simulated: the account that runs the tests may read everything.


def denied_for(real, name, error=None):
    def call(path, *args, **kwargs):
        if os.path.basename(os.fspath(path)) == name:  # noqa: PTH119
            raise error or PermissionError(13, "Permission denied", os.fspath(path))
        return real(path, *args, **kwargs)

    return call


def test_a_folder_that_can_not_be_listed_is_one_asset(drop, monkeypatch):
    write(drop, "closed/hidden.txt")
    write(drop, "open/file.txt")
    monkeypatch.setattr(discovery.os, "scandir", denied_for(os.scandir, "closed"))
    assets = by_path(drop)
    assert set(assets) == {"closed", "open/file.txt"}
    closed = assets["closed"]
    assert (closed.kind, closed.asset_id) == (Kind.OTHER, None)
    assert closed.fault.reason is Reason.UNREADABLE
    assert "the folder and what is in it" in closed.fault.detail
    assert "permission denied" in closed.fault.detail


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied"), "permission denied"),
        (OSError(5, "Input/output error"), "input/output error"),
        (FileNotFoundError(2, "No such file or directory"), "not there"),
    ],
)
def test_a_file_that_can_not_be_opened(drop, monkeypatch, error, message):
    write(drop, "closed.png", b"12345")
    write(drop, "open.txt")
    monkeypatch.setattr("pipeline.load.opening.os.open", denied_for(os.open, "closed.png", error))
    assets = by_path(drop)
    closed = assets["closed.png"]
    assert (closed.kind, closed.asset_id, closed.size) == (Kind.IMAGE, None, 5)
    assert closed.fault.reason is Reason.UNREADABLE
    assert message in closed.fault.detail
    assert assets["open.txt"].fault is None


def test_a_file_that_vanishes_while_the_drop_is_walked(drop):
    write(drop, "a.txt")
    write(drop, "b.txt")
    walk = discover(drop)
    assert next(walk).fault is None
    (drop / "b.txt").unlink()
    (gone,) = walk
    assert (gone.asset_path, gone.kind, gone.size) == ("b.txt", Kind.SCRIPT, None)
    assert gone.fault.reason is Reason.UNREADABLE


def test_a_folder_that_vanishes_while_the_drop_is_walked(drop):
    write(drop, "a.txt")
    (drop / "b").mkdir()
    walk = discover(drop)
    next(walk)
    (drop / "b").rmdir()
    (gone,) = walk
    assert (gone.asset_path, gone.fault.reason) == ("b", Reason.UNREADABLE)


def test_a_disk_that_fails_in_the_middle_of_a_file(drop, monkeypatch):
    write(drop, "a.txt")

    class Failing:
        def update(self, _):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("pipeline.load.opening.hashlib.sha256", Failing)
    assert fault_of(drop, "a.txt").reason is Reason.UNREADABLE


@contextlib.contextmanager
def nested(top, name, depth):
    """Folders of one name inside each other, with a file in the innermost.

    They are removed again, because few tools can delete a path that is longer than the limit.
    """

    def step(path):
        nonlocal here
        there = os.open(path, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = there

    here = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=here)
        step(name)
    os.close(os.open("end.txt", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    try:
        yield
    finally:
        os.unlink("end.txt", dir_fd=here)
        for _ in range(depth):
            step("..")
            os.rmdir(name, dir_fd=here)
        os.close(here)


def test_folders_nested_deeper_than_python_recurses(drop):
    limit = sys.getrecursionlimit()
    with nested(drop, "d", 300):
        sys.setrecursionlimit(len(inspect.stack()) + 200)
        try:
            assets = list(discover(drop))
        finally:
            sys.setrecursionlimit(limit)
    assert [asset.asset_path for asset in assets] == ["d/" * 300 + "end.txt"]


def test_folders_nested_deeper_than_a_path_may_be_long(drop):
    """Files that cannot be reached are reported, not silently lost."""
    name = "d" * 250
    with nested(drop, name, 20):
        (asset,) = by_path(drop).values()
    assert asset.asset_path.endswith(f"/{name}")
    assert asset.fault.reason is Reason.UNREADABLE
    assert "too long" in asset.fault.detail


def test_originals_are_not_touched(drop):
    file = write(drop, "a.txt")
    file.chmod(0o444)
    before = file.stat()
    list(discover(drop))
    after = file.stat()
    assert (after.st_mtime_ns, after.st_mode, after.st_size) == (
        before.st_mtime_ns, before.st_mode, before.st_size,
    )  # fmt: skip
    assert stat.S_IMODE(after.st_mode) == 0o444
    assert [entry.name for entry in drop.iterdir()] == ["a.txt"]


# The drop itself


def test_one_file_is_a_drop(drop):
    file = write(drop, "only.txt")
    write(drop, "other.txt")
    ((path, asset),) = by_path(file).items()
    assert path == "only.txt"
    assert asset == asset_of(file, "only.txt")


def test_one_file_of_a_hostile_name_is_a_drop(drop):
    raw = os.fsencode(drop) + b"/latin-\xe9\n.txt"
    with open(raw, "wb") as file:  # noqa: PTH123
        file.write(b"words")
    assert list(by_path(Path(os.fsdecode(raw)))) == ["latin-\\xe9\n.txt"]


def test_drops_that_can_not_be_used(drop):
    """Raised immediately, not when the first asset is requested."""
    os.mkfifo(drop / "pipe")
    (drop / "loop").symlink_to("loop")
    for path, message in (
        (drop / "missing", "no drop"),
        (drop / "pipe", "neither a folder nor a file"),
        (drop / "loop", "can't be read"),
        (Path("/dev/null"), "neither a folder nor a file"),
        (drop / ("x" * 300), "can't be read"),
        (drop / "nul\0", "can't be read"),
    ):
        with pytest.raises(DropError, match=message) as caught:
            discover(path)
        assert visible(str(caught.value)) == str(caught.value)
        assert str(caught.value).endswith(("folder or a file.", "assets.", ")."))


def test_a_drop_without_the_right_to_list_it(drop, monkeypatch):
    monkeypatch.setattr(discovery.os, "scandir", denied_for(os.scandir, "drop"))
    with pytest.raises(DropError, match="permission denied"):
        discover(drop)


def test_a_single_file_without_the_right_to_read_it(drop, monkeypatch):
    file = write(drop, "closed.txt")
    monkeypatch.setattr("pipeline.load.opening.os.open", denied_for(os.open, "closed.txt"))
    with pytest.raises(DropError, match="permission denied"):
        discover(file)


# The two steps


def stamps(drop):
    return {entry.asset_path: entry.stamp for entry in list_drop(drop)}


def test_a_listing_reads_nothing_and_names_what_is_discovered(drop, monkeypatch):
    write(drop, "b/a.txt", b"12345")
    write(drop, "b.txt")
    (drop / "link.txt").symlink_to("b.txt")
    (drop / "gone.txt").symlink_to("nowhere")
    os.mkfifo(drop / "pipe")
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.load.opening.os.open", None)
        entries = list(list_drop(drop))
    assert [entry.asset_path for entry in entries] == [asset.asset_path for asset in discover(drop)]
    assert [identify(entry) for entry in entries] == list(discover(drop))
    by_name = {entry.asset_path: entry for entry in entries}
    assert all(isinstance(entry, Entry) for entry in entries)
    assert by_name["b/a.txt"].size == 5
    # Only a regular file has a stamp.
    assert {path for path, entry in by_name.items() if entry.stamp} == {"b/a.txt", "b.txt"}


def test_a_stamp_stays_while_a_file_does(drop):
    write(drop, "a.txt", b"12345")
    before = stamps(drop)
    assert before == stamps(drop)
    list(discover(drop))
    assert before == stamps(drop)
    write(drop, "b.txt")
    assert stamps(drop)["a.txt"] == before["a.txt"]


def rewrite_in_place(file):
    file.write_bytes(b"54321")


def replace(file):
    new = file.with_name("new")
    new.write_bytes(b"54321")
    new.replace(file)


def grow(file):
    file.write_bytes(b"123456")


@pytest.mark.parametrize("change", [rewrite_in_place, replace, grow])
@pytest.mark.parametrize("time_set_back", [True, False])
def test_a_stamp_changes_with_the_file(drop, change, time_set_back):
    file = write(drop, "a.txt", b"12345")
    at = file.stat()
    before = stamps(drop)["a.txt"]
    time.sleep(0.02)  # longer than the grain of a file system's clock
    change(file)
    if time_set_back:
        os.utime(file, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert stamps(drop)["a.txt"] != before


def test_the_stamp_of_a_drop_that_is_one_file(drop):
    file = write(drop, "only.txt")
    (entry,) = list_drop(file)
    assert (entry.asset_path, entry.size) == ("only.txt", 5)
    assert entry.stamp == stamps(drop)["only.txt"]
    (drop / "link.txt").symlink_to("only.txt")
    (linked,) = list_drop(drop / "link.txt")
    assert linked.stamp == entry.stamp


def test_a_folder_that_can_not_be_listed_is_an_entry(drop, monkeypatch):
    (drop / "closed").mkdir()
    monkeypatch.setattr(discovery.os, "scandir", denied_for(os.scandir, "closed"))
    (entry,) = list_drop(drop)
    assert (entry.asset_path, entry.size, entry.stamp) == ("closed", None, None)
    assert identify(entry).fault.reason is Reason.UNREADABLE


def test_a_file_exchanged_for_a_link_after_the_listing_is_not_followed_out(drop):
    file = write(drop, "a.txt")
    secret = write(drop.parent, "secret.txt", b"secret")
    (entry,) = list_drop(drop)
    file.unlink()
    file.symlink_to(secret)
    assert "leads out of the drop" in identify(entry).fault.detail
