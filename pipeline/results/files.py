"""The result files of a run: replaced together, and read back."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import DropError, RunError
from pipeline.core.layout import (
    LATEST,
    MATCHES,
    NAMES,
    PASSAGES,
    RISK_TABLE,
    RUN,
)
from pipeline.drops.places import Place
from reference_index.atomic_write import flush_folder, new_file, temporary_path

if TYPE_CHECKING:
    import pandas as pd


LOCK = ".clearance-run.lock"
_JOURNAL = ".clearance-run.journal"
_PROBE_BYTES = 2**20
_PARTIAL = re.compile(
    rf"\.({'|'.join(map(re.escape, (*NAMES, _JOURNAL)))})\.[0-9a-f]{{8}}\.partial"
)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Facts of a run for its tables and report.

    The first four are columns of the risk table, the others are shown in the report.

    Attributes:
        run_id: the run's name.
        index_version, index_digest: of the index that was searched.
        config_fingerprint: SHA-256 (hex) of the effective configuration.
        drop: the drop's name, for people.
        started: when the run began, ISO 8601, UTC.
        works: how many works the index holds.
        clearance_version: of the program.
        prior: by kind (`image`, `script`), the log-odds (nats) of a pair without evidence. If a
            kind is there, the table's contributions are checked against its risks.
        bands: the cuts on risk, `escalate` and `review`.
    """

    run_id: str
    index_version: int
    index_digest: str
    config_fingerprint: str
    drop: str = ""
    started: str = ""
    works: int = 0
    clearance_version: str = ""
    prior: Mapping[str, float] = field(default_factory=dict)
    bands: Mapping[str, float] = field(default_factory=dict)


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """`value` as indented JSON, UTF-8, keys in their order.

    Lone surrogates are escaped: a path that is not Unicode must not cost a run its manifest.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


class ResultFiles:
    """New result files of a run, which take the place of the old ones together.

    Each is written under another name in the same folder, and flushed to the disk. Leaving the
    `with` block writes a journal of what is to be renamed, and renames them; if a crash comes
    between two renames, the next run or `read_run` completes them by the journal. Leaving the
    block by an exception removes them, so that the results of an earlier run stay whole. Write
    `run.json` last: its `outputs` (`digests`) let `read_run` see whether the files are of one run.

    Attributes:
        folder: where the results go; made if it is not there.
        digests: by name of a file written, SHA-256 (hex) of its bytes.

    Raises:
        DropError: if the folder can't be made or written to, or another run is writing to it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.digests: dict[str, str] = {}
        self._written: dict[str, Path] = {}
        self._lock = -1
        self._made = False

    def __enter__(self) -> Self:
        self._made = not self.folder.exists()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DropError(
                f"Results can't be written to {self.folder} ({error.strerror}); "
                "name another folder with --out."
            ) from error
        for name in NAMES:
            if (self.folder / name).is_dir():
                raise DropError(
                    f"{self.folder / name} is a folder, and {name} is to be written there; name "
                    "another folder with --out."
                )
        self._lock = _locked(self.folder)
        _complete(self.folder)
        # The lock is ours, so these are of a run that was killed.
        for left in self.folder.glob(".*.partial"):
            if _PARTIAL.fullmatch(left.name) and left.is_file():
                left.unlink(missing_ok=True)
        try:
            self._check_space()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def _check_space(self) -> None:
        """A full disk is noticed before the work: an empty file can be made on it, and no more."""
        with self.new(RUN) as file:
            file.write(bytes(_PROBE_BYTES))
        del self.digests[RUN]
        self._written.pop(RUN).unlink()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None and self._written:
                # From here on the new results are the results: what is interrupted is completed
                # by whoever comes next.
                with self.new(_JOURNAL) as file:
                    names = {partial.name: name for name, partial in self._written.items()}
                    file.write(json.dumps(names).encode())
                del self.digests[_JOURNAL]
                self._written[_JOURNAL].replace(self.folder / _JOURNAL)
                _flush_folder(self.folder)
                _complete(self.folder)
        finally:
            if not (self.folder / _JOURNAL).exists():
                for partial in self._written.values():
                    partial.unlink(missing_ok=True)
            (self.folder / LOCK).unlink(missing_ok=True)
            os.close(self._lock)
            if kind is not None and self._made:
                with suppress(OSError):  # a command that failed leaves no empty folder
                    self.folder.rmdir()

    @contextmanager
    def new(self, name: str) -> Iterator[BinaryIO]:
        """The file to write `name` to, from its start to its end."""
        partial = temporary_path(self.folder / name)
        self._written[name] = partial
        try:
            with new_file(partial) as file:
                yield file
        except OSError as error:
            raise DropError(
                f"{name} can't be written in {self.folder} ({error.strerror or error}); "
                "results of an earlier run there are unchanged."
            ) from error
        with partial.open("rb") as file:
            self.digests[name] = hashlib.file_digest(file, "sha256").hexdigest()

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Writes `value` as indented JSON, UTF-8, keys in their order."""
        with self.new(name) as file:
            file.write(json_bytes(value))


def _complete(folder: Path) -> None:
    """Puts in place the results of a run that ended, or was ended, between its renames."""
    journal = folder / _JOURNAL
    try:
        names = json.loads(journal.read_bytes())
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        names = {}
    for partial, name in names.items() if isinstance(names, dict) else ():
        own = _PARTIAL.fullmatch(partial)
        if own and own[1] == name and name in NAMES and (folder / partial).is_file():
            (folder / partial).replace(folder / name)
    _flush_folder(folder)
    journal.unlink(missing_ok=True)


def _locked(folder: Path) -> int:
    """The descriptor that holds the folder's lock: two runs never write to one folder at once.

    The kernel drops the lock when its holder ends, so none is ever stale.
    """
    path = folder / LOCK
    try:
        held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise DropError(
            f"Results can't be written to {folder} ({error.strerror}); name another folder with "
            "--out."
        ) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = os.fstat(held).st_ino == path.stat().st_ino
    except OSError:
        mine = False
    if not mine:
        os.close(held)
        raise DropError(
            f"Another run is writing its results to {folder}; wait for it to end, or name another "
            "folder with --out."
        )
    return held


@contextmanager
def exclusive(folder: Path) -> Iterator[Path]:
    """Keeps runs from writing to `folder` during the block, in which it may be renamed.

    Yields:
        The lock's file, for the block to delete wherever it then is.

    Raises:
        DropError: if another run is writing to it, or it can't be written to.
    """
    held = _locked(folder)
    try:
        yield folder / LOCK
    finally:
        os.close(held)


def _flush_folder(folder: Path) -> None:
    with suppress(OSError):  # some file systems can't; the files themselves are flushed
        flush_folder(folder)


@dataclass(frozen=True)
class StoredRun:
    """The results of a run, read back.

    Attributes:
        folder: where they lie.
        run: run.json.
        risk_rows, match_rows, passage_rows: the three Parquet files.
    """

    folder: Place
    run: dict[str, Any]
    risk_rows: pa.Table
    match_rows: pa.Table
    passage_rows: pa.Table

    @cached_property
    def table(self) -> pd.DataFrame:
        """The risk table: a row for each file discovered."""
        return _frame(self.risk_rows)

    @cached_property
    def matches(self) -> pd.DataFrame:
        """A row for each asset and work with any evidence, strongest first within an asset."""
        return _frame(self.match_rows)

    @cached_property
    def passages(self) -> pd.DataFrame:
        """A row for each pair of overlapping passages."""
        return _frame(self.passage_rows)


def _frame(table: pa.Table) -> pd.DataFrame:
    """As pandas, with integers that stay integers where a value is missing."""
    import pandas as pd

    nullable = {
        pa.int64(): pd.Int64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.string(): pd.StringDtype(),
    }
    frame: pd.DataFrame = table.to_pandas(types_mapper=nullable.get)
    return frame


def results_folder(out: Place) -> Place:
    """Where a run's results are: `out`, or those of the latest scan if `out` is a scan directory.

    The link to the latest scan is resolved: all files are then of one scan, though another ends.
    """
    if isinstance(out, Path) and not (out / RUN).is_file() and (out / LATEST / RUN).is_file():
        return Path(os.path.realpath(out / LATEST))
    return out


def read_run(out: Place) -> StoredRun:
    """The results in the folder `out`, or in object storage.

    Raises:
        RunError: if a file is missing or unreadable, or the files are not those of one run as it
            wrote them; one sentence says which, and how to fix it.
    """
    if not isinstance(out, Path):
        from pipeline.results.object_results import read_results

        return replace(read_results(out, read_run), folder=out)
    if (out / _JOURNAL).is_file():
        # If another run is at it, or nothing can be written, the digests decide.
        with suppress(DropError), ResultFiles(out):
            pass
    run = _manifest(out)
    outputs = run.get("outputs", {})
    tables = [_stored(out, name, outputs.get(name)) for name in (RISK_TABLE, MATCHES, PASSAGES)]
    for name, table, needed in zip(
        (RISK_TABLE, MATCHES, PASSAGES),
        tables,
        (
            ("asset_path", "asset_id", "kind", "band", "risk"),
            ("asset_path", "work_id", "risk"),
            ("asset_path", "work_id", "words"),
        ),
        strict=True,
    ):
        missing = [column for column in needed if column not in table.column_names]
        if missing:
            raise RunError(
                f"{out / name} has no column {' or '.join(missing)}; it is not a table of "
                "Clearance. Screen the drop again into this folder."
            )
    return StoredRun(out, run, *tables)


def _manifest(out: Path) -> dict[str, Any]:
    path = out / RUN
    try:
        run = json.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError as error:
        raise RunError(
            f"{out} holds no results of a run (there is no {RUN} in it); name the folder that "
            "was given to clearance screen as --out."
        ) from error
    except OSError as error:
        raise RunError(f"{path} can't be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise RunError(
            f"{path} is not JSON ({error}); screen the drop again into this folder with --replace."
        ) from error
    if not isinstance(run, dict) or not isinstance(run.get("outputs", {}), dict):
        raise RunError(
            f"{path} is not a run's manifest; screen the drop again into this folder with "
            "--replace."
        )
    return run


def _stored(out: Path, name: str, digest: object) -> pa.Table:
    path = out / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunError(
            f"{path} can't be read ({error.strerror}); screen the drop again into this folder."
        ) from error
    if digest is not None and hashlib.sha256(data).hexdigest() != digest:
        raise RunError(
            f"{path} is not the file that the run in {RUN} wrote: it was changed since, or a later "
            "run was interrupted; screen the drop again into this folder."
        )
    try:
        # In this thread. `pq.read_table` scans in threads that may still hold the bytes when the
        # interpreter ends, which then aborts the process.
        return pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise RunError(
            f"{path} is not a readable Parquet file; screen the drop again into this folder."
        ) from error
