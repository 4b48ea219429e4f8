"""Texts that a stored run speaks of, where they are still what they were when it ran."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import ScreeningError
from pipeline.core.records import Asset, Kind
from pipeline.load.loaded import LoadedScript
from pipeline.results.inputs import asset_place, load_limits, searched_index

if TYPE_CHECKING:
    from reference_index.store import ReferenceIndex


class StoredTexts:
    """The texts of one script of a run and of the works that it was compared with.

    Nothing here raises: a text that is gone or was changed is None, and offsets are shown alone.

    Args:
        run: run.json; `drop`, `config.limits`, `index.path`, `index.version` and `index.digest`
            are used.
        row: the asset's row of the risk table.
    """

    def __init__(self, run: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        self._run = run
        self._row = row

    def asset(self) -> str | None:
        """The asset's text, if the file in the drop still has the bytes that were screened."""
        return self._asset_text

    def work(self, work_id: str, work_file: str) -> str | None:
        """The text kept of a file of a work, if the index still has the version searched."""
        index = self._index
        if index is None:
            return None
        try:
            for file in index.files:
                if (file.work_id, file.path) == (work_id, work_file):
                    return index.content(file).text
        except (ScreeningError, OSError):
            return None
        return None

    @cached_property
    def _asset_text(self) -> str | None:
        path: str = self._row["asset_path"]
        file = asset_place(self._run, path) if self._row["kind"] == Kind.SCRIPT else None
        if not isinstance(file, Path):
            return None  # from object storage nothing is fetched to explain a run
        try:
            if not file.is_file():  # opening a pipe would wait for ever
                return None
            with file.open("rb") as opened:
                if hashlib.file_digest(opened, "sha256").hexdigest() != self._row["asset_id"]:
                    return None
        except (OSError, ValueError):
            return None
        from pipeline.load.workers.pool import load_in_worker

        asset = Asset(file, path, self._row["asset_id"], Kind.SCRIPT, self._row.get("size"))
        loaded = load_in_worker(asset, load_limits(self._run))
        return loaded.text if isinstance(loaded, LoadedScript) else None

    @cached_property
    def _index(self) -> ReferenceIndex | None:
        return searched_index(self._run)
