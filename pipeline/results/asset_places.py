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
    found = drop_of(run, asset_path)
    if found is None:
        return None
    name, drop = found
    where = place(drop)
    if name:
        return where / asset_path.partition("/")[2]
    return where if isinstance(where, Path) and where.is_file() else where / asset_path


def drops_of(run: Mapping[str, Any]) -> dict[str, str]:
    """The drops that a run screened, as far as it says: by name, where they lie.

    Args:
        run: run.json. A nightly scan's drops have names; that of a run over one drop has the name
            "".
    """
    drops = run.get("drops")
    named = drops if isinstance(drops, dict) else {"": run.get("drop")}
    return {name: where for name, where in named.items() if isinstance(where, str)}


def drop_of(run: Mapping[str, Any], asset_path: str) -> tuple[str, str] | None:
    """The drop that an asset lay in: its name and where it lies; None if the run does not say."""
    name = asset_path.partition("/")[0] if isinstance(run.get("drops"), dict) else ""
    where = drops_of(run).get(name)
    return (name, where) if where is not None else None


def drop_places(run: Mapping[str, Any]) -> list[str]:
    """Where the drops lie that a run screened, as far as it says."""
    return [*drops_of(run).values()]
