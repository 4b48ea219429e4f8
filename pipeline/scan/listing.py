"""What lies in the drops of a scan: each file as an asset, read only if it may have changed."""

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
from pipeline.scan.memory.state import KnownFile, ScanCache
from pipeline.scan.settings import Drop, ScanSettings, Settle

COMMITTED = 256
"""Files read between two commits."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A drop that could not be listed: why, and how many files of it stand as they were."""

    drop: str
    why: str
    files: int


@dataclass
class Listing:
    """What a scan found.

    Attributes:
        assets: every file of every drop, in the order of their paths; a path begins with the
            drop's name.
        unreachable: drops that could not be listed. Their files are among the assets as they were
            known.
        as_known: paths of those files, and of those below folders that could not be listed.
        shut: such folders, by their paths, with how many files are known below each.
        arrived: paths of files that were still arriving when they were seen last, and are not now.
        markers: how many marker files were met, which are no assets.
        read: how many files were read.
        objects: of drops in object storage, by drop and path, every entry that can be fetched.
        to_fetch: of such drops, paths of entries that are not known as they are now. They are not
            among the assets until they have been fetched.
    """

    assets: list[Asset] = field(default_factory=list)
    unreachable: list[Unreachable] = field(default_factory=list)
    as_known: set[str] = field(default_factory=set)
    shut: dict[str, int] = field(default_factory=dict)
    arrived: set[str] = field(default_factory=set)
    markers: int = 0
    read: int = 0
    objects: dict[str, dict[str, Entry]] = field(default_factory=dict)
    to_fetch: dict[str, list[str]] = field(default_factory=dict)

    def paths(self) -> set[str]:
        """Paths of all files in all drops."""
        known = {asset.asset_path for asset in self.assets}
        coming = {f"{name}/{path}" for name, paths in self.to_fetch.items() for path in paths}
        return known | coming

    def arriving(self) -> frozenset[str]:
        """Paths of files that are still arriving."""
        return frozenset(
            asset.asset_path
            for asset in self.assets
            if asset.fault is not None and asset.fault.reason is Reason.ARRIVING
        )

    def coming(self) -> int:
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
        cache: what is known of their files; what is seen is written down in it.
        scan_id: the scan's name.
        now: the time, seconds since the epoch; files changed shortly before it are still arriving.
        max_bytes: a larger file is not read.
        progress: told of every file.
    """
    found = Listing()
    for name, drop in settings.drops.items():
        known = cache.files_of(name)
        root = settings.drop_place(name)
        try:
            entries = _entries(root, sources[name], drop, known)
        except DropError as error:
            _stay(found, name, root, known)
            found.unreachable.append(Unreachable(name, str(error), len(known)))
            continue
        _look(found, name, drop, entries, known, cache, scan_id, now, max_bytes, progress)
        below = _below(entries, known)
        _stay(found, name, root, below)
        with cache.change():
            for path, file in below.items():
                cache.saw_file(name, path, file, scan_id)
        for one in entries if below else ():
            if isinstance(one, FileEntry) and one.fault is not None:
                number = sum(path.startswith(f"{one.asset_path}/") for path in below)
                found.shut[f"{name}/{one.asset_path}"] = number
    found.assets.sort(key=lambda asset: asset.asset_path)
    return found


def _entries(
    root: Place, source: OpenDrop, drop: Drop, known: Mapping[str, KnownFile]
) -> list[Entry]:
    """Entries of a drop. Raises DropError if it can't be listed, or looks as if not mounted."""
    entries = list(source.list_entries())
    if known and not entries and not drop.may_be_empty:
        raise DropError(
            f"The drop {root} is empty, and held {len(known):,} files before; see that it is "
            "mounted, or set may_be_empty."
        )
    return entries


def _stay(found: Listing, name: str, root: Place, known: Mapping[str, KnownFile]) -> None:
    """Files that could not be looked for, as they were known."""
    for path, file in known.items():
        place = root / path if isinstance(root, Path) else Path(path)
        asset = _asset_of(place, f"{name}/{path}", file)
        found.assets.append(asset)
        found.as_known.add(asset.asset_path)


def _below(entries: Sequence[Entry], known: Mapping[str, KnownFile]) -> dict[str, KnownFile]:
    """Known files below folders that could not be listed: nobody can tell that they are gone."""
    shut = {one.asset_path for one in entries if isinstance(one, FileEntry) and one.fault}
    if not shut:
        return {}
    return {
        path: file
        for path, file in known.items()
        if not shut.isdisjoint(str(parent) for parent in PurePosixPath(path).parents)
    }


def _look(
    found: Listing,
    name: str,
    drop: Drop,
    entries: list[Entry],
    known: Mapping[str, KnownFile],
    cache: ScanCache,
    scan_id: str,
    now: float,
    max_bytes: int,
    progress: Progress,
) -> None:
    markers = _marked(entries, drop.settle.marker)
    waiting: list[tuple[str, KnownFile]] = []

    def commit() -> None:
        with cache.change():
            for path, file in waiting:
                cache.saw_file(name, path, file, scan_id)
        waiting.clear()

    for entry in entries:
        if markers is not None and PurePosixPath(entry.asset_path).name == drop.settle.marker:
            found.markers += 1
            continue
        before = known.get(entry.asset_path)
        path = f"{name}/{entry.asset_path}"
        fault = _arriving(entry, drop.settle, markers, now, before)
        if fault is None and before is not None and _was_arriving(before):
            found.arrived.add(path)
        if fault is not None:
            asset = Asset(_file_of(entry), path, None, Kind.OTHER, entry.size, fault)
            file = KnownFile(entry.stamp, None, str(asset.kind), entry.size, _fault_json(fault))
        elif before is not None and _same(entry, before):
            asset, file = _asset_of(_file_of(entry), path, before), before
        elif isinstance(entry, FileEntry):
            asset = replace(identify(entry, max_bytes), asset_path=path)
            found.read += 1
            file = file_of(asset, entry.stamp)
        else:
            found.to_fetch.setdefault(name, []).append(entry.asset_path)
            found.objects.setdefault(name, {})[entry.asset_path] = entry
            continue
        if not isinstance(entry, FileEntry):
            found.objects.setdefault(name, {})[entry.asset_path] = entry
        found.assets.append(asset)
        waiting.append((entry.asset_path, file))
        if len(waiting) >= COMMITTED:
            commit()
        progress("Reading the drops", len(found.assets), None)
    commit()


def file_of(asset: Asset, stamp: str | None) -> KnownFile:
    """What is known of a file that was read."""
    # A fault that goes with bytes is found again in those bytes.
    fault = asset.fault if asset.asset_id is None else None
    return KnownFile(
        stamp if fault is None else None,
        asset.asset_id,
        str(asset.kind),
        asset.size,
        _fault_json(fault) if fault else None,
    )


def _file_of(entry: Entry) -> Path:
    """Where an entry lies on this machine; of an object, its path, where there is nothing."""
    return entry.file if isinstance(entry, FileEntry) else Path(entry.asset_path)


def _same(entry: Entry, before: KnownFile) -> bool:
    """Whether an entry is what it was when it was read, by a record of that which is sound."""
    return (
        entry.stamp is not None
        and entry.stamp == before.stamp
        and before.asset_id is not None
        and _known_asset(Path(), "", before) is not None
    )


def _was_arriving(before: KnownFile) -> bool:
    if before.fault is None:
        return False
    known = _known_asset(Path(), "", before)
    return known is not None and known.fault is not None and known.fault.reason is Reason.ARRIVING


def _asset_of(file: Path, path: str, known: KnownFile) -> Asset:
    asset = _known_asset(file, path, known)
    return asset if asset is not None else Asset(file, path, None, Kind.OTHER, None, _DAMAGED)


def _known_asset(file: Path, path: str, known: KnownFile) -> Asset | None:
    """A file as it was known; None if what is kept of it is damaged."""
    with suppress(ValueError, TypeError):
        fault = None
        if known.fault is not None:
            reason, detail = json.loads(known.fault)
            fault = Fault(Reason(reason), str(detail))
        if known.asset_id is None or _SHA256.fullmatch(known.asset_id):
            return Asset(file, path, known.asset_id, Kind(known.kind), known.size, fault)
    return None


_SHA256 = re.compile(r"[0-9a-f]{64}")
_DAMAGED = Fault(
    Reason.UNREADABLE,
    "it could not be looked for, and what is kept of it is damaged; the next scan that reads it "
    "judges it",
)


def _fault_json(fault: Fault) -> str:
    return json.dumps([str(fault.reason), fault.detail])


def _marked(entries: list[Entry], marker: str | None) -> set[str] | None:
    """Folders of a drop that are said to be complete; None if there is no such custom."""
    if marker is None:
        return None
    paths = (PurePosixPath(entry.asset_path) for entry in entries)
    return {str(path.parent) for path in paths if path.name == marker}


def _arriving(
    entry: Entry,
    settle: Settle,
    marked: set[str] | None,
    now: float,
    before: KnownFile | None,
) -> Fault | None:
    """Why a file is not judged yet."""
    if marked is not None:
        folders = {str(parent) for parent in PurePosixPath(entry.asset_path).parents}
        if folders.isdisjoint(marked):
            return Fault(
                Reason.ARRIVING,
                f"its folder is still arriving: no {settle.marker} is in it or in a folder above; "
                "the scan after that file's arrival judges it",
            )
    if not settle.seconds or entry.changed is None or now - entry.changed >= settle.seconds:
        return None
    same = before is not None and entry.stamp is not None and entry.stamp == before.stamp
    if before is not None and same and before.asset_id is not None:
        return None  # it was at rest before, whatever the clock says now
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
        "the time of its last change lies in the future, so it may still be arriving; the next "
        "scan judges it if it is the same then",
    )
