"""Text from files and names, made fit to show: nothing in it can act on a terminal or a page."""

from __future__ import annotations

import unicodedata


def visible(text: str, *, keep_newlines: bool = False) -> str:
    """`text` with control, format (bidi, zero-width), surrogate and separator characters escaped.

    They stand as ``\\n``, ``\\t``, ``\\r`` or ``\\xNN``/``\\uNNNN``, so that a file name can't
    forge a line of output, move the cursor or reorder what is read. With `keep_newlines`, line
    feeds stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if (c == "\n" and keep_newlines) or not _acts(c) else _escaped(c) for c in text
    )


def _acts(c: str) -> bool:
    return unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escaped(c: str) -> str:
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(c)
    if short:
        return short
    code = ord(c)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
