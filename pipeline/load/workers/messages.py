"""What passes between a worker that decodes files and its parent.

A message is the length of a JSON object, the object, and then the raw bytes that the object speaks
of: pixels, or text with its spans. No pickle: a decoder that a file has taken over can answer what
it likes, and must not be able to run anything in the parent. So the parent believes no number that
it reads here before it has held it against the limits.
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

LENGTH = struct.Struct("<I")
_HEADER_BYTES = 2**20
_HEADER_BYTES_A_FRAME = 64
_BYTES_A_CHARACTER = 4

Part = bytes | memoryview
Fill = Callable[[memoryview], None]
"""Fills a piece of memory wholly with the bytes that come next."""


class AnswerError(Exception):
    """An answer is none that a decoder gives."""


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


def request(asset: Asset, limits: Limits, seconds: float) -> bytes:
    """The message that asks a worker for an asset's content; `seconds` is the time it has."""
    where = Path.cwd() / asset.file  # not resolved: what `..` means depends on links
    return _framed(
        {
            # Names are bytes; how they read as text may differ between two processes.
            "file": os.fsencode(where).decode("latin-1"),
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
    told = json.loads(stream.read(LENGTH.unpack(length)[0]))
    file = Path(os.fsdecode(told["file"].encode("latin-1")))
    asset = Asset(file, "", told["asset_id"], Kind.OTHER, None)
    return asset, Limits.model_validate(told["limits"]), told["seconds"]


def answer(loaded: Loaded | Fault) -> list[Part]:
    """The message that answers with what loading gave."""
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
    places = {name: place for place, name in enumerate({s.element: None for s in loaded.spans})}
    names = json.dumps(list(places), ensure_ascii=False).encode()
    columns = [
        np.fromiter((span.start for span in loaded.spans), np.int64),
        np.fromiter((span.end for span in loaded.spans), np.int64),
        np.fromiter((places[span.element] for span in loaded.spans), np.int64),
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


def read_answer(fill: Fill, limits: Limits) -> Loaded | Fault:
    """What a worker answers.

    Args:
        fill: gives the worker's bytes.
        limits: that the worker was given; nothing beyond them is believed, nor room made for it.

    Raises:
        AnswerError: if it is none that a decoder gives.
    """
    (length,) = LENGTH.unpack(_taken(fill, LENGTH.size))
    if length > _HEADER_BYTES + _HEADER_BYTES_A_FRAME * limits.max_frames:
        raise AnswerError(f"its header has {length:,} bytes")
    try:
        header = _HEADERS.validate_json(_taken(fill, length))
    except ValidationError as error:
        raise AnswerError(f"its header has {error.error_count()} faults") from error
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


def _taken(fill: Fill, count: int) -> bytearray:
    data = bytearray(count)
    fill(memoryview(data))
    return data


def _check(sound: bool, what: str) -> None:
    if not sound:
        raise AnswerError(what)


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
        text = _taken(fill, header.text_bytes).decode()
        names = _NAMES.validate_json(_taken(fill, header.names_bytes))
    except ValueError as error:  # pydantic's are ValueErrors too
        raise AnswerError("its text is not Unicode") from error
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
