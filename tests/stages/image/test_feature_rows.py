"""Rows as an index stores them: what is read back of a picture, and what is refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipeline.load.detail import to_grey
from pipeline.stages.base import check_rows
from pipeline.stages.image import vlad
from pipeline.stages.image.codebook import CODE_BYTES, codebook
from pipeline.stages.image.feature_rows import pictures, read_frame
from pipeline.stages.image.feature_schema import FEWEST, SCHEMA
from pipeline.stages.image.pixel_agreement import SIDE, reduced
from pipeline.stages.image.sift import DIMS, extract
from pipeline.stages.image.vlad import vlad_codebook
from training.synthetic import picture

FRAME = picture(3, 200)
A_FEATURE = 8 + 2 + CODE_BYTES + DIMS // 2
"""Bytes stored per feature: its position, cell, code and descriptor."""


def table(*rows):
    columns = zip(*rows, strict=True)
    arrays = [pa.array(values, f.type) for values, f in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


@pytest.fixture(scope="module")
def row():
    count, row = read_frame(to_grey(FRAME), 4, codebook(), vlad_codebook())
    assert count >= FEWEST
    return row


def test_a_row_gives_the_picture_back(row):
    [read] = pictures(table(row))
    grey = to_grey(FRAME)
    features, descriptors = extract(grey)
    assert read.frame == 4
    assert len(read.features) == len(features) == len(read.descriptors)
    np.testing.assert_allclose(read.features.points, features.points, atol=1e-5)
    np.testing.assert_allclose(read.features.sizes, features.sizes, rtol=1e-3)
    np.testing.assert_allclose(read.features.angles, features.angles, atol=2e-3)
    assert read.features.aspect == pytest.approx(features.aspect, rel=1e-6)
    products = (read.descriptors * descriptors).sum(axis=1)
    assert (products / np.linalg.norm(read.descriptors, axis=1)).min() > 0.95
    np.testing.assert_array_equal(read.reduced, reduced(grey))


def test_what_a_picture_takes_to_store(row):
    count = pictures(table(row))[0].features
    sizes = sum(len(value) for value in row if isinstance(value, bytes))
    assert sizes == len(count) * A_FEATURE + vlad.CODE_BYTES + SIDE * SIDE


def test_the_same_frame_gives_the_same_row(row):
    assert read_frame(to_grey(FRAME.copy()), 4, codebook(), vlad_codebook())[1] == row


@pytest.mark.parametrize("frame", [np.full((40, 40, 3), 200, np.uint8), FRAME[:6, :6]])
def test_too_few_features_are_counted_and_not_stored(frame):
    count, row = read_frame(to_grey(np.ascontiguousarray(frame)), 0, codebook(), vlad_codebook())
    assert count < FEWEST
    assert row is None


def changed(row, name, value):
    place = SCHEMA.names.index(name)
    return table((*row[:place], value, *row[place + 1 :]))


def places(row, **values):
    where = np.frombuffer(row[2], [("x", "<u2"), ("y", "<u2"), ("size", "<f2"), ("angle", "<f2")])
    where = where.copy()
    for name, value in values.items():
        where[name][3] = value
    return where.tobytes()


BAD = {
    "aspect of zero": ("aspect", lambda row: 0.0),
    "negative aspect": ("aspect", lambda row: -1.0),
    "infinite aspect": ("aspect", lambda row: float("inf")),
    "aspect that is no number": ("aspect", lambda row: float("nan")),
    "no place": ("places", lambda row: b""),
    "places cut": ("places", lambda row: row[2][:-8]),
    "half a place": ("places", lambda row: row[2][:-1]),
    "a place more": ("places", lambda row: row[2] + row[2][:8]),
    "size of zero": ("places", lambda row: places(row, size=0)),
    "negative size": ("places", lambda row: places(row, size=-0.1)),
    "infinite size": ("places", lambda row: places(row, size=np.inf)),
    "size that is no number": ("places", lambda row: places(row, size=np.nan)),
    "angle that is no number": ("places", lambda row: places(row, angle=np.nan)),
    "infinite angle": ("places", lambda row: places(row, angle=-np.inf)),
    "cells cut": ("cells", lambda row: row[3][:-2]),
    "no cells": ("cells", lambda row: b""),
    "codes cut": ("codes", lambda row: row[4][:-CODE_BYTES]),
    "codes too long": ("codes", lambda row: row[4] + b"0"),
    "descriptors cut": ("descriptors", lambda row: row[5][:-1]),
    "no picture": ("reduced", lambda row: b""),
    "picture cut": ("reduced", lambda row: row[6][:-1]),
    "picture too large": ("reduced", lambda row: row[6] + b"0"),
    "aggregate cut": ("aggregate", lambda row: row[7][:-1]),
}


@pytest.mark.parametrize("name", list(BAD))
def test_a_corrupt_row_is_refused(row, name):
    column, value = BAD[name]
    with pytest.raises(ValueError, match="local_features row"):
        pictures(changed(row, column, value(row)))


def test_fewer_features_than_are_judged_are_refused(row):
    few = FEWEST - 1
    short = (
        *row[:2],
        row[2][: 8 * few],
        row[3][: 2 * few],
        row[4][: CODE_BYTES * few],
        row[5][: DIMS // 2 * few],
        *row[6:],
    )
    with pytest.raises(ValueError, match="not of this stage's form"):
        pictures(table(short))


def test_one_bad_row_among_good_ones_is_refused(row):
    bad = (*row[:6], row[6][:-1], row[7])
    with pytest.raises(ValueError, match="local_features row"):
        pictures(table(row, bad, row))


def test_another_form_is_refused(row):
    good = table(row)
    check_rows(good, SCHEMA, "local_features")
    check_rows(pa.Table.from_batches([good]), SCHEMA, "local_features")
    loose = pa.schema([field.with_nullable(True) for field in SCHEMA])
    nulls = pa.RecordBatch.from_arrays([pa.nulls(1, field.type) for field in SCHEMA], schema=loose)
    wide = good.set_column(0, pa.field("frame", pa.int64(), False), pa.array([4], pa.int64()))
    for rows in (good.drop_columns(["reduced"]), nulls, wide, good.select(SCHEMA.names[::-1])):
        with pytest.raises(ValueError, match="local_features"):
            check_rows(rows, SCHEMA, "local_features")
