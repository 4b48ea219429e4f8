"""Every route refuses requests without the role or the CSRF token that it requires."""

from __future__ import annotations

import re

import pytest
from fastapi import APIRouter, FastAPI
from page_samples import ANNA, BOB, DORA, HOST, ORIGIN, READER, ReviewSite

from pipeline.review.access.guard import (
    LEAST,
    OPEN,
    GuardedRoute,
    guarded_router,
    refuse_unguarded,
    requires,
)
from pipeline.review.access.sessions import Access, Person, Role

OPEN_ROUTES = {
    ("GET", "/enter"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/static/{name}"),
}
WRITING = {
    "/decide": Role.REVIEWER,
    "/undo": Role.REVIEWER,
    "/assign": Role.REVIEWER,
    "/comment": Role.REVIEWER,
    "/bulk": Role.APPROVER,
    "/bulk/preview": Role.APPROVER,
    "/filters/save": Role.REVIEWER,
    "/filters/delete": Role.REVIEWER,
    "/newer": Role.REVIEWER,
    "/rules/preview": Role.REVIEWER,
    "/rules/add": Role.REVIEWER,
    "/rules/agree": Role.REVIEWER,
    "/rules/revoke": Role.REVIEWER,
}


def every_route(site: ReviewSite) -> list[tuple[str, str, Role | None]]:
    routes = []
    for route in site.app.routes:
        assert isinstance(route, GuardedRoute), route
        routes += [(method, route.path, route.least) for method in route.methods]
    return routes


def place(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "0", path)


def test_open_routes_are_these_and_no_others(site):
    assert {(m, p) for m, p, least in every_route(site) if least is None} == OPEN_ROUTES


def test_every_route_requires_signing_in(site):
    walked = 0
    for method, path, least in every_route(site):
        if least is None:
            continue
        for body in ({}, {"json": {"csrf": "x"}}, {"data": {"csrf": "x"}}):
            if method == "GET" and body:
                continue
            answer = site.client().request(method, place(path), **body)
            assert answer.status_code == 401, (method, path)
            assert "cat.png" not in answer.text
        walked += 1
    assert walked >= 8


def test_a_forged_cookie_is_not_signed_in(site):
    client = site.client()
    client.cookies.set(site.access.cookie, "x" * 43)
    assert client.get("/").status_code == 401


@pytest.mark.parametrize("person", [READER, ANNA, DORA], ids=lambda p: str(p.role))
def test_every_route_requires_its_role(site, person):
    browser = site.browser(person)
    for method, path, least in every_route(site):
        if least is None or path == "/logout":
            continue
        headers = {"x-csrf-token": browser.csrf}
        answer = browser.client.request(method, place(path), headers=headers)
        if person.role.covers(least):
            assert answer.status_code not in (401, 403), (method, path)
        else:
            assert answer.status_code == 403, (method, path)
            assert "takes the role" in answer.text


def test_what_writes_requires_at_least_a_reviewer(site):
    declared = {path: least for method, path, least in every_route(site) if method == "POST"}
    assert {path: declared[path] for path in WRITING} == WRITING
    assert set(declared) == {*WRITING, "/login", "/logout"}


@pytest.mark.parametrize("how", ["missing", "wrong", "another session's"])
@pytest.mark.parametrize("as_json", [True, False])
def test_every_writing_route_needs_the_csrf_token(site, how, as_json):
    browser = site.browser(DORA)
    token = {"missing": None, "wrong": "x", "another session's": site.browser(ANNA).csrf}[how]
    for method, path, least in every_route(site):
        if method == "GET" or least is None:
            continue
        if as_json:
            headers = {} if token is None else {"x-csrf-token": token}
            answer = browser.client.post(path, json={}, headers=headers)
        else:
            answer = browser.client.post(path, data={} if token is None else {"csrf": token})
        assert answer.status_code == 403, path
    assert site.review.record is None


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_pages_of_other_sites_write_nothing(site, headers):
    browser = site.browser(DORA)
    for path in [*WRITING, "/login", "/logout"]:
        headers_sent = {"x-csrf-token": browser.csrf, **headers}
        assert browser.client.post(path, json={}, headers=headers_sent).status_code == 403, path


def test_the_own_page_writes(site):
    browser = site.browser(ANNA)
    payload = {**site.on("b/c/two.png"), "choice": "no_issue"}
    headers = {"x-csrf-token": browser.csrf, "origin": ORIGIN, "sec-fetch-site": "same-origin"}
    assert browser.client.post("/decide", json=payload, headers=headers).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "", HOST + ".x"])
def test_another_host_is_refused_before_anything_else(site, host):
    browser = site.browser(DORA)
    for _, path, _ in every_route(site):
        answer = browser.client.get(place(path), headers={"host": host})
        assert answer.status_code == 421, path
        assert "cat.png" not in answer.text


def test_headers_are_on_every_answer(site):
    browser = site.browser(DORA)
    for path in ("/", "/nothing", "/item/999999", "/static/page.css", "/login", "/openapi.json"):
        headers = browser.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        if not path.startswith("/static"):
            assert headers["cache-control"] == "no-store"


def test_templates_keep_to_the_policy():
    from pipeline.review.pages import FOLDER

    for file in sorted((FOLDER / "templates").iterdir()):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:|https?://", text), file
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), file
        assert "|safe" not in text, file
    for file in sorted((FOLDER / "static").glob("*.js")):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|eval\(|document\.write", text)


def test_a_route_without_a_declaration_cant_be_registered():
    with pytest.raises(TypeError, match="least role"):
        GuardedRoute("/x", lambda: None)
    with pytest.raises(TypeError, match="least role"):
        GuardedRoute("/x", lambda: None, openapi_extra={LEAST: "king"})
    router = guarded_router()
    with pytest.raises(TypeError, match="least role"):
        router.get("/x")(lambda: None)
    router.get("/x", openapi_extra=requires(Role.READER))(lambda: None)
    app = FastAPI(routes=router.routes, openapi_url=None, docs_url=None, redoc_url=None)
    refuse_unguarded(app.routes)
    unguarded = APIRouter()
    unguarded.get("/past")(lambda: None)
    app.include_router(unguarded)
    with pytest.raises(TypeError, match="not guarded"):
        refuse_unguarded(app.routes)


def test_the_openapi_document_says_each_least_role(site):
    document = site.browser(READER).get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            least = operation[LEAST]
            expected = (method.upper(), path) in OPEN_ROUTES
            assert (least == OPEN) == expected, path


def test_a_large_request_is_refused(site):
    browser = site.browser(ANNA)
    payload = {**site.on("b/c/two.png"), "text": "x" * 300_000}
    assert browser.post("/comment", payload).status_code == 413

    def pieces():
        yield b'{"text": "'
        for _ in range(300):
            yield b"x" * 1024
        yield b'"}'

    headers = {"x-csrf-token": browser.csrf, "content-type": "application/json"}
    answer = browser.client.post("/comment", content=pieces(), headers=headers)
    assert answer.status_code == 413
    assert site.review.record is None


def test_the_first_url_lets_in_once_known(tmp_path):
    site = ReviewSite(tmp_path / "out")
    client = site.client()
    assert client.get("/enter?token=wrong").status_code == 401
    assert client.get("/enter").status_code == 401
    entered = client.get("/enter", params={"token": site.access.token})
    assert entered.status_code == 303
    assert entered.headers["location"] == "/"
    cookie = entered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert site.access.token not in client.get("/").text
    assert "Dora Vance" in client.get("/").text


def test_signing_out_ends_the_session(site):
    browser = site.browser(BOB)
    assert browser.post("/logout", {}, as_json=False).status_code == 303
    assert browser.get("/").status_code == 401


def test_roles_rise():
    assert [one.covers(Role.REVIEWER) for one in Role] == [False, True, True]
    with pytest.raises(ValueError, match="either"):
        Access()
    with pytest.raises(ValueError, match="either"):
        Access(local=Person("a", Role.READER), people="x")
