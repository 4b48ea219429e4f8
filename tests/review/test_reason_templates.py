"""Reason templates: from a file, offered on the item and in bulk, and text like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_samples import ANNA, DORA, HOSTILE, READER, ReviewSite

from pipeline.core.errors import ConfigError
from pipeline.review.app import create_app
from pipeline.review.reason_templates import ReasonTemplate, read_reasons

ROOT = Path(__file__).parents[2]


@pytest.fixture
def offered(tmp_path):
    site = ReviewSite(tmp_path / "out")
    reasons = (
        ReasonTemplate(text="On file."),
        ReasonTemplate(text=HOSTILE, decisions=("false_match",)),
    )
    site.app = create_app(site.review, site.access, reasons=reasons)
    return site


def test_the_file_that_comes_with_clearance_can_be_read():
    reasons = read_reasons(ROOT / "configs" / "reasons.yaml")
    assert len(reasons) > 5
    assert all(one.decisions for one in reasons)
    assert read_reasons(None) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 2\nreasons: []", "version"),
        ("version: 1", "reasons"),
        ("version: 1\nreasons:\n  - text: ' '", "text"),
        ("version: 1\nreasons:\n  - text: a\n    decisions: [cleared]", "decisions"),
        ('version: 1\nreasons:\n  - text: "a\\u200bb"', "can't be seen"),
        ("version: 1\nreasons:\n  - words: a", "words"),
    ],
)
def test_a_file_that_cant_be_used_says_why(tmp_path, text, said):
    file = tmp_path / "reasons.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_reasons(file)


def test_they_are_offered_where_somebody_decides(offered):
    item = f"/item/{offered.number('b/cat.png')}"
    for person, place in ((ANNA, item), (DORA, "/bulk?band=no_match")):
        text = offered.browser(person).get(place).text
        assert 'value="On file."' in text
        assert 'data-decisions="false_match"' in text
        assert "<img src=x" not in text
    assert "On file." not in offered.browser(READER).get(item).text


def test_without_a_file_there_is_nothing_to_pick(site):
    assert 'id="template"' not in site.browser(ANNA).get("/item/0").text
