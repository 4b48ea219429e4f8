"""Errors of the whole product start here, because `reference_index` may not import `pipeline`."""

from __future__ import annotations

from collections.abc import Sequence


class ScreeningError(Exception):
    """Root of every error that Clearance raises on purpose.

    Its message is one sentence for the person at the terminal: what is wrong, where, and how to
    mend it. The command line prints it and exits with status 2; a traceback means a defect.

    Tree::

        ScreeningError
        ├── ReferenceIndexError         reference_index.errors
        │   ├── IndexNotFoundError      no index at this path, or no such version
        │   ├── IndexExistsError        `create` where something already is
        │   ├── IndexLockedError        another process is writing
        │   ├── IndexCorruptError       stored data do not agree with their digests
        │   ├── SpecMismatchError       the code fingerprints differently from the index
        │   └── ManifestError           bad rows in a manifest of works (all of them listed)
        ├── ConfigError                 pipeline.core.errors
        ├── DecodingError               pipeline.core.errors: no process to decode files in
        ├── DropError                   pipeline.core.errors: drop or output folder unusable
        ├── ModelError                  pipeline.core.errors: weights missing, random or altered
        ├── RunError                    pipeline.core.errors: a stored run can't be read
        ├── ScanError                   pipeline.core.errors: a nightly scan can't run
        │   └── ScanBusyError           another scan holds the scan directory
        └── RecordError                 pipeline.core.errors: the record of decisions can't be used
    """


class ReferenceIndexError(ScreeningError):
    """Something about a reference index is wrong."""


class IndexNotFoundError(ReferenceIndexError):
    """No index at this path, or it has no such version."""


class IndexExistsError(ReferenceIndexError):
    """`create` was asked for a path that already holds something."""


class IndexLockedError(ReferenceIndexError):
    """Another process is writing to the index."""


class IndexCorruptError(ReferenceIndexError):
    """Stored data do not agree with the digests recorded for them."""


class SpecMismatchError(ReferenceIndexError):
    """The installed code or model would fingerprint differently from how the index was made."""


class ManifestError(ReferenceIndexError):
    """A manifest of works has bad rows. `problems` lists every one, with line numbers."""

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)
