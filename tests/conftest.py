"""Photographs that every test may use: those of the demo."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from PIL import Image

# Nothing in the suite may reach for a model hub; a test that would must fail at once.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Nor for object storage, whichever credentials the machine has: this port is closed.
os.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

# A busy machine is not a failure; timings are measured in benchmarks.
settings.register_profile("clearance", deadline=None)
settings.load_profile("clearance")

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "ihc")


@pytest.fixture(scope="session")
def photos() -> dict[str, Image.Image]:
    """Photographs in RGB, by name."""
    from pipeline.cli.demo.material import photograph

    return {name: photograph(name) for name in PHOTOS}
