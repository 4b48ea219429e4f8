"""Fixture `read`: loads bytes under a name, and checks that the result is well formed."""

from __future__ import annotations

import pytest
from load_samples import checked

from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.load import load


@pytest.fixture
def read(tmp_path):
    """read(name, data, **limits): what loading a file of that name and content gives."""

    def through_the_door(name, data, **limits):
        file = tmp_path / name
        file.write_bytes(data)
        asset = asset_of(file, name)
        loaded = checked(load(asset, Limits(**limits)))
        assert file.read_bytes() == data, "originals are never written"
        return loaded

    return through_the_door
