"""What counts as a change, and what it is said to come of."""

import pyarrow as pa
import pytest

from pipeline.records import Band
from pipeline.scan.delta import Change, Why, change_counts, delta_of, delta_schema

E, R, I, P, N, O = (  # noqa: E741 - bands, most urgent first
    "escalate", "review", "info", "partly_screened", "not_screened", "no_match",
)  # fmt: skip
FLAG, OPEN = (E, R, I), (P, N)


def row(path="a", band=O, **changes):
    flagged = band in FLAG
    given = {
        "asset_path": path, "asset_id": "1" * 64, "band": band, "risk": 0.5 if flagged else None,
        "work_id": "w1" if flagged else None, "title": "The Cat" if flagged else None,
        "reasons": "Because.", "index_version": 2, "index_digest": "d2",
        "config_fingerprint": "c",
    }  # fmt: skip
    return {**given, **changes}


SCHEMA = pa.schema(
    [
        (name, {"risk": pa.float64(), "index_version": pa.int64()}.get(name, pa.string()))
        for name in row()
    ]
)


def delta(now, before, added=(), removed=()):
    def table(rows):
        return None if rows is None else pa.Table.from_pylist(rows, schema=SCHEMA)

    found = delta_of(
        table(now), table(before), "new", None if before is None else "old",
        added=set(added).__contains__, removed=set(removed).__contains__,
    )  # fmt: skip
    assert found.schema.equals(delta_schema())
    return [(r["asset_path"], r["change"], r["why"]) for r in found.to_pylist()]


def wanted(before, now):
    """The rule, written down anew from its description."""
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
    found = delta([row(band=now.value)], [row(band=before.value)])
    change = wanted(before.value, now.value)
    assert [(one[1]) for one in found] == ([change] if change else [])


def test_the_first_scan_is_all_new():
    assert delta([row("a"), row("b", E)], None) == [
        ("b", "new", "new file"),
        ("a", "new", "new file"),
    ]


def test_what_is_gone_stands_last_and_keeps_its_band():
    assert delta([row("b")], [row("a", R)]) == [
        ("b", "new", "new file"),
        ("a", "gone", "the file is no longer in its drop"),
    ]


@pytest.mark.parametrize(
    ("now", "before", "sets", "why"),
    [
        ({"band": E}, {}, {"added": ["w1"]}, Why.WORK_ADDED),
        ({"band": E, "asset_id": "2" * 64}, {}, {"added": ["w1"]}, Why.OTHER_BYTES),
        ({"band": E}, {"asset_id": None, "band": N}, {}, Why.UNREAD),
        ({"band": E, "config_fingerprint": "d"}, {}, {}, Why.CONFIGURATION),
        ({"band": E, "index_version": 3, "index_digest": "d3"}, {}, {}, Why.INDEX),
        ({"band": E}, {"band": N}, {}, Why.AGAIN),
        ({"band": O}, {"band": E}, {"removed": ["w1"]}, Why.WORK_REMOVED),
    ],
)
def test_why(now, before, sets, why):
    [(_, _, said)] = delta([row(**now)], [row(**before)], **sets)
    assert said == why


def test_another_work_and_other_bytes_are_news_without_another_band():
    assert delta([row(band=R, work_id="w2")], [row(band=R)])[0][1] == Change.ANOTHER_WORK
    assert delta([row(asset_id="2" * 64)], [row()])[0][1] == Change.OTHER_BYTES
    assert delta([row(risk=0.51)], [row(risk=0.5)]) == []


def test_the_most_urgent_changes_stand_first_and_all_kinds_are_counted():
    now = [row("a", R), row("b", E), row("c", E, risk=0.9), row("d", N)]
    before = [row("a"), row("b"), row("c"), row("d"), row("e")]
    found = delta_of(
        pa.Table.from_pylist(now, schema=SCHEMA), pa.Table.from_pylist(before, schema=SCHEMA),
        "new", "old", added=bool, removed=bool,
    )  # fmt: skip
    assert found.column("asset_path").to_pylist() == ["c", "b", "a", "d", "e"]
    counts = change_counts(found)
    assert list(counts) == [change.value for change in Change]
    assert counts["newly_flagged"] == 3
    assert counts["gone"] == counts["newly_not_screened"] == 1
