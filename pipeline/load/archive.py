"""ZIP archives whose listing is bounded before it is read into memory."""

from __future__ import annotations

import zipfile
from typing import BinaryIO, cast

from pipeline.errors import Reason
from pipeline.load.refusal import FileRefusedError

MAX_LISTING = 16 * 2**20
"""Bytes of an archive's listing: some 200,000 names, far more than any document has."""


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
    return archive
