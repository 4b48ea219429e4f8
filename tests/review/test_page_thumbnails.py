"""Small pictures of the queue: bounded, kept, and never more than a person may see."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from page_samples import ANNA, READER, ReviewSite
from PIL import Image

from pipeline.core.errors import RunError
from pipeline.load.loaded import LoadedImage
from pipeline.review.item import thumbnails
from pipeline.review.item.thumbnails import EDGE, MAX_WAITING, BusyError, Thumbnails

ROW = {"asset_id": "1" * 64, "asset_path": "a.png", "kind": "image"}


@pytest.fixture
def decoded(monkeypatch):
    """The paths that were decoded; every picture is 1000 × 500."""
    paths = []

    def asset_image(_run, row):
        paths.append(row["asset_path"])
        if row["asset_path"] == "gone.png":
            raise RunError("It is gone.")
        frame = np.full((500, 1000, 3), 90, np.uint8)
        return LoadedImage(frames=(frame,), format="PNG")

    monkeypatch.setattr(thumbnails, "asset_image", asset_image)
    return paths


def test_a_thumbnail_is_small_and_made_once_for_the_same_bytes(decoded):
    made = Thumbnails({})
    first = made.asset(ROW)
    assert Image.open(io.BytesIO(first)).size == (EDGE, EDGE // 2)
    assert made.asset({**ROW, "asset_path": "copy.png"}) == first
    assert decoded == ["a.png"]


def test_that_there_is_no_picture_is_remembered_for_a_while(decoded):
    now = 0.0
    made = Thumbnails({}, clock=lambda: now)
    for _ in range(3):
        with pytest.raises(RunError, match="It is gone"):
            made.asset({**ROW, "asset_path": "gone.png"})
    assert decoded == ["gone.png"]
    now = thumbnails.ABSENT_SECONDS
    with pytest.raises(RunError, match="It is gone"):
        made.asset({**ROW, "asset_path": "gone.png"})
    assert len(decoded) == 2


def test_no_more_than_a_bounded_number_are_kept(decoded, monkeypatch):
    monkeypatch.setattr(thumbnails, "KEPT", 3)
    made = Thumbnails({})
    for number in range(5):
        made.asset({**ROW, "asset_id": str(number)})
    assert len(made._kept) == 3


def test_one_is_made_at_a_time_and_only_some_wait_for_it(monkeypatch):
    going, at_once, most = threading.Event(), 0, 0

    def asset_image(_run, _row):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        assert going.wait(30)
        at_once -= 1
        return LoadedImage(frames=(np.zeros((8, 8, 3), np.uint8),), format="PNG")

    monkeypatch.setattr(thumbnails, "asset_image", asset_image)
    made = Thumbnails({})
    results = []

    def ask(number):
        try:
            results.append(made.asset({**ROW, "asset_id": str(number)}))
        except BusyError:
            results.append(None)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(MAX_WAITING + 5)]
    for thread in threads:
        thread.start()
    while results.count(None) < 5:
        threading.Event().wait(0.01)
    going.set()
    for thread in threads:
        thread.join(30)
    assert results.count(None) == 5
    assert most == 1


def test_the_route_says_to_come_again_and_that_there_is_none(site, monkeypatch):
    browser = site.browser(READER)
    place = f"/item/{site.number('b/cat.png')}/thumbnail.webp"
    assert browser.get(place).status_code == 404, "the drop is not there"
    assert browser.get(f"{place}?side=x").status_code == 422
    assert browser.get(f"{place}?side=work&work=w9").status_code == 404
    script = site.number("act one.fountain")
    assert browser.get(f"/item/{script}/thumbnail.webp").status_code == 404

    def busy(_row):
        raise BusyError

    monkeypatch.setattr(site.review.thumbnails, "asset", busy)
    answer = browser.get(place)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_the_queue_has_a_lazy_picture_for_each_row_of_a_picture(site):
    browser = site.browser(ANNA)
    for view in ("table", "cards"):
        text = browser.get(f"/?view={view}").text
        assert text.count('/thumbnail.webp"') >= 9
        assert text.count('<img src="/item/') == text.count('class="thumb" loading="lazy"')


def test_the_view_is_kept_until_another_is_chosen(tmp_path):
    site = ReviewSite(tmp_path / "out")
    browser = site.browser(ANNA)
    assert '<table id="rows">' in browser.get("/").text
    cards = browser.get("/?view=cards&band=review")
    assert "httponly" in cards.headers["set-cookie"].lower()
    assert 'class="cards"' in cards.text
    assert 'class="cards"' in browser.get("/").text
    assert "view=" not in browser.get("/?band=review").text.partition('id="bulk"')[2]
    assert '<table id="rows">' in browser.get("/?view=table").text
    assert '<table id="rows">' in browser.get("/?view=boards").text
