"""What is not there any more: a browser in the midst of a request, a record that another holds."""

from __future__ import annotations

import asyncio
import sqlite3
import time

import pytest
from page_samples import ANNA, HOST

from pipeline.errors import RecordError
from pipeline.review import schema
from pipeline.review.record import Record


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_a_browser_that_goes_away_in_the_midst_is_no_defect(office, kind):
    browser = office.browser(ANNA)
    cookie = f"{office.access.cookie}={browser.client.cookies[office.access.cookie]}"
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

    asyncio.run(office.app(scope, receive, send))  # raises if it is told of as a defect
    assert sent[0]["status"] == 400
    assert office.desk.record is None


def test_a_slash_too_many_tells_nothing_before_the_guard(office):
    for path in ("/item/0/", "/bulk/", "/nothing/"):
        assert office.client().get(path).status_code == 404


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
