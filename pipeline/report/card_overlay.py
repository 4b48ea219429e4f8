"""A verified overlap as a card of the report shows it: the overlay's pictures and one sentence."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.core.records import Match, RiskRow
from pipeline.core.wording.visible import visible
from pipeline.load.loaded import LoadedImage
from pipeline.report.overlap import (
    STAGE,
    Overlap,
    Undrawable,
    overlap_of,
    overlap_sentence,
    placement,
)
from pipeline.report.overlay import KeptFrame, frame_of, jpeg, keep_frame, overlay_of_kept

OVERLAYS = 3
"""Most overlays of a card: of an asset that shows several works, or one registered twice."""


@dataclass(frozen=True, slots=True)
class ShownPanel:
    """One picture of an overlay; `name` is the file of the work that it shows, or empty."""

    uri: str
    caption: str
    alt: str
    name: str


@dataclass(frozen=True, slots=True)
class ShownOverlap:
    """Where one work lies in an asset.

    Attributes:
        title: of the work, fit to show.
        strongest: whether it is the card's strongest match.
        sentence: the measures in words.
        panels: the overlay; empty if it is not drawn.
        note: what is not drawn and why, or empty.
        page_bytes: what the panels take of the page.
    """

    title: str
    strongest: bool
    sentence: str
    panels: tuple[ShownPanel, ...]
    note: str
    page_bytes: int


def overlapping(row: RiskRow, limit: int = OVERLAYS) -> list[tuple[Match, Overlap]]:
    """The strongest matches of a row that have an overlap, strongest first, at most `limit`."""
    found = ((match, overlap_of(match.measures)) for match in row.matches)
    return [(match, overlap) for match, overlap in found if overlap is not None][:limit]


def kept_frames(row: RiskRow, image: LoadedImage) -> dict[str, KeptFrame]:
    """What the row's overlays need of its pictures, by work id; taken while they are in memory."""
    kept = {}
    for match, overlap in overlapping(row):
        frame = frame_of(image, overlap.frame)
        found = keep_frame(frame, overlap.transform) if frame is not None else None
        if found is not None:
            kept[match.work_id] = found
    return kept


def overlap_file_id(row: RiskRow, match: Match) -> str | None:
    """SHA-256 (hex) of the file of the work that the overlap was measured with."""
    for outcome in row.outcomes:
        for one in outcome.evidence:
            if one.work_id == match.work_id and overlap_of(one.measures) is not None:
                return one.work_file_id
    return None


def shown_overlap(
    row: RiskRow,
    match: Match,
    overlap: Overlap,
    title: str,
    *,
    frames: Mapping[str, KeptFrame],
    thumbnails: Mapping[str, bytes],
    pictures: bool,
    room: int,
) -> ShownOverlap:
    """One overlap of a row.

    Args:
        row, match, overlap: as `overlapping` gives them.
        title: of the work.
        frames: of the asset, as `kept_frames` gives them.
        thumbnails: JPEGs of works by the file's SHA-256 (hex).
        pictures: whether the page shows any of the asset.
        room: most bytes that its pictures may take in the page.
    """
    kept = frames.get(match.work_id)
    panels: tuple[ShownPanel, ...] = ()
    placed, note = placement(overlap.transform), ""
    if isinstance(placed, Undrawable):
        note = f"The overlay is not drawn: {placed.why}."
    elif kept is not None:
        work = thumbnails.get(overlap_file_id(row, match) or "")
        drawn = overlay_of_kept(kept, work, overlap.transform, overlap.negative)
        path, title_shown = visible(row.asset.asset_path), visible(title)
        alts = (
            f"The asset {path} with the outline of the work",
            f"The work {title_shown} with the outline of what is in the asset",
            f"The asset {path} with the work {title_shown} laid onto it in squares",
        )
        names = ("", visible(match.work_files.get(STAGE, "")), "")
        panels = tuple(
            ShownPanel(_uri(jpeg(panel.picture)), panel.caption, alt, name)
            for panel, alt, name in zip(drawn.panels, alts, names, strict=False)
        )
        note = drawn.note
    elif pictures:
        note = "The overlay is not drawn: the frame that it speaks of was not kept."
    size = sum(len(panel.uri) for panel in panels)
    if size > room:
        panels, size = (), 0
        note = "This page holds only so many overlays; clearance explain --overlay draws this one."
    return ShownOverlap(
        title=visible(title),
        strongest=match is (row.strongest or row.matches[0]),
        sentence=overlap_sentence(overlap),
        panels=panels,
        note=note,
        page_bytes=size,
    )


def _uri(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")
