"""The files of an evaluation: where they may lie, and how they are put in place."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core.errors import ConfigError, DropError
from pipeline.core.wording.safe_csv import write_csv
from pipeline.risk.calibration import Calibration
from pipeline.screening.config import configs_folder
from reference_index.atomic_write import new_file, temporary_path

EVALUATION = "evaluation.json"
PAIRS = "pairs.csv"
RELIABILITY = "reliability.png"
PRECISION_RECALL = "precision_recall.png"

NAMES = (EVALUATION, PAIRS, RELIABILITY, PRECISION_RECALL)
"""Every file of an evaluation's results."""


def check_targets(
    out: Path | None, calibration: Path | None, index: Path, inputs: Iterable[Path]
) -> None:
    """Sees that nothing that is read would be written over, before any work is done.

    Raises:
        DropError: if a file can't be put where it is asked for.
    """
    read = {path.resolve() for path in inputs}
    written = [] if out is None else [out / name for name in NAMES]
    for path in written if calibration is None else [*written, calibration]:
        if path.resolve() in read:
            raise DropError(
                f"{path} is among what is to be judged, and would be overwritten; choose another "
                "place for the results."
            )
        if path.is_dir():
            raise DropError(f"{path} is a folder, and a file is to be written there.")
    if calibration is not None:
        _check_calibration(calibration, index)
        if calibration.resolve() in {path.resolve() for path in written}:
            raise DropError(
                f"{calibration} is a name among the results; choose another for the calibration."
            )


def _check_calibration(path: Path, index: Path) -> None:
    place = path.resolve()
    if path.suffix.lower() != ".json":
        raise DropError(f"The calibration {path} must have a name that ends in .json.")
    if index.resolve() in place.parents:
        raise DropError(
            f"The calibration {path} would lie inside the reference index {index}; choose a place "
            "outside it."
        )
    if configs_folder().resolve() in place.parents:
        raise DropError(
            f"The calibration {path} would lie among the configurations that come with Clearance; "
            "choose a place of your own, beside your configuration."
        )
    if path.exists():
        try:
            Calibration.load(path)
        except ConfigError as error:
            raise DropError(
                f"{path} is there already and is no calibration; choose another name."
            ) from error


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """`value` as indented JSON, UTF-8."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def csv_bytes(columns: Mapping[str, pa.Array]) -> bytes:
    """A table as CSV that is safe to open in a spreadsheet."""
    file = io.BytesIO()
    write_csv(pa.table(dict(columns)), file)
    return file.getvalue()


def check_writable(folders: Iterable[Path]) -> None:
    """Makes folders that are not there, and sees that files can be written to them.

    Raises:
        DropError: if not; better at once than after an hour's judging.
    """
    for folder in folders:
        write_whole(folder, {"clearance": b""}, keep=False)


def write_whole(folder: Path, files: Mapping[str, bytes], *, keep: bool = True) -> None:
    """Writes files into `folder`, made if it is not there: all of them, or none.

    Without `keep` they are written under other names and taken away again.

    Raises:
        DropError: if they can't be written; files of these names that were there are whole.
    """
    partial: dict[Path, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            temporary = temporary_path(folder / name)
            partial[temporary] = folder / name
            with new_file(temporary) as file:
                file.write(content)
        for temporary, path in partial.items() if keep else ():
            temporary.replace(path)
    except OSError as error:
        raise DropError(
            f"Results can't be written to {folder} ({error.strerror or error}); name another place."
        ) from error
    finally:
        for temporary in partial:
            temporary.unlink(missing_ok=True)
