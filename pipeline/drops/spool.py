"""A temporary folder for bytes that came from elsewhere, which no run leaves behind.

It can be entered by its owner alone. A run that was killed can't clear it away; the next one does.
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
    """A folder of the system's temporary one (`TMPDIR`), with permissions 0700, gone afterwards.

    Folders of earlier runs that ended without clearing away are cleared first: those of the same
    user that no living process holds. The kernel drops a process's hold when it ends.

    Raises:
        DropError: if it can't be made.
    """
    try:
        _sweep()
        folder, held = _new()
    except OSError as error:
        raise DropError(
            f"There is no temporary folder to hold objects for a while ({error.strerror}); set "
            "TMPDIR to one that can be written to."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def file_name(number: int, name: str) -> str:
    """A name for a file in a spool: the number, and the ending by which `name` is recognised.

    Whatever `name` is, what is returned is one harmless part of a path.
    """
    suffix = PurePosixPath(name).suffix
    fits = len(os.fsencode(suffix)) <= _LONGEST_SUFFIX and suffix.isprintable()
    return f"{number:08d}{suffix if fits and '/' not in suffix else ''}"


def _new() -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=SPOOL))
        held = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(held, fcntl.LOCK_EX)
        # Another run may have swept it away between its making and its holding.
        with suppress(OSError):
            if folder.stat().st_ino == os.fstat(held).st_ino:
                return folder, held
        os.close(held)


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{SPOOL}*"):
        with suppress(OSError):
            found = os.lstat(folder)
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                continue
            held = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)
