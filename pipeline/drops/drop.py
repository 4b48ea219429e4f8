"""A drop, wherever it lies: listed first, then read entry by entry on the way to its rows.

    with open_drop(place, max_file_bytes, settings) as drop:
        entries = list(drop.list_entries())
        for row in drop.rows(entries, lambda assets: screen_assets(assets, …)):
            ...

Objects are fetched once, some at a time, into a temporary folder of bounded size, and deleted as
soon as they are judged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeVar, cast

from pipeline.core.errors import DropError, Reason
from pipeline.core.records import Asset, Fault
from pipeline.core.wording.visible import visible
from pipeline.drops.discover import Entry, FileEntry, asset_of, identify, list_drop, text_of_path
from pipeline.drops.object_storage import ChangedError, Storage, StoredObject
from pipeline.drops.places import ObjectPlace, Place
from pipeline.drops.settings import ObjectStorage
from pipeline.drops.spool import file_name, spool
from pipeline.drops.storage_errors import StorageError
from pipeline.load.formats import kind_by_name
from pipeline.load.opening import unreadable
from pipeline.load.refusal import too_large

AT_ONCE = 8
"""Objects that are fetched at the same time."""

Row = TypeVar("Row")
Judge = Callable[[Iterator[Asset]], Iterable[Row]]
"""Makes rows of assets: one of each, in their order. An asset's file may be gone once the row after
it is asked for."""


class OpenDrop(Protocol):
    """A drop that is open."""

    def list_entries(self) -> Iterator[Entry]:
        """Its entries in the order of their paths, asked for afresh."""

    def rows(self, entries: Iterable[Entry], judge: Judge[Row]) -> Iterator[Row]:
        """The rows that `judge` makes of these entries' assets, in order, one for each entry."""


@contextmanager
def open_drop(where: Place, max_file_bytes: int, settings: ObjectStorage) -> Iterator[OpenDrop]:
    """A drop, open for listing and reading.

    Raises:
        DropError: at once, or by `list_entries`, if it can't be used.
    """
    if isinstance(where, Path):
        yield _LocalDrop(where, max_file_bytes)
        return
    with Storage(settings) as storage, spool() as folder:
        drop = _ObjectDrop(where, storage, folder, max_file_bytes, settings.spool_bytes)
        try:
            yield drop
        finally:
            drop.stop()


class _LocalDrop:
    def __init__(self, where: Path, max_bytes: int) -> None:
        self._where, self._max_bytes = where, max_bytes

    def list_entries(self) -> Iterator[FileEntry]:
        return list_drop(self._where)

    def rows(self, entries: Iterable[Entry], judge: Judge[Row]) -> Iterator[Row]:
        files = cast(Iterable[FileEntry], entries)
        yield from judge(identify(entry, self._max_bytes) for entry in files)


@dataclass(frozen=True, slots=True)
class ObjectEntry(Entry):
    """An entry of a drop in object storage.

    Attributes:
        found: the object.
    """

    found: StoredObject


class _ObjectDrop:
    def __init__(
        self,
        where: ObjectPlace,
        storage: Storage,
        folder: Path,
        max_file_bytes: int,
        spool_bytes: int,
    ) -> None:
        self._where, self._storage, self._folder = where, storage, folder
        self._limit = max_file_bytes
        self._room = spool_bytes
        self._held: dict[Path, int] = {}
        self._number = 0
        self._lock = Lock()  # rows may be taken on another thread than assets are asked for
        self._coming: deque[tuple[ObjectEntry, Path, Future[None] | None]] = deque()

    def list_entries(self) -> Iterator[ObjectEntry]:
        bucket, prefix, key = self._where.bucket, self._where.prefix, self._where.key
        try:
            # An object of that very key comes first of those that begin with it.
            alone = [] if key in ("", prefix) else self._storage.listing(bucket, key, most=1)
            alone = [found for found in alone if found.key == key]
            below = self._storage.listing(bucket, prefix)
        except StorageError as error:
            raise DropError(
                f"The drop {visible(str(self._where))} can't be listed: {error}."
            ) from error
        if alone and below:
            raise DropError(
                f"{visible(str(self._where))} is an object and has others below it; end it with / "
                "to screen those."
            )
        if prefix and not alone and not below:
            raise DropError(
                f"There is nothing at {visible(str(self._where))}; name a bucket, a prefix that "
                "keys begin with, or an object."
            )
        if alone:
            return iter([_entry(alone[0], self._where.name)])
        # A key of no bytes that ends in / is how a console shows an empty folder.
        objects = (found for found in below if found.size or not found.key.endswith("/"))
        entries = [_entry(found, found.key[len(prefix) :]) for found in objects]
        return iter(sorted(entries, key=lambda entry: entry.asset_path))

    def rows(self, entries: Iterable[Entry], judge: Judge[Row]) -> Iterator[Row]:
        waiting = deque(cast(Iterable[ObjectEntry], entries))
        while waiting or self._coming:
            # A group ends when the spool is full. What is on its way through `judge` is then
            # judged and deleted, and the next group begins with an empty spool.
            given: deque[Asset] = deque()
            for row in judge(self._group(waiting, given)):
                yield row
                self._release(given.popleft().file)

    def stop(self) -> None:
        """Ends what is still being fetched."""
        for _, _, coming in self._coming:
            if coming is not None:
                coming.cancel()

    def _group(self, waiting: deque[ObjectEntry], given: deque[Asset]) -> Iterator[Asset]:
        while True:
            while waiting and len(self._coming) < AT_ONCE and self._begins(waiting[0]):
                waiting.popleft()
            if not self._coming:
                return
            entry, file, coming = self._coming.popleft()
            asset = self._arrived(entry, file, coming)
            if asset.fault is not None:
                self._release(file)
                asset = replace(asset, size=entry.size)
            given.append(asset)
            yield asset

    def _begins(self, entry: ObjectEntry) -> bool:
        """Begins to fetch an object, unless there is no room for it yet."""
        size = entry.found.size
        file = self._folder / file_name(self._number, entry.found.key)
        if size > self._limit:
            self._coming.append((entry, file, None))
        else:
            with self._lock:
                # One that is larger than the room must have the spool for itself.
                if self._held and sum(self._held.values()) + size > self._room:
                    return False
                self._held[file] = size
            fetching = self._storage.fetch(self._where.bucket, entry.found, file)
            self._coming.append((entry, file, fetching))
        self._number += 1
        return True

    def _arrived(self, entry: ObjectEntry, file: Path, coming: Future[None] | None) -> Asset:
        try:
            if coming is None:
                size, limit = entry.found.size, self._limit
                fault = too_large("the file", size, "bytes", limit, "max_file_bytes").fault
            else:
                coming.result()
                return asset_of(file, entry.asset_path)
        except ChangedError:
            fault = Fault(
                Reason.UNREADABLE,
                "the object changed while it was being screened; screen it again when it is at "
                "rest",
            )
        except StorageError as error:
            fault = Fault(Reason.UNREADABLE, f"the object can't be read: {error}")
        except OSError as error:
            fault = unreadable(error, "the copy of the object in the temporary folder").fault
        return Asset(file, entry.asset_path, None, kind_by_name(file.name), None, fault)

    def _release(self, file: Path) -> None:
        file.unlink(missing_ok=True)
        with self._lock:
            self._held.pop(file, None)


def _entry(found: StoredObject, path: str) -> ObjectEntry:
    stamp = f"s3:{found.size}:{found.etag}:{found.modified}" if found.etag else None
    return ObjectEntry(text_of_path(path), found.size, stamp, found.modified, found)
