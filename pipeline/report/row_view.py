"""One row of the risk table in the words that people read, with its matches and their evidence.

The report, the review page, `clearance explain` and notebooks all show a row from these records.
They choose what to show and lay it out; nothing is put into words in two places.

Columns of the stored tables are kept as they are (`row`). All other text is fit to show, see
`pipeline.core.wording.visible`; HTML still has to escape it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any, Protocol

from pipeline.core.records import Band, Measure, Outcome, RiskRow, Value
from pipeline.core.wording.sentences import sentences
from pipeline.core.wording.terms import (
    BANDS,
    OUTCOMES,
    capitalized,
    count,
    passage_location,
    percent,
    risk_in_words,
    risk_number,
    value_in_words,
)
from pipeline.core.wording.visible import visible
from pipeline.report.excerpts import Excerpt, Run, excerpt_pair, stored_runs
from pipeline.report.overlap import (
    MEASURES,
    STAGE,
    Overlap,
    Placement,
    Undrawable,
    overlap_of,
    overlap_sentence,
    placement,
)
from pipeline.results.files import RunInfo, StoredRun
from pipeline.results.lookup import rows_of
from pipeline.results.table import stored_rows
from pipeline.risk.fuse import IDENTICAL_FILE, WaterfallStep, explain_contributions
from pipeline.stages import STAGES, stage_title
from reference_index.interface import Work

MAX_EXCERPTS = 8
"""Passages of a match that have excerpts, those with most words first."""

_IN_SENTENCE = ("overlap_transform", "overlap_found_by")
"""Measures that no figure shows, because the overlap's sentence puts them in words."""

_STEP_TITLES = {
    "prior": "Before any evidence",
    IDENTICAL_FILE: "Identical file",
    "total": "Together",
}

_TICKS = (0.5, 0.01, 0.99, 0.1, 0.9)
"""Risks to mark on the waterfall's axis; of two that are too close, the first is marked."""

_LEAST_TICK_DISTANCE = 17.0
"""Least distance of two ticks in per cent of the axis: the width of a label on the page."""

_CONTRIBUTION, _OUTCOME, _WORK_FILE = "contribution_", "outcome_", "work_file_"


class Texts(Protocol):
    """The texts of a script and of the works that it was compared with; None if one is not kept."""

    def asset(self) -> str | None:
        """The script's text."""

    def work(self, work_id: str, work_file: str) -> str | None:
        """The text of a file of a work."""


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
        risk_words: what it means.
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
    risk_words: str
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
    def work_file(self) -> str:
        """The file of the work to show: the one whose overlap was verified, or the first."""
        return visible(work_file(self.row) or "")

    @property
    def waterfall(self) -> Waterfall:
        """What each stage added; empty if the run does not say the prior."""
        return waterfall(self.steps) if self.steps else Waterfall((), ())

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
        match = self.row
        facts = ["the very file"] if match["identical_file"] else []
        if (inliers := match.get("overlap_inliers")) is not None:
            share = match.get("overlap_asset_share")
            of = f" over {percent(share, whole=0.999)} of the asset" if share is not None else ""
            facts.append(f"{count(inliers, 'agreeing point')}{of}")
        if (distance := match.get("pdq_distance")) is not None:
            facts.append(f"PDQ distance {distance}")
        if (similarity := match.get("clip_similarity")) is not None:
            facts.append(f"embedding similarity {similarity:.2f}")
        if (words := match.get("text_words")) is not None:
            facts.append(f"{count(words, 'word')} in common")
        if match["likeness_only"]:
            facts.append("likeness only")
        if match.get("suppressed"):
            facts.append("suppressed")
        return "; ".join(facts)


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
            return "no figure, because every match is suppressed"
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


def stored_view(
    stored: StoredRun,
    row: Mapping[str, Any],
    *,
    matches: Sequence[Mapping[str, Any]] | None = None,
) -> RowView:
    """The view of a row of a stored run, without excerpts.

    Args:
        stored: the run.
        row: of its risk table.
        matches: some rows of matches.parquet for the asset; all of them if None.
    """
    of_asset = {"asset_path": row["asset_path"]}
    if matches is None:
        matches = rows_of(stored.match_rows, **of_asset)
    return _view(
        row,
        matches,
        rows_of(stored.passage_rows, **of_asset),
        _prior(stored.run, row["kind"]),
    )


def risk_row_view(row: RiskRow, run: RunInfo, works: Mapping[str, Work]) -> RowView:
    """The view of a row before it is stored, without excerpts: from what the tables will hold.

    Args:
        row: the row.
        run: the run.
        works: every work of the index, by its id.
    """
    view = _view(*stored_rows(row, run, works), run.prior.get(row.asset.kind))
    return replace(view, reasons=tuple(visible(reason) for reason in row.reasons))


def work_file(match: Mapping[str, Any]) -> str | None:
    """Of a row of matches.parquet, the file of the work to show: the one whose overlap was
    verified, or the first.
    """
    columns = [f"{_WORK_FILE}{STAGE}", *(name for name in match if name.startswith(_WORK_FILE))]
    files = (match.get(name) for name in columns)
    return next((str(file) for file in files if file is not None), None)


def with_excerpts(match: MatchView, texts: Texts) -> MatchView:
    """The match with excerpts of the `MAX_EXCERPTS` passages that have most words."""
    longest = match.longest_passages[:MAX_EXCERPTS]
    return replace(
        match,
        passages=tuple(
            _with_excerpts(passage, texts) if passage in longest else passage
            for passage in match.passages
        ),
    )


def _with_excerpts(passage: PassageView, texts: Texts) -> PassageView:
    asset, work = excerpt_pair(
        texts.asset(),
        passage.asset_span,
        texts.work(passage.row["work_id"], passage.row["work_file"]),
        passage.work_span,
        passage.agreeing,
    )
    return replace(passage, asset=asset, work=work)


def waterfall(steps: Sequence[WaterfallStep]) -> Waterfall:
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


def _view(
    row: Mapping[str, Any],
    matches: Sequence[Mapping[str, Any]],
    passages: Sequence[Mapping[str, Any]],
    prior: float | None,
) -> RowView:
    stages = _stages(row)
    measures = {m.name: m for stage in STAGES.values() for m in stage.measures}
    of_work: dict[str, list[Mapping[str, Any]]] = {}
    for passage in passages:
        of_work.setdefault(passage["work_id"], []).append(passage)
    names = (match.get(name) for match in matches for name in ("title", "rightsholder", "rights"))
    return RowView(
        row=row,
        path=visible(row["asset_path"]),
        band=row["band"],
        band_title=BANDS[Band(row["band"])] if row["band"] in list(Band) else visible(row["band"]),
        reasons=tuple(visible(one) for one in sentences(row.get("reasons") or "", names)),
        prior=prior,
        outcomes=tuple(_outcome(row, name, measures) for name in stages),
        matches=tuple(
            _match(match, of_work.get(match["work_id"], ()), stages, prior, measures)
            for match in matches
        ),
    )


def _stages(row: Mapping[str, Any]) -> list[str]:
    """The stages of the run, which need not be those installed now."""
    names = [c.removeprefix(_CONTRIBUTION) for c in row if c.startswith(_CONTRIBUTION)]
    return [name for name in names if f"{_OUTCOME}{name}" in row]


def _prior(run: Mapping[str, Any], kind: str) -> float | None:
    calibration = run.get("calibration")
    priors = calibration.get("prior") if isinstance(calibration, dict) else None
    prior = priors.get(kind) if isinstance(priors, dict) else None
    return float(prior) if isinstance(prior, int | float) else None


def _outcome(row: Mapping[str, Any], name: str, measures: Mapping[str, Measure]) -> OutcomeView:
    outcome = row[f"{_OUTCOME}{name}"]
    own = [m.name for m in STAGES[name].measures if m.of == "asset"] if name in STAGES else []
    return OutcomeView(
        name=name,
        title=capitalized(visible(stage_title(name))),
        outcome=outcome,
        words=OUTCOMES[Outcome(outcome)] if outcome in list(Outcome) else visible(outcome),
        detail=visible(row.get(f"{_OUTCOME}detail_{name}") or ""),
        figures=_figures(row, own, measures),
    )


def _figures(
    row: Mapping[str, Any], names: Iterable[str], measures: Mapping[str, Measure]
) -> tuple[Figure, ...]:
    return tuple(
        Figure(measures.get(name) or Measure(name, "str", "match", "", name), row[name])
        for name in names
        if row.get(name) is not None
    )


def _match(
    row: Mapping[str, Any],
    passages: Sequence[Mapping[str, Any]],
    stages: Sequence[str],
    prior: float | None,
    measures: Mapping[str, Measure],
) -> MatchView:
    contributions = {
        column.removeprefix(_CONTRIBUTION): value
        for column, value in row.items()
        if column.startswith(_CONTRIBUTION) and value is not None
    }
    # Columns between the risk and the contributions are the measures, also those of stages that
    # are not installed now.
    columns = list(row)
    first = next(n for n, column in enumerate(columns) if column.startswith(_CONTRIBUTION))
    overlap = overlap_of(row)
    return MatchView(
        row=row,
        rank=row["rank"],
        work=Work(
            visible(row["work_id"]),
            visible(row["title"]),
            visible(row["rightsholder"]),
            visible(row["rights"]),
        ),
        risk=row["risk"],
        risk_words=_risk_words(row["risk"], contributions),
        suppressed=bool(row.get("suppressed")),  # a run of an earlier release has no such column
        identical_file=row["identical_file"],
        likeness_only=row["likeness_only"],
        contributions=contributions,
        steps=explain_contributions(prior, contributions) if prior is not None else (),
        figures=_figures(row, columns[columns.index("risk") + 1 : first], measures),
        overlap=overlap,
        placed=placement(overlap.transform) if overlap is not None else None,
        overlap_sentence=overlap_sentence(overlap) if overlap is not None else "",
        work_files={
            name: visible(row[f"{_WORK_FILE}{name}"])
            for name in stages
            if row.get(f"{_WORK_FILE}{name}") is not None
        },
        passages=tuple(_passage(passage) for passage in passages),
    )


def _risk_words(risk: float | None, contributions: Mapping[str, float]) -> str:
    return risk_in_words(
        risk,
        identical=IDENTICAL_FILE in contributions,
        counted=any(contributions.values()),
    )


def _passage(row: Mapping[str, Any]) -> PassageView:
    # A run of an earlier release lacks the columns that are read with `get`.
    return PassageView(
        row=row,
        words=row["words"],
        identity=percent(row["identity"]),
        longest=row.get("longest") or 0,
        moved=(row.get("chains") or 1) > 1,
        work_file=visible(row["work_file"]),
        asset_span=(row["asset_start"], row["asset_end"]),
        work_span=(row["work_start"], row["work_end"]),
        asset_place=passage_location(row.get("asset_page"), row.get("asset_scene")),
        work_place=passage_location(row.get("work_page"), row.get("work_scene")),
    )
