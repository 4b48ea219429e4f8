"""`clearance report`: the card of one asset of a stored run as a self-contained file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import DropError, RunError
from pipeline.core.records import Kind
from pipeline.core.wording.text import visible
from pipeline.drops.places import Place, is_inside, place
from pipeline.load.loaded import LoadedImage
from pipeline.report.build_row_view import Texts, stored_view
from pipeline.report.card import Beneath, CardLimits, card_of
from pipeline.report.overlap import STAGE, Overlap
from pipeline.report.overlay import Overlay, frame_of, overlay, page_picture
from pipeline.report.overlay_drawing import Picture
from pipeline.report.page import card_html
from pipeline.report.page_pictures import PagePictures
from pipeline.report.row_view import MatchView, RowView, work_file
from pipeline.report.stored_content import StoredTexts, asset_image, work_thumbnail
from pipeline.results.files import RunInfo, StoredRun, read_run
from pipeline.results.inputs import drop_places, index_path
from pipeline.results.lookup import find_row


@dataclass(frozen=True, slots=True)
class WrittenCard:
    """What `write_card` wrote.

    Attributes:
        file: the page.
        asset_path: of the asset that it shows.
        band: of its row.
        notes: sentences on what it does not show and why.
    """

    file: Path
    asset_path: str
    band: str
    notes: tuple[str, ...]


def write_card(out: Place, asset: str, file: Path) -> WrittenCard:
    """Writes the card of one asset of a stored run as a page.

    Pictures and texts are in it if the asset's file still has the bytes that were screened, and as
    far as the index keeps those of its works; if not, the page says so.

    Args:
        out: where the results of the run are.
        asset: as in `pipeline.report.explain.explained_row`.
        file: a new file, ending in `.html`; nothing is ever overwritten.

    Raises:
        RunError: if the results can't be read, or hold no such asset or several; the message names
            the nearest.
        DropError: if `file` is there already, can't be written, or is in the drop or the index.
    """
    stored = read_run(out)
    row = find_row(stored, asset)
    check_new_file(file, stored.run, "card is a page", (".html", ".htm"))
    view = stored_view(stored, row)
    content = _StoredContent(stored, row, view)
    built = card_of(0, view, content, PagePictures(), CardLimits(max_others=50))
    notes = tuple(content.notes())
    page = card_html(built, _run_info(stored.run), notes)
    write_new_file(file, page.encode("utf-8", "backslashreplace"))
    return WrittenCard(file, row["asset_path"], row["band"], notes)


def check_new_file(file: Path, run: Mapping[str, Any], what: str, endings: tuple[str, ...]) -> None:
    """Sees that a file to be written is new and lies neither in a drop of the run nor in its index.

    Args:
        file: to be written.
        run: run.json.
        what: is written, as `overlay is a PNG`.
        endings: that its name may have.

    Raises:
        DropError: if it is not, or does.
    """
    if file.suffix.lower() not in endings:
        raise DropError(f"The {what}; name a file that ends in {endings[0]}, not {file}.")
    for where, path in (
        *(("drop", drop) for drop in drop_places(run)),
        ("reference index", index_path(run)),
    ):
        if path is not None and is_inside(file, place(path)):
            raise DropError(f"{file} is inside the {where} {path}; choose a place outside it.")
    if file.exists() or file.is_symlink():
        raise DropError(f"{file} is there already, and nothing is overwritten; name another file.")


def write_new_file(file: Path, data: bytes) -> None:
    """Writes a file that is not there yet.

    Raises:
        DropError: if it is there, or can't be written.
    """
    try:
        with file.open("xb") as opened:
            opened.write(data)
    except FileExistsError:
        raise DropError(f"{file} is there already; name another file.") from None
    except OSError as error:
        raise DropError(
            f"{file} can't be written ({error.strerror}); name another file."
        ) from error


class _StoredContent:
    """The pictures and texts of a row of a stored run, and what is missing of them."""

    def __init__(self, stored: StoredRun, row: Mapping[str, Any], view: RowView) -> None:
        self._run = stored.run
        self._view = view
        self.texts: Texts = StoredTexts(stored.run, row)
        self._image: LoadedImage | None = None
        self._missing: dict[str, None] = {}
        if row["kind"] == Kind.IMAGE and row["asset_id"] is not None:
            try:
                self._image = asset_image(stored.run, row)
            except RunError as error:
                why = str(error).partition(" can't be drawn: ")[2] or str(error)
                self._missing[f"The picture of the asset is not shown: {why}"] = None

    def asset(self) -> bytes | None:
        return page_picture(self._image.frames[0]) if self._image is not None else None

    def work(self, match: MatchView) -> bytes | None:
        if self._view.row["kind"] != Kind.IMAGE:
            return None
        picture, why = work_thumbnail(self._run, match.row["work_id"], work_file(match.row))
        return self._kept(picture, why)

    def overlay(self, match: MatchView, overlap: Overlap) -> tuple[Overlay, Beneath]:
        frame = frame_of(self._image, overlap.frame) if self._image is not None else None
        if frame is None:
            return Overlay((), "The overlay is not drawn: there is no picture of the asset."), (
                None,
                None,
            )
        file = match.row.get(f"work_file_{STAGE}")
        picture, why = work_thumbnail(self._run, match.row["work_id"], file)
        work = self._kept(picture, why)
        drawn = overlay(frame, picture, overlap.transform, overlap.negative, agreed=overlap.agreed)
        return drawn, (page_picture(frame), work)

    def notes(self) -> list[str]:
        """Sentences on what is missing."""
        match = self._view.strongest
        if match is not None and match.passages:
            passage = match.passages[0]
            if self.texts.asset() is None:
                self._missing[
                    f"The text of {self._view.path} is not shown: the file in the drop can't be "
                    "read, or has other content than was screened."
                ] = None
            if self.texts.work(match.row["work_id"], passage.row["work_file"]) is None:
                self._missing[
                    "The text of the work is not shown: the index that was searched keeps none, or "
                    "is not there as it was."
                ] = None
        return list(self._missing)

    def _kept(self, picture: Picture | None, why: str) -> bytes | None:
        if picture is not None:
            return page_picture(picture)
        self._missing[why or "The index keeps no picture of the work."] = None
        return None


def _run_info(run: Mapping[str, Any]) -> RunInfo:
    """What the head of a page needs of run.json; what a run of an earlier release does not say is
    empty.
    """
    index = run.get("index") or {}
    where = [drop.rstrip("/").rpartition("/")[2] or drop for drop in drop_places(run)]
    return RunInfo(
        run_id=visible(str(run.get("run_id", ""))),
        index_version=int(index.get("version") or 0),
        index_digest=str(index.get("digest") or ""),
        config_fingerprint=str(run.get("config_fingerprint") or ""),
        drop=", ".join(where),
        started=str(run.get("started") or ""),
        works=int(index.get("works") or 0),
        clearance_version=str(run.get("clearance_version") or ""),
    )
