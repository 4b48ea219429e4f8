"""The settings of the report page."""

from __future__ import annotations

from pydantic import Field

from pipeline.core.config_file import Section


class Report(Section):
    """What report.html shows; risk_table.parquet always holds every row.

    Attributes:
        max_rows: rows shown in full, the most urgent first.
        thumbnails: whether pictures are shown; if not, the page holds no unreleased picture.
    """

    max_rows: int = Field(default=500, ge=1, le=100_000)
    thumbnails: bool = True
