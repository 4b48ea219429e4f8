"""A small index, drops with confidential names, and a configuration of nightly scans over them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import Answer, clearance

SCRIPT = (
    "Ophelia steals the dirigible from her own aunt at dawn and steers it over Zanzibar, while "
    "the clerk of the harbour counts his crates twice and believes neither of the two numbers.\n"
)


@dataclass(frozen=True)
class Night:
    """A configuration, and what it names."""

    config: Path
    drop: Path
    scan: Path

    def configure(self, more: str = "") -> None:
        self.config.write_text(self.config.read_text(encoding="utf-8") + more, encoding="utf-8")

    def run(self, *words: object) -> Answer:
        return clearance("scan", "--config", self.config, *words)

    @property
    def beat(self) -> dict[str, Any]:
        return json.loads((self.scan / "heartbeat.json").read_text(encoding="utf-8"))

    def delta(self) -> dict[str, Any]:
        return json.loads((self.scan / "latest" / "delta.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def run() -> Callable[..., Answer]:
    return clearance


@pytest.fixture(scope="session")
def small_index(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, Any]) -> Path:
    folder = tmp_path_factory.mktemp("works")
    photos["astronaut"].save(folder / "quillfeather.png")
    (folder / "moonmarrow.txt").write_text(SCRIPT, encoding="utf-8")
    index = tmp_path_factory.mktemp("small") / "idx"
    assert clearance("index", "create", index).status == 0
    assert clearance("index", "add", index, folder).status == 0
    return index


@pytest.fixture
def night(tmp_path: Path, small_index: Path, photos: dict[str, Any]) -> Night:
    """A drop of a copied script, another script, a picture and a file of unknown format."""
    drop = tmp_path / "incoming zanzibar"
    drop.mkdir()
    (drop / "ophelia.txt").write_text(SCRIPT, encoding="utf-8")
    (drop / "dirigible.fountain").write_text(
        "INT. HANGAR - NIGHT\n\nThe moonmarrow glows under the floor and nobody dares to lift "
        "the boards, since the last who did is still said to be smiling about it somewhere.\n",
        encoding="utf-8",
    )
    photos["coffee"].resize((120, 80)).save(drop / "quillfeather.png")
    (drop / "zanzibar.bin").write_bytes(b"\0\1\2")
    quick = "stages:\n  clip_embedding: {enabled: false}\n  local_features: {enabled: false}\n"
    (tmp_path / "quick.yaml").write_text(quick, encoding="utf-8")
    config = tmp_path / "nightly.yaml"
    config.write_text(
        f"version: 1\nindex: {json.dumps(str(small_index))}\nout: scan\n"
        "screening: quick.yaml\ndrops:\n  vendor-a:\n"
        f"    path: {json.dumps(str(drop))}\n    settle: {{seconds: 0}}\n",
        encoding="utf-8",
    )
    return Night(config, drop, tmp_path / "scan")
