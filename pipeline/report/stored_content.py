"""Pictures and texts of a stored run: of assets, from their files if these are unchanged; of
works, from what the index keeps of them.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from pipeline.core.errors import RunError, ScreeningError
from pipeline.core.records import Asset, Fault, Kind
from pipeline.core.wording.text import visible
from pipeline.load.loaded import Loaded, LoadedImage, LoadedScript
from pipeline.load.opening import digest_of, open_regular
from pipeline.load.refusal import FileRefusedError
from pipeline.load.workers.pool import load_in_worker
from pipeline.report.overlay import picture_of
from pipeline.report.overlay_drawing import Picture
from pipeline.results.inputs import asset_place, load_limits, searched_index

if TYPE_CHECKING:
    from reference_index.store import ReferenceIndex

EDGE = 480
"""Longer side of a picture for a notebook, in pixels."""


class StoredTexts:
    """The texts of one script of a run and of the works that it was compared with.

    Nothing here raises: a text that is gone or was changed is None.

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
        if self._row["kind"] != Kind.SCRIPT:
            return None
        try:
            loaded = _screened_asset(self._run, self._row)
        except RunError:
            return None
        return loaded.text if isinstance(loaded, LoadedScript) else None

    @cached_property
    def _index(self) -> ReferenceIndex | None:
        return searched_index(self._run)


def asset_image(run: Mapping[str, Any], row: Mapping[str, Any]) -> LoadedImage:
    """The decoded picture of a row, from the file that was screened.

    Raises:
        RunError: if the file is gone, has other content than was screened, or can't be decoded.
    """
    loaded = _screened_asset(run, row)
    if not isinstance(loaded, LoadedImage):
        why = loaded.detail if isinstance(loaded, Fault) else "it is no picture"
        raise RunError(f"The picture can't be drawn: {visible(row['asset_path'])}: {why}.")
    return loaded


def work_thumbnail(
    run: Mapping[str, Any], work_id: str, path: str | None
) -> tuple[Picture | None, str]:
    """The picture that the index keeps of a file of a work; None and why, if there is none."""
    gone = "The index that was searched is not there as it was, so the work is not shown."
    index = searched_index(run)
    if index is None:
        return None, gone
    try:
        files = [f for f in index.files if (f.work_id, f.path) == (work_id, path)]
        if len(files) != 1:
            # The same path was registered with other bytes: which it was is unknown.
            return None, "The index has not one file of that name of the work, so it is not shown."
        thumbnail = index.content(files[0]).thumbnail
    except (ScreeningError, OSError):
        return None, gone
    return (picture_of(thumbnail) if thumbnail else None), ""


def asset_png(run: Mapping[str, Any], row: Mapping[str, Any], edge: int = EDGE) -> bytes:
    """The first frame of an asset as a PNG, its longer side at most `edge` pixels.

    Raises:
        RunError: as in `asset_image`.
    """
    return _png(asset_image(run, row).frames[0], edge)


def work_png(
    run: Mapping[str, Any], work_id: str, file: str, edge: int = EDGE
) -> tuple[bytes | None, str]:
    """`work_thumbnail` as a PNG, its longer side at most `edge` pixels; None and why, if there is
    none.
    """
    picture, why = work_thumbnail(run, work_id, file)
    if picture is None:
        return None, why or "The index keeps no picture of the work."
    return _png(picture, edge), ""


def _screened_asset(run: Mapping[str, Any], row: Mapping[str, Any]) -> Loaded | Fault:
    """Loads an asset from the file that was screened; the errors' sentences are for pictures."""
    path = visible(row["asset_path"])
    file = asset_place(run, row["asset_path"])
    if file is None:
        raise RunError("The run does not say which drop it screened, so the asset can't be found.")
    if not isinstance(file, Path):
        raise RunError(
            f"The overlay can't be drawn: {path} lies in object storage, and nothing is fetched to "
            "explain a run; copy the drop to this machine and screen it here."
        )
    try:
        with open_regular(file) as stream:
            # The size is compared first, because a changed file may be too large to read.
            size = row.get("size")
            same = size in (None, stream.seek(0, 2)) and digest_of(stream)[0] == row["asset_id"]
    except (FileRefusedError, OSError, ValueError) as error:
        reason = error.fault.detail if isinstance(error, FileRefusedError) else _reason(error)
        raise RunError(
            f"The picture can't be drawn: {path} can't be read in the drop (as "
            f"{visible(str(file))}: {reason})."
        ) from error
    if not same:
        raise RunError(
            f"The picture can't be drawn: {path} in the drop (as {visible(str(file))}) has other "
            "content than was screened."
        )
    asset = Asset(file, row["asset_path"], row["asset_id"], Kind(row["kind"]), row.get("size"))
    return load_in_worker(asset, load_limits(run))


def _reason(error: OSError | ValueError) -> str:
    return str(getattr(error, "strerror", None) or error)


def _png(picture: Picture, edge: int) -> bytes:
    small = Image.fromarray(picture)
    small.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    return buffer.getvalue()
