"""Runs from and to object storage: results are complete, or as they were before."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from faulty_proxy import ALWAYS, Fault
from PIL import Image

from pipeline.core.errors import DropError, RunError
from pipeline.core.layout import MATCHES, PASSAGES, REPORT, RISK_CSV, RISK_TABLE, RUN
from pipeline.drops import object_storage
from pipeline.drops.places import ObjectPlace, place
from pipeline.drops.settings import ObjectStorage
from pipeline.results import object_results
from pipeline.results.files import ResultFiles, read_run
from pipeline.results.object_results import results_folder

pytestmark = pytest.mark.slow

WRITTEN = (RISK_TABLE, RISK_CSV, MATCHES, PASSAGES, REPORT, RUN)


@pytest.fixture(scope="session")
def drop(tmp_path_factory, photos, works):
    folder = tmp_path_factory.mktemp("cloud") / "drop"
    (folder / "sub").mkdir(parents=True)
    shutil.copy(works / "lamp.fountain", folder / "sub" / "copy.txt")
    (folder / "empty.png").write_bytes(b"")
    Image.new("RGB", (200, 100), "white").save(folder / "white.png")
    photos["chelsea"].resize((300, 200)).save(folder / "cat.jpg")
    return folder


@pytest.fixture(scope="session")
def here(run, drop, index):
    """The results of screening the drop in place."""
    out = drop.parent / "here"
    assert run("screen", drop, "--index", index, "--out", out).status == 3
    return out


@pytest.fixture(scope="session")
def other(run, drop, index):
    """The results of another run."""
    out = drop.parent / "other"
    assert run("screen", drop / "sub", "--index", index, "--out", out).status in (0, 3)
    return out


def put_run(results, out):
    """Puts a run's files to `out` in the way of screening."""
    with results_folder(place(out), ObjectStorage()) as folder, ResultFiles(folder) as files:
        for name in sorted(WRITTEN, reverse=True):  # run.json among the first
            with files.new(name) as file:
                file.write((results / name).read_bytes())


@pytest.fixture
def remote_drop(client, bucket, drop):
    for file in drop.rglob("*"):
        if file.is_file():
            key = f"in/{file.relative_to(drop).as_posix()}"
            client.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
    return f"s3://{bucket}/in"


def stored(client, bucket, prefix="out/"):
    """The objects below a prefix by name; nothing is left of an upload."""
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)
    page = client.list_objects_v2(Bucket=bucket, Prefix=prefix)
    return {
        stored["Key"].removeprefix(prefix): client.get_object(Bucket=bucket, Key=stored["Key"])[
            "Body"
        ].read()
        for stored in page.get("Contents", ())
    }


def test_a_remote_drop_gives_the_rows_of_the_local_one(
    client, bucket, index, here, remote_drop, tmp_path, temporary, run
):
    out = f"s3://{bucket}/out"
    done = run("screen", remote_drop, "--index", index, "--out", out)
    assert done.status == 3, done.stderr
    assert f"Report: {out}/report.html" in done.stdout
    files = stored(client, bucket)
    assert sorted(files) == sorted(WRITTEN)
    for name in ("risk_table.parquet", "matches.parquet", "passages.parquet"):
        local = pq.read_table(here / name)
        remote = pq.read_table(pa.BufferReader(files[name]))
        keep = [column for column in local.column_names if column != "run_id"]
        assert local.num_rows
        assert local.select(keep).equals(remote.select(keep))
    manifest = json.loads(files[RUN])
    assert (manifest["drop"], manifest["files"]) == (remote_drop, 4)
    assert list(temporary.iterdir()) == []
    # And it is explained from there; for a text of the drop nothing is fetched.
    explanation = run("explain", out, "copy.txt", "--json").json
    assert explanation["matches"][0]["work_id"] == "lamp"
    assert explanation["matches"][0]["passages"][0]["asset_text"] is None
    drawn = run("explain", out, "cat.jpg", "--overlay", tmp_path / "cat.png")
    assert (drawn.status, "lies in object storage" in drawn.stderr) == (2, True)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("s3://drops/none", "s3://drops/none holds no results of a run"),
        ("s3://nobodys/out", "no such bucket"),
    ],
)
def test_a_run_that_is_not_there(bucket, out, says, run):
    result = run("explain", out, "copy.txt")
    assert result.status == 2
    assert says in result.stderr
    assert "clearance-spool" not in result.stderr


def test_tables_of_another_run_are_refused(client, bucket, here):
    out = f"s3://{bucket}/out"
    put_run(here, out)
    assert read_run(place(out)).folder == place(out)
    client.put_object(Bucket=bucket, Key="out/matches.parquet", Body=b"another")
    with pytest.raises(RunError, match=r"s3://drops/out/matches.parquet is not the file that"):
        read_run(place(out))


@pytest.mark.parametrize(
    ("request_line", "how"),
    [
        (r"PUT /drops/out/report\.html\?", "503 SlowDown"),
        (r"PUT /drops/out/passages", "drop"),
        (r"POST /drops/out/risk_table\.csv\?uploads", "403 AccessDenied"),
    ],
)
def test_a_failed_upload_leaves_the_earlier_results(
    client, bucket, here, other, proxy, request_line, how, temporary
):
    out = f"s3://{bucket}/out"
    put_run(here, out)
    before = stored(client, bucket)
    proxy.faults.append(Fault(request_line, how, ALWAYS))
    with pytest.raises(DropError, match="could not be uploaded to s3://drops/out") as caught:
        put_run(other, out)
    assert "\n" not in str(caught.value)
    assert stored(client, bucket) == before
    # What was kept is a whole run.
    (kept,) = temporary.iterdir()
    assert str(kept) in str(caught.value)
    assert kept.stat().st_mode & 0o777 == 0o700
    assert read_run(kept).run == read_run(other).run


def test_run_json_appears_last_and_nothing_before_all_is_sent(bucket, here, proxy):
    put_run(here, f"s3://{bucket}/out")
    lines = [line for line in proxy.requests if "/out/" in line]
    completed = [
        n for n, line in enumerate(lines) if line.startswith("POST") and "uploadId" in line
    ]
    sent = [n for n, line in enumerate(lines) if line.startswith("PUT")]
    assert len(completed) == len(WRITTEN)
    assert max(sent) < min(completed)
    assert "/out/run.json" in lines[completed[-1]]


def test_a_reader_sees_a_failure_while_uploads_are_completed(bucket, here, other, proxy):
    out = f"s3://{bucket}/out"
    put_run(here, out)
    proxy.faults.append(Fault(r"POST /drops/out/run\.json\?uploadId", "403 AccessDenied", ALWAYS))
    with pytest.raises(DropError, match="could not be uploaded"):
        put_run(other, out)
    with pytest.raises(RunError, match="is not the file that the run"):
        read_run(place(out))


@pytest.mark.parametrize("how", ["503 SlowDown", "drop", "lost"])
def test_an_upload_is_retried(client, bucket, here, proxy, how):
    """Also where it was completed and the response was lost."""
    proxy.faults.append(Fault(r"POST /drops/out/risk_table\.csv\?uploadId", how, 2))
    proxy.faults.append(Fault(r"PUT /drops/out/report\.html", how, 2))
    put_run(here, f"s3://{bucket}/out")
    assert [fault.times for fault in proxy.faults] == [0, 0]
    assert stored(client, bucket) == {name: (here / name).read_bytes() for name in WRITTEN}


@pytest.mark.parametrize("lost_response", [True, False])
def test_an_upload_that_is_gone_counts_only_if_the_object_is_this_one(
    client, bucket, here, proxy, lost_response
):
    """As of a server that forgets an upload once it is complete."""
    target = r"POST /drops/out/run\.json\?uploadId"
    proxy.faults.append(Fault(target, "lost" if lost_response else "503 SlowDown"))
    proxy.faults.append(Fault(target, "404 NoSuchUpload", ALWAYS))
    if lost_response:
        put_run(here, f"s3://{bucket}/out")
        assert stored(client, bucket)[RUN] == (here / RUN).read_bytes()
        return
    client.put_object(Bucket=bucket, Key="out/run.json", Body=b"{}")
    with pytest.raises(DropError, match="NoSuchUpload"):
        put_run(here, f"s3://{bucket}/out")


def test_a_file_of_several_parts(client, bucket, tmp_path, monkeypatch, proxy):
    monkeypatch.setattr(object_storage, "PART", 5 * 2**20)
    file = tmp_path / "report.html"
    file.write_bytes(b"0123456789" * 2**20)
    with object_storage.Storage(ObjectStorage()) as storage:
        object_results._put(storage, ObjectPlace(bucket, "out"), [file])
    assert stored(client, bucket)["report.html"] == file.read_bytes()


@pytest.mark.parametrize(
    ("how", "says"),
    [("403 AccessDenied", "access is denied"), ("404 NoSuchBucket", "no such bucket")],
)
def test_an_unusable_output_is_an_error_before_the_work(
    bucket, index, drop, proxy, how, says, temporary, run
):
    proxy.faults.append(Fault(r"POST /drops/out", how, ALWAYS))
    result = run("screen", drop, "--index", index, "--out", f"s3://{bucket}/out", "--json")
    assert result.status == 2
    assert says in result.json["error"]
    assert "can't be uploaded to s3://drops/out" in result.json["error"]
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("drop_at", "index_at", "out", "says"),
    [
        ("s3://drops/in", None, "s3://drops/in/out", "is inside the drop"),
        ("s3://drops", None, "s3://drops/out", "is inside the drop"),
        ("s3://drops/out/run.json", None, "s3://drops/out", "would be overwritten"),
        ("s3://drops/in", "s3://drops/idx", "s3://drops/out", "reads as a URL"),
        ("gs://drops/in", None, "out", "gs:// are not supported"),
        ("s3://drops/in", None, "file:///out", "without file://"),
        ("s3://drops/missing", None, "OUT", "nothing at s3://drops/missing"),
    ],
)
def test_places_that_are_refused(bucket, index, tmp_path, drop_at, index_at, out, says, run):
    out = tmp_path / "OUT" if out == "OUT" else out
    result = run("screen", drop_at, "--index", index_at or index, "--out", out)
    assert result.status == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
