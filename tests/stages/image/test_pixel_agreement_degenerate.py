"""Degenerate transforms: no error is raised, and none takes long."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from pipeline.stages.image.pixel_agreement import (
    NO_OVERLAP,
    overlap,
    reduced,
    refined_transform,
    repetition,
)
from training.synthetic import picture

WORK = reduced(picture(5, 160)[..., 1])


def scaled(x, y, width, height):
    return np.array([[width, 0, x], [0, height, y], [0, 0, 1]], float)


DEGENERATE = {
    "singular": np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], float),
    "a line": np.array([[1, 0, 0], [0, 0, 0.5], [0, 0, 1]], float),
    "a speck": scaled(0.5, 0.5, 1e-4, 1e-4),
    "beyond measure": scaled(-5e8, -5e8, 1e9, 1e9),
    "inf": np.array([[np.inf, 0, 0], [0, 1, 0], [0, 0, 1]], float),
    "huge": np.full((3, 3), 1e308),
}


@pytest.mark.parametrize("name", list(DEGENERATE))
def test_a_degenerate_transform_is_quickly_no_overlap(name):
    transform = DEGENERATE[name]
    start = time.perf_counter()
    assert overlap(WORK, WORK, transform, negative=False) == NO_OVERLAP
    np.testing.assert_array_equal(
        refined_transform(WORK, WORK, transform, negative=False), transform
    )
    assert repetition(WORK, WORK, transform, negative=False) == 0.0
    assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize("seed", range(40))
def test_any_transform_is_compared_without_a_fault(seed):
    rng = np.random.default_rng(seed)
    transform = rng.uniform(-3, 3, (3, 3)) * 10.0 ** rng.integers(-3, 2, (3, 3))
    start = time.perf_counter()
    for negative in (False, True):
        overlap(WORK, WORK, transform, negative=negative)
        refined_transform(WORK, WORK, transform, negative=negative)
        repetition(WORK, WORK, transform, negative=negative)
    assert time.perf_counter() - start < 1.0


def barred(inner):
    """A picture between the bars of a program's window, as on unrelated screenshots."""
    page = np.full((512, 512), 246, np.uint8)
    page[:70] = 225
    page[20:50:6, 20:300] = 60
    page[480:500:5, 20:260] = 60
    page[80:470, 10:502] = cv2.resize(inner, (492, 390), interpolation=cv2.INTER_AREA)
    return reduced(page)


@pytest.mark.parametrize("frame", [reduced, barred])
def test_a_transform_is_moved_a_little_and_never_collapses(photos, frame):
    grey = {name: cv2.cvtColor(np.asarray(one), cv2.COLOR_RGB2GRAY) for name, one in photos.items()}
    grey |= {str(seed): picture(seed, 256)[..., 1] for seed in (501, 507, 63)}
    pictures = {name: frame(np.ascontiguousarray(one)) for name, one in grey.items()}
    collapsed = {}
    for name, one in pictures.items():
        for other, work in pictures.items():
            moved = refined_transform(one, work, np.eye(3), negative=False)
            corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ moved.T
            area = cv2.contourArea((corners[:, :2] / corners[:, 2:]).astype(np.float32))
            if not 0.5 < area < 2:
                collapsed[name, other] = round(float(area), 4)
    assert not collapsed
