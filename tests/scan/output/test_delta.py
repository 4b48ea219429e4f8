"""What counts as a change, and the cause that is reported for it."""

import pyarrow as pa
import pytest

from pipeline.core.records import Band
from pipeline.scan.output.delta import (
    Cause,
    Change,
    Suppressed,
    change_counts,
    delta_of,
    delta_schema,
    suppressed_works,
)

E, R, I, P, N, O = (  # noqa: E741 - bands, most urgent first
    "escalate", "review", "info", "partly_screened", "not_screened", "no_match",
)  # fmt: skip
FLAG, OPEN = (E, R, I), (P, N)


def row(path="a", band=O, **changes):
    flagged = band in FLAG
    values = {
        "asset_path": path, "asset_id": "1" * 64, "band": band, "risk": 0.5 if flagged else None,
        "work_id": "w1" if flagged else None, "title": "The Cat" if flagged else None,
        "reasons": "Because.", "index_version": 2, "index_digest": "d2",
        "config_fingerprint": "c",
    }  # fmt: skip
    return {**values, **changes}


SCHEMA = pa.schema(
    [
        (name, {"risk": pa.float64(), "index_version": pa.int64()}.get(name, pa.string()))
        for name in row()
    ]
)


def delta(now, before, added=(), removed=(), suppressed=None):
    def table(rows):
        return None if rows is None else pa.Table.from_pylist(rows, schema=SCHEMA)

    changes = delta_of(
        table(now), table(before), "new", None if before is None else "old",
        added=set(added).__contains__, removed=set(removed).__contains__, suppressed=suppressed,
    )  # fmt: skip
    assert changes.schema.equals(delta_schema())
    return [(r["asset_path"], r["change"], r["why"]) for r in changes.to_pylist()]


def wanted(before, now):
    """The rule, implemented again from its description."""
    if now in FLAG and before not in FLAG:
        return Change.NEWLY_FLAGGED
    if now in OPEN and before not in OPEN:
        return Change.NEWLY_NOT_SCREENED
    if before in OPEN and now == O:
        return Change.NEWLY_SCREENED
    if before in FLAG and now in FLAG and before != now:
        return Change.RISEN if FLAG.index(now) < FLAG.index(before) else Change.FALLEN
    if before in FLAG and now == O:
        return Change.FALLEN
    return None


@pytest.mark.parametrize("before", Band)
@pytest.mark.parametrize("now", Band)
def test_every_pair_of_bands(before, now):
    changes = delta([row(band=now.value)], [row(band=before.value)])
    change = wanted(before.value, now.value)
    assert [(one[1]) for one in changes] == ([change] if change else [])


def test_the_first_scan_is_all_new():
    assert delta([row("a"), row("b", E)], None) == [
        ("b", "new", "new file"),
        ("a", "new", "new file"),
    ]


def test_gone_files_come_last_and_keep_their_band():
    assert delta([row("b")], [row("a", R, asset_id="2" * 64)]) == [
        ("b", "new", "new file"),
        ("a", "gone", "the file is no longer in its drop"),
    ]


def paths_before(now, before):
    changes = delta_of(
        pa.Table.from_pylist(now, schema=SCHEMA), pa.Table.from_pylist(before, schema=SCHEMA),
        "new", "old", added=lambda _: False, removed=lambda _: False,
    )  # fmt: skip
    return {r["asset_path"]: (r["change"], r["asset_path_before"]) for r in changes.to_pylist()}


def test_a_file_that_was_renamed_is_told_as_moved():
    now, before = [row("b/cat.png", E)], [row("a/cat.png", E)]
    assert delta(now, before) == [("b/cat.png", "moved", "the file was moved or renamed")]
    assert paths_before(now, before) == {"b/cat.png": ("moved", "a/cat.png")}


def test_a_moved_file_whose_band_changed_is_told_as_that_and_from_where():
    now, before = [row("b", E)], [row("a")]
    assert delta(now, before, added=["w1"]) == [("b", "newly_flagged", "work added")]
    assert paths_before(now, before) == {"b": ("newly_flagged", "a")}


def test_a_copy_is_new_and_a_file_without_an_id_is_not_moved():
    assert paths_before([row("a"), row("b")], [row("a")]) == {"b": ("new", None)}
    unread = {"asset_id": None, "band": N}
    assert paths_before([row("b", **unread)], [row("a", **unread)]) == {
        "a": ("gone", "a"),
        "b": ("new", None),
    }


def test_of_several_of_the_same_bytes_those_with_their_name_are_paired_first():
    before = [row("old/x.png"), row("old/y.png"), row("old/z.png")]
    now = [row("new/y.png"), row("new/w.png")]
    assert paths_before(now, before) == {
        "new/y.png": ("moved", "old/y.png"),
        "new/w.png": ("moved", "old/x.png"),
        "old/z.png": ("gone", "old/z.png"),
    }
    more = [*now, row("new/v.png"), row("new/u.png")]
    assert sorted(kind for kind, _ in paths_before(more, before).values()) == [
        "moved", "moved", "moved", "new",
    ]  # fmt: skip


def test_a_false_match_suppressed_at_the_path_before_is_the_cause_at_the_new_one():
    now, before = [row("b", O)], [row("a", E)]
    found = Suppressed(now={"b": frozenset({"w1"})})
    assert delta(now, before, suppressed=found) == [("b", "fallen", "false match suppressed")]
    same = Suppressed(now={"b": frozenset({"w1"})}, before={"a": frozenset({"w1"})})
    none = {"band": I, "work_id": None, "risk": None}
    assert delta([row("b", **none)], [row("a", **none)], suppressed=same)[0][1] == "moved"


@pytest.mark.parametrize(
    ("now", "before", "sets", "why"),
    [
        ({"band": E}, {}, {"added": ["w1"]}, Cause.WORK_ADDED),
        ({"band": E, "asset_id": "2" * 64}, {}, {"added": ["w1"]}, Cause.OTHER_BYTES),
        ({"band": E}, {"asset_id": None, "band": N}, {}, Cause.UNREAD),
        ({"band": E, "config_fingerprint": "d"}, {}, {}, Cause.CONFIGURATION),
        ({"band": E, "index_version": 3, "index_digest": "d3"}, {}, {}, Cause.INDEX),
        ({"band": E}, {"band": N}, {}, Cause.AGAIN),
        ({"band": O}, {"band": E}, {"removed": ["w1"]}, Cause.WORK_REMOVED),
    ],
)
def test_why(now, before, sets, why):
    [(_, _, cause)] = delta([row(**now)], [row(**before)], **sets)
    assert cause == why


def test_another_work_and_other_bytes_are_news_without_another_band():
    assert delta([row(band=R, work_id="w2")], [row(band=R)])[0][1] == Change.ANOTHER_WORK
    assert delta([row(asset_id="2" * 64)], [row()])[0][1] == Change.OTHER_BYTES
    assert delta([row(risk=0.51)], [row(risk=0.5)]) == []


def test_the_most_urgent_changes_come_first_and_all_kinds_are_counted():
    now = [row("a", R), row("b", E), row("c", E, risk=0.9), row("d", N)]
    before = [row("a"), row("b"), row("c"), row("d"), row("e")]
    changes = delta_of(
        pa.Table.from_pylist(now, schema=SCHEMA), pa.Table.from_pylist(before, schema=SCHEMA),
        "new", "old", added=bool, removed=bool,
    )  # fmt: skip
    assert changes.column("asset_path").to_pylist() == ["c", "b", "a", "d", "e"]
    counts = change_counts(changes)
    assert list(counts) == [change.value for change in Change]
    assert counts["newly_flagged"] == 3
    assert counts["gone"] == counts["newly_not_screened"] == 1


NONE_COUNTS = {"band": I, "work_id": None, "risk": None}


@pytest.mark.parametrize(
    ("now", "before", "change"),
    [
        ({"band": I}, NONE_COUNTS, Change.RISEN),
        ({"band": E}, NONE_COUNTS, Change.RISEN),
        (NONE_COUNTS, {"band": I}, Change.FALLEN),
        (NONE_COUNTS, {"band": E}, Change.FALLEN),
        ({"band": O}, NONE_COUNTS, Change.FALLEN),
        (NONE_COUNTS, {"band": O}, Change.NEWLY_FLAGGED),
        ({"band": N}, NONE_COUNTS, Change.NEWLY_NOT_SCREENED),
        (NONE_COUNTS, NONE_COUNTS, None),
    ],
)
def test_a_row_with_only_suppressed_matches_is_the_least_urgent_of_the_flagged(now, before, change):
    changes = delta([row(**now)], [row(**before)])
    assert [one[1] for one in changes] == ([change] if change else [])


def works(*ids):
    return {"a": frozenset(ids)}


@pytest.mark.parametrize(
    ("now", "before", "suppressed", "why"),
    [
        (NONE_COUNTS, {"band": E}, Suppressed(now=works("w1")), Cause.SUPPRESSED),
        ({"band": R, "work_id": "w2"}, {"band": E}, Suppressed(now=works("w1")), Cause.SUPPRESSED),
        ({"band": E, "work_id": "w2"}, {"band": E}, Suppressed(now=works("w1")), Cause.SUPPRESSED),
        # Not the work that decided the row was suppressed; the row fell for another reason.
        ({"band": R}, {"band": E}, Suppressed(now=works("w2")), Cause.AGAIN),
        ({"band": E}, NONE_COUNTS, Suppressed(before=works("w1")), Cause.TAKEN_BACK),
        ({"band": E}, NONE_COUNTS, Suppressed({}, works("w1"), works("w1")), Cause.LAPSED),
        ({"band": E}, NONE_COUNTS, Suppressed({}, works("w1"), works("w2")), Cause.TAKEN_BACK),
        ({"band": E}, NONE_COUNTS, Suppressed({}, works("w1"), unusable=True), Cause.RECORD),
        # It rose because of a work other than the suppressed one.
        ({"band": E}, {"band": R, "work_id": "w2"}, Suppressed(works("w3"), works("w3")),
         Cause.AGAIN),
        ({"band": E, "asset_id": "2" * 64}, NONE_COUNTS, Suppressed(before=works("w1")),
         Cause.OTHER_BYTES),
    ],
)  # fmt: skip
def test_why_of_suppressed_matches(now, before, suppressed, why):
    [(_, _, cause)] = delta([row(**now)], [row(**before)], suppressed=suppressed)
    assert cause == why


def test_an_added_work_is_the_cause_unless_the_row_fell():
    suppressed = Suppressed(now=works("w1"))
    for band, why in ((E, Cause.WORK_ADDED), (R, Cause.SUPPRESSED)):
        changes = delta(
            [row(band=band, work_id="w2")], [row(band=E)], added=["w2"], suppressed=suppressed
        )
        assert [one[2] for one in changes] == [why]


def test_a_removed_work_that_was_suppressed_is_the_cause():
    changes = delta(
        [row(band=O)], [row(**NONE_COUNTS)], removed=["w1"],
        suppressed=Suppressed(before=works("w1")),
    )  # fmt: skip
    assert [one[1:] for one in changes] == [(Change.FALLEN, Cause.WORK_REMOVED)]


def test_a_match_table_of_an_earlier_release_has_no_suppressed_works():
    table = pa.table({"asset_path": ["a", "a", "b"], "work_id": ["w1", "w2", "w1"]})
    assert suppressed_works(table) == {}
    table = table.append_column("suppressed", pa.array([True, True, False]))
    assert suppressed_works(table) == works("w1", "w2")
