"""What a report shows of flagged assets and of the works beside them."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.core.records import RiskRow
from pipeline.load.image.images import thumbnail
from pipeline.load.loaded import Loaded, LoadedImage
from pipeline.report.card import shown_match
from pipeline.report.card_overlay import kept_frames
from pipeline.report.overlay import KeptFrame
from pipeline.report.page import Content
from pipeline.results.table import urgency
from pipeline.results.table_checks import FLAGGED
from reference_index.store import ReferenceIndex


@dataclass(frozen=True)
class Judged:
    """A row of the risk table with the asset it was made from, None if it did not load."""

    row: RiskRow
    loaded: Loaded | None


@dataclass
class Shown:
    """What the report shows of flagged assets, kept while they are in memory.

    Of more than `limit`, the most urgent are kept, as they are those that the report shows.
    """

    limit: int
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    frames: dict[str, dict[str, KeptFrame]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    _least: list[tuple[tuple[int, float, str], str]] = field(default_factory=list)

    def take(self, judged: Judged) -> None:
        """Keeps a flagged asset's text, or its thumbnail and the frames of its overlays."""
        if judged.row.band not in FLAGGED or judged.loaded is None or not self.limit:
            return
        path = judged.row.asset.asset_path
        insort(self._least, (urgency(judged.row), path))
        if isinstance(judged.loaded, LoadedImage):
            self.thumbnails[path] = thumbnail(judged.loaded)
            self.frames[path] = kept_frames(judged.row, judged.loaded)
        else:
            self.texts[path] = judged.loaded.text
        if len(self._least) > self.limit:
            _, dropped = self._least.pop()
            self.thumbnails.pop(dropped, None)
            self.frames.pop(dropped, None)
            self.texts.pop(dropped, None)


def content_of(rows: Sequence[RiskRow], index: ReferenceIndex, shown: Shown) -> Content:
    """What the report may show of the works that stand beside shown assets."""
    files = {file.file_id: file for file in index.files}
    wanted = {
        evidence.work_file_id
        for row in rows
        if row.asset.asset_path in shown.thumbnails
        for outcome in row.outcomes
        for evidence in outcome.evidence
        if row.matches
        and evidence.work_id in {shown_match(row).work_id, *shown.frames[row.asset.asset_path]}
    }
    thumbnails = {}
    for file_id in sorted(wanted):
        kept = index.content(files[file_id]).thumbnail
        if kept is not None:
            thumbnails[file_id] = kept

    def work_text(file_id: str) -> str | None:
        return index.content(files[file_id]).text if file_id in files else None

    return Content(shown.thumbnails, thumbnails, shown.texts, work_text, shown.frames)
