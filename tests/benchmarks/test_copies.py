"""The copy benchmark: its set, its figures on rankings made by hand, and a small run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.copies import main
from benchmarks.copy_baselines import best_of_rows, less_neighbours
from benchmarks.copy_edits import EDITS, stack
from benchmarks.copy_figures import (
    Ranking,
    by_edit,
    first_right,
    overall,
    per_10000,
    threshold_at,
    upper_bound,
)
from benchmarks.copy_set import (
    copy_set,
    edited,
    picture_files,
    pool_of,
    split_of,
    write_queries,
)
from training.synthetic import picture

PICTURES = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Drawn pictures, one of them twice, one as a JPEG too and one mirrored; and what is none."""
    place = tmp_path_factory.mktemp("pictures")
    (place / "deeper").mkdir()
    for number in range(PICTURES):
        Image.fromarray(picture(700 + number, 144)).save(place / f"{number:02d}.PNG")
    (place / "deeper" / "twice.png").write_bytes((place / "00.PNG").read_bytes())
    again = Image.open(place / "05.PNG").convert("RGB")
    again.save(place / "again.JPEG", quality=90)
    again.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(place / "mirrored.webp", quality=95)
    Image.fromarray(np.full((144, 144, 3), 200, np.uint8)).save(place / "flat.png")
    Image.fromarray(picture(800, 32)).save(place / "small.png")
    (place / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (place / "notes.txt").write_text("no picture")
    return place


@pytest.fixture(scope="module")
def pool(folder):
    return pool_of([folder])


def test_files_of_one_work_are_one_work_and_what_is_none_is_counted(pool, folder):
    assert len(picture_files([folder])) == PICTURES + 6
    assert pool.read == PICTURES + 3
    assert pool.merged == 3
    assert sorted(work.files for work in pool.works)[-2:] == [2, 3]
    assert pool.left_out == {
        "too little detail": 1,
        "smaller than 96 pixels": 1,
        "can't be decoded": 1,
    }


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="no folder"):
        pool_of([tmp_path / "none"])


def test_the_split_of_a_work_does_not_depend_on_the_others(pool):
    every = {split: copy_set(pool.works, split, 3, 4, 8) for split in ("test", "calibration")}
    for split, one in every.items():
        parts = [*one.works, *one.distractors, *one.grounds]
        assert len({work.key for work in parts}) == len(parts)
        assert all(split_of(work.key, 3) == split for work in parts)
    some = copy_set(pool.works[3:], "test", 3, 1, 2)
    whole = every["test"]
    keys = {work.key for work in (*whole.works, *whole.distractors, *whole.grounds)}
    assert {work.key for work in (*some.works, *some.distractors, *some.grounds)} <= keys


def test_half_of_the_queries_are_copies_over_the_same_edits(pool):
    one = copy_set(pool.works, "test", 3, 2, 2 * len(EDITS))
    copies = [query.edit for query in one.queries if query.copied]
    others = [query.edit for query in one.queries if not query.copied]
    assert sorted(copies) == sorted(others)
    assert len({query.name for query in one.queries}) == len(one.queries)
    registered = {work.key for work in one.works}
    assert all(query.copied == (query.source.key in registered) for query in one.queries)


def test_too_few_pictures_give_fewer_works_and_queries(pool):
    one = copy_set(pool.works, "test", 3, 400, 720)
    assert 1 <= len(one.works) < 10
    assert 2 <= len(one.queries) < 40
    with pytest.raises(SystemExit, match="too few"):
        copy_set(pool.works[:3], "test", 3, 400, 720)


def test_a_seed_always_draws_the_same_bytes(pool, tmp_path):
    one = copy_set(pool.works, "test", 3, 4, 12)
    assert one == copy_set(pool.works, "test", 3, 4, 12)
    for name in ("first", "second"):
        write_queries(one.queries, tmp_path / name)
    for query in one.queries:
        first, second = (tmp_path / name / query.name for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
    other = copy_set(pool.works, "test", 4, 4, 12)
    assert [query.seed for query in other.queries] != [query.seed for query in one.queries]


@pytest.mark.parametrize("name", EDITS)
def test_every_edit_changes_the_picture_and_is_repeatable(name):
    image = np.ascontiguousarray(picture(701, 128)[:100])
    before = image.copy()
    grounds = [picture(seed, 120) for seed in (720, 721, 722)]
    one, other = (EDITS[name].edit(image, np.random.default_rng(5), grounds) for _ in range(2))
    assert one.dtype == np.uint8
    assert one.shape[2] == 3
    assert np.array_equal(one, other)
    assert np.array_equal(image, before)
    assert one.shape != image.shape or not np.array_equal(one, image)


def test_a_stack_takes_no_family_twice_and_refuses_more_than_there_are():
    image = picture(712, 96)
    with pytest.raises(ValueError, match="0 to 8 edits"):
        stack(image, np.random.default_rng(0), [image], 9)
    assert np.array_equal(stack(image, np.random.default_rng(0), [image], 0), image)


# Figures ------------------------------------------------------------------------------------------

TRUTH = np.array([0, 1, 2, -1])
RANKING = Ranking.of([(0, 0, 0.9), (1, 1, 0.8), (3, 0, 0.7), (2, 2, 0.6), (2, 1, 0.65)])


def test_figures_of_a_ranking_made_by_hand():
    # In order: right, right, wrong, wrong, right.
    figures = overall(RANKING, TRUTH)
    assert figures["map"] == pytest.approx((1 + 1 + 3 / 5) / 3)
    assert figures["recall_at_0.90"] == figures["recall_at_1.00"] == pytest.approx(2 / 3)
    assert threshold_at(RANKING, TRUTH, 0.99) == 0.8
    assert threshold_at(RANKING, TRUTH, 0.6) == 0.6
    assert threshold_at(Ranking.of([(3, 0, 0.5)]), TRUTH, 0.99) == float("inf")
    assert threshold_at(Ranking.of([]), TRUTH, 0.99) == float("inf")
    assert first_right(RANKING, TRUTH).tolist() == [True, True, False, False]


def test_a_tie_for_the_first_place_is_not_right():
    tied = Ranking.nearest(np.array([[0.5, 0.5], [np.nan, 0.1], [np.nan, np.nan]]))
    assert list(zip(tied.query.tolist(), tied.work.tolist(), strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 1),
    ]
    assert first_right(tied, np.array([0, 1, 0])).tolist() == [False, True, False]


def test_lines_by_edit():
    lines = by_edit(
        RANKING,
        TRUTH,
        ["mirror", "mirror", "blur", "blur"],
        ["escalate", "review", "", ""],
        ["escalate", "review", "info", "review"],
    )
    assert lines["mirror"]["map"] == 1.0
    assert lines["mirror"]["recall"] == 1.0
    assert lines["mirror"]["bands"] == {"escalate": 0.5, "review": 0.5}
    assert lines["blur"]["map"] == pytest.approx(1 / 3)
    assert lines["blur"]["recall"] == 0.0
    assert lines["blur"]["bands"] == {"none": 1.0}
    assert (lines["blur"]["strangers"], lines["blur"]["strangers_flagged"]) == (1, 1)


def test_rates_of_false_flags():
    rates = per_10000(["no_match"] * 3 + ["review"])
    assert rates["per_10000"] == {"escalate": 0.0, "review": 2500.0, "info": 0.0}
    # The rule of three.
    assert upper_bound(0, 1000) == pytest.approx(3 / 1000, rel=0.01)
    assert upper_bound(4, 4) == 1.0


def test_the_best_of_several_rows_counts():
    queries = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    works = np.array([[0.5, 0.0], [0.0, 0.25], [1.0, 0.0]], np.float32)
    best = best_of_rows(queries, np.array([0, 0]), works, np.array([0, 1, 1]), (2, 2))
    assert best[0].tolist() == [0.5, 1.0]
    assert np.isnan(best[1]).all()


def test_a_score_less_its_neighbours_leaves_the_work_itself_out():
    cosines = np.array([[0.9, 0.5, 0.3, 0.1]])
    assert less_neighbours(cosines, 2)[0] == pytest.approx([0.5, -0.1, -0.4, -0.6])
    assert less_neighbours(cosines[:, :1]).tolist() == [[0.9]]


# A run --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_small_run(folder, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--images", str(folder), "--out", str(out), "--works", "4", "--queries", "8"]
    arguments += ["--clean", "2", "--rounds", "0", "--processes", "1", "--sheet", "2"]
    main(arguments)
    page = capsys.readouterr().out
    results = json.loads((out / "results.json").read_text())
    assert results["unrelated_pairs"]["compared"] > 0
    assert len(results["methods"]) == 9
    assert 0 < results["evidence"]["perceptual_hash"]["share"] <= 1
    assert (out / "results.md").read_text() in page
    assert "| Clearance |" in page
    assert str(folder) not in (out / "results.md").read_text()
    labels = (out / "labelled.csv").read_text().splitlines()
    assert len(labels) == 1 + len(list((out / "drop").iterdir()))


def test_a_folder_of_something_else_is_not_changed(tmp_path, folder):
    (tmp_path / "works").mkdir()
    with pytest.raises(SystemExit, match="has other content"):
        main(["--images", str(folder), "--out", str(tmp_path)])


def test_an_edit_that_leaves_nothing_is_drawn_again(pool):
    for query in copy_set(pool.works, "test", 3, 4, 4).queries:
        assert edited(query).dtype == np.uint8
