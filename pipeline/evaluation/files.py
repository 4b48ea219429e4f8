"""The output files of an evaluation: their names, checks before any work, and writing them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

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
"""Every file of an evaluation's results, besides the calibration."""


def check_targets(
    out: Path | None, calibration: Path | None, index: Path, inputs: Iterable[Path]
) -> None:
    """Checks, before any work is done, that no output would overwrite an input.

    Raises:
        DropError: if a file can't be written to the requested place.
    """
    input_files = {path.resolve() for path in inputs}
    results = [] if out is None else [out / name for name in NAMES]
    for path in results if calibration is None else [*results, calibration]:
        if path.resolve() in input_files:
            raise DropError(
                f"{path} is one of the inputs and would be overwritten; choose another "
                "place for the results."
            )
        if path.is_dir():
            raise DropError(f"{path} is a folder, and a file is to be written there.")
    if calibration is not None:
        _check_calibration(calibration, index)
        if calibration.resolve() in {path.resolve() for path in results}:
            raise DropError(
                f"{calibration} is a name among the results; choose another for the calibration."
            )


def _check_calibration(path: Path, index: Path) -> None:
    place = path.resolve()
    if path.suffix.lower() != ".json":
        raise DropError(f"The calibration {path} must have a name that ends in .json.")
    if index.resolve() in place.parents:
        raise DropError(
            f"The calibration {path} would be inside the reference index {index}; choose a place "
            "outside it."
        )
    if configs_folder().resolve() in place.parents:
        raise DropError(
            f"The calibration {path} would be among the configurations that come with Clearance; "
            "choose a place of your own, next to your configuration."
        )
    if path.exists():
        try:
            Calibration.load(path)
        except ConfigError as error:
            raise DropError(
                f"{path} exists and is not a calibration; choose another name."
            ) from error


def csv_bytes(columns: Mapping[str, pa.Array]) -> bytes:
    """A table as CSV that is safe to open in a spreadsheet."""
    file = io.BytesIO()
    write_csv(pa.table(dict(columns)), file)
    return file.getvalue()


def check_writable(folders: Iterable[Path]) -> None:
    """Creates missing folders and checks that files can be written to them.

    Raises:
        DropError: if not: now, rather than after an hour of screening.
    """
    for folder in folders:
        write_all(folder, {"clearance": b""}, keep=False)


def write_all(folder: Path, files: Mapping[str, bytes], *, keep: bool = True) -> None:
    """Writes files into `folder`, created if missing: all of them, or none.

    Args:
        folder: where they go.
        files: contents by name.
        keep: if false, only temporary files are written, and removed again.

    Raises:
        DropError: if they can't be written; earlier files of these names are unchanged.
    """
    final_paths: dict[Path, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            temporary = temporary_path(folder / name)
            final_paths[temporary] = folder / name
            with new_file(temporary) as file:
                file.write(content)
        for temporary, path in final_paths.items() if keep else ():
            temporary.replace(path)
    except OSError as error:
        raise DropError(
            f"Results can't be written to {folder} ({error.strerror or error}); name another place."
        ) from error
    finally:
        for temporary in final_paths:
            temporary.unlink(missing_ok=True)
