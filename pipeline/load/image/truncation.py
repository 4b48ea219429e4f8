"""Whether a picture's file ends where its format says it should.

Decoders fill what is missing with grey or leave frames out, and say nothing.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Literal

_CHUNK = 2**20
_BIG_TIFF = 43  # where offsets have eight bytes


def ends_early(stream: BinaryIO, image_format: str) -> bool:
    """Whether the file is shorter than its own header says, or was never finished."""
    if image_format == "JPEG":
        start = _jpeg_scan(stream)
        return start is None or not _holds(stream, b"\xff\xd9", start)
    if image_format == "WEBP":
        stream.seek(4)
        # RIFF counts from after its own length.
        return int.from_bytes(stream.read(4), "little") + 8 > _size(stream)
    if image_format == "TIFF":
        return _first_directory(stream) >= _size(stream)
    return False


def lacks_end_mark(stream: BinaryIO, image_format: str) -> bool:
    """Whether a GIF ends without its trailer: what is there decodes, but there may have been more.

    Zeros after the trailer are padding.
    """
    if image_format != "GIF":
        return False
    stream.seek(max(0, _size(stream) - 4096))
    return not stream.read().rstrip(b"\0").endswith(b";")


def _size(stream: BinaryIO) -> int:
    return stream.seek(0, 2)


def _first_directory(stream: BinaryIO) -> int:
    """Where a TIFF's first directory starts (TIFF 6.0, section 2), which often is its end."""
    stream.seek(0)
    head = stream.read(16)
    order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
    big = int.from_bytes(head[2:4], order) == _BIG_TIFF
    return int.from_bytes(head[8:16] if big else head[4:8], order)


def _jpeg_scan(stream: BinaryIO) -> int | None:
    """Where the first scan's header starts (ITU-T T.81, B.1), past previews in the metadata."""
    place = 2
    while True:
        stream.seek(place)
        marker = stream.read(2)
        if len(marker) < 2:
            return None
        if marker[0] != 0xFF:
            place += 1  # stray bytes between segments, which decoders skip
        elif marker[1] == 0xFF:
            place += 1  # fill
        elif marker[1] in (0x00, 0x01) or 0xD0 <= marker[1] <= 0xD8:
            place += 2  # marks without a length
        elif marker[1] == 0xDA:
            return place
        elif marker[1] == 0xD9:
            return None
        else:
            length = stream.read(2)
            if len(length) < 2:
                return None
            place += 2 + int(struct.unpack(">H", length)[0])


def _holds(stream: BinaryIO, mark: bytes, start: int) -> bool:
    stream.seek(start)
    before = b""
    while chunk := stream.read(_CHUNK):
        if mark in before + chunk:
            return True
        before = chunk[-(len(mark) - 1) :]
    return False
