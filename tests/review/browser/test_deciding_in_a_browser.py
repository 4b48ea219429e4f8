"""People at the page: they sign in, filter, decide, take back, in a real browser."""

from __future__ import annotations

import re

import pytest
from browser_samples import (
    CROPPED,
    HOSTILE,
    LIFTED,
    MIRRORED,
    STARS,
    Visit,
    serving,
)
from command_line import clearance
from PIL import Image

pytestmark = pytest.mark.slow


def decide(visit: Visit, path: str, key: str, reason: str) -> None:
    visit.item(path)
    visit.keys(f"Shift+Digit{key}")
    visit.page.keyboard.type(reason)
    visit.keys("Control+Enter")
    visit.page.wait_for_selector(".done")


def test_the_first_address_lets_in_and_no_other(chromium, out):
    with serving(out) as server, Visit(chromium, server) as visit:
        visit.refused = {401}
        visit.page.goto(f"{server.url}/")
        assert "not signed in" in visit.page.inner_text("main")
        visit.page.goto(f"{server.url}/enter?token=guess")
        assert "not the one" in visit.page.inner_text("main")
        visit.page.goto(f"{server.url}/enter?token={server.access.token}")
        assert visit.page.url == f"{server.url}/"
        assert visit.page.locator("#rows tbody tr").count() == 8


def test_a_password_lets_in_and_signing_out_ends_it(team):
    visit = team("Anna Berg")
    visit.refused = {401}
    assert "Anna Berg" in visit.page.inner_text(".who")
    visit.page.click("text=Sign out")
    visit.page.goto(f"{visit.server.url}/")
    assert "/login" in visit.page.url
    visit.page.fill("#name", "Anna Berg")
    visit.page.fill("#password", "not this one, surely")
    visit.page.click("main button")
    assert "do not go together" in visit.page.inner_text("[role=alert]")


def test_filters_narrow_and_the_counts_are_those_of_the_rows(solo):
    page = solo.page
    page.click(".band-escalate")
    row_count = page.locator("#rows tbody tr").count()
    counted = int(page.inner_text(".band-escalate .number"))
    assert row_count == counted > 0
    assert page.locator("#rows tbody tr.escalate").count() == row_count
    solo.keys("/")
    page.keyboard.type("mirrored")
    solo.keys("Enter")
    page.wait_for_url(re.compile("q=mirrored"))
    assert page.locator("#rows tbody tr").count() == 1


def test_a_key_makes_the_choice_and_only_ctrl_enter_writes_it(solo):
    solo.item(STARS)
    solo.keys("Shift+Digit1")
    assert solo.page.evaluate("document.activeElement.id") == "reason"
    assert solo.page.is_checked("input[value=no_issue]")
    assert solo.server.state(STARS) == "open"
    solo.page.keyboard.type("1 2 3: typed as text, not as keys")
    assert solo.page.input_value("#reason") == "1 2 3: typed as text, not as keys"
    solo.keys("Control+Enter")
    solo.page.wait_for_selector(".done")
    assert "No issue" in solo.page.inner_text(".done")
    assert solo.server.state(STARS) == "agreed"


def test_a_second_person_does_not_see_the_first_decision_until_theirs_is_given(team):
    anna, bob, dora, rea = (team(name) for name in ("Anna Berg", "Bob", "Dora Vance", "Rea"))
    decide(anna, MIRRORED, "2", "ask the estate of the cat")
    assert anna.server.state(MIRRORED) == "first_given"
    for other in (bob, dora, rea):
        other.page.goto(other.server.url)
        assert "Second person wanted" in other.page.inner_text("#rows")
        assert "ask the estate" not in other.page.content()
        assert "Needs licence" not in other.page.inner_text("#rows")
        other.item(MIRRORED)
        assert "Anna Berg has decided" in other.page.inner_text("#decide")
        assert "ask the estate" not in other.page.content()
        assert "Needs licence" not in other.page.inner_text(".history")
        # Nor on the page of another picture of the same work.
        other.page.goto(f"{other.server.url}/?choice=needs_licence")
        assert other.page.locator("#rows tbody tr").count() == 0
    decide(bob, MIRRORED, "2", "so it is")
    assert anna.server.state(MIRRORED) == "agreed"
    bob.item(MIRRORED)
    assert "ask the estate" in bob.page.inner_text(".history")
    rea.item(MIRRORED)
    assert "ask the estate" in rea.page.inner_text(".history")
    assert rea.page.locator("#decide-form").count() == 0


def test_undoing_is_a_new_event_and_both_remain_readable(solo):
    decide(solo, STARS, "1", "nothing to see")
    solo.keys("u")
    assert solo.page.evaluate("document.activeElement.name") == "reason"
    solo.page.keyboard.type("looked at the wrong one")
    solo.keys("Enter")
    solo.page.wait_for_selector("text=Taken back on")
    assert solo.server.state(STARS) == "open"
    solo.item(STARS)
    history = solo.page.inner_text(".history")
    assert "took a decision back" in history
    assert "looked at the wrong one" in history
    assert "nothing to see" in history
    assert "taken back" in history


def test_a_bulk_decision_shows_its_exact_count_before_anything_is_written(team):
    dora = team("Dora Vance")
    dora.page.goto(f"{dora.server.url}/?band=no_match")
    rows = dora.page.locator("#rows tbody tr").count()
    dora.page.click("#bulk")
    dora.page.check("input[value=no_issue]")
    dora.page.fill("#reason", "nothing of ours")
    dora.page.click("text=Show what would be written")
    word = "decision" if rows == 1 else "decisions"
    assert f"{rows} {word}" in dora.page.inner_text("#exactly")
    assert dora.server.review.record is None
    dora.page.click("#bulk-do")
    dora.page.wait_for_selector("text=in the record")
    assert dora.server.state(STARS) == "agreed"
    anna = team("Anna Berg")
    anna.page.goto(f"{anna.server.url}/")
    assert anna.page.locator("#bulk").count() == 0


def test_a_decision_reopens_when_the_file_is_another(chromium, screened, out, tmp_path):
    with serving(out) as server, Visit(chromium, server) as visit:
        visit.page.goto(f"{server.url}/enter?token={server.access.token}")
        decide(visit, STARS, "1", "stars are nobody's")
    with Image.open(screened.drop / STARS) as stars:
        before = (screened.drop / STARS).read_bytes()
        smaller = stars.resize((stars.width - 8, stars.height - 8))
    try:
        smaller.save(screened.drop / STARS)
        again = clearance("screen", screened.drop, "--index", screened.index, "--out", out)
        assert again.status == 3
        with serving(out) as server, Visit(chromium, server) as visit:
            visit.page.goto(f"{server.url}/enter?token={server.access.token}")
            visit.page.goto(f"{server.url}/?status=reopened")
            assert "stars.png" in visit.page.inner_text("#rows")
            visit.item(STARS)
            assert "The file’s content changed after the decision." in visit.page.inner_text(
                "#decide"
            )
            assert "stars are nobody's" in visit.page.inner_text(".history")
    finally:
        (screened.drop / STARS).write_bytes(before)


def test_hostile_names_and_texts_are_shown_as_text(solo):
    page = solo.page
    page.goto(solo.server.url)
    assert f"{HOSTILE}.png" in page.inner_text("#rows")
    for path in (f"pictures/{HOSTILE}.png", LIFTED):
        solo.item(path)
        assert HOSTILE in page.inner_text("main")
        assert page.locator("img[src=x]").count() == 0
    decide(solo, LIFTED, "3", HOSTILE)
    solo.item(LIFTED)
    page.goto(f"{solo.server.item(LIFTED)}/script")
    assert HOSTILE in page.inner_text(".running")
    assert page.locator("img[src=x]").count() == 0
    assert not [url for url in solo.asked if url.endswith("/x")]


def test_the_whole_way_by_keys_only(solo):
    """From the queue over an item's pictures to a decision and back; no pointer is used."""
    page = solo.page
    page.goto(solo.server.url)
    solo.keys("j", "j", "k", "Enter")
    page.wait_for_selector("#decide-form")
    page.wait_for_load_state("networkidle")
    solo.keys("2")
    assert page.get_attribute("#panes", "data-mode") == "blink"
    solo.keys("b", "3", "+", "+", "0", "5", "1")
    assert page.get_attribute("#panes", "data-mode") == "beside"
    first = page.url
    solo.keys("n")
    page.wait_for_url(lambda url: "/item/" in url and url != first)
    page.wait_for_load_state("networkidle")
    solo.keys("p")
    page.wait_for_url(first)
    page.wait_for_load_state("networkidle")
    solo.keys("Shift+Digit3")
    page.keyboard.type("another picture is made")
    solo.keys("Control+Enter")
    page.wait_for_selector(".done")
    solo.keys("g", "q")
    page.wait_for_selector("#rows")
    assert "Second person wanted" in page.inner_text("#rows")
    solo.keys("?")
    assert page.is_visible("#help")
    solo.keys("Escape")
    assert not page.is_visible("#help")


def test_tab_reaches_everything_that_can_be_pressed(solo):
    solo.item(CROPPED)
    wanted = solo.page.evaluate(
        """() => [...document.querySelectorAll(
            'a[href], button:not([disabled]), input:not([type=hidden]):not([disabled]), select,'
            + 'textarea, summary, [tabindex="0"]')]
          .filter((one) => one.checkVisibility() && one.type !== 'radio').length"""
    )
    focused = set()
    for _ in range(wanted + 10):
        solo.keys("Tab")
        focused.add(
            solo.page.evaluate(
                """() => [...document.querySelectorAll('*')].indexOf(document.activeElement)"""
            )
        )
    assert len(focused) >= wanted
