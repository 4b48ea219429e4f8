"""The inputs of a stored run, from its run.json: assets, drops, limits and the index searched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import ScreeningError
from pipeline.drops.places import Place, place

if TYPE_CHECKING:
    from pipeline.load.limits import Limits
    from reference_index.store import ReferenceIndex


def asset_place(run: Mapping[str, Any], asset_path: str) -> Place | None:
    """Where an asset was when it was screened; None if the run does not say.

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
    root = place(drop)
    return root if isinstance(root, Path) and root.is_file() else root / asset_path


def drop_places(run: Mapping[str, Any]) -> list[str]:
    """The drops that a run screened, as far as it says."""
    drops = run.get("drops")
    places = [*drops.values()] if isinstance(drops, dict) else [run.get("drop")]
    return [one for one in places if isinstance(one, str)]


def index_path(run: Mapping[str, Any]) -> str | None:
    """The path of the index that a run searched; None if the run does not say."""
    index = run.get("index")
    path = index.get("path") if isinstance(index, dict) else None
    return path if isinstance(path, str) else None


def searched_index(run: Mapping[str, Any]) -> ReferenceIndex | None:
    """The index in the version that a run searched; None if it is gone or its digest differs."""
    from reference_index.store import ReferenceIndex

    path = index_path(run)
    if path is None:
        return None
    searched = run["index"]
    try:
        index = ReferenceIndex.open(Path(path), searched.get("version"))
    except (ScreeningError, OSError):
        return None
    return index if index.digest == searched.get("digest") else None


def load_limits(run: Mapping[str, Any]) -> Limits:
    """The limits that assets were loaded with; the defaults if another version stored its own."""
    from pipeline.load.limits import Limits

    config = run.get("config")
    stored = config.get("limits") if isinstance(config, dict) else None
    try:
        return Limits.model_validate(stored or {})
    except ValueError:
        return Limits()
