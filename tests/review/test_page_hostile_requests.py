"""Requests that no browser of ours makes: refused with a sentence, never a 5xx, nothing written."""

from __future__ import annotations

import asyncio
import os

import pytest
from page_samples import ANNA, HOST

from pipeline.core.errors import RecordError
from pipeline.review.access import middleware
from pipeline.review.access import sessions as access_module
from pipeline.review.access.people import read_people
from pipeline.review.access.sessions import Access

REVIEW = "b/c/two.png"


def raw(site, body: bytes, kind: str, path: str = "/comment", **headers: str):
    browser = site.browser(ANNA)
    headers_sent = {"x-csrf-token": browser.csrf, "content-type": kind, **headers}
    return browser.client.post(path, content=body, headers=headers_sent)


def fields(site, **more: str) -> str:
    return "&".join(f"{k}={v}" for k, v in {**site.on(REVIEW), "text": "seen", **more}.items())


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b'{"text": {"a": 1}}', 422),
        ("application/json", b'{"text": ' + b'{"a":' * 900 + b"1" + b"}" * 901, 422),
        ("application/json", b'{"number": 1e999, "text": "x"}', 422),
        ("application/json", b'{"number": NaN}', 422),
        ("application/json", b'{"number": ' + b"9" * 5000 + b"}", 422),
        ("application/json", b'{"\\ud800": 1}', 422),
        ("application/json", b'{"text": "a", "text": "b"}', 422),
        ("application/json", b"\xff\xfe{}", 422),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=x", b"nonsense", 400),
        ("application/x-www-form-urlencoded; charset=utf-7", b"text=a", 415),
        ("application/x-www-form-urlencoded; charset=idna", b"text=a", 415),
    ],
)
def test_bodies_that_are_nothing(site, kind, body, status):
    answer = raw(site, body, kind)
    assert answer.status_code in (status, 422 if status == 400 else status), answer.text
    assert "Traceback" not in answer.text
    assert site.review.record is None


def test_a_form_says_each_field_once_and_not_too_many(site):
    kind = "application/x-www-form-urlencoded"
    twice = fields(site) + "&text=other"
    assert raw(site, twice.encode(), kind).status_code == 422
    many = fields(site) + "".join(f"&f{n}=1" for n in range(2000))
    assert raw(site, many.encode(), kind).status_code in (400, 422)
    assert site.review.record is None
    assert raw(site, fields(site).encode(), f"{kind}; charset=UTF-8").status_code == 303


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//", "http://127.0.0.1:8417.x"])
def test_origins_that_are_none(site, origin):
    body = fields(site).encode()
    kind = "application/x-www-form-urlencoded"
    assert raw(site, body, kind, origin=origin).status_code == 403


def test_a_csrf_token_that_is_no_text(site):
    browser = site.browser(ANNA)
    for token in ("%ed%a0%80", "%ff", "é"):
        body = f"csrf={token}&{fields(site)}".encode()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert browser.client.post("/comment", content=body, headers=kind).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/item/" + "9" * 5000,
        "/item/-1",
        "/item/%D9%A1",
        "/item/0%00",
        "/item/..%2f..%2fetc%2fpasswd",
        "/item/%2e%2e/",
        "/static/%2e%2e%2fpages.py",
        "/static/..%5cpages.py",
        "/?page=" + "9" * 5000,
        "/?page=%D9%A1",
        "/?done=" + "a" * 32 + "&of=" + "9" * 5000,
        "/?q=" + "a" * 60_000,
        "/?" + "&".join(f"band={n}" for n in range(5000)),
        "/?q=%ed%a0%80",
        "/?sort=%00",
    ],
)
def test_addresses_that_are_none(site, path):
    answer = site.browser(ANNA).get(path)
    assert answer.status_code < 500
    assert "Traceback" not in answer.text
    assert "import" not in answer.text or "passwd" not in answer.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD"])
def test_other_methods_do_nothing(site, method):
    browser = site.browser(ANNA)
    headers_sent = {"x-csrf-token": browser.csrf, "x-http-method-override": "POST"}
    for path in ("/decide", "/undo", "/bulk", "/", "/comment"):
        answer = browser.client.request(method, path, headers=headers_sent)
        assert answer.status_code in (200, 404, 405), path
    assert site.review.record is None


def test_a_body_that_never_ends_is_not_waited_for(site, monkeypatch):
    monkeypatch.setattr(middleware, "BODY_TIMEOUT_SECONDS", 0.05)
    browser = site.browser(ANNA)
    sent: list[dict] = []

    async def receive():
        await asyncio.sleep(3600)

    async def send(message):
        sent.append(message)

    cookie = f"{site.access.cookie}={browser.client.cookies[site.access.cookie]}"
    headers = {
        "host": HOST,
        "cookie": cookie,
        "x-csrf-token": browser.csrf,
        "content-type": "application/json",
        "content-length": "100",
    }
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/comment",
        "raw_path": b"/comment",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8417),
    }
    asyncio.run(asyncio.wait_for(site.app(scope, receive, send), 20))
    assert sent[0]["status"] == 408


def test_a_file_of_people_that_is_a_pipe_is_not_waited_for(tmp_path):
    pipe = tmp_path / "people.json"
    os.mkfifo(pipe)
    with pytest.raises(RecordError, match="plain file"):
        read_people(pipe)


def test_a_crowd_that_signs_in_at_once_leaves_the_page_to_others(tmp_path, monkeypatch):
    import threading

    from pipeline.review.access.people import Role, set_person

    file = tmp_path / "people.json"
    set_person(file, "Anna Berg", Role.REVIEWER, "correct horse battery")
    access = Access(people=file)
    going = threading.Event()
    monkeypatch.setattr(access_module, "verify_password", lambda *_: bool(going.wait(20)) and False)
    crowd = [
        threading.Thread(target=access.by_password, args=(f"n{n}", "x", "1.2.3.4"))
        for n in range(access_module.MAX_WAITING)
    ]
    for one in crowd:
        one.start()
    try:
        while access._waiting._value:
            pass
        with pytest.raises(access_module.TooManyTriesError, match="just now"):
            access.by_password("Anna Berg", "x", "5.6.7.8")
    finally:
        going.set()
        for one in crowd:
            one.join()


@pytest.mark.parametrize("name", ["ANNA BERG", "anna  berg", "\uff21nna Berg", "Anna\u00a0Berg"])
def test_guessing_under_other_spellings_is_one_guessing(tmp_path, monkeypatch, name):
    from pipeline.review.access.people import Role, set_person

    file = tmp_path / "people.json"
    set_person(file, "Anna Berg", Role.REVIEWER, "correct horse battery")
    access = Access(people=file)
    monkeypatch.setattr(access_module, "verify_password", lambda *_: False)
    for _ in range(access_module.TRIES):
        access.by_password("Anna Berg", "wrong", "1.2.3.4")
    with pytest.raises(access_module.TooManyTriesError):
        access.by_password(name, "wrong", "1.2.3.4")
