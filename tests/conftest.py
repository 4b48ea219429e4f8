"""Real pictures that every test may use: photographs that an installed package ships."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Nothing in the suite may reach for a model hub; a test that would must fail at once.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Nor for object storage, with whatever credentials the machine has: this port is closed.
os.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "motorcycle_left")


@pytest.fixture(scope="session")
def photos() -> dict[str, object]:
    """Photographs that ship inside scikit-image, as uint8 (height, width, 3) arrays."""
    import skimage
    from PIL import Image

    folder = Path(skimage.__file__).parent / "data"
    found = {}
    for name in PHOTOS:
        for file in sorted(folder.glob(f"{name}.*")):
            with Image.open(file) as image:
                found[name] = image.convert("RGB")
    return found
