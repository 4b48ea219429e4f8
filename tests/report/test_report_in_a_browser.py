"""report.html in a real browser, from a file: its filter, printing, and the page without script."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("playwright")

from browsers import chromium
from PIL import Image
from playwright.sync_api import Page
from row_samples import RUN, WORKS, abstained_row, flagged_row, no_match_row, unreadable_row
from test_report import page_of, photo, shown_content, with_overlap

from pipeline.core.records import Band
from pipeline.report.card import Content

__all__ = ["chromium"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty flagged rows, of two works in two folders, and a few others."""
    rows, contents = [], []
    for number in range(40):
        work = "w1" if number % 2 else "w2"
        folder = "near" if number < 25 else "far/off"
        row = flagged_row(
            f"{folder}/shot_{number:02}.png",
            9.0 - number / 10,
            work_ids=(work,),
            band=Band.ESCALATE if number < 30 else Band.REVIEW,
        )
        rows.append(with_overlap(row, work, f"{work}.file"))
        contents.append(shown_content(rows[-1], photo(number)))
    content = Content(
        {path: one for each in contents for path, one in each.asset_thumbnails.items()},
        {f"file of {work}": picture(n) for n, work in ((98, "w1"), (99, "w2"))},
        asset_frames={p: one for each in contents for p, one in each.asset_frames.items()},
    )
    rows += [no_match_row("near/own.png"), unreadable_row("far/off/broken.png")]
    rows += [abstained_row("white.png")]
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(page_of(rows, WORKS, RUN, content=content), encoding="utf-8")
    return file


def picture(seed: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(photo(seed)).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def visit(chromium: Any, report: Path) -> Iterator[Callable[..., Page]]:
    """Opens the page; at the end, it has asked for nothing and complained of nothing."""
    heard: list[str] = []
    contexts = []

    def opened(anchor: str = "", **more: Any) -> Page:
        contexts.append(
            chromium.new_context(**{"viewport": {"width": 1024, "height": 700}, **more})
        )
        page: Page = contexts[-1].new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on(
            "request",
            lambda one: None if one.url.startswith(("file:", "data:")) else heard.append(one.url),
        )
        page.goto(f"{report.as_uri()}{anchor}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert heard == []


def shown(page: Page) -> int:
    return page.locator("[data-row]:visible").count()


def test_the_filter_works_from_a_file(visit):
    page = visit()
    flagged = page.locator("details.row")
    assert flagged.locator("visible=true").count() > 0
    page.fill("[name=words]", "shot_03")
    assert page.locator("details.row:visible").count() == 1
    assert "1 of the 43 files on this page: “shot_03”" in page.locator("output").inner_text()
    page.click("text=Show all")
    page.wait_for_function("document.querySelector('output').textContent === ''")
    assert page.locator("details.row:visible").count() == 40
    page.select_option("[name=band]", "review")
    assert page.locator("details.row:visible").count() == 10
    page.select_option("[name=folder]", "near")
    assert shown(page) == 0
    page.select_option("[name=folder]", "far/off")
    page.select_option("[name=band]", "")
    assert shown(page) == 16, "the rows that were not screened are filtered too"
    page.click("text=Show all")
    page.click("#works ~ table a:has-text('The Cat')")
    assert page.locator("details.row:visible").count() == 20
    page.select_option("[name=work]", "")
    page.select_option("[name=band]", "no_match")
    assert page.locator("li:visible", has_text="near/own.png").count() == 1


def test_without_javascript_rows_unfold_and_links_lead_to_them(visit):
    page = visit("#row-30", java_script_enabled=False)
    assert page.locator("form.filter").is_hidden()
    assert page.locator("button:visible").count() == 0
    third = page.locator("details.row").nth(2)
    assert third.locator("article").is_hidden()
    third.locator("summary").first.click()
    assert third.locator("article").is_visible()
    assert third.locator("svg.shown").first.is_visible()


def test_a_link_unfolds_the_row_that_it_leads_to(visit):
    page = visit("#row-30")
    assert page.locator("#row-30").is_visible()
    assert page.locator("#row-29").is_hidden()


def test_pictures_and_the_line_around_the_overlap_are_painted(visit):
    for scheme in ("light", "dark"):
        page = visit("#row-1", color_scheme=scheme)
        panel = page.locator("#row-1 svg.shown").first
        assert panel.bounding_box()["width"] == 240
        pixels = np.asarray(Image.open(io.BytesIO(panel.screenshot())).convert("RGB")).astype(int)
        yellow = (abs(pixels - (255, 214, 10)).sum(axis=2) < 40).mean()
        assert 0.005 < yellow < 0.2, "the line"
        assert pixels.std() > 15, "the picture"
        thumb = page.locator("details.row .thumb").first
        assert np.asarray(Image.open(io.BytesIO(thumb.screenshot())).convert("L")).std() > 5


def test_nothing_is_cut_off_or_runs_out_of_the_page(visit):
    for width, height in ((1440, 900), (1024, 700), (700, 900), (400, 800)):
        page = visit(viewport={"width": width, "height": height})
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_folded_rows_print_as_one_line_each_and_one_card_alone(visit):
    page = visit()
    page.emulate_media(media="print")
    line = page.locator("details.row").first.bounding_box()["height"]
    assert line < 30
    assert page.locator("details.row article:visible").count() == 0
    page.emulate_media(media="screen")
    page.evaluate("window.print = () => { window.printed = true; }")
    page.locator("details.row > summary").nth(3).click()
    page.locator("#row-4 [data-print]").click()
    assert page.evaluate("window.printed")
    page.emulate_media(media="print")
    assert page.locator("details.row:visible").count() == 1
    assert page.locator("#row-4").is_visible()
    assert page.locator("header.page").is_hidden()
    assert page.locator("#row-4 svg.shown:visible").count() == 3
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.row:visible").count() == 40


def test_the_whole_prints_on_few_pages(visit):
    pypdfium2 = pytest.importorskip("pypdfium2")
    data = visit().pdf(format="A4")
    assert len(pypdfium2.PdfDocument(data)) <= 5
