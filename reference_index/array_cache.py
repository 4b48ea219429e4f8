"""A cache of arrays that a search structure is built from, as memory-mapped files in the index.

The arrays are derived from the index's tables, so deleting the folder loses nothing. They are NumPy
files (`.npy`, never pickled) with a record of each array's type, length and checksum. Arrays that
differ from the record are built anew: a flipped bit in a search structure would silently hide a
copy. Where the folder can't be written, arrays stay in memory.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

_RECORD = "arrays.json"
_BLOCK = 1 << 24


def cached_arrays(folder: Path | None, name: str, build: Callable[[], Arrays]) -> Arrays:
    """The arrays `name`, memory-mapped if they are cached and intact, else built and cached.

    Args:
        folder: of this version of the index, named by stage, a hyphen, and the version's digest;
            None caches nothing.
        name: of the arrays; a file name. It must change with everything that they depend on
            besides the index, such as parameters of the search.
        build: builds them; one dimension each.

    Returns:
        Arrays by name, read-only.
    """
    if folder is None:
        return build()
    directory = folder / name
    cached = _read(directory)
    if cached is not None:
        return cached
    built = build()
    try:
        _write(directory, built)
    except OSError:
        return built
    return _read(directory) or built


def _read(directory: Path) -> Arrays | None:
    """The arrays, or None if there are none or one differs from its record."""
    try:
        record = json.loads((directory / _RECORD).read_text(encoding="utf-8"))
        if {file.stem for file in directory.glob("*.npy")} != set(record):
            return None
        arrays: dict[str, NDArray[Any]] = {}
        for name, expected in record.items():
            array = np.load(directory / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            if _description(array) != expected:
                return None
            arrays[name] = array
    except Exception:  # NumPy raises many types for a damaged file
        return None
    return arrays or None


def _write(directory: Path, arrays: Arrays) -> None:
    """Writes arrays to a temporary folder and renames it, so that a reader sees all or none, and
    removes those of other versions of the index.

    Raises:
        OSError: if the folder can't be written.
    """
    directory.parent.parent.mkdir(exist_ok=True)
    stage = directory.parent.name.rpartition("-")[0]
    for other in directory.parent.parent.iterdir():
        if other != directory.parent and other.name.rpartition("-")[0] == stage:
            shutil.rmtree(other, ignore_errors=True)
    directory.parent.mkdir(exist_ok=True)
    temporary = directory.parent / f".making-{uuid.uuid4().hex}"
    temporary.mkdir()
    try:
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        record = {name: _description(array) for name, array in arrays.items()}
        (temporary / _RECORD).write_text(json.dumps(record), encoding="utf-8")
        if directory.exists():
            shutil.rmtree(directory)  # damaged, or it would have been read
        temporary.rename(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _description(array: NDArray[Any]) -> list[Any]:
    """Type, length, and xxh3 (128 bits, hex) of the bytes of an array."""
    digest = xxhash.xxh3_128()
    for start in range(0, len(array), _BLOCK):
        digest.update(np.ascontiguousarray(array[start : start + _BLOCK]).data)
    return [array.dtype.str, len(array), digest.hexdigest()]
