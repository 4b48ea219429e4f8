"""CSV that is safe to open in a spreadsheet: no cell of text can be run as a formula.

After OWASP's page on CSV injection: a cell that begins with `= + - @`, a tab or a line break can
be run by a spreadsheet, and so can what follows a separator inside a cell where the program splits
lines at another separator than the comma (a semicolon, in much of Europe).
https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from functools import lru_cache
from typing import BinaryIO

import pyarrow as pa

from pipeline.core.wording.visible import visible

BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel reads UTF-8 as the machine's old encoding, and names lose their accents."""

# The fullwidth and small forms are run by spreadsheets in East Asian settings; U+2212 is the
# typographic minus.
_SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫−"
_QUOTES = "\"'`´“”„‟‘’‚‛«»‹›"
_AT_START = re.compile(f"[\\s{_QUOTES},;|]*[{_SIGNS}]|\\s*\n")
_AFTER_SEPARATOR = re.compile(f"([;\n])(?=[\\s{_QUOTES},;|]*[{_SIGNS}])")


def text_cell(text: str) -> str:
    """`text` as it may stand in a cell.

    Control and format characters become visible escapes (`pipeline.core.wording.visible`), line
    feeds stay, and an apostrophe is put before whatever a spreadsheet might run.
    """
    shown = visible(text, keep_newlines=True)
    shown = _AFTER_SEPARATOR.sub(r"\1'", shown)
    return f"'{shown}" if _AT_START.match(shown) else shown


def write_csv(table: pa.Table, file: BinaryIO) -> None:
    """Writes `table` as CSV: RFC 4180, UTF-8 with a byte order mark, a header line.

    Text goes through `text_cell`. Numbers are written in full (the shortest digits that give the
    same value), truth as `true` and `false`, and a missing value as an empty cell.
    """
    out = io.TextIOWrapper(file, encoding="utf-8", newline="")
    out.write(BYTE_ORDER_MARK)
    # Most texts of a table stand in many of its rows.
    cell = lru_cache(maxsize=1024)(text_cell)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([text_cell(name) for name in table.column_names])
    for batch in table.to_batches(max_chunksize=4096):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            writer.writerow([_cell(value, cell) for value in row])
    out.flush()
    out.detach()


def _cell(value: object, cell: Callable[[str], str]) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return cell(value) if isinstance(value, str) else repr(value)
