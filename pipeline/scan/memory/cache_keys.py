"""What each kept value depends on, as keys: it is used again only where its key is the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.environment import installed
from pipeline.core.records import Asset, Kind
from pipeline.load.loaded import WORKING_EDGE
from pipeline.screening.config import Config
from pipeline.screening.stage_runner import CANDIDATES, StageRunner
from reference_index.canonical_json import json_digest

DECODERS = (
    "charset-normalizer",
    "defusedxml",
    "opencv-python-headless",
    "pillow",
    "pypdfium2",
)
"""Distributions whose version can change what loading gives."""


def key_of(**parts: Any) -> str:
    """SHA-256 (hex) of JSON values, by name."""
    return json_digest(parts)


def content_of(asset: Asset) -> str | None:
    """What names an asset's content: its bytes, and the end of its name, by which text is read.

    None if its bytes could not be read.
    """
    if asset.asset_id is None:
        return None
    name = asset.asset_path.rpartition("/")[2]
    dot = name.rfind(".")  # as in pathlib, which takes longer over it than all the rest
    suffix = name[dot:] if 0 < dot < len(name) - 1 else ""
    return asset.asset_id + suffix.lower()


@dataclass(frozen=True)
class CacheKeys:
    """The keys of one scan.

    Attributes:
        load: of pixels and text.
        specs: by stage that runs, of its fingerprints.
        search: by kind of asset, of its outcomes, the index left out.
        rows: of rows of the table, the index left out.
    """

    load: str
    specs: dict[str, str]
    search: dict[str, str]
    rows: str


def cache_keys_of(runners: Sequence[StageRunner], config: Config) -> CacheKeys:
    """The keys of a scan by these stages under this configuration."""
    version = installed("clearance")
    load = key_of(
        limits=config.limits.model_dump(mode="json"),
        edge=WORKING_EDGE,
        decoders={name: installed(name) for name in DECODERS},
        clearance=version,
    )
    search = {}
    for kind in (Kind.IMAGE, Kind.SCRIPT):
        search[str(kind)] = key_of(
            load=load,
            stages={
                runner.name: {
                    "settings": runner.settings.model_dump(mode="json"),
                    "spec": runner.stage.spec.digest() if runner.stage is not None else None,
                    "absent": runner.absent.detail if runner.absent is not None else None,
                }
                for runner in runners
                if runner.kind is kind
            },
            others=sorted(runner.name for runner in runners if runner.kind is not kind),
            candidates=CANDIDATES,
            clearance=version,
        )
    return CacheKeys(
        load=load,
        specs={b.name: b.stage.spec.digest() for b in runners if b.stage is not None},
        search=search,
        rows=key_of(search=search, config=config.fingerprint(), clearance=version),
    )
