"""The overlay of a stored match as a PNG, drawn from the asset's own file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import DropError, RunError, ScreeningError
from pipeline.explain import find_row, rows_of
from pipeline.load import Limits
from pipeline.load.opening import digest_of, open_regular
from pipeline.load.refusal import FileRefusedError
from pipeline.load.workers import load_apart
from pipeline.overlap import STAGE, Overlap, overlap_of, overlap_sentence
from pipeline.overlay import frame_of, overlay, picture_of, strip
from pipeline.overlay_drawing import Picture
from pipeline.records import Asset, Fault, Kind, LoadedImage
from pipeline.results import StoredRun, read_run
from pipeline.visible import visible


@dataclass(frozen=True, slots=True)
class WrittenOverlay:
    """What `write_overlay` wrote.

    Attributes:
        file: the PNG.
        work_id: of the work that it shows.
        sentence: the overlap in words.
        note: what is not in the picture and why, or empty.
    """

    file: Path
    work_id: str
    sentence: str
    note: str


def write_overlay(out: Path, asset: str, file: Path, work_id: str | None = None) -> WrittenOverlay:
    """Writes the overlay of an asset's strongest match that has an overlap.

    Args:
        out: the folder of a run's results.
        asset: as in `pipeline.explain.explain`.
        file: a new file, ending in `.png`; nothing is ever overwritten.
        work_id: another match than the strongest.

    Raises:
        RunError: if the results can't be read, hold no such overlap or one that can't be drawn,
            or the asset's file is gone or has other content than was screened.
        DropError: if `file` is there already, can't be written, or lies in the drop or the index.
    """
    stored = read_run(out)
    row = find_row(stored, asset)
    _check_place(file, stored.run)
    match, overlap = _chosen(stored, row, work_id)
    frame = _asset_frame(stored.run, row, overlap)
    work, missing = _work_picture(stored.run, match)
    drawn = overlay(frame, work, overlap.transform, overlap.negative)
    if not drawn.panels:
        raise RunError(f"{visible(row['asset_path'])}: {drawn.note}")
    _write(file, strip(drawn))
    return WrittenOverlay(
        file,
        match["work_id"],
        overlap_sentence(overlap),
        (missing or drawn.note) if drawn.note else "",
    )


def _check_place(file: Path, run: Mapping[str, Any]) -> None:
    if file.suffix.lower() != ".png":
        raise DropError(f"The overlay is a PNG; name a file that ends in .png, not {file}.")
    place = file.resolve()
    index = run.get("index")
    for what, path in (
        ("drop", run.get("drop")),
        ("reference index", index.get("path") if isinstance(index, dict) else None),
    ):
        if isinstance(path, str) and Path(path).resolve() in (place, *place.parents):
            raise DropError(f"{file} lies inside the {what} {path}; choose a place outside it.")
    if file.exists() or file.is_symlink():
        raise DropError(f"{file} is there already, and nothing is overwritten; name another file.")


def _chosen(
    stored: StoredRun, row: Mapping[str, Any], work_id: str | None
) -> tuple[dict[str, Any], Overlap]:
    matches = rows_of(stored.match_rows, asset_path=row["asset_path"])
    found = [(match, overlap) for match in matches if (overlap := overlap_of(match)) is not None]
    path = visible(row["asset_path"])
    if not found:
        raise RunError(
            f"The run in {stored.folder} found no place in {path} where a work lies, so there is "
            "no overlay to draw."
        )
    for match, overlap in found:
        if work_id is None or match["work_id"] == work_id:
            return match, overlap
    listed = ", ".join(visible(match["work_id"]) for match, _ in found)
    raise RunError(
        f"The run in {stored.folder} found no place in {path} where the work "
        f"{visible(work_id or '')} lies; it found one for {listed}."
    )


def _asset_frame(run: Mapping[str, Any], row: Mapping[str, Any], overlap: Overlap) -> Picture:
    """The frame that the overlap speaks of, from the file that was screened."""
    path: str = row["asset_path"]
    if not isinstance(run.get("drop"), str):
        raise RunError("The run does not say which drop it screened, so the asset can't be found.")
    drop = Path(run["drop"])
    file = drop if drop.is_file() else drop / path
    try:
        with open_regular(file) as stream:
            same = digest_of(stream)[0] == row["asset_id"]
    except (FileRefusedError, OSError) as error:
        detail = error.fault.detail if isinstance(error, FileRefusedError) else str(error.strerror)
        raise RunError(
            f"The overlay can't be drawn: {visible(path)} can't be read in the drop {drop} "
            f"({detail})."
        ) from error
    if not same:
        raise RunError(
            f"The overlay can't be drawn: {visible(path)} in the drop {drop} has other content "
            "than was screened."
        )
    asset = Asset(file, path, row["asset_id"], Kind.IMAGE, row.get("size"))
    loaded = load_apart(asset, _limits(run))
    if isinstance(loaded, Fault):
        raise RunError(f"The overlay can't be drawn: {visible(path)}: {loaded.detail}.")
    frame = frame_of(loaded, overlap.frame) if isinstance(loaded, LoadedImage) else None
    if frame is None:
        raise RunError(
            f"The overlay can't be drawn: frame {overlap.frame + 1:,} of {visible(path)} is not "
            "among those that are looked at."
        )
    return frame


def _limits(run: Mapping[str, Any]) -> Limits:
    config = run.get("config")
    stored = config.get("limits") if isinstance(config, dict) else None
    try:
        return Limits.model_validate(stored or {})
    except ValueError:
        return Limits()  # limits of another version of the program


def _work_picture(run: Mapping[str, Any], match: Mapping[str, Any]) -> tuple[Picture | None, str]:
    """The picture kept of the work's file, or None and why there is none."""
    from reference_index.store import ReferenceIndex

    gone = "The index that was searched is not there as it was, so the work is not shown."
    place, path = run.get("index"), match.get(f"work_file_{STAGE}")
    if not isinstance(place, dict) or not isinstance(place.get("path"), str):
        return None, gone
    try:
        index = ReferenceIndex.open(Path(place["path"]), place.get("version"))
        if index.digest != place.get("digest"):
            return None, gone
        files = [f for f in index.files if (f.work_id, f.path) == (match["work_id"], path)]
        if (
            len(files) != 1
        ):  # the same path was registered with other bytes: which it was is unknown
            return None, "The index has not one file of that name of the work, so it is not shown."
        kept = index.content(files[0]).thumbnail
    except (ScreeningError, OSError):
        return None, gone
    return (picture_of(kept) if kept else None), ""


def _write(file: Path, picture: bytes) -> None:
    try:
        with file.open("xb") as opened:
            opened.write(picture)
    except FileExistsError:
        raise DropError(f"{file} is there already; name another file.") from None
    except OSError as error:
        raise DropError(
            f"{file} can't be written ({error.strerror}); name another file."
        ) from error
