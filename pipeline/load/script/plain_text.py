"""Plain text, Markdown and anything else whose every character counts."""

from __future__ import annotations

from pipeline.load.loaded import Span


def whole(text: str) -> tuple[Span, ...]:
    """The whole text as one span; none if it is empty."""
    return (Span(0, len(text)),) if text else ()
