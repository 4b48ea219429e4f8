"""The queue against a plain implementation: same rows, same order, counts that add up."""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_samples import ANNA, DORA, READER

from pipeline.core.records import Band, Outcome
from pipeline.core.wording.text import middle_cut
from pipeline.decisions.basis import Item
from pipeline.decisions.events import Choice
from pipeline.decisions.state import ItemState, State
from pipeline.review.queue import facets
from pipeline.review.queue import queue as queue_module
from pipeline.review.queue.filters import NOBODY, SORTS, Filters
from pipeline.review.queue.queue import Queue
from pipeline.stages import STAGES

FOLDERS = ["", "a", "a/b", "a/bc", "c", "c/d/e"]
WORKS = [None, "w1", "w2", "W3"]
HOLDERS = {None: None, "w1": "Zed", "w2": "anna", "W3": "anna"}
URGENT = [str(band) for band in Band]
STATUSES = [str(one) for one in queue_module._STATES]


@dataclass(frozen=True)
class Stored:
    """What the queue asks of a run."""

    risk_rows: pa.Table
    run: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Plain:
    folder: str
    band: Band
    risk: float | None
    work_id: str | None
    outcome: Outcome
    state: State
    choice: Choice | None
    assignee: str
    sealed: bool


plain_rows = st.lists(
    st.builds(
        Plain,
        folder=st.sampled_from(FOLDERS),
        band=st.sampled_from(list(Band)),
        risk=st.sampled_from([None, 0.0, 0.3, 0.9, 1.0]),
        work_id=st.sampled_from(WORKS),
        outcome=st.sampled_from(list(Outcome)),
        state=st.sampled_from(list(State)),
        choice=st.sampled_from([None, *Choice]),
        assignee=st.sampled_from(["", "bob", "Anna"]),
        sealed=st.booleans(),
    ),
    max_size=40,
)


def asset_id_of(number: int) -> str:
    """Every third file has the bytes of the first."""
    return f"{0 if number % 3 == 0 else number:064x}"


def some(values):
    return st.lists(st.sampled_from([str(one) for one in values]), max_size=2, unique=True).map(
        tuple
    )


filters = st.builds(
    Filters,
    band=some(Band),
    status=some(State),
    choice=some(Choice),
    stage=st.sampled_from(["", *STAGES]),
    outcome=st.sampled_from([str(one) for one in Outcome]),
    work_id=st.sampled_from(["", NOBODY, "w1", "w9"]),
    rightsholder=st.sampled_from(["", NOBODY, "anna", "nobody"]),
    folder=st.sampled_from(["", "a", "a/b", "c/d", "x"]),
    assignee=st.sampled_from(["", NOBODY, "bob", "x"]),
    asset_id=st.sampled_from(["", asset_id_of(0), asset_id_of(1), "x"]),
    q=st.sampled_from(["", "1.png", "ZED", "a 2", "title", "%"]),
    sort=st.sampled_from(SORTS),
    order=st.sampled_from(["asc", "desc"]),
)


def path_of(number: int, row: Plain) -> str:
    name = f"{number % 7}-{number}.png"
    return f"{row.folder}/{name}" if row.folder else name


def queue_of(rows: list[Plain]) -> Queue:
    columns = {
        "asset_path": [path_of(n, row) for n, row in enumerate(rows)],
        "asset_id": [asset_id_of(n) for n in range(len(rows))],
        "kind": ["image"] * len(rows),
        "band": [str(row.band) for row in rows],
        "risk": [row.risk for row in rows],
        "work_id": [row.work_id for row in rows],
        "title": [row.work_id and f"Title {row.work_id}" for row in rows],
        "rightsholder": [HOLDERS[row.work_id] for row in rows],
        "reasons": ["Escalate: it agrees.\nMore."] * len(rows),
        **{f"outcome_{name}": [str(row.outcome) for row in rows] for name in STAGES},
        **{f"outcome_reason_{name}": [None] * len(rows) for name in STAGES},
    }
    types = {"risk": pa.float64()}
    table = pa.table(
        {name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()}
    )
    queue = Queue(Stored(table))
    for number, row in enumerate(rows):
        choices = () if row.choice is None else (row.choice,)
        state = ItemState(
            Item("x", None), row.state, choices, (), (), (), row.assignee, frozenset(), ()
        )
        queue.update(number, state, sealed=row.sealed)
    return queue


def passes(number: int, row: Plain, f: Filters, leave_out: str = "") -> bool:
    path = path_of(number, row)
    holder = HOLDERS[row.work_id]
    text = "\n".join(
        filter(None, [path, row.work_id, row.work_id and f"Title {row.work_id}", holder])
    )
    conditions = {
        "band": not f.band or str(row.band) in f.band,
        "status": not f.status or str(row.state) in f.status,
        "choice": not f.choice or (not row.sealed and str(row.choice) in f.choice),
        "stage": not f.stage or str(row.outcome) == f.outcome,
        "work_id": not f.work_id or (row.work_id or NOBODY) == f.work_id,
        "rightsholder": not f.rightsholder or (holder or NOBODY) == f.rightsholder,
        "folder": not f.folder or path.startswith(f.folder + "/"),
        "asset_id": not f.asset_id or asset_id_of(number) == f.asset_id,
        "assignee": not f.assignee or (row.assignee or NOBODY) == f.assignee,
        "q": all(word in text.casefold() for word in f.q.casefold().split()),
    }
    return all(ok for name, ok in conditions.items() if name != leave_out)


def urgency(number: int, row: Plain):
    missing = row.risk is None
    return (URGENT.index(str(row.band)), missing, -(row.risk or 0.0), path_of(number, row))


def key(number: int, row: Plain, f: Filters):
    value = {
        "path": path_of(number, row),
        "risk": row.risk,
        "work": row.work_id and f"title {row.work_id}".casefold(),
        "rightsholder": HOLDERS[row.work_id] and HOLDERS[row.work_id].casefold(),
        "folder": row.folder,
        "status": STATUSES.index(str(row.state)),
        "assignee": row.assignee.casefold() or None,
    }
    return value[f.sort]


def ordered(rows: list[Plain], f: Filters) -> list[int]:
    numbers = [n for n, row in enumerate(rows) if passes(n, row, f)]
    numbers.sort(key=lambda n: urgency(n, rows[n]))
    if f.sort == "urgency":
        return numbers if f.order == "asc" else numbers[::-1]
    there = [n for n in numbers if key(n, rows[n], f) is not None]
    there.sort(key=lambda n: key(n, rows[n], f))
    if f.order == "desc":
        groups: dict = {}
        for n in there:
            groups.setdefault(key(n, rows[n], f), []).append(n)
        there = [n for group in reversed(groups.values()) for n in group]
    return there + [n for n in numbers if key(n, rows[n], f) is None]


@settings(max_examples=200)
@given(plain_rows, filters)
def test_the_same_rows_in_the_same_order(rows, f):
    queue = queue_of(rows)
    expected = ordered(rows, f)
    assert queue.numbers(f) == expected
    page = queue.page(f)
    assert [line.number for line in page.lines] == expected[: queue_module.PAGE_ROWS]
    assert page.total == len(expected)
    assert page.table == len(rows)


@settings(max_examples=200)
@given(plain_rows, filters)
def test_counts_add_up(rows, f):
    page = queue_of(rows).page(f)

    def expected(name: str, value):
        others = [row for n, row in enumerate(rows) if passes(n, row, f, leave_out=name)]
        return Counter(value(row) for row in others)

    bands = expected("band", lambda row: str(row.band))
    assert {one.value: one.rows for one in page.bands if one.rows} == dict(bands)
    states = expected("status", lambda row: str(row.state))
    assert {one.value: one.rows for one in page.statuses if one.rows} == dict(states)
    choices = expected(
        "choice", lambda row: None if row.sealed or not row.choice else str(row.choice)
    )
    del choices[None]
    assert {one.value: one.rows for one in page.choices if one.rows} == dict(choices)
    works = expected("work_id", lambda row: row.work_id or NOBODY)
    assert {one.value: one.rows for one in page.works if one.rows} == dict(works)
    holders = expected("rightsholder", lambda row: HOLDERS[row.work_id] or NOBODY)
    assert {one.value: one.rows for one in page.rightsholders if one.rows} == dict(holders)
    people = expected("assignee", lambda row: row.assignee or NOBODY)
    assert {one.value: one.rows for one in page.assignees if one.rows} == dict(people)
    chosen = [band for band in page.bands if not f.band or band.value in f.band]
    assert sum(band.rows for band in chosen) == page.total
    nothing = queue_of(rows).page(Filters())
    assert sum(one.rows for one in nothing.bands) == len(rows)
    assert sum(one.rows for one in nothing.statuses) == len(rows)


@settings(max_examples=100)
@given(plain_rows.filter(bool), filters, st.data())
def test_the_rows_around_one(rows, f, data):
    queue = queue_of(rows)
    expected = ordered(rows, f)
    number = data.draw(st.integers(0, len(rows) - 1))
    before, after, place, total = queue.neighbours(number, f)
    assert total == len(expected)
    if number in expected:
        at = expected.index(number)
        assert place == at + 1
        assert before == (expected[at - 1] if at else None)
        assert after == (expected[at + 1] if at + 1 < len(expected) else None)
    else:
        # Its place in the order: the row after it follows the row before it.
        assert number not in (before, after)
        if before is not None and after is not None:
            assert expected.index(after) == expected.index(before) + 1
        assert (before is None and after is None) == (not expected)


@given(filters)
def test_filters_come_back_from_their_query(f):
    again = Filters.of_string(f.query())
    assert again.query() == f.query()
    if f.stage:
        assert again == f


@given(st.text())
def test_any_query_is_filters(text):
    Filters.of_string(text).query()


def test_folders_are_counted_with_what_is_below():
    rows = [
        Plain(folder, Band.REVIEW, 0.5, None, Outcome.MATCHED, State.OPEN, None, "", False)
        for folder in FOLDERS
    ]
    queue = queue_of(rows)
    assert [(one.value, one.rows) for one in queue.page(Filters()).folders] == [("a", 3), ("c", 2)]
    below = queue.page(Filters(folder="a"))
    assert below.total == 3
    assert [(one.value, one.name) for one in below.folders] == [("a/b", "b"), ("a/bc", "bc")]


def test_many_values_are_said_to_be_more(monkeypatch):
    monkeypatch.setattr(facets, "FACET_VALUES", 2)
    rows = [
        Plain("", Band.REVIEW, 0.5, work, Outcome.MATCHED, State.OPEN, None, "", False)
        for work in ("w1", "w1", "w2", "w2", "W3")
    ]
    page = queue_of(rows).page(Filters())
    assert [one.value for one in page.works] == ["w1", "w2"]
    assert page.more_works == 1
    # What is chosen is always there to be seen.
    assert "W3" in [one.value for one in queue_of(rows).page(Filters(work_id="W3")).works]


@pytest.mark.parametrize(
    ("page", "first", "lines"), [(1, 1, 50), (3, 101, 1), (9, 101, 1), (0, 1, 50)]
)
def test_pages(page, first, lines):
    rows = [Plain("", Band.REVIEW, 0.5, None, Outcome.MATCHED, State.OPEN, None, "", False)] * 101
    queue_page = queue_of(rows).page(Filters(), page)
    assert (queue_page.first, len(queue_page.lines), queue_page.pages) == (first, lines, 3)


def test_the_page_shows_what_the_queue_has(site):
    browser = site.browser(DORA)
    text = browser.get("/").text
    assert f"<b>{len(site.review)}</b> rows" in text
    assert "Decide on all" in text
    assert "Decide on all" not in site.browser(ANNA).get("/").text
    assert "No row passes" in browser.get("/?q=nothing-like-it").text
    for query in ("page=x", "page=99999999999", "sort=x&order=y", "band=cleared", "q=%00", "q=%ff"):
        assert browser.get(f"/?{query}").status_code == 200, query
    as_json = site.browser(READER).client.get(
        "/?band=review", headers={"accept": "*/*, application/json"}
    )
    assert as_json.json()["total"] == 4


@pytest.mark.parametrize("word", ["cleared", "safe", "infring"])
def test_the_page_says_no_word_that_it_must_not(site, word):
    from pipeline.review.pages import FOLDER

    texts = [site.browser(DORA).get("/").text]
    texts += [file.read_text() for file in (FOLDER / "templates").iterdir()]
    for text in texts:
        assert word not in text.lower().replace("|safe", "")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "band=escallate",
            "There is no band “escallate”, so it was left out; there are escalate, ",
        ),
        ("bnad=review", "There is no filter “bnad”, so it was left out."),
        ("status=done", "There is no status “done”"),
        ("choice=ok", "There is no decision “ok”"),
        ("stage=psychic", "There is no stage “psychic”"),
        ("sort=colour&order=up", "There is no direction “up”"),
        ("view=boards", "There is no view “boards”"),
        ("page=9", "There is no page “9”; this is page 1."),
        ("page=x", "There is no page “x”; this is page 1."),
        ("work_id=W-9", "No row of this run has the work “W-9”."),
        ("rightsholder=Nobody+Known", "has the rightsholder “Nobody Known”."),
        ("assignee=Zed", "No row of this run is assigned to “Zed”."),
        ("folder=c", "This run has no folder “c”."),
        ("asset_id=12", "No file of this run has the SHA-256 “12”."),
    ],
)
def test_an_unknown_filter_is_said(site, query, said):
    text = html.unescape(site.browser(DORA).get(f"/?{query}").text)
    notice = text.partition('<p class="notice" role="alert">')[2].partition("</p>")[0]
    assert said in notice
    assert "Decide on all" not in text, "nothing is decided in bulk on other rows than were meant"
    if not query.startswith(("view", "page")):
        as_json = site.browser(DORA).get(f"/?{query}", headers={"accept": "application/json"})
        assert said in " ".join(as_json.json()["unknown"])


def test_known_filters_are_not_said_to_be_unknown(site):
    browser = site.browser(DORA)
    query = "band=review&folder=b/c&work_id=-&sort=path&view=table&page=1&done=x&of=1"
    for place in ("/", f"/?{query}", "/?q=nothing+like+it"):
        assert 'role="alert"' not in browser.get(place).text


def test_bulk_refuses_a_filter_that_is_not_known(site):
    browser = site.browser(DORA)
    assert browser.get("/bulk?band=escallate").status_code == 422
    payload = {"query": "bnad=no_match", "choice": "no_issue"}
    answer = browser.post("/bulk/preview", payload)
    assert answer.status_code == 422
    assert "There is no filter “bnad”" in answer.json()["error"]
    assert browser.post("/bulk/preview", payload, as_json=False).status_code == 422


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("short.png", ("short.png", "")),
        ("sh0420_comp_background_plate_v003.png", ("sh0420_comp_background_p", "late_v003.png")),
        ("e\u0301" * 27, ("e\u0301" * 14, "e\u0301" * 13)),
        ("x" * 26, ("x" * 26, "")),
        ("港" * 27, ("港" * 21, "港" * 6)),
        ("", ("", "")),
    ],
)
def test_a_long_name_is_cut_in_its_middle(name, parts):
    assert middle_cut(name) == parts


def test_the_whole_name_is_the_link_s_own(site):
    for view in ("table", "cards"):
        text = site.browser(ANNA).get(f"/?view={view}").text
        assert 'title="b/c/two.png"' in text
        assert 'aria-label="b/c/two.png"' in text


def test_a_row_says_first_what_sets_it_apart(site):
    lines = site.browser(READER).get("/", headers={"accept": "application/json"}).json()["lines"]
    matched = [line for line in lines if line["work_id"]]
    assert matched
    for line in lines:
        assert line["reason_in_short"]
        if line["work_id"] is None:
            assert line["reason_in_short"] == line["reason"]
    assert any(line["reason_in_short"] != line["reason"] for line in matched)
