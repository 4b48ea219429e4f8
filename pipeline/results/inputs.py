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
    """Where the asset of that path lay when it was screened; None if the run does not say.

    Args:
        run: run.json, of a run over one drop or of a nightly scan over several.
        asset_path: as in its tables.
    """
    found = drop_of(run, asset_path)
    if found is None:
        return None
    name, drop = found
    where = place(drop)
    if name:
        return where / asset_path.partition("/")[2]
    return where if isinstance(where, Path) and where.is_file() else where / asset_path


def drops_of(run: Mapping[str, Any]) -> dict[str, str]:
    """The drops that a run screened, as far as it says: by name, their places.

    Args:
        run: run.json. A nightly scan's drops have names; that of a run over one drop has the name
            "".
    """
    drops = run.get("drops")
    named = drops if isinstance(drops, dict) else {"": run.get("drop")}
    return {name: where for name, where in named.items() if isinstance(where, str)}


def drop_of(run: Mapping[str, Any], asset_path: str) -> tuple[str, str] | None:
    """The drop that an asset lay in: its name and its place; None if the run does not say."""
    name = asset_path.partition("/")[0] if isinstance(run.get("drops"), dict) else ""
    where = drops_of(run).get(name)
    return (name, where) if where is not None else None


def drop_places(run: Mapping[str, Any]) -> list[str]:
    """Where the drops lie that a run screened, as far as it says."""
    return [*drops_of(run).values()]


def index_path(run: Mapping[str, Any]) -> str | None:
    """The path of the index that a run searched; None if the run does not say."""
    index = run.get("index")
    path = index.get("path") if isinstance(index, dict) else None
    return path if isinstance(path, str) else None


def work_aliases(run: Mapping[str, Any]) -> dict[str, str]:
    """By former id of a work, the id that it had in the index that a run searched; none in a run of
    an earlier release."""
    index = run.get("index")
    aliases = index.get("aliases") if isinstance(index, dict) else None
    return {str(old): str(new) for old, new in (aliases or {}).items()}


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
