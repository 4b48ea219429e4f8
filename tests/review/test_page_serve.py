"""`clearance review`: what it prints and refuses, and a server that answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from page_samples import rows, write_run
from typer.testing import CliRunner

from pipeline.cli import app as cli
from pipeline.core.errors import RecordError
from pipeline.decisions.record import Record
from pipeline.review import opening, serve
from pipeline.review.app import NO_TELEMETRY

ROOT = Path(__file__).resolve().parents[2]
EVERYWHERE = "0.0.0.0"  # noqa: S104 - refused, or only a word here


def refused(*words: object) -> str:
    done = CliRunner().invoke(cli, ["review", *map(str, words), "--no-open"])
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    return done.output


@pytest.fixture
def out(tmp_path: Path) -> Path:
    write_run(tmp_path / "out", rows())
    return tmp_path / "out"


def test_what_cant_be_served_is_one_sentence(out, tmp_path):
    assert "no results" in refused(tmp_path)
    assert "--users" in refused(out, "--host", EVERYWHERE)
    assert "--allow-host" in refused(out, "--host", EVERYWHERE, "--users", tmp_path / "people.json")
    assert "no file of people" in refused(out, "--users", tmp_path / "people.json")
    assert "band" in refused(out, "--second-person", "loud")
    assert "can't be seen" in refused(out, "--as", "a\u200bb")
    (out / "record.sqlite").write_bytes(b"not a record at all" * 100)
    assert "record" in refused(out)


def test_a_port_that_is_taken(out):
    with serve.listening_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert str(port) in refused(out, "--port", port)


def test_a_scan_directory_is_its_latest(tmp_path):
    history = tmp_path / "scan" / "history" / "20300101T000000Z"
    write_run(history, rows())
    (tmp_path / "scan" / "latest").symlink_to(history)
    assert opening.results_of(str(tmp_path / "scan")) == history.resolve()
    assert opening.results_of(str(tmp_path / "scan" / "latest")) == history.resolve()


def test_hosts():
    assert serve.hosts_of("127.0.0.1", 8, ["Box.Example"]) == {
        "127.0.0.1:8", "localhost:8", "[::1]:8", "box.example", "box.example:8",
    }  # fmt: skip
    assert serve.hosts_of(EVERYWHERE, 8, ["box:9"]) == {"box:9"}
    assert serve.hosts_of("10.0.0.5", 8, []) == {"10.0.0.5:8"}
    hosts = ("127.9.9.9", "::1", "localhost", "10.0.0.5", "x")
    assert [serve.is_loopback(host) for host in hosts] == [True, True, True, False, False]
    options = serve.ServeOptions("x", host=EVERYWHERE, allow_hosts=("box", "y"))
    assert serve.address_of(options, 8, None) == "http://box:8/"
    options = serve.ServeOptions("x", host="::1")
    assert serve.address_of(options, 8, "t") == "http://[::1]:8/enter?token=t"
    with pytest.raises(RecordError, match="port"):
        serve.listening_socket("127.0.0.1", 99_999)


def test_the_server_answers_and_ends(out):
    words = [sys.executable, "-m", "pipeline", "review", str(out), "--as", "Ines", "--no-open"]
    command = [*words, "--second-person", "none"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, env=environment, text=True
    ) as run:
        try:
            assert "11 rows" in run.stdout.readline()
            url = run.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:")
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
            with opener.open(url, timeout=30) as page:
                text = page.read().decode()
                assert page.url == url.split("enter")[0]
                assert page.headers.get("server") is None
            assert "cat.png" in text
            assert "Ines" in text
            with pytest.raises(urllib.error.HTTPError) as unauthorized:
                urllib.request.urlopen(url.split("enter")[0], timeout=30)  # noqa: S310 - loopback
            assert unauthorized.value.code == 401
            unauthorized.value.close()
        finally:
            run.send_signal(signal.SIGINT)
        assert run.wait(timeout=30) == 0
    # Without a decision there is no record.
    with pytest.raises(RecordError, match="no record"):
        Record.open(out)


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys, pipeline, pipeline.cli\n"
        "assert not {'fastapi', 'torch', 'uvicorn', 'argon2'} & set(sys.modules)\n"
        "import pipeline.review.app\n"
        "assert 'torch' not in sys.modules and 'pandas' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_no_telemetry_whatever_the_environment_sets(site, monkeypatch):
    assert not any(NO_TELEMETRY.values())
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    assert site.app._telemetry["auto_configure"] is False
    assert not site.app._native_telemetry.enabled()
