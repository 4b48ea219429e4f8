"""The overlay of a stored match as a PNG, drawn from the asset's own file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import RunError
from pipeline.core.wording.text import visible
from pipeline.drops.places import Place
from pipeline.report.card_file import check_new_file, write_new_file
from pipeline.report.overlap import STAGE, Overlap, overlap_of, overlap_sentence
from pipeline.report.overlay import frame_of, overlay, strip
from pipeline.report.overlay_drawing import Picture
from pipeline.report.stored_content import asset_image, work_thumbnail
from pipeline.results.files import StoredRun, read_run
from pipeline.results.lookup import find_row, rows_of


@dataclass(frozen=True, slots=True)
class WrittenOverlay:
    """What `write_overlay` wrote.

    Attributes:
        file: the PNG.
        work_id: of the work that it shows.
        sentence: the overlap in words.
        note: what is missing in the picture and why, and which match decides the row if this one
            does not; or empty.
    """

    file: Path
    work_id: str
    sentence: str
    note: str


def write_overlay(out: Place, asset: str, file: Path, work_id: str | None = None) -> WrittenOverlay:
    """Writes the overlay of the match that decides an asset's row.

    If it has no overlap, that of the strongest match that counts and has one; that of a suppressed
    match only if no other match has one. The note says so.

    Args:
        out: where the results of the run are.
        asset: as in `pipeline.report.explain.explained_row`.
        file: a new file, ending in `.png`; nothing is ever overwritten.
        work_id: the match with this work instead.

    Raises:
        RunError: if the results can't be read, hold no such overlap or one that can't be drawn,
            or the asset's file is gone or has other content than was screened.
        DropError: if `file` is there already, can't be written, or is in the drop or the index.
    """
    stored = read_run(out)
    row = find_row(stored, asset)
    check_new_file(file, stored.run, "overlay is a PNG", (".png",))
    drawn = draw_overlay(stored, row, work_id)
    write_new_file(file, drawn.png)
    note = f"{_role_of_match(stored, row, drawn.work_id)} {drawn.note}".strip()
    return WrittenOverlay(file, drawn.work_id, drawn.sentence, note)


def _role_of_match(stored: StoredRun, row: Mapping[str, Any], work_id: str) -> str:
    """A sentence on which match decides the row; empty if the given one does."""
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

    If no match that counts has an overlap, it is that of a suppressed one.

    Raises:
        RunError: as in `write_overlay`.
    """
    match, overlap = _match_with_overlap(stored, row, work_id)
    frame = _asset_frame(stored.run, row, overlap)
    work, missing = work_thumbnail(stored.run, match["work_id"], match.get(f"work_file_{STAGE}"))
    drawn = overlay(frame, work, overlap.transform, overlap.negative, agreed=overlap.agreed)
    if not drawn.panels:
        raise RunError(f"{visible(row['asset_path'])}: {drawn.note}")
    return DrawnOverlay(
        strip(drawn),
        match["work_id"],
        overlap_sentence(overlap),
        (missing or drawn.note) if drawn.note else "",
    )


def _match_with_overlap(
    stored: StoredRun, row: Mapping[str, Any], work_id: str | None
) -> tuple[dict[str, Any], Overlap]:
    matches = rows_of(stored.match_rows, asset_path=row["asset_path"])
    overlaps = [(match, overlap) for match in matches if (overlap := overlap_of(match)) is not None]
    path = visible(row["asset_path"])
    if not overlaps:
        raise RunError(
            f"The run in {stored.folder} found no place in {path} where a work lies, so there is "
            "no overlay to draw."
        )
    if work_id is None:
        # The first that is not suppressed, or the first.
        return min(overlaps, key=lambda pair: bool(pair[0].get("suppressed")))
    for match, overlap in overlaps:
        if match["work_id"] == work_id:
            return match, overlap
    listed = ", ".join(visible(match["work_id"]) for match, _ in overlaps)
    raise RunError(
        f"The run in {stored.folder} found no place in {path} where the work "
        f"{visible(work_id or '')} lies; it found one for {listed}."
    )


def _asset_frame(run: Mapping[str, Any], row: Mapping[str, Any], overlap: Overlap) -> Picture:
    """The frame with the overlap, from the file that was screened."""
    frame = frame_of(asset_image(run, row), overlap.frame)
    if frame is None:
        raise RunError(
            f"The picture can't be drawn: frame {overlap.frame + 1:,} of "
            f"{visible(row['asset_path'])} is not among those that are looked at."
        )
    return frame
