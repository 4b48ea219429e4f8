"""Rules that suppress: who may add, agree to and revoke them, and when they count."""

from __future__ import annotations

import threading

import pytest
from decision_samples import BASIS, row
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import RecordError
from pipeline.core.records import Band
from pipeline.decisions.events import Choice, Rules
from pipeline.decisions.record import Record
from pipeline.decisions.selection import FolderSelection, WorkSelection
from pipeline.decisions.standing import Status, today
from pipeline.decisions.state import Items, State

W1, EVERYWHERE = WorkSelection.of(["w1"]), FolderSelection.of()
OURS = WorkSelection.of((), "rightsholder", "Our Own")
LATER = "2999-01-31"


def only_rule(record: Record):
    [rule] = record.standings().rules
    return rule


def test_a_rule_counts_once_a_second_person_has_agreed(place):
    record = Record.open(place, create=True)
    event = record.add_rule("Anna Berg", W1, EVERYWHERE, "ours", until=LATER)
    assert only_rule(record).status(today()) is Status.WAITING
    for who in ("anna  berg", "ANNA BERG"):
        with pytest.raises(RecordError, match="waits for another person than Anna Berg"):
            record.agree(who, event.event_id)
    record.agree("bob", event.event_id, "so it is")
    rule = only_rule(record)
    assert (rule.status(today()), rule.by) == (Status.ACTIVE, ("Anna Berg", "bob"))
    assert rule.since == rule.agreements[0].time
    with pytest.raises(RecordError, match=r"Rule 2 waits for nobody: it is active\."):
        record.agree("carol", event.event_id)


def test_the_records_rules_say_whether_a_second_person_is_wanted(place):
    record = Record.open(place, create=True)
    record.set_rules("dora", Rules(second_person=(Band.REVIEW,)))
    two = record.add_rule("anna", W1, EVERYWHERE, "ours")
    record.set_rules("dora", Rules(second_person=()))
    one = record.add_rule("anna", OURS, EVERYWHERE, "ours")
    first, second = record.standings().rules
    assert (first.event_id, first.status(today())) == (two.event_id, Status.WAITING)
    assert (second.event_id, second.status(today())) == (one.event_id, Status.ACTIVE)


def test_a_revoked_rule_counts_no_more_at_once(place):
    record = Record.open(place, create=True)
    event = record.add_rule("anna", W1, EVERYWHERE, "ours")
    record.agree("bob", event.event_id)
    with pytest.raises(RecordError, match="needs a reason"):
        record.revoke("carol", event.event_id, "  ")
    record.revoke("carol", event.event_id, "sold")
    rule = only_rule(record)
    assert (rule.status(today()), rule.status(LATER)) == (Status.REVOKED, Status.REVOKED)
    with pytest.raises(RecordError, match="Rule 2 was revoked already, by carol"):
        record.revoke("dora", event.event_id, "sold")
    with pytest.raises(RecordError, match="it is revoked"):
        record.agree("dora", event.event_id)
    record.add_rule("anna", W1, EVERYWHERE, "bought again")


def test_a_rule_counts_up_to_and_with_its_last_day(place):
    record = Record.open(place, create=True)
    event = record.add_rule("anna", W1, EVERYWHERE, "licensed until then", until="2999-12-30")
    record.agree("bob", event.event_id)
    rule = only_rule(record)
    statuses = [rule.status(day) for day in ("2999-12-29", "2999-12-30", "2999-12-31")]
    assert statuses == [Status.ACTIVE, Status.ACTIVE, Status.EXPIRED]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"reason": " \n"}, "needs a reason"),
        ({"until": "2020-01-31"}, "2020-01-31 is over"),
        ({"until": "next week"}, "is no day; give it as 2027-01-31"),
    ],
)
def test_a_rule_that_lacks_something_is_refused(tmp_path, change, sentence):
    record = Record.open(tmp_path, create=True)
    stated = {"reason": "ours", "until": "", **change}
    with pytest.raises(RecordError, match=sentence):
        record.add_rule("anna", W1, EVERYWHERE, stated["reason"], until=stated["until"])
    assert record.head.seq == 1


@pytest.mark.parametrize(
    "works", [{}, {"work_ids": ["w1"], "column": "rights", "value": "own"}, {"column": "rights"},
              {"work_ids": ["w1", " "]}],
)  # fmt: skip
def test_a_rule_names_works_in_one_way(works):
    with pytest.raises(RecordError, match="A rule"):
        WorkSelection.of(**works)


@pytest.mark.parametrize("folder", ["", "/srv/drop", "../x", "a//b", ".", "a/./b", "a\nb"])
def test_what_is_no_folder_of_the_table_is_refused(folder):
    with pytest.raises(RecordError, match="no folder of the risk table"):
        FolderSelection.of([folder])


def test_works_are_chosen_by_id_or_by_a_column():
    works = {
        "w1": {"rightsholder": "OUR  own ", "series": "Night; Day"},
        "w2": {"rightsholder": "Our Own Friends"},
        "w3": {"series": "Night"},
        "w4": {"rightsholder": ""},
    }
    assert OURS.among(works) == {"w1"}
    assert WorkSelection.of((), "series", "night").among(works) == {"w3"}  # the whole cell counts
    assert WorkSelection.of((), "unknown", "x").among(works) == frozenset()
    assert WorkSelection.of(["w2", "gone"]).among(works) == {"w2"}
    assert WorkSelection.of(["old", "w2"]).among(works, {"old": "w1"}) == {"w1", "w2"}


@pytest.mark.parametrize(
    ("folder", "inside", "outside"),
    [
        ("ep01", ["ep01/a.png", "ep01/x/y.png", "ep01"], ["ep010/a.png", "x/ep01/a.png", "EP01/a"]),
        ("ep01/", ["ep01/a.png"], ["ep02/a.png"]),
        ("ep0?", ["ep01/a.png", "ep02/b/c.png"], ["ep0/a.png", "ep011/a.png"]),
        ("*/shots", ["a/shots/x.png"], ["shots/x.png", "a/b/shots/x.png"]),
        ("**/shots", ["shots/x", "a/shots/x", "a/b/shots/x"], ["a/b/x"]),
        ("**/*.fountain", ["a.fountain", "x/y/a.fountain"], ["a.fountain.bak"]),
        ("a[1]", ["a[1]/x.png"], ["a1/x.png"]),
        ("hä", ["ha\u0308/x.png", "hä/x.png"], ["ha/x.png"]),
    ],
)
def test_folders_cover_what_lies_in_them(folder, inside, outside):
    chosen = FolderSelection.of([folder])
    assert all(map(chosen.covers, inside))
    assert not any(map(chosen.covers, outside))
    assert FolderSelection.of([]).covers("anything/at all")


@given(st.text("ab*?/", max_size=12), st.text("ab/", min_size=1, max_size=10))
def test_folders_agree_with_a_regular_expression(folder, path):
    import re

    try:
        chosen = FolderSelection.of([folder])
    except RecordError:
        return
    parts = []
    for name in chosen.folders[0].split("/"):
        if name == "**":
            parts.append("(?:[^/]*/)*")
        else:
            parts.append("".join({"*": "[^/]*", "?": "[^/]"}.get(c, c) for c in name) + "/")
    assert chosen.covers(path) is (re.match("".join(parts), f"{path}/") is not None)


def test_no_folder_takes_long():
    FolderSelection.of(["*a" * 150 + "/" + "**/" * 150 + "b"]).covers("a" * 4000 + "/x" * 1000)


def test_the_same_rule_is_not_added_twice(place):
    record = Record.open(place, create=True)
    first = record.add_rule("anna", W1, EVERYWHERE, "ours")
    with pytest.raises(RecordError, match="Rule 2 of anna says the same already; agree to it"):
        record.add_rule("bob", W1, EVERYWHERE, "all ours")
    record.agree("bob", first.event_id)
    with pytest.raises(RecordError, match="says the same already; it counts"):
        record.add_rule("bob", W1, EVERYWHERE, "all ours")
    record.add_rule("bob", W1, FolderSelection.of(["ep01"]), "another")


def test_what_is_sent_twice_is_written_once(place):
    record = Record.open(place, create=True)
    added = [record.add_rule("anna", W1, EVERYWHERE, "ours", event_id="a" * 32) for _ in range(2)]
    agreed = [record.agree("bob", "a" * 32, event_id="b" * 32) for _ in range(2)]
    revoked = [record.revoke("bob", "a" * 32, "sold", event_id="c" * 32) for _ in range(2)]
    for first, second in (added, agreed, revoked):
        assert first == second
    assert record.head.seq == 4
    with pytest.raises(RecordError, match="Another event has the name"):
        record.revoke("bob", "a" * 32, "another reason", event_id="c" * 32)


def test_a_check_may_refuse_as_it_is_written(place):
    record = Record.open(place, create=True)
    checked = []

    def refuse(one, payload):
        checked.append((one.number if one else None, type(payload).__name__))
        raise PermissionError

    event = record.add_rule("anna", W1, EVERYWHERE, "ours")
    for attempt in (
        lambda: record.add_rule("anna", OURS, EVERYWHERE, "ours", check=refuse),
        lambda: record.agree("bob", event.event_id, check=refuse),
        lambda: record.revoke("bob", event.event_id, "x", check=refuse),
    ):
        with pytest.raises(PermissionError):
            attempt()
    assert checked == [(None, "SuppressionRule"), (2, "Agreement"), (2, "Revocation")]
    assert record.head.seq == 2


def race(*attempts) -> list[str]:
    """What each attempt raised, all begun at once; empty for one that was written."""
    outcomes = [""] * len(attempts)
    start = threading.Barrier(len(attempts))

    def run(number: int) -> None:
        start.wait()
        try:
            attempts[number]()
        except RecordError as error:
            outcomes[number] = str(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(attempts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_of_two_at_once_one_is_written(place):
    record = Record.open(place, create=True)
    outcomes = race(*(
        lambda who=who: Record.open(place).add_rule(who, W1, EVERYWHERE, "ours")
        for who in ("anna", "bob", "carol")
    ))  # fmt: skip
    assert sorted(map(bool, outcomes)) == [False, True, True]
    rule = only_rule(record)
    others = [who for who in ("anna", "bob", "carol") if who != rule.by[0]]
    outcomes = race(*(
        lambda who=who: Record.open(place).agree(who, rule.event_id) for who in others
    ))  # fmt: skip
    assert sorted(map(bool, outcomes)) == [False, True]
    outcomes = race(*(
        lambda who=who: Record.open(place).revoke(who, rule.event_id, "sold") for who in others
    ))  # fmt: skip
    assert sorted(map(bool, outcomes)) == [False, True]
    assert [str(one.kind) for one in record.events()] == [
        "opened", "rule", "agreement", "revocation",
    ]  # fmt: skip


def test_an_agreement_after_the_revocation_revives_nothing(tmp_path):
    record = Record.open(tmp_path, create=True)
    event = record.add_rule("anna", W1, EVERYWHERE, "ours")
    outcomes = race(
        lambda: Record.open(tmp_path).agree("bob", event.event_id),
        lambda: Record.open(tmp_path).revoke("carol", event.event_id, "sold"),
    )
    assert outcomes[1] == ""
    assert only_rule(record).status(today()) is Status.REVOKED


def test_the_state_of_a_row_that_a_rule_covers(tmp_path):
    record = Record.open(tmp_path, create=True)
    record.agree("bob", record.add_rule("anna", W1, EVERYWHERE, "ours").event_id)
    items = record.items()
    [rule] = items.standings.rules
    flagged = row(BASIS)
    assert items.of_row(flagged).state is State.OPEN
    ruled = items.of_row(flagged, {"w1": rule})
    assert (ruled.state, ruled.rule, ruled.decisions) == (State.SUPPRESSED, rule, ())
    # Decisions on the very pair are shown as they are.
    record.decide("anna", BASIS, Choice.NEEDS_LICENCE, reason="x")
    assert record.items().of_row(flagged, {"w1": rule}).state is State.FIRST_GIVEN
    # A row whose matches were all suppressed, one by a rule and one by a false match.
    empty = {**flagged, "work_id": None, "band": "info", "suppressed_works": 2}
    assert record.items().of_row(empty, {"w1": rule}).state is not State.SUPPRESSED
    assert record.items().of_row(empty, {"w1": rule, "w2": rule}).rule == rule
    assert isinstance(items, Items)
