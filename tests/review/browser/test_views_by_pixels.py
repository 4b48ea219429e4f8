"""Each way to compare shows what it says: by the pixels on the screen and the pictures served."""

from __future__ import annotations

import io

import numpy as np
import pytest
from browser_samples import MIRRORED, RECOLOURED, STARS, Visit, screenshot_of
from PIL import Image, ImageFilter

pytestmark = pytest.mark.slow

NEAR = 30  # of 255; scaling on the screen and here is not the same
SAME = 0.95  # edges that scaling leaves elsewhere make up the rest
EDGE = 8  # pixels
GREY = np.array([96.0, 96.0, 96.0])


def served(visit: Visit, name: str, path: str = RECOLOURED, query: str = "") -> np.ndarray:
    """A picture as the server gives it, (height, width, 4)."""
    answer = visit.page.request.get(f"{visit.server.item(path)}/{name}.webp{query}")
    assert answer.ok
    with Image.open(io.BytesIO(answer.body())) as image:
        return np.asarray(image.convert("RGBA"), dtype=float)


def pane(visit: Visit, side: str = "asset") -> tuple[np.ndarray, tuple[int, ...]]:
    """A pane as it looks, and where its picture is in it: left, top, width and height."""
    visit.page.wait_for_timeout(200)
    view = visit.page.locator(f"#view-{side}").bounding_box()
    layer = visit.page.locator(f"#view-{side} .layer").bounding_box()
    place = (layer["x"] - view["x"], layer["y"] - view["y"], layer["width"], layer["height"])
    return screenshot_of(visit, f"#view-{side}"), tuple(map(round, place))


def on_screen(picture: np.ndarray, place: tuple[int, ...], view: tuple[int, ...]) -> np.ndarray:
    """A picture as it would be drawn in a view; around it is the colour at its edge."""
    left, top, wide, high = place
    pixels = np.clip(picture[..., :3], 0, 255).round().astype(np.uint8)
    scaled = np.asarray(Image.fromarray(pixels).resize((wide, high)), dtype=float)
    across, down = np.arange(view[1]) - left, np.arange(view[0]) - top
    return scaled[np.clip(down, 0, high - 1)][:, np.clip(across, 0, wide - 1)]


def inner(place: tuple[int, ...], view: tuple[int, ...]) -> tuple[slice, slice]:
    """What of a view its picture covers, but for the picture's edge."""
    left, top, wide, high = place
    return (
        slice(max(0, top + EDGE), min(view[0], top + high - EDGE)),
        slice(max(0, left + EDGE), min(view[1], left + wide - EDGE)),
    )


def soft(pixels: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(pixels.astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(2)), dtype=float)


def apart(shot: np.ndarray, picture: np.ndarray, place: tuple[int, ...]) -> np.ndarray:
    """How far a pane is from what it should show, pixel by pixel."""
    wanted = on_screen(picture, place, shot.shape[:2])
    return np.abs(soft(shot) - soft(wanted)).max(axis=2)[inner(place, shot.shape[:2])]


def alike(visit: Visit, picture: np.ndarray, side: str = "asset") -> float:
    """The share of a pane's picture that looks as it should."""
    shot, place = pane(visit, side)
    return float((apart(shot, picture, place) < NEAR).mean())


def laid_over(asset: np.ndarray, laid: np.ndarray) -> np.ndarray:
    alpha = laid[..., 3:] / 255
    return asset[..., :3] * (1 - alpha) + laid[..., :3] * alpha


@pytest.fixture
def recoloured(solo: Visit) -> Visit:
    """The page of an asset that its work looks clearly different from, as it opens."""
    asset, laid = served(solo, "asset"), served(solo, "laid")
    away = np.abs(asset[..., :3] - laid_over(asset, laid)).max(axis=2)
    assert (away > 2 * NEAR).mean() > 0.4
    solo.item(RECOLOURED)
    return solo


def shows_both_panes(visit: Visit) -> None:
    """Both panes show their own picture and nothing over it."""
    assert alike(visit, served(visit, "asset")) > SAME
    assert alike(visit, served(visit, "work"), "work") > SAME


def test_the_page_opens_with_the_asset_and_the_work_as_they_are(recoloured, shots):
    recoloured.page.screenshot(path=shots / "item-recoloured.png")
    # The line around the overlap is there as well.
    assert recoloured.page.locator("#view-asset .outline").is_visible()
    assert alike(recoloured, served(recoloured, "asset")) > 0.88
    assert alike(recoloured, served(recoloured, "work"), "work") > 0.88
    recoloured.keys("o")
    shows_both_panes(recoloured)


def test_enlarged_side_by_side_shows_the_asset_and_the_work(recoloured):
    recoloured.keys("o", "+", "+", "+")
    shows_both_panes(recoloured)


def test_blinking_alternates_the_asset_and_the_work(recoloured):
    asset, laid = served(recoloured, "asset"), served(recoloured, "laid")
    recoloured.keys("o", "2", "b")
    assert recoloured.page.inner_text(".tag") == "Work"
    assert alike(recoloured, laid_over(asset, laid)) > SAME
    recoloured.keys("x")
    assert recoloured.page.inner_text(".tag") == "Asset"
    assert alike(recoloured, asset) > SAME
    recoloured.keys("x", "1")
    shows_both_panes(recoloured)


@pytest.mark.parametrize("at", [0, 30, 50, 100])
def test_the_slider_has_the_asset_to_its_left_and_the_work_to_its_right(recoloured, at):
    asset, laid = served(recoloured, "asset"), served(recoloured, "laid")
    recoloured.keys("o", "3")
    recoloured.page.locator("#split").fill(str(at))
    shot, (left, _, wide, _) = pane(recoloured)
    split = ((shot.shape[1] * at / 100) - left) / wide * asset.shape[1]
    wanted = laid_over(asset, laid)
    wanted[:, : max(0, round(split))] = asset[:, : max(0, round(split)), :3]
    assert alike(recoloured, wanted) > 0.94  # but for the divider
    recoloured.keys("1")
    shows_both_panes(recoloured)


@pytest.mark.parametrize("even", [False, True])
def test_the_difference_is_that_of_the_asset_and_the_work_laid_onto_it(recoloured, even):
    asset = served(recoloured, "asset")
    laid = served(recoloured, "laid", query="?even=true" if even else "")
    recoloured.keys("o", "4")
    if even:
        recoloured.page.check("#even")
    recoloured.page.wait_for_load_state("networkidle")
    for times in (2, 8, 1):
        recoloured.page.select_option("#gain", str(times))
        less = np.minimum(np.abs(asset - laid)[..., :3] * times, 255) * laid[..., 3:] / 255
        # The gain also multiplies the difference between two ways to scale.
        assert alike(recoloured, less) > (0.8 if times == 8 else 0.94)
    recoloured.page.locator("#view-asset").focus()
    recoloured.keys("1")
    shows_both_panes(recoloured)


def test_the_overlay_has_squares_of_the_asset_and_of_the_work(recoloured):
    asset, laid = served(recoloured, "asset"), served(recoloured, "laid")
    recoloured.keys("o", "5")
    shot, place = pane(recoloured)
    outside = asset[..., :3] * 0.28 + GREY * 0.72
    from_asset, from_work, from_outside = (
        apart(shot, one, place) for one in (asset, laid, outside)
    )
    alpha = on_screen(laid[..., [3, 3, 3]], place, shot.shape[:2])[..., 0]
    inside = alpha[inner(place, shot.shape[:2])]
    covered = inside > 254
    assert (
        np.minimum(from_asset, from_work)[covered] < NEAR
    ).mean() > 0.8  # but for the edges of squares
    differ = covered & (np.abs(from_asset - from_work) > NEAR)
    assert 0.4 < (from_asset < from_work)[differ].mean() < 0.6
    assert (from_outside[inside < 1] < NEAR).mean() > SAME
    recoloured.keys("1")
    shows_both_panes(recoloured)


def test_a_view_that_is_kept_for_the_next_item_leaves_nothing_behind(recoloured):
    recoloured.keys("3")
    recoloured.item(MIRRORED)
    assert recoloured.page.get_attribute("#panes", "data-mode") == "slider"
    recoloured.item(RECOLOURED)
    recoloured.keys("o", "1")
    shows_both_panes(recoloured)


def test_an_asset_without_a_match_is_shown_as_it_is(solo):
    solo.item(STARS)
    assert alike(solo, served(solo, "asset", STARS)) > SAME
