"""Candidate generation from stored features, and verification of candidates."""

from __future__ import annotations

import cv2
import numpy as np
import pyarrow as pa
import pytest

from pipeline.load.detail import to_grey
from pipeline.stages.image.codebook import codebook
from pipeline.stages.image.feature_rows import pictures, read_frame
from pipeline.stages.image.feature_schema import SCHEMA
from pipeline.stages.image.matching import Comparison, StoredFeatures
from pipeline.stages.image.sift import View
from pipeline.stages.image.vlad import vlad_codebook
from reference_index.interface import StageEntries, WorkFile
from training.synthetic import picture

SEEDS = (3, 60, 77, 63, 64)


def table(frames):
    rows = [
        read_frame(to_grey(np.ascontiguousarray(one)), n, codebook(), vlad_codebook())[1]
        for n, one in enumerate(frames)
    ]
    assert all(row is not None for row in rows)
    arrays = [pa.array(v, f.type) for v, f in zip(zip(*rows, strict=True), SCHEMA, strict=True)]
    return pa.table(arrays, schema=SCHEMA)


@pytest.fixture(scope="module")
def frames():
    return [picture(seed, 256) for seed in SEEDS]


@pytest.fixture(scope="module")
def stored(frames):
    """Works of one row each, but for the last file, which has two."""
    files = tuple(
        WorkFile(f"work-{n}", f"file-{n}", f"{n:064x}", "image", "x", 1) for n in range(4)
    )
    position = np.array([0, 1, 2, 3, 3])
    return StoredFeatures(StageEntries(table(frames).combine_chunks(), position, files), codebook())


def compared(frame):
    return Comparison(pictures(table([frame]))[0], codebook())


def edited(frame, view):
    small = cv2.resize(frame, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    views = {View.AS_IT_IS: small, View.MIRRORED: small[:, ::-1], View.NEGATIVE: 255 - small}
    return views[view]


@pytest.mark.parametrize("view", list(View))
@pytest.mark.parametrize("row", range(len(SEEDS)))
def test_a_copy_is_the_first_candidate_and_in_its_view(frames, stored, view, row):
    named = compared(edited(frames[row], view)).generate_candidates(stored, 4)
    assert named[0] == (row, view)
    assert len(named) <= 4
    assert len(set(named)) == len(named)


def test_at_most_the_limit_of_candidates_is_generated(frames, stored):
    one = compared(frames[0])
    for most in (1, 3, 15, 100):
        named = one.generate_candidates(stored, most)
        assert 1 <= len(named) <= most
        assert named == one.generate_candidates(stored, 100)[: len(named)]


@pytest.mark.parametrize("view", list(View))
def test_a_candidate_of_the_search_is_verified_in_its_view(frames, stored, view):
    asset = edited(frames[0], view)
    [match] = compared(asset).verified_overlaps(stored, 0, view, features_searched=True)
    assert (match.row, match.frame, match.negative) == (0, 0, view is View.NEGATIVE)
    assert match.inliers > 40
    assert match.weighted_inliers > 20
    assert match.overlap.agreement > 0.85
    assert match.overlap.contradiction < 0.05
    wanted = np.array([[-1.0, 0, 1], [0, 1, 0], [0, 0, 1]])
    wanted = wanted if view is View.MIRRORED else np.eye(3)
    np.testing.assert_allclose(match.transform / match.transform[2, 2], wanted, atol=0.02)


@pytest.mark.parametrize("view", list(View))
def test_a_candidate_of_another_stage_is_compared_in_every_view_without_a_search(
    frames, stored, view
):
    matches = list(
        compared(edited(frames[0], view)).verified_overlaps(
            stored, 0, None, features_searched=False
        )
    )
    best = min(matches, key=lambda one: one.rank)
    assert best.inliers > 40
    assert best.negative is (view is View.NEGATIVE)


def test_a_candidate_of_another_stage_is_compared_as_a_whole_if_features_were_searched(
    frames, stored
):
    blurred = cv2.GaussianBlur(frames[0], (0, 0), 4)
    matches = list(compared(blurred).verified_overlaps(stored, 0, None, features_searched=True))
    assert [one.inliers for one in matches] == [0]
    assert matches[0].weighted_inliers == 0.0
    assert matches[0].overlap.agreement > 0.6
    np.testing.assert_allclose(matches[0].transform, np.eye(3), atol=0.05)


def test_unrelated_pictures_give_no_strong_match(frames, stored):
    for row in (1, 2, 3):
        for view in (None, *View):
            for match in compared(frames[0]).verified_overlaps(
                stored, row, view, features_searched=False
            ):
                assert match.weighted_inliers < 3
                assert match.overlap.agreement < 0.5


def test_agreement_of_features_ranks_before_agreement_as_a_whole(frames, stored):
    one = compared(frames[0])
    whole = list(one.verified_overlaps(stored, 0, None, features_searched=True))
    [inner] = one.verified_overlaps(stored, 0, View.AS_IT_IS, features_searched=True)
    assert min([*whole, inner], key=lambda match: match.rank) is inner


def test_rows_of_candidate_files(stored):
    assert len(stored) == 5
    assert stored.rows_of({3: ("a",), 0: ("b", "c")}) == {3: ("a",), 4: ("a",), 0: ("b", "c")}
    assert stored.rows_of({}) == {}
    assert stored.rows_of({17: ("a",)}) == {}  # a file without a row for this stage
    assert [stored.file(row).work_id for row in range(5)] == [
        "work-0", "work-1", "work-2", "work-3", "work-3",
    ]  # fmt: skip


def test_stored_rows_of_another_form_are_refused(stored):
    rows = stored.entries.rows.drop_columns(["reduced"])
    bad = StageEntries(rows, stored.entries.file_of_row, stored.entries.files)
    with pytest.raises(ValueError, match="not of the form"):
        StoredFeatures(bad, codebook())
