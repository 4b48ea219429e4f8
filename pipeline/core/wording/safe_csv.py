"""CSV that is safe to open in a spreadsheet: no text is run as a formula.

After OWASP's page on CSV injection: a spreadsheet may run a cell that begins with `= + - @`, a tab
or a line break as a formula, and also the text after a separator inside a cell, if it splits lines
at another separator than the comma (in much of Europe, a semicolon).
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

from pipeline.core.wording.text import visible

BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel reads UTF-8 in the system's legacy encoding, and accents are lost."""

# In East Asian settings spreadsheets accept the fullwidth and small forms too; U+2212 is the
# typographic minus.
_SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫−"
_QUOTES = "\"'`´“”„‟‘’‚‛«»‹›"
_AT_START = re.compile(f"[\\s{_QUOTES},;|]*[{_SIGNS}]|\\s*\n")
_AFTER_SEPARATOR = re.compile(f"([;\n])(?=[\\s{_QUOTES},;|]*[{_SIGNS}])")


def text_cell(text: str) -> str:
    """`text` escaped for a cell.

    Control and format characters become visible escapes (`pipeline.core.wording.text`), line
    feeds stay, and an apostrophe is inserted before text that a spreadsheet might run.
    """
    escaped = visible(text, keep_newlines=True)
    escaped = _AFTER_SEPARATOR.sub(r"\1'", escaped)
    return f"'{escaped}" if _AT_START.match(escaped) else escaped


def write_csv(table: pa.Table, file: BinaryIO) -> None:
    """Writes `table` as CSV: RFC 4180, UTF-8 with a byte order mark, a header line.

    Text is escaped by `text_cell`. Numbers are written with the shortest digits that give the same
    value, booleans as `true` and `false`, and a missing value as an empty cell.
    """
    out = io.TextIOWrapper(file, encoding="utf-8", newline="")
    out.write(BYTE_ORDER_MARK)
    # Most texts of a table are repeated in many of its rows.
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
