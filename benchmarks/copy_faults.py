"""What the copy benchmark missed, flagged falsely or escalated, as pictures to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.copy_edits import Picture
from benchmarks.copy_screening import FLAGGED, Answer, pair_band
from benchmarks.copy_set import picture_of
from benchmarks.copy_sheets import cell, in_a_name, save, sheet_of
from pipeline.core.records import Match, RiskRow
from pipeline.report.overlap import overlap_of
from pipeline.report.overlay import overlay
from pipeline.screening.config import Config

MOST_MISSES = 300


@dataclass(frozen=True)
class Fault:
    """A copy that was missed, or a flag that was false.

    Attributes:
        kind: "missed", or the band of the false flag.
        drop: "drop" or "clean".
        row: of the asset.
        edit: of the asset.
        true: work id of the asset's work, None for a stranger.
        found: the match that is false, or that stands first instead.
        risk: of the match that is false, or of the true one; 0 if that was not found.
    """

    kind: str
    drop: str
    row: RiskRow
    edit: str
    true: str | None
    found: Match | None
    risk: float


def faults_of(answer: Answer, config: Config) -> list[Fault]:
    """What was missed or falsely flagged: false escalations first, then missed copies."""
    names = list(answer.works)
    faults = []
    for row, place, query in zip(
        answer.edited.rows, answer.truth.tolist(), answer.copies.queries, strict=True
    ):
        faults += _faults_of_row(
            "drop", row, query.edit, names[place] if place >= 0 else None, config
        )
    for row in answer.clean.rows:
        faults += _faults_of_row("clean", row, "clean", None, config)
    order = {"escalate": 0, "missed": 1}
    return sorted(faults, key=lambda fault: (order.get(fault.kind, 2), -fault.risk))


def _faults_of_row(
    drop: str, row: RiskRow, edit: str, true: str | None, config: Config
) -> list[Fault]:
    bands = {match.work_id: pair_band(match, config) for match in row.matches}
    faults = [
        Fault(bands[match.work_id], drop, row, edit, true, match, match.risk)
        for match in row.matches
        if match.work_id != true and bands[match.work_id] in FLAGGED
    ]
    if true is not None and bands.get(true) not in FLAGGED:
        risk = next((match.risk for match in row.matches if match.work_id == true), 0.0)
        first = row.matches[0] if row.matches else None
        faults.append(Fault("missed", drop, row, edit, true, first, risk))
    return faults


def write_misses(faults: Sequence[Fault], out: Path) -> None:
    """A picture (asset, true work, found work) for each of the first `MOST_MISSES`."""
    folder = out / "misses"
    folder.mkdir()
    for fault in faults[:MOST_MISSES]:
        asset, found = fault.row.asset.asset_path, fault.found
        panels = [
            (out / fault.drop / asset, f"{asset}: {fault.edit}"),
            (out / "works" / fault.true if fault.true else None, f"its work: {fault.true}"),
            (
                out / "works" / found.work_id if found else None,
                f"found: {found.work_id}, risk {found.risk:.3f}" if found else "found: none",
            ),
        ]
        kind = fault.kind if fault.kind == "missed" else f"false-{fault.kind}"
        work = Path(found.work_id).stem if found and fault.kind != "missed" else ""
        parts = [kind, in_a_name(fault.edit), f"{fault.risk:.3f}", Path(asset).stem, work]
        save(cell(panels), folder / f"{'_'.join(filter(None, parts))}.jpg")


def write_sheet(answer: Answer, out: Path, count: int, seed: int) -> int:
    """A contact sheet of escalated rows, drawn by chance: each asset beside the work found."""
    rows = [row for row in answer.edited.rows if row.band == "escalate" and row.matches]
    order = np.random.default_rng(seed).permutation(len(rows))[:count]
    cells = [drawn_row(rows[int(place)], out) for place in order]
    if cells:
        save(sheet_of(cells), out / "sheet.png")
    return len(cells)


def drawn_row(row: RiskRow, out: Path) -> Picture:
    """One cell of the contact sheet: asset, work, and the one laid onto the other if it can be."""
    match = row.matches[0]
    asset, work = out / "drop" / row.asset.asset_path, out / "works" / match.work_id
    shown = overlap_of(match.measures)
    both, title = None, "no overlap was measured"
    frame, registered = picture_of(asset), picture_of(work)
    if shown is not None and frame is not None:
        drawn = overlay(frame, registered, shown.transform, shown.negative)
        title = f"{shown.inliers} inliers, agreement {shown.agreement or 0:.2f}"
        both = drawn.panels[-1].picture if drawn.panels else None
    return cell(
        [
            (frame, row.asset.asset_path),
            (registered, f"{match.work_id}, risk {match.risk:.3f}"),
            (both, title),
        ]
    )
