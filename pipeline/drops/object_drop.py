"""A drop in object storage.

Objects are fetched once, several at a time, into a temporary folder of bounded size (`spool`), and
deleted as soon as they are screened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TypeVar, cast

from pipeline.core.errors import DropError, Reason
from pipeline.core.records import Asset, Fault
from pipeline.core.wording.text import visible
from pipeline.drops.discover import Entry, asset_of, text_of_path
from pipeline.drops.object_storage import ChangedError, Storage, StoredObject
from pipeline.drops.places import ObjectPlace
from pipeline.drops.settings import ObjectStorage
from pipeline.drops.spool import file_name, spool
from pipeline.drops.storage_errors import StorageError
from pipeline.load.formats import kind_by_name
from pipeline.load.opening import unreadable
from pipeline.load.refusal import too_large

Row = TypeVar("Row")
Judge = Callable[[Iterator[Asset]], Iterable[Row]]  # as in `drop`

MAX_FETCHES = 8
"""Objects that are fetched at the same time."""


@dataclass(frozen=True, slots=True)
class ObjectEntry(Entry):
    """An entry of a drop in object storage.

    Attributes:
        stored: the object, as listed.
    """

    stored: StoredObject


@dataclass(frozen=True, slots=True)
class _Fetch:
    """An object that is being fetched, and the file it is written to.

    `done` is None for an object over the size limit, which is not fetched.
    """

    entry: ObjectEntry
    file: Path
    done: Future[None] | None


@contextmanager
def open_object_drop(
    drop: ObjectPlace, max_file_bytes: int, settings: ObjectStorage
) -> Iterator[ObjectDrop]:
    """A drop in object storage, open for listing and reading.

    Raises:
        DropError: if the client or the temporary folder can't be made.
    """
    with Storage(settings) as storage, spool() as folder:
        object_drop = ObjectDrop(drop, storage, folder, max_file_bytes, settings.spool_bytes)
        try:
            yield object_drop
        finally:
            object_drop.cancel()


class ObjectDrop:
    """As `drop.OpenDrop`."""

    def __init__(
        self,
        drop: ObjectPlace,
        storage: Storage,
        folder: Path,
        max_file_bytes: int,
        spool_bytes: int,
    ) -> None:
        self._drop, self._storage, self._folder = drop, storage, folder
        self._max_file_bytes = max_file_bytes
        self._spool_bytes = spool_bytes
        self._file_bytes: dict[Path, int] = {}
        self._next_number = 0
        self._lock = Lock()  # rows may be consumed on another thread than assets are requested on
        self._fetches: deque[_Fetch] = deque()

    def list_entries(self) -> Iterator[ObjectEntry]:
        """As in `OpenDrop`.

        Raises:
            DropError: if it can't be listed, is empty (unless it is a whole bucket), or is both an
                object and a prefix of others.
        """
        bucket, prefix, key = self._drop.bucket, self._drop.prefix, self._drop.key
        try:
            # Of the keys that begin with `key`, the object of exactly that key is listed first.
            exact = [] if key in ("", prefix) else self._storage.listing(bucket, key, most=1)
            exact = [stored for stored in exact if stored.key == key]
            below = self._storage.listing(bucket, prefix)
        except StorageError as error:
            raise DropError(
                f"The drop {visible(str(self._drop))} can't be listed: {error}."
            ) from error
        if exact and below:
            raise DropError(
                f"{visible(str(self._drop))} is an object and has others below it; end it with / "
                "to screen those."
            )
        if prefix and not exact and not below:
            raise DropError(
                f"There is nothing at {visible(str(self._drop))}; name a bucket, a prefix that "
                "keys begin with, or an object."
            )
        if exact:
            return iter([_entry(exact[0], self._drop.name)])
        # An empty object whose key ends in / is how consoles represent an empty folder.
        objects = (stored for stored in below if stored.size or not stored.key.endswith("/"))
        entries = [_entry(stored, stored.key[len(prefix) :]) for stored in objects]
        return iter(sorted(entries, key=lambda entry: entry.asset_path))

    def rows(
        self, entries: Iterable[Entry], judge: Callable[[Iterator[Asset]], Iterable[Row]]
    ) -> Iterator[Row]:
        """As in `OpenDrop`."""
        waiting = deque(cast(Iterable[ObjectEntry], entries))
        while waiting or self._fetches:
            # A group of assets ends when the spool is full. The group is then judged and its files
            # are deleted, so that the next group begins with an empty spool.
            group: deque[Asset] = deque()
            for row in judge(self._group(waiting, group)):
                yield row
                self._delete(group.popleft().file)

    def cancel(self) -> None:
        """Cancels the fetches that are running."""
        for fetch in self._fetches:
            if fetch.done is not None:
                fetch.done.cancel()

    def _group(self, waiting: deque[ObjectEntry], group: deque[Asset]) -> Iterator[Asset]:
        while True:
            while waiting and len(self._fetches) < MAX_FETCHES and self._start(waiting[0]):
                waiting.popleft()
            if not self._fetches:
                return
            fetch = self._fetches.popleft()
            asset = self._asset(fetch)
            if asset.fault is not None:
                self._delete(fetch.file)
                asset = replace(asset, size=fetch.entry.size)
            group.append(asset)
            yield asset

    def _start(self, entry: ObjectEntry) -> bool:
        """Starts to fetch an object; False if the spool has no room for it yet."""
        size = entry.stored.size
        file = self._folder / file_name(self._next_number, entry.stored.key)
        if size > self._max_file_bytes:
            self._fetches.append(_Fetch(entry, file, None))
        else:
            with self._lock:
                # An object larger than the spool's limit is fetched when the spool is empty.
                if self._file_bytes and sum(self._file_bytes.values()) + size > self._spool_bytes:
                    return False
                self._file_bytes[file] = size
            done = self._storage.fetch(self._drop.bucket, entry.stored, file)
            self._fetches.append(_Fetch(entry, file, done))
        self._next_number += 1
        return True

    def _asset(self, fetch: _Fetch) -> Asset:
        """The asset of an object, once it is fetched."""
        path, file = fetch.entry.asset_path, fetch.file
        try:
            if fetch.done is None:
                size, limit = fetch.entry.stored.size, self._max_file_bytes
                fault = too_large("the file", size, "bytes", limit, "max_file_bytes").fault
            else:
                fetch.done.result()
                return asset_of(file, path)
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
        return Asset(file, path, None, kind_by_name(file.name), None, fault)

    def _delete(self, file: Path) -> None:
        file.unlink(missing_ok=True)
        with self._lock:
            self._file_bytes.pop(file, None)


def _entry(stored: StoredObject, path: str) -> ObjectEntry:
    stamp = f"s3:{stored.size}:{stored.etag}:{stored.modified}" if stored.etag else None
    return ObjectEntry(text_of_path(path), stored.size, stamp, stored.modified, stored)
