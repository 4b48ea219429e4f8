"""What is not there any more: a browser in the midst of a request, a record that another holds."""

from __future__ import annotations

import asyncio
import sqlite3
import time

import pytest
from page_samples import ANNA, DORA, HOST, ReviewSite, rows, write_run
from typer.testing import CliRunner

from pipeline.cli import app as cli
from pipeline.core.errors import RecordError
from pipeline.decisions import database as schema
from pipeline.decisions.record import Record


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_a_browser_that_goes_away_in_the_midst_is_no_defect(site, kind):
    browser = site.browser(ANNA)
    cookie = f"{site.access.cookie}={browser.client.cookies[site.access.cookie]}"
    headers = {"host": HOST, "cookie": cookie, "content-type": kind, "content-length": "100"}
    if kind == "application/json":
        headers["x-csrf-token"] = browser.csrf
    scope = {
        "type": "http", "method": "POST", "path": "/comment", "raw_path": b"/comment",
        "query_string": b"", "scheme": "http", "http_version": "1.1", "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8417), "extensions": {},
    }  # fmt: skip
    messages = iter(
        [{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}]
    )
    sent = []

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message)

    asyncio.run(site.app(scope, receive, send))  # raises if it is reported as a defect
    assert sent[0]["status"] == 400
    assert site.review.record is None


def test_an_extra_slash_reveals_nothing_before_the_guard(site):
    for path in ("/item/0/", "/bulk/", "/nothing/"):
        assert site.client().get(path).status_code == 404


def test_a_reader_does_not_wait_as_long_as_a_writer(tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "READ_WAIT", 0.2)
    record = Record.open(tmp_path / "record.sqlite", create=True)
    holder = sqlite3.connect(tmp_path / "record.sqlite", isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(RecordError, match="locked"):
            list(record.events())
        assert time.monotonic() - began < schema.WAIT / 4
    finally:
        holder.close()


@pytest.fixture
def decided(site: ReviewSite) -> ReviewSite:
    """With a record, which the page has read."""
    payload = {**site.on("b/c/two.png"), "choice": "no_issue", "reason": "seen"}
    assert site.browser(ANNA).post("/decide", payload).status_code == 200
    return site


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
def test_a_record_that_is_deleted_is_said_to_be_gone_and_none_is_begun(decided, left):
    file = decided.out / "record.sqlite"
    record_bytes = file.read_bytes()
    file.unlink()
    if left == "an empty file":
        file.touch()
    browser = decided.browser(DORA)
    payload = {**decided.on("faint.png"), "choice": "no_issue", "reason": "seen"}
    bulk = {"query": "", "choice": "no_issue", "reason": "r", "note": "", "assignee": ""}
    answers = [
        browser.get("/"),
        browser.get(f"/item/{decided.number('faint.png')}"),
        browser.post("/decide", payload),
        browser.post("/decide", payload, as_json=False),
        browser.post("/bulk/preview", bulk, as_json=False),
        browser.post("/bulk", {**bulk, "preview": "a" * 64, "bulk_id": "b" * 32}),
        browser.post("/comment", {**decided.on("faint.png"), "text": "words"}),
    ]
    for answer in answers:
        assert answer.status_code == 409
        assert "is gone" in answer.text
        assert "put back" in answer.text
    assert file.exists() == (left == "an empty file")
    assert not file.exists() or file.stat().st_size == 0
    # Put back, it goes on.
    file.write_bytes(record_bytes)
    assert browser.post("/decide", payload).status_code == 200
    assert [event.seq for event in Record.open(file).events()] == [1, 2, 3]


def test_what_is_written_into_a_file_that_is_taken_away_is_not_acknowledged(decided):
    file = decided.out / "record.sqlite"
    record = Record.open(file)

    def taken_away(*_):
        file.rename(decided.out / "elsewhere")

    with pytest.raises(RecordError):
        record.decide(
            "anna",
            decided.review.basis(decided.review.row(0)),
            "no_issue",
            reason="r",
            check=taken_away,
        )
    assert not file.exists()


def test_no_command_that_only_reads_makes_a_record(tmp_path):
    out = tmp_path / "out"
    write_run(out, rows())
    (tmp_path / "drop").mkdir()
    before = sorted(file.name for file in tmp_path.rglob("*"))
    for words in (
        ("audit", "verify", out),
        ("audit", "verify", tmp_path / "no" / "record.sqlite"),
        ("audit", "export", out, "--out", tmp_path / "record.html"),
        ("audit", "table", out),
        ("audit", "rules", out),
        ("audit", "checkpoint", out, "--key", tmp_path / "key"),
        ("explain", out, "cat.png", "--json"),
    ):
        done = CliRunner().invoke(cli, list(map(str, words)))
        assert done.exit_code == (0 if words[0] == "explain" else 2), words
        assert "Traceback" not in done.output
        assert sorted(file.name for file in tmp_path.rglob("*")) == before, words
    record = Record.open(out / "record.sqlite", create=True)
    (out / "record.sqlite").unlink()
    for read in (lambda: record.rules, lambda: record.head, lambda: list(record.events())):
        with pytest.raises(RecordError, match="is gone"):
            read()
    assert not (out / "record.sqlite").exists()
