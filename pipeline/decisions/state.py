"""State of each item, computed from its events; nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pipeline.decisions.basis import Basis, Item, reasons_to_reopen
from pipeline.decisions.events import Assignment, Choice, Decision, Event, Undo
from pipeline.decisions.form_2 import SuppressionRule
from pipeline.decisions.standing import Standing, Standings
from pipeline.decisions.texts import same_person


class State(StrEnum):
    """State of an item.

    `open`: without a decision. `first_given`: one person has decided, and a second is needed, who
    does not see the first decision yet. `agreed`: all people needed made the same decision.
    `contested`: they made different decisions. `reopened`: the evidence has changed since.
    `suppressed`: agreed that the match is false, so that later scans may leave it out; or a rule
    suppresses it.
    """

    OPEN = "open"
    FIRST_GIVEN = "first_given"
    AGREED = "agreed"
    CONTESTED = "contested"
    REOPENED = "reopened"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class DecisionView:
    """A person's latest decision on an item, with its event; never one that was taken back.

    Attributes:
        event: as it was written.
        decision: that of the event, with the work's present id in its basis.
    """

    event: Event
    decision: Decision

    @property
    def actor(self) -> str:
        """Who decided."""
        return self.event.actor


@dataclass(frozen=True, slots=True)
class ItemState:
    """State of one item, with the decisions and events behind it.

    Attributes:
        item: the item.
        state: its state, given its events and, if known, the row of the present run.
        choices: what was decided, each once, in the order of time; one if all agree. For a
            reopened item, what had been decided.
        in_force: the decisions that count, in the order of time.
        reopened: decisions that do not count any more, because what they were made on has changed.
        why: sentences on why those do not count.
        assignee: whom it was assigned to last; empty for nobody.
        undone: the `event_id` of each decision that was taken back.
        events: all events on the item, including those that some people may not see yet.
        rule: the rule that suppresses it, if none of its decisions does; its state is `suppressed`.
    """

    item: Item
    state: State
    choices: tuple[Choice, ...]
    in_force: tuple[DecisionView, ...]
    reopened: tuple[DecisionView, ...]
    why: tuple[str, ...]
    assignee: str
    undone: frozenset[str]
    events: tuple[Event, ...]
    rule: Standing[SuppressionRule] | None = None

    @property
    def decisions(self) -> tuple[DecisionView, ...]:
        """The decisions that count, or else the reopened ones."""
        return self.in_force or self.reopened

    def sealed_for(self, actor: str) -> bool:
        """Whether there is a first decision that this person may see only after deciding too."""
        return self.state is State.FIRST_GIVEN and not any(
            same_person(one.actor, actor) for one in self.in_force
        )

    def shown_to(self, actor: str) -> tuple[Event, ...]:
        """The events that a person may see.

        While a first decision is sealed, all events by its maker are left out: their decisions,
        undos, comments and assignments. `assignee` is still visible.
        """
        if not self.sealed_for(actor):
            return self.events
        first = [one.actor for one in self.in_force]
        return tuple(
            event
            for event in self.events
            if not any(same_person(event.actor, name) for name in first)
        )


def item_state(item: Item, events: Sequence[Event], now: Basis | None = None) -> ItemState:
    """The state of an item.

    Args:
        item: the item, with the present id of its work.
        events: all events on it, in their order, under whichever id its work had.
        now: the basis of its row in the present run. Without it, the other decisions are compared
            with the newest decision's basis.
    """
    undone = frozenset(event.payload.of for event in events if isinstance(event.payload, Undo))
    live: list[DecisionView] = []
    assignee = ""
    for event in events:
        payload = event.payload
        if isinstance(payload, Assignment):
            assignee = payload.assignee
        if isinstance(payload, Decision):
            live = [one for one in live if not same_person(one.actor, event.actor)]
            live.append(DecisionView(event, _on(item, payload)))
            if event.event_id not in undone:
                assignee = payload.assignee or assignee
    # Taking back a decision leaves that person undecided: the decision it replaced stays replaced.
    live = [one for one in live if one.event.event_id not in undone]
    reference = now if now is not None else (live[-1].decision.basis if live else None)
    good, stale, why = [], [], []
    for one in live:
        reasons = reasons_to_reopen(one.decision.basis, reference) if reference is not None else ()
        if reasons:
            stale.append(one)
            why += [sentence for sentence in reasons if sentence not in why]
        else:
            good.append(one)
    counted = good or stale
    return ItemState(
        item=item,
        state=_state(good, stale),
        choices=tuple(dict.fromkeys(one.decision.choice for one in counted)),
        in_force=tuple(good),
        reopened=tuple(stale),
        why=tuple(why),
        assignee=assignee,
        undone=undone,
        events=tuple(events),
    )


def suppressed_by_rule(state: ItemState, rule: Standing[SuppressionRule] | None) -> ItemState:
    """The state of an item that a rule covers: `suppressed`, unless decisions on it count."""
    if rule is None or state.state not in (State.OPEN, State.REOPENED):
        return state
    return replace(state, state=State.SUPPRESSED, rule=rule)


def _on(item: Item, decision: Decision) -> Decision:
    """A decision on an item, with the item's work in its basis: it may have been made under a
    former id of the work."""
    if decision.basis.work_id == item.work_id:
        return decision
    return replace(decision, basis=replace(decision.basis, work_id=item.work_id))


def _only_weaker_works(state: ItemState, now: Basis) -> bool:
    """Whether all decisions were on a work that was not the strongest of the row at that time.

    A decision from the present run on a work that is not the row's was not on its strongest.
    """
    return all(
        not one.decision.basis.strongest
        or (
            one.decision.basis.run_id == now.run_id
            and one.decision.basis.asset_id == now.asset_id
            and one.decision.basis.work_id != now.work_id
        )
        for one in state.decisions
    )


def _state(good: Sequence[DecisionView], stale: Sequence[DecisionView]) -> State:
    if not good:
        return State.REOPENED if stale else State.OPEN
    choices = {one.decision.choice for one in good}
    if len(good) < max(one.decision.persons for one in good):
        return State.FIRST_GIVEN
    if len(choices) > 1:
        return State.CONTESTED
    return State.SUPPRESSED if choices == {Choice.FALSE_MATCH} else State.AGREED


@dataclass(frozen=True, slots=True)
class Suppression:
    """A pair of asset and work that was agreed to be a false match.

    Attributes:
        asset_id: SHA-256 (hex) of the asset's bytes.
        work_id: the work.
        by: who decided it.
        since: time of the decision that completed the agreement.
        reason: their reasons.
        event_ids: the decisions; taking one back (`Record.undo`) ends the suppression.
        basis: the basis of the newest of them.
    """

    asset_id: str
    work_id: str
    by: tuple[str, ...]
    since: str
    reason: str
    event_ids: tuple[str, ...]
    basis: Basis


class Items:
    """The states of all items of a record; iterates over the items.

    Attributes:
        standings: the record's rules that suppress, approvals and attachments.

    Args:
        events: of the record, in their order.
        aliases: by former id of a work, its present id: what was done under the former one counts
            for the work. Items have the present ids.
    """

    def __init__(
        self, events: Iterable[Event] = (), aliases: Mapping[str, str] | None = None
    ) -> None:
        self._aliases = aliases or {}
        self._events: dict[Item, list[Event]] = {}
        self._of_path: dict[str, dict[Item, None]] = {}
        self._paths: dict[Item, dict[str, None]] = {}
        self._of_asset: dict[str, dict[Item, None]] = {}
        self._at = 0
        self.standings = Standings()
        for event in events:
            self.take(event)

    @property
    def at(self) -> int:
        """Place of the last event taken; `record.events(after=items.at)` gives the next ones."""
        return self._at

    def take(self, event: Event) -> None:
        """Takes the next event."""
        self._at = event.seq
        self.standings.take(event)
        if event.item is None:
            return
        item = event.item.under(self._aliases)
        self._events.setdefault(item, []).append(event)
        if isinstance(event.payload, Decision):
            path = event.payload.basis.asset_path
            self._of_path.setdefault(path, {})[item] = None
            self._paths.setdefault(item, {})[path] = None
            self._of_asset.setdefault(item.asset, {})[item] = None

    def paths(self, item: Item) -> Sequence[str]:
        """Paths of the item's asset at the times of the decisions on it."""
        return tuple(self._paths.get(item.under(self._aliases), ()))

    def __iter__(self) -> Iterator[Item]:
        return iter(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def state(self, item: Item, now: Basis | None = None) -> ItemState:
        """The state of an item; `open` if it has no events. Arguments as `item_state`."""
        item = item.under(self._aliases)
        return item_state(item, self._events.get(item, ()), now)

    def of_row(
        self, row: Mapping[str, Any], ruled: Mapping[str, Standing[SuppressionRule]] | None = None
    ) -> ItemState:
        """The state of a row of the risk table.

        1. Decisions on its own asset and work decide; if there are none that count, a rule that
           suppresses its work makes it `suppressed`.
        2. A row whose matches were all suppressed when it was written (`suppressed_works`) is
           `suppressed`, until one of those decisions is taken back, or of those rules revoked.
        3. Decisions on what was at the same path before (other bytes, or another work) make it
           `reopened`, with the reasons; if they only say that a match was false which the row does
           not have any more, `suppressed`. Decisions on a work that was not the strongest at that
           time do not decide the row.

        Args:
            row: of the risk table, by column.
            ruled: by work id, the rules that count and suppress matches of the row.
        """
        now, ruled = Basis.of_row(row), ruled or {}
        own = self.state(now.item, now)
        own = suppressed_by_rule(own, ruled.get(now.work_id or ""))
        if own.state is not State.OPEN:
            return own
        if now.work_id is None and row.get("suppressed_works"):
            works = int(row["suppressed_works"])
            return self._of_suppressed(own, works, ruled) or own
        suppressed, before = None, None
        for item in self._of_path.get(now.asset_path, ()):
            was = self.state(item)
            if was.state is State.OPEN or item == now.item or _only_weaker_works(was, now):
                continue
            if was.state is State.SUPPRESSED and item.asset == now.item.asset:
                suppressed = was
            elif before is None or was.decisions[-1].event.seq > before.decisions[-1].event.seq:
                before = was
        if before is not None:
            again = item_state(before.item, before.events, now)
            return ItemState(
                item=now.item,
                state=again.state,
                choices=again.choices,
                in_force=again.in_force,
                reopened=again.reopened,
                why=again.why,
                assignee=own.assignee or again.assignee,
                undone=own.undone | again.undone,
                events=tuple(sorted((*own.events, *again.events), key=lambda one: one.seq)),
            )
        return suppressed if suppressed is not None and now.work_id is None else own

    def _of_suppressed(
        self, own: ItemState, works: int, ruled: Mapping[str, Standing[SuppressionRule]]
    ) -> ItemState | None:
        """State of what suppressed all of a row's works (`works` of them): the newest false match
        or rule, or the newest false match that does not suppress any more if one was taken back
        since; None if it was a rule.
        """
        false_matches = [
            state
            for item in self._of_asset.get(own.item.asset, ())
            if item.work_id is not None
            and item.work_id not in ruled
            and (state := self.state(item)).state is not State.OPEN
            and any(
                isinstance(event.payload, Decision) and event.payload.choice is Choice.FALSE_MATCH
                for event in state.events
            )
        ]
        false_matches.sort(key=lambda state: state.decisions[-1].event.seq)
        good = [state for state in false_matches if state.state is State.SUPPRESSED]
        other = [state for state in false_matches if state.state is not State.SUPPRESSED]
        if len(good) + len(ruled) < works:
            return other[-1] if other else None
        if not ruled:
            return good[-1]
        newest = max(ruled.values(), key=lambda one: one.number)
        return replace(own, state=State.SUPPRESSED, rule=newest)

    def suppressions(self) -> list[Suppression]:
        """The agreed false matches that were not taken back, oldest first."""
        suppressions = []
        for item in self:
            state = self.state(item)
            if state.state is not State.SUPPRESSED or item.work_id is None:
                continue
            newest = state.in_force[-1]
            reasons = dict.fromkeys(one.decision.reason for one in state.in_force)
            suppressions.append(
                Suppression(
                    item.asset,
                    item.work_id,
                    tuple(one.actor for one in state.in_force),
                    newest.event.time,
                    " / ".join(reasons),
                    tuple(one.event.event_id for one in state.in_force),
                    newest.decision.basis,
                )
            )
        return sorted(suppressions, key=lambda one: one.since)
