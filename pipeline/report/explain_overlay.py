"""The overlay of a stored match as a PNG, drawn from the asset's own file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.core.errors import DropError, RunError, ScreeningError
from pipeline.core.records import Asset, Fault, Kind
from pipeline.core.wording.visible import visible
from pipeline.drops.places import Place, is_inside, place
from pipeline.load.loaded import LoadedImage
from pipeline.load.opening import digest_of, open_regular
from pipeline.load.refusal import FileRefusedError
from pipeline.load.workers.pool import load_in_worker
from pipeline.report.overlap import STAGE, Overlap, overlap_of, overlap_sentence
from pipeline.report.overlay import frame_of, overlay, picture_of, strip
from pipeline.report.overlay_drawing import Picture
from pipeline.results.files import StoredRun, read_run
from pipeline.results.inputs import (
    asset_place,
    drop_places,
    index_path,
    load_limits,
    searched_index,
)
from pipeline.results.lookup import find_row, rows_of


@dataclass(frozen=True, slots=True)
class WrittenOverlay:
    """What `write_overlay` wrote.

    Attributes:
        file: the PNG.
        work_id: of the work that it shows.
        sentence: the overlap in words.
        note: what is not in the picture and why, and what the row's own match is if this is another
            or is suppressed; or empty.
    """

    file: Path
    work_id: str
    sentence: str
    note: str


def write_overlay(out: Place, asset: str, file: Path, work_id: str | None = None) -> WrittenOverlay:
    """Writes the overlay of the match that decides an asset's row.

    If that has no overlap, of the strongest that counts and has one; a suppressed match only where
    no other has one. The note says so.

    Args:
        out: where a run's results lie.
        asset: as in `pipeline.report.explain.explain`.
        file: a new file, ending in `.png`; nothing is ever overwritten.
        work_id: another match than that.

    Raises:
        RunError: if the results can't be read, hold no such overlap or one that can't be drawn,
            or the asset's file is gone or has other content than was screened.
        DropError: if `file` is there already, can't be written, or lies in the drop or the index.
    """
    stored = read_run(out)
    row = find_row(stored, asset)
    _check_place(file, stored.run)
    drawn = draw_overlay(stored, row, work_id)
    _write(file, drawn.png)
    note = f"{_standing(stored, row, drawn.work_id)} {drawn.note}".strip()
    return WrittenOverlay(file, drawn.work_id, drawn.sentence, note)


def _standing(stored: StoredRun, row: Mapping[str, Any], work_id: str) -> str:
    """What a match is to its row, in a sentence; empty if it decides it."""
    matches = rows_of(stored.match_rows, asset_path=row["asset_path"])
    counted = [match["work_id"] for match in matches if not match.get("suppressed")]
    if not counted:
        return "Every match of this row is suppressed, and none decides it."
    if work_id == counted[0]:
        return ""
    decides = f"the one with {visible(counted[0])} decides the row"
    if work_id not in counted:
        return f"This match with {visible(work_id)} is suppressed; {decides}."
    return f"This is the match with {visible(work_id)}; {decides}."


@dataclass(frozen=True, slots=True)
class DrawnOverlay:
    """An overlay as a PNG; the other attributes are those of `WrittenOverlay`."""

    png: bytes
    work_id: str
    sentence: str
    note: str


def draw_overlay(
    stored: StoredRun, row: Mapping[str, Any], work_id: str | None = None
) -> DrawnOverlay:
    """The overlay of a row's strongest match that counts and has one, or of its match with a work.

    Where no match that counts has an overlap, it is that of a suppressed one.

    Raises:
        RunError: as in `write_overlay`.
    """
    match, overlap = _chosen(stored, row, work_id)
    frame = _asset_frame(stored.run, row, overlap)
    work, missing = kept_picture(stored.run, match["work_id"], match.get(f"work_file_{STAGE}"))
    drawn = overlay(frame, work, overlap.transform, overlap.negative)
    if not drawn.panels:
        raise RunError(f"{visible(row['asset_path'])}: {drawn.note}")
    return DrawnOverlay(
        strip(drawn),
        match["work_id"],
        overlap_sentence(overlap),
        (missing or drawn.note) if drawn.note else "",
    )


def _check_place(file: Path, run: Mapping[str, Any]) -> None:
    if file.suffix.lower() != ".png":
        raise DropError(f"The overlay is a PNG; name a file that ends in .png, not {file}.")
    for what, path in (
        *(("drop", drop) for drop in drop_places(run)),
        ("reference index", index_path(run)),
    ):
        if path is not None and is_inside(file, place(path)):
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
    if work_id is None:
        return min(found, key=lambda one: bool(one[0].get("suppressed")))  # the first of those
    for match, overlap in found:
        if match["work_id"] == work_id:
            return match, overlap
    listed = ", ".join(visible(match["work_id"]) for match, _ in found)
    raise RunError(
        f"The run in {stored.folder} found no place in {path} where the work "
        f"{visible(work_id or '')} lies; it found one for {listed}."
    )


SHOWN_EDGE = 480


def asset_picture(run: Mapping[str, Any], row: Mapping[str, Any], edge: int = SHOWN_EDGE) -> bytes:
    """The first frame of an asset, from the file that was screened, as a PNG.

    Args:
        run: run.json.
        row: of the risk table.
        edge: pixels of the longer side at most.

    Raises:
        RunError: if the file is gone, has other content than was screened, or can't be decoded.
    """
    return _png(asset_image(run, row).frames[0], edge)


def work_picture(
    run: Mapping[str, Any], work_id: str, file: str, edge: int = SHOWN_EDGE
) -> tuple[bytes | None, str]:
    """What the index keeps of a file of a work, by its path there, as a PNG; None and a sentence
    if there is nothing.
    """
    picture, why = kept_picture(run, work_id, file)
    if picture is None:
        return None, why or "The index keeps no picture of the work."
    return _png(picture, edge), ""


def _png(picture: Picture, edge: int) -> bytes:
    small = Image.fromarray(picture)
    small.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    return buffer.getvalue()


def asset_image(run: Mapping[str, Any], row: Mapping[str, Any]) -> LoadedImage:
    """The decoded picture of a row, from the file that was screened.

    Raises:
        RunError: if the file is gone, has other content than was screened, or can't be decoded.
    """
    path: str = row["asset_path"]
    file = asset_place(run, path)
    if file is None:
        raise RunError("The run does not say which drop it screened, so the asset can't be found.")
    if not isinstance(file, Path):
        raise RunError(
            f"The overlay can't be drawn: {visible(path)} lies in object storage, and nothing is "
            "fetched to explain a run; copy the drop to this machine and screen it here."
        )
    try:
        with open_regular(file) as stream:
            # Of another length it is another file: what took its place may claim any size.
            size = row.get("size")
            same = size in (None, stream.seek(0, 2)) and digest_of(stream)[0] == row["asset_id"]
    except (FileRefusedError, OSError) as error:
        detail = error.fault.detail if isinstance(error, FileRefusedError) else str(error.strerror)
        raise RunError(
            f"The picture can't be drawn: {visible(path)} can't be read in the drop (as "
            f"{visible(str(file))}: {detail})."
        ) from error
    if not same:
        raise RunError(
            f"The picture can't be drawn: {visible(path)} in the drop (as {visible(str(file))}) "
            "has other content than was screened."
        )
    asset = Asset(file, path, row["asset_id"], Kind.IMAGE, row.get("size"))
    loaded = load_in_worker(asset, load_limits(run))
    if not isinstance(loaded, LoadedImage):
        why = loaded.detail if isinstance(loaded, Fault) else "it is no picture"
        raise RunError(f"The picture can't be drawn: {visible(path)}: {why}.")
    return loaded


def _asset_frame(run: Mapping[str, Any], row: Mapping[str, Any], overlap: Overlap) -> Picture:
    """The frame that the overlap speaks of, from the file that was screened."""
    frame = frame_of(asset_image(run, row), overlap.frame)
    if frame is None:
        raise RunError(
            f"The picture can't be drawn: frame {overlap.frame + 1:,} of "
            f"{visible(row['asset_path'])} is not among those that are looked at."
        )
    return frame


def kept_picture(
    run: Mapping[str, Any], work_id: str, path: str | None
) -> tuple[Picture | None, str]:
    """The picture kept of the work's file, or None and why there is none."""
    gone = "The index that was searched is not there as it was, so the work is not shown."
    index = searched_index(run)
    if index is None:
        return None, gone
    try:
        files = [f for f in index.files if (f.work_id, f.path) == (work_id, path)]
        if len(files) != 1:
            # The same path was registered with other bytes: which it was is unknown.
            return None, "The index has not one file of that name of the work, so it is not shown."
        thumbnail = index.content(files[0]).thumbnail
    except (ScreeningError, OSError):
        return None, gone
    return (picture_of(thumbnail) if thumbnail else None), ""


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
