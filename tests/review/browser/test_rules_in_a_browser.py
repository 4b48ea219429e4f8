"""Two people agree on a rule that suppresses, in a real browser, and one revokes it."""

from __future__ import annotations

import pytest
from browser_samples import MIRRORED

pytestmark = pytest.mark.slow


def test_a_rule_from_an_item_is_agreed_to_by_another_person_and_revoked(team):
    anna = team("Anna Berg")
    anna.item(MIRRORED)
    anna.page.click("text=Suppress by a rule")
    assert anna.page.input_value("#folders") == "pictures"
    anna.page.fill("#reason", "Our own photographs")
    anna.page.click("text=Show what it would cover")
    assert "It covers 1 match of this run" in anna.page.inner_text("main")
    anna.page.click("#rule-add")
    assert "Waiting for a second person" in anna.page.inner_text("main")
    assert anna.page.locator("text=Agree to rule").count() == 0

    dora = team("Dora Vance")
    dora.page.click("nav.page >> text=Rules")
    dora.page.click("button:has-text('Agree to rule')")
    assert "Active" in dora.page.inner_text("main")
    dora.item(MIRRORED)
    rule = dora.page.inner_text(".item-rules")
    assert "suppresses this match. It counts from the next run on" in rule
    assert "Suppressed" in dora.page.inner_text(".stands")
    dora.page.click(".item-rules a")
    dora.page.click("summary:has-text('Revoke rule')")
    dora.page.keyboard.press("Tab")
    dora.page.keyboard.type("Sold in May")
    dora.page.keyboard.press("Enter")
    dora.page.wait_for_selector("text=Revoked by")
    assert "Sold in May" in dora.page.inner_text("main")
