"""Making an empty index."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from reference_index import locks, tables, versions
from reference_index.digests import index_digest
from reference_index.errors import IndexExistsError, ReferenceIndexError
from reference_index.interface import FingerprintSpec
from reference_index.versions import VersionRecord

_FILES = frozenset({"cache", "lock", "tables", "versions"})


def check_free(path: Path) -> None:
    """Checks that an index can be created at `path`: there is nothing, an empty folder, or
    what an interrupted `create` left.

    Raises:
        IndexExistsError: if there is something else.
        ReferenceIndexError: if the folder can't be read.
    """
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_dir():
        raise IndexExistsError(f"{path} exists and is not a folder; choose another path.")
    try:
        names = {entry.name for entry in path.iterdir()}
    except OSError as fault:
        raise ReferenceIndexError(f"{path} can't be read ({fault.strerror}).") from None
    if versions.numbers(path):
        raise IndexExistsError(
            f"{path} is a reference index already; add works to it, or choose another path."
        )
    if names and not (names <= _FILES and locks.is_marked(path)):
        raise IndexExistsError(f"The folder {path} is not empty; choose another path.")


def create_index(
    path: Path,
    specs: Sequence[FingerprintSpec],
    schemas: Mapping[str, pa.Schema],
    *,
    keep_content: bool,
) -> None:
    """Makes version 1 of an index, which is empty; arguments and errors as
    `ReferenceIndex.create`."""
    by_stage = {spec.stage: spec for spec in specs}
    digests = tables.check_stages(by_stage, len(specs), schemas)
    check_free(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise ReferenceIndexError(f"The folder {path} can't be made ({fault.strerror}).") from None
    with locks.write_lock(path):
        check_free(path)
        try:
            shutil.rmtree(path / "tables", ignore_errors=True)
            (path / "tables").mkdir()
            (path / "versions").mkdir(exist_ok=True)
            states = tables.create(path, tables.layout(schemas, keep_content=keep_content))
            record = VersionRecord(
                version=1,
                made=versions.now(),
                digest=index_digest(by_stage, digests, (), (), {}),
                keep_content=keep_content,
                specs=by_stage,
                schemas=dict(schemas),
                tables=states,
                works=0,
                files=0,
            )
            versions.write(path, record)
        except OSError as fault:
            raise ReferenceIndexError(
                f"The index {path} can't be written ({fault.strerror})."
            ) from None
