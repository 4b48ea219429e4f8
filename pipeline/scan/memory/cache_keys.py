"""Cache keys: a cached value is used again only under the same key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
"""Distributions whose version can change the result of loading."""


def content_of(asset: Asset) -> str | None:
    """The key of an asset's content: SHA-256 of its bytes, and the suffix of its name, since that
    decides how text is read. None if its bytes could not be read.
    """
    if asset.asset_id is None:
        return None
    name = asset.asset_path.rpartition("/")[2]
    dot = name.rfind(".")  # as pathlib does, but much faster
    suffix = name[dot:] if 0 < dot < len(name) - 1 else ""
    return asset.asset_id + suffix.lower()


@dataclass(frozen=True)
class CacheKeys:
    """The cache keys of one scan.

    Attributes:
        load: of loaded pixels and text.
        specs: by name of each stage that runs, of its fingerprints.
        search: by kind of asset, of its outcomes, without the index.
        rows: of rows of the table, without the index.
    """

    load: str
    specs: dict[str, str]
    search: dict[str, str]
    rows: str


def cache_keys_of(runners: Sequence[StageRunner], config: Config) -> CacheKeys:
    """The cache keys of a scan with these stages and this configuration."""
    version = installed("clearance")
    load = json_digest(
        {
            "limits": config.limits.model_dump(mode="json"),
            "edge": WORKING_EDGE,
            "decoders": {name: installed(name) for name in DECODERS},
            "clearance": version,
        }
    )
    search = {}
    for kind in (Kind.IMAGE, Kind.SCRIPT):
        stages = {
            runner.name: {
                "settings": runner.settings.model_dump(mode="json"),
                "spec": runner.stage.spec.digest() if runner.stage is not None else None,
                "absent": runner.absent.detail if runner.absent is not None else None,
            }
            for runner in runners
            if runner.kind is kind
        }
        search[str(kind)] = json_digest(
            {
                "load": load,
                "stages": stages,
                "others": sorted(runner.name for runner in runners if runner.kind is not kind),
                "candidates": CANDIDATES,
                "clearance": version,
            }
        )
    return CacheKeys(
        load=load,
        specs={r.name: r.stage.spec.digest() for r in runners if r.stage is not None},
        search=search,
        rows=json_digest({"search": search, "config": config.fingerprint(), "clearance": version}),
    )
