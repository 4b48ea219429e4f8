"""One row of the risk table in the words that people read, with its matches and their evidence.

The report, the review page, `clearance explain` and notebooks all show a row from these records.
They choose what to show and lay it out; nothing is put into words in two places. A match's risk has
a waterfall chart: what each stage added, as bars on an axis of log-odds (`waterfall_of`).

Columns of the stored tables are kept as they are (`row`). All other text is fit to show, see
`pipeline.core.wording.text.visible`; HTML still has to escape it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

from pipeline.core.records import Measure, Outcome, Value
from pipeline.core.wording.text import (
    capitalized,
    count,
    percent,
    risk_in_words,
    risk_number,
    value_in_words,
    visible,
)
from pipeline.report.excerpts import Excerpt, Run, stored_runs
from pipeline.report.overlap import (
    MEASURES,
    STAGE,
    Overlap,
    Placement,
    Undrawable,
)
from pipeline.risk.fuse import IDENTICAL_FILE, WaterfallStep
from pipeline.stages import STAGES, stage_title
from reference_index.interface import Work

_IN_SENTENCE = ("overlap_transform", "overlap_found_by")
"""Measures that no figure shows, because the overlap's sentence puts them in words."""

WORK_FILE = "work_file_"
"""Prefix of the columns that name a stage's file of the work."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure's value."""

    measure: Measure
    value: Value

    @property
    def label(self) -> str:
        """What was measured, as a heading."""
        return self.measure.description.rstrip(".")

    @property
    def text(self) -> str:
        """The value with its unit."""
        return visible(value_in_words(self.value, self.measure))


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """What one stage found. `figures` are the stage's measures of the asset.

    `name` and `outcome` are as stored, `title` and `words` their words.
    """

    name: str
    title: str
    outcome: str
    words: str
    detail: str
    figures: tuple[Figure, ...]

    @property
    def applies(self) -> bool:
        """Whether the stage is one for assets of this kind."""
        return self.outcome != Outcome.NOT_APPLICABLE


@dataclass(frozen=True, slots=True)
class PassageView:
    """A passage that a script shares with a work.

    Attributes:
        row: of passages.parquet.
        words: how many it has in common with the work.
        identity: share of the longer side's words that agree.
        longest: most such words in a row; 0 if not known.
        moved: whether parts of it are in another order in the work.
        work_file: the file of the work.
        asset_span, work_span: start and end in characters, half open.
        asset_place, work_place: page and scene in which it begins; may be empty.
        asset, work: excerpts; None where the text is not kept or none was asked for.
    """

    row: Mapping[str, Any]
    words: int
    identity: str
    longest: int
    moved: bool
    work_file: str
    asset_span: tuple[int, int]
    work_span: tuple[int, int]
    asset_place: str
    work_place: str
    asset: Excerpt | None = None
    work: Excerpt | None = None

    @property
    def agreeing(self) -> list[Run]:
        """The runs of words that agree."""
        return stored_runs(self.row)

    @property
    def asset_offsets(self) -> str:
        """The span in the asset, as `1,200–1,350`."""
        return "{:,}–{:,}".format(*self.asset_span)

    @property
    def work_offsets(self) -> str:
        """The span in the work."""
        return "{:,}–{:,}".format(*self.work_span)


@dataclass(frozen=True, slots=True)
class MatchView:
    """All evidence between the asset and one work.

    Attributes:
        row: of matches.parquet.
        rank: 1 for the strongest.
        work: the work.
        risk: of the match.
        suppressed: whether people agreed that the match is false.
        identical_file, likeness_only: as in `pipeline.core.records.Match`.
        contributions: what each stage added, in log-odds, by its name.
        steps: from the prior to the risk; empty if the run does not say the prior.
        figures: the stages' measures of the match.
        overlap: where the work's picture was verified to be in the asset.
        placed: its transform, or why it can't be drawn.
        overlap_sentence: the overlap in words; empty if there is none.
        work_files: the work's file that the evidence is from, by the stage's name.
        passages: in the order of passages.parquet.
    """

    row: Mapping[str, Any]
    rank: int
    work: Work
    risk: float
    suppressed: bool
    identical_file: bool
    likeness_only: bool
    contributions: Mapping[str, float]
    steps: tuple[WaterfallStep, ...]
    figures: tuple[Figure, ...]
    overlap: Overlap | None
    placed: Placement | Undrawable | None
    overlap_sentence: str
    work_files: Mapping[str, str]
    passages: tuple[PassageView, ...]

    @property
    def risk_words(self) -> str:
        """What the risk means."""
        return _risk_words(self.risk, self.contributions)

    @property
    def work_file(self) -> str:
        """The file of the work to show: the one whose overlap was verified, or the first."""
        return visible(work_file(self.row) or "")

    @property
    def waterfall(self) -> Waterfall:
        """What each stage added; empty if the run does not say the prior."""
        return waterfall_of(self.steps) if self.steps else Waterfall((), ())

    @property
    def longest_passages(self) -> tuple[PassageView, ...]:
        """The passages, those with most words first."""
        return tuple(sorted(self.passages, key=lambda passage: -passage.words))

    @property
    def not_drawn(self) -> str:
        """Why the overlap can't be drawn, as the end of a sentence; empty if it can."""
        return self.placed.why if isinstance(self.placed, Undrawable) else ""

    @property
    def other_figures(self) -> tuple[Figure, ...]:
        """The figures without those that the overlap's sentence has."""
        if self.overlap is None:
            return self.figures
        return tuple(figure for figure in self.figures if figure.measure.name not in MEASURES)

    @property
    def evidence(self) -> str:
        """Every figure on one line: `phash distance 6 bits of 64; …`.

        Measures of an overlap are replaced by its sentence.
        """
        facts = ["identical file"] if self.identical_file else []
        facts += [
            f"{figure.measure.name.replace('_', ' ')} {figure.text}"
            for figure in self.figures
            if not (self.overlap and figure.measure.name.startswith("overlap_"))
        ]
        return ". ".join(filter(None, ["; ".join(facts), self.overlap_sentence]))

    @property
    def short_evidence(self) -> str:
        """The evidence in a few words, for a list of many matches: `PDQ distance 6; …`."""
        return evidence_in_short(
            self.row,
            identical=self.identical_file,
            likeness_only=self.likeness_only,
            suppressed=self.suppressed,
        )


@dataclass(frozen=True, slots=True)
class RowView:
    """A row of the risk table.

    Attributes:
        row: of risk_table.parquet.
        path: of the asset.
        band, band_title: as stored and in words.
        reasons: sentences, the most important first.
        prior: log-odds of a pair without evidence; None if the run does not say it.
        outcomes: of every stage.
        matches: strongest first; of one work only if only that was asked for.
    """

    row: Mapping[str, Any]
    path: str
    band: str
    band_title: str
    reasons: tuple[str, ...]
    prior: float | None
    outcomes: tuple[OutcomeView, ...]
    matches: tuple[MatchView, ...]

    @property
    def risk(self) -> float | None:
        """The row's risk; None if there is no figure."""
        risk: float | None = self.row["risk"]
        return risk

    @property
    def strongest(self) -> MatchView | None:
        """The match to show: the one that decides the row, or the first if all are suppressed."""
        decisive = (match for match in self.matches if not match.suppressed)
        return next(decisive, self.matches[0] if self.matches else None)

    @property
    def risk_words(self) -> str:
        """What the row's risk means."""
        match = self.strongest
        if match is None:
            return risk_in_words(self.risk, evidence=False)
        if match.suppressed:
            return "not given, because every match is suppressed"
        return _risk_words(self.risk, match.contributions)

    def figures(self, outcome: OutcomeView, match: MatchView | None) -> tuple[Figure, ...]:
        """A stage's figures of the asset and of one match, in the order in which it declares them;
        without those that are only in the overlap's sentence.
        """
        figures = {figure.measure.name: figure for figure in outcome.figures}
        figures |= {figure.measure.name: figure for figure in (match.figures if match else ())}
        measures = STAGES[outcome.name].measures if outcome.name in STAGES else ()
        names = (measure.name for measure in measures if measure.name not in _IN_SENTENCE)
        return tuple(figures[name] for name in names if name in figures)


def evidence_in_short(
    measures: Mapping[str, Any], *, identical: bool, likeness_only: bool, suppressed: bool
) -> str:
    """A match's evidence in a few words: `142 agreeing points over 30 % of the asset; …`.

    Args:
        measures: of the match, by name.
        identical, likeness_only, suppressed: as of `pipeline.core.records.Match`.
    """
    facts = ["the identical file"] if identical else []
    if (inliers := measures.get("overlap_inliers")) is not None:
        share = measures.get("overlap_asset_share")
        of = f" over {percent(share, whole=0.999)} of the asset" if share is not None else ""
        facts.append(f"{count(inliers, 'agreeing point')}{of}")
    if (distance := measures.get("pdq_distance")) is not None:
        facts.append(f"PDQ distance {distance}")
    if (similarity := measures.get("clip_similarity")) is not None:
        facts.append(f"embedding similarity {similarity:.2f}")
    if (words := measures.get("text_words")) is not None:
        facts.append(f"{count(words, 'word')} in common")
    if likeness_only:
        facts.append("likeness only")
    if suppressed:
        facts.append("suppressed")
    return "; ".join(facts)


def deciding_evidence_in_short(
    measures: Mapping[str, Any], *, identical: bool, likeness_only: bool
) -> str:
    """What sets a row's strongest match apart from others: the evidence in a few words; of the very
    file nothing else, because all measures agree.

    Args:
        measures, identical, likeness_only: as of `evidence_in_short`.
    """
    return evidence_in_short(
        {} if identical else measures,
        identical=identical,
        likeness_only=likeness_only and not identical,
        suppressed=False,
    )


def work_file(match: Mapping[str, Any]) -> str | None:
    """Of a row of matches.parquet, the file of the work to show: the one whose overlap was
    verified, or the first.
    """
    columns = [f"{WORK_FILE}{STAGE}", *(name for name in match if name.startswith(WORK_FILE))]
    files = (match.get(name) for name in columns)
    return next((str(file) for file in files if file is not None), None)


def _risk_words(risk: float | None, contributions: Mapping[str, float]) -> str:
    return risk_in_words(
        risk,
        identical=IDENTICAL_FILE in contributions,
        counted=any(contributions.values()),
    )


_STEP_TITLES = {
    "prior": "Before any evidence",
    IDENTICAL_FILE: "Identical file",
    "total": "Together",
}

_TICKS = (0.5, 0.01, 0.99, 0.1, 0.9)
"""Risks to mark on the waterfall's axis; of two that are too close, the first is marked."""

_LEAST_TICK_DISTANCE = 17.0
"""Least distance of two ticks in per cent of the axis: the width of a label on the page."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a waterfall; `left` and `width` in per cent of the axis.

    `name` is `prior`, `total` or what the bar's evidence is from; `added` is empty for the first
    two.
    """

    name: str
    title: str
    added: str
    after: str
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """What each stage added to a risk, in log-odds.

    Attributes:
        bars: first the prior, then a bar for each stage, at last their sum.
        ticks: risks marked on the axis, and where, in per cent of it.
    """

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[str, float], ...]


def waterfall_of(steps: Sequence[WaterfallStep]) -> Waterfall:
    """The bars of some steps on an axis of log-odds.

    The first bar and the last start at the axis's left end, the others where the one before ends.
    The axis goes on by 1 before the smallest log-odds and by 0.5 after the largest; it is at least
    5.5 long, so that small steps look small.
    """
    ends = [step.log_odds for step in steps]
    low, high = min(ends) - 1.0, max(*ends, min(ends) + 4.0) + 0.5

    def place(log_odds: float) -> float:
        return round((log_odds - low) * 100.0 / (high - low), 2)

    bars = []
    before = low
    for step in steps:
        is_sum = step.name in ("prior", "total")
        left, right = sorted((place(low if is_sum else before), place(step.log_odds)))
        bars.append(
            Bar(
                name=step.name,
                title=_STEP_TITLES.get(step.name) or capitalized(stage_title(step.name)),
                added="" if is_sum else f"{step.added:+.2f}",
                after=risk_number(step.risk),
                left=left,
                width=round(max(right - left, 0.4), 2),
            )
        )
        before = step.log_odds
    ticks: dict[float, float] = {}
    for risk in _TICKS:
        log_odds = log(risk / (1 - risk))
        at = place(log_odds)
        near = any(abs(at - other) < _LEAST_TICK_DISTANCE for other in ticks.values())
        if low < log_odds < high and not near:
            ticks[risk] = at
    return Waterfall(tuple(bars), tuple((f"{risk:g}", at) for risk, at in sorted(ticks.items())))
