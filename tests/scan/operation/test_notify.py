"""Notifications: real webhooks and mail on loopback, with counts and ids and nothing else."""

from __future__ import annotations

import io
import json
import logging
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from confidential import assert_nothing_confidential

from pipeline.core.errors import ConfigError
from pipeline.scan.operation.notify import Notifier, completed_message, is_problem
from pipeline.scan.run import scan_directory
from pipeline.scan.settings import Notify, load_settings

pytest.importorskip("apprise")


class Webhook:
    """A server that records request bodies and responds with `status` after `delay` seconds."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.status, self.delay = 200, 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.got.append(body)
                time.sleep(outer.delay)
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://user:hunter2@127.0.0.1:{self.server.server_address[1]}/hook"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    receiver = Webhook()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def notify(night, url: str, more: str = "") -> None:
    night.configure(f"notify:\n  to: [{json.dumps(url)}]\n{more}")


def test_a_webhook_gets_counts_and_ids_and_nothing_else(night, webhook):
    notify(night, webhook.url)
    assert night.run().status == 3
    [body] = webhook.got
    assert_nothing_confidential(body)
    sent, delta = json.loads(body), night.delta()
    assert sent["title"] == f"Clearance: 4 changes, scan {delta['scan_id']}"
    assert sent["type"] == "warning"
    assert sent["message"].splitlines() == [
        "Changed: 4 new.",
        "New or risen: escalate 1.",
        "In total: 4 files against 2 works: escalate 1, partly screened 1, not screened 1, "
        "no match found 1.",
        f"Scan {delta['scan_id']}, exit status 3.",
    ]
    assert night.run().status == 3
    assert len(webhook.got) == 1, "nothing changed"


def test_a_url_from_the_environment(night, webhook, monkeypatch):
    notify(night, "env:NIGHTLY_TARGET", "  when: always\n")
    monkeypatch.delenv("NIGHTLY_TARGET", raising=False)
    refused = night.run()
    assert refused.status == 2
    assert "notify.to[0] names the environment variable NIGHTLY_TARGET, which is not set." in (
        refused.stderr
    )
    monkeypatch.setenv("NIGHTLY_TARGET", webhook.url)
    night.run()
    night.run()
    assert len(webhook.got) == 2


@pytest.mark.parametrize("how", ["refused", "slow", "no server"])
def test_a_notification_that_fails_is_a_warning_and_a_note(night, webhook, how):
    url = webhook.url
    if how == "refused":
        webhook.status = 500
    elif how == "slow":
        webhook.delay = 2.0
    else:
        webhook.server.server_close()
    notify(night, url, "  timeout_seconds: 0.5\n" if how == "slow" else "")
    done = night.run("--json")
    assert done.status == 3, "as without"
    [note] = json.loads(done.stdout)["notes"]
    assert note.startswith("Notification 1 of 1 could not be sent (")
    assert note in " ".join(done.stderr.split())
    assert "hunter2" not in done.stderr + done.stdout
    assert night.beat["state"] == "finished"


def test_a_failed_scan_is_notified_without_a_path(night, webhook, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device", "/drops/zanzibar/ophelia.png")

    monkeypatch.setattr("pipeline.scan.run.write_outputs", fail)
    notify(night, webhook.url, "  when: problems\n")
    assert night.run().status == 2
    [body] = webhook.got
    assert_nothing_confidential(body)
    sent = json.loads(body)
    assert sent["type"] == "failure"
    assert sent["message"] == (
        f"Clearance could not complete scan {night.beat['scan_id']}: the system refused something "
        "(No space left on device) (exit status 2)."
    )


def test_a_scan_that_finds_another_running_sends_no_notification(night, webhook):
    notify(night, webhook.url, "  when: always\n")
    with scan_directory(night.scan):
        refused = night.run()
    assert refused.status == 2
    assert "Another scan is running in" in refused.stderr
    assert not webhook.got
    night.run()
    assert len(webhook.got) == 1


def test_apprise_logs_nothing(night, webhook):
    webhook.server.server_close()
    notify(night, webhook.url)
    output = io.StringIO()
    # As a library does that configures the root logger.
    handler = logging.StreamHandler(output)
    logging.getLogger().addHandler(handler)
    try:
        night.run()
    finally:
        logging.getLogger().removeHandler(handler)
    assert not output.getvalue()


def test_when_a_notification_is_wanted():
    quiet = {
        "unreachable": {}, "not_screened_anew": 0, "record": "none",
        "changes": {"new": 0, "gone": 0},
    }  # fmt: skip
    changed = {**quiet, "changes": {"new": 0, "gone": 2}}
    unread = {**quiet, "unreachable": {"vendor-a": 3}}
    unsure = {**changed, "not_screened_anew": 1}
    untrusted = {**quiet, "record": "unusable"}
    from pipeline.scan.operation.notify import _is_wanted

    wanted = {
        when: [_is_wanted(when, summary) for summary in (quiet, changed, unread, unsure, untrusted)]
        for when in ("always", "changes", "problems")
    }
    assert wanted == {
        "always": [True] * 5,
        "changes": [False, True, True, True, True],
        "problems": [False, False, True, True, True],
    }
    assert [is_problem(summary) for summary in (quiet, changed, unread, unsure, untrusted)] == [
        False, False, True, True, True,
    ]  # fmt: skip


def test_an_unreachable_drop_is_a_count(night):
    night.run()
    summary = {**night.delta(), "unreachable": {"zanzibar": 4}}
    message = completed_message(summary, 3)
    assert "1 drop could not be read." in message.body
    assert_nothing_confidential(message.title + message.body)


def test_without_the_extra_the_error_says_how_to_install_it(night, monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    notify(night, "json://127.0.0.1/hook")
    done = night.run()
    assert done.status == 2
    assert "pip install '.[notify]'" in done.stderr
    assert not night.scan.exists()


def test_without_targets_the_extra_is_not_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert Notifier(Notify(when="always")).completed(SUMMARY, 0) == []


SUMMARY = {
    "scan_id": "s", "changes": {}, "flagged_anew": {}, "counts": {}, "files": 0, "works": 1,
    "unreachable": {}, "not_screened_anew": 0, "still_arriving": 0,
    "suppressed": 0, "no_longer_suppressed": 0, "record": "none",
}  # fmt: skip


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("hunter2", "notify.to[0]: it must be an apprise URL"),
        ("env:", "notify.to[0]: after env: comes the name"),
    ],
)
def test_the_error_for_a_wrong_target_does_not_repeat_it(night, to, says):
    notify(night, to)
    with pytest.raises(ConfigError) as caught:
        load_settings(night.config)
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_error_for_an_unknown_url_does_not_repeat_it():
    with pytest.raises(ConfigError, match=r"notify.to\[1\] is not a URL that apprise") as caught:
        Notifier(Notify(to=("json://127.0.0.1/a", "nosuch://hunter2@host/path")))
    assert "hunter2" not in str(caught.value)


def test_a_mail_is_sent(night):
    got: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            def answer(text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

            answer("220 loopback")
            while line := self.rfile.readline().decode():
                word = line[:4].upper()
                if word == "DATA":
                    answer("354 go on")
                    while (line := self.rfile.readline().decode()) not in {".\r\n", ""}:
                        got.append(line)
                    answer("250 taken")
                elif word == "QUIT":
                    answer("221 bye")
                    return
                else:
                    answer("250 yes")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        notify(
            night,
            f"mailto://127.0.0.1:{port}/?from=clearance@example.org&to=rights@example.org"
            "&mode=insecure&format=text",
        )
        done = night.run("--json")
        server.shutdown()
    assert json.loads(done.stdout)["notes"] == []
    text = "".join(got)
    assert_nothing_confidential(text)
    assert "4 changes, scan" in text
    assert "To: rights@example.org" in text
