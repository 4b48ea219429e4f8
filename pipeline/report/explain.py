"""Why a row stands where it does: from the stored results of a run, in the terminal or as JSON."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import RunError
from pipeline.core.records import Measure
from pipeline.core.wording.visible import visible
from pipeline.drops.places import Place
from pipeline.report.excerpts import Excerpt, excerpt_pair
from pipeline.report.overlap import (
    Placement,
    Undrawable,
    overlap_of,
    overlap_sentence,
    placement,
    transform_words,
)
from pipeline.report.stored_texts import StoredTexts
from pipeline.results.files import StoredRun, read_run
from pipeline.risk.fuse import explain_contributions
from pipeline.stages import STAGES, stage_title

if TYPE_CHECKING:
    pass

SHOWN_NAMES = 5
SHORTEST_ID = 4
MAX_EXCERPTS = 8
"""Passages of a match whose texts are fetched; the offsets of all are given."""

_CONTRIBUTION, _OUTCOME, _WORK_FILE = "contribution_", "outcome_", "work_file_"


def explain(out: Place, asset: str) -> dict[str, Any]:
    """Why a row stands where it does, as plain JSON values (docs/risk-table.md).

    Args:
        out: where a run's results lie.
        asset: the asset's path in the drop, the end of it, or the beginning of its SHA-256.

    Raises:
        RunError: if the results can't be read, or hold no such asset or several; the message
            names the nearest.
    """
    stored = read_run(out)
    return explain_stored(stored, find_row(stored, asset))


def explain_stored(
    stored: StoredRun, row: Mapping[str, Any], *, work_id: str | None = None, texts: bool = True
) -> dict[str, Any]:
    """As `explain`, of a row of a run's risk table.

    Args:
        stored, row: the run and the row.
        work_id: its match with this work alone; None for all.
        texts: whether the texts of passages are fetched.
    """
    stages = _stages(stored.risk_rows)
    prior = _prior(stored.run, row["kind"])
    measures = {m.name: m for stage in STAGES.values() for m in stage.measures}
    of_work = {} if work_id is None else {"work_id": work_id}
    source = StoredTexts(stored.run, row) if texts else None
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
        "prior": prior,
        "outcomes": [_outcome(row, name, measures) for name in stages],
        "matches": [
            _match(match, stored, stages, prior, measures, source)
            for match in rows_of(stored.match_rows, asset_path=row["asset_path"], **of_work)
        ],
        "run": {
            name: row.get(name)
            for name in ("run_id", "index_version", "index_digest", "config_fingerprint")
        },
    }


def find_row(stored: StoredRun, asset: str) -> dict[str, Any]:
    """The row of the risk table that `asset` names.

    In this order: the whole path (as stored or as printed, with escapes), the beginning of the
    SHA-256 (at least 4 digits), the last parts of the path, the end of the path.

    Raises:
        RunError: if none or several are named.
    """
    paths: list[str] = stored.risk_rows["asset_path"].to_pylist()
    ids: list[str | None] = stored.risk_rows["asset_id"].to_pylist()
    wanted = asset.removeprefix("./")
    ways = (
        lambda path, _id: path == wanted,
        lambda path, _id: visible(path) == wanted,
        lambda _path, id_: (
            id_ is not None and len(wanted) >= SHORTEST_ID and id_.startswith(wanted.lower())
        ),
        lambda path, _id: path.endswith(f"/{wanted}"),
        lambda path, _id: visible(path).endswith(f"/{wanted}"),
        lambda path, _id: bool(wanted) and path.endswith(wanted),
        lambda path, _id: bool(wanted) and visible(path).endswith(wanted),
    )
    for way in ways:
        places = [n for n, pair in enumerate(zip(paths, ids, strict=True)) if way(*pair)]
        if len(places) == 1:
            row: dict[str, Any] = stored.risk_rows.slice(places[0], 1).to_pylist()[0]
            return row
        if places:
            listed = ", ".join(visible(paths[n]) for n in places[:SHOWN_NAMES])
            more = f" and {len(places) - SHOWN_NAMES:,} more" if len(places) > SHOWN_NAMES else ""
            raise RunError(
                f"{visible(asset)} names {len(places):,} assets of the run in {stored.folder}: "
                f"{listed}{more}; give the whole path of one."
            )
    raise RunError(
        f"The run in {stored.folder} has no asset {visible(asset)}{_nearest(wanted, paths)}; "
        "risk_table.csv lists them all."
    )


def _nearest(wanted: str, paths: list[str]) -> str:
    by_name: dict[str, str] = {}
    for path in paths:
        by_name.setdefault(path, path)
        by_name.setdefault(path.rsplit("/", 1)[-1], path)
    part = wanted.casefold()
    near = [name for name in by_name if part and part in name.casefold()][:SHOWN_NAMES]
    near = near or difflib.get_close_matches(wanted, by_name, n=3, cutoff=0.6)
    named = list(dict.fromkeys(visible(by_name[name]) for name in near))
    return f" (nearest: {', '.join(named)})" if named else ""


def _stages(table: pa.Table) -> list[str]:
    """The stages of the run, which need not be those installed now."""
    names = [
        c.removeprefix(_CONTRIBUTION) for c in table.column_names if c.startswith(_CONTRIBUTION)
    ]
    return [name for name in names if f"{_OUTCOME}{name}" in table.column_names]


def _prior(run: Mapping[str, Any], kind: str) -> float | None:
    calibration = run.get("calibration")
    priors = calibration.get("prior") if isinstance(calibration, dict) else None
    prior = priors.get(kind) if isinstance(priors, dict) else None
    return float(prior) if isinstance(prior, int | float) else None


def rows_of(table: pa.Table, **wanted: str) -> list[dict[str, Any]]:
    """The rows whose columns have these values."""
    for column, value in wanted.items():
        table = table.filter(pc.equal(table[column], value))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _outcome(row: Mapping[str, Any], name: str, measures: Mapping[str, Measure]) -> dict[str, Any]:
    own = [m.name for m in STAGES[name].measures if m.of == "asset"] if name in STAGES else []
    return {
        "stage": name,
        "title": stage_title(name),
        "outcome": row[f"{_OUTCOME}{name}"],
        "reason": row.get(f"{_OUTCOME}reason_{name}"),
        "detail": row.get(f"{_OUTCOME}detail_{name}") or "",
        "figures": _figures(row, own, measures),
    }


def _figures(
    row: Mapping[str, Any], names: list[str], measures: Mapping[str, Measure]
) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "value": row[name],
            "unit": measures[name].unit if name in measures else "",
            "description": measures[name].description if name in measures else name,
        }
        for name in names
        if row.get(name) is not None
    ]


def _match(
    row: Mapping[str, Any],
    stored: StoredRun,
    stages: list[str],
    prior: float | None,
    measures: Mapping[str, Measure],
    texts: StoredTexts | None,
) -> dict[str, Any]:
    contributions = {
        column.removeprefix(_CONTRIBUTION): value
        for column, value in row.items()
        if column.startswith(_CONTRIBUTION) and value is not None
    }
    # Columns between the risk and the contributions are the measures, whoever declared them.
    columns = list(row)
    first = next(n for n, c in enumerate(columns) if c.startswith(_CONTRIBUTION))
    names = columns[columns.index("risk") + 1 : first]
    steps = explain_contributions(prior, contributions) if prior is not None else ()
    passages = rows_of(stored.passage_rows, asset_path=row["asset_path"], work_id=row["work_id"])
    return {
        "rank": row["rank"],
        "work_id": row["work_id"],
        "title": row["title"],
        "rightsholder": row["rightsholder"],
        "rights": row["rights"],
        "risk": row["risk"],
        "identical_file": row["identical_file"],
        "likeness_only": row["likeness_only"],
        # A run of an earlier release has no such columns.
        "band": row.get("band"),
        "suppressed": bool(row.get("suppressed")),
        "contributions": contributions,
        "steps": [
            {"name": s.name, "added": s.added, "log_odds": s.log_odds, "risk": s.risk}
            for s in steps
        ],
        "figures": _figures(row, names, measures),
        "overlap": _overlap(row),
        "work_files": {
            name: row[f"{_WORK_FILE}{name}"]
            for name in stages
            if row.get(f"{_WORK_FILE}{name}") is not None
        },
        "passages": [_passage(p, texts if n < MAX_EXCERPTS else None)
                     for n, p in enumerate(passages)],
    }  # fmt: skip


def _overlap(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """A verified overlap in words; its measures are among the figures."""
    overlap = overlap_of(row)
    if overlap is None:
        return None
    placed = placement(overlap.transform)
    return {
        "sentence": overlap_sentence(overlap),
        "transform": transform_words(placed) if isinstance(placed, Placement) else None,
        "not_drawn": placed.why if isinstance(placed, Undrawable) else None,
    }


def _passage(row: Mapping[str, Any], texts: StoredTexts | None) -> dict[str, Any]:
    asset, work = None, None
    # A run of an earlier release has no such column.
    runs = row.get("agreeing") or ()
    if texts is not None:
        asset, work = excerpt_pair(
            texts.asset(),
            (row["asset_start"], row["asset_end"]),
            texts.work(row["work_id"], row["work_file"]),
            (row["work_start"], row["work_end"]),
            [
                (run["asset_start"], run["asset_end"], run["work_start"], run["work_end"])
                for run in runs
            ],
        )
    return {
        **{name: value for name, value in row.items() if name not in _OF_THE_ROW},
        "asset_text": asset.text if asset else None,
        "work_text": work.text if work else None,
        "asset_pieces": _pieces(asset),
        "work_pieces": _pieces(work),
    }


_OF_THE_ROW = frozenset({"asset_path", "asset_id", "work_id"})


def _pieces(excerpt: Excerpt | None) -> list[dict[str, Any]] | None:
    """An excerpt in runs of words that both sides have and that they have not."""
    if excerpt is None:
        return None
    return [
        {"text": piece.text, "shared": piece.shared} for piece in (*excerpt.opening, *excerpt.rest)
    ]
