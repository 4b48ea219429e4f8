"""Named edits: deterministic, of any shape, each doing what its name says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.synthetic import EDITS, picture, random_stack
from training.synthetic.edits import set_into


@pytest.fixture(scope="module")
def original() -> np.ndarray:
    return np.ascontiguousarray(picture(6, 160)[:120])


def generator(seed: int = 4) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", EDITS)
def test_same_generator_state_same_bytes_and_the_input_is_unchanged(name, original):
    before = original.copy()
    first = EDITS[name](original, generator())
    second = EDITS[name](original, generator())
    assert np.array_equal(first, second)
    assert np.array_equal(original, before)
    assert not np.shares_memory(first, original)


@pytest.mark.parametrize("name", EDITS)
def test_changes_the_picture_and_keeps_its_form(name, original):
    edited = EDITS[name](original, generator())
    assert edited.dtype == np.uint8
    assert edited.ndim == 3
    assert edited.shape[2] == 3
    assert edited.flags.c_contiguous
    assert edited.shape != original.shape or not np.array_equal(edited, original)


@pytest.mark.parametrize("shape", [(16, 16), (17, 200), (200, 17), (300, 301)])
@pytest.mark.parametrize("name", EDITS)
def test_takes_any_shape(name, shape):
    image = generator().integers(0, 256, (*shape, 3), dtype=np.uint8)
    edited = EDITS[name](image, generator())
    assert edited.dtype == np.uint8
    assert edited.shape[2] == 3
    assert min(edited.shape[:2]) >= 3


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("value", [0, 255])
def test_takes_a_picture_without_detail(name, value):
    assert EDITS[name](np.full((40, 50, 3), value, np.uint8), generator()).dtype == np.uint8


@pytest.mark.parametrize(("name", "share"), [("crop80", 0.8), ("crop50", 0.5), ("crop25", 0.25)])
def test_crops_keep_their_share(name, share, original):
    for seed in range(20):
        cut = EDITS[name](original, generator(seed))
        ratio = cut.shape[0] * cut.shape[1] / (original.shape[0] * original.shape[1])
        assert ratio == pytest.approx(share, abs=0.08)


def test_a_crop_is_a_window_of_the_original(original):
    cut = EDITS["crop50"](original, generator())
    _, _, (left, top), _ = cv2.minMaxLoc(cv2.matchTemplate(original, cut, cv2.TM_SQDIFF))
    window = original[top : top + cut.shape[0], left : left + cut.shape[1]]
    assert np.array_equal(window, cut)


def test_mirror_and_negative_undo_themselves(original):
    for name in ("mirror", "negative"):
        twice = EDITS[name](EDITS[name](original, generator()), generator())
        assert np.array_equal(twice, original)


def test_gray_without_sepia_has_equal_channels(original):
    spread = [np.ptp(EDITS["gray"](original, generator(seed)), axis=2).max() for seed in range(20)]
    assert 0 in spread


@pytest.mark.parametrize(("name", "share"), [("inset40", 0.4), ("inset20", 0.2)])
def test_insets_hold_the_whole_picture(name, share):
    red = np.zeros((80, 80, 3), np.uint8)
    red[:] = (255, 0, 254)
    page = EDITS[name](red, generator())
    part = np.all(page == red[0, 0], axis=2)
    assert part.mean() == pytest.approx(share, abs=0.02)
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    assert part[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_set_into_refuses_impossible_shares(share, original):
    with pytest.raises(ValueError, match="share must lie between 0 and 1"):
        set_into(original, original, generator(), share)


@pytest.mark.parametrize("n", range(9))
def test_stacks_are_deterministic(n, original):
    first = random_stack(original, generator(n), n)
    assert np.array_equal(first, random_stack(original, generator(n), n))
    assert np.array_equal(first, original) == (n == 0)


@pytest.mark.parametrize("n", [-1, 9])
def test_stacks_refuse_other_counts(n, original):
    with pytest.raises(ValueError, match="0 to 8 edits"):
        random_stack(original, generator(), n)


def test_the_names_that_others_rely_on():
    assert list(EDITS) == [
        "jpeg",
        "downscale",
        "crop80",
        "crop50",
        "crop25",
        "mirror",
        "rotate90",
        "rotate_small",
        "letterbox",
        "aspect",
        "perspective",
        "banner",
        "watermark",
        "stickers",
        "hue",
        "gray",
        "brightness",
        "contrast",
        "negative",
        "blur",
        "noise",
        "posterise",
        "cartoon",
        "local_warp",
        "inset40",
        "inset20",
        "screenshot",
    ]
