"""Rules suppress matches as agreed false matches do, and say so in other words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_fuse import (
    ASSET,
    CLIP,
    HASH,
    TWO_WORKS,
    WORKS,
    decided_false,
    evidence,
    matched,
    nats_for,
    no_match,
    run,
)  # fmt: skip

from pipeline.core.errors import Reason
from pipeline.core.records import Band, Outcome, StageOutcome
from pipeline.decisions.events import Event
from pipeline.decisions.form_2 import Agreement, SuppressionRule
from pipeline.decisions.hash_chain import GENESIS_HASH
from pipeline.decisions.selection import FolderSelection, WorkSelection
from pipeline.decisions.standing import Standing, Standings
from pipeline.risk.bands import partly_judged
from pipeline.risk.suppression import LONGEST_REASON, RuleCover, Suppressions, work_columns

COLUMNS = {work_id: work_columns(work) for work_id, work in WORKS.items()}


def rule(
    works: WorkSelection, *folders: str, seq: int = 14, reason: str = "our own series", **more
):
    time = "2030-02-03T04:05:06Z"
    payload = SuppressionRule(works, FolderSelection.of(folders), reason, **more)
    added = Event(seq, f"{seq:032x}", time, "anna", payload, GENESIS_HASH)
    agreed = Event(seq + 1, "b" * 32, time, "bob", Agreement(added.event_id), added.hash)
    [standing] = Standings([added, agreed]).rules
    return standing


def run_with_rules(outcomes, *rules: Standing[SuppressionRule], decisions=(), **more):
    cover = RuleCover(rules, COLUMNS)
    return run(outcomes, suppressions=Suppressions(decisions, 2, "e", "c", cover), **more)


def bare(row):
    """A row without what says why: its sentences, and the events that suppress."""
    matches = tuple(replace(one, suppressed_by=()) for one in row.matches)
    return replace(row, reasons=(), matches=matches)


@given(
    st.lists(st.floats(0.001, 0.999), min_size=1, max_size=4),
    st.sets(st.integers(0, 3)),
    st.sampled_from([CLIP, HASH]),
)
def test_a_rule_does_what_a_false_match_of_each_covered_pair_would(risks, chosen, stage):
    works = [f"w{n + 1}" for n in range(len(risks))]
    found = [evidence(stage, work, nats_for(r)) for work, r in zip(works, risks, strict=True)]
    outcomes = [matched(stage, *found), no_match(HASH if stage == CLIP else CLIP)]
    own = {one.work_id: one.band for one in run(outcomes).matches}
    covered = [work for n, work in enumerate(works) if n in chosen]
    by_rule = run_with_rules(outcomes, *([rule(WorkSelection.of(covered))] if covered else []))
    decisions = [decided_false(work, own[work], "anna", "bob") for work in covered]
    assert bare(by_rule) == bare(run(outcomes, suppressions=Suppressions(decisions, 2, "e", "c")))
    text = " ".join(by_rule.reasons)
    for work in covered:
        assert text.count(f"Rule 14 suppresses the match with “Title {work}” ({work})") == 1


def test_the_reasons_name_the_rule_who_and_when():
    row = run_with_rules(TWO_WORKS, rule(WorkSelection.of(["w1"]), until="2031-01-31"))
    assert (row.band, row.suppressed, row.strongest) == (Band.REVIEW, 1, row.matches[1])
    assert row.reasons[-1] == (
        "Rule 14 suppresses the match with “Title w1” (w1): “our own series” (anna and bob, "
        "2030-02-03, until 2031-01-31); without it its risk would be 0.95, in band “Escalate”."
    )
    assert row.matches[0].suppressed_by == (f"{14:032x}",)


def test_a_long_or_hostile_reason_is_one_short_line():
    row = run_with_rules(TWO_WORKS, rule(WorkSelection.of(["w1"]), reason="x\n\u202e" * 300))
    assert "\n" not in row.reasons[-1]
    assert "\u202e" not in row.reasons[-1]
    assert len(row.reasons[-1]) < LONGEST_REASON + 300


def test_a_rule_covers_by_column_and_folder():
    every = rule(WorkSelection.of((), "rightsholder", "holder & sons"))
    assert run_with_rules(TWO_WORKS, every).suppressed == 2
    assert run_with_rules(TWO_WORKS, rule(WorkSelection.of(["w1"]), "shots")).suppressed == 0
    inside = replace(ASSET, asset_path="shots/ep01/a.png")
    there = rule(WorkSelection.of(["w1"]), "*/ep01")
    assert run_with_rules(TWO_WORKS, there, asset=inside).suppressed == 1
    assert run_with_rules(TWO_WORKS, there).suppressed == 0


def test_both_a_false_match_and_a_rule():
    w1 = rule(WorkSelection.of(["w1"]))
    good = decided_false("w1", Band.ESCALATE)
    row = run_with_rules(TWO_WORKS, w1, decisions=[good])
    assert row.matches[0].suppressed_by == ("e", w1.event_id)
    assert (row.suppressed, row.lapsed) == (1, ())
    assert sum("(w1)" in sentence for sentence in row.reasons) == 2
    # A false match of another band no longer covers the pair, and the rule does.
    row = run_with_rules(TWO_WORKS, w1, decisions=[decided_false("w1", Band.INFO)])
    assert (row.matches[0].suppressed_by, row.lapsed) == ((w1.event_id,), ())


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.SKIPPED, Outcome.ABSTAINED])
def test_a_rule_suppresses_no_stage_that_did_not_run(outcome):
    every = rule(WorkSelection.of((), "rightsholder", "Holder & Sons"))
    failed = StageOutcome(CLIP, outcome, Reason.STAGE_FAILED, "out of memory")
    plain = run([no_match(HASH), failed])
    assert run_with_rules([no_match(HASH), failed], every) == plain
    assert plain.band is Band.PARTLY_SCREENED
    row = run_with_rules([matched(HASH, evidence(HASH, nats=9.0)), failed], every)
    assert (row.band, row.suppressed) == (Band.INFO, 1)
    assert partly_judged(row)  # counted as flagged in part, which is exit status 3
    assert any("out of memory" in sentence for sentence in row.reasons)
    assert row.outcomes[1].outcome is outcome
