"""Reads ZIP archives with a limit on the size of their directory."""

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

MAX_DIRECTORY_BYTES = 16 * 2**20
"""Of an archive's central directory: some 200,000 names, far more than any document has."""

_DAMAGED = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, EOFError, OSError,
    NotImplementedError,
)  # fmt: skip
"""Exceptions of `zipfile` for damaged archives."""


class _LimitedStream:
    """A stream that refuses to read more than `limit` bytes at once.

    The length of the central directory depends on several fields that can contradict each other, so
    the limit is not applied to those fields but to what `zipfile` requests.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.limit: int | None = MAX_DIRECTORY_BYTES
        self.seek = stream.seek
        self.tell = stream.tell
        self.seekable = stream.seekable

    def read(self, size: int = -1) -> bytes:
        """As `BinaryIO.read`. Raises FileRefusedError (TOO_LARGE) beyond the limit."""
        if self.limit is not None and size > self.limit:
            raise FileRefusedError(
                Reason.TOO_LARGE,
                f"the archive's listing takes {size:,} bytes, more than the {self.limit:,} that "
                "are read; no document has so many parts, so it is damaged or made to do harm",
            )
        return self._stream.read(size)


def open_archive(stream: BinaryIO) -> zipfile.ZipFile:
    """The archive, open for reading. Callers have to limit what they read of its members.

    Raises:
        FileRefusedError: TOO_LARGE if its directory exceeds `MAX_DIRECTORY_BYTES`.
        zipfile.BadZipFile, OSError: if it is damaged.
    """
    limited = _LimitedStream(stream)
    archive = zipfile.ZipFile(cast(BinaryIO, limited))
    limited.limit = None
    if len(set(archive.namelist())) < len(archive.namelist()):
        # Programs differ in which of the two they use, so the content would be ambiguous.
        raise zipfile.BadZipFile("it has two parts of one name")
    return archive


@contextmanager
def reading(stream: BinaryIO, what: str) -> Iterator[zipfile.ZipFile]:
    """The archive, open for reading, as in `open_archive`.

    Args:
        stream: the open file.
        what: the subject of messages, such as "the Word document".

    Raises:
        FileRefusedError: TOO_LARGE if its directory exceeds the limit; CORRUPT if the archive, or a
            member that is read, is damaged.
    """
    try:
        stream.seek(0)
        with open_archive(stream) as archive:
            yield archive
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # an error of the disk; EINVAL is a negative offset in a damaged archive
        raise FileRefusedError(
            Reason.CORRUPT,
            f"{what} is damaged or was cut off ({one_line(error)}); fetch it again",
        ) from error
