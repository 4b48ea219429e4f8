"""A drop, on this machine or in object storage: listed first, then read entry by entry.

with open_drop(place, max_file_bytes, settings) as drop:
    entries = list(drop.list_entries())
    for row in drop.rows(entries, lambda assets: screen_assets(assets, …)):
        ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar, cast

from pipeline.core.records import Asset
from pipeline.drops.discover import Entry, FileEntry, identify, list_drop
from pipeline.drops.places import Place
from pipeline.drops.settings import ObjectStorage

Row = TypeVar("Row")
Judge = Callable[[Iterator[Asset]], Iterable[Row]]
"""Makes one row of each asset, in order. An asset's file may be deleted once the row after its own
is requested."""


class OpenDrop(Protocol):
    """A drop that is open."""

    def list_entries(self) -> Iterator[Entry]:
        """Lists the drop anew: its entries in the order of their paths."""

    def rows(self, entries: Iterable[Entry], judge: Judge[Row]) -> Iterator[Row]:
        """Reads the entries and passes their assets to `judge`: one row for each, in order."""


@contextmanager
def open_drop(drop: Place, max_file_bytes: int, settings: ObjectStorage) -> Iterator[OpenDrop]:
    """A drop, open for listing and reading.

    Raises:
        DropError: at once, or by `list_entries`, if it can't be used.
    """
    if isinstance(drop, Path):
        yield _LocalDrop(drop, max_file_bytes)
        return
    # Imported here: only for a drop in object storage.
    from pipeline.drops.object_drop import open_object_drop

    with open_object_drop(drop, max_file_bytes, settings) as object_drop:
        yield object_drop


class _LocalDrop:
    def __init__(self, drop: Path, max_bytes: int) -> None:
        self._drop, self._max_bytes = drop, max_bytes

    def list_entries(self) -> Iterator[FileEntry]:
        return list_drop(self._drop)

    def rows(self, entries: Iterable[Entry], judge: Judge[Row]) -> Iterator[Row]:
        files = cast(Iterable[FileEntry], entries)
        yield from judge(identify(entry, self._max_bytes) for entry in files)
