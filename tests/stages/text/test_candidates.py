"""Where two texts may agree."""

import numpy as np

from pipeline.stages.text.candidates import SETTINGS, TextIndex, clusters
from pipeline.stages.text.chaining import Box
from pipeline.stages.text.text_rows import PERMUTATIONS, TextRows
from reference_index.postings import winnow


def text_rows(*rows):
    """Rows of words, with signatures that no MinHash search finds."""
    sizes = [len(row) for row in rows]
    words = np.concatenate([np.array(row, np.uint32) for row in rows])
    start = np.arange(len(words), dtype=np.uint32) * 4
    rng = np.random.default_rng(int(words[0]))
    return TextRows(
        words=words,
        names=np.zeros(len(words), bool),
        start=start,
        end=start + 3,
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        signatures=rng.integers(0, 2**32, (len(rows), PERMUTATIONS), dtype=np.uint32),
        window_row=np.arange(len(rows)),
        window_start=np.zeros(len(rows), np.int64),
    )


def unique(seed, count):
    return np.random.default_rng(seed).integers(1, 2**32, count).tolist()


def test_the_worked_example_of_the_module():
    assert winnow(np.array([50, 20, 90, 40, 70], np.uint64), 3).tolist() == [1, 3]


def boxes(asset, work):
    index = TextIndex(text_rows(work), np.zeros(1, np.int64))
    return index.candidates(text_rows(asset), 0.5).boxes


def test_five_agreeing_words_are_a_candidate_in_a_short_work_only():
    phrase = unique(1, 5)
    asset = unique(2, 100) + phrase + unique(3, 100)
    for words, expected in ((SETTINGS.short_words, True), (SETTINGS.short_words + 1, False)):
        work = unique(4, words - 5) + phrase
        assert bool(boxes(asset, work)) == expected


def test_a_box_holds_agreeing_words_with_small_gaps_and_no_wide_one():
    first, second = unique(1, 15), unique(2, 15)
    work = unique(3, 200) + first + unique(4, 20) + second + unique(5, 200)
    [[box]] = boxes(unique(6, 50) + first + unique(7, 20) + second, work).values()
    assert isinstance(box, Box)
    assert 50 <= box.asset_start <= 52
    assert 98 <= box.asset_end <= 100
    assert box.work_start - box.asset_start == 150
    [parts] = boxes(unique(6, 50) + first + unique(7, 60) + second, work).values()
    assert len(parts) == 2


def test_moved_points_stay_in_one_cluster():
    x = np.array([0, 10, 20, 30, 500])
    y = np.array([30, 0, 20, 10, 15])
    labels = clusters(np.zeros(5, np.int64), x, y, 40)
    assert (labels[:4] == labels[0]).all()
    assert labels[4] != labels[0]
    assert len(set(clusters(np.arange(5), x, y, 40).tolist())) == 5


def test_commonness_counts_works_and_repeats_in_the_asset():
    phrase, other = unique(1, 12), unique(2, 12)
    works = text_rows(*(unique(10 + n, 40) + phrase for n in range(4)))
    index = TextIndex(works, np.arange(4))
    asset = phrase + unique(3, 10) + other + unique(4, 10) + other
    commonness = index.candidates(text_rows(asset), 0.5).commonness
    assert commonness[:12].max() == 4
    assert commonness[22:34].tolist() == [2] * 12
    assert commonness[14:20].tolist() == [1] * 6
