"""The comparison of two versions' results finds each difference, in every file."""

from __future__ import annotations

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.same_cells import Side, compare, told
from benchmarks.same_material import change, files_below, write_works
from benchmarks.same_results import FACTS, KEPT, main

ROWS = [
    {"asset_path": "a.png", "band": "review", "risk": 0.5, "run_id": "20260101T000000Z-0a1b2c3d"},
    {"asset_path": "b.txt", "band": "no_match", "risk": 0.1, "run_id": "20260101T000000Z-0a1b2c3d"},
]
PAGE = "<dt>Run</dt><dd>{run}</dd>\n<dt>Clearance</dt><dd>{version}</dd>\n<p>{folder}/drop</p>\n"
PRINTED = "Screening: 3 of 9 (12/s, 3 s left)\n2 files screened against 1 work: review 1.\n"


def results(out, *, run="20260101T000000Z-0a1b2c3d", version="1.0", time="2026-01-01T00:00:00Z"):
    """Results as `keep` leaves them, of a run, a version and a time of their own."""
    stored = out / KEPT / "screen"
    stored.mkdir(parents=True)
    write_table(out, [{**row, "run_id": run} for row in ROWS])
    with (stored / "risk_table.csv").open("w", newline="", encoding="utf-8-sig") as file:
        written = csv.DictWriter(file, list(ROWS[0]))
        written.writeheader()
        written.writerows({**row, "run_id": run} for row in ROWS)
    (stored / "run.json").write_text(
        json.dumps(
            {
                "run_id": run,
                "started": time,
                "code_digest": version,
                "drop": f"{out}/made/drop",
                "counts": {"review": 1},
                "outputs": {"risk_table.csv": run},
            }
        )
    )
    (stored / "report.html").write_text(
        PAGE.format(run=run, version=version, folder=f"{out}/made") + f"<dd>{time}</dd>"
    )
    (stored / "printed.txt").write_text(PRINTED.replace("3 of 9", f"{len(time)} of 90"))
    (stored / "overlay.png").write_bytes(b"pixels")
    (out / FACTS).write_text(json.dumps({"made_in": f"{out}/made", "code_digest": version}))
    return out


def write_table(out, rows):
    pq.write_table(pa.Table.from_pylist(rows), out / KEPT / "screen" / "risk_table.parquet")


@pytest.fixture
def two(tmp_path):
    before = results(tmp_path / "before")
    other = {"run": "20270202T010101Z-ffffffff", "version": "2.0", "time": "2027-02-02T01:01:01Z"}
    return before, results(tmp_path / "after", **other)


def differences(two):
    before, after = (Side(out / KEPT, f"{out}/made") for out in two)
    return compare(before, after).differences


def status(*words):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code


def test_runs_and_versions_that_say_the_same_are_equal(two, capsys):
    assert differences(two) == []
    main(["compare", *map(str, two)])
    output = capsys.readouterr().out
    assert output.count("\n") == 1
    assert " cells of 6 files compared: equal" in output


@pytest.mark.parametrize(
    ("column", "value"), [("band", "info"), ("risk", 0.5000000000000001), ("risk", None)]
)
def test_a_changed_cell(two, capsys, column, value):
    write_table(two[1], [{**ROWS[0], column: value}, ROWS[1]])
    [one] = differences(two)
    assert (one.file, one.row, one.column) == ("screen/risk_table.parquet", "a.png", column)
    assert (one.before, one.after) == (str(ROWS[0][column]), str(value))
    assert status("compare", *two) == 1
    output = capsys.readouterr().out
    assert f"screen/risk_table.parquet, {column}: 1" in output
    assert "1 differ" in output


def test_a_missing_row_is_one_difference_and_not_many(two):
    write_table(two[1], ROWS[1:])
    [one] = differences(two)
    assert (one.row, one.column, one.after) == ("a.png", "row", "(missing)")
    write_table(two[0], ROWS[1:])
    write_table(two[1], ROWS)
    [one] = differences(two)
    assert (one.row, one.column, one.before) == ("a.png", "row", "(missing)")


def test_rows_in_another_order(two):
    write_table(two[1], ROWS[::-1])
    assert {one.column for one in differences(two)} == {"order"}


def test_a_row_that_occurs_twice(two):
    write_table(two[1], [*ROWS, ROWS[1]])
    [one] = differences(two)
    assert (one.row, one.before) == ("b.txt #2", "(missing)")


def test_a_missing_column_even_one_that_names_a_run(two):
    write_table(two[1], [{k: v for k, v in row.items() if k != "run_id"} for row in ROWS])
    assert {(one.row, one.column) for one in differences(two)} == {
        ("(types)", "run_id"),
        ("a.png", "run_id"),
        ("b.txt", "run_id"),
    }


def test_a_column_of_another_type(two):
    write_table(two[0], [{**row, "risk": 1} for row in ROWS])
    write_table(two[1], [{**row, "risk": True} for row in ROWS])
    assert ("(types)", "risk") in {(one.row, one.column) for one in differences(two)}


def test_columns_in_another_order(two):
    write_table(two[1], [dict(reversed(row.items())) for row in ROWS])
    assert {one.column for one in differences(two)} == {"order"}


@pytest.mark.parametrize(
    ("name", "old", "new", "row", "column"),
    [
        ("risk_table.csv", "review", "info", "a.png", "band"),
        ("risk_table.csv", "risk", "likelihood", "(header)", "risk"),
        ("run.json", '"review": 1', '"review": 2', "counts.review", "value"),
        ("run.json", '"started"', '"began"', "started", "row"),
        ("run.json", '"risk_table.csv"', '"other.csv"', "outputs.other.csv", "row"),
        ("report.html", "<p>", "<p class>", "line 3", "line"),
        ("printed.txt", "review 1", "review 2", "line 1", "line"),
        ("overlay.png", "pixels", "others", "", "bytes"),
    ],
)
def test_a_change_in_a_file_of_each_kind(two, name, old, new, row, column):
    file = two[1] / KEPT / "screen" / name
    file.write_bytes(file.read_bytes().replace(old.encode(), new.encode(), 1))
    assert (f"screen/{name}", row, column) in {
        (one.file, one.row, one.column) for one in differences(two)
    }


@pytest.mark.parametrize("side", [0, 1])
def test_a_missing_file(two, side):
    (two[side] / KEPT / "screen" / "report.html").unlink()
    [one] = differences(two)
    assert (one.file, one.column) == ("screen/report.html", "file")
    assert (one.before, one.after)[side] == "(missing)"
    assert status("compare", *two) == 1


def test_results_that_are_not_complete_are_refused(two, tmp_path):
    (two[1] / FACTS).unlink()
    assert "no complete results" in str(status("compare", *two))
    (tmp_path / "neither").mkdir()
    assert "no complete results" in str(status("compare", tmp_path / "neither", two[0]))


def test_nothing_compared_is_not_equal(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / FACTS).write_text('{"made_in": "", "code_digest": ""}')
    assert status("compare", tmp_path / "one", tmp_path / "other") == 1


def test_many_differences_are_grouped_and_counted(two):
    rows = [{"asset_path": f"{n}", "risk": n} for n in range(40)]
    write_table(two[0], rows)
    write_table(two[1], [{**row, "risk": row["risk"] + 1} for row in rows])
    output = told(differences(two), 3)
    assert "screen/risk_table.parquet, risk: 40" in output
    assert "and 37 more" in output
    assert output.count("before:") == 3


def test_material_is_the_same_each_time(tmp_path):
    materials = []
    for name in ("one", "other"):
        drop = tmp_path / name / "drop"
        drop.mkdir(parents=True)
        for number in range(90):
            ending = ("png", "txt", "csv")[number % 3]
            (drop / f"{number:02d}.{ending}").write_bytes(b"%d " % number * 200)
        manifest = tmp_path / name / "works.csv"
        works = write_works(tmp_path / name, files_below(drop), manifest)
        rows = list(csv.DictReader(manifest.read_text().splitlines()))
        assert len(rows) == 60  # of supported kinds
        assert len({row["work_id"] for row in rows}) == works == 53
        before = {file.name: file.read_bytes() for file in files_below(drop)}
        change(drop)
        after = {file.name: file.read_bytes() for file in files_below(drop)}
        assert before.keys() - after.keys()
        assert after.keys() - before.keys()
        assert any(before[name] != after[name] for name in before.keys() & after.keys())
        materials.append((manifest.read_bytes(), after))
    assert materials[0] == materials[1]
