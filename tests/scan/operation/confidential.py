"""What may stand in no log, heartbeat or notification."""

from __future__ import annotations

TELLING = ("zanzibar", "ophelia", "dirigible", "quillfeather", "moonmarrow", ".fountain", ".png")


def nothing_telling(text: str) -> None:
    """Asserts that no name, title or text of the tests' assets and works stands in `text`."""
    found = [word for word in TELLING if word in text.lower()]
    assert not found, f"{found} in {text}"
