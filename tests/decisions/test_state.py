"""States of items: one person, two, undone, contested, reopened, suppressed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from decision_samples import BASIS, REVIEW, row
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.records import Band
from pipeline.decisions.basis import Basis, Item, reasons_to_reopen
from pipeline.decisions.events import Assignment, Choice, Comment, Decision, Event, Undo
from pipeline.decisions.hash_chain import GENESIS_HASH
from pipeline.decisions.state import Items, State, item_state

PEOPLE = ("anna", "bob", "carol")
LATER = "20310101T000000Z-00000000"


class EventLog:
    """Events in memory, without a database."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def add(self, actor: str, payload) -> Event:
        previous = self.events[-1].hash if self.events else GENESIS_HASH
        seq = len(self.events) + 1
        time = f"2030-01-01T00:00:{seq:02d}.000000Z"
        self.events.append(Event(seq, f"{seq:032x}", time, actor, payload, previous))
        return self.events[-1]

    def decide(self, actor, choice=Choice.NO_ISSUE, basis=BASIS, **more) -> Event:
        persons = 2 if basis.band is Band.ESCALATE else 1
        return self.add(actor, Decision(basis, choice, persons=persons, **more))

    def undo(self, actor, event) -> Event:
        return self.add(actor, Undo(event.item, event.event_id, "why"))

    def state(self, basis=BASIS, now=None):
        return Items(self.events).state(basis.item, now)


def test_one_person_is_enough_where_one_is_required():
    log = EventLog()
    assert log.state(REVIEW).state is State.OPEN
    log.decide("anna", Choice.REPLACE, REVIEW, assignee="dora")
    state = log.state(REVIEW)
    assert (state.state, state.choices, state.assignee) == (State.AGREED, (Choice.REPLACE,), "dora")


def test_a_second_person_does_not_see_the_first_decision():
    log = EventLog()
    log.add("carol", Comment(BASIS.item, "look at the hat"))
    first = log.decide("anna", Choice.NO_ISSUE, reason="ours", assignee="bob")
    log.add("Anna ", Comment(BASIS.item, "surely nothing"))
    state = log.state()
    assert state.state is State.FIRST_GIVEN
    assert not state.sealed_for("ANNA")
    assert state.sealed_for("bob")
    assert state.assignee == "bob"
    assert [event.actor for event in state.shown_to("bob")] == ["carol"]
    assert first in state.shown_to("anna")
    log.decide("anna", Choice.REPLACE)  # the same person twice is one person
    assert log.state().state is State.FIRST_GIVEN
    log.decide("bob", Choice.REPLACE)
    assert log.state().state is State.AGREED
    assert first in log.state().shown_to("bob")


def test_two_different_decisions_are_contested_until_they_agree():
    log = EventLog()
    log.decide("anna", Choice.NO_ISSUE)
    other = log.decide("bob", Choice.ESCALATE_TO_LEGAL)
    assert log.state().state is State.CONTESTED
    assert log.state().choices == (Choice.NO_ISSUE, Choice.ESCALATE_TO_LEGAL)
    log.decide("carol", Choice.NO_ISSUE)
    assert log.state().state is State.CONTESTED
    log.undo("dora", other)
    assert log.state().state is State.AGREED
    log.decide("bob", Choice.REPLACE)
    assert log.state().state is State.CONTESTED


def test_undoing_a_decision_does_not_restore_an_earlier_one():
    log = EventLog()
    earlier = log.decide("anna", Choice.NO_ISSUE, REVIEW)
    later = log.decide("anna", Choice.REPLACE, REVIEW)
    log.undo("anna", later)
    state = log.state(REVIEW)
    assert state.state is State.OPEN
    assert state.undone == {later.event_id}
    assert earlier.event_id not in state.undone


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"asset_id": "e" * 64}, "content changed"),
        ({"asset_id": None}, "could be read only one"),
        ({"work_id": "w2"}, "w2 is the strongest"),
        ({"work_id": None}, "none in question"),
        ({"band": Band.REVIEW}, "“Needs review” now"),
        ({"band": Band.NO_MATCH, "index_version": 8}, "the index is at version 8, it was at 7"),
        ({"band": Band.INFO, "index_digest": "e" * 64}, "the index is another one"),
        ({"band": Band.INFO, "config_fingerprint": "e" * 64}, "the configuration is another one"),
        ({"index_version": 8, "index_digest": "e" * 64}, None),
        ({"config_fingerprint": "e" * 64}, None),
        ({"risk": 0.99, "run_id": "another"}, None),
        ({"asset_path": "moved.png"}, None),
    ],
)
def test_a_decision_is_valid_until_its_band_would_change(change, why):
    reasons = reasons_to_reopen(BASIS, replace(BASIS, **change))
    assert (not reasons) is (why is None)
    assert why is None or why in " ".join(reasons)


def test_what_was_decided_on_another_band_is_reopened():
    log = EventLog()
    log.decide("anna", Choice.NO_ISSUE, REVIEW)
    risen = replace(REVIEW, band=Band.ESCALATE, index_version=8)
    state = log.state(REVIEW, risen)
    assert (state.state, state.choices) == (State.REOPENED, (Choice.NO_ISSUE,))
    log.decide("bob", Choice.REPLACE, risen)
    state = log.state(REVIEW)  # the newest decision's basis is what counts
    assert state.state is State.FIRST_GIVEN
    assert state.sealed_for("anna")  # her own decision is on another band
    log.decide("anna", Choice.REPLACE, risen)
    assert log.state(REVIEW, risen).state is State.AGREED


def test_rows_whose_asset_or_work_changed_are_reopened_with_the_earlier_choice():
    log = EventLog()
    log.decide("anna", Choice.NEEDS_LICENCE, REVIEW)
    items = Items(log.events)
    for change in ({"asset_id": "e" * 64}, {"work_id": "w2"}, {"work_id": None}):
        state = items.of_row(row(replace(REVIEW, run_id=LATER, **change)))
        assert state.state is State.REOPENED
        assert state.choices == (Choice.NEEDS_LICENCE,)
        assert state.why
    assert items.of_row(row(replace(REVIEW, asset_path="copy.png"))).state is State.AGREED
    assert items.of_row(row(BASIS)).state is State.OPEN


def test_a_decision_on_a_weaker_work_is_not_the_rows_decision():
    log = EventLog()
    weaker = replace(REVIEW, work_id="w2", band=Band.INFO, strongest=False)
    log.decide("anna", Choice.NEEDS_LICENCE, weaker)
    items = Items(log.events)
    for run in (REVIEW.run_id, LATER):
        assert items.of_row(row(replace(REVIEW, run_id=run))).state is State.OPEN
        gone = replace(REVIEW, run_id=run, work_id=None, band=Band.NO_MATCH)
        assert items.of_row(row(gone)).state is State.OPEN
    # It is the row's own decision once that work is the strongest.
    assert items.of_row(row(replace(weaker, run_id=LATER))).state is State.AGREED
    # An event of an earlier release does not say which work was the strongest; its own run does.
    log = EventLog()
    log.decide("anna", Choice.NEEDS_LICENCE, replace(weaker, strongest=True))
    items = Items(log.events)
    assert items.of_row(row(REVIEW)).state is State.OPEN
    assert items.of_row(row(replace(REVIEW, run_id=LATER))).state is State.REOPENED


def test_false_matches_are_suppressed_and_can_be_revoked():
    log = EventLog()
    log.decide("anna", Choice.FALSE_MATCH, reason="another cat")
    assert Items(log.events).suppressions() == []  # of two, one
    second = log.decide("bob", Choice.FALSE_MATCH, reason="not it")
    items = Items(log.events)
    [one] = items.suppressions()
    assert (one.asset_id, one.work_id, one.by) == ("a" * 64, "w1", ("anna", "bob"))
    assert not reasons_to_reopen(one.basis, BASIS)
    moved = replace(BASIS, index_version=9, asset_path="elsewhere.png")
    assert not reasons_to_reopen(one.basis, moved)
    assert reasons_to_reopen(one.basis, replace(BASIS, band=Band.REVIEW))
    assert reasons_to_reopen(one.basis, replace(BASIS, work_id="w2"))
    assert items.of_row(row(BASIS)).state is State.SUPPRESSED
    gone = replace(BASIS, work_id=None, band=Band.NO_MATCH, run_id=LATER)
    assert items.of_row(row(gone)).state is State.SUPPRESSED  # a scan left the match out
    assert items.of_row(row(replace(BASIS, work_id="w2"))).state is State.OPEN
    log.undo("carol", second)
    assert Items(log.events).suppressions() == []


def test_a_row_with_only_suppressed_matches_has_the_state_of_those_decisions():
    log = EventLog()
    none = replace(BASIS, work_id=None, band=Band.INFO, risk=None, asset_path="copy.png")
    bare = {**row(none), "suppressed_works": 1}
    other = replace(BASIS, asset_id="e" * 64, asset_path="copy.png")
    log.decide("anna", Choice.NO_ISSUE, other)  # of other bytes, at its present path
    log.decide("bob", Choice.NO_ISSUE, other)
    for who in ("anna", "bob"):
        last = log.decide(who, Choice.FALSE_MATCH, reason="another cat")
    assert Items(log.events).of_row(bare).state is State.SUPPRESSED
    assert Items(log.events).of_row({**bare, "suppressed_works": 0}).state is State.REOPENED
    decided = log.decide("carol", Choice.NEEDS_LICENCE)
    assert Items(log.events).of_row(bare).state is State.CONTESTED
    log.undo("carol", decided)
    assert Items(log.events).of_row(bare).state is State.SUPPRESSED
    log.undo("dora", last)  # since the row was written
    assert Items(log.events).of_row(bare).state is State.FIRST_GIVEN
    log.undo("dora", log.events[2])
    assert Items(log.events).of_row(bare).state is State.OPEN
    log.decide("dora", Choice.NO_ISSUE, none)
    assert Items(log.events).of_row(bare).state is State.AGREED


def test_a_row_of_two_suppressed_works_needs_both_decisions():
    log = EventLog()
    two = replace(REVIEW, work_id="w2")
    bare = {**row(replace(REVIEW, work_id=None, band=Band.INFO)), "suppressed_works": 2}
    log.decide("anna", Choice.FALSE_MATCH, REVIEW)
    later = log.decide("anna", Choice.FALSE_MATCH, two)
    state = Items(log.events).of_row(bare)
    assert (state.state, state.item.work_id) == (State.SUPPRESSED, "w2")
    log.decide("anna", Choice.REPLACE, REVIEW)
    state = Items(log.events).of_row(bare)
    assert (state.state, state.item.work_id) == (State.AGREED, "w1")
    log.undo("anna", later)
    assert Items(log.events).of_row(bare).state is State.AGREED


steps = st.lists(
    st.one_of(
        st.tuples(st.just("decide"), st.sampled_from(PEOPLE), st.sampled_from(list(Choice)),
                  st.sampled_from((Band.ESCALATE, Band.REVIEW))),
        st.tuples(st.just("undo"), st.sampled_from(PEOPLE), st.integers(0, 20)),
        st.tuples(st.just("assign"), st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=300, derandomize=True)
@given(steps, st.sampled_from((Band.ESCALATE, Band.REVIEW)))
def test_the_state_agrees_with_its_definition_after_any_events(done, band):
    log = EventLog()
    for step in done:
        if step[0] == "decide":
            log.decide(step[1], step[2], replace(BASIS, band=step[3]))
        elif step[0] == "assign":
            log.add(step[1], Assignment(BASIS.item, step[2]))
        else:
            decisions = [event for event in log.events if isinstance(event.payload, Decision)]
            if decisions:
                log.undo(step[1], decisions[step[2] % len(decisions)])
    now = replace(BASIS, band=band)
    state = item_state(BASIS.item, log.events, now)
    people = [one.actor for one in state.in_force]
    assert len(people) == len(set(people))
    assert all(one.decision.basis == now for one in state.in_force)
    assert not {one.event.event_id for one in state.decisions} & state.undone
    wanted = 2 if band is Band.ESCALATE else 1
    assert (state.state is State.OPEN) == (not state.decisions)
    assert (state.state is State.REOPENED) == (not state.in_force and bool(state.reopened))
    assert (state.state is State.FIRST_GIVEN) == (0 < len(people) < wanted)
    enough = len(people) >= wanted
    assert (state.state is State.CONTESTED) == (enough and len(state.choices) > 1)
    for person in PEOPLE:
        if state.sealed_for(person):
            assert not any(event.actor in people for event in state.shown_to(person))


def test_items_and_bases_survive_json():
    for one in (BASIS, replace(BASIS, asset_id=None, work_id=None, risk=None), REVIEW):
        assert Basis.of_json(one.to_json()) == one
        assert Basis.of_row(row(one)) == one
        assert Item.of_json(one.item.to_json()) == one.item
    match = {"work_id": "w9", "risk": 0.2}
    other = replace(BASIS, work_id="w9", risk=0.2, strongest=False)
    assert Basis.of_row(row(BASIS), match) == other
    assert Basis.of_json(other.to_json()) == other
    of_its_own = replace(other, band=Band.INFO)
    assert Basis.of_row(row(BASIS), {**match, "band": "info"}) == of_its_own
