"""Confidential words that no log, heartbeat or notification may contain."""

from __future__ import annotations

CONFIDENTIAL = (
    "zanzibar",
    "ophelia",
    "dirigible",
    "quillfeather",
    "moonmarrow",
    ".fountain",
    ".png",
)


def assert_nothing_confidential(text: str) -> None:
    """Asserts that `text` contains no name, title or text of the tests' assets and works."""
    leaked = [word for word in CONFIDENTIAL if word in text.lower()]
    assert not leaked, f"{leaked} in {text}"
