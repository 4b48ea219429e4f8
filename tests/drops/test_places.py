"""Places: paths, places in object storage, and what is neither."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.core.errors import DropError
from pipeline.drops.places import ObjectPlace, absolute, is_inside, name_of, place, refuse_url


@pytest.mark.parametrize(
    "text", ["drop", "/a/b", "s3:", "s3:/bucket/key", "a//b", "s3", "C:/drop", "./s3://bucket/a"]
)
def test_what_is_no_url_is_a_path(text):
    assert place(text) == Path(text)
    assert place(Path(text)) == Path(text)


@pytest.mark.parametrize(
    ("text", "bucket", "key", "prefix", "name"),
    [
        ("s3://drops", "drops", "", "", "drops"),
        ("s3://drops/", "drops", "", "", "drops"),
        ("S3://drops/a/b", "drops", "a/b", "a/b/", "b"),
        ("s3://drops/a/b/", "drops", "a/b/", "a/b/", "b"),
        ("s3://drops//a", "drops", "/a", "/a/", "a"),
        ("s3://drops//", "drops", "/", "/", "drops"),
        ("s3://drops/a%20b?c#d", "drops", "a%20b?c#d", "a%20b?c#d/", "a%20b?c#d"),
        ("s3://drops/a\nb", "drops", "a\nb", "a\nb/", "a\nb"),
    ],
)
def test_a_url_is_not_decoded(text, bucket, key, prefix, name):
    parsed = place(text)
    assert parsed == ObjectPlace(bucket, key)
    assert (parsed.prefix, parsed.name, name_of(parsed)) == (prefix, name, name)
    assert place(str(parsed)) in (parsed, ObjectPlace(bucket, key.rstrip("/")))
    assert (parsed / "run.json").key == f"{prefix}run.json"
    assert place(parsed) is parsed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gs://bucket/a", "gs:// are not supported"),
        ("https://host/a", "https:// are not supported"),
        ("memory://a", "memory:// are not supported"),
        ("file:///a/b", "without file://"),
        ("s3://", "name of a bucket"),
        ("s3:///a", "name of a bucket"),
        ("s3://ab", "name of a bucket"),
        ("s3://AKIA:hunter2@bucket/a", "name of a bucket"),
        ("s3://bu cket/a", "name of a bucket"),
    ],
)
def test_what_is_refused(text, says):
    with pytest.raises(DropError, match=says) as caught:
        place(text)
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize(
    ("inner", "outer", "inside"),
    [
        ("s3://b/drop/out", "s3://b/drop", True),
        ("s3://b/drop", "s3://b/drop/", True),
        ("s3://b/drop", "s3://b", True),
        ("s3://b/drop-out", "s3://b/drop", False),
        ("s3://b/drop", "s3://b/drop/out", False),
        ("s3://c/drop/out", "s3://b/drop", False),
        ("drop/out", "drop", True),
        ("drop", "drop", True),
        ("drop-out", "drop", False),
        ("drop/../out", "drop", False),
        ("s3://b/drop", "drop", False),
        ("drop", "s3://b/drop", False),
    ],
)
def test_is_inside(inner, outer, inside):
    # Bucket names have three characters at least.
    inner, outer = (place(text.replace("s3://", "s3://xx")) for text in (inner, outer))
    assert is_inside(inner, outer) is inside


def test_how_a_run_records_a_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute(Path("drop")) == str(tmp_path / "drop")
    assert absolute(ObjectPlace("drops", "a/")) == "s3://drops/a/"


@pytest.mark.parametrize("path", ["s3", "s3:", "./s3:/bucket", "a/s3:/b", "C:/drop", "/a:/b"])
def test_a_path_where_a_path_is_required(path):
    refuse_url(Path("/a") / path if path.startswith(".") else Path(path))


@pytest.mark.parametrize("url", ["s3://bucket/index", "gs://bucket", "file:///index"])
def test_a_url_where_a_path_is_required(url):
    with pytest.raises(DropError, match="reads as a URL"):
        refuse_url(Path(url))


@pytest.mark.parametrize(
    "words",
    [
        ("index", "create", "s3://bucket/idx"),
        ("index", "add", "idx", "s3://bucket/works"),
        ("screen", "drop", "--index", "s3://bucket/idx", "--out", "out"),
        ("evaluate", "labels.csv", "--index", "idx", "--out", "s3://bucket/out"),
    ],
)
def test_no_command_makes_a_folder_of_a_url(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, "reads as a URL" in result.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_network_libraries_are_not_imported_before_a_url_is_used():
    script = (
        "import sys, pipeline.cli, pipeline.screening.screen\n"
        "import pipeline.report.explain, pipeline.drops.drop\n"
        "print(sorted({'s3fs', 'aiobotocore', 'botocore', 'aiohttp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
