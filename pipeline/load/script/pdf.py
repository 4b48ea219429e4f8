"""PDF: the text layer of every page, by PDFium in a separate process (`pdf_process`)."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, BinaryIO

from pipeline.core.errors import Reason
from pipeline.load.limits import Limits
from pipeline.load.loaded import LoadedScript
from pipeline.load.refusal import FileRefusedError, one_line, too_large
from pipeline.load.workers.bounds import command

READER_BYTES = 2 * 2**30
"""Memory limit (RLIMIT_AS) of the process that reads one PDF."""
READER_SECONDS = 60.0
"""Its time limit for a small PDF."""

_BYTES_A_SECOND = 4 * 2**20  # a large PDF gets one more second for each of these
_READERS = threading.BoundedSemaphore(2)
"""At most two readers per process at a time, so that hostile files take at most twice the limit."""
_PROGRAM = "pipeline.load.script.pdf_process"
_TAIL_BYTES = 4096


def read_pdf(stream: BinaryIO, limits: Limits) -> LoadedScript:
    """The text of all pages, a line feed between pages, one span a page.

    Words hyphenated at the end of a line are joined. The text of annotations and form fields
    follows that of their page. A note counts the pages without a text layer, or scans with hardly
    any, and the pictures. A document without any text is refused, since images of text can't be
    compared.

    Raises:
        FileRefusedError: CORRUPT, ENCRYPTED, NO_TEXT, TOO_LARGE.
    """
    # PDFium would repair a file that was cut off and return the remaining pages.
    stream.seek(0)
    if b"%PDF-" not in stream.read(1024):
        raise FileRefusedError(
            Reason.CORRUPT, "the file is named .pdf, but its content is not a PDF; fetch it again"
        )
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _TAIL_BYTES))
    if b"%%EOF" not in stream.read():
        raise FileRefusedError(
            Reason.CORRUPT,
            "the PDF ends early (it has no end mark): it was cut off or not copied wholly; "
            "fetch it again",
        )
    seconds = READER_SECONDS + size // _BYTES_A_SECOND
    try:
        stream.fileno()
    except io.UnsupportedOperation:
        with tempfile.TemporaryFile() as file:
            stream.seek(0)
            shutil.copyfileobj(stream, file)
            file.flush()
            lines = _run(file, limits, seconds)
    else:
        lines = _run(stream, limits, seconds)
    return _script(lines, limits)


def _run(stream: Any, limits: Limits, seconds: float) -> list[dict[str, Any]]:
    """The lines of JSON that the process writes. The last one says how it ended."""
    memory_bytes = min(READER_BYTES, limits.max_worker_bytes)
    arguments = {
        "parent": os.getpid(),
        "memory_bytes": memory_bytes,
        "seconds": int(seconds) + 1,
        "max_pdf_pages": limits.max_pdf_pages,
        "max_text_chars": limits.max_text_chars,
    }
    with _READERS:
        try:
            # In a new session, so that Ctrl-C at the terminal is handled by this process. A worker
            # leads a session already, and the reader stays in it: both can be killed together.
            process = subprocess.run(
                command(_PROGRAM, arguments),
                stdin=stream,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
                start_new_session=not _leads_a_session(),
            )
        except subprocess.TimeoutExpired as error:
            raise _refused(f"took more than {seconds:,.0f} seconds") from error
    lines = [
        json.loads(line.decode("utf-8", "surrogatepass"))
        for line in _complete_lines(process.stdout)
    ]
    if process.returncode != 0 or not lines or "page" in lines[-1]:
        raise _refused(
            f"took more than the {memory_bytes / 2**30:,.2g} GiB of memory that it may "
            "take, or broke the reader"
        )
    return lines


def _leads_a_session() -> bool:
    return hasattr(os, "getsid") and os.getsid(0) == os.getpid()


def _complete_lines(output: bytes) -> list[bytes]:
    # The last line of a process that was killed may be incomplete.
    return output.split(b"\n")[:-1]


def _refused(what: str) -> FileRefusedError:
    return FileRefusedError(
        Reason.TOO_LARGE,
        f"reading the PDF {what}; it may be damaged or made to do harm; save it anew or print it "
        "to a new PDF",
    )


def _script(lines: list[dict[str, Any]], limits: Limits) -> LoadedScript:
    last = lines[-1]
    if "fault" in last:
        raise _refusal(last, limits)
    pages = [("text", str(line["page"])) for line in lines[:-1]]
    count, unread, pictures = last["count"], last["unread"], last["pictures"]
    if all(not text.strip() for _, text in pages):
        detail = (
            "the PDF has no text layer: its pages are scanned or drawn, and what is written on "
            "them can't be compared; run OCR over it and screen the result"
            if unread
            else "the PDF's pages are blank"
        )
        raise FileRefusedError(Reason.NO_TEXT, detail)
    notes = []
    if unread:
        verb = "has" if unread == 1 else "have"
        notes.append(
            f"{unread:,} of its {count:,} pages {verb} no text layer, or hardly any on a scan, and "
            "could not be read; run OCR over it to screen the whole."
        )
    if pictures:
        what = "a picture, which was" if pictures == 1 else f"{pictures:,} pictures, which were"
        them = "it" if pictures == 1 else "them"
        notes.append(f"It holds {what} not compared; export {them} to screen {them}.")
    numbers = tuple(number for number, (_, text) in enumerate(pages, 1) if text.strip())
    script = LoadedScript.from_paragraphs("pdf", pages, notes)
    return replace(script, complete=not unread and not pictures, pages=numbers)


def _refusal(fault: Mapping[str, Any], limits: Limits) -> Exception:
    kind = fault["fault"]
    if kind == "encrypted":
        return FileRefusedError(
            Reason.ENCRYPTED, "the PDF is protected by a password; save a copy without one"
        )
    if kind == "pages":
        return too_large("the PDF", fault["size"], "pages", limits.max_pdf_pages, "max_pdf_pages")
    if kind == "characters":
        return too_large(
            "the PDF's text", fault["size"], "characters or more", limits.max_text_chars,
            "max_text_chars",
        )  # fmt: skip
    error = RuntimeError(str(fault["error"]))
    if kind == "corrupt":
        return FileRefusedError(
            Reason.CORRUPT,
            f"{fault['what']} can't be read ({one_line(error)}); it is damaged; save it again",
        )
    return error
