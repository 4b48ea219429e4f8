"""Discovers the assets of a folder: every entry becomes one asset, and none is skipped.

An entry that can't be read, or is no file, is an asset with a fault. There are two steps, so that
an incremental scan can skip hashing: `list_drop` lists the entries without opening a file,
`identify` reads one.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import DropError, Reason
from pipeline.core.records import Asset, Fault, Kind
from pipeline.core.wording.text import capitalized, visible
from pipeline.load.formats import (
    HEAD_BYTES,
    SUPPORTED,
    SYSTEM_FILE,
    is_system_file,
    kind_by_name,
    recognise,
)
from pipeline.load.opening import digest_of, open_regular, refuse_if_special, unreadable
from pipeline.load.refusal import FileRefusedError

__all__ = [
    "SUPPORTED",
    "Entry",
    "FileEntry",
    "asset_of",
    "discover",
    "identify",
    "list_drop",
    "text_of_path",
]

_LOOKS_ESCAPED = re.compile(rb"\\(?=x[0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a drop, as listed; its content has not been read.

    Attributes:
        asset_path: as in `Asset`; no two entries of a drop have the same.
        size: in bytes, None if unknown.
        stamp: an opaque string that changes when the content does, as far as a listing can tell
            (size, times, inode or ETag); compare it for equality only. None if there is none, so
            the content must be read. It is taken before the content is read, so that a change in
            between shows in the next listing.
        changed: time of the last change according to the listing, in seconds since the epoch; None
            if unknown.
    """

    asset_path: str
    size: int | None
    stamp: str | None
    changed: float | None


@dataclass(frozen=True, slots=True)
class FileEntry(Entry):
    """An entry of a drop on this machine.

    Attributes:
        file: its path.
        root: the resolved path of the drop, which links must not leave; None for a drop that is
            one file.
        fault: set for a folder that can't be listed.
    """

    file: Path
    root: str | None = None
    fault: Fault | None = None


def discover(drop: Path, max_bytes: int | None = None) -> Iterator[Asset]:
    """The assets of a drop, sorted by path (a folder sorts as if it had a `/` at its end).

    Every entry below `drop`, other than folders that can be listed, yields exactly one asset.
    Symbolic links to files inside the drop are followed. Links to folders, links that leave the
    drop and broken ones are assets with a fault, and so are pipes, sockets and devices, which are
    never opened. Files are read once, in chunks, for their SHA-256.

    Args:
        drop: a folder, or one file, which is then the only asset.
        max_bytes: a larger file is an asset with a fault and is not read; None for any size.

    Raises:
        DropError: immediately, if `drop` does not exist, can't be read, or is neither.
    """
    return (identify(entry, max_bytes) for entry in list_drop(drop))


def list_drop(drop: Path) -> Iterator[FileEntry]:
    """The entries of a drop, one for each asset of `discover` and in the same order.

    No file is opened, except a drop that is one file, to check that it can be read. Raises
    DropError as `discover` does.
    """
    try:
        mode = drop.stat().st_mode
        if stat.S_ISDIR(mode):
            entries = _sorted_entries(drop, "")
            return _walk(drop, entries)
        if stat.S_ISREG(mode):
            with open_regular(drop):
                pass
            return iter([_entry(drop, text_of_path(drop.name), None)])
    except FileNotFoundError as error:
        raise DropError(f"There is no drop {_named(drop)}; name a folder or a file.") from error
    except (OSError, ValueError) as error:
        refused = unreadable(error, f"the drop {_named(drop)}").fault.detail
        raise DropError(f"{capitalized(refused)}.") from error
    except FileRefusedError as refused_file:
        raise DropError(
            f"The drop {_named(drop)} can't be used: {refused_file.fault.detail}."
        ) from refused_file
    raise DropError(
        f"The drop {_named(drop)} is neither a folder nor a file; name the folder that holds "
        "the assets."
    )


def identify(entry: FileEntry, max_bytes: int | None = None) -> Asset:
    """Reads an entry: its asset. Whether it is a regular file is checked again.

    `max_bytes` as for `discover`.
    """
    if entry.fault is not None:
        return Asset(entry.file, entry.asset_path, None, Kind.OTHER, None, entry.fault)
    if entry.root is None:
        return asset_of(entry.file, entry.asset_path, max_bytes)
    return _entry_asset(entry.file, entry.asset_path, entry.root, max_bytes)


def asset_of(file: Path, asset_path: str, max_bytes: int | None = None) -> Asset:
    """Reads one file: its SHA-256, size and kind, and its fault if it can't be used.

    Args:
        file: its path; links are followed.
        asset_path: its path in the results.
        max_bytes: as for `discover`.
    """
    name = Path(file).name
    try:
        with open_regular(file) as stream:
            asset_id, size = digest_of(stream, max_bytes)
            stream.seek(0)
            head = stream.read(HEAD_BYTES)
            kind, _, fault = recognise(name, head, stream)
            # A fetched object has its own name in the asset path alone.
            if is_system_file(asset_path.rpartition("/")[2], head):
                kind, fault = Kind.OTHER, SYSTEM_FILE
            return Asset(file, asset_path, asset_id, kind, size, fault)
    except FileRefusedError as refused:
        return _faulty(file, asset_path, refused.fault)
    except OSError as error:
        return _faulty(file, asset_path, unreadable(error).fault)


def text_of_path(path: str) -> str:
    r"""A path from the operating system as valid Unicode.

    Bytes that are not UTF-8 are escaped as ``\xNN``. A backslash in the name that would read as
    such an escape is escaped as ``\x5c``, so that two different names stay different.
    """
    raw = os.fsencode(path)
    return _LOOKS_ESCAPED.sub(rb"\\x5c", raw).decode("utf-8", "backslashreplace")


_Scanned = tuple[str, bool, str]
"""Asset path and sort key (a folder's ends in `/`), whether it is a folder, name."""


def _walk(drop: Path, entries: list[_Scanned]) -> Iterator[FileEntry]:
    root = os.path.realpath(drop)
    # A stack, since folders may be nested deeper than Python's recursion limit.
    stack = [(drop, iter(entries))]
    while stack:
        folder, rest = stack[-1]
        entry = next(rest, None)
        if entry is None:
            stack.pop()
            continue
        path, is_folder, name = entry
        file = folder / name
        if not is_folder:
            yield _entry(file, path, root)
            continue
        try:
            stack.append((file, iter(_sorted_entries(file, path))))
        except OSError as error:
            why = unreadable(error, "the folder and what is in it").fault
            yield FileEntry(path.removesuffix("/"), None, None, None, file, root, why)


def _entry(file: Path, path: str, root: str | None) -> FileEntry:
    """A file's entry. Only a regular file has a stamp: the target of a link is read every time."""
    try:
        # A drop that is one file may be given as a link, which is then followed.
        status = file.stat() if root is None else os.lstat(file)
    except (OSError, ValueError):
        return FileEntry(path, None, None, None, file, root)
    if not stat.S_ISREG(status.st_mode):
        return FileEntry(path, None, None, None, file, root)
    # ctime is part of it, since mtime can be set back: by `cp -p`, by rsync, by unpacking an
    # archive.
    stamp = f"file:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"
    changed = max(status.st_mtime_ns, status.st_ctime_ns) / 1e9
    return FileEntry(path, status.st_size, stamp, changed, file, root)


def _sorted_entries(folder: Path, prefix: str) -> list[_Scanned]:
    """A folder's entries, sorted by their complete paths: `a.txt` before `a/b`."""
    entries = []
    with os.scandir(folder) as listing:
        for entry in listing:
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
            except OSError:
                is_folder = False
            path = prefix + text_of_path(entry.name)
            entries.append((f"{path}/" if is_folder else path, is_folder, entry.name))
    return sorted(entries)


def _entry_asset(file: Path, path: str, root: str, max_bytes: int | None) -> Asset:
    try:
        mode = os.lstat(file).st_mode
        if stat.S_ISLNK(mode):
            _check_link(file, root)
        else:
            refuse_if_special(mode)
    except FileRefusedError as refused:
        return _faulty(file, path, refused.fault)
    except (OSError, ValueError) as error:
        return _faulty(file, path, unreadable(error).fault)
    return asset_of(file, path, max_bytes)


def _check_link(link: Path, root: str) -> None:
    """Raises FileRefusedError unless `link` leads to a regular file inside the drop."""
    try:
        target = os.path.realpath(link, strict=True)
        mode = Path(target).stat().st_mode
    except PermissionError as error:
        raise unreadable(error, "what the link leads to") from error
    except OSError as error:
        raise FileRefusedError(
            Reason.NOT_A_FILE, "it is a symbolic link that leads nowhere"
        ) from error
    if stat.S_ISDIR(mode):
        raise FileRefusedError(
            Reason.NOT_A_FILE,
            "it is a symbolic link to a folder, which is not followed; put the folder itself "
            "into the drop",
        )
    if os.path.commonpath([root, target]) != root:
        raise FileRefusedError(
            Reason.NOT_A_FILE,
            "it is a symbolic link that leads out of the drop, which is not followed; put the "
            "file itself into the drop",
        )
    refuse_if_special(mode)


def _faulty(file: Path, path: str, fault: Fault) -> Asset:
    kind = Kind.OTHER if fault.reason is Reason.NOT_A_FILE else kind_by_name(file.name)
    size = None
    if fault.reason is not Reason.NOT_A_FILE:
        try:
            size = file.stat().st_size
        except (OSError, ValueError):
            size = None
    return Asset(file, path, None, kind, size, fault)


def _named(drop: Path) -> str:
    return visible(text_of_path(str(drop)))
