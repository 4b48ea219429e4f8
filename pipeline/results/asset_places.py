"""Where the assets of a stored run lay when they were screened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.drops.places import Place, place


def asset_place(run: Mapping[str, Any], asset_path: str) -> Place | None:
    """Where the asset of that path lay when it was screened; None if the run does not say.

    Args:
        run: run.json, of a run over one drop or of a nightly scan over several.
        asset_path: as in its tables.
    """
    drops = run.get("drops")
    if isinstance(drops, dict):
        name, _, rest = asset_path.partition("/")
        drop = drops.get(name)
        return place(drop) / rest if isinstance(drop, str) else None
    drop = run.get("drop")
    if not isinstance(drop, str):
        return None
    where = place(drop)
    return where if isinstance(where, Path) and where.is_file() else where / asset_path


def drop_places(run: Mapping[str, Any]) -> list[str]:
    """The drops that a run screened, as far as it says."""
    drops = run.get("drops")
    places = [*drops.values()] if isinstance(drops, dict) else [run.get("drop")]
    return [one for one in places if isinstance(one, str)]
