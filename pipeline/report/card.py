"""One flagged row as report.html shows it: the view of the row, with pictures and overlays."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.core.records import RiskRow
from pipeline.load.image.images import THUMBNAIL_EDGE
from pipeline.report.build_row_view import risk_row_view, with_excerpts
from pipeline.report.content import Content
from pipeline.report.overlap import STAGE, overlap_of
from pipeline.report.overlay import jpeg, overlay_of_kept, small_jpeg
from pipeline.report.row_view import MatchView, PassageView, RowView
from pipeline.results.files import RunInfo
from reference_index.interface import Work


@dataclass(frozen=True, slots=True)
class CardPanel:
    """One picture of an overlay; `name` is the file of the work that it shows, or empty."""

    uri: str
    caption: str
    alt: str
    name: str


@dataclass(frozen=True, slots=True)
class CardOverlap:
    """Where one work is in the asset.

    Attributes:
        match: with the work.
        strongest: whether it is the card's match.
        panels: the overlay; empty if it is not drawn.
        note: what is not drawn and why, or empty.
        page_bytes: size of the panels in the page.
    """

    match: MatchView
    strongest: bool
    panels: tuple[CardPanel, ...]
    note: str
    page_bytes: int


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that the page shows of one flagged row.

    Attributes:
        number: of the card in the page.
        view: the row.
        match: the match that is shown, with excerpts of its passages.
        asset_picture, work_picture: data URIs; None if there is no picture.
        passages, more_passages: those that are shown, and how many are not.
        others, more_others: further matches that are shown, and how many are not.
        overlaps: those that are shown, the strongest match's first.
    """

    number: int
    view: RowView
    match: MatchView
    asset_picture: str | None
    work_picture: str | None
    passages: tuple[PassageView, ...]
    more_passages: int
    others: tuple[MatchView, ...]
    more_others: int
    overlaps: tuple[CardOverlap, ...]

    @property
    def overlay_bytes(self) -> int:
        """Size of its overlays in the page."""
        return sum(overlap.page_bytes for overlap in self.overlaps)


def card(
    number: int,
    row: RiskRow,
    works: Mapping[str, Work],
    run: RunInfo,
    content: Content,
    *,
    max_passages: int,
    max_others: int,
    max_overlays: int = 0,
    overlay_room: int = 0,
) -> Card:
    """The card of a row that has at least one match.

    Args:
        number: of the card in the page.
        row, works: the row, and every work of the index by its id.
        run: the run.
        content: what may be shown.
        max_passages, max_others, max_overlays: how many of each.
        overlay_room: bytes that overlays may still take in the page.
    """
    view = risk_row_view(row, run, works)
    match = view.strongest
    if match is None:
        raise ValueError("a card of a row without matches")
    others = [other for other in view.matches if other is not match]
    overlaps: list[CardOverlap] = []
    for other in [one for one in view.matches if one.overlap is not None][:max_overlays]:
        overlaps.append(_overlap(row, view, other, content, overlay_room))
        overlay_room -= overlaps[-1].page_bytes
    match = with_excerpts(match, _ContentTexts(row, content))
    passages = match.longest_passages
    return Card(
        number=number,
        view=view,
        match=match,
        asset_picture=_data_uri(content.asset_thumbnails.get(row.asset.asset_path)),
        work_picture=_data_uri(_work_thumbnail(row, match, content)),
        passages=passages[:max_passages],
        more_passages=max(0, len(passages) - max_passages),
        others=tuple(others[:max_others]),
        more_others=max(0, len(others) - max_others),
        overlaps=tuple(overlaps),
    )


class _ContentTexts:
    """The texts of a row among what was kept for the report."""

    def __init__(self, row: RiskRow, content: Content) -> None:
        self._asset = content.asset_texts.get(row.asset.asset_path)
        self._content = content
        self._file_ids = {
            (evidence.work_id, passage.work_file): evidence.work_file_id
            for outcome in row.outcomes
            for evidence in outcome.evidence
            for passage in evidence.passages
        }

    def asset(self) -> str | None:
        return self._asset

    def work(self, work_id: str, work_file: str) -> str | None:
        file_id = self._file_ids.get((work_id, work_file))
        return self._content.work_text(file_id) if file_id is not None else None


def _overlap(
    row: RiskRow, view: RowView, match: MatchView, content: Content, room: int
) -> CardOverlap:
    """The overlay of one match if it takes at most `room` bytes of the page, else why it is not
    drawn.
    """
    path, work_id = row.asset.asset_path, match.row["work_id"]
    frame = content.asset_frames.get(path, {}).get(work_id)
    panels: tuple[CardPanel, ...] = ()
    note = ""
    if match.not_drawn:
        note = f"The overlay is not drawn: {match.not_drawn}."
    elif frame is not None and match.overlap is not None:
        work = content.work_thumbnails.get(_overlap_file_id(row, work_id) or "")
        overlap = match.overlap
        overlay = overlay_of_kept(frame, work, overlap.transform, overlap.negative, overlap.agreed)
        alts = (
            f"The asset {view.path} with the outline of the work",
            f"The work {match.work.title} with the outline of what is in the asset",
            f"The asset {view.path} with the work {match.work.title} laid onto it in squares",
        )
        names = ("", match.work_files.get(STAGE, ""), "")
        panels = tuple(
            CardPanel(_data_uri(jpeg(panel.picture)) or "", panel.caption, alt, name)
            for panel, alt, name in zip(overlay.panels, alts, names, strict=False)
        )
        note = overlay.note
    elif path in content.asset_thumbnails:
        note = "The overlay is not drawn: its frame of the file was not kept."
    size = sum(len(panel.uri) for panel in panels)
    if size > room:
        panels, size = (), 0
        note = "This page holds only so many overlays; clearance explain --overlay draws this one."
    return CardOverlap(match, match is view.strongest, panels, note, size)


def _overlap_file_id(row: RiskRow, work_id: str) -> str | None:
    """SHA-256 (hex) of the file of the work that the overlap was measured with."""
    for outcome in row.outcomes:
        for evidence in outcome.evidence:
            if evidence.work_id == work_id and overlap_of(evidence.measures) is not None:
                return evidence.work_file_id
    return None


def _work_thumbnail(row: RiskRow, match: MatchView, content: Content) -> bytes | None:
    work_id = match.row["work_id"]
    file_ids: Sequence[str | None] = [
        row.asset.asset_id if match.identical_file else None,
        _overlap_file_id(row, work_id),
        *(
            evidence.work_file_id
            for outcome in row.outcomes
            for evidence in outcome.evidence
            if evidence.work_id == work_id
        ),
    ]
    thumbnails = (content.work_thumbnails.get(file_id) for file_id in file_ids if file_id)
    return next((small_jpeg(one, THUMBNAIL_EDGE) for one in thumbnails if one), None)


def _data_uri(picture: bytes | None) -> str | None:
    """A JPEG as a data URI."""
    if not picture:
        return None
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")
