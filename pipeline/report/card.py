"""Cards of report.html, one for each flagged row: its view, with pictures, texts and overlays.

`ContentCollector` keeps the pictures and texts of assets while these are in memory; `card` makes a
card of a row and what was kept. `card_of` makes one of any row and its `CardContent`.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from pipeline.core.records import Match, RiskRow
from pipeline.load.loaded import Loaded, LoadedImage
from pipeline.report.build_row_view import Texts, risk_row_view, with_excerpts
from pipeline.report.overlap import STAGE, Overlap, overlap_of
from pipeline.report.overlay import (
    KeptFrame,
    Overlay,
    frame_of,
    keep_frame,
    overlay_of_kept,
    page_picture,
    picture_of,
)
from pipeline.report.page_pictures import PagePanel, PagePicture, PagePictures, page_panel
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
        asset_thumbnails: by asset path, a picture as the page shows it.
        work_thumbnails: by the work file's SHA-256, a JPEG.
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
            self.thumbnails[path] = page_picture(loaded.frames[0])
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


Beneath = tuple[bytes | None, bytes | None]
"""The pictures of asset and work beneath the lines of an overlay, as the page shows them; None
where one is not there in this form."""


class CardContent(Protocol):
    """The pictures and texts of one row; None where one is not kept."""

    @property
    def texts(self) -> Texts:
        """Of the script and the works."""

    def asset(self) -> bytes | None:
        """The asset's picture as the page shows it."""

    def work(self, match: MatchView) -> bytes | None:
        """The picture of a match's work as the page shows it."""

    def overlay(self, match: MatchView, overlap: Overlap) -> tuple[Overlay, Beneath]:
        """The overlay of a match, and the pictures beneath its lines."""


@dataclass(frozen=True, slots=True)
class CardOverlap:
    """Where one work is in the asset.

    Attributes:
        match: with the work.
        strongest: whether it is the card's match.
        panels: the overlay; empty if it is not drawn.
        note: what is not drawn and why, or empty.
    """

    match: MatchView
    strongest: bool
    panels: tuple[PagePanel, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that the page shows of one row.

    Attributes:
        number: of the card in the page; 0 if it is the only one.
        view: the row.
        match: the match that is shown, with excerpts of its passages; None if there is none.
        asset_picture, work_picture: None if there is no picture.
        passages, more_passages: those that are shown, and how many are not.
        others, more_others: further matches that are shown, and how many are not.
        overlaps: those that are shown, the strongest match's first.
        new_pictures: those of its pictures that the page does not have yet.
        overlay_bytes: how much those of them take that its overlays are made of.
    """

    number: int
    view: RowView
    match: MatchView | None
    asset_picture: PagePicture | None
    work_picture: PagePicture | None
    passages: tuple[PassageView, ...]
    more_passages: int
    others: tuple[MatchView, ...]
    more_others: int
    overlaps: tuple[CardOverlap, ...]
    new_pictures: tuple[PagePicture, ...]
    overlay_bytes: int


@dataclass(frozen=True, slots=True)
class CardLimits:
    """How much a card shows.

    Attributes:
        max_passages: passages shown, longest first.
        max_others: further works shown.
        max_overlays: overlays shown.
        overlay_bytes: what the pictures of its overlays may take in the page.
    """

    max_passages: int = 8
    max_others: int = 10
    max_overlays: int = OVERLAYS
    overlay_bytes: int = 32 * 2**20


def card(
    number: int,
    row: RiskRow,
    works: Mapping[str, Work],
    run: RunInfo,
    content: Content,
    pictures: PagePictures,
    limits: CardLimits,
) -> Card:
    """The card of a row that is not stored yet.

    Args:
        number: of the card in the page.
        row, works: the row, and every work of the index by its id.
        run: the run.
        content: what may be shown.
        pictures: of the page.
        limits: how much is shown.
    """
    view = risk_row_view(row, run, works)
    return card_of(number, view, _KeptContent(row, content), pictures, limits)


def card_of(
    number: int, view: RowView, content: CardContent, pictures: PagePictures, limits: CardLimits
) -> Card:
    """The card of a row. Arguments as of `card`."""
    match = view.strongest
    asset = pictures.add(content.asset())
    overlaps: list[CardOverlap] = []
    room = limits.overlay_bytes
    for one in [one for one in view.matches if one.overlap is not None][: limits.max_overlays]:
        before = pictures.new_bytes
        overlaps.append(_overlap(view, one, content, pictures, room))
        room -= pictures.new_bytes - before
    if match is not None:
        match = with_excerpts(match, content.texts)
    passages = match.longest_passages if match is not None else ()
    others = [other for other in view.matches if other is not view.strongest]
    work = pictures.add(content.work(match)) if match is not None else None
    return Card(
        number=number,
        view=view,
        match=match,
        asset_picture=asset,
        work_picture=work,
        passages=passages[: limits.max_passages],
        more_passages=max(0, len(passages) - limits.max_passages),
        others=tuple(others[: limits.max_others]),
        more_others=max(0, len(others) - limits.max_others),
        overlaps=tuple(overlaps),
        new_pictures=pictures.take_new(),
        overlay_bytes=limits.overlay_bytes - room,
    )


class _KeptContent:
    """The pictures and texts of a row among what was kept for the report."""

    def __init__(self, row: RiskRow, content: Content) -> None:
        self._row = row
        self._content = content
        self.texts: Texts = _KeptTexts(row, content)

    def asset(self) -> bytes | None:
        return self._content.asset_thumbnails.get(self._row.asset.asset_path)

    def work(self, match: MatchView) -> bytes | None:
        row, work_id = self._row, match.row["work_id"]
        if match.identical_file and (same := self.asset()) is not None:
            return same
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
        pictures = (self._content.work_thumbnails.get(file_id) for file_id in file_ids if file_id)
        return next((shown_picture(one) for one in pictures if one), None)

    def overlay(self, match: MatchView, overlap: Overlap) -> tuple[Overlay, Beneath]:
        path, work_id = self._row.asset.asset_path, match.row["work_id"]
        frame = self._content.asset_frames.get(path, {}).get(work_id)
        if frame is None:
            shown = path in self._content.asset_thumbnails
            why = "The overlay is not drawn: its frame of the file was not kept." if shown else ""
            return Overlay((), why), (None, None)
        work = self._content.work_thumbnails.get(_overlap_file_id(self._row, work_id) or "")
        drawn = overlay_of_kept(frame, work, overlap.transform, overlap.negative, overlap.agreed)
        return drawn, (frame.whole, shown_picture(work) if work else None)


class _KeptTexts:
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


@lru_cache(maxsize=128)
def shown_picture(stored: bytes) -> bytes | None:
    """A stored picture as the page shows it; None if it can't be read."""
    picture = picture_of(stored)
    return None if picture is None else page_picture(picture)


def _overlap(
    view: RowView, match: MatchView, content: CardContent, pictures: PagePictures, room: int
) -> CardOverlap:
    """The overlay of one match if it takes at most `room` bytes of the page, else why it is not
    drawn.
    """
    strongest = match is view.strongest
    if match.not_drawn or match.overlap is None:
        return CardOverlap(match, strongest, (), f"The overlay is not drawn: {match.not_drawn}.")
    if match.identical_file:
        return CardOverlap(match, strongest, (), "The two are one file, so no overlay is drawn.")
    overlay, beneath = content.overlay(match, match.overlap)
    alts = (
        f"The asset {view.path} with the outline of the work",
        f"The work {match.work.title} with the outline of what is in the asset",
        f"The asset {view.path} with the work {match.work.title} laid onto it in squares",
    )
    stored = (*beneath, None)
    names = ("", match.work_files.get(STAGE, ""), "")
    had, before = pictures.new_count, pictures.new_bytes
    panels = [
        page_panel(pictures, *one) for one in zip(overlay.panels, alts, names, stored, strict=False)
    ]
    if pictures.new_bytes - before > room:
        pictures.without_new(had)
        note = "This page holds only so many overlays; clearance explain --overlay draws this one."
        return CardOverlap(match, strongest, (), note)
    return CardOverlap(match, strongest, tuple(filter(None, panels)), overlay.note)


def _overlap_file_id(row: RiskRow, work_id: str) -> str | None:
    """SHA-256 (hex) of the file of the work that the overlap was measured with."""
    for outcome in row.outcomes:
        for evidence in outcome.evidence:
            if evidence.work_id == work_id and overlap_of(evidence.measures) is not None:
                return evidence.work_file_id
    return None
