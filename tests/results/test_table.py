"""The tables of a run: nothing lost, nothing contradicting itself, nothing that can be run."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from row_samples import (
    RUN,
    WORKS,
    abstained_row,
    asset,
    flagged_row,
    no_match_row,
    some_rows,
    unreadable_row,
    values,
)

from pipeline.core.errors import DropError, Reason, RunError
from pipeline.core.layout import MATCHES, PASSAGES, RISK_CSV, RISK_TABLE
from pipeline.core.records import Band, Kind, Outcome, Passage
from pipeline.core.wording.safe_csv import text_cell, write_csv
from pipeline.results.files import ResultFiles, read_run
from pipeline.results.table import (
    counts,
    match_schema,
    passage_schema,
    risk_table_schema,
    tables,
    urgency,
    write_tables,
)
from pipeline.results.table_checks import TableError
from pipeline.stages import STAGES

FIRST = [
    "asset_path", "asset_id", "kind", "band", "risk", "work_id", "title", "rightsholder", "rights",
    "reasons", "other_works",
]  # fmt: skip
LAST = ["index_version", "index_digest", "config_fingerprint", "run_id"]


def built_tables(rows, **changes):
    run = replace(RUN, **changes)
    return tables(rows, run, WORKS, discovered=len(rows))


def written(out, rows, run=RUN):
    with ResultFiles(out) as files:
        write_tables(files, rows, run, WORKS, discovered=len(rows))
        files.write_json("run.json", {"run_id": run.run_id, "outputs": dict(files.digests)})
    return files


def test_columns_are_those_of_the_contract_and_of_every_registered_stage():
    names = risk_table_schema().names
    assert names[: len(FIRST)] == FIRST
    assert names[-4:] == LAST
    for name, stage in STAGES.items():
        assert {f"outcome_{name}", f"outcome_reason_{name}", f"contribution_{name}"} <= set(names)
        assert {m.name for m in stage.measures} <= set(names)
        assert {m.name for m in stage.measures if m.of == "match"} <= set(match_schema().names)
    assert len(names) == len(set(names))
    assert match_schema().names[:4] == ["asset_path", "asset_id", "work_id", "risk"]
    assert passage_schema().names[:9] == [
        "asset_path", "work_id", "work_file", "asset_start", "asset_end", "work_start", "work_end",
        "words", "identity",
    ]  # fmt: skip


def test_every_row_and_every_value_is_there():
    rows = some_rows()
    built = built_tables(rows)
    table = {row["asset_path"]: row for row in built.risk.to_pylist()}
    assert list(table) == sorted(row.asset.asset_path for row in rows)
    cat = table["b/cat.png"]
    assert (cat["band"], cat["work_id"], cat["title"]) == ("escalate", "w1", "The Cat")
    assert cat["risk"] == rows[0].risk
    assert cat["other_works"] == 1
    assert cat["reasons"] == "Escalate: evidence of copying. The outlines agree."
    assert cat["identical_file"] is False
    assert (cat["format"], cat["size"], cat["works_compared"]) == ("PNG", 1234, 12)
    for name in ("perceptual_hash", "clip_embedding"):
        assert cat[f"outcome_{name}"] == "matched"
        assert cat[f"contribution_{name}"] == rows[0].matches[0].contributions[name]
        for measure, value in (values(name, "match") | values(name, "asset")).items():
            assert cat[measure] == value
    assert cat["outcome_text_overlap"] == "not_applicable"
    white = table["white.png"]
    assert white["outcome_reason_perceptual_hash"] == "too_little_detail"
    assert white["outcome_detail_perceptual_hash"] == "a flat picture"
    locked = table["locked.png"]
    assert (locked["risk"], locked["asset_id"], locked["size"]) == (None, None, None)
    assert locked["identical_file"] is None
    assert [(m["asset_path"], m["work_id"], m["rank"]) for m in built.matches.to_pylist()] == [
        ("act one.fountain", "w2", 1),
        ("b/cat.png", "w1", 1),
        ("b/cat.png", "w2", 2),
    ]
    assert built.passages.to_pylist() == [
        {
            "asset_path": "act one.fountain",
            "work_id": "w2",
            "work_file": "w2.file",
            "asset_start": 3,
            "asset_end": 60,
            "work_start": 10,
            "work_end": 71,
            "words": 11,
            "identity": 0.9,
            "asset_id": rows[1].asset.asset_id,
            "longest": 0,
            "score": 0.0,
            "chains": 1,
            "asset_share": 0.0,
            "work_share": 0.0,
            "agreeing": [],
            "asset_scene": None,
            "asset_page": None,
            "work_scene": None,
            "work_page": None,
        }
    ]


def test_columns_of_a_match_are_empty_without_one():
    row = built_tables([no_match_row("a.png")]).risk.to_pylist()[0]
    measures = [m.name for s in STAGES.values() for m in s.measures if m.of == "match"]
    parts = [name for name in row if name.startswith("contribution_")]
    for name in ("work_id", "title", "rightsholder", "rights", *measures, *parts):
        assert row[name] is None


def test_a_drop_of_no_files_has_tables_of_no_rows(tmp_path):
    written(tmp_path, [])
    stored = read_run(tmp_path)
    assert len(stored.table) == 0
    assert list(stored.table.columns) == risk_table_schema().names


def test_the_same_rows_in_any_order_give_the_same_bytes(tmp_path):
    one = written(tmp_path / "one", some_rows())
    two = written(tmp_path / "two", some_rows()[::-1])
    assert one.digests == two.digests
    data = (tmp_path / "one" / RISK_TABLE).read_bytes()
    assert hashlib.sha256(data).hexdigest() == one.digests[RISK_TABLE]
    other = written(tmp_path / "three", some_rows(), replace(RUN, run_id="another"))
    changed = {name for name in one.digests if one.digests[name] != other.digests[name]}
    assert changed == {RISK_TABLE, RISK_CSV, "run.json"}


def passage(**changes):
    defaults = {
        "work_file": "f", "asset_start": 0, "asset_end": 5, "work_start": 0, "work_end": 5,
        "words": 1, "identity": 1.0,
    }  # fmt: skip
    return Passage(**{**defaults, **changes})


def test_the_runs_of_a_passage_are_kept():
    runs = ((0, 2, 1, 3), (3, 5, 3, 5))
    built = tables([flagged_row("a", passages=(passage(agreeing=runs),))], RUN, WORKS, discovered=1)
    names = ("asset_start", "asset_end", "work_start", "work_end")
    (row,) = built.passages.to_pylist()
    assert row["agreeing"] == [dict(zip(names, run, strict=True)) for run in runs]


def with_outcome(row, stage, **changes):
    return replace(
        row,
        outcomes=tuple(replace(o, **changes) if o.stage == stage else o for o in row.outcomes),
    )


def with_match(row, **changes):
    return replace(row, matches=(replace(row.matches[0], **changes), *row.matches[1:]))


FAULTY = {
    "unknown band": (replace(no_match_row("a"), band="cleared"), "unknown band"),
    "risk over 1": (replace(no_match_row("a"), risk=1.0000001), "not between 0 and 1"),
    "risk under 0": (replace(no_match_row("a"), risk=-0.0000001), "not between 0 and 1"),
    "risk not a number": (replace(no_match_row("a"), risk=float("nan")), "not between 0 and 1"),
    "no risk": (replace(no_match_row("a"), risk=None), "has no risk"),
    "risk without screening": (replace(unreadable_row("a"), risk=0.5), "has a risk"),
    "no_match that abstained": (
        replace(abstained_row("a"), band=Band.NO_MATCH, risk=0.1),
        "without having been screened in full",
    ),
    "no_match of a kind that no stage judges": (
        replace(unreadable_row("a"), band=Band.NO_MATCH, risk=0.1),
        "nothing to compare with",
    ),
    "no_match among no works": (replace(no_match_row("a"), works_compared=0), "in full"),
    "no_match with one stage skipped": (
        with_outcome(no_match_row("a"), "clip_embedding", outcome=Outcome.SKIPPED),
        "clip_embedding skipped",
    ),
    "flagged without a match": (replace(no_match_row("a"), band=Band.REVIEW), "0 matches"),
    "a match that is not flagged": (
        replace(flagged_row("a"), band=Band.NO_MATCH),
        "1 matches",
    ),
    "another band than its match's": (
        with_match(flagged_row("a"), band=Band.REVIEW),
        "match review",
    ),
    "a risk though every match is suppressed": (
        replace(with_match(flagged_row("a"), suppressed=True), band=Band.INFO),
        "each of its matches is suppressed",
    ),
    "a band though every match is suppressed": (
        replace(with_match(flagged_row("a"), suppressed=True), risk=None),
        "each of its matches is suppressed",
    ),
    "no_match with a suppressed match": (
        replace(with_match(flagged_row("a"), suppressed=True), risk=None, band=Band.NO_MATCH),
        "1 matches",
    ),
    "unknown work": (with_match(flagged_row("a"), work_id="w9"), "no work of the index"),
    "other contributions": (with_match(flagged_row("a"), contributions={}), "contributions make"),
    "unknown contribution": (
        with_match(flagged_row("a"), contributions={"astrology": 8.0}),
        "astrology",
    ),
    "undeclared measure": (with_match(flagged_row("a"), measures={"aura": 1}), "aura"),
    "measure of another type": (
        with_outcome(
            no_match_row("a"),
            "perceptual_hash",
            facts=dict.fromkeys(values("perceptual_hash", "asset"), b"high"),
        ),
        "is b'high', which is not",
    ),
    "lost evidence": (replace(flagged_row("a"), matches=()), "no match with it"),
    "outcome missing": (
        replace(no_match_row("a"), outcomes=no_match_row("a").outcomes[1:]),
        "0 outcomes",
    ),
    "matched without evidence": (
        with_outcome(flagged_row("a"), "perceptual_hash", evidence=()),
        "evidence on 0 works",
    ),
    "a passage of no characters": (
        flagged_row("a", passages=(passage(asset_end=0),)),
        "passage",
    ),
    "a run outside its passage": (
        flagged_row("a", passages=(passage(agreeing=((0, 6, 0, 5),)),)),
        "passage",
    ),
    "an empty run": (flagged_row("a", passages=(passage(agreeing=((2, 2, 0, 5),)),)), "passage"),
    "identity over 1": (flagged_row("a", passages=(passage(identity=1.1),)), "passage"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_row_that_contradicts_itself_is_never_written(name, tmp_path):
    row, says = FAULTY[name]
    with pytest.raises(TableError) as caught:
        written(tmp_path, [row, no_match_row("good.png")])
    assert any(says in problem for problem in caught.value.problems), caught.value.problems
    assert all(problem.startswith("a: ") for problem in caught.value.problems)
    assert list(tmp_path.iterdir()) == []


def test_every_fault_is_listed_at_once():
    rows = [no_match_row("a"), no_match_row("a"), replace(no_match_row("b"), risk=2.0)]
    with pytest.raises(TableError) as caught:
        tables(rows, RUN, WORKS, discovered=4)
    assert len(caught.value.problems) == 3
    assert "4 files were discovered and the table has 3 rows" in str(caught.value)
    many = [replace(no_match_row(f"{n:03d}"), risk=2.0) for n in range(50)]
    with pytest.raises(TableError, match="and 30 more"):
        tables(many, RUN, WORKS, discovered=50)


@pytest.mark.parametrize("risk", [None, 0.2])
def test_a_partly_screened_row_may_have_a_risk_or_none(risk):
    row = with_outcome(no_match_row("a"), "clip_embedding", outcome=Outcome.ABSTAINED)
    built_tables([replace(row, band=Band.PARTLY_SCREENED, risk=risk)])


@pytest.mark.parametrize("risk", [0.0, 1.0])
def test_risks_of_exactly_0_and_1_are_risks(risk):
    built_tables([replace(no_match_row("a"), risk=risk)])


def test_counts_name_every_band_and_urgency_sorts_the_bands():
    rows = some_rows()
    assert counts(rows) == {
        "escalate": 1, "review": 1, "info": 0, "partly_screened": 0, "not_screened": 2,
        "no_match": 1,
    }  # fmt: skip
    weak, strong = flagged_row("a", 7.5), flagged_row("b", 8.5)
    assert sorted([no_match_row("0"), weak, strong], key=urgency)[:2] == [strong, weak]


# ------------------------------------------------------------------------------- the spreadsheet

TRIGGERS = "=+-@\t\r\n＝＋－＠"


def csv_of(table):
    out = io.BytesIO()
    write_csv(table, out)
    return out.getvalue()


def cells_of(data):
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
@example(["=cmd|' /C calc'!A0", "\t=1", "\r=1", "\n=1", "  +1", '"=1', "＝1", "-2", "@SUM(A1)"])
@example(["a;=1", "x\n=HYPERLINK(1)", "'=1", ",=1", "\xa0=1", "\u202e=1", "\x00=1", ""])
def test_no_cell_of_text_can_be_run(texts):
    table = pa.table({"x": pa.array(texts, pa.string()), "n": pa.array(range(len(texts)))})
    rows = cells_of(csv_of(table))
    assert len(rows) == len(texts) + 1
    for row in rows:
        assert len(row) == 2
        assert not row[0].startswith(tuple(TRIGGERS))
        assert not row[0].strip(" \u3000\xa0\"'").startswith(tuple(TRIGGERS)) or row[0][0] == "'"
        # The same where the program splits lines at semicolons, and where quotes are ignored.
        for part in row[0].replace("\n", ";").split(";"):
            assert not part.strip().startswith(tuple("=+-@＝＋－＠"))


@given(st.text(st.characters(codec="utf-8")))
def test_a_cell_only_gains_apostrophes_and_escapes(text):
    plain = "".join(c for c in text if c.isprintable() or c == "\n")
    assert text_cell(plain).replace("'", "") == plain.replace("'", "")


@pytest.mark.parametrize("text", ["plain.png", "a=b", "x-y", "1 - 2", "Ünï – ©", "a\nb", "mail@x"])
def test_harmless_text_stays_as_it_is(text):
    assert text_cell(text) == text


def test_numbers_stay_numbers_and_come_back_exactly():
    numbers = [-1.5, 1e-300, 0.1 + 0.2, None, -0.0]
    table = pa.table({"f": pa.array(numbers, pa.float64()), "i": [-1, 2, None, 4, 5]})
    read = cells_of(csv_of(table))[1:]
    assert [row[0] for row in read] == ["-1.5", "1e-300", "0.30000000000000004", "", "-0.0"]
    assert [row[1] for row in read] == ["-1", "2", "", "4", "5"]
    truths = cells_of(csv_of(pa.table({"b": [True, False, None]})))[1:]
    assert truths == [["true"], ["false"], [""]]


def test_the_csv_is_the_table_in_a_form_that_excel_reads(tmp_path):
    rows = [no_match_row("naïve „größe“.png"), no_match_row("two\nlines.png"), *some_rows()]
    written(tmp_path, rows)
    data = (tmp_path / RISK_CSV).read_bytes()
    assert data.startswith(b"\xef\xbb\xbfasset_path,")
    assert data.endswith(b"\r\n")
    frame = pd.read_csv(tmp_path / RISK_CSV)
    table = pq.read_table(tmp_path / RISK_TABLE)
    assert list(frame.columns) == table.column_names
    assert list(frame["asset_path"]) == table["asset_path"].to_pylist()
    risks = table["risk"].to_pandas()
    pd.testing.assert_series_equal(frame["risk"], risks, check_exact=True)


# ----------------------------------------------------------------------- files, whole or not at all


def test_a_crash_leaves_the_old_results_complete_and_no_other_file(tmp_path):
    written(tmp_path, some_rows())
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def run_that_crashes():
        with ResultFiles(tmp_path) as files:
            write_tables(files, [no_match_row("a")], RUN, WORKS, discovered=1)
            assert {n: (tmp_path / n).read_bytes() for n in before} == before
            raise RuntimeError

    with pytest.raises(RuntimeError):
        run_that_crashes()
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_files_left_by_a_killed_run_are_taken_away_in_time(tmp_path):
    import os

    own, foreign = tmp_path / ".risk_table.csv.0123abcd.partial", tmp_path / ".film.mov.partial"
    for file in (own, foreign):
        file.touch()
        os.utime(file, (0, 0))
    written(tmp_path, [])
    assert not own.exists()
    assert foreign.exists(), "it is somebody else's"


@pytest.mark.parametrize("kill_at", range(9))
@pytest.mark.parametrize("reader", ["explain", "next run"])
def test_a_run_killed_at_any_rename_leaves_the_results_of_one_run(
    tmp_path, monkeypatch, kill_at, reader
):
    class Killed(BaseException):
        pass

    out = tmp_path / "out"
    written(out, some_rows())
    old = {f.name: f.read_bytes() for f in out.iterdir()}
    written(tmp_path / "whole", [no_match_row("a")], replace(RUN, run_id="new"))
    new = {f.name: f.read_bytes() for f in (tmp_path / "whole").iterdir()}
    done = []

    def dying(self, target, original=Path.replace):
        if len(done) == kill_at:
            raise Killed
        done.append(target)
        return original(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying)
        # A process that is killed cleans nothing up.
        patch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
        with contextlib.suppress(Killed):
            written(out, [no_match_row("a")], replace(RUN, run_id="new"))
    if reader == "explain":
        read_run(out)
    else:
        with contextlib.suppress(Killed), ResultFiles(out):
            raise Killed
    contents = {f.name: f.read_bytes() for f in out.iterdir() if f.name in old}
    assert contents == (new if done else old)


def test_two_runs_never_write_to_one_folder(tmp_path):
    written(tmp_path, some_rows())
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with (
        ResultFiles(tmp_path),
        pytest.raises(DropError, match="Another run is writing"),
        ResultFiles(tmp_path),
    ):
        pass
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    written(tmp_path, some_rows())


def test_a_folder_in_a_result_s_place_is_refused_before_the_run(tmp_path):
    (tmp_path / "run.json").mkdir()
    with pytest.raises(DropError, match=r"run\.json is a folder"), ResultFiles(tmp_path):
        pass


def test_a_run_is_read_back_as_pandas(tmp_path):
    written(tmp_path, some_rows())
    stored = read_run(tmp_path)
    assert stored.run["run_id"] == RUN.run_id
    flagged = stored.table[stored.table["band"] == "escalate"]
    assert list(flagged["work_id"]) == ["w1"]
    assert stored.table["size"].dtype == "Int64"
    assert len(stored.matches) == 3
    assert len(stored.passages) == 1
    # A column of truth with missing values still selects rows.
    assert len(stored.table[stored.table["identical_file"]]) == 0


def test_reading_leaves_no_reader_in_the_background(tmp_path):
    """Arrow's dataset scanner lets go of the bytes in a thread of its own; where the interpreter
    had ended by then, `clearance explain` was aborted with status 134."""
    written(tmp_path, some_rows())
    program = (
        "import sys; from pathlib import Path; from pipeline.results.files import read_run; "
        "read_run(Path(sys.argv[1])); print('pyarrow.dataset' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_results_that_cannot_be_trusted_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(RunError, match=r"run\.json"):
        read_run(tmp_path)
    with pytest.raises(RunError, match="no results"):
        read_run(tmp_path / "nowhere")
    written(tmp_path, some_rows())
    for name in (RISK_TABLE, MATCHES, PASSAGES):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[:-1] + b"!")
        with pytest.raises(RunError, match="is not the file that the run"):
            read_run(tmp_path)
        (tmp_path / name).unlink()
        with pytest.raises(RunError, match=name):
            read_run(tmp_path)
        (tmp_path / name).write_bytes(whole)
    (tmp_path / RISK_TABLE).write_bytes(b"not parquet")
    (tmp_path / "run.json").write_text(json.dumps({"run_id": "x"}))
    with pytest.raises(RunError, match="not a readable Parquet"):
        read_run(tmp_path)
    pq.write_table(pa.table({"a": [1]}), tmp_path / RISK_TABLE)
    with pytest.raises(RunError, match="no column asset_path"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match="not JSON"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(RunError, match="manifest"):
        read_run(tmp_path)


def test_text_that_is_not_unicode_costs_no_row():
    row = replace(no_match_row("a.png"), reasons=("odd \udce9 byte",))
    assert built_tables([row]).risk["reasons"].to_pylist() == ["odd \\udce9 byte"]


def test_an_asset_of_no_kind_that_is_a_registered_file_still_matches():
    row = unreadable_row("x.bin", Reason.UNSUPPORTED)
    row = replace(row, asset=asset("x.bin", Kind.OTHER))
    assert built_tables([row]).risk["identical_file"].to_pylist() == [False]


# ------------------------------------------------------------------------------- the documentation

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "risk-table.md").read_text(encoding="utf-8")
TYPES = {"int": "whole number", "float": "number", "bool": "truth", "str": "text"}


def test_every_column_of_every_file_is_documented():
    for schema in (risk_table_schema(), match_schema(), passage_schema()):
        for name in schema.names:
            stage = next((stage for stage in STAGES if name.endswith(f"_{stage}")), "")
            documented = f"{name.removesuffix(stage)}STAGE" if stage else name
            assert f"`{documented}`" in DOCUMENTED
    assert all(f"`{stage}`" in DOCUMENTED for stage in STAGES)


def test_every_measure_is_documented_as_its_stage_declares_it():
    lines = [
        f"| `{m.name}` | {m.of} | {TYPES[m.dtype]} | {m.unit} | {m.description} |"
        for stage in STAGES.values()
        for m in stage.measures
    ]
    missing = [line for line in lines if line not in DOCUMENTED]
    assert not missing, "docs/risk-table.md lacks:\n" + "\n".join(missing)


def test_every_band_outcome_and_reason_is_documented():
    for value in (*Band, *Outcome, *Reason):
        assert f"`{value}`" in DOCUMENTED
