"""The site that tests of the page sit in."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from page_samples import ReviewSite


@pytest.fixture
def site(tmp_path: Path) -> ReviewSite:
    return ReviewSite(tmp_path / "out")
