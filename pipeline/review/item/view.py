"""Everything that the item page shows of one row and one of its works, as one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.records import Kind
from pipeline.core.wording.sentences import sentences
from pipeline.core.wording.terms import capitalized, count, percent, risk_in_words, value_in_words
from pipeline.report.card import Bar, waterfall
from pipeline.report.explain import explain_stored
from pipeline.report.overlap import transform_words
from pipeline.report.stored_texts import StoredTexts
from pipeline.results.files import StoredRun
from pipeline.review.item.pictures import Pictures, Sides, work_file
from pipeline.review.item.texts import Aligned, aligned, runs_of
from pipeline.risk.fuse import IDENTICAL_FILE, WaterfallStep
from pipeline.stages import STAGES

ALIGNED = 8
"""Passages of which the texts are shown; the others are listed with a way into the whole text."""

LISTED = 200
CANDIDATES = 30


@dataclass(frozen=True, slots=True)
class StageLine:
    """What one stage said: its outcome, why, and its figures as pairs of description and value."""

    title: str
    outcome: str
    detail: str
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the works that the row has evidence with.

    Attributes:
        work_id, title, rightsholder, rights: of the work.
        risk: of the match.
        figures: its evidence in a line.
        chosen: whether the page shows it.
    """

    work_id: str
    title: str
    rightsholder: str
    rights: str
    risk: float | None
    figures: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Compare:
    """Two pictures to compare; coordinates are fractions of a picture's width and height.

    Attributes:
        sides: what can be shown.
        matrix: nine numbers, the rows of the transform from the work to the asset; empty if there
            is none.
        in_asset, in_work: the verified overlap as points of a polygon; empty if there is none.
        sentence: the overlap, or what is known instead, in words.
        placed: what the transform does to the work, in a few words.
        negative: whether the asset is a negative of the work.
        work_file: the file of the work.
    """

    sides: Sides
    matrix: str
    in_asset: str
    in_work: str
    sentence: str
    placed: str
    negative: bool
    work_file: str


@dataclass(frozen=True, slots=True)
class PassageView:
    """One passage; `aligned` is None where a text is not kept or the passage is only listed."""

    number: int
    words: int
    identity: str
    longest: int
    work_file: str
    asset_span: tuple[int, int]
    work_span: tuple[int, int]
    stands: str
    moved: bool
    aligned: Aligned | None


@dataclass(frozen=True, slots=True)
class Scripts:
    """The passages of a script and a work.

    Attributes:
        passages: those with most words first.
        why_no_texts: a sentence if a text can't be shown.
        total: how many passages there are.
        asset_text, work_text: whether there is a whole text to jump into.
    """

    passages: tuple[PassageView, ...]
    why_no_texts: str
    total: int
    asset_text: bool
    work_text: bool


@dataclass(frozen=True, slots=True)
class ItemView:
    """What the page shows; texts are as they were read, and the templates make them fit to show.

    Attributes:
        row: of the risk table.
        match: of matches.parquet, with the work that is looked at; None if there is none.
        strongest: whether that is the row's strongest.
        reasons: sentences on the row, the most important first.
        risk: of the match that is looked at, else of the row.
        risk_words: what it means.
        bars, ticks: what each stage added, as a waterfall; empty if it can't be told.
        stages: every stage's word.
        candidates: the works with evidence, the strongest first.
        more_candidates: how many are not among them.
        compare: for pictures.
        scripts: for scripts with a match.
    """

    row: Mapping[str, Any]
    match: Mapping[str, Any] | None
    strongest: bool
    reasons: tuple[str, ...]
    risk: float | None
    risk_words: str
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[str, float], ...]
    stages: tuple[StageLine, ...]
    candidates: tuple[Candidate, ...]
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
        work_id: which of their works; the strongest if None.
        pictures: those of the run.
    """
    chosen = next((one for one in matches if work_id in (None, one["work_id"])), None)
    explanation = explain_stored(
        stored, row, work_id=chosen["work_id"] if chosen else None, texts=False
    )
    told = next(iter(explanation["matches"]), None)
    bars, ticks = waterfall(_steps(told)) if told and told["steps"] else ((), ())
    counted = dict(told["contributions"]) if told else {}
    risk = chosen["risk"] if chosen is not None else row["risk"]
    return ItemView(
        row=row,
        match=chosen,
        strongest=chosen is None or chosen["work_id"] == row["work_id"],
        reasons=sentences(
            row.get("reasons") or "",
            (one[name] for one in matches for name in ("title", "rightsholder", "rights")),
        ),
        risk=risk,
        risk_words=risk_in_words(
            risk,
            identical=bool(counted.get(IDENTICAL_FILE)),
            evidence=chosen is not None,
            counted=any(counted.values()),
        ),
        bars=bars,
        ticks=ticks,
        stages=_stages(explanation["outcomes"], told),
        candidates=tuple(_candidate(one, one is chosen) for one in matches[:CANDIDATES]),
        more_candidates=max(0, len(matches) - CANDIDATES),
        compare=_compare(row, chosen, told, pictures) if row["kind"] == Kind.IMAGE else None,
        scripts=(
            _scripts(stored, row, told) if row["kind"] == Kind.SCRIPT and told is not None else None
        ),
    )


def _steps(told: Mapping[str, Any]) -> tuple[WaterfallStep, ...]:
    return tuple(
        WaterfallStep(s["name"], s["added"], s["log_odds"], s["risk"]) for s in told["steps"]
    )


def _stages(
    outcomes: Sequence[Mapping[str, Any]], told: Mapping[str, Any] | None
) -> tuple[StageLine, ...]:
    of_match = {one["name"]: one["value"] for one in told["figures"]} if told else {}
    lines = []
    for one in outcomes:
        measures = STAGES[one["stage"]].measures if one["stage"] in STAGES else ()
        values = {figure["name"]: figure["value"] for figure in one["figures"]} | of_match
        title = str(one["title"])
        lines.append(
            StageLine(
                title=capitalized(title),
                outcome=one["outcome"],
                detail=one["detail"],
                figures=tuple(
                    (measure.description.rstrip("."), value_in_words(values[measure.name], measure))
                    for measure in measures
                    if values.get(measure.name) is not None and not _said_in_words(measure.name)
                ),
            )
        )
    return tuple(lines)


def _said_in_words(name: str) -> bool:
    return name in ("overlap_transform", "overlap_found_by")


def _candidate(match: Mapping[str, Any], chosen: bool) -> Candidate:
    return Candidate(
        work_id=match["work_id"],
        title=match["title"],
        rightsholder=match["rightsholder"],
        rights=match["rights"],
        risk=match["risk"],
        figures=_figures_line(match),
        chosen=chosen,
    )


def _figures_line(match: Mapping[str, Any]) -> str:
    """A match's evidence in a few words."""
    said = ["the very file"] if match["identical_file"] else []
    if (agreeing := match.get("overlap_inliers")) is not None:
        share = match.get("overlap_asset_share")
        of = f" over {percent(share, whole=0.999)} of the asset" if share is not None else ""
        said.append(f"{count(agreeing, 'agreeing point')}{of}")
    if (distance := match.get("pdq_distance")) is not None:
        said.append(f"PDQ distance {distance}")
    if (likeness := match.get("clip_similarity")) is not None:
        said.append(f"embedding similarity {likeness:.2f}")
    if (words := match.get("text_words")) is not None:
        said.append(f"{count(words, 'word')} in common")
    if match["likeness_only"]:
        said.append("likeness only")
    if match.get("suppressed"):
        said.append("suppressed")
    return "; ".join(said)


def _compare(
    row: Mapping[str, Any],
    match: Mapping[str, Any] | None,
    told: Mapping[str, Any] | None,
    pictures: Pictures,
) -> Compare | None:
    sides = pictures.sides(row, match)
    placed = sides.placed
    overlap = told["overlap"] if told is not None else None
    sentence = ""
    if overlap is not None:
        sentence = overlap["sentence"]
        if placed is None:
            sentence += f" It is not drawn: {overlap['not_drawn']}."
    elif match is not None:
        sentence = (
            "No place in the asset was verified where the work lies; the two can only be looked at "
            "side by side."
        )
    return Compare(
        sides=sides,
        matrix=" ".join(f"{one:.9g}" for one in placed.matrix.ravel()) if placed else "",
        in_asset=_points(placed.in_asset) if placed else "",
        in_work=_points(placed.in_work) if placed else "",
        sentence=sentence,
        placed=transform_words(placed) if placed else "",
        negative=bool(match and match.get("overlap_negative")),
        work_file=(work_file(match) or "") if match is not None else "",
    )


def _points(polygon: Any) -> str:
    return " ".join(f"{x:.5f},{y:.5f}" for x, y in polygon)


def _scripts(stored: StoredRun, row: Mapping[str, Any], told: Mapping[str, Any]) -> Scripts:
    texts = StoredTexts(stored.run, row)
    found = sorted(told["passages"], key=lambda one: -one["words"])
    asset = texts.asset()
    works: dict[str, str | None] = {}
    shown = []
    for number, one in enumerate(found[:LISTED]):
        file = one["work_file"]
        both = None
        if number < ALIGNED:
            if file not in works:
                works[file] = texts.work(told["work_id"], file)
            work = works[file]
            if asset is not None and work is not None:
                both = aligned(
                    asset,
                    (one["asset_start"], one["asset_end"]),
                    work,
                    (one["work_start"], one["work_end"]),
                    runs_of(one),
                )
        shown.append(_passage(number, one, both))
    has_work = any(one is not None for one in works.values())
    return Scripts(tuple(shown), _missing(asset, works), len(found), asset is not None, has_work)


def _missing(asset: str | None, works: Mapping[str, str | None]) -> str:
    said = []
    if asset is None:
        said.append(
            "The script can't be shown: its file is not in the drop with the bytes that were "
            "screened."
        )
    if works and all(one is None for one in works.values()):
        said.append(
            "The work's text can't be shown: the index that was searched keeps none, or is not "
            "there as it was."
        )
    return " ".join(said)


def _passage(number: int, one: Mapping[str, Any], both: Aligned | None) -> PassageView:
    page, scene = one.get("asset_page"), one.get("asset_scene")
    stands = [f"page {page:,}"] if page is not None else []
    stands += [f"scene {scene}"] if scene else []
    return PassageView(
        number=number,
        words=one["words"],
        identity=percent(one["identity"]),
        longest=one.get("longest") or 0,
        work_file=one["work_file"],
        asset_span=(one["asset_start"], one["asset_end"]),
        work_span=(one["work_start"], one["work_end"]),
        stands=", ".join(stands),
        moved=(one.get("chains") or 1) > 1,
        aligned=both,
    )
