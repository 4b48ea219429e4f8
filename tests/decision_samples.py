"""Rows to decide on, and records of some events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.core.records import Band
from pipeline.decisions.basis import Basis, Item
from pipeline.decisions.events import Choice, Rules
from pipeline.decisions.record import Record

BASIS = Basis(
    asset_id="a" * 64,
    asset_path="shots/härte 1.png",
    work_id="w1",
    index_version=7,
    index_digest="d" * 64,
    config_fingerprint="c" * 64,
    risk=0.9312,
    band=Band.ESCALATE,
    run_id="20300101T000000Z-00000000",
)
REVIEW = replace(BASIS, asset_id="b" * 64, asset_path="two.png", risk=0.5, band=Band.REVIEW)


def basis(number: int, band: Band = Band.REVIEW) -> Basis:
    return replace(BASIS, asset_id=f"{number:064x}", asset_path=f"{number}.png", band=band)


def row(of: Basis) -> dict[str, object]:
    """A row of the risk table that gives that basis."""
    return {**of.to_json(), "risk": of.risk}


def some_record(place: str | Path) -> Record:
    """A record with an event of every kind, eleven in all."""
    record = Record.open(place, create=True)
    record.decide("anna", BASIS, Choice.NEEDS_LICENCE, reason="Ask the estate – “now”", note="n")
    record.assign("anna", BASIS.item, "bob", "please")
    record.comment("carol", BASIS.item, "Seen at\nscreening.")
    record.decide("bob", BASIS, Choice.NEEDS_LICENCE, reason="same", assignee="dora")
    undone = record.decide("anna", REVIEW, Choice.NO_ISSUE)
    record.undo("carol", undone.event_id, "too soon")
    record.set_rules("dora", Rules(second_person=(Band.ESCALATE, Band.REVIEW)))
    record.decide("anna", REVIEW, Choice.FALSE_MATCH, reason="another cat")
    record.comment("bob", Item("path:locked.png", None), "can't be read")
    record.decide("bob", REVIEW, Choice.FALSE_MATCH, reason="not it")
    return record
