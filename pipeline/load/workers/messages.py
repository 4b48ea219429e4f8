"""Messages between a worker process and its parent: requests to decode a file, and replies.

A message is the length of a JSON header (uint32, little-endian), the header, and then the raw bytes
that the header announces: pixels (uint8, frame after frame), or text (UTF-8) with its spans (int64
columns). No pickle: a decoder that a file has exploited can reply with anything, and must not be
able to run code in the parent. So the parent checks every number against the limits before it uses
it or allocates memory for it.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipeline.core.errors import Reason
from pipeline.core.records import Asset, Fault, Kind
from pipeline.load.limits import Limits
from pipeline.load.loaded import Loaded, LoadedImage, LoadedScript, Span

PIPE_BYTES = 2**20
"""Size of the pipes, where the system lets it be chosen: a picture fits without waiting."""
LENGTH = struct.Struct("<I")
_HEADER_BYTES = 2**20
_HEADER_BYTES_A_FRAME = 64
_BYTES_A_CHARACTER = 4

Part = bytes | memoryview
Fill = Callable[[memoryview], None]
"""Fills a buffer completely with the bytes that come next."""


class ReplyError(Exception):
    """A reply that no sound worker sends."""


class _Header(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


_Count = Annotated[int, Field(ge=0, lt=2**40)]
_Side = Annotated[int, Field(ge=1, lt=2**31)]
_Notes = tuple[Annotated[str, Field(max_length=2000)], ...]


class _FaultHeader(_Header):
    kind: Literal["fault"] = "fault"
    reason: Reason
    detail: str = Field(min_length=1, max_length=2000)


class _ImageHeader(_Header):
    kind: Literal["image"] = "image"
    shapes: tuple[tuple[_Side, _Side], ...] = Field(min_length=1)
    format: str = Field(pattern="^[A-Z]{3,8}$")
    frame_count: _Side
    notes: _Notes
    complete: bool
    numbers: tuple[_Count, ...]


class _ScriptHeader(_Header):
    kind: Literal["script"] = "script"
    text_bytes: _Count
    spans: _Count
    names_bytes: _Count
    pages: bool
    format: str = Field(pattern="^[a-z]{2,8}$")
    encoding: str | None = Field(max_length=40)
    notes: _Notes
    complete: bool


_HEADERS: TypeAdapter[_FaultHeader | _ImageHeader | _ScriptHeader] = TypeAdapter(
    Annotated[_FaultHeader | _ImageHeader | _ScriptHeader, Field(discriminator="kind")]
)

_NAMES = TypeAdapter(list[str])


def encode_request(asset: Asset, limits: Limits, seconds: float) -> bytes:
    """The message that asks a worker to decode an asset; `seconds` is the time it has."""
    path = Path.cwd() / asset.file  # not resolved: what `..` means depends on links
    return _framed(
        {
            # File names are bytes; two processes may decode them to text differently.
            "file": os.fsencode(path).decode("latin-1"),
            "asset_id": asset.asset_id,
            "seconds": seconds,
            "limits": limits.model_dump(),
        }
    )


def read_request(stream: BinaryIO) -> tuple[Asset, Limits, float] | None:
    """The next request of a stream as asset, limits and seconds; None at its end."""
    length = stream.read(LENGTH.size)
    if len(length) < LENGTH.size:
        return None
    request = json.loads(stream.read(LENGTH.unpack(length)[0]))
    file = Path(os.fsdecode(request["file"].encode("latin-1")))
    asset = Asset(file, "", request["asset_id"], Kind.OTHER, None)
    return asset, Limits.model_validate(request["limits"]), request["seconds"]


def encode_reply(loaded: Loaded | Fault) -> list[Part]:
    """The message with the result of loading, in pieces to be sent one after the other."""
    if isinstance(loaded, Fault):
        return [_framed(_FaultHeader(reason=loaded.reason, detail=loaded.detail).model_dump())]
    if isinstance(loaded, LoadedImage):
        header: dict[str, Any] = {
            "kind": "image",
            "shapes": [frame.shape[:2] for frame in loaded.frames],
            "format": loaded.format,
            "frame_count": loaded.frame_count,
            "notes": loaded.notes,
            "complete": loaded.complete,
            "numbers": loaded.numbers,
        }
        return [_framed(header), *(_bytes_of(frame) for frame in loaded.frames)]
    text = loaded.text.encode()
    numbers = {name: number for number, name in enumerate({s.element: None for s in loaded.spans})}
    names = json.dumps(list(numbers), ensure_ascii=False).encode()
    columns = [
        np.fromiter((span.start for span in loaded.spans), np.int64),
        np.fromiter((span.end for span in loaded.spans), np.int64),
        np.fromiter((numbers[span.element] for span in loaded.spans), np.int64),
        np.array(loaded.pages, np.int64),
    ]
    header = {
        "kind": "script",
        "text_bytes": len(text),
        "spans": len(loaded.spans),
        "names_bytes": len(names),
        "pages": bool(loaded.pages),
        "format": loaded.format,
        "encoding": loaded.encoding,
        "notes": loaded.notes,
        "complete": loaded.complete,
    }
    return [_framed(header), text, names, *(_bytes_of(c) for c in columns if c.size)]


def read_reply(fill: Fill, limits: Limits) -> Loaded | Fault:
    """Reads and validates a worker's reply.

    Args:
        fill: reads the worker's bytes.
        limits: those of the request; sizes beyond them are refused before memory is allocated.

    Raises:
        ReplyError: if a size exceeds the limits, or the reply is not well formed.
    """
    (length,) = LENGTH.unpack(_read(fill, LENGTH.size))
    if length > _HEADER_BYTES + _HEADER_BYTES_A_FRAME * limits.max_frames:
        raise ReplyError(f"its header has {length:,} bytes")
    try:
        header = _HEADERS.validate_json(_read(fill, length))
    except ValidationError as error:
        raise ReplyError(f"its header has {error.error_count()} faults") from error
    if isinstance(header, _FaultHeader):
        return Fault(header.reason, header.detail)
    if isinstance(header, _ImageHeader):
        return _image(header, fill, limits)
    return _script(header, fill, limits)


def _framed(header: dict[str, Any]) -> bytes:
    data = json.dumps(header).encode()
    return LENGTH.pack(len(data)) + data


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).data.cast("B")


def _read(fill: Fill, count: int) -> bytearray:
    data = bytearray(count)
    fill(memoryview(data))
    return data


def _check(valid: bool, message: str) -> None:
    if not valid:
        raise ReplyError(message)


def _image(header: _ImageHeader, fill: Fill, limits: Limits) -> LoadedImage:
    sizes = [height * width for height, width in header.shapes]
    # A cut-out has two views of each frame.
    _check(len(sizes) <= 2 * limits.max_frames, f"it has {len(sizes):,} frames")
    _check(max(sizes) <= limits.max_pixels, f"a frame has {max(sizes):,} pixels")
    _check(sum(sizes) <= 2 * limits.max_pixels, f"its frames have {sum(sizes):,} pixels")
    numbers = header.numbers
    _check(len(numbers) in (0, len(sizes)), f"it has {len(numbers):,} numbers of frames")
    _check(max(numbers, default=0) < header.frame_count, "a frame's number is too high")
    frames = []
    for height, width in header.shapes:
        frame = np.empty((height, width, 3), np.uint8)
        fill(frame.data.cast("B"))
        frames.append(frame)
    return LoadedImage(
        tuple(frames),
        header.format,
        header.frame_count,
        header.notes,
        header.complete,
        header.numbers,
    )


def _script(header: _ScriptHeader, fill: Fill, limits: Limits) -> LoadedScript:
    count = header.spans
    _check(header.text_bytes <= _BYTES_A_CHARACTER * limits.max_text_chars, "its text is too long")
    _check(count <= limits.max_text_chars, f"it has {count:,} spans")
    _check(header.names_bytes <= _HEADER_BYTES + 2 * limits.max_unpacked_bytes, "too many names")
    try:
        text = _read(fill, header.text_bytes).decode()
        names = _NAMES.validate_json(_read(fill, header.names_bytes))
    except ValueError as error:  # pydantic's are ValueErrors too
        raise ReplyError("its text is not Unicode") from error
    starts, ends, elements = (_column(fill, count) for _ in range(3))
    pages = _column(fill, count) if header.pages else ()
    _check(len(text) <= limits.max_text_chars, "its text is too long")
    if count:
        _check(
            starts[0] >= 0 and ends[-1] <= len(text)
            and bool((starts < ends).all()) and bool((ends[:-1] <= starts[1:]).all())
            and bool((elements >= 0).all()) and bool((elements < len(names)).all()),
            "its spans lie wrongly",
        )  # fmt: skip
    _check(bool(np.all(np.asarray(pages) >= 0)), "its pages are numbered wrongly")
    return LoadedScript(
        text,
        _spans(starts, ends, elements, names),
        header.format,
        header.encoding,
        header.notes,
        header.complete,
        tuple(np.asarray(pages).tolist()),
    )


def _column(fill: Fill, count: int) -> NDArray[np.int64]:
    column = np.empty(count, np.int64)
    if count:
        fill(column.data.cast("B"))
    return column


def _spans(
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    elements: NDArray[np.int64],
    names: Sequence[str],
) -> tuple[Span, ...]:
    return tuple(
        Span(start, end, names[element])
        for start, end, element in zip(
            starts.tolist(), ends.tolist(), elements.tolist(), strict=True
        )
    )
