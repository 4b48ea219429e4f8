"""Pixel agreement under a transform, refining a transform, and comparing pictures as wholes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.image.pixel_agreement import (
    NO_OVERLAP,
    SIDE,
    overlap,
    reduced,
    refined_transform,
    repetition,
    whole_transform,
)
from training.synthetic import picture

IDENTITY = np.eye(3)


def grey(frame):
    return cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)


@pytest.fixture(scope="module")
def large():
    """Three unrelated pictures, grey, 512 pixels a side."""
    return [cv2.resize(grey(picture(seed, 512)), (512, 512)) for seed in (3, 12, 77)]


@pytest.fixture(scope="module")
def photo(photos):
    return cv2.resize(grey(photos["astronaut"]), (512, 512), interpolation=cv2.INTER_AREA)


def scaled(x, y, width, height):
    """The whole work onto this box of the asset, in shares."""
    return np.array([[width, 0, x], [0, height, y], [0, 0, 1]], float)


def shares(one, wanted, tolerance):
    assert one.asset_share == pytest.approx(wanted[0], abs=tolerance)
    assert one.work_share == pytest.approx(wanted[1], abs=tolerance)


def test_the_reduced_picture(large):
    one = reduced(large[0])
    assert one.shape == (SIDE, SIDE)
    assert one.dtype == np.uint8
    assert one.mean() == pytest.approx(large[0].mean(), abs=1)
    assert reduced(np.full((1, 900), 7, np.uint8)).tolist() == [[7] * SIDE] * SIDE


def test_a_picture_agrees_with_itself(large, photo):
    for one in (*large, photo):
        result = overlap(reduced(one), reduced(one), IDENTITY, negative=False)
        assert result.agreement > 0.95
        shares(result, (1.0, 1.0), 0.03)


def test_unrelated_pictures_do_not_agree(large, photo):
    pictures = [reduced(one) for one in (*large, photo)]
    for a, one in enumerate(pictures):
        for b, other in enumerate(pictures):
            if a != b:
                result = overlap(one, other, IDENTITY, negative=False)
                assert result.agreement < 0.3
                assert max(result.asset_share, result.work_share) < 0.3


def test_a_negative_agrees_only_as_a_negative(photo):
    work = reduced(photo)
    assert overlap(255 - work, work, IDENTITY, negative=True).agreement > 0.95
    assert overlap(255 - work, work, IDENTITY, negative=False).agreement < 0.1
    assert overlap(work, work, IDENTITY, negative=True).agreement < 0.1


def test_brightness_and_contrast_do_not_matter(photo):
    faded = np.clip(90 + 0.5 * photo, 0, 255).astype(np.uint8)
    result = overlap(reduced(faded), reduced(photo), IDENTITY, negative=False)
    assert result.agreement > 0.9
    shares(result, (1.0, 1.0), 0.05)


@pytest.mark.parametrize(
    "box", [(0.25, 0.25, 0.5, 0.5), (0.0, 0.0, 0.6, 0.9), (0.3, 0.1, 0.7, 0.4)]
)
def test_shares_of_a_crop(photo, box):
    x, y, width, height = box
    left, top, wide, tall = (round(512 * one) for one in box)
    asset = photo[top : top + tall, left : left + wide]
    transform = np.linalg.inv(scaled(x, y, width, height))
    result = overlap(reduced(asset), reduced(photo), transform, negative=False)
    assert result.agreement > 0.85
    shares(result, (1.0, width * height), 0.09)


@pytest.mark.parametrize(
    "box", [(0.25, 0.25, 0.5, 0.5), (0.1, 0.3, 0.4, 0.4), (0.6, 0.6, 0.3, 0.3)]
)
def test_shares_of_an_inset(photo, large, box):
    left, top, wide, tall = (round(512 * one) for one in box)
    asset = large[0].copy()
    asset[top : top + tall, left : left + wide] = cv2.resize(
        photo, (wide, tall), interpolation=cv2.INTER_AREA
    )
    result = overlap(reduced(asset), reduced(photo), scaled(*box), negative=False)
    assert result.agreement > 0.85
    shares(result, (box[2] * box[3], 1.0), 0.07)


@pytest.mark.parametrize("part", [0.25, 0.5, 0.75])
def test_what_is_painted_over_does_not_count_to_the_shares(photo, large, part):
    asset = photo.copy()
    asset[: round(512 * part)] = large[1][: round(512 * part)]
    result = overlap(reduced(asset), reduced(photo), IDENTITY, negative=False)
    shares(result, (1 - part, 1 - part), 0.12)
    plain = overlap(reduced(asset), reduced(photo), IDENTITY, negative=False, patterns=False)
    assert plain.agreement < 1 - 0.6 * part
    assert result.agreement < 1 - 0.25 * part


def test_a_shared_mark_leaves_a_contradiction_and_a_copy_none(photo, large):
    """A copy and two pictures with the same frame differ in the pixels inside the frame."""
    framed = [one.copy() for one in (photo, large[0])]
    for one in framed:
        inner = cv2.resize(one, (400, 400), interpolation=cv2.INTER_AREA)
        one[:] = large[2]
        one[56:456, 56:456] = inner
    apart = overlap(reduced(framed[0]), reduced(framed[1]), IDENTITY, negative=False)
    same = overlap(reduced(framed[0]), reduced(framed[0]), IDENTITY, negative=False)
    edited = cv2.GaussianBlur(np.clip(40 + 0.6 * framed[0], 0, 255).astype(np.uint8), (0, 0), 3)
    copied = overlap(reduced(edited), reduced(framed[0]), IDENTITY, negative=False)
    assert same.contradiction < 0.02
    assert copied.contradiction < 0.05
    assert apart.contradiction > 0.2


def test_a_rotated_picture_agrees_under_its_rotation(photo):
    rotated = np.ascontiguousarray(np.rot90(photo))  # to the left: (x, y) goes to (y, 1 - x)
    transform = np.array([[0, 1, 0], [-1, 0, 1], [0, 0, 1]], float)
    result = overlap(reduced(rotated), reduced(photo), transform, negative=False)
    assert result.agreement > 0.95
    shares(result, (1.0, 1.0), 0.03)
    assert overlap(reduced(rotated), reduced(photo), IDENTITY, negative=False).agreement < 0.3


def test_blank_pictures_have_nothing_to_compare():
    white = np.full((SIDE, SIDE), 255, np.uint8)
    result = overlap(white, white, IDENTITY, negative=False)
    assert result == NO_OVERLAP


def test_a_blank_asset_does_not_show_the_work(photo):
    result = overlap(np.full((SIDE, SIDE), 90, np.uint8), reduced(photo), IDENTITY, negative=False)
    assert result.agreement < 0.05
    assert result.asset_share < 0.05


DEGENERATE = {
    "zeros": np.zeros((3, 3)),
    "singular": np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], float),
    "a line": np.array([[1, 0, 0], [0, 0, 0.5], [0, 0, 1]], float),
    "horizon": np.array([[1, 0, 0], [0, 1, 0], [-2, 0, 1]], float),
    "behind": np.diag([1.0, 1.0, -1.0]),
    "far outside": scaled(40, 40, 1, 1),
    "next to it": scaled(1.2, 0, 1, 1),
    "a speck": scaled(0.5, 0.5, 1e-2, 1e-2),
    "nan": np.full((3, 3), np.nan),
    "one nan": np.array([[1, 0, np.nan], [0, 1, 0], [0, 0, 1]], float),
}


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("name", list(DEGENERATE))
def test_a_degenerate_transform_shows_nothing(photo, name, negative):
    work = reduced(photo)
    transform = DEGENERATE[name]
    assert overlap(work, work, transform, negative=negative) == NO_OVERLAP
    if name not in ("singular", "a line"):
        # Refining it changes nothing and raises no error.
        np.testing.assert_array_equal(
            refined_transform(work, work, transform, negative=negative), transform
        )
        assert repetition(work, work, transform, negative=negative) == 0.0


numbers = st.floats(-3, 3, allow_nan=False) | st.sampled_from([0.0, 1.0, -1.0, 1e-9])


@settings(max_examples=60)
@given(st.lists(numbers, min_size=9, max_size=9), st.booleans())
def test_any_nine_numbers_give_an_overlap_in_bounds(nine, negative):
    one, other = reduced(grey(PLAIN)), reduced(grey(PLAIN[::-1]))
    transform = np.array(nine).reshape(3, 3)
    result = overlap(one, other, transform, negative=negative)
    values = (result.agreement, result.contradiction, result.asset_share, result.work_share)
    assert all(0.0 <= value <= 1.0 for value in values)


PLAIN = picture(5, 160)


# Refining


def corners(transform):
    at = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ transform.T
    return at[:, :2] / at[:, 2:]


def largest_corner_error(transform, wanted):
    return np.hypot(*(corners(transform) - corners(wanted)).T).max()


@pytest.mark.parametrize("shift", [(0.03, 0.0), (-0.02, 0.02), (0.0, -0.03)])
@pytest.mark.parametrize("negative", [False, True])
def test_a_shifted_transform_is_corrected(photo, shift, negative):
    work = reduced(photo)
    asset = 255 - work if negative else work
    off = IDENTITY.copy()
    off[:2, 2] = shift
    moved = refined_transform(asset, work, off, negative=negative)
    assert largest_corner_error(moved, IDENTITY) < 0.01
    before = overlap(asset, work, off, negative=negative).agreement
    assert overlap(asset, work, moved, negative=negative).agreement > max(before, 0.9)


@pytest.mark.parametrize("stretch", [0.97, 1.03])
def test_a_wrong_scale_is_corrected(photo, large, stretch):
    box = (0.2, 0.3, 0.6, 0.5)
    asset = large[0].copy()
    left, top, wide, tall = (round(512 * one) for one in box)
    asset[top : top + tall, left : left + wide] = cv2.resize(photo, (wide, tall))
    true = np.array([[wide, 0, left], [0, tall, top], [0, 0, 512]]) / 512
    off = true @ np.diag([stretch, 1.0, 1.0])
    moved = refined_transform(reduced(asset), reduced(photo), off, negative=False)
    assert largest_corner_error(off, true) > 0.017
    assert largest_corner_error(moved, true) < 0.01


def test_a_correct_transform_is_unchanged(photo):
    work = reduced(photo)
    assert (
        largest_corner_error(refined_transform(work, work, IDENTITY, negative=False), IDENTITY)
        < 0.002
    )


def test_blank_pictures_are_not_moved(photo):
    white = np.full((SIDE, SIDE), 255, np.uint8)
    for one, other in ((white, reduced(photo)), (reduced(photo), white), (white, white)):
        np.testing.assert_array_equal(
            refined_transform(one, other, IDENTITY, negative=False), IDENTITY
        )


# Pictures as wholes

FORMS = {
    "as it is": lambda a: a,
    "mirrored": np.fliplr,
    "upside down": np.flipud,
    "rotated left": np.rot90,
    "rotated round": lambda a: np.rot90(a, 2),
    "rotated right": lambda a: np.rot90(a, -1),
    "transposed": np.transpose,
    "transposed and rotated": lambda a: np.rot90(np.transpose(a), 2),
}


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("form", list(FORMS))
def test_a_whole_picture_is_found_in_each_of_its_forms(photo, form, negative):
    blurred = cv2.GaussianBlur(photo, (0, 0), 6)
    asset = np.ascontiguousarray(FORMS[form](255 - blurred if negative else blurred))
    result = whole_transform(reduced(asset), reduced(photo))
    assert result is not None
    transform, as_negative = result
    assert as_negative is negative
    result_under_it = overlap(reduced(asset), reduced(photo), transform, negative=negative)
    assert result_under_it.agreement > 0.6
    shares(result_under_it, (1.0, 1.0), 0.35)
    # The transform is that of the form: it maps a marked corner as the form does.
    mark = np.zeros((SIDE, SIDE), np.uint8)
    mark[10, 30] = 255
    y, x = np.argwhere(FORMS[form](mark))[0]
    at = transform @ [(30 + 0.5) / SIDE, (10 + 0.5) / SIDE, 1.0]
    assert at[:2] / at[2] == pytest.approx([(x + 0.5) / SIDE, (y + 0.5) / SIDE], abs=0.01)


def test_unrelated_pictures_agree_in_no_form(large, photo):
    pictures = [reduced(one) for one in (*large, photo)]
    for a, one in enumerate(pictures):
        for b, other in enumerate(pictures):
            result = whole_transform(one, other)
            if a == b:
                np.testing.assert_array_equal(result[0], IDENTITY)
            elif result is not None:
                transform, negative = result
                assert overlap(one, other, transform, negative=negative).agreement < 0.45


def test_a_blank_picture_is_like_none(photo):
    white = np.full((SIDE, SIDE), 255, np.uint8)
    assert whole_transform(white, reduced(photo)) is None
    assert whole_transform(reduced(photo), white) is None
    assert whole_transform(white, white) is None


# Patterns


def checkerboard(cell, tone=200):
    y, x = np.mgrid[:512, :512]
    return ((x // cell + y // cell) % 2 * (tone - 40) + 40).astype(np.uint8)


@pytest.mark.parametrize("cell", [32, 64])
@pytest.mark.parametrize("negative", [False, True])
def test_a_pattern_repeats(cell, negative):
    one, other = reduced(checkerboard(cell)), reduced(checkerboard(cell, 120))
    one = 255 - one if negative else one
    assert repetition(one, other, IDENTITY, negative=negative) > 0.9


@pytest.mark.parametrize("cell", [6, 10, 14])
def test_a_shared_pattern_counts_for_little(photo, large, cell):
    """Different pictures on one checkerboard: their difference counts, the checkers hardly do.

    A copy of the whole picture still agrees.
    """
    pages = []
    for one in (photo, large[1]):
        y, x = np.mgrid[:512, :512]
        page = ((x // (4 * cell) + y // (4 * cell)) % 2 * 120 + 60).astype(np.uint8)
        page[128:384, 128:384] = cv2.resize(one, (256, 256), interpolation=cv2.INTER_AREA)
        pages.append(reduced(page))
    plain = overlap(*pages, IDENTITY, negative=False, patterns=False)
    result = overlap(*pages, IDENTITY, negative=False)
    assert result.agreement < plain.agreement - 0.1
    assert result.contradiction > plain.contradiction + 0.05
    copy = overlap(pages[0], pages[0], IDENTITY, negative=False)
    assert copy.agreement > 0.99
    assert copy.contradiction == 0


def test_a_picture_does_not_repeat(photo, large):
    for one in (photo, *large):
        assert repetition(reduced(one), reduced(one), IDENTITY, negative=False) < 0.6


def test_nothing_to_see_does_not_repeat(photo):
    white = np.full((SIDE, SIDE), 255, np.uint8)
    assert repetition(reduced(photo), white, IDENTITY, negative=False) == 0.0
    assert repetition(white, white, IDENTITY, negative=False) == 0.0
