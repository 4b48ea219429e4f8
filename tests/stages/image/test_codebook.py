"""Compressed descriptors: their error, and that every platform gives the same bytes."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import ModelError
from pipeline.load.detail import to_grey
from pipeline.stages.image.codebook import (
    CODE_BYTES,
    CODEWORDS,
    FILE,
    LARGEST,
    STEPS,
    SUB_QUANTIZERS,
    codebook,
    packaged_arrays,
    packed,
    unpacked,
)
from pipeline.stages.image.sift import DIMS, extract
from training.synthetic import picture


@pytest.fixture(scope="module")
def book():
    return codebook()


@pytest.fixture(scope="module")
def descriptors(photos):
    """Of photographs, which the codebook was not trained on."""
    frames = [np.ascontiguousarray(photos[name]) for name in ("chelsea", "coffee")]
    return np.concatenate([extract(to_grey(frame))[1] for frame in frames])


def squares(difference):
    return np.square(difference).sum(axis=1)


def test_the_codebook_has_its_form(book):
    assert book.centroids.shape[1] == DIMS
    assert book.codewords.shape == (SUB_QUANTIZERS, CODEWORDS, DIMS // SUB_QUANTIZERS)
    assert np.isfinite(book.centroids).all()
    assert np.isfinite(book.codewords).all()
    assert book.sha256 == hashlib.sha256(FILE.read_bytes()).hexdigest()


def test_the_spec_names_the_codebook(book):
    from pipeline.stages.local_features import LocalFeatures

    assert LocalFeatures.create().spec.parameters["codebook"] == book.sha256


def test_nearest_cells_equal_brute_force(book, descriptors):
    some = descriptors[::10]
    plain = np.square(some[:, None] - book.centroids[None]).sum(axis=2)
    order = np.argsort(plain, axis=1, kind="stable")[:, :4]
    cells, distances = book.nearest_centroids(some, 4)
    np.testing.assert_allclose(distances, np.take_along_axis(plain, order, 1), atol=1e-4)
    assert (cells == order).mean() > 0.99  # but for near ties
    assert cells.dtype == np.int64
    assert (distances >= 0).all()


def test_the_first_of_several_cells_is_the_single_nearest(book, descriptors):
    one, _ = book.nearest_centroids(descriptors)
    many, _ = book.nearest_centroids(descriptors, 3)
    np.testing.assert_array_equal(one[:, 0], many[:, 0])


def test_a_code_leaves_much_less_than_its_cell_does(book, descriptors):
    cells, distances = book.nearest_centroids(descriptors)
    codes = book.encode(descriptors, cells[:, 0])
    assert codes.shape == (len(descriptors), CODE_BYTES)
    assert codes.dtype == np.uint8
    error = squares(book.decode(codes, cells[:, 0]) - descriptors)
    assert error.mean() < 0.4 * distances[:, 0].mean()
    assert (error < distances[:, 0]).mean() > 0.99
    # Far nearer than two unrelated descriptors are.
    unrelated = squares(descriptors[:200] - descriptors[-200:]).mean()
    assert error.mean() < 0.25 * unrelated


def test_words_are_the_nearest_and_the_first_of_a_pair_is_in_the_lower_half(book, descriptors):
    """Reference implementation of a product quantizer."""
    some = descriptors[:50]
    cells = book.nearest_centroids(some)[0][:, 0]
    rest = (some - book.centroids[cells]).reshape(
        len(some), SUB_QUANTIZERS, 1, DIMS // SUB_QUANTIZERS
    )
    plain = np.square(rest - book.codewords[None]).sum(axis=3)
    codes = book.encode(some, cells)
    words = np.stack([codes & 15, codes >> 4], axis=2).reshape(len(some), SUB_QUANTIZERS)
    chosen = np.take_along_axis(plain, words[..., None].astype(np.int64), 2)[..., 0]
    np.testing.assert_allclose(chosen, plain.min(axis=2), atol=1e-6)
    back = book.centroids[cells] + book.codewords[np.arange(SUB_QUANTIZERS), words].reshape(
        len(some), DIMS
    )
    np.testing.assert_allclose(book.decode(codes, cells), back, atol=1e-6)


def test_no_descriptors_are_encoded_as_no_codes(book):
    nothing = np.zeros((0, DIMS), np.float32)
    cells, distances = book.nearest_centroids(nothing, 3)
    assert cells.shape == distances.shape == (0, 3)
    codes = book.encode(nothing, cells[:, 0])
    assert codes.shape == (0, CODE_BYTES)
    assert book.decode(codes, cells[:, 0]).shape == (0, DIMS)
    assert packed(nothing).shape == (0, DIMS // 2)
    assert unpacked(packed(nothing)).shape == (0, DIMS)


@given(st.integers(0, 2**31), st.integers(1, 20), st.floats(0.01, LARGEST))
def test_what_is_packed_comes_back_within_half_a_step(seed, count, largest):
    values = np.random.default_rng(seed).uniform(0, largest, (count, DIMS)).astype(np.float32)
    pairs = packed(values)
    assert pairs.shape == (count, DIMS // 2)
    assert pairs.dtype == np.uint8
    back = unpacked(pairs)
    assert np.abs(back - values).max() <= 0.5 * LARGEST / STEPS + 1e-6
    np.testing.assert_array_equal(packed(back), pairs)


def test_the_first_of_two_numbers_is_in_the_lower_half():
    values = np.zeros((1, DIMS), np.float32)
    values[0, 0], values[0, 3] = LARGEST, LARGEST / STEPS
    assert packed(values)[0, :3].tolist() == [15, 16, 0]


def test_what_is_larger_than_the_largest_step_is_kept_as_that():
    values = np.full((1, DIMS), 0.99, np.float32)
    np.testing.assert_allclose(unpacked(packed(values)), LARGEST, rtol=1e-6)


def test_packing_keeps_descriptors_apart(descriptors):
    """The error of half a byte a number is small compared with distances between descriptors."""
    back = unpacked(packed(descriptors))
    unrelated = squares(descriptors[:200] - descriptors[-200:]).mean()
    assert squares(back - descriptors).mean() < 0.05 * unrelated
    nearest = squares_between(back, descriptors).argmin(axis=1)
    assert (nearest == np.arange(len(descriptors))).mean() > 0.98


def squares_between(a, b):
    return np.square(a).sum(1)[:, None] - 2 * a @ b.T + np.square(b).sum(1)


def test_drawn_pictures_are_coded_as_well_as_photographs(book, descriptors):
    drawn = extract(to_grey(picture(77, 300)))[1]
    errors = []
    for some in (drawn, descriptors):
        cells = book.nearest_centroids(some)[0][:, 0]
        errors.append(squares(book.decode(book.encode(some, cells), cells) - some).mean())
    assert errors[1] < 2 * errors[0]


@pytest.mark.parametrize("damage", ["cut", "emptied", "gone"])
def test_a_damaged_file_of_the_package_is_named(tmp_path, damage):
    file = tmp_path / "codebook.safetensors"
    if damage != "gone":
        file.write_bytes(FILE.read_bytes()[: 5000 if damage == "cut" else 0])
    with pytest.raises(ModelError, match=r"codebook\.safetensors.*install Clearance again"):
        packaged_arrays(file)
