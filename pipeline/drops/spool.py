"""Temporary folder for objects that were fetched.

Only its owner can enter it. If a run is killed, the next run deletes its folder.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from pipeline.core.errors import DropError

SPOOL = "clearance-spool-"
_LONGEST_SUFFIX = 32


@contextmanager
def spool() -> Iterator[Path]:
    """A folder inside `TMPDIR` with permissions 0700, deleted on leaving the context.

    First deletes the folders of killed runs: those of the same user that no process has locked. The
    kernel releases a process's locks when it ends.

    Raises:
        DropError: if the folder can't be made.
    """
    try:
        _sweep()
        folder, lock = _new()
    except OSError as error:
        raise DropError(
            f"No temporary folder can be made for fetched objects ({error.strerror}); set TMPDIR "
            "to a folder with write permission."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def file_name(number: int, name: str) -> str:
    """A name for a file in a spool: the number, and the suffix of `name`, which tells its format.

    The result is a single safe path component for any `name`.
    """
    suffix = PurePosixPath(name).suffix
    fits = len(os.fsencode(suffix)) <= _LONGEST_SUFFIX and suffix.isprintable()
    return f"{number:08d}{suffix if fits and '/' not in suffix else ''}"


def _new() -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=SPOOL))
        lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Another run may have deleted it before it was locked.
        with suppress(OSError):
            if folder.stat().st_ino == os.fstat(lock).st_ino:
                return folder, lock
        os.close(lock)


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{SPOOL}*"):
        with suppress(OSError):
            status = os.lstat(folder)
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
