"""Detects image files that were cut off, by where their format says they end.

Decoders fill missing rows with grey or omit frames without an error, so the file itself is checked
before it is decoded. What is checked, with a 640 × 480 picture as the example:

- JPEG (ITU-T T.81, B.1) is a sequence of segments: a marker of two bytes, FF and a code, and for
  most codes a big-endian length of two bytes, which counts itself but not the marker:

      offset     0  FF D8             SOI, no length
                 2  FF E1 1F 40 …     APP1 (EXIF, perhaps with a thumbnail), 2 + 8000 bytes
              8004  FF DB 00 43 …     DQT, 2 + 67 bytes
              8073  FF C0 …, FF C4 …  SOF0, DHT …
              8500  FF DA …           SOS: start of scan, then compressed data
             60000  FF D9             EOI

  The file is complete if FF D9 occurs after the first SOS (8500). It can't occur inside compressed
  data, where a byte FF is followed by 00. Segments before the SOS are skipped by their length,
  since a thumbnail in the metadata is a JPEG with an EOI of its own.
- WebP is a RIFF file: "RIFF", then a little-endian length of four bytes that counts from byte 8. A
  file whose length field is 51,992 must have 52,000 bytes or more.
- TIFF (TIFF 6.0, section 2) stores in its header the offset of the first directory: at byte 4, four
  bytes; in BigTIFF at byte 8, eight bytes. Most programs write pixels first and the directory last,
  so a file that was cut off ends before that offset.
- GIF (GIF89a, section 27) ends with the trailer ";". Without it the frames so far can be decoded;
  `lacks_end_mark` is for a note, not for a refusal.

- PNG (ISO 15948, 5.3) is a signature of eight bytes and then chunks: a big-endian length of four
  bytes, a type of four letters, that many bytes, and a checksum of four. The file is cut off if it
  ends inside a chunk of pixels (IDAT, fdAT) or before the first.

BMP and AVIF need no check: Pillow raises an error for missing pixel data.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Literal

from pipeline.core.errors import Reason
from pipeline.load.refusal import FileRefusedError

_CHUNK = 2**20
_BIG_TIFF = 43  # version number of BigTIFF; it is 42 in TIFF
_STEPS = 100_000
"""Segments or chunks of a file that are looked at; what has more is left to its decoder."""
_TAIL_BYTES = 4096  # searched for the trailer of a GIF, behind which some programs write zeros


def refuse_cut_off(stream: BinaryIO, image_format: str) -> None:
    """Raises FileRefusedError (CORRUPT) for a file that `ends_early`; moves the stream."""
    if ends_early(stream, image_format):
        raise cut_off(image_format)


def cut_off(image_format: str) -> FileRefusedError:
    """The refusal of a file of which the end is missing."""
    return FileRefusedError(
        Reason.CORRUPT,
        f"the {image_format} file ends early: it was cut off or not copied wholly; fetch it again",
    )


def ends_early(stream: BinaryIO, image_format: str) -> bool:
    """Whether the file is shorter than its header says, or lacks its end marker.

    Args:
        stream: the open file.
        image_format: Pillow's name, such as `JPEG`; formats that need no check give False.
    """
    if image_format == "JPEG":
        start = _first_scan(stream)
        return start is None or not _contains(stream, b"\xff\xd9", start)
    if image_format == "WEBP":
        stream.seek(4)
        return int.from_bytes(stream.read(4), "little") + 8 > _size(stream)
    if image_format == "TIFF":
        return _first_directory(stream) >= _size(stream)
    if image_format == "PNG":
        return _pixels_cut_off(stream)
    return False


def lacks_end_mark(stream: BinaryIO, image_format: str) -> bool:
    """Whether a GIF has no trailer, so that later frames may be missing."""
    if image_format != "GIF":
        return False
    stream.seek(max(0, _size(stream) - _TAIL_BYTES))
    return not stream.read().rstrip(b"\0").endswith(b";")


def _size(stream: BinaryIO) -> int:
    return stream.seek(0, 2)


def _first_directory(stream: BinaryIO) -> int:
    """The offset of a TIFF's first directory, in bytes."""
    stream.seek(0)
    header = stream.read(16)
    order: Literal["little", "big"] = "little" if header[:2] == b"II" else "big"
    is_big = int.from_bytes(header[2:4], order) == _BIG_TIFF
    return int.from_bytes(header[8:16] if is_big else header[4:8], order)


def _first_scan(stream: BinaryIO) -> int | None:
    """The offset of a JPEG's first SOS marker; None if the file ends before it."""
    offset = 2
    for _ in range(_STEPS):
        stream.seek(offset)
        marker = stream.read(2)
        if len(marker) < 2:
            return None
        if marker[0] != 0xFF:
            offset += 1  # stray bytes between segments, which decoders skip
        elif marker[1] == 0xFF:
            offset += 1  # fill byte
        elif marker[1] in (0x00, 0x01) or 0xD0 <= marker[1] <= 0xD8:
            offset += 2  # TEM, RST0 to RST7 and SOI have no length
        elif marker[1] == 0xDA:
            return offset
        elif marker[1] == 0xD9:
            return None
        else:
            length = stream.read(2)
            if len(length) < 2:
                return None
            offset += 2 + int(struct.unpack(">H", length)[0])
    return offset  # so many that only the end marker is looked for


def _pixels_cut_off(stream: BinaryIO) -> bool:
    """Whether a PNG ends inside a chunk of pixels or before the first."""
    size = _size(stream)
    offset, pixels = 8, False
    for _ in range(_STEPS):
        stream.seek(offset)
        head = stream.read(8)
        if len(head) < 8:
            return not pixels
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return False
        pixels = pixels or kind == b"IDAT"
        if offset + 8 + length > size:
            return not pixels or kind in (b"IDAT", b"fdAT")
        offset += 12 + length
    return False


def _contains(stream: BinaryIO, pattern: bytes, start: int) -> bool:
    """Whether `pattern` occurs at `start` or after it; the file is read in chunks."""
    stream.seek(start)
    overlap = b""
    while chunk := stream.read(_CHUNK):
        if pattern in overlap + chunk:
            return True
        overlap = chunk[-(len(pattern) - 1) :]
    return False
