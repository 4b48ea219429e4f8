"""ZIP archives whose listing is bounded before it is read into memory."""

from __future__ import annotations

import errno
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from pipeline.core.errors import Reason
from pipeline.load.refusal import FileRefusedError, one_line

MAX_LISTING = 16 * 2**20
"""Bytes of an archive's listing: some 200,000 names, far more than any document has."""

_DAMAGED = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, EOFError, OSError,
    NotImplementedError,
)  # fmt: skip
"""What `zipfile` raises for an archive that it can't read."""


class _Bounded:
    """A stream that gives no more than `limit` bytes at once.

    Where the listing's length stands in a ZIP archive depends on several marks that can contradict
    each other, so not the marks are looked at, but what `zipfile` comes to ask for.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.limit: int | None = MAX_LISTING
        self.seek = stream.seek
        self.tell = stream.tell
        self.seekable = stream.seekable

    def read(self, size: int = -1) -> bytes:
        """As of a file. Raises FileRefusedError (TOO_LARGE) beyond the limit."""
        if self.limit is not None and size > self.limit:
            raise FileRefusedError(
                Reason.TOO_LARGE,
                f"the archive's listing takes {size:,} bytes, more than the {self.limit:,} that "
                "are read; no document has so many parts, so it is damaged or made to do harm",
            )
        return self._stream.read(size)


def open_archive(stream: BinaryIO) -> zipfile.ZipFile:
    """The archive, open for reading; its parts are to be read within bounds of their own.

    Raises:
        FileRefusedError: TOO_LARGE if its listing is unreasonably long.
        zipfile.BadZipFile, OSError: if it is damaged.
    """
    bounded = _Bounded(stream)
    archive = zipfile.ZipFile(cast(BinaryIO, bounded))
    bounded.limit = None
    if len(set(archive.namelist())) < len(archive.namelist()):
        # Which of the two is shown is the choice of the program that opens it.
        raise zipfile.BadZipFile("it has two parts of one name")
    return archive


@contextmanager
def reading(stream: BinaryIO, what: str) -> Iterator[zipfile.ZipFile]:
    """The archive, open for reading, as in `open_archive`.

    Args:
        stream: the open file.
        what: it is, for the sentence that says it is damaged.

    Raises:
        FileRefusedError: TOO_LARGE as there; CORRUPT if it, or a part that is read, is damaged.
    """
    try:
        stream.seek(0)
        with open_archive(stream) as archive:
            yield archive
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the disk's fault; EINVAL is that of a place before the file's start
        raise FileRefusedError(
            Reason.CORRUPT,
            f"{what} is damaged or was cut off ({one_line(error)}); fetch it again",
        ) from error
