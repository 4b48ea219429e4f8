"""What the item page shows of pictures and scripts, measured in a real browser."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from browser_samples import CROPPED, LIFTED, MIRRORED, STARS, screenshot_of
from PIL import Image

pytestmark = pytest.mark.slow


def drawn(visit) -> np.ndarray:
    """The canvas's own pixels, (height, width, 4)."""
    png = visit.page.evaluate(
        "() => document.querySelector('#view-asset canvas').toDataURL('image/png')"
    )
    with Image.open(io.BytesIO(base64.b64decode(png.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGBA"), dtype=int)


def boxes(visit) -> tuple[dict, dict]:
    asset = visit.page.locator("#asset").bounding_box()
    work = visit.page.locator("#work").bounding_box()
    return asset, work


def test_pictures_and_every_reason_are_seen_without_scrolling(solo):
    solo.item(CROPPED)
    page = solo.page
    assert page.locator("#view-asset").bounding_box()["y"] < 220
    reasons = page.locator(".reasons li")
    assert reasons.count() >= 2
    for sentence in reasons.all():
        box = sentence.bounding_box()
        assert box["y"] + box["height"] < 900
        assert box["height"] < 24, "a sentence has a line of its own"
    # The way through the queue stays when the page is scrolled.
    page.evaluate("scrollTo(0, 1e6)")
    assert page.locator(".around").bounding_box()["y"] >= 0
    # What the keyboard reaches is not under the head, which stays.
    page.locator("#view-asset").focus()
    page.keyboard.press("Shift+Tab")
    head = page.locator(".top").bounding_box()
    focus_top = page.evaluate("document.activeElement.getBoundingClientRect().top")
    assert focus_top >= head["height"]


def test_a_view_is_no_higher_than_its_pictures(solo):
    solo.item(CROPPED)
    view, asset = solo.page.locator("#view-asset").bounding_box(), boxes(solo)
    assert view["height"] - max(one["height"] for one in asset) < 20


@pytest.mark.parametrize("wide", [390, 820])
def test_nothing_is_wider_than_a_narrow_window(solo, wide):
    page = solo.page
    page.set_viewport_size({"width": wide, "height": 844})
    places = ("/", "/bulk", f"{solo.server.item(LIFTED)}/script")
    for place in (*places, *(solo.server.item(path) for path in (CROPPED, LIFTED, STARS))):
        page.goto(place if place.startswith("http") else f"{solo.server.url}{place}")
        page.wait_for_load_state("networkidle")
        over = page.evaluate(
            """() => [...document.querySelectorAll('main *, .top *')].filter((one) =>
              one.checkVisibility() && !one.closest('.unseen, .layer, svg, thead, .skip')
              && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML)"""
        )
        assert over == [], place
    page.goto(solo.server.item(CROPPED))
    page.click(".to-decide")
    assert 0 < page.locator("#decide-form").bounding_box()["y"] < 844
    page.goto(solo.server.url)
    page.click(".to-filters")
    assert 0 < page.locator("#search").bounding_box()["y"] < 844


def test_side_by_side_has_one_zoom_and_pan(solo):
    solo.item(MIRRORED)
    before_asset, _ = boxes(solo)
    solo.keys("+", "+", "+")
    asset, work = boxes(solo)
    grown = asset["width"] / before_asset["width"]
    assert grown == pytest.approx(1.4**3, rel=0.02)
    # The work has another size in pixels, and the same content is as large next to it.
    assert work["width"] == pytest.approx(asset["width"], rel=0.03)
    # The asset is a mirror image: what moves to the right there moves to the left here.
    solo.page.focus("#view-asset")
    solo.keys("ArrowRight")
    moved_asset, moved_work = boxes(solo)
    assert moved_asset["x"] < asset["x"] - 20
    assert moved_work["x"] > work["x"] + 20
    solo.keys("0")
    again, _ = boxes(solo)
    assert again["width"] == pytest.approx(before_asset["width"], abs=1)


def test_a_cropped_asset_and_the_work_are_looked_at_at_the_same_place(solo):
    solo.item(CROPPED)
    solo.keys("+", "+", "+", "+")
    asset, work = screenshot_of(solo, "#view-asset"), screenshot_of(solo, "#view-work")
    high, wide = (min(a, b) for a, b in zip(asset.shape[:2], work.shape[:2], strict=True))
    middle = np.s_[high // 4 : -high // 4, wide // 4 : -wide // 4]
    one, other = asset[:high, :wide][middle].mean(axis=2), work[:high, :wide][middle].mean(axis=2)
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9


def test_dragging_pans_both(solo):
    solo.item(CROPPED)
    solo.keys("+", "+", "+")
    asset, work = boxes(solo)
    view = solo.page.locator("#view-work").bounding_box()
    x, y = view["x"] + view["width"] / 2, view["y"] + view["height"] / 2
    solo.page.mouse.move(x, y)
    solo.page.mouse.down()
    solo.page.mouse.move(x + 50, y + 30)
    solo.page.mouse.up()
    moved_asset, moved_work = boxes(solo)
    assert moved_work["x"] - work["x"] == pytest.approx(50, abs=3)
    assert moved_work["y"] - work["y"] == pytest.approx(30, abs=3)
    assert moved_asset["x"] - asset["x"] == pytest.approx(50, abs=6)


def test_blinking_shows_the_work_in_the_assets_place_and_can_be_stopped(solo):
    solo.item(MIRRORED)
    solo.keys("2", "b")
    first = solo.page.inner_text(".tag")
    one = screenshot_of(solo)
    solo.keys("x")
    assert solo.page.inner_text(".tag") != first
    other = screenshot_of(solo)
    # The same picture in the same place, softer: the index keeps a small one.
    assert np.abs(one - other)[60:].mean() < 12
    solo.page.wait_for_timeout(1700)
    assert solo.page.inner_text(".tag") != first


def test_the_slider_uncovers_the_work_from_the_right(solo):
    solo.item(CROPPED)
    solo.keys("3")
    solo.page.locator("#split").fill("100")
    solo.page.wait_for_timeout(100)
    asset = screenshot_of(solo)
    solo.page.locator("#split").fill("50")
    solo.page.wait_for_timeout(100)
    half = screenshot_of(solo)
    wide = asset.shape[1]
    assert np.abs(asset - half)[:, : wide // 2 - 10].max() == 0
    assert np.abs(asset - half)[:, wide // 2 + 10 :].max() > 0


def test_the_difference_is_dark_where_the_two_are_one_picture(solo):
    solo.item(MIRRORED)
    solo.keys("4")
    solo.page.wait_for_timeout(400)
    pixels = drawn(solo)
    assert pixels[..., 3].min() == 255
    assert pixels[..., :3].mean() < 20
    solo.page.select_option("#gain", "8")
    solo.page.wait_for_timeout(200)
    assert drawn(solo)[..., :3].mean() > pixels[..., :3].mean()


def test_the_overlay_draws_the_verified_overlap_on_both(solo):
    solo.item(CROPPED)
    assert solo.page.locator(".outline polygon").count() == 4
    points = solo.page.locator("#view-work .outline polygon").first.get_attribute("points")
    x, y = np.array([point.split(",") for point in points.split()], dtype=float).T
    # The crop leaves a sixth of the work out on the left and an eighth on top.
    assert (x.min(), y.min()) == pytest.approx((1 / 6, 1 / 8), abs=0.03)
    assert (x.max(), y.max()) == pytest.approx((1, 1), abs=0.03)
    outline = solo.page.locator("#view-work .outline").bounding_box()
    work = solo.page.locator("#work").bounding_box()
    assert outline == pytest.approx(work, abs=1)
    solo.keys("5")
    solo.page.wait_for_timeout(400)
    pixels = drawn(solo)
    assert pixels[..., 3].min() == 255
    assert pixels[..., :3].std() > 20
    solo.keys("o")
    assert not solo.page.locator("#view-asset .outline").is_visible()


def test_a_picture_without_a_match_is_shown_without_a_work(solo):
    solo.item(STARS)
    assert solo.page.locator("#asset").evaluate("one => one.naturalWidth") > 0
    assert solo.page.locator("#work").count() == 0
    assert solo.page.locator(".tools").count() == 0
    assert "No match found" in solo.page.inner_text(".head")


def test_passages_are_aligned_with_changed_words_marked(solo):
    solo.item(LIFTED)
    page = solo.page
    asset = page.locator(".aligned td:first-child mark").all_inner_texts()
    work = page.locator(".aligned td:last-child mark").all_inner_texts()
    assert "ship" in asset
    assert "boat" in work
    assert "pier" in asset
    assert "causeway" in work
    assert asset.count("IVY") >= 2
    assert work.count("MARTA") >= 2
    # Equal words are at the same height.
    for row in page.locator(".aligned tbody tr:not(.context)").all():
        one, other = row.locator("td").all()
        assert one.bounding_box()["y"] == other.bounding_box()["y"]


@pytest.mark.parametrize("side", ["asset", "work"])
def test_a_passage_leads_to_its_place_in_the_whole_text(solo, side):
    solo.item(LIFTED, q="lifted")
    column = 1 if side == "asset" else 2
    solo.page.click(f".aligned th:nth-child({column}) a")
    solo.page.wait_for_selector("#at")
    box = solo.page.locator("#at").bounding_box()
    assert 0 <= box["y"] < 900
    assert "wick" in solo.page.inner_text("#at") + solo.page.inner_text(".running")
    solo.keys("g", "i")
    solo.page.wait_for_selector("#decide")
    assert "q=lifted" in solo.page.url


def test_every_stage_says_what_it_did_and_why_not(solo):
    solo.item("pictures/blank.png")
    outcomes = solo.page.inner_text(".outcomes")
    assert "could not judge it" in outcomes
    assert "does not apply" in outcomes
    assert "detail" in outcomes


def test_it_works_without_scripts(chromium, out):
    from browser_samples import Visit, serving

    with serving(out) as server, Visit(chromium, server, java_script_enabled=False) as visit:
        visit.page.goto(f"{server.url}/enter?token={server.access.token}")
        visit.page.goto(server.item(MIRRORED))
        visit.page.wait_for_load_state("networkidle")
        asset, work = boxes(visit)
        assert asset["width"] > 100
        assert work["x"] > asset["x"] + asset["width"] - 5
        visit.page.check("input[value=replace]")
        visit.page.fill("#reason", "without scripts")
        visit.page.click("text=Decide and stay")
        assert "Recorded" in visit.page.inner_text(".done")
