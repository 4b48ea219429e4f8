"""Nightly scans of drops in object storage."""

import json

import pyarrow.parquet as pq
import pytest

from pipeline.scan import incremental
from pipeline.scan.run import scan
from pipeline.scan.settings import load_settings

pytestmark = pytest.mark.slow

RUN_COLUMNS = ["run_id"]


@pytest.fixture
def settings(tmp_path, index, bucket):
    def create(name, path):
        file = tmp_path / f"{name}.json"
        settle = {"seconds": 0}
        drops = {"a": {"path": path, "settle": settle}}
        file.write_text(json.dumps({"index": str(index), "out": f"out-{name}", "drops": drops}))
        return load_settings(file)

    return create


def table(done):
    return pq.read_table(done.folder / "risk_table.parquet").drop_columns(RUN_COLUMNS)


def test_objects_are_fetched_once_and_the_table_is_that_of_a_folder(
    tmp_path, photos, works, client, bucket, settings, monkeypatch
):
    drop = tmp_path / "drop"
    (drop / "in").mkdir(parents=True)
    photos["chelsea"].save(drop / "in" / "copy.png")
    photos["hubble_deep_field"].save(drop / "stars.jpg")
    (drop / "lamp.txt").write_bytes((works / "lamp.fountain").read_bytes())
    (drop / "empty.png").write_bytes(b"")
    for file in drop.rglob("*"):
        if file.is_file():
            key = f"night/{file.relative_to(drop).as_posix()}"
            client.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
    loads = []
    put_loaded = incremental.IncrementalScreener._put_loaded

    def recording(self, due, loaded, answered):
        loads.append(due.asset.asset_path)
        put_loaded(self, due, loaded, answered)

    monkeypatch.setattr(incremental.IncrementalScreener, "_put_loaded", recording)
    remote = settings("remote", f"s3://{bucket}/night")
    first = scan(remote)
    assert first.summary["read"] == 4
    assert sorted(loads) == ["a/empty.png", "a/in/copy.png", "a/lamp.txt", "a/stars.jpg"]
    assert table(first).equals(table(scan(settings("local", str(drop)))))
    loads.clear()
    again = scan(remote)
    assert (again.summary["read"], loads) == (0, [])
    assert not any(again.summary["changes"].values())

    client.put_object(
        Bucket=bucket, Key="night/stars.jpg", Body=(drop / "in/copy.png").read_bytes()
    )
    client.delete_object(Bucket=bucket, Key="night/lamp.txt")
    changed = scan(remote)
    # The bytes are known under another ending, which has its own content.
    assert changed.summary["read"] == 1
    assert changed.summary["changes"]["newly_flagged"] == 1
    assert changed.summary["changes"]["gone"] == 1
    assert changed.summary["files"] == 3


def test_a_storage_outage_leaves_the_rows_unchanged(photos, client, bucket, settings, tmp_path):
    photos["chelsea"].save(tmp_path / "copy.png")
    data = (tmp_path / "copy.png").read_bytes()
    client.put_object(Bucket=bucket, Key="night/copy.png", Body=data)
    remote = settings("remote", f"s3://{bucket}/night")
    before = scan(remote)
    client.delete_object(Bucket=bucket, Key="night/copy.png")
    after = scan(remote)
    assert after.summary["unreachable"] == {"a": 1}
    assert after.summary["counts"] == before.summary["counts"]
    assert not any(after.summary["changes"].values())
    assert "nothing at" in after.notes[0]
