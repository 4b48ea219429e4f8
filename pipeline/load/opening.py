"""Opens and hashes files: only regular files are opened, for reading only."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from pipeline.core.errors import Reason
from pipeline.load.refusal import FileRefusedError, one_line, too_large

CHUNK = 2**20

_NOT_FILES = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path) -> BinaryIO:
    """The regular file at `path`, open for reading bytes; symbolic links are followed.

    Raises:
        FileRefusedError: NOT_A_FILE for a folder, pipe, socket or device (which are not opened:
            opening a pipe would wait for its writer), UNREADABLE if the file does not exist or
            can't be opened.
    """
    try:
        refuse_if_special(Path(path).stat().st_mode)
        # Non-blocking, in case the file was replaced by a pipe since the line above.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
        try:
            refuse_if_special(os.fstat(descriptor).st_mode)
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
    except (OSError, ValueError) as error:
        raise unreadable(error) from error


def refuse_if_special(mode: int) -> None:
    """Raises FileRefusedError (NOT_A_FILE) unless `mode` is a regular file's."""
    if not stat.S_ISREG(mode):
        what = next((name for test, name in _NOT_FILES if test(mode)), "something else")
        raise FileRefusedError(
            Reason.NOT_A_FILE, f"it is {what}, not a file, and was left unopened"
        )


def unreadable(error: OSError | ValueError, what: str = "the file") -> FileRefusedError:
    """The refusal for an error of the operating system."""
    if isinstance(error, PermissionError):
        detail = (
            f"{what} can't be read (permission denied); give the account that runs the "
            "screening the right to read it"
        )
    elif isinstance(error, FileNotFoundError | NotADirectoryError):
        detail = f"{what} is not there; it may have been moved or deleted meanwhile"
    else:
        why = error.strerror if isinstance(error, OSError) and error.strerror else one_line(error)
        detail = f"{what} can't be read ({why[:1].lower()}{why[1:]})"
    return FileRefusedError(Reason.UNREADABLE, detail)


def digest_of(stream: BinaryIO, max_bytes: int | None = None) -> tuple[str, int]:
    """SHA-256 (hex) and size, in bytes, of the complete file.

    Args:
        stream: the open file.
        max_bytes: a longer file is not read, since a sparse one can have any size; None for any.

    Raises:
        FileRefusedError: UNREADABLE if reading fails, TOO_LARGE.
    """
    if max_bytes is not None:
        refuse_if_larger(stream.seek(0, 2), max_bytes)
    digest = hashlib.sha256()
    size = 0
    try:
        stream.seek(0)
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if max_bytes is not None:
                refuse_if_larger(size, max_bytes)  # it may grow while it is read
    except OSError as error:
        raise unreadable(error) from error
    return digest.hexdigest(), size


def refuse_if_larger(size: int, max_bytes: int) -> None:
    """Raises FileRefusedError (TOO_LARGE) for a file of more than `max_bytes`."""
    if size > max_bytes:
        raise too_large("the file", size, "bytes", max_bytes, "max_file_bytes")


def read_at_most(stream: BinaryIO, limit: int) -> bytes:
    """The bytes of `stream` from its start, at most `limit` + 1 of them."""
    size = stream.seek(0, 2)
    stream.seek(0)
    return stream.read(min(size, limit + 1))  # `read` allocates what is requested
