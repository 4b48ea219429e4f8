"""A stored run for notebooks: its tables as pandas, a row with its evidence as HTML.

The HTML is self-contained and makes no network request; names and texts of assets and works are
escaped, and pictures are re-encoded.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import RunError
from pipeline.drops.places import Place, place
from pipeline.results.files import StoredRun, read_run, results_folder

if TYPE_CHECKING:
    import pandas as pd
    from jinja2 import Template

    from pipeline.report.row_view import MatchView, RowView

THUMBNAIL_EDGE = 160
GALLERY_ROWS = 30


def load_run(out: str | Place) -> Run:
    """The results that `clearance screen` or `clearance scan` wrote.

    Args:
        out: a folder, s3://BUCKET/PREFIX, or a scan directory for its latest scan.

    Raises:
        RunError: if a file is missing or unreadable, or they are not those of one run.
    """
    return Run(read_run(results_folder(place(out))))


class Run:
    """A run's results.

    Attributes:
        folder: where they are.
        info: run.json.
    """

    def __init__(self, stored: StoredRun) -> None:
        self._stored = stored
        self.folder = stored.folder
        self.info: Mapping[str, Any] = stored.run

    @property
    def table(self) -> pd.DataFrame:
        """The risk table: a row for each file discovered (docs/risk-table.md)."""
        return self._stored.table

    @property
    def matches(self) -> pd.DataFrame:
        """A row for each asset and work with any evidence, strongest first within an asset."""
        return self._stored.matches

    @property
    def passages(self) -> pd.DataFrame:
        """A row for each pair of overlapping passages."""
        return self._stored.passages

    @cached_property
    def flagged(self) -> pd.DataFrame:
        """Rows of the risk table with evidence, the most urgent first."""
        from pipeline.core.records import Band
        from pipeline.results.table_checks import FLAGGED

        rows = self.table[self.table["band"].isin([band.value for band in FLAGGED])]
        order = {band.value: place for place, band in enumerate(Band)}
        ordered = rows.sort_values(
            ["band", "risk", "asset_path"],
            ascending=[True, False, True],
            key=lambda column: column.map(order) if column.name == "band" else column,
        )
        flagged: pd.DataFrame = ordered.reset_index(drop=True)
        return flagged

    def nearest(self, asset: str, limit: int = 10) -> pd.DataFrame:
        """The works nearest to an asset, strongest first: its rows of `matches`.

        Raises:
            RunError: if there is no such asset, or several; the message names the nearest.
        """
        path = self._row(asset)["asset_path"]
        rows = self.matches[self.matches["asset_path"] == path]
        nearest: pd.DataFrame = rows.sort_values("rank").head(limit).reset_index(drop=True)
        return nearest

    def show(self, asset: str, work_id: str | None = None) -> ShownRow:
        """Why an asset is in its band, as a notebook shows it.

        Args:
            asset: its path, the end of it, or the beginning of its SHA-256.
            work_id: a work among its matches; the strongest if not given.

        Raises:
            RunError: if there is no such asset or match.
        """
        from pipeline.report.explain import with_texts

        row = self._row(asset)
        view = with_texts(self._stored, row)
        match = view.strongest
        if work_id is not None:
            match = next((one for one in view.matches if one.row["work_id"] == work_id), None)
            if match is None:
                raise RunError(f"{asset} has no evidence with a work {work_id}.")
        return ShownRow(self._stored, view, match)

    def gallery(self, rows: pd.DataFrame | None = None, limit: int = GALLERY_ROWS) -> Gallery:
        """Rows with thumbnails, in their order.

        Args:
            rows: some of `table`; `flagged` if not given. Sort and filter as you like.
            limit: rows shown.
        """
        chosen = (self.flagged if rows is None else rows).head(limit)
        records: list[Any] = chosen.to_dict("records")
        return Gallery(self._stored, records)

    def _row(self, asset: str) -> dict[str, Any]:
        from pipeline.results.lookup import find_row

        return find_row(self._stored, asset)

    def __repr__(self) -> str:
        counts = ", ".join(f"{band} {n:,}" for band, n in self.info.get("counts", {}).items() if n)
        return f"<Run {self.info.get('run_id')} of {len(self.table):,} files: {counts}>"


@dataclass(frozen=True)
class ShownRow:
    """One row, and its match with one work; a notebook shows it as HTML.

    Attributes:
        stored: the run.
        view: the row.
        match: the match that is shown; None if there is no evidence.
    """

    stored: StoredRun
    view: RowView
    match: MatchView | None

    @property
    def explanation(self) -> dict[str, Any]:
        """The row and its evidence, as `clearance explain --json` prints them."""
        from pipeline.report.explain import explanation

        return explanation(self.view)

    @cached_property
    def pictures(self) -> tuple[list[bytes], str]:
        """PNGs of asset and work, or one of the overlay, and a sentence on them."""
        from pipeline.report.explain_overlay import draw_overlay
        from pipeline.report.row_view import work_file
        from pipeline.report.stored_content import asset_png, work_png

        row, match = self.view.row, self.match
        if row["kind"] != "image":
            return [], ""
        if match is not None and match.overlap is not None:
            try:
                overlay = draw_overlay(self.stored, row, match.row["work_id"])
            except RunError:
                pass
            else:
                return [overlay.png], f"{overlay.sentence} {overlay.note}".strip()
        try:
            pngs = [asset_png(self.stored.run, row)]
        except RunError as error:
            return [], str(error)
        file = work_file(match.row) if match is not None else None
        if match is None or file is None:
            return pngs, ""
        png, missing = work_png(self.stored.run, match.row["work_id"], file)
        return ([*pngs, png], "") if png else (pngs, missing)

    def _repr_html_(self) -> str:
        pictures, note = self.pictures
        return _template().module.row(  # type: ignore[attr-defined, no-any-return]
            view=self.view,
            match=self.match,
            pictures=[_data_uri(png, "png") for png in pictures],
            note=note,
        )

    def __repr__(self) -> str:
        return f"<{self.view.row['asset_path']}: {self.view.band}>"


@dataclass(frozen=True)
class Gallery:
    """Rows with thumbnails; a notebook shows them as an HTML table."""

    stored: StoredRun
    rows: Sequence[Mapping[str, Any]]

    def _repr_html_(self) -> str:
        from pipeline.report.stored_content import asset_png

        rows = []
        for row in self.rows:
            picture = ""
            if row["kind"] == "image":
                try:
                    png = asset_png(self.stored.run, row, THUMBNAIL_EDGE)
                    picture = _data_uri(png, "png")
                except RunError:
                    picture = ""
            rows.append({**row, "picture": picture})
        return _template().module.gallery(rows=rows)  # type: ignore[attr-defined, no-any-return]

    def __repr__(self) -> str:
        return f"<{len(self.rows)} rows>"


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


@cache
def _template() -> Template:
    from pipeline.core.wording.templating import template_environment

    return template_environment(Path(__file__).resolve().parent / "templates").get_template(
        "notebook.html.j2"
    )
