"""Why a command failed, for logs and notifications: without paths, titles or texts."""

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

_LOGGABLE = (ConfigError, DecodingError, ScanError, ModelError)
"""Errors whose messages name only the configuration, the scan directory, the model and the
machine, never an asset."""


def failure_in_words(error: BaseException) -> str:
    """Why a command failed, as part of a sentence that names no asset, drop or work."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    if isinstance(error, OSError):
        return f"the system refused something ({error.strerror or type(error).__name__})"
    return f"a defect of Clearance ({type(error).__name__})"


def loggable_message(error: BaseException) -> str | None:
    """The error's message if it can't name an asset, else None."""
    return str(error) if isinstance(error, _LOGGABLE) else None


def code_location(error: BaseException) -> str:
    """File and line of the innermost frame of `pipeline` in a traceback: `scan/run.py:120`."""
    from pathlib import Path

    root, location, trace = Path(__file__).resolve().parents[1], "", error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(root):
            location = f"{file.relative_to(root).as_posix()}:{trace.tb_lineno}"
        trace = trace.tb_next
    return location
