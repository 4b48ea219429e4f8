"""List the drops of a scan: each file as an asset, read only if it may have changed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from pipeline.core.errors import DropError, Reason
from pipeline.core.records import Asset, Fault, Kind
from pipeline.drops.discover import Entry, FileEntry, identify
from pipeline.drops.drop import OpenDrop
from pipeline.drops.places import Place
from pipeline.runtime.progress import Progress
from pipeline.scan.memory.state import CachedFile, ScanCache
from pipeline.scan.settings import Drop, ScanSettings, Settle

FILES_PER_COMMIT = 256
"""Files that are read between two commits."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A drop that could not be listed: its name, why, and how many cached files stand in for it."""

    drop: str
    why: str
    files: int


@dataclass
class Listing:
    """The files of all drops.

    Attributes:
        assets: every file of every drop, in the order of their paths; a path begins with the
            drop's name.
        unreachable: drops that could not be listed. The assets include their files as cached.
        from_cache: paths of those files, and of those below folders that could not be listed.
        unreadable_folders: by path, how many cached files are below each such folder.
        arrived: paths of files that were still arriving in the previous scan, and are not now.
        markers: how many marker files there are, which are no assets.
        read: how many files were read.
        objects: of drops in object storage, by drop and path, every entry that can be fetched.
        to_fetch: of such drops, paths of entries that are new or changed. They are not among the
            assets until they have been fetched.
    """

    assets: list[Asset] = field(default_factory=list)
    unreachable: list[Unreachable] = field(default_factory=list)
    from_cache: set[str] = field(default_factory=set)
    unreadable_folders: dict[str, int] = field(default_factory=dict)
    arrived: set[str] = field(default_factory=set)
    markers: int = 0
    read: int = 0
    objects: dict[str, dict[str, Entry]] = field(default_factory=dict)
    to_fetch: dict[str, list[str]] = field(default_factory=dict)

    def paths(self) -> set[str]:
        """Paths of all files in all drops."""
        listed = {asset.asset_path for asset in self.assets}
        to_fetch = {f"{name}/{path}" for name, paths in self.to_fetch.items() for path in paths}
        return listed | to_fetch

    def arriving(self) -> frozenset[str]:
        """Paths of files that are still arriving."""
        return frozenset(
            asset.asset_path
            for asset in self.assets
            if asset.fault is not None and asset.fault.reason is Reason.ARRIVING
        )

    def fetch_count(self) -> int:
        """How many objects are to be fetched."""
        return sum(len(set(paths)) for paths in self.to_fetch.values())


def list_drops(
    settings: ScanSettings,
    sources: Mapping[str, OpenDrop],
    cache: ScanCache,
    scan_id: str,
    now: float,
    max_bytes: int,
    progress: Progress,
) -> Listing:
    """Lists every drop.

    Args:
        settings: which drops.
        sources: the drops, open, by name.
        cache: the files as earlier scans listed them; updated.
        scan_id: the scan's name.
        now: the time, seconds since the epoch; files changed shortly before it are still arriving.
        max_bytes: a larger file is not read.
        progress: called for every file.
    """
    listing = Listing()
    for name, drop in settings.drops.items():
        cached = cache.files_of(name)
        root = settings.drop_place(name)
        try:
            entries = _entries(root, sources[name], drop, cached)
        except DropError as error:
            _add_from_cache(listing, name, root, cached)
            listing.unreachable.append(Unreachable(name, str(error), len(cached)))
            continue
        _add_entries(listing, name, drop, entries, cached, cache, scan_id, now, max_bytes, progress)
        below = _below_unreadable(entries, cached)
        _add_from_cache(listing, name, root, below)
        with cache.transaction():
            for path, file in below.items():
                cache.put_file(name, path, file, scan_id)
        for entry in entries if below else ():
            if isinstance(entry, FileEntry) and entry.fault is not None:
                count = sum(path.startswith(f"{entry.asset_path}/") for path in below)
                listing.unreadable_folders[f"{name}/{entry.asset_path}"] = count
    listing.assets.sort(key=lambda asset: asset.asset_path)
    return listing


def _entries(
    root: Place, source: OpenDrop, drop: Drop, cached: Mapping[str, CachedFile]
) -> list[Entry]:
    """Entries of a drop. Raises DropError if it can't be listed, or looks as if not mounted."""
    entries = list(source.list_entries())
    if cached and not entries and not drop.may_be_empty:
        raise DropError(
            f"The drop {root} is empty, and held {len(cached):,} files before; see that it is "
            "mounted, or set may_be_empty."
        )
    return entries


def _add_from_cache(
    listing: Listing, name: str, root: Place, files: Mapping[str, CachedFile]
) -> None:
    """Adds files that could not be listed, as cached."""
    for path, file in files.items():
        place = root / path if isinstance(root, Path) else Path(path)
        asset = _cached_asset(place, f"{name}/{path}", file)
        listing.assets.append(asset)
        listing.from_cache.add(asset.asset_path)


def _below_unreadable(
    entries: Sequence[Entry], cached: Mapping[str, CachedFile]
) -> dict[str, CachedFile]:
    """Cached files below folders that could not be listed, and so may still exist."""
    unreadable = {e.asset_path for e in entries if isinstance(e, FileEntry) and e.fault}
    if not unreadable:
        return {}
    return {
        path: file
        for path, file in cached.items()
        if not unreadable.isdisjoint(str(parent) for parent in PurePosixPath(path).parents)
    }


def _add_entries(
    listing: Listing,
    name: str,
    drop: Drop,
    entries: list[Entry],
    cached: Mapping[str, CachedFile],
    cache: ScanCache,
    scan_id: str,
    now: float,
    max_bytes: int,
    progress: Progress,
) -> None:
    """Adds the entries of a drop, reads those that may have changed, and updates the cache."""
    complete_folders = _marked_folders(entries, drop.settle.marker)
    uncommitted: list[tuple[str, CachedFile]] = []

    def commit() -> None:
        with cache.transaction():
            for path, file in uncommitted:
                cache.put_file(name, path, file, scan_id)
        uncommitted.clear()

    for entry in entries:
        if (
            complete_folders is not None
            and PurePosixPath(entry.asset_path).name == drop.settle.marker
        ):
            listing.markers += 1
            continue
        before = cached.get(entry.asset_path)
        path = f"{name}/{entry.asset_path}"
        fault = _arriving(entry, drop.settle, complete_folders, now, before)
        if fault is None and before is not None and _was_arriving(before):
            listing.arrived.add(path)
        if fault is not None:
            asset = Asset(_local_path(entry), path, None, Kind.OTHER, entry.size, fault)
            file = CachedFile(entry.stamp, None, str(asset.kind), entry.size, _fault_json(fault))
        elif before is not None and _is_unchanged(entry, before):
            asset, file = _cached_asset(_local_path(entry), path, before), before
        elif isinstance(entry, FileEntry):
            asset = replace(identify(entry, max_bytes), asset_path=path)
            listing.read += 1
            file = file_of(asset, entry.stamp)
        else:
            listing.to_fetch.setdefault(name, []).append(entry.asset_path)
            listing.objects.setdefault(name, {})[entry.asset_path] = entry
            continue
        if not isinstance(entry, FileEntry):
            listing.objects.setdefault(name, {})[entry.asset_path] = entry
        listing.assets.append(asset)
        uncommitted.append((entry.asset_path, file))
        if len(uncommitted) >= FILES_PER_COMMIT:
            commit()
        progress("Reading the drops", len(listing.assets), None)
    commit()


def file_of(asset: Asset, stamp: str | None) -> CachedFile:
    """The cache entry of a file that was read."""
    # A fault of the bytes themselves is found again when those bytes are loaded.
    fault = asset.fault if asset.asset_id is None else None
    return CachedFile(
        stamp if fault is None else None,
        asset.asset_id,
        str(asset.kind),
        asset.size,
        _fault_json(fault) if fault else None,
    )


def _local_path(entry: Entry) -> Path:
    """The path of an entry on this machine; of an object, its key, where no file is."""
    return entry.file if isinstance(entry, FileEntry) else Path(entry.asset_path)


def _is_unchanged(entry: Entry, before: CachedFile) -> bool:
    """Whether an entry has the stamp that it had when it was read, and its cache entry is valid."""
    return (
        entry.stamp is not None
        and entry.stamp == before.stamp
        and before.asset_id is not None
        and _valid_asset(Path(), "", before) is not None
    )


def _was_arriving(before: CachedFile) -> bool:
    if before.fault is None:
        return False
    asset = _valid_asset(Path(), "", before)
    return asset is not None and asset.fault is not None and asset.fault.reason is Reason.ARRIVING


def _cached_asset(file: Path, path: str, cached: CachedFile) -> Asset:
    asset = _valid_asset(file, path, cached)
    return asset if asset is not None else Asset(file, path, None, Kind.OTHER, None, _DAMAGED)


def _valid_asset(file: Path, path: str, cached: CachedFile) -> Asset | None:
    """A file as cached; None if the cache entry is damaged."""
    with suppress(ValueError, TypeError):
        fault = None
        if cached.fault is not None:
            reason, detail = json.loads(cached.fault)
            fault = Fault(Reason(reason), str(detail))
        if cached.asset_id is None or _SHA256.fullmatch(cached.asset_id):
            return Asset(file, path, cached.asset_id, Kind(cached.kind), cached.size, fault)
    return None


_SHA256 = re.compile(r"[0-9a-f]{64}")
_DAMAGED = Fault(
    Reason.UNREADABLE,
    "it could not be looked for, and what is kept of it is damaged; the next scan that reads it "
    "judges it",
)


def _fault_json(fault: Fault) -> str:
    return json.dumps([str(fault.reason), fault.detail])


def _marked_folders(entries: list[Entry], marker: str | None) -> set[str] | None:
    """Folders of a drop that a marker file declares complete; None if markers are not used."""
    if marker is None:
        return None
    paths = (PurePosixPath(entry.asset_path) for entry in entries)
    return {str(path.parent) for path in paths if path.name == marker}


def _arriving(
    entry: Entry,
    settle: Settle,
    complete_folders: set[str] | None,
    now: float,
    before: CachedFile | None,
) -> Fault | None:
    """Why a file is not screened yet; None if it is."""
    if complete_folders is not None:
        folders = {str(parent) for parent in PurePosixPath(entry.asset_path).parents}
        if folders.isdisjoint(complete_folders):
            return Fault(
                Reason.ARRIVING,
                f"its folder is still arriving: no {settle.marker} is in it or in a folder above; "
                "the scan after that file's arrival judges it",
            )
    if not settle.seconds or entry.changed is None or now - entry.changed >= settle.seconds:
        return None
    same = before is not None and entry.stamp is not None and entry.stamp == before.stamp
    if before is not None and same and before.asset_id is not None:
        return None  # it had settled before, and the clock may have been set back
    if entry.changed <= now:
        return Fault(
            Reason.ARRIVING,
            f"it was changed less than {settle.seconds:g} seconds before the scan and may still be "
            "arriving; the next scan judges it",
        )
    if same:
        return None
    return Fault(
        Reason.ARRIVING,
        "the time of its last change is in the future, so it may still be arriving; the next "
        "scan judges it if it is the same then",
    )
