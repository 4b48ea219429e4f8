"""Arrays that a search is built from, kept beside the index and memory-mapped.

They are a cache: what they hold follows from the index's tables, and deleting the folder loses
nothing. Arrays are NumPy's own files (`.npy`, never pickled), and a record beside them says what
each must be; one that is not is built anew, for a flipped bit in a search structure would find
nothing and say so of a copy. Where nothing can be written, arrays stay in memory.
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


def kept_arrays(folder: Path | None, name: str, build: Callable[[], Arrays]) -> Arrays:
    """The arrays `name`, memory-mapped if they were kept and are whole, else built and kept.

    Args:
        folder: of this version of the index, named by stage, a hyphen, and the version's digest;
            None keeps nothing.
        name: of the arrays, and of whatever they depend on beside the index: a file's name.
        build: makes them; one dimension each.

    Returns:
        By name, arrays that must not be written to.
    """
    if folder is None:
        return build()
    place = folder / name
    kept = _read(place)
    if kept is not None:
        return kept
    built = build()
    try:
        _write(place, built)
    except OSError:
        return built
    return _read(place) or built


def _read(place: Path) -> Arrays | None:
    """Arrays that are as their record says; None if there are none, or one is not."""
    try:
        record = json.loads((place / _RECORD).read_text(encoding="utf-8"))
        if {file.stem for file in place.glob("*.npy")} != set(record):
            return None
        found: dict[str, NDArray[Any]] = {}
        for name, expected in record.items():
            array = np.load(place / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            if _stated(array) != expected:
                return None
            found[name] = array
    except Exception:  # NumPy raises whatever it likes, and a cache is built anew
        return None
    return found or None


def _write(place: Path, arrays: Arrays) -> None:
    """Writes arrays under another name and then renames them, so that a reader sees all or none.
    Those of other versions go.

    Raises:
        OSError: if nothing can be written there.
    """
    place.parent.parent.mkdir(exist_ok=True)
    stage = place.parent.name.rpartition("-")[0]
    for other in place.parent.parent.iterdir():
        if other != place.parent and other.name.rpartition("-")[0] == stage:
            shutil.rmtree(other, ignore_errors=True)
    place.parent.mkdir(exist_ok=True)
    made = place.parent / f".making-{uuid.uuid4().hex}"
    made.mkdir()
    try:
        for name, array in arrays.items():
            np.save(made / f"{name}.npy", array, allow_pickle=False)
        record = {name: _stated(array) for name, array in arrays.items()}
        (made / _RECORD).write_text(json.dumps(record), encoding="utf-8")
        if place.exists():
            shutil.rmtree(place)  # damaged, or it would have been read
        made.rename(place)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _stated(array: NDArray[Any]) -> list[Any]:
    """What the record says of an array: type, length, and xxh3 (128 bits, hex) of its bytes."""
    digest = xxhash.xxh3_128()
    for start in range(0, len(array), _BLOCK):
        digest.update(np.ascontiguousarray(array[start : start + _BLOCK]).data)
    return [array.dtype.str, len(array), digest.hexdigest()]
