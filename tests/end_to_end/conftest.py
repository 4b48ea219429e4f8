"""An index of real photographs and a script, made once through the command line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli import app

SCRIPT = """Title: The Lamp Room

INT. LAMP ROOM - NIGHT

MARTA trims the wick without looking at it. JONAH stands in the door, wet to the knees.

JONAH
You kept it burning the whole night for a boat you knew was gone before the bell rang.

MARTA
I kept it burning for whoever was still out there and had nobody to keep one for them.

JONAH
There was nobody out there. I walked the causeway to the end and I called until I had no voice.

MARTA
Then sit down and have no voice here, where it is warm, and let me do the calling until morning.
"""


@dataclass(frozen=True)
class Answer:
    """What a command line gave."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output as the one JSON object that `--json` promises."""
        return json.loads(self.stdout)


def clearance(*words: object) -> Answer:
    """Runs the command in this process, as the installed script would."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="session")
def run() -> Callable[..., Answer]:
    return clearance


@pytest.fixture(scope="session")
def works(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Any]) -> Path:
    """A folder with works.csv, four photographs and a script."""
    folder = tmp_path_factory.mktemp("works")
    rows = []
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        photos[name].save(folder / f"{name}.png")
        rows.append((name, name.title(), "A Photographer", "protected", f"{name}.png", "test"))
    (folder / "lamp.fountain").write_text(SCRIPT, encoding="utf-8")
    rows.append(("lamp", "The Lamp Room", "A Writer", "protected", "lamp.fountain", ""))
    with (folder / "works.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("work_id", "title", "rightsholder", "rights", "path", "shelf"))
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory, works: Path) -> Path:
    """An index of `works`; tests that change an index make their own."""
    path = tmp_path_factory.mktemp("index") / "idx"
    assert clearance("index", "create", path).status == 0
    added = clearance("index", "add", path, works / "works.csv")
    assert added.status == 0, added.stderr
    return path
