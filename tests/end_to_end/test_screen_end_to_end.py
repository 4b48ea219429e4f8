"""From files to table through the command line."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.decisions.record import Record

RUN_COLUMNS = ["run_id"]


def table_of(out):
    return pd.read_parquet(out / "risk_table.parquet").set_index("asset_path")


@pytest.fixture(scope="module")
def drop(tmp_path_factory, photos):
    """A copy in every supported picture format, an edited one, and one of no work."""
    folder = tmp_path_factory.mktemp("drop")
    photos["hubble_deep_field"].save(folder / "unrelated.png")
    photos["chelsea"].transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "mirrored.jpg")
    (folder / "a").mkdir()
    photos["coffee"].save(folder / "a" / "coffee.webp", quality=70)
    return folder


@pytest.fixture(scope="module")
def screened(drop, index, tmp_path_factory, run):
    out = tmp_path_factory.mktemp("out")
    answer = run("screen", drop, "--index", index, "--out", out)
    return answer, out


def test_copies_are_flagged_and_the_unrelated_picture_is_not(screened):
    answer, out = screened
    assert answer.status == 0, answer.stderr
    table = table_of(out)
    assert table.loc["mirrored.jpg", "work_id"] == "chelsea"
    assert table.loc["mirrored.jpg", "band"] == "escalate"
    assert table.loc["a/coffee.webp", "work_id"] == "coffee"
    assert table.loc["unrelated.png", "band"] == "no_match"
    assert "No match found among 4 works" in table.loc["unrelated.png", "reasons"]
    assert pd.isna(table.loc["unrelated.png", "work_id"])


def test_the_six_files_are_there_and_agree(screened):
    _, out = screened
    names = {file.name for file in out.iterdir()}
    assert names == {
        "risk_table.parquet",
        "risk_table.csv",
        "report.html",
        "matches.parquet",
        "passages.parquet",
        "run.json",
    }
    table = table_of(out)
    run = json.loads((out / "run.json").read_text())
    assert len(table) == run["files"] == 3
    assert run["counts"]["escalate"] == (table["band"] == "escalate").sum()
    csv = pd.read_csv(out / "risk_table.csv", index_col="asset_path")
    assert list(csv.index) == list(table.index)
    matches = pd.read_parquet(out / "matches.parquet")
    assert list(matches.columns[:4]) == ["asset_path", "asset_id", "work_id", "risk"]
    assert {"mirrored.jpg", "a/coffee.webp"} <= set(matches["asset_path"])


def test_run_json_says_how_to_repeat_the_run(screened, index):
    _, out = screened
    run = json.loads((out / "run.json").read_text())
    assert run["index"]["version"] >= 1
    assert len(run["index"]["digest"]) == 64
    assert len(run["config_fingerprint"]) == 64
    spec = run["index"]["specs"]["clip_embedding"]
    assert len(spec["weights_sha256"]) == 64
    assert run["libraries"]["faiss-cpu"][0].isdigit()
    assert run["config"]["bands"]["escalate"] > run["config"]["bands"]["review"]


def test_the_contributions_add_up_to_the_risk(screened):
    _, out = screened
    run = json.loads((out / "run.json").read_text())
    matches = pd.read_parquet(out / "matches.parquet")
    parts = matches[[c for c in matches.columns if c.startswith("contribution_")]].fillna(0)
    logit = run["calibration"]["prior"]["image"] + parts.sum(axis=1)
    np.testing.assert_allclose(matches["risk"], 1 / (1 + np.exp(-logit)), atol=1e-9)


def test_twice_the_same_tables_but_for_the_run_columns(drop, index, screened, tmp_path, run):
    _, first = screened
    assert run("screen", drop, "--index", index, "--out", tmp_path).status == 0
    for name in ("risk_table.parquet", "matches.parquet", "passages.parquet"):
        one, two = pd.read_parquet(first / name), pd.read_parquet(tmp_path / name)
        one = one.drop(columns=[c for c in RUN_COLUMNS if c in one])
        two = two.drop(columns=[c for c in RUN_COLUMNS if c in two])
        assert one.to_csv().encode() == two.to_csv().encode()
        pd.testing.assert_frame_equal(one, two, check_exact=True)


FORMATS = {
    "same.png": {},
    "same.jpg": {"quality": 92},
    "same.webp": {"quality": 90},
    "same.gif": {},
    "same.tiff": {},
    "same.bmp": {},
    "same.avif": {"quality": 90},
}


@pytest.mark.slow
def test_an_identical_asset_is_at_the_top_with_its_work_in_every_format(tmp_path, photos, run):
    """Every file of every work screened as it is: its own work is the strongest match."""
    works, drop = tmp_path / "works", tmp_path / "drop"
    works.mkdir()
    for name in ("astronaut", "chelsea"):
        for file, options in FORMATS.items():
            photos[name].resize((300, 260)).save(works / f"{name}-{file}", **options)
    photos["coffee"].resize((200, 160)).save(
        works / "moving.webp",
        save_all=True,
        append_images=[photos["rocket"].resize((200, 160))],
        duration=100,
    )
    from end_to_end_texts import write_every_text_format

    write_every_text_format(works)
    idx = tmp_path / "idx"
    run("index", "create", idx)
    added = run("index", "add", idx, works)
    assert added.status == 0, added.stderr
    answer = run("screen", works, "--index", idx, "--out", tmp_path / "out")
    assert answer.status == 0, answer.stdout + answer.stderr
    table = table_of(tmp_path / "out")
    assert len(table) == len(list(works.iterdir()))
    assert list(table["work_id"]) == list(table.index)
    assert table["identical_file"].all()
    assert (table["band"] == "escalate").all()
    assert not drop.exists()


def test_the_drop_is_not_written_to_and_nothing_is_sent(drop, index, tmp_path, run, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a network connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    before = {
        file: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in drop.rglob("*")
        if file.is_file()
    }
    assert run("screen", drop, "--index", index, "--out", tmp_path / "o").status == 0
    after = {
        file: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in drop.rglob("*")
        if file.is_file()
    }
    assert before == after


def test_fail_on_gives_status_1_at_or_above_the_band(drop, index, tmp_path, run):
    escalated = run("screen", drop, "--index", index, "--out", tmp_path, "--fail-on", "escalate")
    assert escalated.status == 1
    lower = run("screen", drop, "--index", index, "--out", tmp_path, "--fail-on", "review")
    assert lower.status == 1
    words = ("screen", drop / "unrelated.png", "--index", index, "--fail-on", "review")
    only = run(*words, "--out", tmp_path / "only")
    assert only.status == 0


def test_an_asset_that_cannot_be_screened_gives_status_3_and_a_row(index, tmp_path, run):
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "movie.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(100))
    answer = run("screen", drop, "--index", index, "--out", tmp_path / "out", "--json")
    assert answer.status == 3
    assert answer.json["counts"]["not_screened"] == 1
    row = table_of(tmp_path / "out").loc["movie.mp4"]
    assert row["band"] == "not_screened"
    assert pd.isna(row["risk"])
    assert "JPEG" in row["reasons"]


def test_white_red_and_gradient_match_nothing(index, tmp_path, run):
    drop = tmp_path / "drop"
    drop.mkdir()
    Image.new("RGB", (300, 200), "white").save(drop / "white.png")
    Image.new("RGB", (300, 200), "red").save(drop / "red.png")
    ramp = np.linspace(0, 255, 300).astype(np.uint8)
    Image.fromarray(np.tile(ramp[None, :, None], (200, 1, 3))).save(drop / "gradient.png")
    assert run("screen", drop, "--index", index, "--out", tmp_path / "out").status == 3
    table = table_of(tmp_path / "out")
    assert (table["band"] == "not_screened").all()
    assert (table["outcome_perceptual_hash"] == "abstained").all()
    assert (table["outcome_clip_embedding"] == "abstained").all()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["screen", "{drop}", "--index", "{tmp}/none", "--out", "{tmp}/o"],
            "clearance index create",
        ),
        (["screen", "{tmp}/none", "--index", "{index}", "--out", "{tmp}/o"], "none"),
        (["screen", "{drop}", "--index", "{index}", "--out", "{drop}/o"], "inside"),
        (["explain", "{tmp}", "x.png"], "run.json"),
        (["index", "show", "{index}", "chelsae"], "chelsea"),
        (["index", "remove", "{index}", "nobody"], "nobody"),
        (["index", "create", "{index}"], "already"),
        (["index", "create", "{tmp}/i", "--model", "no-such-model:tag"], "no-such-model"),
        (["index", "create", "{tmp}/i", "--model", "ViT-B-32"], "weights"),
    ],
)
def test_a_wrong_command_gives_status_2_and_one_sentence(words, says, drop, index, tmp_path, run):
    arguments = [word.format(drop=drop, index=index, tmp=tmp_path) for word in words]
    answer = run(*arguments)
    assert answer.status == 2
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr
    as_json = run(*arguments, "--json")
    assert as_json.status == 2
    assert says in as_json.json["error"]


def test_a_band_that_there_is_not_is_refused_in_one_sentence(drop, tmp_path):
    words = ("screen", str(drop), "--index", "i", "--out", str(tmp_path / "o"), "--fail-on", "info")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "value for '--fail-on': 'info' is not one of 'escalate', 'review'." in done.stderr


def test_every_fault_of_a_configuration_is_said_at_once(drop, index, tmp_path, run):
    config = tmp_path / "mine.yaml"
    config.write_text("version: 1\nbandz: {}\nstages: {perceptual_hash: {phash_max_distanse: 3}}\n")
    answer = run("screen", drop, "--index", index, "--out", tmp_path / "o", "--config", config)
    assert answer.status == 2
    assert "bands" in answer.stderr
    assert "phash_max_distance" in answer.stderr


def test_a_stage_that_is_switched_off_is_not_a_no_match(drop, index, tmp_path, run):
    config = tmp_path / "mine.yaml"
    config.write_text("version: 1\nstages: {clip_embedding: {enabled: false}}\n")
    answer = run(
        "screen", drop / "unrelated.png", "--index", index, "--out", tmp_path / "o",
        "--config", config,
    )  # fmt: skip
    assert answer.status == 3
    row = table_of(tmp_path / "o").iloc[0]
    assert row["band"] == "partly_screened"
    assert row["outcome_clip_embedding"] == "skipped"
    assert "switched off" in row["reasons"]


def test_a_stage_that_breaks_fails_its_rows_and_no_others(drop, index, tmp_path, run, monkeypatch):
    from pipeline.stages import STAGES

    def broken(*args, **kwargs):
        raise RuntimeError("out of order")

    monkeypatch.setattr(STAGES["perceptual_hash"], "fingerprint", broken)
    answer = run("screen", drop, "--index", index, "--out", tmp_path / "o")
    assert answer.status == 3
    table = table_of(tmp_path / "o")
    assert len(table) == 3
    assert (table["outcome_perceptual_hash"] == "failed").all()
    assert table.loc["unrelated.png", "band"] == "partly_screened"
    assert "out of order" in table.loc["unrelated.png", "reasons"]


def test_an_animation_of_more_frames_than_are_kept_is_partly_screened(index, tmp_path, run):
    from PIL import Image

    from training.synthetic import picture

    frames = [Image.fromarray(picture(7_000 + n, 96)) for n in range(6)]
    (tmp_path / "drop").mkdir()
    for name, few in (("six.webp", frames), ("three.webp", frames[:3])):
        few[0].save(tmp_path / "drop" / name, save_all=True, append_images=few[1:], lossless=True)
    config = tmp_path / "few.yaml"
    config.write_text("version: 1\nlimits:\n  max_frames: 3\n", encoding="utf-8")
    answer = run(
        "screen", tmp_path / "drop", "--index", index, "--out", tmp_path / "o", "--config", config
    )
    assert answer.status == 3
    table = table_of(tmp_path / "o")
    assert table.loc["six.webp", "band"] == "partly_screened"
    assert "limits.max_frames" in table.loc["six.webp", "reasons"]
    assert table.loc["three.webp", "band"] == "no_match"
    page = (tmp_path / "o" / "report.html").read_text(encoding="utf-8")
    assert "A part of it was not looked at" in page


def test_an_index_without_scripts_leaves_a_script_not_screened(works, tmp_path, run):
    idx = tmp_path / "idx"
    run("index", "create", idx)
    run("index", "add", idx, works / "coffee.png")  # not a manifest and not a folder
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "coffee.png").write_bytes((works / "coffee.png").read_bytes())
    assert run("index", "add", idx, pictures).status == 0
    answer = run("screen", works / "lamp.fountain", "--index", idx, "--out", tmp_path / "o")
    assert answer.status == 3
    row = table_of(tmp_path / "o").iloc[0]
    assert row["band"] == "not_screened"
    assert "no script" in row["reasons"]


def test_a_lifted_scene_is_shown_with_the_files_own_characters(index, works, tmp_path, run):
    source = (works / "lamp.fountain").read_text(encoding="utf-8")
    lifted = source[source.index("You kept it") :]
    text = "INT. KITCHEN - DAY\r\n\r\nÉva pours the coffee.\r\n\r\nÉVA\r\n" + lifted.upper()
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "new.fountain").write_bytes(text.encode("utf-8"))
    assert run("screen", drop, "--index", index, "--out", tmp_path / "o").status == 0
    passages = pd.read_parquet(tmp_path / "o" / "passages.parquet")
    assert list(passages.columns[:9]) == [
        "asset_path", "work_id", "work_file", "asset_start", "asset_end", "work_start",
        "work_end", "words", "identity",
    ]  # fmt: skip
    first = passages.sort_values("words").iloc[-1]
    asset_text = text[first["asset_start"] : first["asset_end"]]
    work_text = source[first["work_start"] : first["work_end"]]
    assert asset_text.casefold().split() == work_text.casefold().split()
    assert first["words"] > 50
    assert table_of(tmp_path / "o").iloc[0]["band"] == "escalate"


def test_explain_shows_each_stage_and_each_match(screened, run):
    _, out = screened
    text = run("explain", out, "mirrored.jpg")
    assert text.status == 0
    assert "Chelsea" in text.stdout
    assert "perceptual hash" in text.stdout.lower()
    data = run("explain", out, "mirrored", "--json")
    assert data.status == 2 or data.json
    asset_id = table_of(out).loc["mirrored.jpg", "asset_id"]
    assert run("explain", out, asset_id[:12], "--json").json["asset_path"] == "mirrored.jpg"
    unknown = run("explain", out, "mirored.jpg")
    assert unknown.status == 2
    assert "mirrored.jpg" in unknown.stderr


def test_a_cut_out_is_found_on_any_ground(photos, tmp_path, run):
    from PIL import Image, ImageDraw

    cat = photos["chelsea"].convert("RGBA").resize((300, 200))
    mask = Image.new("L", cat.size, 0)
    ImageDraw.Draw(mask).ellipse((60, 10, 240, 190), fill=255)
    cat.putalpha(mask)
    (tmp_path / "works").mkdir()
    cat.save(tmp_path / "works" / "cat.png")
    (tmp_path / "drop").mkdir()
    for ground in ("white", "black"):
        sheet = Image.new("RGBA", cat.size, ground)
        sheet.alpha_composite(cat)
        sheet.convert("RGB").save(tmp_path / "drop" / f"{ground}.jpg")
    idx = tmp_path / "idx"
    assert run("index", "create", idx).status == 0
    assert run("index", "add", idx, tmp_path / "works").status == 0
    assert run("screen", tmp_path / "drop", "--index", idx, "--out", tmp_path / "o").status == 0
    assert set(table_of(tmp_path / "o")["band"]) == {"escalate"}


def test_results_never_replace_the_drop_and_are_never_inside_the_index(index, tmp_path, run):
    single = tmp_path / "report.html"
    single.write_text("only five words stand here", encoding="utf-8")
    answer = run("screen", single, "--index", index, "--out", tmp_path)
    assert answer.status == 2
    assert "overwritten" in answer.stderr
    assert single.read_text(encoding="utf-8") == "only five words stand here"
    for inside in (index, index / "o"):
        answer = run("screen", single, "--index", index, "--out", inside)
        assert answer.status == 2
        assert "inside the reference index" in answer.stderr
    assert not (index / "o").exists()


def test_a_damaged_fingerprint_is_no_no_match(works, tmp_path, run):
    import pyarrow as pa

    from reference_index.store import ReferenceIndex

    idx = tmp_path / "idx"
    assert run("index", "create", idx).status == 0
    assert run("index", "add", idx, works / "works.csv").status == 0
    rows = ReferenceIndex.open(idx).entries("perceptual_hash").rows
    pdq = pa.Table.from_batches(rows.to_batches()).column("pdq")[0].as_py()
    [file] = [
        file
        for file in (idx / "tables" / "perceptual_hash.lance" / "data").iterdir()
        if pdq in file.read_bytes()
    ]
    file.write_bytes(file.read_bytes().replace(pdq, bytes(255 - byte for byte in pdq)))
    answer = run("screen", works, "--index", idx, "--out", tmp_path / "o")
    assert answer.status == 2
    assert "is damaged" in answer.stderr
    assert not (tmp_path / "o").exists()


@pytest.mark.slow
def test_an_earlier_version_of_the_index_repeats_a_run(works, photos, tmp_path, run):
    idx, extra = tmp_path / "idx", tmp_path / "extra"
    extra.mkdir()
    photos["ihc"].save(extra / "tissue.png")
    assert run("index", "create", idx).status == 0
    assert run("index", "add", idx, works / "works.csv").status == 0
    assert run("index", "add", idx, extra).status == 0
    bands = {}
    for version in ("2", "3"):
        out = tmp_path / version
        run("screen", extra, "--index", idx, "--out", out, "--index-version", version)
        bands[version] = table_of(out).loc["tissue.png", ["band", "index_version"]].tolist()
    assert bands == {"2": ["no_match", 2], "3": ["escalate", 3]}
    wrong = run("screen", extra, "--index", idx, "--out", tmp_path / "o", "--index-version", "9")
    assert wrong.status == 2


def test_a_flagged_file_that_was_looked_at_in_part_gives_status_3(index, photos, tmp_path, run):
    from training.synthetic import picture

    frames = [Image.fromarray(picture(7_000 + n, 96)) for n in range(5)]
    frames[2] = photos["chelsea"].convert("RGB").resize((96, 96))
    (tmp_path / "drop").mkdir()
    frames[0].save(
        tmp_path / "drop" / "a.webp", save_all=True, append_images=frames[1:], lossless=True
    )
    config = tmp_path / "few.yaml"
    config.write_text("version: 1\nlimits:\n  max_frames: 3\n", encoding="utf-8")
    words = ("screen", tmp_path / "drop", "--index", index, "--out", tmp_path / "o")
    assert run(*words).status == 0
    assert run(*words, "--config", config).status == 3
    row = table_of(tmp_path / "o").loc["a.webp"]
    assert row["band"] == "escalate"
    assert row["hash_frame"] == 2, "the frame of the file, not of those that were kept"


def test_a_configuration_that_ships_is_found_from_anywhere(drop, index, tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("screen", drop, "--index", index, "--out", tmp_path / "o", "--json", "--config")
    strict = run(*words, "configs/strict.yaml").json["config_fingerprint"]
    assert strict == run(*words, "strict.yaml").json["config_fingerprint"]
    assert run(*words, "other/strict.yaml").status == 2


SYSTEM_FILES = {
    ".DS_Store": b"\x00\x00\x00\x01Bud1" + bytes(64),
    "__MACOSX/._unrelated.png": b"\x00\x05\x16\x07\x00\x02\x00\x00" + bytes(64),
}


@pytest.fixture
def drop_of_a_mac(drop, tmp_path):
    folder = tmp_path / "mac"
    (folder / "__MACOSX").mkdir(parents=True)
    shutil.copy(drop / "unrelated.png", folder)
    for name, content in SYSTEM_FILES.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_system_file_is_a_row_that_does_not_raise_the_status(drop_of_a_mac, index, tmp_path, run):
    answer = run("screen", drop_of_a_mac, "--index", index, "--out", tmp_path / "o", "--json")
    assert answer.status == 0
    assert answer.json["system_files"] == {"rows": 2, "counted": 0}
    table = table_of(tmp_path / "o")
    for name in SYSTEM_FILES:
        row = table.loc[name]
        assert (row["kind"], row["band"]) == ("other", "not_screened")
        assert "operating system" in row["reasons"]
    (drop_of_a_mac / "empty.png").touch()
    answer = run("screen", drop_of_a_mac, "--index", index, "--out", tmp_path / "o")
    assert answer.status == 3, "another file that was not screened does"


def test_system_files_are_counted_without_a_row_on_request(drop_of_a_mac, index, tmp_path, run):
    config = tmp_path / "count.yaml"
    config.write_text("version: 1\nsystem_files: count\n", encoding="utf-8")
    words = ("--index", index, "--config", config, "--json")
    answer = run("screen", drop_of_a_mac, "--out", tmp_path / "o", *words)
    assert answer.status == 0
    assert list(table_of(tmp_path / "o").index) == ["unrelated.png"]
    stored = json.loads((tmp_path / "o" / "run.json").read_bytes())
    assert stored["files"] == 3
    assert stored["system_files"] == {"rows": 0, "counted": 2}
    (drop_of_a_mac / "unrelated.png").unlink()
    answer = run("screen", drop_of_a_mac, "--out", tmp_path / "o", *words)
    assert answer.status == 3, "nothing was screened"
    assert "no files to screen" in answer.stderr


def test_results_of_another_drop_are_replaced_only_on_request(drop, index, tmp_path, run):
    first = ("screen", drop / "unrelated.png", "--index", index, "--out", tmp_path / "o")
    other = ("screen", drop, "--index", index, "--out", tmp_path / "o")
    assert run(*first).status == 0
    run_id = json.loads((tmp_path / "o" / "run.json").read_bytes())["run_id"]
    refused = run(*other)
    assert refused.status == 2
    assert f"{drop / 'unrelated.png'}" in refused.stderr
    assert json.loads((tmp_path / "o" / "run.json").read_bytes())["run_id"] == run_id
    (tmp_path / "o" / "record.sqlite").write_bytes(b"decisions")
    answer = run(*other, "--replace")
    moved = tmp_path / f"o.{run_id}"
    assert answer.status == 0
    assert f"Earlier results and decisions moved to: {moved}" in answer.stdout
    assert f"--record {moved} uses those decisions" in " ".join(answer.stdout.split())
    assert "record of decisions that was not used" not in answer.stdout
    assert (moved / "record.sqlite").read_bytes() == b"decisions"
    assert len(table_of(moved)) == 1
    assert not (tmp_path / "o" / "record.sqlite").exists()


def test_a_record_beside_the_results_that_was_not_used_is_said(drop, index, tmp_path, run):
    words = ("screen", drop / "unrelated.png", "--index", index, "--out", tmp_path / "o")
    assert run(*words, "--json").json["record_not_used"] is None
    Record.open(tmp_path / "o", create=True)
    out = tmp_path / "o"
    said = " ".join(run(*words).stdout.split())
    assert "1 file, against " in said, "it is not said of a file that it was screened"
    assert f"a record of decisions that was not used; --record {out} uses it" in said
    assert run(*words, "--json").json["record_not_used"] == str(out / "record.sqlite")
    assert "not used" not in run(*words, "--record", out).stdout


@pytest.mark.parametrize("by", ["working folder", "link"])
def test_what_was_moved_is_not_written_to(drop, index, tmp_path, run, monkeypatch, by):
    out = tmp_path / "o"
    assert run("screen", drop / "unrelated.png", "--index", index, "--out", out).status == 0
    (out / "record.sqlite").write_bytes(b"decisions")
    (tmp_path / "link").symlink_to(out)
    monkeypatch.chdir(out)
    named = "." if by == "working folder" else tmp_path / "link"
    assert run("screen", drop, "--index", index, "--out", named, "--replace").status == 0
    [moved] = tmp_path.glob("o.*")
    assert len(table_of(moved)) == 1
    assert len(table_of(out)) == len(list(drop.iterdir()))


def test_an_empty_drop_says_so(index, tmp_path, run):
    (tmp_path / "drop").mkdir()
    answer = run("screen", tmp_path / "drop", "--index", index, "--out", tmp_path / "o")
    assert (answer.status, "has no files to screen" in answer.stderr) == (3, True)


@pytest.mark.parametrize(
    ("words", "redirect", "status"),
    [
        ("--help", ">/dev/full", 2),
        ("index list IDX --json", ">/dev/full", 2),
        ("index list IDX", ">&-", 0),
        ("index list", "", 2),
        ("index list --json", "", 2),
    ],
)
def test_an_output_that_can_not_be_written_is_no_traceback(index, words, redirect, status):
    line = f"{sys.executable} -m pipeline {words.replace('IDX', str(index))} {redirect}"
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    if words == "index list --json":
        assert "IDX" in json.loads(done.stdout)["error"]
