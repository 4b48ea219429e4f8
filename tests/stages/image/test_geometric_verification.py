"""One transform out of many matches, most of them wrong; and none where asset_points is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.image.geometric_verification import (
    SETTINGS,
    Matches,
    homography,
    match_descriptors,
    verify,
)
from pipeline.stages.image.sift import DIMS, Features, View, extent


def features(points, aspect=1.0, sizes=None, angles=None):
    points = np.asarray(points, np.float32).reshape(-1, 2)
    sizes = np.full(len(points), 0.02) if sizes is None else sizes
    angles = np.zeros(len(points)) if angles is None else angles
    return Features(points, np.asarray(sizes, np.float32), np.asarray(angles, np.float32), aspect)


def each_with_itself(count, weight=0.5):
    everyone = np.arange(count)
    return Matches(everyone, everyone, np.full(count, weight), np.ones(count))


def similarity(rotation, scale, place):
    """An affine transform about the centre of the plane, which is mapped to `place`."""
    linear = scale * np.array(
        [[np.cos(rotation), -np.sin(rotation)], [np.sin(rotation), np.cos(rotation)]]
    )
    return linear, np.asarray(place) - linear @ [0.5, 0.5]


def affinely(linear, shift):
    return lambda points: points @ linear.T + shift


def scene(rng, mapping, linear, *, aspects=(1.0, 1.0), count=60, outliers=0.5, view=View.AS_IT_IS):
    """Features of a work, of an asset's view to which `mapping` takes them, and matches of which a
    share are wrong. Noise is as SIFT's: a little in positions, more in sizes and directions."""
    size_of = np.sqrt(abs(np.linalg.det(linear)))
    rotation = np.arctan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1])
    work_points = rng.random((count, 2)) * extent(aspects[1])
    asset_points = mapping(work_points) + rng.normal(0, 0.0015, work_points.shape)
    sizes = np.exp(rng.uniform(np.log(0.006), np.log(0.05), count))
    angles = rng.uniform(0, 2 * np.pi, count)
    wrong = rng.random(count) < outliers
    within = ((asset_points > 0) & (asset_points < extent(aspects[0]))).all(axis=1)
    wrong |= ~within  # a point outside the asset has no correct match
    asset_sizes = sizes * size_of * np.exp(rng.normal(0, 0.08, count))
    asset_angles = angles + rotation + rng.normal(0, 0.06, count)
    asset_points[wrong] = rng.random((wrong.sum(), 2)) * extent(aspects[0])
    asset_sizes[wrong] = np.exp(rng.uniform(np.log(0.006), np.log(0.05), wrong.sum()))
    asset_angles[wrong] = rng.uniform(0, 2 * np.pi, wrong.sum())
    work = features(work_points / extent(aspects[1]), aspects[1], sizes, angles)
    viewed = features(asset_points / extent(aspects[0]), aspects[0], asset_sizes, asset_angles)
    weight = np.where(wrong, rng.uniform(0.05, 0.6, count), rng.uniform(0.3, 1.0, count))
    order = np.argsort(-weight, kind="stable")
    # A view of a view is the picture itself.
    return (
        viewed.in_view(view),
        work,
        Matches(order, order, weight[order], np.ones(len(order))),
        np.flatnonzero(~wrong),
    )


CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def corner_error(transform, mapping, aspect):
    """How far the farthest corner of the work is off, as a share of the asset's longer side."""
    corners = CORNERS * extent(aspect)
    result = corners @ transform[:, :2].T + transform[:, 2]
    return np.hypot(*(result - mapping(corners)).T).max()


rotations = st.floats(-np.pi, np.pi)
scales = st.floats(0.35, 0.7)
positions = st.floats(0.4, 0.6)
shares = st.floats(0.3, 0.8)


@settings(max_examples=40)
@given(st.integers(0, 2**31), rotations, scales, positions, positions, shares)
def test_a_similarity_is_found_among_outliers(seed, rotation, scale, x, y, outliers):
    rng = np.random.default_rng(seed)
    linear, shift = similarity(rotation, scale, (x, y))
    mapping = affinely(linear, shift)
    asset, work, matches, right = scene(rng, mapping, linear, count=100, outliers=outliers)
    result = verify(asset, work, matches, View.AS_IT_IS)
    assert result is not None
    assert corner_error(result.transform, mapping, 1.0) < 0.02
    # Nearly all that are right, and hardly any that are wrong.
    assert np.isin(right, result.work).mean() > 0.8
    assert np.isin(result.work, right).mean() > 0.8
    assert len(set(result.work.tolist())) == len(result.work) == len(result.asset)
    weight_of = dict(zip(matches.work.tolist(), matches.weight.tolist(), strict=True))
    assert result.weighted_inliers == pytest.approx(
        sum(weight_of[one] for one in result.work.tolist())
    )


@settings(max_examples=30)
@given(
    st.integers(0, 2**31),
    rotations,
    scales,
    st.floats(0.7, 1.4),
    st.floats(-0.25, 0.25),
    st.floats(0.3, 0.6),
    st.sampled_from([(1.0, 1.0), (1.6, 0.7), (0.6, 1.5)]),
)
def test_a_stretch_and_a_slant_are_found(seed, rotation, scale, stretch, slant, outliers, aspects):
    rng = np.random.default_rng(seed)
    linear = similarity(rotation, scale, (0, 0))[0] @ np.array([[stretch, slant], [0.0, 1.0]])
    middle = np.array(extent(aspects[0]) / 2)
    mapping = affinely(0.7 * linear, middle - 0.7 * linear @ (extent(aspects[1]) / 2))
    scened = scene(rng, mapping, 0.7 * linear, aspects=aspects, count=120, outliers=outliers)
    asset, work, matches, right = scened
    result = verify(asset, work, matches, View.AS_IT_IS)
    assert result is not None
    assert corner_error(result.transform, mapping, aspects[1]) < 0.02
    assert np.isin(result.work, right).mean() > 0.85


@pytest.mark.parametrize("seed", range(6))
def test_a_perspective_is_approximated_by_an_affine_transform(seed):
    rng = np.random.default_rng(seed)
    linear, shift = similarity(rng.uniform(-0.5, 0.5), 0.7, (0.5, 0.5))
    tilt = rng.uniform(-0.08, 0.08, 2)

    def mapping(points):
        return (points @ linear.T + shift) / (1 + (points - 0.5) @ tilt)[:, None]

    asset, work, matches, right = scene(rng, mapping, linear, count=100, outliers=0.5)
    result = verify(asset, work, matches, View.AS_IT_IS)
    assert result is not None
    assert corner_error(result.transform, mapping, 1.0) < 0.05
    assert np.isin(right, result.work).mean() > 0.5


@pytest.mark.parametrize("seed", range(3))
def test_a_crop_is_placed_by_what_is_left_of_it(seed):
    rng = np.random.default_rng(seed)
    linear, shift = similarity(0.1, 2.0, (0.5, 0.5))
    mapping = affinely(linear, shift)
    asset, work, matches, right = scene(rng, mapping, linear, count=200, outliers=0.2)
    assert 0.1 < len(right) / 200 < 0.4
    result = verify(asset, work, matches, View.AS_IT_IS)
    assert result is not None
    # The work's corners are outside the asset: compare those of the visible part.
    inside = np.linalg.solve(linear, (CORNERS - shift).T).T
    back = inside @ result.transform[:, :2].T + result.transform[:, 2]
    assert np.hypot(*(back - CORNERS).T).max() < 0.02


@pytest.mark.parametrize("seed", range(8))
def test_only_wrong_matches_give_few_inliers(seed):
    """Of 100 random matches two or three agree, too few to decide anything without the pixels."""
    rng = np.random.default_rng(seed)
    mapping = affinely(np.eye(2), np.zeros(2))
    asset, work, matches, _ = scene(rng, mapping, np.eye(2), count=100, outliers=1.0)
    result = verify(asset, work, matches, View.AS_IT_IS)
    assert result is None or (len(result.work) <= 6 and result.weighted_inliers < 3)


# Views


@pytest.mark.parametrize("view", list(View))
def test_a_view_is_found_in_that_view_only(view):
    rng = np.random.default_rng(4)
    linear, shift = similarity(0.4, 0.6, (0.5, 0.5))
    asset, work, matches, _ = scene(
        rng, affinely(linear, shift), linear, count=80, outliers=0.3, view=view
    )
    scores = {}
    for one in View:
        result = verify(asset, work, matches, one)
        scores[one] = 0.0 if result is None else result.weighted_inliers
    assert max(scores, key=scores.__getitem__) is view
    assert sum(scores.values()) - scores[view] < 0.2 * scores[view]


@pytest.mark.parametrize("view", list(View))
@pytest.mark.parametrize("aspects", [(1.0, 1.0), (1.7, 0.6), (0.5, 1.5), (0.4, 0.4)])
def test_the_homography_leads_from_the_work_to_the_asset_as_it_is(view, aspects):
    rng = np.random.default_rng(5)
    linear, _ = similarity(1.1, 0.4, (0, 0))
    mapping = affinely(linear, extent(aspects[0]) / 2 - linear @ (extent(aspects[1]) / 2))
    scened = scene(rng, mapping, linear, aspects=aspects, count=80, outliers=0.3, view=view)
    asset, work, matches, right = scened
    result = verify(asset, work, matches, view)
    assert result is not None
    whole = homography(result.transform, asset.aspect, work.aspect, view)
    assert whole.shape == (3, 3)
    at = np.column_stack([work.points[right], np.ones(len(right))]) @ whole.T
    gap = (at[:, :2] / at[:, 2:] - asset.points[right]) * extent(aspects[0])
    assert np.hypot(*gap.T).max() < 0.02
    assert bool(np.linalg.det(whole[:2, :2]) < 0) is (view is View.MIRRORED)


# Matches that determine no transform


@pytest.mark.parametrize("shift", [0, 1, 7])
@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_a_row_of_equal_dots_gives_nothing(shift, slope):
    x = np.linspace(0.05, 0.95, 24)
    row = features(np.column_stack([x, 0.5 + slope * (x - 0.5)]))
    work_points = np.arange(24 - shift)
    matches = Matches(
        work_points + shift, work_points, np.ones(len(work_points)), np.ones(len(work_points))
    )
    assert verify(row, row, matches, View.AS_IT_IS) is None


def test_two_separate_rows_of_dots_give_a_transform():
    """Equal dots are ambiguous only if all are on one line."""
    x = np.linspace(0.05, 0.95, 24)
    rows = features(np.concatenate([np.column_stack([x, np.full(24, y)]) for y in (0.3, 0.7)]))
    result = verify(rows, rows, each_with_itself(48), View.AS_IT_IS)
    assert result is not None
    np.testing.assert_allclose(result.transform, [[1, 0, 0], [0, 1, 0]], atol=1e-3)


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_features_in_one_place_give_nothing(count):
    rng = np.random.default_rng(count)
    clump = features(0.5 + rng.uniform(-0.005, 0.005, (count, 2)))
    assert verify(clump, clump, each_with_itself(count), View.AS_IT_IS) is None


@pytest.mark.parametrize("count", [0, 1])
def test_one_match_is_too_few(count):
    one = features(np.full((count, 2), 0.5))
    assert verify(one, one, each_with_itself(count), View.AS_IT_IS) is None


def test_features_in_one_place_count_once():
    """SIFT gives a corner several directions: they are one agreement and not four."""
    rng = np.random.default_rng(6)
    points = np.repeat(rng.random((8, 2)), 4, axis=0)
    many = features(points, angles=np.tile([0.0, 0.2, 0.4, 0.5], 8))
    result = verify(many, many, each_with_itself(32), View.AS_IT_IS)
    assert result is not None
    assert len(result.work) <= 8


def test_the_order_of_equal_matches_does_not_matter():
    rng = np.random.default_rng(7)
    linear, shift = similarity(0.4, 0.6, (0.5, 0.5))
    asset, work, matches, _ = scene(rng, affinely(linear, shift), linear, count=80, outliers=0.5)
    one = verify(asset, work, matches, View.AS_IT_IS)
    again = verify(asset, work, matches, View.AS_IT_IS)
    assert one is not None
    assert again is not None
    assert one.transform.tobytes() == again.transform.tobytes()


# Matching


def unit(rng, count):
    some = rng.random((count, DIMS)).astype(np.float32)
    return some / np.linalg.norm(some, axis=1, keepdims=True)


@pytest.mark.parametrize(("asset_count", "work_count"), [(0, 0), (0, 5), (5, 0), (3, 1), (30, 40)])
def test_matches_equal_brute_force(asset_count, work_count):
    rng = np.random.default_rng(asset_count + work_count)
    asset, work = unit(rng, asset_count), unit(rng, work_count)
    reach = rng.uniform(0.3, 0.7, asset_count).astype(np.float32)
    result = match_descriptors(asset, reach, work)
    plain = {}
    for one in range(asset_count):
        distances = np.square(asset[one] - work).sum(axis=1)
        as_near = (
            distances < distances.min(initial=np.inf) + SETTINGS.ambiguity * reach[one]
        ).sum()
        for other in np.argsort(distances)[:2]:
            if distances[other] < reach[one]:
                plain[one, int(other)] = (1 - distances[other] / reach[one]) / as_near**0.5
    pairs = list(zip(result.asset.tolist(), result.work.tolist(), strict=True))
    assert set(pairs) == set(plain)
    assert len(pairs) == len(set(pairs)) == len(result)
    np.testing.assert_allclose(result.weight, [plain[one] for one in pairs], atol=1e-4)
    assert (np.diff(result.weight) <= 0).all()


def test_a_match_among_many_similar_features_weighs_less():
    """A feature that the work has nine times: three matches of a row of dots weigh less than three
    matches of distinct features."""
    rng = np.random.default_rng(10)
    dot, other = unit(rng, 2)
    work = np.stack([dot] * 9 + [other])
    result = match_descriptors(np.stack([dot, other]), np.full(2, 0.5, np.float32), work)
    weight = dict(zip(result.asset.tolist()[::-1], result.weight.tolist()[::-1], strict=True))
    assert weight[1] == pytest.approx(1.0, abs=1e-3)
    assert result.weight[result.asset == 0] == pytest.approx(1 / 3, abs=1e-3)
    assert result.distinctiveness[result.asset == 0] == pytest.approx(1 / 3)
    assert result.distinctiveness[result.asset == 1] == pytest.approx(1.0)


def test_the_strongest_matches_are_kept():
    rng = np.random.default_rng(8)
    work = unit(rng, 300)
    result = match_descriptors(work, np.full(300, 10, np.float32), work)
    assert len(result) == SETTINGS.most_matches
    assert result.weight.max() <= 1.0
    np.testing.assert_array_equal(result.asset, result.work)  # each is nearest to itself


def test_nothing_within_reach_is_no_match():
    rng = np.random.default_rng(9)
    assert len(match_descriptors(unit(rng, 10), np.full(10, 1e-6, np.float32), unit(rng, 10))) == 0
