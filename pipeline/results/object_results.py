"""The results of a run in object storage: written atomically, and read back.

They are written to a temporary folder first. Each file is then sent as a multipart upload, which is
not visible until it is completed. The uploads are completed only when all data has arrived,
`run.json` last. So a run that fails leaves the earlier results as they were, and a concurrent
reader sees a mismatch between `run.json` and the tables and refuses them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pipeline.core.environment import new_run_id
from pipeline.core.errors import DropError, RunError
from pipeline.core.layout import MATCHES, NAMES, PASSAGES, RISK_TABLE, RUN
from pipeline.core.wording.text import visible
from pipeline.drops.object_storage import Storage, Upload
from pipeline.drops.places import ObjectPlace, Place
from pipeline.drops.settings import ObjectStorage
from pipeline.drops.spool import spool
from pipeline.drops.storage_errors import StorageError

T = TypeVar("T")

KEPT = "clearance-results-"


@contextmanager
def results_folder(out: Place, settings: ObjectStorage) -> Iterator[Path]:
    """The folder to write a run's results to. For a place in object storage, they are put there on
    leaving the block without an exception.

    Raises:
        DropError: at once if nothing can be written there; if they can't be put there, with the
            folder where they lie instead.
    """
    if isinstance(out, Path):
        yield out
        return
    with Storage(settings) as storage, spool() as folder:
        _check(storage, out)
        results = folder / "results"
        results.mkdir()
        yield results
        written = [name for name in NAMES if (results / name).is_file()]
        files = [results / name for name in sorted(written, key=lambda name: name == RUN)]
        try:
            _put(storage, out, files)
        except (StorageError, OSError) as error:
            kept = _keep(results)
            raise DropError(
                f"The results could not be uploaded to {visible(str(out))}: {error}. They are "
                f"complete in {kept}; upload them from that folder, {RUN} last, or screen again."
            ) from error


def read_results(out: ObjectPlace, read: Callable[[Path], T]) -> T:
    """What `read` makes of the results at `out`, in a folder that is there for that call alone.

    Raises:
        RunError: if they can't be had; whatever `read` raises, with the folder's name put right.
    """
    with Storage(ObjectStorage()) as storage, spool() as folder:
        for name in (RUN, RISK_TABLE, MATCHES, PASSAGES):
            place = out / name
            try:
                (folder / name).write_bytes(storage.read(place.bucket, place.key))
            except StorageError as error:
                if error.code not in ("NoSuchKey", "404"):
                    raise RunError(f"{visible(str(place))} can't be read: {error}.") from error
                # `read` says what is missing.
        try:
            return read(folder)
        except RunError as error:
            said = str(error).replace(str(folder), visible(str(out)))
            raise RunError(said) from error


def _check(storage: Storage, out: ObjectPlace) -> None:
    """Sees before the work that results may be put there: by an upload that is taken back."""
    try:
        storage.start_upload(out.bucket, (out / RUN).key, {}).abort()
    except StorageError as error:
        raise DropError(f"Results can't be uploaded to {visible(str(out))}: {error}.") from error


def _put(storage: Storage, out: ObjectPlace, files: list[Path]) -> None:
    """Puts the files there; the last of them shows last."""
    puts: list[Upload] = []
    marks = {"clearance-put": new_run_id()}
    try:
        for file in files:
            puts.append(storage.start_upload(out.bucket, (out / file.name).key, marks))
            puts[-1].send(file)
        while puts:
            puts[0].complete()
            puts.pop(0)
    except BaseException:
        for put in puts:
            put.abort()
        raise


def _keep(results: Path) -> Path:
    """Moves the results out of the spool, which is cleared, to a folder that no run touches."""
    kept = Path(tempfile.mkdtemp(prefix=KEPT))
    for file in results.iterdir():
        shutil.move(file, kept / file.name)
    return kept
