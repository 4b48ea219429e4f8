"""Explaining a row from the stored files of a run."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rich.console import Console
from row_samples import (
    PRIOR,
    RUN,
    WORKS,
    flagged_row,
    no_match_row,
    some_rows,
    unreadable_row,
    values,
)

from pipeline.cli.terminal.explain import print_row
from pipeline.cli.terminal.risk import print_not_screened, print_table
from pipeline.core.errors import DropError, Reason, RunError
from pipeline.core.records import Band, Kind, Passage
from pipeline.report.explain import explained_row, explanation
from pipeline.report.explain_overlay import write_overlay
from pipeline.report.overlap import MEASURES
from pipeline.report.unscreened import reason_counts
from pipeline.results.files import ResultFiles
from pipeline.results.inputs import asset_place, drop_of, drop_places
from pipeline.results.table import write_tables


def store(out, rows, **more):
    with ResultFiles(out) as files:
        write_tables(files, rows, RUN, WORKS, discovered=len(rows))
        run = {
            "calibration": {"prior": {"image": PRIOR, "script": PRIOR}},
            "outputs": dict(files.digests),
            **more,
        }
        files.write_json("run.json", run)
    return out


@pytest.fixture
def out(tmp_path):
    return store(tmp_path / "out", some_rows())


def explain(out, asset):
    return explanation(explained_row(out, asset))


def printed(out, asset, width=100):
    text = io.StringIO()
    print_row(explained_row(out, asset), Console(file=text, width=width))
    return text.getvalue()


def test_the_steps_lead_from_the_prior_to_the_risk(out):
    explanation = explain(out, "b/cat.png")
    match = explanation["matches"][0]
    assert explanation["prior"] == PRIOR
    assert [step["name"] for step in match["steps"]] == [
        "prior", "perceptual_hash", "clip_embedding", "local_features", "total",
    ]  # fmt: skip
    assert match["steps"][-1]["risk"] == pytest.approx(explanation["risk"], abs=1e-12)
    assert match["contributions"]["perceptual_hash"] == match["steps"][1]["added"]
    assert [m["work_id"] for m in explanation["matches"]] == ["w1", "w2"]
    named = {figure["name"] for figure in match["figures"]}
    stages = ("perceptual_hash", "clip_embedding", "local_features")
    assert named == {name for stage in stages for name in values(stage, "match")}
    assert match["work_files"] == dict.fromkeys(stages, "w1.file")
    json.dumps(explanation, allow_nan=False)


def test_a_row_is_found_by_path_end_of_path_and_sha256(out):
    asset_id = explain(out, "b/cat.png")["asset_id"]
    assert explain(out, "cat.png")["asset_path"] == "b/cat.png"
    assert explain(out, "./b/cat.png")["asset_path"] == "b/cat.png"
    assert explain(out, "at.png")["asset_path"] == "b/cat.png"
    assert explain(out, asset_id.upper())["asset_path"] == "b/cat.png"


def test_the_whole_path_goes_before_the_end_of_another(tmp_path):
    out = store(tmp_path, [no_match_row("x.png"), no_match_row("a/x.png"), no_match_row("ax.png")])
    assert explain(out, "x.png")["asset_path"] == "x.png"
    assert explain(out, "a/x.png")["asset_path"] == "a/x.png"


def test_a_path_is_found_as_it_was_printed(tmp_path):
    out = store(tmp_path, [no_match_row("two\nlines.png"), no_match_row("other.png")])
    assert explain(out, "two\\nlines.png")["asset_path"] == "two\nlines.png"


@pytest.mark.parametrize(
    ("asset", "says"),
    [
        ("cta.png", "b/cat.png"),
        ("CAT", "b/cat.png"),
        ("nothing like it", "risk_table.csv"),
        ("", "risk_table.csv"),
    ],
)
def test_an_unknown_asset_is_refused_with_the_nearest(out, asset, says):
    with pytest.raises(RunError, match=r"has no asset") as caught:
        explain(out, asset)
    assert says in str(caught.value)


def test_an_ambiguous_asset_is_refused_with_those_it_names(tmp_path):
    rows = [no_match_row(f"{n}/same.png") for n in range(7)]
    out = store(tmp_path, rows)
    with pytest.raises(RunError, match="names 7 assets") as caught:
        explain(out, "same.png")
    assert "0/same.png, 1/same.png" in str(caught.value)
    assert "and 2 more" in str(caught.value)


def test_the_terminal_says_what_each_stage_said_and_why(out):
    output = printed(out, "b/cat.png")
    for words in ("b/cat.png", "Escalate", "Perceptual hash", "matched", "does not apply",
                  "“The Cat” (w1)", "“Der Kaffee – Maß” (w2)", "Before any evidence", "Together",
                  "A. Holder & Sons, protected"):  # fmt: skip
        assert words in output
    white = printed(out, "white.png")
    assert "could not judge it: a flat picture" in white
    assert "Not screened" in white


def test_passages_are_given_by_offsets_where_the_texts_are_gone(out):
    explanation = explain(out, "act one.fountain")
    passages = explanation["matches"][0]["passages"]
    assert [(p["asset_start"], p["asset_end"], p["words"]) for p in passages] == [(3, 60, 11)]
    assert passages[0]["asset_text"] is None
    assert "characters 3–60 of the asset" in " ".join(printed(out, "act one.fountain").split())


def test_a_passage_that_is_not_counted_is_not_said_to_be_seldom_copied(tmp_path):
    row = flagged_row("a", nats=0.0, kind=Kind.SCRIPT, band=Band.INFO)
    output = printed(store(tmp_path / "out", [row]), "a")
    assert "what was found adds nothing to it" in output
    assert "in 100 labelled pairs" not in output


TEXT = "One two three four five six seven eight nine ten eleven twelve thirteen words stand here."


def test_the_text_is_shown_while_the_file_is_still_the_one_screened(tmp_path):
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "act.txt").write_text(TEXT, encoding="utf-8")
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    passage = Passage("w1.file", 4, 30, 0, 10, 5, 0.5)
    row = flagged_row(
        "act.txt", kind=Kind.SCRIPT, passages=(passage,), asset_id=digest, size=len(TEXT)
    )
    out = store(tmp_path / "out", [row], drop=str(drop))
    unchanged = explain(out, "act.txt")["matches"][0]["passages"][0]
    assert unchanged["asset_text"] == TEXT[4:30]
    assert TEXT[4:30] in printed(out, "act.txt")
    (drop / "act.txt").write_text(TEXT.replace("two", "2"), encoding="utf-8")
    changed = explain(out, "act.txt")["matches"][0]["passages"][0]
    assert changed["asset_text"] is None
    assert changed["asset_start"] == 4


def test_a_name_cannot_act_on_the_terminal(tmp_path):
    name = "[red]x[/red]\x1b[31m\n\u202egnp.png"
    row = replace(flagged_row(name), reasons=(f"Escalate: {name}",))
    output = printed(store(tmp_path, [row]), name)
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert "[red]x[/red]\\x1b[31m\\n\\u202egnp.png" in output


def test_without_a_prior_the_risk_is_given_without_steps(tmp_path):
    out = store(tmp_path, some_rows(), calibration={})
    explanation = explain(out, "b/cat.png")
    assert explanation["prior"] is None
    assert explanation["matches"][0]["steps"] == []
    assert "Risk" in printed(out, "b/cat.png")


def test_an_asset_that_was_never_read_is_explained(tmp_path):
    output = printed(store(tmp_path, [unreadable_row("x.png")]), "x.png")
    assert "permission denied" in output
    assert "size unknown" in output


def test_the_table_in_the_terminal_shows_the_most_urgent_rows(out):
    text = io.StringIO()
    console = Console(file=text, width=140)
    print_table(some_rows(), console, WORKS, limit=3)
    lines = text.getvalue().splitlines()
    assert "b/cat.png" in lines[1]
    assert "The Cat" in lines[1]
    assert "act one.fountain" in lines[2]
    assert "2 more rows in risk_table.csv" in lines[-1]
    text.truncate(0)
    print_table([], console)
    assert "more" not in text.getvalue()


def test_rows_in_the_terminal_say_in_what_they_differ():
    text = io.StringIO()
    console = Console(file=text, width=220)
    measures = {"overlap_inliers": 142, "overlap_asset_share": 0.3, "pdq_distance": 12}
    row = flagged_row("copy.png", reasons=("Escalate: evidence.", "The picture's outline agrees."))
    copy = replace(row, matches=(replace(row.matches[0], measures=measures),))
    same = flagged_row("same.png", identical=True)
    rows = [copy, same, no_match_row("own.png"), unreadable_row("broken.png")]
    print_table(rows, console, WORKS)
    found = " ".join(text.getvalue().split())
    assert "The Cat: 142 agreeing points over 30 % of the asset; PDQ distance 12" in found
    assert "The Cat: the identical file" in found
    assert "outline agrees" not in found
    assert "No match found among" not in found
    assert "the file can't be read (permission denied)" in found
    assert found.count("Not screened") == 1, "in the column of bands only"


def test_what_was_not_screened_is_counted_by_reason():
    text = io.StringIO()
    console = Console(file=text, width=200)
    rows = [
        unreadable_row("a.png", Reason.CORRUPT),
        unreadable_row("b.png", Reason.CORRUPT),
        unreadable_row("c.txt", Reason.EMPTY_FILE),
        no_match_row("d.png"),
    ]
    counted = reason_counts(rows, Band.NOT_SCREENED)
    assert counted == {"Damaged file": 2, "Empty file": 1}
    print_not_screened({Band.NOT_SCREENED: counted, Band.PARTLY_SCREENED: {}}, console)
    assert text.getvalue() == "Not screened: damaged file 2, empty file 1.\n"


OVERLAP = {
    "overlap_inliers": pa.array([142], pa.int64()),
    "overlap_asset_share": pa.array([0.3], pa.float64()),
    "overlap_work_share": pa.array([1.0], pa.float64()),
    "overlap_agreement": pa.array([0.93], pa.float64()),
    "overlap_transform": pa.array(["-0.5 0 0.75 0 0.6 0.2 0 0 1"]),
    "overlap_negative": pa.array([False]),
    "overlap_frame": pa.array([0], pa.int64()),
    "overlap_found_by": pa.array(["perceptual hash, local features"]),
    "work_file_local_features": pa.array(["works/cat.png"]),
}


def store_overlap(out, row, changes=None, **run):
    """A stored run whose first match has these measures, for any set of registered stages."""
    store(out, [row], **run)
    table = pq.read_table(out / "matches.parquet")
    for name, cells in OVERLAP.items():
        if name in table.column_names:
            table = table.drop_columns([name])
        value = (changes or {}).get(name, cells[0].as_py())
        column = pa.array([value] + [None] * (table.num_rows - 1), cells.type)
        place = table.column_names.index("risk") + 1 if name in MEASURES else table.num_columns
        table = table.add_column(place, name, column)
    pq.write_table(table, out / "matches.parquet")
    manifest = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({**manifest, "outputs": {}}))
    return out


def test_the_overlap_is_said_in_words(tmp_path):
    out = store_overlap(tmp_path, flagged_row("a.png"))
    output = " ".join(printed(out, "a.png").split())
    assert (
        "The work’s picture lies in the asset: the two agree over 30 % of the asset and 100 % of "
        "the work; mirrored, scaled by 0.55 (at 1 it would fill the asset); 142 agreeing points;"
        in output
    )
    assert "proposed by perceptual hash and local features." in output
    assert "-0.5 0 0.75" not in output
    match = explain(out, "a.png")["matches"][0]
    assert match["overlap"]["transform"] == "mirrored, scaled by 0.55"
    assert match["overlap"]["not_drawn"] is None
    figures = {figure["name"]: figure["value"] for figure in match["figures"]}
    assert figures["overlap_transform"] == "-0.5 0 0.75 0 0.6 0.2 0 0 1"
    json.dumps(match, allow_nan=False)


def test_a_broken_transform_is_said_to_be_one(tmp_path):
    out = store_overlap(tmp_path, flagged_row("a.png"), {"overlap_transform": "1 0 0 \x1b[31m"})
    output = " ".join(printed(out, "a.png").split())
    assert "It can’t be drawn: the stored transform is not nine numbers." in output
    assert "\x1b" not in output
    assert explain(out, "a.png")["matches"][0]["overlap"]["transform"] is None


@pytest.fixture
def screened(tmp_path):
    """A drop of one picture, an index that keeps a picture of the work in it, and their run."""
    return make_screened(tmp_path)


def make_screened(folder, changes=None, *, keep_content=True, frames=1):
    from pipeline.load.image.images import thumbnail
    from pipeline.load.loaded import LoadedImage
    from reference_index.interface import FingerprintSpec, WorkFile
    from reference_index.store import ReferenceIndex, RegisteredFile

    rng = np.random.default_rng(5)
    (folder / "drop" / "b").mkdir(parents=True)
    file = folder / "drop" / "b" / "cat.png"
    pages = [
        Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((800, 600))
        for _ in range(frames)
    ]
    pages[0].save(file, save_all=frames > 1, append_images=pages[1:])
    work = LoadedImage((np.asarray(pages[0])[:, ::-1],), "PNG")
    schema = pa.schema([("hash", pa.binary(8))])
    spec = FingerprintSpec("bits", "bits/1", {}, None, {}, "canary")
    index = ReferenceIndex.create(
        folder / "idx", [spec], {"bits": schema}, keep_content=keep_content
    )
    registered = RegisteredFile(
        WORKS["w1"],
        WorkFile("w1", "works/cat.png", "f" * 64, "image", "PNG", 100),
        {"bits": pa.record_batch([pa.array([b"12345678"], pa.binary(8))], schema=schema)},
        thumbnail(work) if keep_content else None,
        None,
    )
    index.add([registered])
    data = file.read_bytes()
    row = flagged_row(
        "b/cat.png", asset_id=hashlib.sha256(data).hexdigest(), size=len(data), work_ids=("w1",)
    )
    place = {"path": str(folder / "idx"), "version": index.version, "digest": index.digest}
    store_overlap(folder / "out", row, changes, drop=str(folder / "drop"), index=place)
    return folder


def size_of(picture):
    with Image.open(picture) as opened:
        assert opened.format == "PNG"
        return opened.size


def test_the_overlay_is_written_from_the_asset_s_file(screened):
    done = write_overlay(screened / "out", "cat.png", screened / "seen.png")
    assert done.note == ""
    assert done.work_id == "w1"
    assert "mirrored" in done.sentence
    width, height = size_of(screened / "seen.png")
    assert width == 3 * 480 + 4 * 16
    assert height < 600


def test_without_stored_content_only_the_asset_is_drawn(tmp_path):
    folder = make_screened(tmp_path, keep_content=False)
    done = write_overlay(folder / "out", "cat.png", folder / "seen.png")
    assert done.note == "The index keeps no picture of the work to lay onto the asset."
    assert size_of(folder / "seen.png")[0] == 480 + 2 * 16


def test_without_the_index_only_the_asset_is_drawn(screened):
    (screened / "idx").rename(screened / "elsewhere")
    done = write_overlay(screened / "out", "cat.png", screened / "seen.png")
    assert done.note.startswith("The index that was searched is not there")
    assert size_of(screened / "seen.png")[0] == 480 + 2 * 16


def test_the_frame_of_an_animation_is_the_one_measured(tmp_path):
    folder = make_screened(tmp_path, {"overlap_frame": 2}, frames=3)
    done = write_overlay(folder / "out", "cat.png", folder / "seen.png")
    assert "in frame 3 of the file" in done.sentence
    with Image.open(folder / "drop" / "b" / "cat.png") as animation:
        animation.seek(2)
        expected = animation.convert("RGB").resize((480, 360)).getpixel((30, 30))
    with Image.open(folder / "seen.png") as picture:
        assert np.abs(np.subtract(picture.getpixel((16 + 30, 16 + 30)), expected)).max() < 12


def test_an_asset_that_is_gone_or_changed_is_refused_in_one_sentence(screened):
    file = screened / "drop" / "b" / "cat.png"
    Image.new("RGB", (8, 8)).save(file)
    with pytest.raises(RunError, match=r"b/cat\.png in the drop .* has other content than was scr"):
        write_overlay(screened / "out", "cat.png", screened / "seen.png")
    with file.open("wb") as sparse:
        sparse.truncate(200 << 30)  # too large to read in a test
    with pytest.raises(RunError, match=r"b/cat\.png in the drop .* has other content than was scr"):
        write_overlay(screened / "out", "cat.png", screened / "seen.png")
    file.unlink()
    with pytest.raises(RunError, match=r"b/cat\.png can't be read in the drop"):
        write_overlay(screened / "out", "cat.png", screened / "seen.png")
    assert not (screened / "seen.png").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"overlap_transform": "nonsense"}, "not nine numbers"),
        ({"overlap_transform": "nan " * 9}, "not finite"),
        ({"overlap_frame": 7}, "frame 8 of b/cat.png is not among those"),
        ({"overlap_transform": None, "overlap_inliers": None}, "no overlay to draw"),
    ],
)
def test_what_can_t_be_drawn_is_refused_with_the_reason(tmp_path, changes, says):
    folder = make_screened(tmp_path, changes)
    with pytest.raises(RunError, match=says):
        write_overlay(folder / "out", "cat.png", folder / "seen.png")
    assert not (folder / "seen.png").exists()


def test_another_work_must_have_an_overlap(screened):
    assert write_overlay(screened / "out", "cat.png", screened / "a.png", "w1").work_id == "w1"
    with pytest.raises(RunError, match="where the work w9 lies; it found one for w1"):
        write_overlay(screened / "out", "cat.png", screened / "b.png", "w9")


@pytest.fixture
def of_two(screened):
    """The same, with a weaker match with `w2` as well; which of them are suppressed and placed."""

    def suppress(*works, placed=("w1", "w2")):
        file = screened / "out" / "matches.parquet"
        table = pq.read_table(file).slice(0, 1)
        rows = [{**table.to_pylist()[0], "work_id": work} for work in ("w1", "w2")]
        for row in rows:
            row["suppressed"] = row["work_id"] in works
            if row["work_id"] not in placed:
                row |= {"overlap_transform": None, "overlap_inliers": None}
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)

    return suppress


@pytest.mark.parametrize(
    ("suppressed", "placed", "work", "drawn", "says"),
    [
        ((), ("w1", "w2"), None, "w1", ""),
        (("w1",), ("w1", "w2"), None, "w2", ""),
        (("w1", "w2"), ("w1", "w2"), None, "w1", "Every match of this row is suppressed"),
        (("w1",), ("w1",), None, "w1", "with w1 is suppressed; the one with w2 decides the row."),
        ((), ("w2",), None, "w2", "This is the match with w2; the one with w1 decides the row."),
        (("w1",), ("w1", "w2"), "w1", "w1", "with w1 is suppressed; the one with w2 decides"),
    ],
)
def test_the_overlay_is_that_of_the_match_that_decides(
    screened, of_two, suppressed, placed, work, drawn, says
):
    of_two(*suppressed, placed=placed)
    done = write_overlay(screened / "out", "cat.png", screened / "seen.png", work)
    assert done.work_id == drawn
    assert says in done.note
    assert says or "suppressed" not in done.note


def test_nothing_is_overwritten_and_nothing_put_among_the_originals(screened):
    (screened / "there.png").write_bytes(b"somebody's")
    (screened / "link.png").symlink_to(screened / "drop" / "new.png")
    for file, says in (
        (screened / "there.png", "is there already"),
        (screened / "link.png", "inside the drop"),
        (screened / "drop" / "b" / "new.png", "inside the drop"),
        (screened / "idx" / "new.png", "inside the reference index"),
        (screened / "out" / "report.html", "ends in .png"),
        (screened / "nowhere" / "new.png", "can't be written"),
    ):
        with pytest.raises(DropError, match=says):
            write_overlay(screened / "out", "cat.png", file)
    assert (screened / "there.png").read_bytes() == b"somebody's"


def test_the_command_writes_the_overlay_and_says_what_it_shows(screened):
    from typer.testing import CliRunner

    from pipeline.cli import app

    def clearance(*words):
        return CliRunner().invoke(app, ["explain", str(screened / "out"), *map(str, words)])

    result = clearance("cat.png", "--overlay", screened / "a.png")
    assert result.exit_code == 0, result.output
    assert "The work’s picture lies in the asset" in result.stdout
    assert "mirrored" in result.stdout
    assert (screened / "a.png").is_file()
    data = json.loads(clearance("cat.png", "--overlay", screened / "b.png", "--json").stdout)
    assert data["work_id"] == "w1"
    assert data["note"] == ""
    again = clearance("cat.png", "--overlay", screened / "a.png")
    assert again.exit_code == 2
    assert "nothing is overwritten" in again.stderr
    assert clearance("cat.png", "--work", "w1").exit_code == 2


def test_an_asset_of_a_nightly_scan_is_located_in_its_own_drop():
    run = {"drops": {"a": "/one", "b": "/two"}}
    assert asset_place(run, "b/in/x.png") == Path("/two/in/x.png")
    assert asset_place(run, "c/x.png") is None
    assert drop_places(run) == ["/one", "/two"]
    assert drop_of(run, "b/in/x.png") == ("b", "/two")
    assert drop_of({"drop": "/one"}, "in/x.png") == ("", "/one")
    assert asset_place({"drop": "/one"}, "in/x.png") == Path("/one/in/x.png")
    assert asset_place({}, "x.png") is None
    assert drop_places({}) == []
