"""`clearance evaluate`: its figures against a count by hand, its files, and what it refuses."""

from __future__ import annotations

import csv
import json
import random
import shutil
import sys
from pathlib import Path
from subprocess import run as run_process

import numpy as np
import pytest
from command_line import clearance
from PIL import Image

from pipeline.risk.calibration import Calibration
from pipeline.stages import STAGES
from training.synthetic import picture

WORDS = [f"{a}{b}" for a in ("lan", "mer", "tor", "vel", "sab", "quin") for b in
         ("tern", "ido", "ash", "orel", "umi", "est", "ane", "ibor", "ock", "ully")]  # fmt: skip

SCRIPTS = tuple(f"w{number}" for number in range(12))


def text(seed: int, words: int) -> str:
    """A script of its own: words drawn at random, so that no two share a passage."""
    drawn = random.Random(seed)
    return " ".join(drawn.choice(WORDS) for _ in range(words)) + "\n"


def listed(path: Path, rows: list[tuple[object, ...]], header=("asset", "work_id", "copy")) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def index_of(folder: Path, rows: list[tuple[str, str]]) -> Path:
    full = [(work, work.title(), "A", "protected", path) for work, path in rows]
    header = ("work_id", "title", "rightsholder", "rights", "path")
    listed(folder / "works.csv", full, header)
    assert clearance("index", "create", folder / "idx").status == 0
    added = clearance("index", "add", folder / "idx", folder / "works.csv")
    assert added.status == 0, added.stderr
    return folder / "idx"


@pytest.fixture(scope="module")
def indexed_works(tmp_path_factory):
    """A folder of works, three pictures and thirteen scripts, and their index."""
    folder = tmp_path_factory.mktemp("works")
    works = []
    for place, name in enumerate(("boat", "lamp", "tree")):
        Image.fromarray(picture(1000 + place, 160)).save(folder / f"{name}.png")
        works.append((name, f"{name}.png"))
    for place, name in enumerate(("play", *SCRIPTS)):
        (folder / f"{name}.txt").write_text(text(100 + place, 260))
        works.append((name, f"{name}.txt"))
    return folder, index_of(folder, works)


@pytest.fixture(scope="module")
def few(indexed_works):
    """Five pictures and two scripts, labelled.

    `hashes.yaml` next to them switches off the stages that may find drawn pictures similar. One
    picture is a work's very file though labelled a distractor, one labelled copy shows something
    else, and one is broken.
    """
    folder, index = indexed_works
    (folder / "drop").mkdir()
    shutil.copy(folder / "boat.png", folder / "drop" / "boat.png")
    shutil.copy(folder / "lamp.png", folder / "drop" / "lamp.png")
    Image.fromarray(picture(2001, 160)).save(folder / "drop" / "other.png")
    Image.fromarray(picture(2002, 160)).save(folder / "drop" / "distractor.png")
    (folder / "drop" / "bro\u202eken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (folder / "drop" / "scene.txt").write_text((folder / "play.txt").read_text()[:900])
    (folder / "drop" / "new.txt").write_text(text(2, 200))
    others = [name for name in STAGES if name not in ("perceptual_hash", "text_overlap")]
    off = "".join(f"  {name}:\n    enabled: false\n" for name in others)
    (folder / "hashes.yaml").write_text(f"version: 1\nstages:\n{off}")
    labels = listed(
        folder / "labelled.csv",
        [
            ("drop/boat.png", "boat", ""),
            ("drop/lamp.png", "", ""),
            ("drop/other.png", "tree", "YES"),
            ("drop/distractor.png", "lamp", "no"),
            ("drop/bro\u202eken.png", "lamp", "1"),
            ("drop/scene.txt", "play", "true"),
            ("drop/new.txt", "", "0"),
        ],
    )
    return folder, index, labels


@pytest.fixture(scope="module")
def evaluated(few):
    folder, index, labels = few
    words = ("evaluate", labels, "--index", index, "--config", folder / "hashes.yaml")
    answer = clearance(*words, "--out", folder / "out", "--json")
    assert answer.status == 0, answer.stderr
    return answer.json, folder / "out"


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "pairs.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_counts_are_those_of_the_labels(evaluated):
    evaluation, _ = evaluated
    pictures, scripts, everything = (
        evaluation["kinds"]["image"],
        evaluation["kinds"]["script"],
        evaluation["all"],
    )
    assert set(evaluation["kinds"]) == {"image", "script"}
    keys = ("assets", "copied_assets", "strangers", "not_judged", "pairs", "found")
    assert [pictures[key] for key in keys] == [5, 3, 2, 1, 3, 1]
    assert [scripts[key] for key in keys] == [2, 1, 1, 0, 1, 1]
    assert [everything[key] for key in keys] == [7, 4, 3, 1, 4, 2]
    for bands in (pictures["bands"], scripts["bands"]):
        assert bands["escalate"] == {"copies": 1, "right_work": 1, "strangers": bands is
                                     pictures["bands"]}  # fmt: skip
    assert pictures["bands"]["not_screened"]["copies"] == 1
    assert sum(b["copies"] + b["strangers"] for b in everything["bands"].values()) == 7


def test_false_flags_are_of_the_distractors_with_an_upper_bound(evaluated):
    """One of two: P(at most one of two) is 1 - p², which is 0.05 at p = √0.95."""
    pictures = evaluated[0]["kinds"]["image"]
    for name in ("review", "escalate"):
        flags = pictures["false_flags"][name]
        assert (flags["flagged"], flags["of"], flags["per_10_000"]) == (1, 2, 5000.0)
        assert flags["at_most_per_10_000"] == pytest.approx(1e4 * 0.95**0.5)
    flags = evaluated[0]["kinds"]["script"]["false_flags"]["review"]
    assert (flags["flagged"], flags["of"]) == (0, 1)
    assert flags["at_most_per_10_000"] == pytest.approx(9500)  # 0.05 is 1 - p


def test_ranking_and_calibration_figures_are_those_of_pairs_csv(evaluated):
    """Every figure again, word for word from its definition, from the file of pairs."""
    evaluation, out = evaluated
    for kind in ("image", "script"):
        scored_pairs = [
            (float(row["risk"]), row["copy"] == "true")
            for row in rows_of(out)
            if row["kind"] == kind and row["found"] == "true"
        ]
        figures = evaluation["kinds"][kind]
        total = figures["pairs"]
        assert figures["pairs_with_evidence"] == len(scored_pairs)
        brier = sum((risk - copy) ** 2 for risk, copy in scored_pairs) / len(scored_pairs)
        assert figures["brier"] == pytest.approx(brier)
        average, before, best = 0.0, 0, {0.9: 0.0, 0.99: 0.0, 1.0: 0.0}
        for cut in sorted({risk for risk, _ in scored_pairs}, reverse=True):
            above = [copy for risk, copy in scored_pairs if risk >= cut]
            precision = sum(above) / len(above)
            average += precision * (sum(above) - before) / total
            before = sum(above)
            for least in best:
                if precision >= least:
                    best[least] = max(best[least], sum(above) / total)
        assert figures["micro_average_precision"] == pytest.approx(average)
        for least, recall in best.items():
            assert figures["recall_at_precision"][f"{least:.2f}"] == pytest.approx(recall)
    # One copy of three pictures is found, and shares the top rank with the false flag.
    assert 0 < evaluation["kinds"]["image"]["micro_average_precision"] <= 1 / 3
    assert evaluation["kinds"]["script"]["micro_average_precision"] == 1.0


def test_every_label_is_a_row_of_pairs_and_what_is_missed_says_why(evaluated):
    evaluation, out = evaluated
    rows = {(row["asset"], row["work_id"]): row for row in rows_of(out)}
    assert rows["drop/boat.png", "boat"]["asset_band"] == "escalate"
    assert rows["drop/lamp.png", "lamp"]["copy"] == "false"
    missed = rows["drop/other.png", "tree"]
    assert (missed["copy"], missed["found"], missed["risk"]) == ("true", "false", "")
    assert rows["drop/distractor.png", "lamp"]["copy"] == "false"
    broken = rows["drop/bro\\u202eken.png", "lamp"]
    assert (broken["asset_band"], broken["found"]) == ("not_screened", "false")
    assert "PNG" in broken["why"]
    assert rows["drop/new.txt", ""]["found"] == "false"
    assert {m["asset"] for m in evaluation["missed"]} == {"drop/other.png", "drop/bro\u202eken.png"}
    assert [one["asset"] for one in evaluation["not_judged"]] == ["drop/bro\u202eken.png"]
    assert len(evaluation["cautions"]) == 3


def test_an_asset_that_no_stage_can_judge_says_why(few, tmp_path):
    _, index, _ = few
    Image.new("RGB", (200, 200), "white").save(tmp_path / "white.png")
    (tmp_path / "data.bin").write_bytes(bytes(range(256)))
    labels = listed(tmp_path / "l.csv", [("white.png", "boat", ""), ("data.bin", "boat", "")])
    evaluation = clearance("evaluate", labels, "--index", index, "--json").json
    assert set(evaluation["kinds"]) == {"image", "other"}
    assert evaluation["all"]["not_judged"] == evaluation["all"]["pairs"] == 2
    assert evaluation["all"]["micro_average_precision"] == 0.0
    white, data = evaluation["not_judged"]
    assert "Perceptual hash could not judge it" in white["why"]
    assert data["why"]
    output = clearance("evaluate", labels, "--index", index).stdout
    assert "Others" in output
    assert "white.png: Perceptual hash could not judge it" in " ".join(output.split())


def test_the_pictures_can_be_looked_at(evaluated):
    _, out = evaluated
    for name in ("reliability.png", "precision_recall.png"):
        with Image.open(out / name) as image:
            image.load()
            assert image.format == "PNG"
            assert 700 <= image.width <= 2000
            assert 600 <= image.height <= 1500
            pixels = np.asarray(image.convert("RGB"))
        assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
        dark = (pixels.max(axis=2) < 128).mean()
        assert 0.002 < dark < 0.2


def test_the_same_labels_give_the_same_bytes_and_nothing_else_is_written(few, evaluated, tmp_path):
    folder, index, labels = few
    before = sorted(p.name for p in folder.iterdir())
    words = ("evaluate", labels, "--index", index, "--config", folder / "hashes.yaml")
    assert clearance(*words, "--out", tmp_path).status == 0
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["evaluation.json", "pairs.csv", "precision_recall.png", "reliability.png"]
    for name in names:
        assert (tmp_path / name).read_bytes() == (evaluated[1] / name).read_bytes()
    assert sorted(p.name for p in folder.iterdir()) == before
    stored = json.loads((tmp_path / "evaluation.json").read_text())
    assert stored.items() <= evaluated[0].items()


def test_the_terminal_shows_the_figures_and_escapes_names(few):
    folder, index, labels = few
    config = folder / "hashes.yaml"
    answer = clearance("evaluate", labels, "--index", index, "--config", config)
    assert answer.status == 0
    for words in (
        "µAP",
        "Recall at precision 0.99",
        "5,000 (1 of 2)",
        "Missed: 2 copies",
        "Not judged: 1 asset",
        "Few distractors were judged",
        "moves recall by",
    ):
        assert words in answer.stdout
    assert "\u202e" not in answer.stdout
    assert "bro\\u202eken.png" in answer.stdout


def test_screen_and_evaluate_say_the_same_of_an_asset(few, evaluated, tmp_path):
    import pyarrow.parquet as pq

    folder, index, _ = few
    config = folder / "hashes.yaml"
    words = ("screen", folder / "drop", "--index", index, "--config", config)
    assert clearance(*words, "--out", tmp_path / "o").status == 3  # a file is broken
    screened = pq.read_table(tmp_path / "o" / "matches.parquet").to_pylist()
    screened_risks = {(f"drop/{m['asset_path']}", m["work_id"]): m["risk"] for m in screened}
    evaluated_risks = {
        (r["asset"], r["work_id"]): float(r["risk"]) for r in rows_of(evaluated[1]) if r["risk"]
    }
    assert evaluated_risks == screened_risks


def test_the_configuration_counts(few, tmp_path):
    _, index, labels = few
    config = tmp_path / "c.yaml"
    config.write_text("version: 1\nstages:\n  text_overlap:\n    enabled: false\n")
    answer = clearance("evaluate", labels, "--index", index, "--config", config, "--json")
    assert answer.json["kinds"]["script"]["found"] == 0
    assert answer.json["kinds"]["script"]["not_judged"] == 2
    assert answer.json["kinds"]["script"]["brier"] is None
    assert answer.json["not_run"] == {"text_overlap": "switched off in the configuration"}


def test_copies_whose_rights_are_not_counted_are_said_to_spoil_the_figures(tmp_path):
    (tmp_path / "song.txt").write_text(text(700, 260))
    listed(
        tmp_path / "works.csv",
        [("song", "Song", "A", "Licensed", "song.txt")],
        ("work_id", "title", "rightsholder", "rights", "path"),
    )
    index = tmp_path / "idx"
    assert clearance("index", "create", index).status == 0
    assert clearance("index", "add", index, tmp_path / "works.csv").status == 0
    (tmp_path / "scene.txt").write_text((tmp_path / "song.txt").read_text()[:900])
    labels = listed(tmp_path / "l.csv", [("scene.txt", "song", "1")])
    output = clearance("evaluate", labels, "--index", index).stdout
    assert "1 labelled copy was found but not counted" in output
    assert "(licensed)" in output
    config = tmp_path / "all.yaml"
    config.write_text("version: 1\nstages:\n  text_overlap:\n    uncounted_rights: []\n")
    output_all_rights = clearance("evaluate", labels, "--index", index, "--config", config).stdout
    assert "not counted" not in output_all_rights


def test_labels_under_a_former_id_are_of_the_renamed_work(tmp_path):
    from pipeline.evaluation.labels import read_labels

    (tmp_path / "a.png").write_bytes(b"")
    labels = listed(tmp_path / "labels.csv", [("a.png", "old", 1), ("a.png", "w2", 0)])
    [asset] = read_labels(labels, {"new", "w2"}, {"old": "new"})
    assert (list(asset.copies), list(asset.others)) == (["new"], ["w2"])


def test_only_distractors_or_only_copies_have_the_figures_that_are_defined(few, tmp_path):
    folder, index, _ = few
    labels = listed(tmp_path / "l.csv", [(folder / "drop" / "new.txt", "", "")])
    evaluation = clearance(
        "evaluate", labels, "--index", index, "--out", tmp_path / "o", "--json"
    ).json
    assert evaluation["all"]["micro_average_precision"] is None
    assert evaluation["all"]["recall_at_precision"]["0.90"] is None
    assert "No copy is labelled" in evaluation["cautions"][0]
    with Image.open(tmp_path / "o" / "reliability.png") as image:
        assert image.width > 600  # it says that there is none
    labels = listed(tmp_path / "l.csv", [(folder / "drop" / "boat.png", "boat", "")])
    evaluation = clearance("evaluate", labels, "--index", index, "--json").json
    assert evaluation["all"]["false_flags"]["review"]["per_10_000"] is None
    assert evaluation["all"]["micro_average_precision"] == 1.0


# Labels that can't be used -------------------------------------------------------------------


def test_all_bad_rows_are_reported_at_once_with_their_lines(few, tmp_path):
    _, index, _ = few
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text("words")
    (tmp_path / "folder").mkdir()
    labels = listed(
        tmp_path / "l.csv",
        [
            ("a.txt", "paly", ""),
            ("nowhere.png", "", ""),
            ("folder", "", ""),
            ("", "play", ""),
            ("a.txt", "play", "perhaps"),
            ("a.txt", "", "1"),
            ("b.txt", "play", "1"),
            ("./b.txt", "play", "1"),
            ("b.txt", "play", "0"),
            ("b.txt", "", ""),
            ("c.txt", "", ""),
            ("c.txt", "play", ""),
            ("c.txt", "", "0"),
            (" c.txt ", "play", "no"),
        ],
    )
    answer = clearance("evaluate", labels, "--index", index, "--json")
    assert answer.status == 2
    wanted = {
        2: "no work 'paly' (nearest: 'play')",
        3: "'nowhere.png' (relative to l.csv) does not exist",
        4: "is a folder",
        5: "asset is missing",
        6: "copy is 'perhaps', and must be 1 or 0, yes or no, true or false",
        7: "work_id is empty",
        9: "repeats line 8",
        10: "the contrary of line 8",
        11: "a copy of nothing, and line 8 of a work",
        13: "line 12 that it is a copy of nothing",
        14: "repeats line 12",
    }
    problems = answer.json["problems"]
    assert len(problems) == len(wanted)
    for (line, words), problem in zip(wanted.items(), problems, strict=True):
        assert problem.startswith(f"line {line} of l.csv: ")
        assert words in problem
    assert "11 of 14 rows" in answer.json["error"]
    plain = clearance("evaluate", labels, "--index", index)
    assert plain.status == 2
    assert all(problem in plain.stderr for problem in problems)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("l.csv", b"", "no column asset"),
        ("l.csv", b"asset,work_id\n", "no rows"),
        ("l.csv", b"asset;work_id\na;b\n", "line 2 of l.csv: the asset 'a'"),
        ("l.csv", b"asset|work_id\na|b\n", "separated by commas"),
        ("l.csv", b"asset,work\na,b\n", "'work' is near it"),
        ("l.csv", b"asset,work_id,cpoy\na,b,1\n", "no column copy ('cpoy' is near it)"),
        ("l.csv", b"asset,work_id,work_id\na,b,c\n", "more than once"),
        ("l.csv", b"\xff\xfea\x00", "no column asset"),
        ("l.csv", b"asset,work_id\n\xff.png,\n", "l.csv is not UTF-8 text (line 2)"),
        (
            "l.csv",
            "asset,work_id\né,\n".encode() + b"\xff,\n",
            "line 3 of l.csv: asset is not UTF-8",
        ),
        ("l.csv", b'asset,work_id\n"a.png,\n', "never closed"),
        ("l.csv", b"asset,work_id\na,b,c\n", "3 values for 2 columns"),
        ("l.csv", b"asset,work_id\na\x00b,\n", "line 2 of l.csv"),
        ("l.csv", b"asset,work_id\n\x1b[31m,\n", "\\x1b[31m"),
        ("l.json", b"asset,work_id\n", "must end in .csv"),
    ],
)
def test_a_file_that_is_no_list_of_labels_is_refused(few, tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    answer = clearance("evaluate", tmp_path / name, "--index", few[1])
    assert answer.status == 2
    assert says in answer.stderr
    assert "\x1b" not in answer.stderr
    assert "Traceback" not in answer.stderr


def test_labels_that_are_not_there_or_no_file_are_refused(few, tmp_path):
    _, index, labels = few
    assert "There is no list" in clearance("evaluate", "no.csv", "--index", index).stderr
    assert "is a folder" in clearance("evaluate", tmp_path, "--index", index).stderr
    assert clearance("evaluate", labels, "--index", tmp_path / "no").status == 2
    shutil.copytree(index, tmp_path / "empty")
    works = ("boat", "lamp", "tree", "play", *SCRIPTS)
    assert clearance("index", "remove", tmp_path / "empty", *works).status == 0
    answer = clearance("evaluate", labels, "--index", tmp_path / "empty")
    assert (answer.status, "holds no works" in answer.stderr) == (2, True)


def test_results_go_nowhere_that_would_harm(few, tmp_path):
    folder, index, labels = few
    words = ("evaluate", labels, "--index", index)
    (tmp_path / "file").write_text("x")
    (tmp_path / "mine.json").write_text("{}")
    (tmp_path / "dir.json").mkdir()
    for option, place, says in (
        ("--out", tmp_path / "file", "is a file"),
        ("--out", index / "out", "inside the reference index"),
        ("--out", Path("/proc/nowhere"), "can't be written to /proc/nowhere"),
        ("--calibrate", tmp_path / "c.yaml", "ends in .json"),
        ("--calibrate", tmp_path / "mine.json", "is not a calibration"),
        ("--calibrate", tmp_path / "dir.json", "is a folder"),
        ("--calibrate", index / "c.json", "inside the reference index"),
        ("--calibrate", configs() / "default.json", "come with Clearance"),
    ):
        answer = clearance(*words, option, place)
        assert (answer.status, says in answer.stderr) == (2, True), answer.stderr
    shutil.copy(folder / "drop" / "new.txt", tmp_path / "new.txt")
    labels_file = listed(tmp_path / "pairs.csv", [("new.txt", "", "")])
    content = labels_file.read_bytes()
    answer = clearance("evaluate", labels_file, "--index", index, "--out", tmp_path)
    assert (answer.status, "would be overwritten" in answer.stderr) == (2, True)
    assert labels_file.read_bytes() == content
    both = clearance(*words, "--out", tmp_path, "--calibrate", tmp_path / "evaluation.json")
    assert (both.status, "a name among the results" in both.stderr) == (2, True)


# Calibration ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scripts(indexed_works, tmp_path_factory):
    """Two copies of each of twelve scripts, and twenty-two distractors."""
    works, index = indexed_works
    folder = tmp_path_factory.mktemp("scripts")
    rows = []
    for number, name in enumerate(SCRIPTS):
        own = (works / f"{name}.txt").read_text()
        for copy, length in enumerate((150, 900)):
            carried = text(300 + 2 * number + copy, 80) + own[200 : 200 + length]
            (folder / f"c{number}_{copy}.txt").write_text(carried)
            rows.append((f"c{number}_{copy}.txt", name, 1))
    for number in range(22):
        (folder / f"s{number}.txt").write_text(text(500 + number, 150))
        rows.append((f"s{number}.txt", "", 0))
    return folder, index, rows


def test_a_calibration_is_fitted_and_screen_uses_it(scripts, tmp_path):
    folder, index, rows = scripts
    labels = listed(folder / "labelled.csv", rows)
    calibration_file = tmp_path / "mine" / "own.json"
    answer = clearance("evaluate", labels, "--index", index, "--calibrate", calibration_file)
    assert answer.status == 0, answer.stderr
    for words in ("calibration: own.json", "Pictures: none is labelled", "kept as it is"):
        assert words in answer.stdout
    new, shipped = Calibration.load(calibration_file), Calibration.load(configs() / "default.json")
    assert new.kinds["image"] == shipped.kinds["image"]
    assert new.weights_sha256 == shipped.weights_sha256  # those of the pictures' model
    model = new.kinds["script"]
    assert {term.stage for term in model.terms} == {"text_overlap"}
    assert 10 <= model.copies <= 14
    held = model.held_out
    assert held.copies + held.copies_without_evidence == 24 - model.copies
    assert new.data["made_by"] == "clearance evaluate --calibrate"
    assert new.data["fitted"] == ["script"]
    assert new.data["kept_from"] == shipped.digest()
    assert str(folder) not in calibration_file.read_text()

    config = calibration_file.with_name("mine.yaml")
    config.write_text("version: 1\ncalibration: own.json\n")
    done = clearance(
        "screen", folder / "c0_1.txt", "--index", index, "--out", tmp_path / "o", "--config", config
    )  # fmt: skip
    assert done.status == 0, done.stderr
    run = json.loads((tmp_path / "o" / "run.json").read_text())
    assert run["calibration"]["digest"] == new.digest()
    assert run["calibration"]["prior"]["script"] == model.prior

    # Again: the same bytes, over the file that is there.
    before = calibration_file.read_bytes()
    again = clearance(
        "evaluate", labels, "--index", index, "--calibrate", calibration_file, "--json"
    )
    assert again.json["calibrated"]["digest"] == new.digest()
    assert again.json["calibration_file"] == str(calibration_file)
    assert calibration_file.read_bytes() == before


def configs() -> Path:
    from pipeline.screening.config import configs_folder

    return configs_folder() / "calibration"


@pytest.mark.parametrize(
    ("keep", "says"),
    [
        (lambda rows: rows[:24] + rows[24:43], "24 copies of 12 works and 19 distractors"),
        (lambda rows: rows[5:], "19 copies of 10 works and 22 distractors"),
        (lambda rows: rows[:18] + rows[24:], "18 copies of 9 works and 22 distractors"),
    ],
)
def test_too_few_labels_are_refused_before_any_work(scripts, tmp_path, keep, says):
    folder, index, rows = scripts
    labels = listed(folder / "few.csv", keep(rows))
    calibration_file = tmp_path / "own.json"
    answer = clearance("evaluate", labels, "--index", index, "--calibrate", calibration_file)
    assert answer.status == 2
    assert f"Too few scripts are labelled to fit a calibration: {says}" in answer.stderr
    assert answer.stderr.endswith("; label more of them.\n")
    assert answer.stdout == ""
    assert not calibration_file.exists()


def test_a_kind_with_too_few_labels_is_said_to_be_better_left_out(scripts, tmp_path):
    folder, index, rows = scripts
    Image.fromarray(picture(2002, 160)).save(folder / "one.png")
    labels = listed(folder / "mixed.csv", [*rows, ("one.png", "", 0)])
    answer = clearance("evaluate", labels, "--index", index, "--calibrate", tmp_path / "own.json")
    assert answer.status == 2
    assert "Too few pictures are labelled" in answer.stderr
    assert "or leave the pictures out of the labels to fit the scripts alone" in answer.stderr


def test_labels_that_are_all_tied_together_are_refused_and_the_figures_given(scripts, tmp_path):
    """One asset labelled against every work ties them all to one side."""
    folder, index, rows = scripts
    (folder / "all.txt").write_text(text(900, 150))
    tie = [("all.txt", f"w{number}", 0) for number in range(12)]
    labels = listed(folder / "tied.csv", [*rows, *tie])
    calibration_file = tmp_path / "own.json"
    answer = clearance("evaluate", labels, "--index", index, "--calibrate", calibration_file)
    assert answer.status == 2
    assert "can't be split in half by work" in answer.stderr
    assert "µAP" in answer.stdout
    assert not calibration_file.exists()


def test_the_help_does_not_wait_for_what_draws():
    code = (
        "import sys, pipeline, pipeline.cli; from typer.testing import CliRunner; "
        "CliRunner().invoke(pipeline.cli.app, ['evaluate', '--help']); "
        "sys.exit(any(m in sys.modules for m in ('matplotlib', 'torch', 'scipy')))"
    )
    assert run_process([sys.executable, "-c", code], check=False).returncode == 0


def test_drawing_needs_no_screen_and_no_pyplot():
    code = (
        "import sys; from pipeline.evaluation.plots import reliability_png as r; r({}); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert run_process([sys.executable, "-c", code], check=False).returncode == 0
