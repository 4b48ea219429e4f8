"""Pictures and texts for the report, collected while assets are in memory."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.core.records import Match, RiskRow
from pipeline.load.image.images import thumbnail
from pipeline.load.loaded import Loaded, LoadedImage
from pipeline.report.overlap import Overlap, overlap_of
from pipeline.report.overlay import KeptFrame, frame_of, keep_frame
from pipeline.results.table import urgency
from pipeline.results.table_checks import FLAGGED
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
