"""An index of real photographs and a script, made once through the command line."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Answer, clearance
from scene_samples import SCENE

SCRIPT = f"Title: The Lamp Room\n\n{SCENE}"


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
