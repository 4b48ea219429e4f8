"""How a reader deep inside a file says that it can't be used."""

from __future__ import annotations

from pipeline.core.errors import Reason
from pipeline.core.records import Fault
from pipeline.core.wording.visible import visible

SHOWN_CHARACTERS = 120


class FileRefusedError(Exception):
    """A file can't be used. It never leaves `discover` or `load`: they turn it into `fault`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(reason, detail)


def too_large(what: str, size: int, unit: str, limit: int, name: str) -> FileRefusedError:
    """`what` has `size` units, over the `limit` that the configuration calls `name`."""
    return FileRefusedError(
        Reason.TOO_LARGE,
        f"{what} has {size:,} {unit}, more than the {limit:,} that limits.{name} of the "
        "configuration allows",
    )


def shown(error: BaseException) -> str:
    """A decoder's own words on one short line, fit to show."""
    said = " ".join(visible(" ".join(str(error).split())).split()) or type(error).__name__
    return said if len(said) <= SHOWN_CHARACTERS else said[: SHOWN_CHARACTERS - 1] + "…"
