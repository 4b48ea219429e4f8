"""Everything that the item page shows of one row and one of its works, as one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.records import Kind
from pipeline.report.build_row_view import stored_view
from pipeline.report.overlap import Placement
from pipeline.report.row_view import MatchView, PassageView, RowView
from pipeline.report.stored_content import StoredTexts
from pipeline.results.files import StoredRun
from pipeline.review.item.pictures import Pictures, Sides
from pipeline.review.item.texts import Aligned, aligned

ALIGNED = 8
"""Passages of which the texts are shown; the others are listed with a link into the whole text."""

LISTED = 200
CANDIDATES = 30


@dataclass(frozen=True, slots=True)
class Compare:
    """Two pictures to compare; coordinates are fractions of a picture's width and height.

    Attributes:
        sides: the two pictures.
        frame: of the asset's file, from 0.
        matrix: nine numbers, the rows of the transform from the work to the asset; empty if there
            is none.
        in_asset, in_work: the verified overlap as points of a polygon; empty if there is none.
        sentence: the overlap in words, or that there is none.
        negative: whether the asset is a negative of the work.
    """

    sides: Sides
    frame: int
    matrix: str
    in_asset: str
    in_work: str
    sentence: str
    negative: bool


@dataclass(frozen=True, slots=True)
class PassagePair:
    """One passage; `aligned` is None where a text is not kept or the passage is only listed."""

    passage: PassageView
    aligned: Aligned | None


@dataclass(frozen=True, slots=True)
class Scripts:
    """The passages that a script shares with a work.

    Attributes:
        passages: those with most words first.
        why_no_texts: a sentence if a text can't be shown.
        total: how many passages there are.
        asset_text, work_text: whether the page can link into the whole text.
    """

    passages: tuple[PassagePair, ...]
    why_no_texts: str
    total: int
    asset_text: bool
    work_text: bool


@dataclass(frozen=True, slots=True)
class ItemView:
    """What the page shows of a row and one of its works.

    Attributes:
        view: the row, with `candidates` as its matches.
        match: with the chosen work; None if there is no evidence.
        strongest: whether that is the row's strongest.
        candidates: matches that are listed, the strongest first.
        more_candidates: how many are not listed.
        compare: for pictures.
        scripts: for scripts with a match.
    """

    view: RowView
    match: MatchView | None
    strongest: bool
    candidates: tuple[MatchView, ...]
    more_candidates: int
    compare: Compare | None
    scripts: Scripts | None


def item_view(
    stored: StoredRun,
    row: Mapping[str, Any],
    matches: Sequence[Mapping[str, Any]],
    work_id: str | None,
    pictures: Pictures,
) -> ItemView:
    """What the page shows of a row and one of its works.

    Args:
        stored: the run.
        row: of its risk table.
        matches: the row's matches, the strongest first.
        work_id: the chosen work; the strongest if None.
        pictures: those of the run.
    """
    chosen = next((one for one in matches if work_id in (None, one["work_id"])), None)
    listed = list(matches[:CANDIDATES])
    beyond = [chosen] if chosen is not None and chosen not in listed else []
    view = stored_view(stored, row, matches=[*listed, *beyond])
    match = next((one for one in view.matches if one.row is chosen), None)
    return ItemView(
        view=view,
        match=match,
        strongest=match is None or match.row["work_id"] == row["work_id"],
        candidates=view.matches[: len(listed)],
        more_candidates=len(matches) - len(listed),
        compare=_compare(row, match, pictures) if row["kind"] == Kind.IMAGE else None,
        scripts=(
            _scripts(stored, row, match)
            if row["kind"] == Kind.SCRIPT and match is not None
            else None
        ),
    )


def _compare(row: Mapping[str, Any], match: MatchView | None, pictures: Pictures) -> Compare:
    overlap = match.overlap if match is not None else None
    placed = match.placed if match is not None else None
    placed = placed if isinstance(placed, Placement) else None
    sentence = ""
    if match is not None and overlap is not None:
        sentence = match.overlap_sentence
        if placed is None:
            sentence += f" It is not drawn: {match.not_drawn}."
    elif match is not None:
        sentence = (
            "No place in the asset was verified where the work lies; the two can only be looked at "
            "side by side."
        )
    return Compare(
        sides=pictures.sides(row, match.row if match is not None else None),
        frame=overlap.frame if overlap is not None else 0,
        matrix=" ".join(f"{one:.9g}" for one in placed.matrix.ravel()) if placed else "",
        in_asset=_points(placed.in_asset) if placed else "",
        in_work=_points(placed.in_work) if placed else "",
        sentence=sentence,
        negative=overlap is not None and overlap.negative,
    )


def _points(polygon: NDArray[np.float64]) -> str:
    return " ".join(f"{x:.5f},{y:.5f}" for x, y in polygon)


def _scripts(stored: StoredRun, row: Mapping[str, Any], match: MatchView) -> Scripts:
    texts = StoredTexts(stored.run, row)
    asset = texts.asset()
    works: dict[str, str | None] = {}
    pairs = []
    for number, passage in enumerate(match.longest_passages[:LISTED]):
        file = passage.row["work_file"]
        alignment = None
        if number < ALIGNED:
            if file not in works:
                works[file] = texts.work(match.row["work_id"], file)
            work = works[file]
            if asset is not None and work is not None:
                alignment = aligned(
                    asset, passage.asset_span, work, passage.work_span, passage.agreeing
                )
        pairs.append(PassagePair(passage, alignment))
    has_work = any(text is not None for text in works.values())
    return Scripts(
        passages=tuple(pairs),
        why_no_texts=_why_no_texts(asset, works),
        total=len(match.passages),
        asset_text=asset is not None,
        work_text=has_work,
    )


def _why_no_texts(asset: str | None, works: Mapping[str, str | None]) -> str:
    sentences = []
    if asset is None:
        sentences.append(
            "The script can't be shown: its file is not in the drop with the bytes that were "
            "screened."
        )
    if works and all(text is None for text in works.values()):
        sentences.append(
            "The work's text can't be shown: the index that was searched keeps none, or is not "
            "there as it was."
        )
    return " ".join(sentences)
