"""Writing a file in one step: a reader, or whoever comes after a crash, sees all of it or none.

The content goes to a temporary file in the same folder, is flushed to the disk, and takes its final
name by a rename, which POSIX makes atomic.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def temporary_path(path: Path) -> Path:
    """A new name beside `path` for content that is not complete: `.NAME.0123abcd.partial`."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")


@contextmanager
def new_file(path: Path, *, mode: int = 0o666, flush: bool = True) -> Iterator[BinaryIO]:
    """A file to write that must not exist yet; on the disk when the block ends.

    Args:
        path: the file, in a folder that exists.
        mode: its permissions, less the umask.
        flush: whether to wait until the content is on the disk.

    Raises:
        FileExistsError: if the file exists.
        OSError: if it can't be written; what was written is left for the caller to remove.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        if flush:
            file.flush()
            os.fsync(file.fileno())


def write_atomically(path: Path, data: bytes, *, mode: int = 0o666, flush: bool = True) -> None:
    """Puts `data` in the place of the file `path`, or of none, in one step.

    Args:
        path: the file, in a folder that exists.
        data: its content.
        mode, flush: as of `new_file`. Without `flush` a power failure may leave an empty file.

    Raises:
        OSError: if it can't be written; the earlier file is unchanged.
    """
    temporary = temporary_path(path)
    try:
        with new_file(temporary, mode=mode, flush=flush) as file:
            file.write(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Flushes a folder's list of names to the disk: a rename or a new file survives a crash.

    Raises:
        OSError: if the file system can't do that (some can't).
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
