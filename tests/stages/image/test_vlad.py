"""A picture's aggregated vector and its code."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from pipeline.load.detail import to_grey
from pipeline.stages.image.sift import View, extract
from pipeline.stages.image.vlad import CODE_BYTES, FILE, SIZE, vlad_codebook
from reference_index.brute_force import PQBruteForce
from training.synthetic import picture


@pytest.fixture(scope="module")
def book():
    return vlad_codebook()


@pytest.fixture(scope="module")
def extracted():
    """Features and descriptors of a drawn picture with many."""
    for seed in range(100):
        features, descriptors = extract(to_grey(picture(seed, 320)))
        if len(features) > 200:
            return features, descriptors
    raise AssertionError("no picture with many features")


def whole(book, descriptors):
    return book.aggregate(descriptors, np.ones((1, len(descriptors)), np.bool_))[0]


def test_the_packaged_codebook(book):
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == book.sha256
    assert FILE.stat().st_size < 3_000_000
    # Axes and rotations keep lengths, as far as half precision goes.
    assert book.axes.T @ book.axes == pytest.approx(np.eye(64), abs=5e-3)
    assert book.rotations.transpose(0, 2, 1) @ book.rotations == pytest.approx(
        np.broadcast_to(np.eye(64), (128, 64, 64)), abs=5e-3
    )


def test_the_vector_is_the_sum_of_directions_from_each_centroid(book, extracted):
    """As its definition says, one descriptor after another in float64."""
    _, descriptors = extracted
    sums = np.zeros((128, 64))
    for one in descriptors.astype(np.float64):
        reduced = (one - book.mean) @ book.axes
        place = int(np.square(book.centroids - reduced).sum(axis=1).argmin())
        rest = reduced - book.centroids[place]
        sums[place] += rest / np.linalg.norm(rest) @ book.rotations[place]
    roots = np.sign(sums) * np.sqrt(np.abs(sums))
    roots /= np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-6)
    wanted = roots.ravel() / np.linalg.norm(roots)
    # Cosines: a sum that is nearly 0 has a root that is not.
    assert whole(book, descriptors) @ wanted > 0.9999


def test_a_part_uses_only_its_own_descriptors(book, extracted):
    _, descriptors = extracted
    parts = np.zeros((3, len(descriptors)), np.bool_)
    parts[0, :40], parts[1] = True, True
    vectors = book.aggregate(descriptors, parts)
    assert vectors.shape == (3, SIZE)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 0], abs=1e-5)
    assert vectors[0] @ whole(book, descriptors[:40]) > 0.9999
    assert vectors[1] @ whole(book, descriptors) > 0.9999
    assert not book.aggregate(descriptors[:0], np.zeros((2, 0), np.bool_)).any()


def test_views_differ_and_a_view_of_the_view_is_the_picture(book, extracted):
    _, descriptors = extracted
    vector = whole(book, descriptors)
    for view in (View.MIRRORED, View.NEGATIVE):
        once = np.ascontiguousarray(descriptors[:, view.order])
        assert vector @ whole(book, once) < 0.5
        assert vector @ whole(book, once[:, view.order]) > 0.9999


def test_a_code_holds_the_nearest_codewords(book, extracted):
    _, descriptors = extracted
    vector = whole(book, descriptors)
    codes = book.encode(np.stack([vector, -vector]))
    assert codes.shape == (2, CODE_BYTES)
    assert codes.dtype == np.uint8
    assert np.array_equal(codes[:1], book.encode(vector[None]))
    words = np.empty((2, 2 * CODE_BYTES), np.int64)
    words[:, ::2], words[:, 1::2] = codes & 15, codes >> 4
    for part in (0, 1, 700, 2047):
        off = np.square(book.codewords[part] - vector.reshape(-1, 4)[part]).sum(axis=1)
        assert off[words[0, part]] == pytest.approx(off.min(), abs=1e-6)
    products, _ = PQBruteForce(book.codewords, codes).nearest(vector[None], 2)
    decoded = book.decode(codes)[0]
    assert vector @ decoded / np.linalg.norm(decoded) > 0.7
    assert products[0, 0] == pytest.approx(vector @ decoded, abs=1e-4)
    assert products[0, 0] > products[0, 1]
