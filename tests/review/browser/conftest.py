"""A real run, a server on it, and real browsers: Debian's chromium, driven by Playwright.

Screenshots of each view are kept in `build/screenshots/review`, or where `CLEARANCE_SCREENSHOTS`
says.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("argon2")
pytest.importorskip("playwright")

from browser_samples import Screened, Visit, make_screened, password, serving
from browsers import chromium

from pipeline.review.access.people import Role, set_person

__all__ = ["chromium"]

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def screened(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Any]) -> Screened:
    """Works, a drop and their results; tests work on copies of the results."""
    return make_screened(tmp_path_factory.mktemp("review"), photos)


@pytest.fixture
def out(screened: Screened, tmp_path: Path) -> Path:
    """Results of the run without any decision."""
    return Path(shutil.copytree(screened.out, tmp_path / "out"))


@pytest.fixture(scope="session")
def shots() -> Path:
    folder = Path(os.environ.get("CLEARANCE_SCREENSHOTS", REPOSITORY / "build/screenshots/review"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of people, each with the password that `browser_samples.password` says."""
    file = tmp_path_factory.mktemp("people") / "people.json"
    for name, role in (
        ("Anna Berg", Role.REVIEWER), ("Bob", Role.REVIEWER), ("Dora Vance", Role.APPROVER),
        ("Rea", Role.READER),
    ):  # fmt: skip
        set_person(file, name, role, password(name))
    return file


@pytest.fixture
def solo(chromium: Any, out: Path) -> Iterator[Visit]:
    """The page as one person has it on their own machine, signed in by the first address."""
    with serving(out) as server, Visit(chromium, server) as visit:
        visit.page.goto(f"{server.url}/enter?token={server.access.token}")
        yield visit


@pytest.fixture
def team(chromium: Any, out: Path, people: Path) -> Iterator[Any]:
    """A page for several people; `team(name)` is that person's own browser, signed in."""
    visits: dict[str, Visit] = {}
    with serving(out, people=people) as server:

        def visit(name: str) -> Visit:
            if name not in visits:
                visits[name] = Visit(chromium, server).__enter__()
                visits[name].sign_in(name)
            return visits[name]

        yield visit
        for one in visits.values():
            one.__exit__(None, None, None)
