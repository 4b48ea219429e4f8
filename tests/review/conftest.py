"""The office that tests of the page sit in."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from page_samples import Office


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "out")
