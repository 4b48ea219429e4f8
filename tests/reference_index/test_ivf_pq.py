"""IVF-PQ search: nearly all true nearest neighbours are among the candidates."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from pipeline.load.detail import to_grey
from pipeline.stages.image.codebook import CODE_BYTES, SUB_QUANTIZERS, codebook
from pipeline.stages.image.sift import DIMS, extract
from reference_index.ivf_pq import IVFPQIndex
from training.synthetic import picture


@pytest.fixture(scope="module")
def book():
    return codebook()


def descriptors_of(frame):
    return extract(to_grey(frame))[1]


@pytest.fixture(scope="module")
def stored(book):
    """Cells and codes of the features of ten pictures."""
    descriptors = np.concatenate([descriptors_of(picture(seed, 240)) for seed in range(60, 70)])
    cells = book.nearest_centroids(descriptors)[0][:, 0]
    return cells, book.encode(descriptors, cells)


@pytest.fixture(scope="module")
def queries():
    """Features of copies: four of those pictures, scaled down and compressed."""
    descriptors = []
    for seed in range(60, 64):
        small = cv2.resize(picture(seed, 240), None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 50])
        descriptors.append(descriptors_of(cv2.imdecode(data, cv2.IMREAD_COLOR)))
    return np.concatenate(descriptors)


def index_of(book, cells, codes):
    return IVFPQIndex(book.centroids, book.codewords, cells, codes)


def oracle(book, cells, codes, queries):
    """Squared distances to all decoded vectors: float32 (m, n)."""
    vectors = book.decode(codes, cells)
    squares = np.square(queries).sum(1)[:, None] + np.square(vectors).sum(1)
    return squares - 2 * queries @ vectors.T


def test_the_nearest_of_the_oracle_are_candidates(book, stored, queries):
    plain = oracle(book, *stored, queries)
    cells, distances = book.nearest_centroids(queries, 3)
    near, entries = index_of(book, *stored).nearest(queries, 8, cells, distances)
    assert near.shape == entries.shape == (len(queries), 8)
    assert (near.dtype, entries.dtype) == (np.float32, np.int64)
    assert (near[:, :-1] <= near[:, 1:]).all()
    first = plain.argmin(axis=1)
    at_all = (entries == first[:, None]).any(axis=1)
    # Distant neighbours are in cells that are not probed, and do not matter.
    close = plain.min(axis=1) < 0.5 * distances[:, 0]
    assert close.sum() > 200
    assert (entries[close, 0] == first[close]).mean() > 0.85
    assert at_all[close].mean() > 0.9
    assert at_all.mean() > 0.6


def test_distances_equal_the_oracle_up_to_rounding(book, stored, queries):
    plain = oracle(book, *stored, queries)
    cells, distances = book.nearest_centroids(queries, 3)
    near, entries = index_of(book, *stored).nearest(queries, 4, cells, distances)
    valid = entries >= 0
    true = np.take_along_axis(plain, np.maximum(entries, 0), 1)
    assert np.abs(near - true)[valid].mean() < 0.02
    assert np.abs(near - true)[valid].max() < 0.1


def test_with_all_cells_probed_only_rounding_remains(book, stored, queries):
    some = queries[::8]
    plain = oracle(book, *stored, some)
    cells, distances = book.nearest_centroids(some, len(book.centroids))
    _, entries = index_of(book, *stored).nearest(some, 1, cells, distances)
    lost = plain[np.arange(len(some)), entries[:, 0]] - plain.min(axis=1)
    assert lost.max() < 0.05
    assert (lost < 1e-5).mean() > 0.85


def test_only_the_given_cells_are_probed(book, stored, queries):
    cells, distances = book.nearest_centroids(queries, 3)
    _, entries = index_of(book, *stored).nearest(queries, 8, cells, distances)
    for probed, row in zip(cells, entries, strict=True):
        assert set(stored[0][row[row >= 0]]) <= set(probed)


def test_the_order_of_stored_vectors_does_not_matter(book, stored, queries):
    cells, codes = stored
    order = np.random.default_rng(1).permutation(len(cells))
    probes = book.nearest_centroids(queries, 3)
    one, _ = index_of(book, cells, codes).nearest(queries, 8, *probes)
    other, entries = index_of(book, cells[order], codes[order]).nearest(queries, 8, *probes)
    np.testing.assert_array_equal(one, other)
    assert (entries < len(order)).all()


def test_an_empty_index(book, queries):
    nothing = index_of(book, np.zeros(0, np.int64), np.zeros((0, CODE_BYTES), np.uint8))
    assert len(nothing) == 0
    near, entries = nothing.nearest(queries, 5, *book.nearest_centroids(queries, 3))
    assert near.shape == entries.shape == (len(queries), 5)
    assert np.isposinf(near).all()
    assert (entries == -1).all()


def test_no_queries(book, stored):
    none = np.zeros((0, DIMS), np.float32)
    near, entries = index_of(book, *stored).nearest(none, 5, *book.nearest_centroids(none, 3))
    assert near.shape == entries.shape == (0, 5)


def test_one_entry_and_missing_ones_are_padded(book, stored):
    cells, codes = stored[0][:1], stored[1][:1]
    one = index_of(book, cells, codes)
    assert len(one) == 1
    query = book.decode(codes, cells)
    near, entries = one.nearest(query, 4, *book.nearest_centroids(query, 3))
    assert entries.tolist() == [[0, -1, -1, -1]]
    assert near[0, 0] < 0.05
    assert np.isposinf(near[0, 1:]).all()
    # A search only in another cell than its own.
    elsewhere = (cells + 1) % len(book.centroids)
    near, entries = one.nearest(query, 2, elsewhere[:, None], np.ones((1, 1), np.float32))
    assert entries.tolist() == [[-1, -1]]
    assert np.isposinf(near).all()


def test_equal_vectors_are_all_found(book, stored):
    cells, codes = np.repeat(stored[0][:1], 6), np.repeat(stored[1][:1], 6, axis=0)
    query = book.decode(codes[:1], cells[:1])
    near, entries = index_of(book, cells, codes).nearest(
        query, 6, *book.nearest_centroids(query, 1)
    )
    assert sorted(entries[0]) == list(range(6))
    assert len(set(near[0].tolist())) == 1


@pytest.mark.parametrize(
    ("cells", "codes"),
    [
        (np.zeros(3, np.int64), np.zeros((2, CODE_BYTES), np.uint8)),
        (np.zeros(2, np.int64), np.zeros((2, CODE_BYTES - 1), np.uint8)),
        (np.zeros(2, np.int64), np.zeros((2, 2 * CODE_BYTES), np.uint8)),
        (np.array([0, -1]), np.zeros((2, CODE_BYTES), np.uint8)),
        (np.array([0, 10**6]), np.zeros((2, CODE_BYTES), np.uint8)),
    ],
    ids=["fewer codes", "short codes", "long codes", "negative cell", "no such cell"],
)
def test_arrays_that_do_not_fit_are_refused(book, cells, codes):
    with pytest.raises(ValueError, match="centroid"):
        index_of(book, cells, codes)


def test_codewords_of_another_shape_are_refused(book):
    with pytest.raises(ValueError, match="do not fit together"):
        IVFPQIndex(
            book.centroids,
            book.codewords[: SUB_QUANTIZERS // 2],
            np.zeros(1, np.int64),
            np.zeros((1, CODE_BYTES), np.uint8),
        )
