"""One flagged row as the report shows it: pictures, reasons, what each stage added, passages."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import log

from pipeline.core.records import Evidence, Kind, Match, Outcome, Passage, RiskRow, Value
from pipeline.core.wording.terms import (
    BANDS,
    OUTCOMES,
    SUPPRESSED,
    capitalized,
    passage_location,
    percent,
    risk_in_words,
    risk_number,
    value_in_words,
)
from pipeline.core.wording.visible import visible
from pipeline.load.image.images import THUMBNAIL_EDGE
from pipeline.report.card_overlay import ShownOverlap, overlapping, shown_overlap
from pipeline.report.excerpts import Excerpt, excerpt_pair
from pipeline.report.overlap import overlap_of, overlap_sentence
from pipeline.report.overlay import KeptFrame, small_jpeg
from pipeline.risk.fuse import IDENTICAL_FILE, WaterfallStep, explain_contributions
from pipeline.stages import STAGES, stage_title
from reference_index.interface import Work

_SAID = ("overlap_transform", "overlap_found_by")
"""Measures that the overlap's own sentence puts in words."""

TICKS = (0.5, 0.01, 0.99, 0.1, 0.9)
"""Risks marked on the axis, where there is room: of two too near each other the first stays."""

TICK_ROOM = 17.0
"""Least distance of two ticks, in per cent of the axis: the width of a label in the page."""

STEP_TITLES = {
    "prior": "Before any evidence",
    "identical_file": "Identical file",
    "total": "Together",
}


@dataclass(frozen=True, slots=True)
class Content:
    """What the report may show of assets and works.

    Attributes:
        asset_thumbnails: JPEG bytes by asset path.
        work_thumbnails: JPEG bytes by the work file's SHA-256.
        asset_texts: texts of scripts, as loaded, by asset path.
        work_text: the kept text of a work's file by its SHA-256, or None; asked for only when a
            passage of it is shown.
        asset_frames: by asset path, then work id, what the overlay of the two needs of the asset.
    """

    asset_thumbnails: Mapping[str, bytes] = field(default_factory=dict)
    work_thumbnails: Mapping[str, bytes] = field(default_factory=dict)
    asset_texts: Mapping[str, str] = field(default_factory=dict)
    work_text: Callable[[str], str | None] = lambda _file_id: None
    asset_frames: Mapping[str, Mapping[str, KeptFrame]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of the waterfall; `left` and `width` in per cent of the track."""

    title: str
    added: str
    after: str
    left: float
    width: float
    name: str


@dataclass(frozen=True, slots=True)
class ShownPassage:
    """A passage with its offsets in words and both excerpts, where the texts are kept.

    `stands` and `work_stands` name the page and scene of asset and work on which it begins; they
    may be empty.
    """

    words: int
    identity: str
    asset_offsets: str
    work_offsets: str
    work_file: str
    stands: str
    work_stands: str
    asset: Excerpt | None
    work: Excerpt | None


@dataclass(frozen=True, slots=True)
class ShownOutcome:
    """A stage's answer; `facts` and `measures` are pairs of a description and a value."""

    title: str
    outcome: str
    words: str
    detail: str
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class OtherWork:
    """A further work with evidence; `suppressed` if people agreed that its match is false."""

    work: Work
    risk: str
    figures: str
    suppressed: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that the page shows of one flagged row. All text is fit to show, not escaped.

    `overlap` is of the strongest match that has one, `other_overlaps` are of further ones.
    `suppressed` if people agreed that every match of the row is false.
    """

    number: int
    band: str
    band_title: str
    path: str
    asset_id: str
    is_image: bool
    risk: str
    risk_words: str
    work: Work
    work_file: str
    asset_picture: str | None
    work_picture: str | None
    reasons: tuple[str, ...]
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[str, float], ...]
    outcomes: tuple[ShownOutcome, ...]
    passages: tuple[ShownPassage, ...]
    more_passages: int
    others: tuple[OtherWork, ...]
    more_others: int
    overlap: ShownOverlap | None
    other_overlaps: tuple[ShownOverlap, ...]
    suppressed: bool = False

    @property
    def overlay_bytes(self) -> int:
        """What its overlays take of the page."""
        shown = (*((self.overlap,) if self.overlap else ()), *self.other_overlaps)
        return sum(one.page_bytes for one in shown)


def card(
    number: int,
    row: RiskRow,
    works: Mapping[str, Work],
    prior: Mapping[str, float],
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
        prior: as in `RunInfo`.
        content: what may be shown.
        max_passages, max_others, max_overlays: how many of each.
        overlay_room: bytes that overlays may still take in the page.
    """
    match = shown_match(row)
    path, found = row.asset.asset_path, _evidence(row, match)
    bars, ticks = (
        waterfall(explain_contributions(prior[row.asset.kind], match.contributions))
        if row.asset.kind in prior
        else ((), ())
    )
    passages = sorted(_passages(found), key=lambda p: -p[0].words)
    others = [one for one in row.matches if one is not match]
    overlaps = _overlaps(row, works, content, max_overlays, overlay_room)
    return Card(
        number=number,
        band=row.band.value,
        band_title=BANDS[row.band],
        path=visible(path),
        asset_id=row.asset.asset_id or "",
        is_image=row.asset.kind is Kind.IMAGE,
        risk=risk_number(row.risk),
        risk_words=SUPPRESSED
        if match.suppressed
        else risk_in_words(
            row.risk,
            identical=IDENTICAL_FILE in match.contributions,
            counted=any(match.contributions.values()),
        ),
        work=shown_work(works[match.work_id]),
        work_file=visible(next(iter(match.work_files.values()), "")),
        asset_picture=_data_uri(content.asset_thumbnails.get(path)),
        work_picture=_data_uri(_work_thumbnail(row, match, found, content)),
        reasons=tuple(visible(reason) for reason in row.reasons),
        bars=bars,
        ticks=ticks,
        outcomes=_outcomes(row, match),
        passages=tuple(
            _shown_passage(passage, content.asset_texts.get(path), content.work_text(file_id))
            for passage, file_id in passages[:max_passages]
        ),
        more_passages=max(0, len(passages) - max_passages),
        others=tuple(
            OtherWork(
                shown_work(works[other.work_id]),
                risk_number(other.risk),
                _figures_line(other),
                other.suppressed,
            )
            for other in others[:max_others]
        ),
        more_others=max(0, len(others) - max_others),
        overlap=overlaps[0] if overlaps else None,
        other_overlaps=overlaps[1:],
        suppressed=match.suppressed,
    )


def shown_match(row: RiskRow) -> Match:
    """The match that a flagged row is shown with: the one that decides it, or the strongest if
    all are suppressed.
    """
    return row.strongest or row.matches[0]


def _overlaps(
    row: RiskRow, works: Mapping[str, Work], content: Content, limit: int, room: int
) -> tuple[ShownOverlap, ...]:
    path = row.asset.asset_path
    shown = []
    for match, overlap in overlapping(row, limit):
        one = shown_overlap(
            row,
            match,
            overlap,
            works[match.work_id].title,
            frames=content.asset_frames.get(path, {}),
            thumbnails=content.work_thumbnails,
            pictures=path in content.asset_thumbnails,
            room=room,
        )
        room -= one.page_bytes
        shown.append(one)
    return tuple(shown)


def shown_work(work: Work) -> Work:
    """The work with every text fit to show."""
    return Work(
        visible(work.work_id), visible(work.title), visible(work.rightsholder), visible(work.rights)
    )


def waterfall(
    steps: tuple[WaterfallStep, ...],
) -> tuple[tuple[Bar, ...], tuple[tuple[str, float], ...]]:
    """Bars on an axis of log-odds, and the risks that are marked on it with their places.

    The first bar and the last start at the axis's left end; the others where the one before ends.
    """
    ends = [step.log_odds for step in steps]
    low, high = min(ends) - 1.0, max(*ends, min(ends) + 4.0) + 0.5
    scale = 100.0 / (high - low)

    def place(log_odds: float) -> float:
        return round((log_odds - low) * scale, 2)

    bars = []
    before = low
    for step in steps:
        start = low if step.name in ("prior", "total") else before
        left, right = sorted((place(start), place(step.log_odds)))
        title = STEP_TITLES.get(step.name) or stage_title(step.name)
        bars.append(
            Bar(
                title=capitalized(title),
                added="" if step.name in ("prior", "total") else f"{step.added:+.2f}",
                after=risk_number(step.risk),
                left=left,
                width=round(max(right - left, 0.4), 2),
                name=step.name,
            )
        )
        before = step.log_odds
    ticks: dict[float, float] = {}
    for risk in TICKS:
        log_odds = log(risk / (1 - risk))
        at = place(log_odds)
        if low < log_odds < high and all(abs(at - other) >= TICK_ROOM for other in ticks.values()):
            ticks[risk] = at
    return tuple(bars), tuple((f"{risk:g}", at) for risk, at in sorted(ticks.items()))


def _evidence(row: RiskRow, match: Match) -> list[Evidence]:
    return [e for o in row.outcomes for e in o.evidence if e.work_id == match.work_id]


def _passages(found: list[Evidence]) -> list[tuple[Passage, str]]:
    return [(passage, one.work_file_id) for one in found for passage in one.passages]


def _work_thumbnail(
    row: RiskRow, match: Match, found: list[Evidence], content: Content
) -> bytes | None:
    ids = [one.work_file_id for one in found]
    if match.identical_file and row.asset.asset_id:
        ids.insert(0, row.asset.asset_id)
    kept = (content.work_thumbnails.get(file_id) for file_id in ids)
    return next((small_jpeg(picture, THUMBNAIL_EDGE) for picture in kept if picture), None)


def _data_uri(jpeg: bytes | None) -> str | None:
    if not jpeg:
        return None
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def _outcomes(row: RiskRow, match: Match) -> tuple[ShownOutcome, ...]:
    shown = []
    for outcome in row.outcomes:
        if outcome.outcome is Outcome.NOT_APPLICABLE:
            continue
        measures = STAGES[outcome.stage].measures if outcome.stage in STAGES else ()
        values: dict[str, Value] = dict(outcome.facts)
        for one in outcome.evidence:
            if one.work_id == match.work_id:
                values |= one.measures
        shown.append(
            ShownOutcome(
                title=capitalized(stage_title(outcome.stage)),
                outcome=outcome.outcome.value,
                words=OUTCOMES[outcome.outcome],
                detail=visible(outcome.detail),
                figures=tuple(
                    (m.description.rstrip("."), visible(value_in_words(values[m.name], m)))
                    for m in measures
                    if values.get(m.name) is not None and m.name not in _SAID
                ),
            )
        )
    return tuple(shown)


def _figures_line(match: Match) -> str:
    """A further match's measures on one line: `phash distance 6 bits of 64; …`.

    Where its picture lies is said in one sentence, which stands for the measures of the overlap.
    """
    declared = {m.name: m for stage in STAGES.values() for m in stage.measures}
    overlap = overlap_of(match.measures)
    said = ["identical file"] if match.identical_file else []
    said += [
        f"{name.replace('_', ' ')} {value_in_words(value, declared.get(name))}"
        for name, value in match.measures.items()
        if value is not None and not (overlap and name.startswith("overlap_"))
    ]
    sentences = [overlap_sentence(overlap)] if overlap else []
    return visible(". ".join((["; ".join(said)] if said else []) + sentences))


def _shown_passage(passage: Passage, asset_text: str | None, work_text: str | None) -> ShownPassage:
    asset_span = (passage.asset_start, passage.asset_end)
    work_span = (passage.work_start, passage.work_end)
    asset, work = excerpt_pair(asset_text, asset_span, work_text, work_span, passage.agreeing)
    return ShownPassage(
        words=passage.words,
        identity=percent(passage.identity),
        asset_offsets=f"{passage.asset_start:,}–{passage.asset_end:,}",
        work_offsets=f"{passage.work_start:,}–{passage.work_end:,}",
        work_file=visible(passage.work_file),
        stands=passage_location(passage.asset_page, passage.asset_scene),
        work_stands=passage_location(passage.work_page, passage.work_scene),
        asset=asset,
        work=work,
    )
