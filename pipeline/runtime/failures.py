"""Why a command failed, in words that may leave the machine: no path, title or text in them."""

from __future__ import annotations

from pipeline.core.errors import (
    ConfigError,
    DecodingError,
    DropError,
    ModelError,
    ReferenceIndexError,
    RunError,
    ScanBusyError,
    ScanError,
)

_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (ConfigError, "its configuration can't be used"),
    (ScanBusyError, "another scan holds the scan directory"),
    (ScanError, "the scan directory can't be used"),
    (DropError, "a drop, or the place of the results, can't be used"),
    (ReferenceIndexError, "the reference index can't be used"),
    (ModelError, "the embedding model can't be used"),
    (DecodingError, "no process could be started to decode files in"),
    (RunError, "stored results can't be read"),
    (UnicodeError, "a path holds bytes that are not UTF-8"),
    (MemoryError, "memory ran out"),
)

_OWN = (ConfigError, DecodingError, ScanError, ModelError)
"""Errors whose messages speak of the configuration, the scan directory, the model and the machine
alone.
"""


def failure_in_words(error: BaseException) -> str:
    """Half a sentence on why a command failed, without anything of what it worked on."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    if isinstance(error, OSError):
        return f"the system refused something ({error.strerror or type(error).__name__})"
    return f"a defect of Clearance ({type(error).__name__})"


def loggable_message(error: BaseException) -> str | None:
    """The error's own message if nothing of any asset can stand in it, else None."""
    return str(error) if isinstance(error, _OWN) else None


def place_of(error: BaseException) -> str:
    """The file and line of Clearance's own code in which an error arose: `scan/run.py:120`."""
    from pathlib import Path

    root, place, trace = Path(__file__).resolve().parents[1], "", error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(root):
            place = f"{file.relative_to(root).as_posix()}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
