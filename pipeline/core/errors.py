"""Errors that stop a command, and reasons that are stored in rows.

The docstring of `ScreeningError` shows the tree of errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from reference_index.errors import ManifestError, ReferenceIndexError, ScreeningError

__all__ = [
    "ConfigError",
    "DecodingError",
    "DropError",
    "ManifestError",
    "ModelError",
    "Reason",
    "RecordError",
    "ReferenceIndexError",
    "RunError",
    "ScanBusyError",
    "ScanError",
    "ScreeningError",
]


class ConfigError(ScreeningError):
    """A configuration can't be used. `problems` lists all its faults, one sentence each."""

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class DecodingError(ScreeningError):
    """No worker process could be started to decode files: nothing can be loaded."""


class DropError(ScreeningError):
    """The drop or the output folder can't be used."""


class ModelError(ScreeningError):
    """An embedding model's weights are missing, random, altered or unusable."""


class RunError(ScreeningError):
    """A stored run can't be read, or holds no such asset."""


class ScanError(ScreeningError):
    """A nightly scan can't run, or its state can't be used."""


class ScanBusyError(ScanError):
    """Another scan holds the scan directory."""


class RecordError(ScreeningError):
    """The record of decisions can't be opened, written or trusted, or a request is refused."""


class Reason(StrEnum):
    """Code for why an asset, or one stage of it, was not judged; stored in rows."""

    EMPTY_FILE = "empty_file"
    UNREADABLE = "unreadable"
    NOT_A_FILE = "not_a_file"
    UNSUPPORTED = "unsupported_kind"
    SYSTEM_FILE = "system_file"
    CORRUPT = "corrupt"
    TOO_LARGE = "too_large"
    TIMED_OUT = "timed_out"
    DECODER_DIED = "decoder_died"
    NO_DECODER = "no_decoder"
    ENCRYPTED = "encrypted"
    NO_TEXT = "no_text"
    TOO_LITTLE_DETAIL = "too_little_detail"
    TOO_FEW_WORDS = "too_few_words"
    SWITCHED_OFF = "switched_off"
    NOT_IN_INDEX = "not_in_index"
    NO_WORKS = "no_works_of_this_kind"
    NO_WEIGHTS = "no_weights"
    STAGE_FAILED = "stage_failed"
    NOT_LOADED = "not_loaded"
    ARRIVING = "still_arriving"
