"""A run to review, people to review it, and browsers that are signed in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient
from row_samples import RUN, WORKS, flagged_row, no_match_row, some_rows

from pipeline.core.layout import RUN as RUN_JSON
from pipeline.core.records import Band, RiskRow
from pipeline.results.files import ResultFiles, StoredRun, read_run
from pipeline.results.table import write_tables
from pipeline.review.access.sessions import Access, Person, Role
from pipeline.review.app import create_app
from pipeline.review.review_session import ReviewSession

HOST = "127.0.0.1:8417"
ORIGIN = f"http://{HOST}"
READER = Person("Rea", Role.READER)
ANNA = Person("Anna Berg", Role.REVIEWER)
BOB = Person("bob", Role.REVIEWER)
DORA = Person("Dora Vance", Role.APPROVER)
HOSTILE = '"><img src=x onerror=alert(1)>'


def rows() -> list[RiskRow]:
    """Two rows in escalate (one of two works), three in review, and others; one hostile name."""
    return [
        *some_rows(),
        flagged_row("b/dog.png", 9.0, asset_id="1" * 64),
        flagged_row("b/c/two.png", 4.5, band=Band.REVIEW, asset_id="2" * 64),
        flagged_row(f"b/c/{HOSTILE}.png", 4.4, band=Band.REVIEW, asset_id="3" * 64),
        flagged_row("copy of two.png", 4.5, band=Band.REVIEW, asset_id="2" * 64),
        flagged_row("faint.png", 2.0, band=Band.INFO, asset_id="5" * 64),
        no_match_row("three.png"),
    ]


def write_run(out: Path, risk_rows: list[RiskRow]) -> StoredRun:
    with ResultFiles(out) as files:
        write_tables(files, risk_rows, RUN, WORKS, discovered=len(risk_rows))
        outputs = dict(files.digests)
        files.write_json(RUN_JSON, {"run_id": RUN.run_id, "drop": "shots", "outputs": outputs})
    return read_run(out)


@dataclass
class Browser:
    """A client that is signed in."""

    client: TestClient
    csrf: str

    def get(self, place: str, **options):
        return self.client.get(place, **options)

    def post(self, place: str, payload: dict, *, as_json: bool = True, **options):
        if as_json:
            headers = {"x-csrf-token": self.csrf, "accept": "application/json"}
            return self.client.post(place, json=payload, headers=headers, **options)
        return self.client.post(place, data={"csrf": self.csrf, **payload}, **options)


def client_of(app: FastAPI) -> TestClient:
    return TestClient(
        app,
        base_url=ORIGIN,
        headers={"accept": "text/html"},
        follow_redirects=False,
        raise_server_exceptions=True,
    )


def signed_in(app: FastAPI, access: Access, person: Person) -> Browser:
    cookie = access._begin(person, float("inf"), "")
    client = client_of(app)
    client.cookies.set(access.cookie, cookie)
    return Browser(client, access.session(cookie).csrf)


class ReviewSite:
    """A page with a session for each person, without passwords in the way."""

    def __init__(
        self, out: Path, risk_rows: list[RiskRow] | None = None, **session_options
    ) -> None:
        self.out = out
        self.stored = write_run(out, rows() if risk_rows is None else risk_rows)
        self.review = ReviewSession(self.stored, out, **session_options)
        self.access = Access(local=DORA, hosts=frozenset({HOST}))
        self.app = create_app(self.review, self.access)

    def client(self) -> TestClient:
        return client_of(self.app)

    def browser(self, person: Person) -> Browser:
        return signed_in(self.app, self.access, person)

    def number(self, path: str) -> int:
        number = self.review.number_of(path)
        assert number is not None
        return number

    def on(self, path: str, work_id: str = "") -> dict:
        """The fields by which a request names a row and what was seen."""
        number = self.number(path)
        evidence = self.review.evidence(self.review.row(number), work_id or None)
        return {"number": number, "work_id": work_id, "evidence": evidence}

    def state(self, path: str) -> str:
        return str(self.review.state(self.review.row(self.number(path))).state)


def hidden(html: str, name: str) -> str:
    """The value of a hidden field."""
    match = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert match, name
    return match[1]
