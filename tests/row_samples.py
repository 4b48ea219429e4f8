"""Hand-made rows of a risk table, for all registered stages."""

from __future__ import annotations

import math
from pathlib import Path

from pipeline.core.errors import Reason
from pipeline.core.records import (
    Asset,
    Band,
    Evidence,
    Fault,
    Kind,
    Match,
    Outcome,
    Passage,
    RiskRow,
    StageOutcome,
)
from pipeline.results.files import RunInfo
from pipeline.stages import STAGES
from reference_index.interface import Work

PRIOR = -5.0
RUN = RunInfo(
    run_id="20300101T000000Z-00000000",
    index_version=7,
    index_digest="d" * 64,
    config_fingerprint="c" * 64,
    drop="shots",
    started="2030-01-01T00:00:00Z",
    works=12,
    clearance_version="0.1.0",
    prior={"image": PRIOR, "script": PRIOR},
    bands={"escalate": 0.9, "review": 0.3},
)
WORKS = {
    "w1": Work("w1", "The Cat", "A. Holder & Sons", "protected"),
    "w2": Work("w2", "Der Kaffee – Maß", "B. Halter", "licensed"),
}
VALUES = {"int": 5, "float": 0.875, "bool": True, "str": "text"}


def stages_of(kind: Kind) -> list[str]:
    return [name for name, stage in STAGES.items() if stage.kind is kind]


def values(stage: str, of: str) -> dict[str, object]:
    """A value for every measure that the stage declares."""
    return {m.name: VALUES[m.dtype] for m in STAGES[stage].measures if m.of == of}


def asset(path: str, kind: Kind = Kind.IMAGE, **changes) -> Asset:
    defaults = {
        "file": Path("/nowhere") / "file",
        "asset_path": path,
        "asset_id": f"{sum(path.encode('utf-8', 'replace')):064x}",
        "kind": kind,
        "size": 1234,
        "fault": None,
    }
    return Asset(**{**defaults, **changes})


def outcomes(kind: Kind, answer=Outcome.NO_MATCH, reason=None, detail="", evidence=None):
    """One outcome of every stage: `answer` of those for the kind."""
    stage_outcomes = []
    for name, stage in STAGES.items():
        if stage.kind is not kind:
            stage_outcomes.append(StageOutcome(name, Outcome.NOT_APPLICABLE))
            continue
        facts = values(name, "asset") if answer in (Outcome.MATCHED, Outcome.NO_MATCH) else {}
        stage_outcomes.append(
            StageOutcome(name, answer, reason, detail, facts, tuple((evidence or {}).get(name, ())))
        )
    return tuple(stage_outcomes)


def risk_of(contributions: dict[str, float]) -> float:
    return 1 / (1 + math.exp(-PRIOR - math.fsum(contributions.values())))


def flagged_row(
    path: str,
    nats: float = 8.0,
    kind: Kind = Kind.IMAGE,
    work_ids: tuple[str, ...] = ("w1",),
    band: Band = Band.ESCALATE,
    passages: tuple[Passage, ...] = (),
    reasons: tuple[str, ...] = ("Escalate: evidence of copying.", "The outlines agree."),
    identical: bool = False,
    **changes,
) -> RiskRow:
    """A row with a match for each work, each weaker than the one before."""
    names = stages_of(kind)
    evidence = {
        name: [
            Evidence(w, f"{w}.file", f"file of {w}", values(name, "match"), passages)
            for w in work_ids
        ]
        for name in names
    }
    matches = []
    for place, work_id in enumerate(work_ids):
        contributions = {name: (nats - place) / len(names) for name in names}
        measures = {k: v for name in names for k, v in values(name, "match").items()}
        files = dict.fromkeys(names, f"{work_id}.file")
        matches.append(
            Match(
                work_id,
                risk_of(contributions),
                contributions,
                measures,
                files,
                passages,
                identical_file=identical and place == 0,
            )
        )
    return RiskRow(
        asset=asset(path, kind, **changes),
        band=band,
        risk=matches[0].risk,
        reasons=reasons,
        outcomes=outcomes(kind, Outcome.MATCHED, evidence=evidence),
        matches=tuple(matches),
        works_compared=12,
        extra={"format": "PNG"},
    )


def no_match_row(path: str, kind: Kind = Kind.IMAGE) -> RiskRow:
    return RiskRow(
        asset(path, kind),
        Band.NO_MATCH,
        risk_of({}),
        ("No match found among 12 works.",),
        outcomes(kind),
        (),
        12,
    )


def unreadable_row(path: str, reason: Reason = Reason.UNREADABLE) -> RiskRow:
    fault = Fault(reason, "the file can't be read (permission denied)")
    return RiskRow(
        asset(path, Kind.OTHER, asset_id=None, size=None, fault=fault),
        Band.NOT_SCREENED,
        None,
        ("Not screened: the file can't be read (permission denied).",),
        outcomes(Kind.OTHER),
        (),
        0,
    )


def abstained_row(path: str) -> RiskRow:
    return RiskRow(
        asset(path),
        Band.NOT_SCREENED,
        None,
        ("Not screened: no stage could judge it.",),
        outcomes(Kind.IMAGE, Outcome.ABSTAINED, Reason.TOO_LITTLE_DETAIL, "a flat picture"),
        (),
        0,
    )


def some_rows() -> list[RiskRow]:
    passage = Passage("w2.file", 3, 60, 10, 71, 11, 0.9)
    return [
        flagged_row("b/cat.png", work_ids=("w1", "w2")),
        flagged_row("act one.fountain", 4.5, Kind.SCRIPT, ("w2",), Band.REVIEW, (passage,)),
        no_match_row("a.png"),
        unreadable_row("locked.png"),
        abstained_row("white.png"),
    ]
