"""People who sign in by password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from page_samples import HOST, ORIGIN
from typer.testing import CliRunner

from pipeline.cli import app as cli
from pipeline.core.errors import RecordError
from pipeline.review.access import sessions as access_module
from pipeline.review.access.people import read_people, set_person
from pipeline.review.access.sessions import SESSION_SECONDS, TRIES, TRY_WINDOW_SECONDS, Access, Role
from pipeline.review.app import create_app

PASSWORD = "correct horse battery"  # noqa: S105 - of nobody


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch):
    from argon2 import PasswordHasher

    from pipeline.review.access import people

    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(people, "hasher", lambda: weak)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.json"
    set_person(path, "Anna Berg", Role.REVIEWER, PASSWORD)
    set_person(path, "Dora Vance", Role.APPROVER, PASSWORD + "!")
    return path


def test_who_proves_it_is_let_in(site, file):
    from fastapi.testclient import TestClient

    access = Access(people=file, hosts=frozenset({HOST}))
    app = create_app(site.review, access)
    client = TestClient(
        app, base_url=ORIGIN, headers={"accept": "text/html"}, follow_redirects=False
    )
    sent = client.get("/?band=escalate")
    assert sent.headers["location"] == "/login?then=%2F%3Fband%3Descalate"
    wrong = client.post("/login", data={"name": "Anna Berg", "password": "no"})
    assert wrong.status_code == 401
    assert "do not go together" in wrong.text
    assert client.post("/login", data={"name": "nobody", "password": "no"}).status_code == 401
    there = {"name": "anna berg", "password": PASSWORD, "then": "/?band=escalate"}
    right = client.post("/login", data=there)
    assert right.status_code == 303
    assert right.headers["location"] == "/?band=escalate"
    assert "Anna Berg" in client.get("/").text
    # The printed address of a page without passwords is no way in.
    assert client.get("/enter?token=None").headers["location"].startswith("/login")
    set_person(file, "Anna Berg", Role.READER, PASSWORD)
    assert client.get("/").status_code == 303  # signed out by a change of role
    client.post("/login", data=there)
    assert client.get("/").status_code == 200
    set_person(file, "Anna Berg", Role.READER, PASSWORD + "2")
    assert client.get("/").status_code == 303  # and of password


@pytest.mark.parametrize(
    "then", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "x"]
)
def test_signing_in_leads_nowhere_else(site, file, then):
    from fastapi.testclient import TestClient

    app = create_app(site.review, Access(people=file, hosts=frozenset({HOST})))
    client = TestClient(app, base_url=ORIGIN, follow_redirects=False)
    form = {"name": "Anna Berg", "password": PASSWORD, "then": then}
    assert client.post("/login", data=form).headers["location"] == "/"


def test_guessing_is_slowed(file):
    clock = [0.0]
    access = Access(people=file, clock=lambda: clock[0])
    for _ in range(TRIES):
        assert access.by_password("Anna Berg", "wrong", "1.2.3.4") is None
    with pytest.raises(access_module.TooManyTriesError):
        access.by_password("ANNA BERG", PASSWORD, "1.2.3.4")
    assert access.by_password("Anna Berg", PASSWORD, "5.6.7.8") is not None
    clock[0] += TRY_WINDOW_SECONDS + 1
    assert access.by_password("Anna Berg", PASSWORD, "1.2.3.4") is not None


def test_a_session_ends(file):
    clock = [0.0]
    access = Access(people=file, clock=lambda: clock[0])
    cookie = access.by_password("Anna Berg", PASSWORD)
    clock[0] = SESSION_SECONDS - 1
    assert access.session(cookie) is not None
    clock[0] = SESSION_SECONDS + 1
    assert access.session(cookie) is None


def test_without_the_file_of_people_sign_in_is_refused(file):
    access = Access(people=file)
    cookie = access.by_password("Anna Berg", PASSWORD)
    file.unlink()
    with pytest.raises(RecordError, match="nobody is let in"):
        access.session(cookie)


def test_the_file_holds_no_password_and_is_its_owners(file):
    text = file.read_text()
    assert PASSWORD not in text
    assert text.count("$argon2id$") == 2
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(RecordError, match="Others can read"):
        read_people(file)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"people": [{}]}',
        '{"people": [{"name": "a", "role": "king", "password": "$argon2"}]}',
        '{"people": [{"name": "a", "role": "reader", "password": "plain"}]}',
        "[" * 100_000,
    ],
)
def test_a_file_of_something_else_is_one_sentence(tmp_path, text):
    file = tmp_path / "people.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(RecordError, match="not a file of people"):
        read_people(file)


def test_two_of_one_name_are_refused(file):
    stored = json.loads(file.read_text())
    stored["people"].append({**stored["people"][0], "name": "ANNA  BERG"})
    file.write_text(json.dumps(stored))
    with pytest.raises(RecordError, match="twice"):
        read_people(file)


def test_review_user_writes_the_file(tmp_path):
    file = tmp_path / "people.json"

    def run(*words: object, password_input: str):
        return CliRunner().invoke(
            cli, ["review-user", str(file), *map(str, words)], input=password_input
        )

    done = run("Anna Berg", "--role", "reviewer", password_input=f"{PASSWORD}\n")
    assert done.exit_code == 0, done.output
    assert PASSWORD not in done.output
    done = run("anna berg", "--role", "approver", "--json", password_input=f"{PASSWORD}\n")
    assert json.loads(done.output)["new"] is False
    assert [one.person.role for one in read_people(file).values()] == [Role.APPROVER]
    for words, password_input in [
        (("Bob", "--role", "reader"), "short\n"),
        (("  ", "--role", "reader"), f"{PASSWORD}\n"),
        (("a\u200bb", "--role", "reader"), f"{PASSWORD}\n"),
    ]:
        done = run(*words, password_input=password_input)
        assert done.exit_code == 2
        assert "Traceback" not in done.output
    assert len(read_people(file)) == 1
