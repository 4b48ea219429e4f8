"""The program of a worker: decodes one file after another, and can do little else.

`pipeline.load.workers.worker` runs this file by its path, so that the script that uses Clearance is
not run again. Requests come by standard input and answers go by standard output, as
`pipeline.load.workers.messages` has it; what libraries print goes nowhere.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.load.workers.messages import Part

PIPE_BYTES = 2**20
"""Room of the pipes, where the system lets it be chosen: a picture fits without waiting."""
SPARE_SECONDS = 5
"""What a file gets beyond the parent's clock before a worker ends itself, if its parent did not."""
_SPARE_BYTES = 64 * 2**20  # a worker that can't have these could decode nothing
_OPEN_FILES = 64


def main() -> int:
    """Answers requests until their end. The first argument is a JSON object."""
    told: dict[str, Any] = json.loads(sys.argv[1])
    requests, answers = _own(0, os.O_RDONLY), _own(1, os.O_WRONLY)
    sys.path[:0] = told["root"]
    sys.path.extend(path for path in told["path"] if path not in sys.path)
    try:
        _prepare(told["memory_bytes"], told["parent"])
    except BaseException as error:  # whatever it was, the parent says it, and ends
        _send(answers, [json.dumps({"said": f"{type(error).__name__}: {error}"}).encode() + b"\n"])
        return 1
    _send(answers, [json.dumps({"ready": True}).encode() + b"\n"])
    with os.fdopen(requests, "rb") as stream:
        _serve(stream, answers)
    return 0


def _own(standard: int, flags: int) -> int:
    """A standard stream for this program alone; what libraries read or print goes nowhere."""
    mine = os.dup(standard)
    nowhere = os.open(os.devnull, flags)
    os.dup2(nowhere, standard)
    os.close(nowhere)
    return mine


def _prepare(memory_bytes: int, parent: int) -> None:
    """Takes the bounds, once everything is imported that decoding needs."""
    import pipeline.load.image.images
    import pipeline.load.script.scripts  # noqa: F401
    from pipeline.load.script.pdf_process import bind, leave_with

    leave_with(parent)
    bind(CORE=0, FSIZE=0, NOFILE=_OPEN_FILES, AS=memory_bytes)
    bytearray(_SPARE_BYTES)


def _serve(requests: BinaryIO, answers: int) -> None:
    from pipeline.load import OUT_OF_MEMORY, load
    from pipeline.load.workers.messages import answer, read_request

    while True:
        asked = read_request(requests)
        if asked is None:
            return
        asset, limits, seconds = asked
        _alarm(seconds + SPARE_SECONDS)
        try:
            parts = answer(load(asset, limits))
        except MemoryError:
            parts = answer(OUT_OF_MEMORY)
        _send(answers, parts)
        del parts
        _alarm(0)


def _alarm(seconds: float) -> None:
    # Its default is to end the process, whatever a decoder is doing.
    if hasattr(signal, "alarm"):
        signal.alarm(int(seconds))


def _send(answers: int, parts: Iterable[Part]) -> None:
    for part in parts:
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(answers, rest) :]


if __name__ == "__main__":
    sys.exit(main())
