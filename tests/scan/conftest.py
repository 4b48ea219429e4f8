"""An index of drawn pictures and a script, made once."""

from __future__ import annotations

import shutil

import pytest
from scan_samples import Studio, jpeg, png, words


@pytest.fixture(scope="session")
def small_index(tmp_path_factory):
    studio = Studio(tmp_path_factory.mktemp("small-index"))
    studio.works(one=png(1), two=png(2), three=words(3, 200))
    return studio.index


@pytest.fixture
def studio(tmp_path, small_index):
    """A drop with a copy of each work and two unrelated files; its index may be changed."""
    shutil.copytree(small_index, tmp_path / "index")
    workspace = Studio(tmp_path / "studio", tmp_path / "index")
    workspace.put("copy.jpg", jpeg(1))
    workspace.put("none.png", png(50))
    workspace.put("script.txt", words(3, 200)[:700])
    workspace.put("other.txt", words(51))
    return workspace
