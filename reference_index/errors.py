"""Base classes of all errors; they are here because `reference_index` may not import `pipeline`."""

from __future__ import annotations

from collections.abc import Sequence


class ScreeningError(Exception):
    """Base of every error that Clearance raises on purpose.

    Its message is one sentence for the user: what is wrong, where, and how to mend it. The command
    line prints it and exits with status 2; a traceback means a defect.

    Tree::

        ScreeningError
        ├── ReferenceIndexError         reference_index.errors
        │   ├── IndexNotFoundError      no index at this path, or no such version
        │   ├── IndexExistsError        `create` at a path that exists
        │   ├── IndexLockedError        another process is writing
        │   ├── IndexCorruptError       stored data differ from their digests
        │   ├── SpecMismatchError       the code fingerprints differently from the index
        │   └── ManifestError           bad rows in a manifest of works (all of them listed)
        ├── ConfigError                 pipeline.core.errors
        ├── DecodingError               pipeline.core.errors: no worker process can be started
        ├── DropError                   pipeline.core.errors: drop or output folder unusable
        ├── ModelError                  pipeline.core.errors: weights missing, random or altered
        ├── RunError                    pipeline.core.errors: a stored run can't be read
        ├── ScanError                   pipeline.core.errors: a nightly scan can't run
        │   └── ScanBusyError           another scan holds the scan directory
        └── RecordError                 pipeline.core.errors: the record of decisions can't be used
    """


class ReferenceIndexError(ScreeningError):
    """A reference index can't be used or changed."""


class IndexNotFoundError(ReferenceIndexError):
    """No index at this path, or it has no such version."""


class IndexExistsError(ReferenceIndexError):
    """An index can't be created at a path that exists already."""


class IndexLockedError(ReferenceIndexError):
    """Another process is writing to the index."""


class IndexCorruptError(ReferenceIndexError):
    """Stored data differ from the digests recorded for them."""


class SpecMismatchError(ReferenceIndexError):
    """The installed code or model computes other fingerprints than those of the index."""


class ManifestError(ReferenceIndexError):
    """A manifest can't be used. `problems` lists every bad row, with line numbers."""

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)
