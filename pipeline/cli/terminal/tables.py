"""What every view in the terminal is built of: safe text, bands in colour, tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline.core.records import Band
from pipeline.core.wording.text import BANDS, visible

_BAND_STYLES: Mapping[str, str] = {
    Band.ESCALATE: "bold red",
    Band.REVIEW: "bold yellow",
    Band.INFO: "cyan",
    Band.PARTLY_SCREENED: "magenta",
    Band.NOT_SCREENED: "magenta",
    Band.NO_MATCH: "",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        heading: its heading.
        number: whether it is aligned to the right and never wrapped.
        wrap: whether its cells may take several lines.
        ratio: its share of the width that is left, so that the table fills the terminal.
    """

    heading: str
    number: bool = False
    wrap: bool = True
    ratio: int | None = None


def safe_text(value: object, style: str = "") -> Text:
    """Text from a file or a name: without markup, and with control characters escaped."""
    return Text(visible(str(value)), style=style, overflow="fold")


def band_text(band: str) -> Text:
    """A band's title in its colour; an unknown one as it is."""
    title = BANDS[Band(band)] if band in list(Band) else band
    return safe_text(title, _BAND_STYLES.get(band, ""))


def table(columns: Sequence[Column | str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table without lines.

    Args:
        columns: a string is the heading of a column that may wrap.
        rows: a cell for each column; strings become `safe_text`.
    """
    built = Table(box=None, pad_edge=False, header_style="bold")
    for column in (Column(one) if isinstance(one, str) else one for one in columns):
        built.add_column(
            column.heading,
            justify="right" if column.number else "left",
            no_wrap=column.number or not column.wrap,
            ratio=column.ratio,
        )
    for row in rows:
        built.add_row(*(safe_text(cell) if isinstance(cell, str) else cell for cell in row))
    return built


def pairs(rows: Iterable[tuple[str | Text, str | Text]]) -> Table:
    """A name and a value in each row, without headings."""
    built = Table.grid(padding=(0, 2))
    for row in rows:
        built.add_row(*(safe_text(cell) if isinstance(cell, str) else cell for cell in row))
    return built


def print_line(console: Console, text: object, style: str = "", *, indent: int = 0) -> None:
    """Prints `safe_text`, also its further lines with an indent in characters."""
    console.print(Padding.indent(safe_text(text, style), indent))


def print_path(console: Console, label: str, path: object) -> None:
    """Prints where a file is on one line, however long, so that it can be copied."""
    console.print(safe_text(f"{label}: {path}"), soft_wrap=True)
