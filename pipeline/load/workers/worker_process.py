"""The program of a worker process: decodes one file after another.

Requests arrive on standard input and replies leave on standard output, in the format of
`pipeline.load.workers.messages`. What libraries print is discarded.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from pipeline.load.workers.bounds import SPARE_SECONDS, exit_with_parent, set_alarm, set_limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.load.workers.messages import Part

_SPARE_BYTES = 64 * 2**20  # a worker that can't allocate these could decode nothing
_OPEN_FILES = 64


def main(arguments: Mapping[str, Any]) -> int:
    """Replies to requests until there are no more. `bounds.command` starts it.

    Args:
        arguments: `memory_bytes`, the limit on address space; `parent`, the parent's process id.
    """
    requests, replies = _take_over(0, os.O_RDONLY), _take_over(1, os.O_WRONLY)
    try:
        _prepare(arguments["memory_bytes"], arguments["parent"])
    except BaseException as error:  # the parent reports it, and the run ends
        line = json.dumps({"error": f"{type(error).__name__}: {error}"}).encode() + b"\n"
        _send(replies, [line])
        return 1
    _send(replies, [json.dumps({"ready": True}).encode() + b"\n"])
    with os.fdopen(requests, "rb") as stream:
        _serve(stream, replies)
    return 0


def _take_over(standard: int, flags: int) -> int:
    """A standard stream for this program only; what libraries read or print goes to /dev/null."""
    stream = os.dup(standard)
    null = os.open(os.devnull, flags)
    os.dup2(null, standard)
    os.close(null)
    return stream


def _prepare(memory_bytes: int, parent: int) -> None:
    """Imports all that decoding needs, then sets the limits, under which imports could fail."""
    import pipeline.load.image.images
    import pipeline.load.script.scripts  # noqa: F401

    exit_with_parent(parent)
    set_limits(CORE=0, FSIZE=0, NOFILE=_OPEN_FILES, AS=memory_bytes)
    bytearray(_SPARE_BYTES)


def _serve(requests: BinaryIO, replies: int) -> None:
    from pipeline.load.load import OUT_OF_MEMORY, load
    from pipeline.load.workers.messages import encode_reply, read_request

    while True:
        request = read_request(requests)
        if request is None:
            return
        asset, limits, seconds = request
        set_alarm(seconds + SPARE_SECONDS)
        try:
            parts = encode_reply(load(asset, limits))
        except MemoryError:
            parts = encode_reply(OUT_OF_MEMORY)
        _send(replies, parts)
        del parts
        set_alarm(0)


def _send(replies: int, parts: Iterable[Part]) -> None:
    for part in parts:
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(replies, rest) :]
