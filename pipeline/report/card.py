"""Cards of report.html, one for each flagged row: its view, with pictures, texts and overlays.

`ContentCollector` keeps the pictures and texts of assets while these are in memory; `card` makes a
card of a row and what was kept.
"""

from __future__ import annotations

import base64
from bisect import insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.core.records import Match, RiskRow
from pipeline.load.image.images import THUMBNAIL_EDGE, thumbnail
from pipeline.load.loaded import Loaded, LoadedImage
from pipeline.report.build_row_view import risk_row_view, with_excerpts
from pipeline.report.overlap import STAGE, Overlap, overlap_of
from pipeline.report.overlay import (
    KeptFrame,
    frame_of,
    jpeg,
    keep_frame,
    overlay_of_kept,
    small_jpeg,
)
from pipeline.report.row_view import MatchView, PassageView, RowView
from pipeline.results.files import RunInfo
from pipeline.results.table import urgency
from pipeline.results.table_checks import FLAGGED
from reference_index.interface import Work
from reference_index.store import ReferenceIndex

OVERLAYS = 3
"""Overlays of a row at most: for an asset that shows several works, or one registered twice."""


@dataclass(frozen=True, slots=True)
class Content:
    """What the report may show of assets and works.

    Attributes:
        asset_thumbnails: JPEG bytes by asset path.
        work_thumbnails: JPEG bytes by the work file's SHA-256.
        asset_texts: texts of scripts, as loaded, by asset path.
        work_text: the kept text of a work's file by its SHA-256, or None; read only if a passage
            of it is shown.
        asset_frames: by asset path, then work id, what the overlay of the two needs of the asset.
    """

    asset_thumbnails: Mapping[str, bytes] = field(default_factory=dict)
    work_thumbnails: Mapping[str, bytes] = field(default_factory=dict)
    asset_texts: Mapping[str, str] = field(default_factory=dict)
    work_text: Callable[[str], str | None] = lambda _file_id: None
    asset_frames: Mapping[str, Mapping[str, KeptFrame]] = field(default_factory=dict)


@dataclass
class ContentCollector:
    """Collects what the report shows of flagged assets.

    Of more than `limit` assets, those of the most urgent rows are kept, because the report shows
    these.
    """

    limit: int
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    frames: dict[str, dict[str, KeptFrame]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    _by_urgency: list[tuple[tuple[int, float, str], str]] = field(default_factory=list)

    def add(self, row: RiskRow, loaded: Loaded | None) -> None:
        """Keeps a flagged asset's text, or its thumbnail and the frames of its overlays.

        Args:
            row: the row.
            loaded: the asset; None if it did not load.
        """
        if row.band not in FLAGGED or loaded is None or not self.limit:
            return
        path = row.asset.asset_path
        insort(self._by_urgency, (urgency(row), path))
        if isinstance(loaded, LoadedImage):
            self.thumbnails[path] = thumbnail(loaded)
            self.frames[path] = overlay_frames(row, loaded)
        else:
            self.texts[path] = loaded.text
        if len(self._by_urgency) > self.limit:
            _, dropped = self._by_urgency.pop()
            self.thumbnails.pop(dropped, None)
            self.frames.pop(dropped, None)
            self.texts.pop(dropped, None)

    def content(self, rows: Sequence[RiskRow], index: ReferenceIndex) -> Content:
        """The collected content with pictures and texts of the works from the index."""
        files = {file.file_id: file for file in index.files}
        file_ids = {
            evidence.work_file_id
            for row in rows
            if row.matches and row.asset.asset_path in self.thumbnails
            for outcome in row.outcomes
            for evidence in outcome.evidence
            if evidence.work_id
            in {displayed_match(row).work_id, *self.frames[row.asset.asset_path]}
        }
        thumbnails = {}
        for file_id in sorted(file_ids):
            picture = index.content(files[file_id]).thumbnail
            if picture is not None:
                thumbnails[file_id] = picture

        def work_text(file_id: str) -> str | None:
            return index.content(files[file_id]).text if file_id in files else None

        return Content(self.thumbnails, thumbnails, self.texts, work_text, self.frames)


def displayed_match(row: RiskRow) -> Match:
    """The match that a flagged row is shown with: the one that decides it, or the first if all are
    suppressed.
    """
    return row.strongest or row.matches[0]


def overlay_frames(row: RiskRow, image: LoadedImage) -> dict[str, KeptFrame]:
    """By work id, what the row's overlays need of the asset's frames."""
    overlaps: list[tuple[str, Overlap]] = []
    for match in row.matches:
        overlap = overlap_of(match.measures)
        if overlap is not None:
            overlaps.append((match.work_id, overlap))
    frames = {}
    for work_id, overlap in overlaps[:OVERLAYS]:
        frame = frame_of(image, overlap.frame)
        if frame is not None and (kept := keep_frame(frame, overlap.transform)) is not None:
            frames[work_id] = kept
    return frames


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
