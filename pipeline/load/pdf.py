"""PDF: the text layer, page by page, by PDFium."""

from __future__ import annotations

import threading
from typing import Any, BinaryIO

from pipeline.errors import Reason
from pipeline.load.limits import Limits
from pipeline.load.paragraphs import Story, story_of
from pipeline.load.refusal import FileRefusedError, shown, too_large

_PDFIUM = threading.Lock()
"""PDFium must not be called from two threads at once, not even for two documents."""

_BAD_PASSWORD = 4  # FPDF_ERR_PASSWORD, fpdfview.h
_TAIL_BYTES = 4096


def read_pdf(stream: BinaryIO, limits: Limits) -> Story:
    """The text of all pages, a line feed between pages, one span a page.

    A word that is parted at the end of a line is joined. Pages without any text layer are counted
    in a note; a document of such pages alone is refused, because its pictures of text can't be
    compared.

    Raises:
        FileRefusedError: CORRUPT, ENCRYPTED, NO_TEXT, TOO_LARGE.
    """
    # PDFium would mend a file that was cut off, with whatever pages are left.
    stream.seek(0)
    if b"%PDF-" not in stream.read(1024):
        raise FileRefusedError(
            Reason.CORRUPT, "the file is named .pdf, but its content is not a PDF; fetch it again"
        )
    stream.seek(max(0, stream.seek(0, 2) - _TAIL_BYTES))
    if b"%%EOF" not in stream.read():
        raise FileRefusedError(
            Reason.CORRUPT,
            "the PDF ends early (it has no end mark): it was cut off or not copied wholly; "
            "fetch it again",
        )
    stream.seek(0)
    with _PDFIUM:
        return _read(stream, limits)


def _read(stream: BinaryIO, limits: Limits) -> Story:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(stream)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _BAD_PASSWORD or "password" in str(error).lower():
            raise FileRefusedError(
                Reason.ENCRYPTED,
                "the PDF is protected by a password; save a copy without one",
            ) from error
        raise _corrupt("the PDF", error) from error
    # Closed here, under the lock, and not whenever the garbage collector comes by.
    try:
        return _story(document, limits, pypdfium2.PdfiumError)
    finally:
        document.close()


def _story(document: Any, limits: Limits, pdfium_error: type[Exception]) -> Story:
    count = len(document)
    if count > limits.max_pdf_pages:
        raise too_large("the PDF", count, "pages", limits.max_pdf_pages, "max_pdf_pages")
    pages: list[tuple[str, str]] = []
    without_text = characters = 0
    for number in range(count):
        try:
            text, drawn = _page(document, number)
        except pdfium_error as error:
            raise _corrupt(f"page {number + 1} of the PDF", error) from error
        characters += len(text)
        if characters > limits.max_text_chars:
            raise too_large(
                "the PDF's text", characters, "characters or more", limits.max_text_chars,
                "max_text_chars",
            )  # fmt: skip
        if not text.strip():
            without_text += drawn
        pages.append(("text", text))
    return _told(pages, count, without_text)


def _told(pages: list[tuple[str, str]], count: int, without_text: int) -> Story:
    if all(not text.strip() for _, text in pages):
        detail = (
            "the PDF has no text layer: its pages are scanned or drawn, and what is written on "
            "them can't be compared; run OCR over it and screen the result"
            if without_text
            else "the PDF's pages are blank"
        )
        raise FileRefusedError(Reason.NO_TEXT, detail)
    notes = []
    if without_text:
        verb = "has" if without_text == 1 else "have"
        notes.append(
            f"{without_text:,} of its {count:,} pages {verb} no text layer and could not be read; "
            "run OCR over it to screen the whole."
        )
    return story_of(pages, notes)._replace(whole=not without_text)


def _page(document: Any, number: int) -> tuple[str, bool]:
    """A page's text, and whether anything is drawn on it."""
    page = document[number]
    try:
        layer = page.get_textpage()
        try:
            # Line ends come as \r\n, and U+FFFE stands where a hyphen parted a word.
            text = layer.get_text_range().replace("\r\n", "\n").replace("\ufffe", "")
        finally:
            layer.close()
        drawn = next(iter(page.get_objects(max_depth=1)), None) is not None
        return text.replace("\0", ""), drawn
    finally:
        page.close()


def _corrupt(what: str, error: Exception) -> FileRefusedError:
    return FileRefusedError(
        Reason.CORRUPT, f"{what} can't be read ({shown(error)}); it is damaged; save it again"
    )
