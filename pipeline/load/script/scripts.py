"""Scripts: the format's reader, and what holds for all of them."""

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
from pipeline.load.script.fountain import fountain_spans, struck_out
from pipeline.load.script.paragraphs import Story
from pipeline.load.script.pdf import read_pdf
from pipeline.load.script.plain_text import whole
from pipeline.load.script.srt import srt_spans
from pipeline.load.script.text_encoding import decode
from pipeline.load.script.vtt import vtt_spans

_CONTENT: Mapping[str, Callable[[str], tuple[Span, ...]]] = {
    "txt": whole,
    "md": whole,
    "fountain": fountain_spans,
    "srt": srt_spans,
    "vtt": vtt_spans,
}
_READERS: Mapping[str, Callable[[BinaryIO, Limits], Story]] = {
    "fdx": read_fdx,
    "fadein": read_fadein,
    "docx": read_docx,
    "pdf": read_pdf,
}
_BYTES_A_CHARACTER = 4  # the most that UTF-8, UTF-16 and UTF-32 take


def load_script(stream: BinaryIO, script_format: str, limits: Limits) -> LoadedScript:
    """The text of a script.

    Args:
        stream: the open file.
        script_format: as `recognise` named it.
        limits: compared with sizes before text is decoded, where they can be known.

    Raises:
        FileRefusedError: CORRUPT, ENCRYPTED, NO_TEXT, TOO_LARGE.
    """
    encoding = None
    if script_format in _CONTENT:
        most = _BYTES_A_CHARACTER * (limits.max_text_chars + 1)
        data = read_at_most(stream, most)
        if len(data) > most:
            # No encoding takes more bytes for a character.
            fewest = stream.seek(0, 2) // _BYTES_A_CHARACTER
            raise too_large(
                "the text", fewest, "characters or more", limits.max_text_chars, "max_text_chars"
            )
        text, encoding, guessed = decode(data)
        note = f"The file does not state its encoding; it was read as {encoding}."
        story = Story(text, (), (note,) if guessed else ())
        _check_length(text, limits)
        story = story._replace(spans=_CONTENT[script_format](text))
        if script_format == "fountain" and struck_out(text):
            left_out = "Passages that are struck out (between /* and */) were left out."
            story = story._replace(notes=(*story.notes, left_out))
    else:
        story = _READERS[script_format](stream, limits)
        _check_length(story.text, limits)
        if not story.text.isascii():
            story.text.encode("utf-8")  # raises for a lone surrogate, which no reader should give
    if not any(story.text[span.start : span.end].strip() for span in story.spans):
        raise FileRefusedError(
            Reason.NO_TEXT,
            "the file has no text to compare"
            + ("" if not story.text.strip() else " (only headings of the format, such as times)"),
        )
    return LoadedScript(
        story.text, story.spans, script_format, encoding, story.notes, story.complete, story.pages
    )


def _check_length(text: str, limits: Limits) -> None:
    if len(text) > limits.max_text_chars:
        raise too_large(
            "the text", len(text), "characters", limits.max_text_chars, "max_text_chars"
        )
