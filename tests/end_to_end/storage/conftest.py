"""A real S3 server on loopback, and a client that can reach no other.

The tests fail closed: credentials of the environment are hidden, metadata services are not queried,
and every other endpoint is a closed port of this machine.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_proxy import Proxy, serving

from pipeline.drops import object_storage

BUCKET = "drops"
PAGE = 20
"""Keys on one page of the server's listings, which are 1,000 with Amazon."""


def dummy_environment(endpoint: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL": endpoint,
        "NO_PROXY": "127.0.0.1",
    }


def clean(environment: dict[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if not re.match(r"(?i)(AWS|FSSPEC|BOTO)_|(https?|all|no)_proxy$", name)
    }


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[str]:
    """The URL of moto's server, a process of its own."""
    log = tmp_path_factory.mktemp("moto") / "log"
    environment = {**clean(dict(os.environ)), **dummy_environment("http://127.0.0.1:9")}
    environment.pop("AWS_ENDPOINT_URL")
    environment["MOTO_S3_DEFAULT_MAX_KEYS"] = str(PAGE)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=out, stderr=out, env=environment,
        )  # fmt: skip
    try:
        for _ in range(600):
            address = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())
            if address or process.poll() is not None:
                break
            threading.Event().wait(0.05)
        assert address, log.read_text()
        yield address[0]
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def through(server) -> Iterator[Proxy]:
    proxy, running = serving(server)
    yield proxy
    running.shutdown()
    running.server_close()


@pytest.fixture(scope="session")
def models():
    """botocore reads the description of S3 for every session anew, which takes a third of a second
    and is not what is tested.
    """
    from botocore.loaders import Loader

    return Loader()


@pytest.fixture
def proxy(models, through: Proxy, monkeypatch, tmp_path) -> Proxy:
    """The proxy without faults, the only endpoint that is known, and pauses that take no time."""
    through.faults.clear()
    through.requests.clear()
    through.before.clear()
    for name in list(os.environ):
        if name not in clean({name: ""}):
            monkeypatch.delenv(name)
    for name, value in dummy_environment(through.url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(object_storage, "BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr("botocore.session.create_loader", lambda *_: models)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    return through


@pytest.fixture
def temporary(proxy, tmp_path) -> Path:
    """The system's temporary folder, as the run sees it."""
    return tmp_path / "temporary"


@pytest.fixture(scope="session")
def client(server):
    """boto's own client, for what the tests put and look at."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=server,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106
    )


@pytest.fixture
def bucket(client, proxy, server) -> Iterator[str]:
    """An empty bucket."""
    client.create_bucket(Bucket=BUCKET)
    yield BUCKET
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST"))  # noqa: S310
