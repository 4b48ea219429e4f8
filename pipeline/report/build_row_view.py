"""Builds the view of a row: from a stored run, or from a row that is not stored yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from pipeline.core.records import Band, Measure, Outcome, RiskRow
from pipeline.core.wording.text import (
    BANDS,
    OUTCOMES,
    capitalized,
    passage_location,
    percent,
    sentences,
    visible,
)
from pipeline.report.excerpts import excerpt_pair
from pipeline.report.overlap import (
    overlap_of,
    overlap_sentence,
    placement,
)
from pipeline.report.row_view import WORK_FILE, Figure, MatchView, OutcomeView, PassageView, RowView
from pipeline.results.files import RunInfo, StoredRun
from pipeline.results.lookup import rows_of
from pipeline.results.table import stored_rows
from pipeline.risk.fuse import explain_contributions
from pipeline.stages import STAGES, stage_title
from reference_index.interface import Work

MAX_EXCERPTS = 8
"""Passages of a match that have excerpts, those with most words first."""

_CONTRIBUTION, _OUTCOME = "contribution_", "outcome_"


class Texts(Protocol):
    """The texts of a script and of the works that it was compared with; None if one is not kept."""

    def asset(self) -> str | None:
        """The script's text."""

    def work(self, work_id: str, work_file: str) -> str | None:
        """The text of a file of a work."""


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
            name: visible(row[f"{WORK_FILE}{name}"])
            for name in stages
            if row.get(f"{WORK_FILE}{name}") is not None
        },
        passages=tuple(_passage(passage) for passage in passages),
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
