"""The overlay: a work's place in an asset, drawn and in words, for any stored measures."""

from __future__ import annotations

import io
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.core.wording.text import visible
from pipeline.report import overlay_drawing as drawing
from pipeline.report.overlap import (
    MEASURES,
    Overlap,
    Placement,
    Undrawable,
    overlap_of,
    overlap_sentence,
    placement,
    transform_words,
)
from pipeline.report.overlay import (
    EDGE,
    jpeg,
    keep_frame,
    overlay,
    overlay_of_kept,
    picture_of,
    strip,
)
from pipeline.report.overlay_drawing import outline, warped

SAME = "1 0 0 0 1 0 0 0 1"
MIRRORED = "-1 0 1 0 1 0 0 0 1"
INSET = "0.5 0 0.25 0 0.6 0.2 0 0 1"
LINE = (255, 214, 10)

BROKEN = [
    None,
    "",
    "  ",
    "text",
    "1 0 0 0 1 0 0 0",
    "1 0 0 0 1 0 0 0 1 0",
    "nan 0 0 0 1 0 0 0 1",
    "inf 0 0 0 1 0 0 0 1",
    "1e999 0 0 0 1 0 0 0 1",
    "0 0 0 0 0 0 0 0 0",
    "1 0 0 1 0 0 0 0 1",  # flat
    "1 0 0 0 1 0 0 0 0",  # everything at the horizon
    "1 0 0 0 1 0 2 0 -1",  # a part of it behind the horizon
    "1e12 0 0 0 1e12 0 0 0 1",  # a work so large that the asset is a point of it
    "1e-9 0 0.5 0 1e-9 0.5 0 0 1",
    "1 0 7 0 1 0 0 0 1",  # next to the asset
    "1 0 0 0 1 0 0 0 <b>1</b>",
]


def text(matrix) -> str:
    return " ".join(repr(float(number)) for number in np.asarray(matrix).ravel())


def placed(matrix) -> Placement:
    result = placement(matrix if isinstance(matrix, str) else text(matrix))
    assert isinstance(result, Placement), result
    return result


def texture(width=400, height=300, seed=0):
    """A picture with detail at several scales, no two parts of it similar."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3))
    for cells in (3, 9, 27):
        coarse = rng.uniform(0, 255, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR) / 3
    return picture.round().astype(np.uint8)


def rotation(degrees, scale=1.0, width=400, height=300, mirrored=False):
    """Homography, in fractions of the picture, of a rotation about its centre."""
    turn = math.radians(degrees)
    flip = -1 if mirrored else 1
    linear = scale * np.array(
        [
            [flip * math.cos(turn), -math.sin(turn)],
            [flip * math.sin(turn), math.cos(turn)],
        ]
    )
    size = np.array([width, height])
    matrix = np.eye(3)
    matrix[:2, :2] = linear * size[None, :] / size[:, None]
    matrix[:2, 2] = 0.5 - matrix[:2, :2] @ [0.5, 0.5]
    return matrix


# -- geometry ------------------------------------------------------------------------------------


def test_corners_are_where_the_homography_maps_them():
    corners = [[0.1, 0.2], [0.8, 0.1], [0.9, 0.7], [0.2, 0.9]]
    square = np.float32([[0, 0], [1, 0], [1, 1], [0, 1]])
    matrix = cv2.getPerspectiveTransform(square, np.float32(corners))
    for factor in (1.0, -3.0, 1e6):  # a homography is known up to a factor
        result = placed(matrix * factor)
        np.testing.assert_allclose(result.in_asset, corners, atol=1e-6)
        np.testing.assert_allclose(result.in_work, square, atol=1e-6)
        assert result.work_share == pytest.approx(1.0)
    np.testing.assert_allclose(
        outline(result.in_asset, 200, 100)[:2], [[19.5, 19.5], [159.5, 9.5]], atol=1e-3
    )


def test_what_is_outside_the_asset_is_clipped():
    result = placed("2 0 -0.5 0 2 -0.5 0 0 1")
    assert result.asset_share == pytest.approx(1.0)
    assert result.work_share == pytest.approx(0.25)
    np.testing.assert_allclose(
        sorted(result.in_work.tolist()), [[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]]
    )
    diamond = placed(rotation(45, 1.0, 100, 100))
    assert len(diamond.in_asset) == 8


@given(
    st.lists(st.floats(-0.4, 1.4), min_size=8, max_size=8),
)
@settings(max_examples=60)
def test_shares_agree_with_counting_points(numbers):
    corners = np.float32(numbers).reshape(4, 2)
    matrix = cv2.getPerspectiveTransform(np.float32([[0, 0], [1, 0], [1, 1], [0, 1]]), corners)
    result = placement(text(matrix))
    if isinstance(result, Undrawable):
        return
    at = (np.arange(150) + 0.5) / 150
    points = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
    mapped = np.hstack([points, np.ones((len(points), 1))]) @ result.matrix.T
    mapped = mapped[:, :2] / mapped[:, 2:]
    inside = ((mapped >= 0) & (mapped <= 1)).all(axis=1).mean()
    assert result.work_share == pytest.approx(inside, abs=0.02)


@pytest.mark.parametrize("transform", BROKEN)
def test_a_transform_that_can_t_be_drawn_draws_nothing_and_says_so(transform):
    drawn = overlay(texture(), texture(seed=1), transform, False)
    assert drawn.panels == ()
    assert drawn.note.startswith("The overlay is not drawn: ")
    assert keep_frame(texture(), transform) is None
    assert "<b>" not in drawn.note
    with pytest.raises(ValueError, match="without panels"):
        strip(drawn)


@given(st.lists(st.floats(), min_size=9, max_size=9), st.booleans())
@settings(max_examples=150)
def test_no_nine_numbers_raise(numbers, negative):
    transform = " ".join(map(repr, numbers))
    drawn = overlay(texture(40, 30), texture(30, 40), transform, negative)
    assert bool(drawn.panels) != bool(drawn.note)
    result = placement(transform)
    if isinstance(result, Placement):
        assert transform_words(result)


@given(st.text(max_size=40))
def test_no_text_raises(transform):
    assert isinstance(placement(transform), Undrawable | Placement)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 3), (2, 2), (5000, 4000)])
@pytest.mark.parametrize("transform", [SAME, INSET, MIRRORED])
def test_pictures_of_any_size_are_drawn_within_the_bounds(size, transform):
    picture = np.full((*size, 3), 90, np.uint8)
    drawn = overlay(picture, picture, transform, False)
    assert len(drawn.panels) == 3
    for panel in drawn.panels:
        assert max(panel.picture.shape[:2]) <= EDGE
        assert panel.picture.dtype == np.uint8
    assert Image.open(io.BytesIO(strip(drawn))).format == "PNG"


# -- what is drawn -------------------------------------------------------------------------------


def is_line(pixel) -> bool:
    return bool(np.abs(np.asarray(pixel, int) - LINE).max() < 30)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_the_outline_is_visible_on_any_grey_with_a_dark_rim(grey):
    frame = np.full((400, 480, 3), grey, np.uint8)
    picture = overlay(frame, None, INSET, False).panels[0].picture
    # Left edge at 0.25 * 480 - 0.5, top at 0.2 * 400 - 0.5, bottom at 0.8 * 400 - 0.5.
    assert is_line(picture[200, 119])
    assert is_line(picture[79, 240])
    assert is_line(picture[319, 240])
    assert picture[200, 116].max() < 60
    assert picture[200, 123].max() < 60
    assert (picture[200, 140] == grey).all()
    assert (picture[200, 60] == grey).all()


def test_a_line_along_the_asset_s_own_edge_is_seen_whole():
    picture = overlay(np.full((400, 480, 3), 255, np.uint8), None, SAME, False).panels[0].picture
    column = picture[200, :12].astype(int)
    assert sum(is_line(pixel) for pixel in column) >= 3


def test_the_work_s_panel_outlines_the_part_that_is_in_the_asset():
    frame, work = texture(480, 360), texture(240, 240, seed=2)
    panel = overlay(frame, work, "2 0 -0.5 0 2 -0.5 0 0 1", False).panels[1]
    assert is_line(panel.picture[240, 119])
    assert is_line(panel.picture[240, 359])
    assert not is_line(panel.picture[240, 5])
    assert "The line shows the part" in panel.caption
    assert "All of it falls within the asset" in overlay(frame, work, SAME, False).panels[1].caption


@pytest.mark.parametrize(
    ("agreed", "said"),
    [
        (0.925, " over 92 % of the asset"),
        (0.979, " over 98 % of the asset"),
        (0.98, None),
        (None, None),
    ],
)
def test_an_outline_around_the_whole_asset_does_not_say_that_all_of_it_agrees(agreed, said):
    frame = texture(480, 360)
    drawn = overlay(frame, frame, SAME, False, agreed=(agreed, agreed))
    asset, work, _ = (panel.caption for panel in drawn.panels)
    assert "All of it lies within the work’s outline" in asset
    for caption, of in ((asset, "the asset"), (work, "the work")):
        if said is None:
            assert "agree" not in caption
        else:
            assert caption.endswith(f"the two agree{said.replace('the asset', of)}.")
    kept = overlay_of_kept(keep_frame(frame, SAME), jpeg(frame), SAME, False, (agreed, agreed))
    assert kept.panels[0].caption == asset


def reference_warp(work, matrix, width, height):
    """Each pixel's middle taken back to the work, nearest pixel; slow and plain."""
    inverse = np.linalg.inv(matrix)
    result = np.zeros((height, width, 3), np.uint8)
    for y in range(height):
        for x in range(width):
            u, v, depth = inverse @ [(x + 0.5) / width, (y + 0.5) / height, 1.0]
            if 0 <= u / depth < 1 and 0 <= v / depth < 1:
                result[y, x] = work[int(v / depth * work.shape[0]), int(u / depth * work.shape[1])]
    return result


@pytest.mark.parametrize(
    "matrix",
    [
        np.eye(3),
        [[-1, 0, 1], [0, 1, 0], [0, 0, 1]],
        [[0.5, 0, 0.25], [0, 0.6, 0.2], [0, 0, 1]],
        rotation(20, 0.7, 120, 90),
        [[0.9, 0.1, 0], [0.05, 0.8, 0.1], [0.2, 0.1, 1]],
    ],
)
def test_the_work_is_laid_where_a_plain_warp_puts_it(matrix):
    work = cv2.GaussianBlur(texture(160, 120), (0, 0), 2)
    matrix = np.asarray(matrix, dtype=float)
    expected = reference_warp(work, matrix, 120, 90).astype(int)
    got = warped(work, matrix, 120, 90).astype(int)
    core = cv2.erode((expected.sum(axis=2) > 0).astype(np.uint8), np.ones((5, 5)), borderValue=0)
    assert core.sum() > 1000
    assert np.abs(got - expected)[core > 0].max() <= 12


def joined_difference(frame, work, transform, negative=False):
    """Median difference of the joined panel from the asset, within the overlap."""
    panel = overlay(frame, work, transform, negative).panels[2].picture
    return float(np.median(np.abs(panel.astype(int) - frame.astype(int))[20:-20, 20:-20]))


def test_a_right_claim_joins_without_seams_and_a_wrong_one_does_not():
    work = texture(480, 360, seed=3)
    flipped = np.ascontiguousarray(work[:, ::-1])
    assert joined_difference(work, work, SAME) <= 2
    assert joined_difference(flipped, work, MIRRORED) <= 2
    assert joined_difference(255 - work, work, SAME, negative=True) <= 2
    other = texture(480, 360, seed=4)
    for frame, transform, negative in (
        (flipped, SAME, False),
        (255 - work, SAME, False),
        (work, SAME, True),
        (other, SAME, False),
    ):
        panel = overlay(frame, work, transform, negative).panels[2].picture.astype(int)
        worst = np.abs(panel - frame.astype(int))[20:-20, 20:-20]
        assert (worst.max(axis=2) > 25).mean() > 0.3


def test_a_small_asset_is_compared_at_its_own_sharpness():
    rng = np.random.default_rng(8)
    work = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    icon = cv2.resize(work, (32, 24), interpolation=cv2.INTER_AREA)
    asset, _, both = (panel.picture for panel in overlay(icon, work, SAME, False).panels)
    difference = np.abs(both.astype(int) - asset)[20:-20, 20:-20]
    assert np.percentile(difference, 90) < 20


def test_brightness_is_evened_out_and_said_to_be():
    work = texture(480, 360, seed=3)
    dark = (work * 0.4).astype(np.uint8)
    panel = overlay(dark, work, SAME, False).panels[2]
    assert np.median(np.abs(panel.picture.astype(int) - dark)[20:-20, 20:-20]) <= 3
    assert "as bright as the asset" in panel.caption
    assert "as bright" not in overlay(work, work, SAME, False).panels[2].caption


def test_outside_the_overlap_the_asset_is_dimmed():
    frame = np.full((400, 480, 3), 255, np.uint8)
    panel = overlay(frame, frame, "0.7 0 0 0 0.7 0 0 0 1", False).panels[2].picture
    assert panel[390, 470].max() < 160
    assert panel[100, 100].min() > 200 or is_line(panel[100, 100])


def test_a_negative_is_said_to_be_one():
    work = texture()
    panels = overlay(255 - work, work, SAME, True).panels
    assert "negative" in panels[1].caption
    assert "inverted" in panels[2].caption
    assert "negative" not in overlay(work, work, SAME, False).panels[1].caption


def test_a_small_overlap_is_shown_enlarged():
    work, frame = texture(300, 300, seed=5), texture(2000, 1500, seed=6)
    frame[900:1100, 1400:1600] = cv2.resize(work, (200, 200), interpolation=cv2.INTER_AREA)
    transform = text([[0.1, 0, 0.7], [0, 200 / 1500, 0.6], [0, 0, 1]])
    panel = overlay(frame, work, transform, False).panels[2]
    assert "Enlarged" in panel.caption
    height, width = panel.picture.shape[:2]
    middle = panel.picture[height // 4 : -height // 4, width // 4 : -width // 4]
    close = frame[860:1140, 1360:1640]
    expected = cv2.resize(close, (width, height), interpolation=cv2.INTER_CUBIC)
    expected = expected[height // 4 : -height // 4, width // 4 : -width // 4]
    assert np.median(np.abs(middle.astype(int) - expected)) <= 4


def test_the_same_corner_has_the_same_number_in_asset_and_work(monkeypatch):
    drawn: list[tuple[str, tuple[int, int]]] = []
    put = cv2.putText

    def note(picture, number, at, *rest, **more):
        drawn.append((number, at))
        return put(picture, number, at, *rest, **more)

    monkeypatch.setattr(drawing.cv2, "putText", note)
    for panel in overlay(texture(), texture(), MIRRORED, False).panels:
        assert panel.picture.size
    (one, two), (first, second) = drawn[:2], drawn[2:]
    assert [number for number, _ in drawn] == ["1", "2", "1", "2"]
    assert one[1][0] > two[1][0], "in a mirrored asset 1 is on the right"
    assert first[1][0] < second[1][0]


def test_without_a_picture_of_the_work_only_the_asset_is_drawn():
    drawn = overlay(texture(), None, INSET, False)
    assert len(drawn.panels) == 1
    assert drawn.note == "The index keeps no picture of the work to lay onto the asset."


def test_a_kept_frame_gives_the_same_overlay_but_for_the_jpeg():
    frame, work = texture(2000, 1500, seed=6), texture(240, 180, seed=7)
    for transform in (SAME, INSET, text(rotation(30, 0.15))):
        kept_frame = keep_frame(frame, transform)
        assert kept_frame is not None
        assert len(kept_frame.whole) < 80_000
        later = overlay_of_kept(kept_frame, jpeg(work, 95), transform, False)
        now = overlay(frame, work, transform, False)
        for later_panel, panel in zip(later.panels, now.panels, strict=True):
            assert later_panel.caption == panel.caption
            assert later_panel.picture.shape == panel.picture.shape
            assert np.abs(later_panel.picture.astype(int) - panel.picture).mean() < 4
    without_work = overlay_of_kept(kept_frame, None, SAME, False)
    assert len(without_work.panels) == 1


def test_bytes_that_are_no_jpeg_count_as_no_picture():
    kept_frame = keep_frame(texture(), SAME)
    assert kept_frame is not None
    assert picture_of(b"not a picture") is None
    assert len(overlay_of_kept(kept_frame, b"not a picture", SAME, False).panels) == 1


def test_the_same_input_gives_the_same_bytes():
    one, two = (overlay(texture(), texture(seed=1), INSET, False) for _ in range(2))
    assert strip(one) == strip(two)
    assert [jpeg(p.picture) for p in one.panels] == [jpeg(p.picture) for p in two.panels]


# -- in words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.eye(3), "as it is"),
        (np.diag([1.01, 1.01, 1]), "as it is"),
        ([[-1, 0, 1], [0, 1, 0], [0, 0, 1]], "mirrored"),
        ([[1, 0, 0], [0, -1, 1], [0, 0, 1]], "mirrored top to bottom"),
        ([[0, -1, 1], [1, 0, 0], [0, 0, 1]], "turned by 90° clockwise"),
        ([[0, 1, 0], [-1, 0, 1], [0, 0, 1]], "turned by 90° anticlockwise"),
        ([[-1, 0, 1], [0, -1, 1], [0, 0, 1]], "turned by 180°"),
        ([[0, 1, 0], [1, 0, 0], [0, 0, 1]], "mirrored, turned by 90° anticlockwise"),
        ([[0.5, 0, 0.25], [0, 0.5, 0.25], [0, 0, 1]], "scaled by 0.50"),
        ([[0.5, 0, 0.25], [0, 0.125, 0.25], [0, 0, 1]], "scaled by 0.25"),
        ([[0.05, 0, 0.25], [0, 0.05, 0.25], [0, 0, 1]], "scaled by 0.05"),
        ([[2, 0, -0.5], [0, 2, -0.5], [0, 0, 1]], "scaled by 2.00"),
        (rotation(12), "turned by 12° clockwise"),
        (rotation(-7), "turned by 7° anticlockwise"),
        (rotation(0.4), "as it is"),
        (rotation(135, 0.5), "turned by 135° clockwise, scaled by 0.50"),
        (rotation(-170, 0.5, 900, 200), "turned by 170° anticlockwise, scaled by 0.50"),
        (rotation(20, 0.8, mirrored=True), "mirrored, turned by 20° clockwise, scaled by 0.80"),
        ([[1, 0.4, -0.2], [0.3, 1, -0.1], [0, 0, 1]], "scaled by 0.94, skewed"),
    ],
)
def test_transforms_in_words(matrix, words):
    assert transform_words(placed(matrix)) == words
    assert transform_words(placed(np.asarray(matrix) * -0.3)) == words


def test_perspective_is_named():
    square = np.float32([[0, 0], [1, 0], [1, 1], [0, 1]])
    narrowed = np.float32([[0.2, 0.1], [0.8, 0.1], [1.0, 0.9], [0.0, 0.9]])
    words = transform_words(placed(cv2.getPerspectiveTransform(square, narrowed)))
    assert words.endswith("in perspective")
    assert "turned" not in words


def measures(**changes):
    return {
        "overlap_inliers": 142,
        "overlap_asset_share": 0.38,
        "overlap_work_share": 1.0,
        "overlap_agreement": 0.931,
        "overlap_transform": "-0.6 0 0.8 0 0.6333 0.1 0 0 1",
        "overlap_negative": False,
        "overlap_frame": 0,
        "overlap_found_by": "perceptual hash, local features",
        **changes,
    }


def sentence(**changes) -> str:
    overlap = overlap_of(measures(**changes))
    assert isinstance(overlap, Overlap)
    return overlap_sentence(overlap)


def test_the_overlap_in_one_sentence():
    assert set(measures()) == set(MEASURES)
    assert sentence() == (
        "The work’s picture lies in the asset: the two agree over 38 % of the asset and 100 % of "
        "the work; "
        "mirrored, scaled by 0.62 (at 1 it would fill the asset); 142 agreeing points; "
        "agreement 0.93 (1 is the same picture); proposed by perceptual hash and local features."
    )
    part = sentence(
        overlap_asset_share=1.0, overlap_work_share=0.25, overlap_transform="2 0 0 0 2 0 0 0 1",
        overlap_negative=True, overlap_frame=6, overlap_inliers=1,
    )  # fmt: skip
    assert part.startswith(
        "The asset shows a part of the work’s picture: the two agree over 100 % of the asset"
    )
    assert "as a negative; 1 agreeing point;" in part
    assert "in frame 7 of the file" in part


@pytest.mark.parametrize(
    ("share", "percentage"),
    [(0.0001, "less than 1 %"), (0.994, "99 %"), (0.998, "99 %"), (1.0, "100 %")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share, percentage):
    assert f"agree over {percentage} of the asset" in sentence(overlap_asset_share=share)


def test_no_overlap_where_the_stage_found_none():
    assert overlap_of({}) is None
    assert overlap_of(dict.fromkeys(MEASURES)) is None


WILD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.sampled_from(
        [SAME, *(broken for broken in BROKEN if broken)]
    ),
)  # fmt: skip


@given(st.fixed_dictionaries(dict.fromkeys(MEASURES, WILD)))
@settings(max_examples=200)
def test_any_measures_of_a_results_file_give_a_sentence(values):
    overlap = overlap_of(values)
    if overlap is not None:
        words = overlap_sentence(overlap)
        assert words.endswith(".")
        assert visible(words) == words
        for word in ("cleared", " safe", "infring", "nan"):
            assert word not in words.lower() or word in overlap.found_by.lower()
