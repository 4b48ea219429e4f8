"""SIFT features: those of a picture's other views are derived without extracting them again."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.load.detail import LARGEST_EDGE, to_grey
from pipeline.stages.image.sift import DIMS, MOST_FEATURES, Features, View, extent, extract
from training.synthetic import picture

SEEN = {
    View.AS_IT_IS: lambda frame: frame,
    View.MIRRORED: lambda frame: frame[:, ::-1],
    View.NEGATIVE: lambda frame: 255 - frame,
}
"""The transform of the pixels for each view."""


def features_of(frame):
    return extract(to_grey(np.ascontiguousarray(frame)))


def turn_between(one, other):
    """Size of the angle between two directions, in radians."""
    return np.abs((one - other + np.pi) % (2 * np.pi) - np.pi)


@pytest.mark.parametrize("view", list(View))
@pytest.mark.parametrize("seed", [3, 4])
def test_a_view_equals_features_of_the_transformed_pixels(view, seed):
    frame = picture(seed, 256)
    assumed, descriptors = features_of(frame)
    assumed, descriptors = assumed.in_view(view), descriptors[:, view.order]
    computed, computed_descriptors = features_of(SEEN[view](frame))
    gap = np.hypot(*(assumed.positions()[:, None] - computed.positions()[None]).transpose(2, 0, 1))
    same = (
        (gap < 0.004)
        & (np.abs(np.log(assumed.sizes[:, None] / computed.sizes)) < 0.05)
        & (turn_between(assumed.angles[:, None], computed.angles) < 0.06)
    )
    has_partner = same.any(axis=1)
    # SIFT does not find all of them again: rounding decides on the weakest.
    assert has_partner.mean() > 0.65
    similarity = np.where(same, descriptors @ computed_descriptors.T, -1.0).max(axis=1)[has_partner]
    assert (similarity > 0.97).mean() > 0.9
    if view is not View.AS_IT_IS:
        # Not by chance: unchanged descriptors differ from those of the view.
        unchanged = np.where(same, features_of(frame)[1] @ computed_descriptors.T, -1.0).max(
            axis=1
        )[has_partner]
        assert (unchanged > 0.97).mean() < 0.1


@pytest.mark.parametrize("view", list(View))
def test_the_order_of_a_view_is_a_permutation_and_its_own_inverse(view):
    assert sorted(view.order) == list(range(DIMS))
    np.testing.assert_array_equal(view.order[view.order], np.arange(DIMS))


def test_a_view_applied_twice_is_the_picture_again():
    features, _ = features_of(picture(3, 200))
    for view in View:
        again = features.in_view(view).in_view(view)
        np.testing.assert_allclose(again.points, features.points, atol=1e-6)
        assert turn_between(again.angles, features.angles).max() < 1e-5
        np.testing.assert_array_equal(again.sizes, features.sizes)


@pytest.mark.parametrize(
    "frame",
    [
        np.full((90, 120, 3), 200, np.uint8),
        np.zeros((40, 40, 3), np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.full((1, 500, 3), 9, np.uint8),
    ],
    ids=["grey", "black", "one pixel", "a line"],
)
def test_a_blank_picture_has_no_features(frame):
    features, descriptors = features_of(frame)
    assert len(features) == 0
    assert features.points.shape == (0, 2)
    assert features.positions().shape == (0, 2)
    assert descriptors.shape == (0, DIMS)
    assert all(len(features.in_view(view)) == 0 for view in View)


@pytest.mark.parametrize(
    ("height", "width"), [(300, 1), (1, 300), (2, 3), (8, 2000), (2000, 8), (300, 300), (97, 411)]
)
def test_any_shape_is_accepted(height, width):
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    grey = to_grey(frame)
    assert max(grey.shape) <= LARGEST_EDGE
    assert min(grey.shape) >= 1
    features, descriptors = extract(grey)
    assert len(descriptors) == len(features) <= MOST_FEATURES
    assert features.aspect == grey.shape[1] / grey.shape[0]
    assert ((features.points >= -0.01) & (features.points <= 1.01)).all()
    assert (features.sizes > 0).all()
    assert np.isfinite(features.angles).all()
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1.0, atol=1e-5)


def test_the_same_picture_gives_the_same_bytes_and_the_strongest_first():
    grey = to_grey(picture(12, 400))
    one, first = extract(grey)
    other, second = extract(grey.copy())
    for name in ("points", "sizes", "angles"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
    assert first.tobytes() == second.tobytes()
    assert len(one) > 100
    # A picture with half of it flattened keeps its strong features; weak ones follow.
    np.testing.assert_array_equal(one.points, one.in_view(View.NEGATIVE).points)


def test_features_of_a_smaller_copy_have_the_same_relative_positions():
    frame = picture(3, 1000)
    large, _ = features_of(frame)
    small, _ = features_of(frame[::2, ::2])
    gap = np.hypot(*(large.positions()[:, None] - small.positions()[None]).transpose(2, 0, 1))
    assert (gap.min(axis=1) < 0.006).mean() > 0.6


def test_a_small_picture_is_not_enlarged_and_a_large_one_is_averaged():
    small = np.zeros((20, 30, 3), np.uint8)
    assert to_grey(small).shape == (20, 30)
    stripes = np.zeros((8 * LARGEST_EDGE, 8 * LARGEST_EDGE, 3), np.uint8)
    stripes[::2] = 255
    grey = to_grey(stripes)
    assert grey.shape == (LARGEST_EDGE, LARGEST_EDGE)
    assert set(np.unique(grey)) <= {127, 128}


@pytest.mark.parametrize(
    ("aspect", "wanted"), [(2.0, (1.0, 0.5)), (0.25, (0.25, 1)), (1.0, (1, 1))]
)
def test_the_longer_side_is_one(aspect, wanted):
    assert tuple(extent(aspect)) == wanted
    nothing = np.zeros(1, np.float32)
    whole = Features(np.ones((1, 2), np.float32), nothing, nothing, aspect)
    assert tuple(whole.positions()[0]) == wanted
