"""The queue at the widths that people have: what is read, seen, kept, and done by keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browser_samples import CROPPED, LIFTED, MIRRORED, Screened, Visit, serving
from command_line import clearance
from PIL import ImageOps

pytestmark = pytest.mark.slow

LONG = "pictures/sh0420_comp_background_plate_harbour_night_graded_rec709_take_04_v007.png"


@pytest.fixture(scope="module")
def long_names(
    screened: Screened, photos: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run with one picture at two paths, one of them very long, that shows two works."""
    base = tmp_path_factory.mktemp("long")
    (base / "drop" / "pictures").mkdir(parents=True)
    picture = photos["chelsea"]
    ImageOps.mirror(picture).save(base / "drop" / LONG)
    ImageOps.mirror(picture).save(base / "drop" / "short.png")
    both = picture.resize((400, 300))
    sheet = both.copy().resize((820, 300))
    sheet.paste(both, (0, 0))
    sheet.paste(photos["coffee"].resize((400, 300)), (420, 0))
    sheet.save(base / "drop" / "sheet.png")
    done = clearance("screen", base / "drop", "--index", screened.index, "--out", base / "out")
    assert done.status in (0, 1, 3)
    return base / "out"


@pytest.fixture
def visit(chromium: Any, long_names: Path):
    with serving(long_names) as server, Visit(chromium, server) as one:
        one.page.goto(f"{server.url}/enter?token={server.access.token}")
        yield one


@pytest.mark.parametrize("width", [900, 1024, 1440])
@pytest.mark.parametrize("view", ["table", "cards"])
def test_name_work_and_band_are_read_at_every_width(visit, width, view):
    page = visit.page
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(f"{visit.server.url}/?view={view}")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    row = page.locator("#rows [data-number]", has=page.locator(f'[aria-label="{LONG}"]'))
    name = row.locator("a.name")
    # The end of the name, with the version, is there whole, and so is much of its beginning.
    assert name.locator(".end").inner_text().endswith("v007.png")
    for part, least in ((name.locator(".start"), 60), (name.locator(".end"), 95)):
        box = part.bounding_box()
        assert box is not None
        assert box["width"] >= least
        assert box["x"] + box["width"] <= width
    cut = name.locator(".end").evaluate("e => e.scrollWidth > e.clientWidth + 1")
    assert not cut
    assert row.locator(".chip").is_visible()
    chip = row.locator(".chip")
    assert not chip.evaluate("e => e.scrollWidth > e.clientWidth + 1")
    assert row.locator(".work b").inner_text() == "Chelsea"
    assert row.get_by_text("0.", exact=False).first or row.locator(".risk").first
    title = row.locator("td.file, p.file").get_attribute("title")
    assert title == LONG


def test_pictures_come_when_they_are_looked_at_and_the_view_is_kept(visit):
    page = visit.page
    page.goto(f"{visit.server.url}/?view=table")
    page.wait_for_load_state("networkidle")
    widths = page.locator("#rows img.thumb").evaluate_all("all => all.map(e => e.naturalWidth)")
    assert widths
    assert all(widths)
    page.click("text=Cards")
    page.wait_for_selector("#rows.cards")
    page.goto(visit.server.url)
    assert page.locator("#rows.cards").count() == 1
    # By keys alone: among the cards, and into one.
    visit.keys("j", "ArrowRight", "ArrowLeft")
    first = page.locator("#rows .tile").first.get_attribute("data-number")
    assert page.evaluate("document.activeElement.closest('.tile').dataset.number") == first
    visit.keys("Enter")
    page.wait_for_selector("#decide-form")
    assert page.url.endswith(f"/item/{first}")
    page.goto(f"{visit.server.url}/?view=table")
    assert page.locator("table#rows").count() == 1


def test_one_asset_is_compared_with_each_of_its_works(visit):
    visit.item("sheet.png")
    page = visit.page
    if page.locator(".works li").count() < 2:
        pytest.skip("only one of the two works was found")
    titles = page.locator(".works b").all_inner_texts()
    shown = page.locator(".against b").first.inner_text()
    assert shown == titles[0]
    visit.keys("3")
    visit.keys("w")
    page.wait_for_url("**work=**")
    assert page.locator(".against b").first.inner_text() == titles[1]
    assert page.locator("#panes").get_attribute("data-mode") in ("slider", "beside")
    page.wait_for_load_state("networkidle")
    visit.keys("6")
    page.wait_for_load_state("networkidle")
    widths = page.locator("#every img").evaluate_all("all => all.map(e => e.naturalWidth)")
    assert len(widths) == 1 + len(titles)
    visit.keys("W")
    page.wait_for_url(lambda url: titles[0] is not None and "item" in url)


def test_a_template_fills_the_field_and_nothing_typed_is_lost(solo):
    solo.item(MIRRORED)
    page = solo.page
    page.select_option("#template", "On file.")
    assert page.input_value("#reason") == "On file."
    page.fill("#reason", "On file. Contract 12.")
    page.select_option("#template", "Not this work.")
    assert page.input_value("#reason") == "On file. Contract 12.\nNot this work."
    solo.item(CROPPED)
    solo.keys("Shift+Digit1")
    offered = page.locator("#template option:not([hidden])").all_inner_texts()
    assert "On file." in offered
    assert "Not this work." not in offered
    solo.item(LIFTED)
    assert page.locator("#template").is_visible()


def test_a_filter_is_saved_under_a_name_and_found_again(solo):
    page = solo.page
    page.goto(f"{solo.server.url}/?band=escalate&sort=path")
    page.click("text=Save this filter")
    page.fill("#filter-name", "Morning list")
    page.click(".saved form .button")
    page.wait_for_selector("text=Morning list")
    page.goto(solo.server.url)
    page.click("text=Morning list")
    page.wait_for_url("**band=escalate**")
    page.click('[aria-label="Delete the saved filter Morning list"]')
    page.wait_for_load_state("networkidle")
    assert page.locator("text=Morning list").count() == 0


def test_progress_is_reached_and_leads_back_to_the_rows(solo):
    page = solo.page
    page.goto(f"{solo.server.url}/?band=escalate")
    page.click("text=Progress of this filter")
    page.wait_for_selector("#by-band")
    rows = page.locator(".whole-run td").first.inner_text()
    page.locator(".whole-run a").first.click()
    page.wait_for_selector("#rows")
    assert page.locator(".count b").inner_text() == rows
