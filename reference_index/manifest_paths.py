"""Finds the files that a manifest names, also where it was written on another machine.

A path that is there as written is taken. Otherwise backslashes are read as slashes, and a name may
differ in letter case or in how accents are encoded (NFC, NFD), if only one file fits.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that a row names, or why there is none.

    Attributes:
        path: as the row has it, without the blanks around it if it was found only so; blank if
            it was not found.
        file: where it is on this machine; meaningless if it was not found.
        fault: why it can't be used, as part of a sentence; blank if it can.
        note: how the name of the file differs from `path`, as a sentence; blank if it doesn't.
    """

    path: str
    file: Path
    fault: str = ""
    note: str = ""


class FileFinder:
    """Finds the files of one manifest.

    Args:
        manifest: its path; other paths are relative to its folder.
        prefixes: pairs of the beginning of a path in the manifest, such as `C:\\Katalog`, and what
            it is on this machine, such as `/mnt/katalog`.
    """

    def __init__(self, manifest: Path, prefixes: Sequence[tuple[str, str]] = ()) -> None:
        self._manifest = manifest
        self._prefixes = sorted(
            ((_parts(written), here) for written, here in prefixes), key=lambda pair: -len(pair[0])
        )
        self._written = {_parts(written): written for written, _ in prefixes}
        self._used: set[tuple[str, ...]] = set()
        self._listings: dict[Path, dict[str, list[str]]] = {}

    def find(self, written: str) -> FoundFile:
        """The file that a row names."""
        path = written.strip()
        moved = self._moved(path)
        if moved is not None:
            return self._close(path, moved, "") or FoundFile(
                "", Path(), f"the file {path!r} ({moved!r} here) does not exist"
            )
        exact, fault = find_file(self._manifest, written, readable=True, noun="file")
        if not fault:
            return FoundFile(exact, self._manifest.parent / exact)
        slashes = path.replace("\\", "/")
        note = f"{path!r} was read as {slashes!r}." if slashes != path else ""
        found = self._close(path, slashes, note)
        if found is None and _OF_WINDOWS.match(path):
            fault = (
                f"the file {path!r} has a path of another machine; say what its beginning is here, "
                "such as --path-prefix 'C:\\Katalog=/mnt/katalog'"
            )
        return found or FoundFile("", Path(), fault)

    def unused_prefixes(self) -> list[str]:
        """The prefixes with which no path that was looked for begins, as written."""
        return [text for parts, text in self._written.items() if parts not in self._used]

    def _moved(self, path: str) -> str | None:
        """The path on this machine of one that begins with a prefix."""
        parts = path.replace("\\", "/").split("/")
        for prefix, here in self._prefixes:
            if tuple(map(_folded, parts[: len(prefix)])) == prefix:
                self._used.add(prefix)
                return "/".join([here.rstrip("/"), *parts[len(prefix) :]])
        return None

    def _close(self, path: str, wanted: str, note: str) -> FoundFile | None:
        """The one file whose name is `wanted` but for letter case and the encoding of accents;
        None if there is no such file.
        """
        folder = self._manifest.parent
        exact = True
        for part in PurePosixPath(wanted).parts:
            step = folder / part
            if part != ".." and not _exists(step):
                names = self._names(folder).get(_folded(part), [])
                if len(names) > 1:
                    listed = " and ".join(repr(name) for name in sorted(names))
                    fault = (
                        f"the file {path!r} does not exist, and {listed} differ from it only in "
                        "letter case or the encoding of accents; write the path of the one meant"
                    )
                    return FoundFile("", Path(), fault)
                if not names:
                    return None
                step, exact = folder / names[0], False
            folder = step
        if fault := file_fault(folder, readable=True):
            return FoundFile("", Path(), f"the file {path!r} {fault}")
        if not exact:
            same = _composed(str(folder)).endswith(_composed(wanted))
            why = "its accents are encoded otherwise" if same else "letter case differs"
            note = f"{path!r} is {str(folder)!r} here: {why}."
        return FoundFile(path, folder, note=note)

    def _names(self, folder: Path) -> dict[str, list[str]]:
        """The names in a folder, by what is left of them without case and encoding."""
        if folder not in self._listings:
            names: dict[str, list[str]] = {}
            try:
                with os.scandir(folder) as entries:
                    listed = [entry.name for entry in entries]
                for name in listed:
                    names.setdefault(_folded(name), []).append(name)
            except (OSError, ValueError):
                names = {}
            self._listings[folder] = names
        return self._listings[folder]


def find_file(manifest: Path, written: str, *, readable: bool, noun: str) -> tuple[str, str]:
    """The path of a file that a row names, relative to the manifest or absolute.

    Args:
        manifest: the manifest.
        written: the path as the row has it. It is tried as it is, then without the blanks around
            it: a file's name may begin or end with one.
        readable: whether a file that can't be opened is a fault.
        noun: what the file is, for the fault: `file` or `asset`.

    Returns:
        The path, and a blank fault; or a blank path, and the fault as part of a sentence.
    """
    fault = ""
    for path in dict.fromkeys((written, written.strip())):
        fault = file_fault(manifest.parent / path, readable=readable)
        if not fault:
            return path, ""
    path = written.strip()
    base = "" if Path(path).is_absolute() else f" (relative to {manifest.name})"
    return "", f"the {noun} {path!r}{base} {fault}"


def file_fault(file: Path, *, readable: bool) -> str:
    """Why `file` can't be used, as the end of a sentence; blank if it can.

    Args:
        file: to look at.
        readable: whether it must be possible to open it.
    """
    try:
        if file.is_dir():
            return "is a folder; list its files"
        if not file.exists():
            return "does not exist"
        if not file.is_file():
            return "is not a regular file"
        if readable:
            with file.open("rb"):
                pass
    except (OSError, ValueError) as fault:
        if readable or not isinstance(fault, PermissionError):
            return f"can't be read ({getattr(fault, 'strerror', None) or fault})"
    return ""


def _exists(file: Path) -> bool:
    try:
        return os.path.lexists(file)
    except ValueError:
        return False


def _parts(prefix: str) -> tuple[str, ...]:
    return tuple(map(_folded, prefix.replace("\\", "/").rstrip("/").split("/")))


def _folded(name: str) -> str:
    return _composed(_composed(name).casefold())


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
