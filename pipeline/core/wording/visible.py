"""Escaping untrusted text for output: no character of it controls a terminal or a page."""

from __future__ import annotations

import unicodedata


def visible(text: str, *, keep_newlines: bool = False) -> str:
    """`text` with control, format (bidi, zero-width), surrogate and separator characters escaped.

    They become ``\\n``, ``\\t``, ``\\r`` or ``\\xNN``/``\\uNNNN``, so that a file name can't forge
    a line of output, move the cursor or reorder text. With `keep_newlines`, line feeds stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if (c == "\n" and keep_newlines) or not _is_control(c) else _escaped(c) for c in text
    )


def _is_control(c: str) -> bool:
    return unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escaped(c: str) -> str:
    short_form = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(c)
    if short_form:
        return short_form
    code = ord(c)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
