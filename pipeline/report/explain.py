"""`clearance explain`: a row of a stored run and all evidence of it, as values for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.drops.places import Place
from pipeline.report.build_row_view import stored_view, with_excerpts
from pipeline.report.excerpts import Excerpt
from pipeline.report.overlap import Placement, transform_words
from pipeline.report.row_view import Figure, MatchView, OutcomeView, PassageView, RowView
from pipeline.report.stored_content import StoredTexts
from pipeline.results.files import StoredRun, read_run
from pipeline.results.lookup import find_row
from pipeline.stages import stage_title


def explained_row(out: Place, asset: str) -> RowView:
    """A row of a stored run, with excerpts of its passages where the texts are unchanged.

    Args:
        out: where the results of the run are.
        asset: the asset's path in the drop, the end of it, or the beginning of its SHA-256.

    Raises:
        RunError: if the results can't be read, or hold no such asset or several; the message
            names the nearest.
    """
    stored = read_run(out)
    return with_texts(stored, find_row(stored, asset))


def with_texts(stored: StoredRun, row: Mapping[str, Any]) -> RowView:
    """As `explained_row`, of a row of a run's risk table."""
    view = stored_view(stored, row)
    texts = StoredTexts(stored.run, row)
    return replace(view, matches=tuple(with_excerpts(match, texts) for match in view.matches))


def explanation(view: RowView) -> dict[str, Any]:
    """A row as plain JSON values: the output of `clearance explain --json` (docs/risk-table.md)."""
    row = view.row
    return {
        "asset_path": row["asset_path"],
        "asset_id": row["asset_id"],
        "kind": row["kind"],
        "format": row.get("format"),
        "size": row.get("size"),
        "band": row["band"],
        "risk": row["risk"],
        "reasons": row.get("reasons") or "",
        "works_compared": row.get("works_compared"),
        "suppressed_works": row.get("suppressed_works") or 0,
        "prior": view.prior,
        "outcomes": [_outcome(view, outcome) for outcome in view.outcomes],
        "matches": [_match(match) for match in view.matches],
        "run": {
            name: row.get(name)
            for name in ("run_id", "index_version", "index_digest", "config_fingerprint")
        },
    }


def _outcome(view: RowView, outcome: OutcomeView) -> dict[str, Any]:
    name = outcome.name
    return {
        "stage": name,
        "title": stage_title(name),
        "outcome": outcome.outcome,
        "reason": view.row.get(f"outcome_reason_{name}"),
        "detail": view.row.get(f"outcome_detail_{name}") or "",
        "figures": [_figure(figure) for figure in outcome.figures],
    }


def _figure(figure: Figure) -> dict[str, Any]:
    measure = figure.measure
    return {
        "name": measure.name,
        "value": figure.value,
        "unit": measure.unit,
        "description": measure.description,
    }


def _match(match: MatchView) -> dict[str, Any]:
    row = match.row
    return {
        "rank": row["rank"],
        "work_id": row["work_id"],
        "title": row["title"],
        "rightsholder": row["rightsholder"],
        "rights": row["rights"],
        "risk": row["risk"],
        "identical_file": row["identical_file"],
        "likeness_only": row["likeness_only"],
        "band": row.get("band"),  # a run of an earlier release has no such column
        "suppressed": match.suppressed,
        "contributions": dict(match.contributions),
        "steps": [
            {"name": s.name, "added": s.added, "log_odds": s.log_odds, "risk": s.risk}
            for s in match.steps
        ],
        "figures": [_figure(figure) for figure in match.figures],
        "overlap": _overlap(match),
        "work_files": {name: row[f"work_file_{name}"] for name in match.work_files},
        "passages": [_passage(passage) for passage in match.passages],
    }


def _overlap(match: MatchView) -> dict[str, Any] | None:
    if match.overlap is None:
        return None
    placed = match.placed
    return {
        "sentence": match.overlap_sentence,
        "transform": transform_words(placed) if isinstance(placed, Placement) else None,
        "not_drawn": match.not_drawn or None,
    }


def _passage(passage: PassageView) -> dict[str, Any]:
    of_the_match = ("asset_path", "asset_id", "work_id")
    return {
        **{name: value for name, value in passage.row.items() if name not in of_the_match},
        "asset_text": passage.asset.text if passage.asset else None,
        "work_text": passage.work.text if passage.work else None,
        "asset_pieces": _pieces(passage.asset),
        "work_pieces": _pieces(passage.work),
    }


def _pieces(excerpt: Excerpt | None) -> list[dict[str, Any]] | None:
    if excerpt is None:
        return None
    return [{"text": piece.text, "shared": piece.shared} for piece in excerpt.pieces]
