"""Small pictures of assets and works for the queue, each made when a browser first asks for it.

The page loads them lazily, so only what is looked at is ever decoded: one at a time, apart from the
pictures of an item that somebody has open, with few requests waiting for it, and each kept.
"""

from __future__ import annotations

import io
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from PIL import Image

from pipeline.core.errors import RunError, ScreeningError
from pipeline.report.overlay_drawing import Picture
from pipeline.report.row_view import work_file
from pipeline.report.stored_content import asset_image, work_thumbnail

EDGE = 320
"""Longer side of a thumbnail at most, in pixels."""

KEPT = 2000
"""Thumbnails that are kept in memory, some 10 kB each."""

MAX_WAITING = 12
"""Requests that may wait for a thumbnail to be made. Each blocks one of the server's 40 threads,
and decisions need some."""

ABSENT_SECONDS = 60.0
"""How long it is remembered that there is no picture: finding out reads the whole file."""

_QUALITY, _EFFORT = 80, 1


class BusyError(Exception):
    """So many thumbnails are being waited for that this one was not made; ask again."""


class Thumbnails:
    """The thumbnails of one run; thread-safe.

    Args:
        run: run.json.
        clock: a monotonic clock, seconds.
    """

    def __init__(self, run: Mapping[str, Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._run = run
        self._clock = clock
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MAX_WAITING)
        self._kept: OrderedDict[tuple[str, ...], bytes] = OrderedDict()
        self._absent: OrderedDict[tuple[str, ...], tuple[float, str]] = OrderedDict()

    def asset(self, row: Mapping[str, Any]) -> bytes:
        """The asset's first frame as WebP, as it was screened: files of the same bytes share one.

        Args:
            row: of the risk table, a picture's.

        Raises:
            RunError: if it can't be shown; the sentence says why.
            BusyError: if too many are being waited for.
        """
        key = ("asset", row["asset_id"] or f"path:{row['asset_path']}")
        return self._thumbnail(key, lambda: asset_image(self._run, row).frames[0])

    def work(self, match: Mapping[str, Any]) -> bytes:
        """The picture that the index keeps of a work, as WebP. It raises as `asset` does."""

        def make() -> Picture:
            picture, why = work_thumbnail(self._run, match["work_id"], work_file(match))
            if picture is None:
                raise RunError(why or "The index keeps no picture of the work.")
            return picture

        return self._thumbnail(("work", match["work_id"], work_file(match) or ""), make)

    def _thumbnail(self, key: tuple[str, ...], make: Callable[[], Picture]) -> bytes:
        if (kept := self._known(key)) is not None:
            return kept
        with self._turn():
            if (kept := self._known(key)) is not None:  # made while this request waited
                return kept
            try:
                made = _webp(make())
            except (ScreeningError, OSError) as error:
                with self._lock:
                    self._absent[key] = (self._clock() + ABSENT_SECONDS, str(error))
                    _shorten(self._absent)
                raise RunError(str(error)) from error
            with self._lock:
                self._kept[key] = made
                _shorten(self._kept)
            return made

    def _known(self, key: tuple[str, ...]) -> bytes | None:
        """The thumbnail if it is kept.

        Raises:
            RunError: if it is known that there is none.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            until, why = self._absent.get(key, (0.0, ""))
        if why and self._clock() < until:
            raise RunError(why)
        return None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._waiting.acquire(blocking=False):
            raise BusyError
        try:
            with self._making:
                yield
        finally:
            self._waiting.release()


def _webp(picture: Picture) -> bytes:
    small = Image.fromarray(picture)
    # `reducing_gap` makes a large picture small in two steps, the first of them cheap.
    small.thumbnail((EDGE, EDGE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=_QUALITY, method=_EFFORT)
    return buffer.getvalue()


def _shorten(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > KEPT:
        kept.popitem(last=False)
