"""Drops in object storage: each object is one asset, for any key and any error."""

import hashlib
import os
import stat
from pathlib import Path

import pytest
import requests
from faulty_proxy import ALWAYS, Fault

from pipeline.core.errors import DropError, Reason
from pipeline.core.records import Kind
from pipeline.core.wording.text import visible
from pipeline.drops import object_drop, object_storage
from pipeline.drops.discover import discover
from pipeline.drops.drop import open_drop
from pipeline.drops.places import ObjectPlace, place
from pipeline.drops.spool import SPOOL, file_name, spool
from pipeline.screening.config import Config

pytestmark = pytest.mark.slow


def put(client, bucket, objects):
    for key, data in objects.items():
        client.put_object(Bucket=bucket, Key=key, Body=data)


def settings(**values):
    limits = {"max_file_bytes": values.pop("max_file_bytes", 2**20)}
    return Config.model_validate(
        {"limits": limits, "object_storage": {"timeout_seconds": 1, **values}}
    )


def open_with(where, config):
    return open_drop(where, config.limits.max_file_bytes, config.object_storage)


def copied(assets):
    """Each asset with the bytes that its file has while it is judged."""
    for asset in assets:
        yield asset, asset.file.read_bytes() if asset.fault is None else None


def screened(where, config=None):
    """The drop's assets by path; every listed entry has one."""
    with open_with(place(where), config or settings()) as drop:
        entries = list(drop.list_entries())
        rows = list(drop.rows(entries, copied))
    assert [asset.asset_path for asset, _ in rows] == [entry.asset_path for entry in entries]
    assets = {asset.asset_path: asset for asset, _ in rows}
    assert len(assets) == len(rows)
    for asset, data in rows:
        if asset.fault is None:
            assert asset.asset_id == hashlib.sha256(data).hexdigest()
        else:
            assert visible(asset.fault.detail) == asset.fault.detail
        asset.asset_path.encode("utf-8")
    return assets


def tries(how, attempts):
    """aiohttp sends a request once more itself if a kept connection was closed under it."""
    return range(attempts, 2 * attempts + 1) if how == "drop" else [attempts]


def listing(where):
    with open_with(place(where), settings()) as drop:
        return {entry.asset_path: entry for entry in drop.list_entries()}


# What is an asset


def test_the_objects_below_a_prefix(client, bucket, tmp_path):
    objects = {"a/one.txt": b"words", "a/b/two.png": b"no picture", "a/b.txt": b"", "ab.txt": b"x"}
    put(client, bucket, objects)
    assets = screened(f"s3://{bucket}/a")
    assert list(assets) == ["b.txt", "b/two.png", "one.txt"]
    # As the same files on this machine.
    for key, data in objects.items():
        file = tmp_path / "drop" / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    for asset in discover(tmp_path / "drop" / "a"):
        same = assets[asset.asset_path]
        assert (same.asset_id, same.kind, same.size, same.fault) == (
            asset.asset_id, asset.kind, asset.size, asset.fault,
        )  # fmt: skip
    assert list(screened(f"s3://{bucket}/a/")) == list(assets)
    assert list(screened(f"s3://{bucket}")) == sorted(objects)


KEYS = [
    "name.txt", "Name.txt", "NAME.TXT", "a//b.txt", "//", "./a", "a/./b", "..", "../x.txt",
    "/../../e", "a/../../../../../../../../etc/passwd", "tab\t.txt", "bell\x07.txt", " ",
    "%2e%2e/x", "a%20b", "a b", "a+b", "?versionId=1", "a#b", "a&b=c", "语 🎬.txt", "e\u0301", "é",
    "\u202etxt.exe", "\\xe9", "a\\b", "x" * 1000, "x." + "y" * 900, "a." + "z" * 40,
    "d/" * 400 + "end.txt", "data/",
]  # fmt: skip


def test_any_key_is_a_row_and_none_leaves_the_spool(client, bucket, temporary):
    put(client, bucket, {f"p/{key}": f"{n}".encode() for n, key in enumerate(KEYS)})
    put(client, bucket, {"p/": b"", "p/marker/": b"", "p/a/marker/": b""})
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="p/")
    stored = sum(page["KeyCount"] for page in pages)
    before = {path for path in temporary.parent.rglob("*") if temporary not in path.parents}
    assets = screened(f"s3://{bucket}/p")
    assert len(assets) == len(KEYS) == stored - 3
    assert {a.asset_id for a in assets.values() if a.fault is None} <= {
        hashlib.sha256(f"{n}".encode()).hexdigest() for n in range(len(KEYS))
    }
    for key in set(KEYS) - {"\\xe9"}:
        assert assets[key].asset_path == key
    assert "\\x5cxe9" in assets  # as a file's name of that form
    # No server or client in between took one object for another or lost it.
    unread = {path for path, asset in assets.items() if asset.asset_id is None}
    assert unread == set()
    assert list(temporary.iterdir()) == []
    assert before == {path for path in temporary.parent.rglob("*") if temporary not in path.parents}


def test_a_key_with_a_newline_is_a_row(client, bucket, server):
    """The test server lists it and can't find it, so that here it is a row with a fault."""
    form = {"key": "p/new\nline.txt"}
    sent = requests.post(f"{server}/{bucket}", data=form, files={"file": b"words"}, timeout=20)
    sent.raise_for_status()
    assets = screened(f"s3://{bucket}/p")
    assert list(assets) == ["new\nline.txt"]


@pytest.mark.parametrize(
    "key", [*KEYS, "a.\n", "a.\0", "a.b/c", "a.png\n", "..\x00/..", "a.pn g", "a.é"]
)
def test_names_in_the_spool(key):
    name = file_name(7, key)
    assert name.startswith("00000007")
    assert Path(name).name == name
    assert name.isprintable()
    assert len(os.fsencode(name)) < 64
    assert file_name(7, "a/b.PNG").endswith(".PNG")


def test_more_objects_than_a_page_holds(client, bucket, proxy):
    put(client, bucket, {f"many/{n:04d}.txt": b"" for n in range(45)})
    proxy.requests.clear()
    entries = listing(f"s3://{bucket}/many/")
    assert len(entries) == 45
    assert proxy.count(r"GET /drops\?") == 3
    # A listing is never cached.
    with open_with(place(f"s3://{bucket}/many/"), settings()) as drop:
        assert len(list(drop.list_entries())) == 45
        put(client, bucket, {"many/new.txt": b""})
        assert len(list(drop.list_entries())) == 46


def test_one_object_is_a_drop(client, bucket):
    put(client, bucket, {"a/one.txt": b"words", "a/one.txt.bak": b"x", "a/two.txt": b"y"})
    (asset,) = screened(f"s3://{bucket}/a/one.txt").values()
    assert (asset.asset_path, asset.kind, asset.size) == ("one.txt", Kind.SCRIPT, 5)


def test_an_object_uploaded_in_parts_is_identified_by_its_bytes(client, bucket):
    data = os.urandom(2**20) * 6
    upload = client.create_multipart_upload(Bucket=bucket, Key="big.txt")["UploadId"]
    parts = []
    for number, part in enumerate((data[: 5 * 2**20], data[5 * 2**20 :]), 1):
        sent = client.upload_part(
            Bucket=bucket, Key="big.txt", UploadId=upload, PartNumber=number, Body=part
        )
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
    client.complete_multipart_upload(
        Bucket=bucket, Key="big.txt", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert "-2" in client.head_object(Bucket=bucket, Key="big.txt")["ETag"]
    (asset,) = screened(f"s3://{bucket}", settings(max_file_bytes=2**24)).values()
    assert asset.asset_id == hashlib.sha256(data).hexdigest()


def test_a_stamp_stays_while_an_object_does(client, bucket):
    put(client, bucket, {"a.txt": b"12345", "b.txt": b"12345"})
    before = listing(f"s3://{bucket}")
    assert before == listing(f"s3://{bucket}")
    put(client, bucket, {"a.txt": b"54321"})
    after = listing(f"s3://{bucket}")
    assert after["a.txt"].stamp != before["a.txt"].stamp
    assert after["b.txt"] == before["b.txt"]


# Drops that can't be used


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("s3://no-such-bucket/a", "no such bucket"),
        ("s3://drops/nothing", "There is nothing at s3://drops/nothing"),
        ("s3://drops/twice", "end it with /"),
    ],
)
def test_a_drop_that_is_not_there(client, bucket, where, says, temporary):
    put(client, bucket, {"twice": b"", "twice/a": b"", "nothing-here": b""})
    with pytest.raises(DropError, match=says) as caught:
        listing(where)
    assert "\n" not in str(caught.value)
    assert list(temporary.iterdir()) == []


def test_an_empty_bucket_is_an_empty_drop(client, bucket):
    assert listing(f"s3://{bucket}") == {}
    put(client, bucket, {"p/": b""})
    assert listing(f"s3://{bucket}/p") == {}


@pytest.mark.parametrize(
    ("how", "says", "requests"),
    [
        ("403 AccessDenied", "access is denied", 1),
        ("403 InvalidAccessKeyId", "credentials are refused", 1),
        ("400 ExpiredToken", "credentials are refused", 1),
        ("400 AuthorizationHeaderMalformed", "another region", None),
        ("503 SlowDown", r"in 3 attempts \(SlowDown", 3),
        ("500 InternalError", "in 3 attempts", 3),
        ("drop", "in 3 attempts", 3),
        ("418 Teapot", "Teapot: injected", 1),
    ],
)
def test_a_listing_that_fails(bucket, proxy, how, says, requests):
    proxy.faults.append(Fault(".* /drops", how, ALWAYS))
    with (
        pytest.raises(DropError, match=says) as caught,
        open_with(place(f"s3://{bucket}"), settings(attempts=3)) as drop,
    ):
        drop.list_entries()
    assert "\n" not in str(caught.value)
    if requests:
        assert proxy.count("GET /drops") in tries(how, requests)


def test_a_service_that_is_down(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(DropError, match=r"can't be reached in 6 attempts"):
        listing(f"s3://{bucket}")


def test_no_credentials(bucket, monkeypatch, proxy):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(DropError, match="no credentials were found"):
        listing(f"s3://{bucket}")
    assert proxy.requests == []


def test_a_profile_that_is_not_there(bucket, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(DropError, match="no credentials were found"):
        listing(f"s3://{bucket}")


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    with pytest.raises(DropError, match=r"pip install '\.\[cloud\]'"):
        listing("s3://drops")


# Objects that can't be read


@pytest.mark.parametrize(
    "how", ["503 SlowDown", "500 InternalError", "429 TooManyRequests", "drop", "cut", "stall"]
)
def test_transient_errors_are_retried(client, bucket, proxy, how):
    put(client, bucket, {"a.txt": b"words" * 1000, "b.txt": b"more"})
    times = 1 if how == "stall" else 3
    proxy.faults.append(Fault(r"GET /drops/a\.txt", how, times))
    assets = screened(f"s3://{bucket}", settings(timeout_seconds=1))
    assert assets["a.txt"].asset_id == hashlib.sha256(b"words" * 1000).hexdigest()
    assert assets["a.txt"].fault is None
    assert proxy.count(r"GET /drops/a\.txt") in tries(how, times + 1)
    assert proxy.count(r"GET /drops/b\.txt") == 1


@pytest.mark.parametrize("how", ["503 SlowDown", "drop", "cut"])
def test_an_error_that_persists_is_a_row(client, bucket, proxy, how, temporary):
    put(client, bucket, {"a.txt": b"words" * 1000, "b.txt": b"more"})
    proxy.faults.append(Fault(r"GET /drops/a\.txt", how, ALWAYS))
    assets = screened(f"s3://{bucket}", settings(attempts=4))
    a = assets["a.txt"]
    assert (a.kind, a.asset_id, a.size, a.fault.reason) == (
        Kind.SCRIPT,
        None,
        5000,
        Reason.UNREADABLE,
    )
    assert "in 4 attempts" in a.fault.detail
    assert assets["b.txt"].fault is None
    assert proxy.count(r"GET /drops/a\.txt") in tries(how, 4)
    assert list(temporary.iterdir()) == []


def test_pauses_grow_are_random_and_bounded(client, bucket, proxy, monkeypatch):
    bounds = []
    monkeypatch.setattr(object_storage, "BACKOFF_SECONDS", 0.5)
    monkeypatch.setattr(
        object_storage.random, "uniform", lambda low, high: bounds.append((low, high)) or 0
    )
    put(client, bucket, {"a.txt": b"words"})
    proxy.faults.append(Fault(r"GET /drops/a\.txt", "503 SlowDown", ALWAYS))
    screened(f"s3://{bucket}", settings(attempts=9))
    assert bounds == [(0, n) for n in (0.5, 1, 2, 4, 8, 16, 20, 20)]


def test_an_outage_does_not_cost_every_object_all_attempts(client, bucket, proxy, monkeypatch):
    monkeypatch.setattr(object_storage, "CIRCUIT_BREAKER_FAILURES", 2)
    monkeypatch.setattr(object_drop, "MAX_FETCHES", 1)
    put(client, bucket, {f"{n}.txt": b"words" for n in range(6)})
    proxy.faults.append(Fault(r"GET /drops/[0-3]\.txt", "503 SlowDown", ALWAYS))
    proxy.faults.append(Fault(r"GET /drops/5\.txt", "503 SlowDown", 2))
    assets = screened(f"s3://{bucket}", settings(attempts=3))
    assert [proxy.count(rf"GET /drops/{n}\.txt") for n in range(6)] == [3, 3, 1, 1, 1, 3]
    assert [asset.fault is None for asset in assets.values()] == [False] * 4 + [True] * 2


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("403 AccessDenied", "access is denied"),
        ("403 InvalidObjectState", "archived"),
        ("404 NoSuchKey", "moved or deleted"),
        ("412 PreconditionFailed", "changed while"),
        ("short", "changed while"),
    ],
)
def test_permanent_errors_are_not_retried(client, bucket, proxy, how, says):
    put(client, bucket, {"a.png": b"words", "b.txt": b"more"})
    proxy.faults.append(Fault(r"GET /drops/a\.png", how, ALWAYS))
    assets = screened(f"s3://{bucket}")
    assert (assets["a.png"].kind, assets["a.png"].fault.reason) == (Kind.IMAGE, Reason.UNREADABLE)
    assert says in assets["a.png"].fault.detail
    assert proxy.count(r"GET /drops/a\.png") == 1
    assert assets["b.txt"].fault is None


def test_an_archived_object_of_the_server(client, bucket):
    client.put_object(Bucket=bucket, Key="a.txt", Body=b"words", StorageClass="GLACIER")
    assert "must be restored" in screened(f"s3://{bucket}")["a.txt"].fault.detail


@pytest.mark.parametrize("data", [b"other", b"longer than before", b""])
def test_an_object_that_changes_after_the_listing(client, bucket, proxy, data):
    put(client, bucket, {"a.txt": b"words"})
    proxy.before[r"GET /drops/a\.txt"] = lambda: put(client, bucket, {"a.txt": data})
    fault = screened(f"s3://{bucket}")["a.txt"].fault
    assert (fault.reason, "changed" in fault.detail) == (Reason.UNREADABLE, True)


def test_an_object_that_vanishes_after_the_listing(client, bucket, proxy):
    put(client, bucket, {"a.txt": b"words"})
    gone = {"Bucket": bucket, "Key": "a.txt"}
    proxy.before[r"GET /drops/a\.txt"] = lambda: client.delete_object(**gone)
    assert "deleted" in screened(f"s3://{bucket}")["a.txt"].fault.detail


def test_an_object_over_the_limit_is_not_fetched(client, bucket, proxy):
    put(client, bucket, {"a.txt": b"x" * 11, "b.txt": b"x" * 10})
    assets = screened(f"s3://{bucket}", settings(max_file_bytes=10))
    assert assets["a.txt"].fault.reason is Reason.TOO_LARGE
    assert (assets["a.txt"].size, assets["a.txt"].asset_id) == (11, None)
    assert assets["b.txt"].fault is None
    assert proxy.count(r"GET /drops/a\.txt") == 0


# The spool


def test_the_spool_is_private_and_bounded(client, bucket, temporary, monkeypatch):
    put(client, bucket, {f"{n}.txt": bytes([65 + n]) * 100 for n in range(12)})
    put(client, bucket, {"large.txt": b"L" * 1000})
    most = []

    def held_back(assets):
        """As screening does: several assets are asked for before the first row is given."""
        waiting = []
        for asset in assets:
            (folder,) = temporary.glob(f"{SPOOL}*")
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert asset.file.parent == folder
            files = [file.stat().st_size for file in folder.iterdir()]
            most.append((len(files), sum(files)))
            waiting.append(asset)
            if len(waiting) == 5:
                yield waiting.pop(0)
        yield from waiting

    with open_with(ObjectPlace(bucket), settings(spool_bytes=350)) as drop:
        entries = list(drop.list_entries())
        rows = list(drop.rows(entries, held_back))
        assert [row.asset_path for row in rows] == [entry.asset_path for entry in entries]
        assert len(rows) == 13
        (folder,) = temporary.glob(f"{SPOOL}*")
        assert list(folder.iterdir()) == []
    assert max(files for files, _ in most) == 3
    assert all(size <= 350 or files == 1 for files, size in most)
    assert list(temporary.iterdir()) == []


def test_a_run_that_fails_leaves_no_spool(client, bucket, temporary):
    put(client, bucket, {f"{n}.txt": b"words" for n in range(20)})

    def broken(assets):
        yield next(assets)
        raise RuntimeError

    with pytest.raises(RuntimeError), open_with(ObjectPlace(bucket), settings()) as drop:
        list(drop.rows(list(drop.list_entries()), broken))
    assert list(temporary.iterdir()) == []


def test_the_spool_of_a_killed_run_is_deleted_and_of_a_running_one_is_not(temporary):
    left = temporary / f"{SPOOL}killed"
    left.mkdir()
    (left / "a.txt").write_bytes(b"words")
    other = temporary / "clearance-results-kept"
    other.mkdir()
    (temporary / f"{SPOOL}link").symlink_to(other)
    with spool() as one:
        assert not left.exists()
        with spool() as two:
            assert one.is_dir()
            assert two.is_dir()
            assert one != two
        assert one.is_dir()
        assert not two.exists()
    assert other.is_dir()


def test_a_temporary_folder_that_can_not_be_written_to(bucket, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(DropError, match="set TMPDIR"):
        listing(f"s3://{bucket}")
