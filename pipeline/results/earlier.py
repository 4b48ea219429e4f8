"""Earlier results at the place where a run is about to write: replaced, moved aside or refused.

| at the place | without `replace` | with `replace` |
| --- | --- | --- |
| nothing of a run's names | written | written |
| a run of the same drop | replaced; its record stays | the same |
| a run of another drop | refused | replaced |
| the same, with a record of decisions | refused | moved to `OUT.RUN_ID`, record and all |
| files with a run's names that no run wrote | refused | replaced |
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import DropError
from pipeline.core.layout import (
    DECIDED,
    DECIDED_CSV,
    MATCHES,
    PASSAGES,
    REPORT,
    RISK_CSV,
    RISK_TABLE,
    RUN,
)
from pipeline.core.wording.text import listed, visible
from pipeline.decisions.places import CHECKPOINTS, RECORD, scan_directory_of
from pipeline.drops.object_storage import Storage
from pipeline.drops.places import ObjectPlace, Place, absolute
from pipeline.drops.settings import ObjectStorage
from pipeline.drops.storage_errors import StorageError
from pipeline.results.files import exclusive

SCREENED = (RISK_TABLE, RISK_CSV, MATCHES, PASSAGES, REPORT, RUN, DECIDED, DECIDED_CSV)
"""Files that screening a drop may replace."""

_RUN_ID = re.compile(r"[\w.-]{1,100}", re.ASCII)
_OF_PEOPLE = (RECORD, CHECKPOINTS, DECIDED, DECIDED_CSV)
"""Files by which people's decisions on a run are recognised."""


@dataclass(frozen=True)
class Earlier:
    """What is already at the place of a run's results.

    Attributes:
        names: files there that the run would replace.
        run: their run.json; None if there is none, or it is not one.
        decided: whether a record of decisions, or tables made of one, are there too.
    """

    names: tuple[str, ...]
    run: dict[str, Any] | None
    decided: bool = False

    def refusal(self, out: Place, drop: Place) -> str | None:
        """Why they may be replaced only on request, as a sentence; None if they may be."""
        if not self.names:
            return None
        where = visible(str(out))
        if self.run is None:
            return (
                f"{where} holds {listed(self.names)}, and no {RUN} by which a run of Clearance "
                "would be known; choose another folder with --out, or give --replace to overwrite."
            )
        if self.run["drop"] == absolute(drop):
            return None
        decisions = ", and a record of decisions is kept there" if self.decided else ""
        moved = f": they then move to {where}.{self.run['run_id']}" if self.decided else ""
        return (
            f"{where} holds the results of another drop, {visible(self.run['drop'])}{decisions}; "
            f"choose another folder with --out, or give --replace{moved}."
        )


def earlier_results(out: Place, settings: ObjectStorage) -> Earlier:
    """Looks at what is at `out`, in a folder or in object storage.

    Raises:
        DropError: if that can't be seen, or `out` belongs to a nightly scan.
    """
    if not isinstance(out, Path):
        return _stored_earlier(out, settings)
    scans = scan_directory_of(out)
    if scans is not None:
        raise DropError(
            f"{visible(str(out))} holds the results of a nightly scan, which {visible(str(scans))} "
            "keeps; choose another folder with --out."
        )
    try:
        names = [name for name in SCREENED if (out / name).is_symlink() or (out / name).exists()]
        decided = any((out / name).exists() for name in _OF_PEOPLE)
        data = (out / RUN).read_bytes() if RUN in names else b""
    except OSError as error:
        raise DropError(
            f"What is in {visible(str(out))} can't be read ({error.strerror}); choose another "
            "folder with --out."
        ) from error
    return Earlier(tuple(names), _manifest(data), decided)


def _stored_earlier(out: ObjectPlace, settings: ObjectStorage) -> Earlier:
    with Storage(settings) as storage:
        try:
            names = [name for name in SCREENED if _is_stored(storage, out / name)]
            data = storage.read(out.bucket, (out / RUN).key) if RUN in names else b""
        except StorageError as error:
            raise DropError(f"What is at {visible(str(out))} can't be read: {error}.") from error
    return Earlier(tuple(names), _manifest(data))


def _is_stored(storage: Storage, place: ObjectPlace) -> bool:
    # The first key of a listing is the shortest: the object itself, if there is one.
    return any(stored.key == place.key for stored in storage.listing(place.bucket, place.key, 1))


def _manifest(data: bytes) -> dict[str, Any] | None:
    try:
        run = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(run, dict) or not isinstance(run.get("drop"), str):
        return None
    run_id = run.get("run_id")
    return run if isinstance(run_id, str) and _RUN_ID.fullmatch(run_id) else None


@contextmanager
def room_for_results(
    out: Place, drop: Place, settings: ObjectStorage, *, replace: bool
) -> Iterator[Path | None]:
    """Sees that results may be written to `out`, and moves those with a record aside.

    If the block raises before anything was written, what was moved is moved back.

    Args:
        out: where results are about to be written.
        drop: what is about to be screened.
        settings: of object storage.
        replace: whether results of another drop, and files that no run wrote, may be replaced.

    Yields:
        The folder to which the earlier results and their record were moved, relative if `out` is;
        None if they were not.

    Raises:
        DropError: if `out` holds what may not be replaced, or it can't be moved.
    """
    earlier = earlier_results(out, settings)
    refusal = earlier.refusal(out, drop)
    if refusal is not None and not replace:
        raise DropError(refusal)
    if refusal is None or not earlier.decided or not isinstance(out, Path):
        yield None
        return
    folder = out.resolve()
    aside = _aside(folder, earlier)
    shown = aside if out.is_absolute() else Path(os.path.relpath(aside))
    with exclusive(folder) as lock:
        try:
            _rename(folder, aside)
        except DropError:
            lock.unlink(missing_ok=True)
            raise
        (aside / lock.name).unlink(missing_ok=True)
    try:
        yield shown
    except BaseException:
        if not folder.exists() or not any(folder.iterdir()):
            if folder.exists():
                folder.rmdir()
            aside.rename(folder)
        raise


def _aside(folder: Path, earlier: Earlier) -> Path:
    """`OUT.RUN_ID`, or `OUT.earlier` where decisions have no run.json beside them."""
    name = "earlier" if earlier.run is None else earlier.run["run_id"]
    return folder.with_name(f"{folder.name}.{name}")


def _rename(folder: Path, aside: Path) -> None:
    if aside.exists():
        raise DropError(
            f"The results in {visible(str(folder))} were to be moved to {visible(str(aside))}, "
            "which is there already; move one of them yourself, or choose another folder with "
            "--out."
        )
    try:
        folder.rename(aside)
    except OSError as error:
        raise DropError(
            f"The results in {visible(str(folder))} and the record of decisions can't be moved to "
            f"{visible(str(aside))} ({error.strerror}); choose another folder with --out."
        ) from error
