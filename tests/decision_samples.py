"""Rows to decide on, and records of some events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.core.records import Band
from pipeline.decisions.basis import Basis, Item
from pipeline.decisions.events import Choice, Rules
from pipeline.decisions.form_2 import Approval, ApprovedAsset, Attachment, PolicyRule
from pipeline.decisions.record import Record
from pipeline.decisions.selection import FolderSelection, WorkSelection

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


APPROVAL = Approval(
    assets=(ApprovedAsset("a" * 64, "shots/härte 1.png"),),
    folders=("shots/ep01",),
    policy_rules=(PolicyRule("house-default", "e" * 64, "talent-replication"),),
    given_for="the second season",
    given_on={"declared": "f" * 64},
    approved_by_party="A Buyer, J. Roe",
    approved_on="2030-01-02",
    since="2030-01-02",
    until="2031-01-02",
    reference="GA-17",
    documents=("9" * 64,),
)
DOCUMENT = Attachment("9" * 64, 1234, "application/pdf", "approval.pdf", note="signed")
EVENTS = 16
"""Events of `some_record`."""


def basis(number: int, band: Band = Band.REVIEW) -> Basis:
    return replace(BASIS, asset_id=f"{number:064x}", asset_path=f"{number}.png", band=band)


def row(of: Basis) -> dict[str, object]:
    """A row of the risk table that gives that basis."""
    return {**of.to_json(), "risk": of.risk}


def some_record(place: str | Path) -> Record:
    """A record with an event of every kind that form 2 begins with, `EVENTS` in all."""
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
    rule = record.add_rule(
        "anna", WorkSelection.of(["w1"]), FolderSelection.of(["shots"]), "ours – “Härte”"
    )
    record.agree("bob", rule.event_id, "so it is")
    approval = record.approve("dora", APPROVAL)
    record.attach("dora", replace(DOCUMENT, event_id=approval.event_id))
    record.revoke("carol", rule.event_id, "sold in May")
    return record
