"""The pictures of an item: the asset, the work, and the work warped onto the asset.

Every picture is re-encoded from decoded pixels: of the asset, from its file in the drop if that
still holds the bytes that were screened; of the work, from the thumbnail in the index. A file
itself is never served.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.core.errors import RunError, ScreeningError
from pipeline.core.wording.text import visible
from pipeline.load.loaded import LoadedImage
from pipeline.report.overlap import Overlap, Placement, overlap_of, placement
from pipeline.report.overlay import frame_of
from pipeline.report.overlay_drawing import (
    Picture,
    matched_brightness,
    outline,
    polygon_mask,
    resized,
    warped,
)
from pipeline.report.row_view import work_file
from pipeline.report.stored_content import asset_image, work_thumbnail

EDGE = 1600
"""Longer side of a served picture at most, in pixels."""

CONTENT_TYPE = "image/webp"
_QUALITY, _EFFORT = 90, 1
_CACHED_PICTURES, _CACHED_ENCODED = 6, 48


@dataclass(frozen=True, slots=True)
class Sides:
    """What can be shown of an asset and a work side by side.

    Attributes:
        asset, work: width and height in pixels; None if there is no picture.
        why_no_asset, why_no_work: why there is none, in a sentence.
    """

    asset: tuple[int, int] | None
    work: tuple[int, int] | None
    why_no_asset: str
    why_no_work: str


class Pictures:
    """The pictures of one run, with a cache of the last ones; thread-safe.

    Args:
        run: run.json.
    """

    def __init__(self, run: Mapping[str, Any]) -> None:
        self._run = run
        # One picture is decoded at a time, because each may take some hundred MB.
        self._decoding = threading.Lock()
        self._pictures: OrderedDict[tuple[object, ...], Picture | RunError] = OrderedDict()
        self._encoded: OrderedDict[tuple[object, ...], bytes] = OrderedDict()

    def sides(self, row: Mapping[str, Any], match: Mapping[str, Any] | None) -> Sides:
        """What can be shown of a row and of its match with one work.

        Args:
            row: of the risk table.
            match: of matches.parquet; None if the row has none.
        """
        overlap = overlap_of(match) if match is not None else None
        with self._decoding:
            asset, why_no_asset = _picture_or_reason(lambda: self._asset(row, overlap))
            if match is None:
                work, why_no_work = None, ""
            else:
                work, why_no_work = _picture_or_reason(lambda: self._work(match))
        return Sides(
            asset=_size(asset),
            work=_size(work),
            why_no_asset=why_no_asset,
            why_no_work=why_no_work,
        )

    def asset(self, row: Mapping[str, Any], match: Mapping[str, Any] | None) -> bytes:
        """The asset as WebP: the frame in which the work was found, or the first.

        Raises:
            RunError: if it can't be shown; the sentence says why.
        """
        overlap = overlap_of(match) if match is not None else None
        key = ("asset", row["asset_path"], overlap.frame if overlap is not None else None)
        return self._served(key, lambda: self._asset(row, overlap))

    def work(self, match: Mapping[str, Any]) -> bytes:
        """The work as WebP, in the size of the thumbnail in the index.

        Raises:
            RunError: if the index keeps no picture of it, or is not the one that was searched.
        """
        key = ("work", match["work_id"], work_file(match))
        return self._served(key, lambda: self._work(match))

    def laid(
        self, row: Mapping[str, Any], match: Mapping[str, Any], *, even: bool = False
    ) -> bytes:
        """The work warped onto the asset as WebP, of the asset's size, transparent around the work.

        Args:
            row, match: the pair. Where the asset is a negative the work is inverted.
            even: whether the work is made as bright and as rich in contrast as the asset.

        Raises:
            RunError: if one of the two can't be shown, or no place of the work was verified.
        """
        key = ("laid", row["asset_path"], match["work_id"], even)
        return self._served(key, lambda: self._laid(row, match, even))

    def _served(self, key: tuple[object, ...], make: Callable[[], NDArray[np.uint8]]) -> bytes:
        with self._decoding:
            encoded = self._encoded.get(key)
            if encoded is None:
                encoded = _webp(make())
            _keep(self._encoded, key, encoded, _CACHED_ENCODED)
            return encoded

    def _asset(self, row: Mapping[str, Any], overlap: Overlap | None) -> Picture:
        number = overlap.frame if overlap is not None else None

        def make() -> Picture:
            image: LoadedImage = asset_image(self._run, row)
            frame = image.frames[0] if number is None else frame_of(image, number)
            if frame is None:
                raise RunError(
                    f"Frame {(number or 0) + 1:,} of {visible(row['asset_path'])} is not among "
                    "those that are looked at."
                )
            return _bounded(frame)

        return self._made(("asset", row["asset_path"], number), make)

    def _work(self, match: Mapping[str, Any]) -> Picture:
        file = work_file(match)

        def make() -> Picture:
            picture, why = work_thumbnail(self._run, match["work_id"], file)
            if picture is None:
                raise RunError(why or "The index keeps no picture of the work.")
            return _bounded(picture)

        return self._made(("work", match["work_id"], file), make)

    def _laid(
        self, row: Mapping[str, Any], match: Mapping[str, Any], even: bool
    ) -> NDArray[np.uint8]:
        overlap = overlap_of(match)
        placed = placement(overlap.transform) if overlap is not None else None
        if overlap is None or not isinstance(placed, Placement):
            raise RunError("No place of this work in the asset was verified that could be drawn.")
        asset, work = self._asset(row, overlap), self._work(match)
        return laid_onto(asset, work, placed, negative=overlap.negative, even=even)

    def _made(self, key: tuple[object, ...], make: Callable[[], Picture]) -> Picture:
        picture = self._pictures.get(key)
        if picture is None:
            try:
                picture = make()
            except RunError as error:
                picture = error
            except (ScreeningError, OSError) as error:
                picture = RunError(f"The picture can't be shown: {error}")
        _keep(self._pictures, key, picture, _CACHED_PICTURES)
        if isinstance(picture, RunError):
            # Errors are not cached, because the file may be restored.
            self._pictures.pop(key)
            raise picture
        return picture


def laid_onto(
    asset: Picture, work: Picture, placed: Placement, *, negative: bool, even: bool
) -> NDArray[np.uint8]:
    """The work warped onto the asset: RGBA of the asset's size, alpha 0 outside the work."""
    height, width = asset.shape[:2]
    points = outline(placed.in_asset, width, height)
    inside = polygon_mask(points, width, height)
    laid = warped(255 - work if negative else work, placed.matrix, width, height)
    if even:
        laid, _ = matched_brightness(laid, asset, inside > 127)
    return np.dstack([laid, inside])


def _bounded(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    scale = EDGE / max(width, height)
    if scale >= 1:
        return picture
    return resized(picture, max(1, round(width * scale)), max(1, round(height * scale)))


def _webp(picture: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", quality=_QUALITY, method=_EFFORT)
    return buffer.getvalue()


def _picture_or_reason(make: Callable[[], Picture]) -> tuple[Picture | None, str]:
    try:
        return make(), ""
    except RunError as error:
        return None, str(error)


def _size(picture: Picture | None) -> tuple[int, int] | None:
    return (picture.shape[1], picture.shape[0]) if picture is not None else None


def _keep(cache: OrderedDict[Any, Any], key: object, value: object, size: int) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > size:
        cache.popitem(last=False)
