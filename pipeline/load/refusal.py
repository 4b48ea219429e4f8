"""The exception by which a reader refuses a file, and its sentences."""

from __future__ import annotations

from pipeline.core.errors import Reason
from pipeline.core.records import Fault
from pipeline.core.wording.text import visible

MAX_ERROR_CHARACTERS = 120


class FileRefusedError(Exception):
    """A file can't be used. `discover` and `load` catch it and return its `fault`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(reason, detail)


def too_large(what: str, size: int, unit: str, limit: int, name: str) -> FileRefusedError:
    """`what` has `size` units, over the `limit` that the configuration calls `limits.name`."""
    return FileRefusedError(
        Reason.TOO_LARGE,
        f"{what} has {size:,} {unit}, more than the {limit:,} that limits.{name} of the "
        "configuration allows",
    )


def one_line(error: BaseException) -> str:
    """An error's message as one short line of visible characters; its type if it has none."""
    message = " ".join(visible(" ".join(str(error).split())).split()) or type(error).__name__
    if len(message) <= MAX_ERROR_CHARACTERS:
        return message
    return message[: MAX_ERROR_CHARACTERS - 1] + "…"
