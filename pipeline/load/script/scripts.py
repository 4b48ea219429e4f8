"""Scripts: chooses the reader of a format, and makes the checks that hold for all formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO

from pipeline.core.errors import Reason
from pipeline.load.limits import Limits
from pipeline.load.loaded import LoadedScript, Span
from pipeline.load.opening import read_at_most
from pipeline.load.refusal import FileRefusedError, too_large
from pipeline.load.script.docx import read_docx
from pipeline.load.script.fadein import read_fadein
from pipeline.load.script.fdx import read_fdx
from pipeline.load.script.fountain import fountain_spans, has_boneyard
from pipeline.load.script.pdf import read_pdf
from pipeline.load.script.subtitles import srt_spans, vtt_spans
from pipeline.load.script.text_encoding import decode


def _all_of(text: str) -> tuple[Span, ...]:
    """Plain text and Markdown: every character is content."""
    return (Span(0, len(text)),) if text else ()


_SPANS_OF_PLAIN_TEXT: Mapping[str, Callable[[str], tuple[Span, ...]]] = {
    "txt": _all_of,
    "md": _all_of,
    "fountain": fountain_spans,
    "srt": srt_spans,
    "vtt": vtt_spans,
}
"""Formats that are plain text: which parts of the text are content."""
_READERS: Mapping[str, Callable[[BinaryIO, Limits], LoadedScript]] = {
    "fdx": read_fdx,
    "fadein": read_fadein,
    "docx": read_docx,
    "pdf": read_pdf,
}
"""Other formats."""
_BYTES_A_CHARACTER = 4  # the most in UTF-8, UTF-16 and UTF-32


def load_script(stream: BinaryIO, script_format: str, limits: Limits) -> LoadedScript:
    """The text of a script.

    Args:
        stream: the open file.
        script_format: as `formats.recognise` named it.
        limits: checked before text is decoded, where its size is known by then.

    Raises:
        FileRefusedError: CORRUPT, ENCRYPTED, NO_TEXT, TOO_LARGE.
    """
    if script_format in _SPANS_OF_PLAIN_TEXT:
        script = _plain_text(stream, script_format, limits)
    else:
        script = _READERS[script_format](stream, limits)
        _check_length(script.text, limits)
        if not script.text.isascii():
            script.text.encode("utf-8")  # raises for a lone surrogate, a fault of the reader
    if not any(script.text[span.start : span.end].strip() for span in script.spans):
        raise FileRefusedError(
            Reason.NO_TEXT,
            "the file has no text to compare"
            + ("" if not script.text.strip() else " (only headings of the format, such as times)"),
        )
    return script


def _plain_text(stream: BinaryIO, script_format: str, limits: Limits) -> LoadedScript:
    max_bytes = _BYTES_A_CHARACTER * (limits.max_text_chars + 1)
    data = read_at_most(stream, max_bytes)
    if len(data) > max_bytes:
        fewest = stream.seek(0, 2) // _BYTES_A_CHARACTER
        raise too_large(
            "the text", fewest, "characters or more", limits.max_text_chars, "max_text_chars"
        )
    text, encoding, guessed = decode(data)
    _check_length(text, limits)
    notes = []
    if guessed:
        notes.append(f"The file does not state its encoding; it was read as {encoding}.")
    if script_format == "fountain" and has_boneyard(text):
        notes.append("Passages that are struck out (between /* and */) were left out.")
    spans = _SPANS_OF_PLAIN_TEXT[script_format](text)
    return LoadedScript(text, spans, script_format, encoding, tuple(notes))


def _check_length(text: str, limits: Limits) -> None:
    if len(text) > limits.max_text_chars:
        raise too_large(
            "the text", len(text), "characters", limits.max_text_chars, "max_text_chars"
        )
