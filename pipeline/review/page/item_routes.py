"""The routes of the item page."""

from __future__ import annotations

from pipeline.review.page.guard import page_router

router = page_router()
