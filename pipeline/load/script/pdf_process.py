"""The program that reads one PDF, in a process with limits on memory and time.

A few hundred bytes of PDF can make PDFium allocate all memory of the machine, and PDFium ends its
process when an allocation fails. So `pipeline.load.script.pdf` runs this program for each PDF
(`pipeline.load.workers.bounds`), passes the document as standard input, and reads lines of JSON
from its standard output: {"page": text} for each page, then one line with the counts, or with what
is wrong with the document.

It is started for every PDF, so it imports only the standard library, pypdfium2 and, for a page that
may have columns, `pdf_columns`.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from pipeline.load.workers.bounds import SPARE_SECONDS, exit_with_parent, set_alarm, set_limits

_BAD_PASSWORD = 4  # FPDF_ERR_PASSWORD, fpdfview.h
_SCAN_SHARE = 0.5  # a page with more of its area under pictures and few words is a scan
_SCAN_WORDS = 20  # fewer than these
_PICTURE_SHARE = 0.1  # of a page's area; smaller pictures are logos and ornaments
_MAX_DEPTH = 12  # of nested form XObjects
_HUGE = 1e9  # instead of infinite coordinates
_LEFT_MARGIN = re.compile(r"\s*(?:\d+[A-Z]?[.)]?\s+)?")
_RIGHT_MARGIN_REVERSED = re.compile(r"\s*(?:[.)]?[A-Z]?\d+\s+)?")
_TOP_LINE = 2  # a block of columns at the top of a page, or below its header, contains this line
_MIN_GAP = 1.5  # between columns, in heights of a line
_MAX_LINE_DISTANCE = 2.5  # between the middles of two lines, in heights of a line

Box = tuple[float, float, float, float]
"""Left, right, bottom, top."""

Matrix = tuple[float, float, float, float, float, float]
_IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class Page(NamedTuple):
    """The content of a page.

    Attributes:
        text: its text layer, then the text of its annotations and form fields.
        unread: whether it has drawings or images that are likely to be text, but no text layer.
        pictures: number of larger pictures on a page with text.
    """

    text: str
    unread: bool
    pictures: int


class Refusal(Exception):  # noqa: N818 - it is an answer
    """Why the document can't be read, as the last line of the output."""

    def __init__(self, **line: Any) -> None:
        super().__init__()
        self.line = line


def main(arguments: Mapping[str, Any]) -> int:
    """Reads the PDF on standard input, and writes lines of JSON. `bounds.command` starts it.

    Args:
        arguments: `memory_bytes`, the limit on address space; `seconds`, of elapsed time; `parent`,
            the parent's process id; `max_pdf_pages` and `max_text_chars` as in `Limits`.

    Returns:
        the exit status: 0 after a last line that says how it ended, 1 if memory ran out.
    """
    seconds = arguments["seconds"] + SPARE_SECONDS
    set_limits(CORE=0, AS=arguments["memory_bytes"], CPU=seconds)
    set_alarm(seconds)
    exit_with_parent(arguments["parent"])
    out = sys.stdout.buffer
    max_pages, max_characters = arguments["max_pdf_pages"], arguments["max_text_chars"]
    try:
        last_line = _read(sys.stdin.buffer, out, max_pages, max_characters)
    except Refusal as refusal:
        last_line = refusal.line
    except MemoryError:
        return 1
    except Exception as error:
        last_line = {"fault": "error", "error": f"{type(error).__name__}: {error}"}
    _write(out, last_line)
    out.flush()
    return 0


def _write(out: BinaryIO, line: dict[str, Any]) -> None:
    out.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")


def _read(stream: BinaryIO, out: BinaryIO, max_pages: int, max_characters: int) -> dict[str, Any]:
    import pypdfium2

    stream.seek(0)
    try:
        document = pypdfium2.PdfDocument(stream)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _BAD_PASSWORD or "password" in str(error).lower():
            raise Refusal(fault="encrypted") from error
        raise Refusal(fault="corrupt", what="the PDF", error=str(error)) from error
    count = len(document)
    if count > max_pages:
        raise Refusal(fault="pages", size=count)
    characters = unread = pictures = 0
    for number in range(count):
        try:
            page = _page(document, number)
        except pypdfium2.PdfiumError as error:
            what = f"page {number + 1} of the PDF"
            raise Refusal(fault="corrupt", what=what, error=str(error)) from error
        characters += len(page.text)
        if characters > max_characters:
            raise Refusal(fault="characters", size=characters)
        unread += page.unread
        pictures += page.pictures
        _write(out, {"page": page.text})
    return {"count": count, "unread": unread, "pictures": pictures}


def _may_have_columns(raw: Any, layer: Any, text: str) -> bool:
    """Whether to look for columns word by word, which is slow.

    A quick test on the rectangles of lines that may be two cues, and of a line near the top, where
    columns of the page before may continue.
    """
    line_texts = text.split("\r\n")
    starts = itertools.accumulate((len(line) + 2 for line in line_texts), initial=0)
    lines = list(zip(starts, line_texts, strict=False))
    if len(lines) > _TOP_LINE and _is_two_sided(raw, layer, lines[_TOP_LINE]):
        neighbours = lines[_TOP_LINE - 1 : _TOP_LINE + 2 : 2]
        if any(_is_two_sided(raw, layer, line) for line in neighbours):
            return True
    cue_before = False
    for number, line in enumerate(lines):
        cue = _begins_as_cue(line[1])
        if cue and (cue_before or " " in line[1].strip()):
            wide_gap = _is_two_sided(raw, layer, line)
            if cue_before and not wide_gap:
                # PDFium makes two lines of text that is very far apart.
                above = lines[number - 1]
                wide_gap = _has_wide_gap([*_boxes(raw, layer, *above), *_boxes(raw, layer, *line)])
            if wide_gap and _has_line_close(raw, layer, lines, number):
                return True
        cue_before = cue
    return False


def _begins_as_cue(text: str) -> bool:
    """Whether a line begins in capitals.

    PDFium makes one line of two cues and the speeches below them where these are very short.
    """
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    return text.partition("(")[0].isupper() or (len(first) > 1 and first.isupper())


def _is_two_sided(raw: Any, layer: Any, line: tuple[int, str]) -> bool:
    """Whether a line has a wide gap."""
    boxes = _boxes(raw, layer, *line)
    return _has_wide_gap(boxes) if len(boxes) > 1 else _wider_than_letters(raw, layer, *line, boxes)


def _boxes(raw: Any, layer: Any, start: int, words: str) -> list[Box]:
    """PDFium's rectangles of a line, without numbers in its margins."""
    offset, words = _without_margin_numbers(words)
    start += offset
    sides = [ctypes.c_double() for _ in range(4)]
    boxes = []
    for number in range(raw.FPDFText_CountRects(layer, start, len(words))):
        raw.FPDFText_GetRect(layer, number, *sides)
        left, top, right, bottom = (side.value for side in sides)
        boxes.append((left, right, bottom, top))
    return boxes


def _without_margin_numbers(line: str) -> tuple[int, str]:
    """A line without numbers in its margins, and where that begins in the line.

    The margins are removed one after the other, the right one from the reversed line: one
    expression for both takes quadratic time where a line has long runs of spaces.
    """
    rest = _LEFT_MARGIN.sub("", line, count=1)
    words = _RIGHT_MARGIN_REVERSED.sub("", rest[::-1], count=1)[::-1]
    # A line feed is not expected in a line; such a line is left as it is.
    return (0, line) if "\n" in words else (len(line) - len(rest), words)


def _has_wide_gap(boxes: list[Box]) -> bool:
    """Whether two of the rectangles are at one height with a wide gap between them."""
    ordered = sorted(boxes)
    for number, (_, right, bottom, top) in enumerate(ordered):
        same_height = (
            box for box in ordered[number + 1 :] if min(top, box[3]) > max(bottom, box[2])
        )
        next_box = next(same_height, None)
        if next_box is None:
            continue
        next_left, _, next_bottom, next_top = next_box
        if next_left - right > _MIN_GAP * max(top - bottom, next_top - next_bottom):
            return True
    return False


def _wider_than_letters(raw: Any, layer: Any, start: int, words: str, boxes: list[Box]) -> bool:
    """Whether a line in one rectangle is wider than its letters.

    PDFium reduces the many spaces between the columns of typewriter text to one.
    """
    words = words.rstrip()
    index = start + words.find(words.lstrip("0123456789. ")[:2])
    first_x, second_x, y = (ctypes.c_double() for _ in range(3))
    raw.FPDFText_GetCharOrigin(layer, index, first_x, y)
    raw.FPDFText_GetCharOrigin(layer, index + 1, second_x, y)
    letter = second_x.value - first_x.value
    return letter > 0 and any(
        right - left > (len(words.lstrip()) + 1.5) * letter for left, right, _, _ in boxes
    )


def _has_line_close(raw: Any, layer: Any, lines: list[tuple[int, str]], number: int) -> bool:
    """Whether there is a line directly above or below, or the line is made of two."""
    boxes = _boxes(raw, layer, *lines[number])
    if not boxes:
        return False
    _, _, bottom, top = boxes[0]
    others = boxes[1:]
    for other in (number + 1, number - 1):
        if 0 <= other < len(lines):
            others += _boxes(raw, layer, *lines[other])[:1]
    # Text of the same line is less than half a letter higher or lower.
    return any(
        (top - bottom) / 2
        < abs(high + low - top - bottom) / 2
        < _MAX_LINE_DISTANCE * (top - bottom)
        for _, _, low, high in others
    )


def _page(document: Any, number: int) -> Page:
    import pypdfium2.raw as raw

    page = document[number]
    try:
        layer = page.get_textpage()
        try:
            text = layer.get_text_range()
            if _may_have_columns(raw, layer.raw, text):
                # Imported here: most documents have no columns.
                from pipeline.load.script.pdf_columns import in_columns

                text = in_columns(raw, layer.raw, text)
            # PDFium returns \r\n for line ends, and U+FFFE where a hyphen split a word.
            text = text.replace("\r\n", "\n").replace("\ufffe", "")
        finally:
            layer.close()
        has_drawing = raw.FPDFPage_CountObjects(page.raw) > 0
        box = page.get_bbox()
        shares = [_share(corners, box) for corners in _pictures(raw, page.raw)]
        annotation_texts: list[str] = []
        for annotation in _annotations(raw, page.raw):
            annotation_text, stamp = _of_annotation(raw, annotation)
            if annotation_text.strip():
                annotation_texts.append(annotation_text)
            if stamp is not None:
                has_drawing = True
                shares.append(_share(stamp, box))
    finally:
        page.close()
    text = "\n".join([part for part in (text, *annotation_texts) if part]).replace("\0", "")
    covered = sum(shares)
    few_words = len(text.split()) < _SCAN_WORDS
    if not text.strip() or (few_words and covered > _SCAN_SHARE):
        return Page(text, has_drawing, 0)
    # A picture may be stored in strips.
    large = sum(share > _PICTURE_SHARE for share in shares)
    return Page(text, False, large or int(covered > _PICTURE_SHARE))


def _pictures(raw: Any, page: Any) -> Iterator[list[tuple[float, float]]]:
    """The corners of every picture on a page, including those inside form XObjects."""
    top_level = (
        raw.FPDFPage_GetObject(page, index) for index in range(raw.FPDFPage_CountObjects(page))
    )
    stack: list[tuple[Iterator[Any], Matrix]] = [(top_level, _IDENTITY)]
    while stack:
        objects, matrix = stack[-1]
        page_object = next(objects, None)
        if page_object is None:
            stack.pop()
            continue
        kind = raw.FPDFPageObj_GetType(page_object)
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            left, bottom, right, top = (ctypes.c_float() for _ in range(4))
            if raw.FPDFPageObj_GetBounds(page_object, left, bottom, right, top):
                yield _corners(matrix, left.value, bottom.value, right.value, top.value)
        elif kind == raw.FPDF_PAGEOBJ_FORM and len(stack) <= _MAX_DEPTH:
            stack.append((_inside(raw, page_object), _product(_matrix(raw, page_object), matrix)))


def _inside(raw: Any, form: Any) -> Iterator[Any]:
    for index in range(max(0, raw.FPDFFormObj_CountObjects(form))):
        yield raw.FPDFFormObj_GetObject(form, index)


def _matrix(raw: Any, page_object: Any) -> Matrix:
    matrix = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(page_object, matrix):
        return _IDENTITY
    return (matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)


def _product(first: Matrix, then: Matrix) -> Matrix:
    a, b, c, d, e, f = first
    p, q, r, s, t, u = then
    return (
        a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s,
        e * p + f * r + t, e * q + f * s + u,
    )  # fmt: skip


def _corners(
    matrix: Matrix, left: float, bottom: float, right: float, top: float
) -> list[tuple[float, float]]:
    a, b, c, d, e, f = matrix
    return [(a * x + c * y + e, b * x + d * y + f) for x in (left, right) for y in (bottom, top)]


def _share(corners: list[tuple[float, float]], box: tuple[float, float, float, float]) -> float:
    """The share of the page's area under the bounding box of `corners`, 0 to 1."""
    left, bottom, right, top = box
    xs = [x if math.isfinite(x) else _HUGE for x, _ in corners]
    ys = [y if math.isfinite(y) else _HUGE for _, y in corners]
    width = min(right, max(xs)) - max(left, min(xs))
    height = min(top, max(ys)) - max(bottom, min(ys))
    area = (right - left) * (top - bottom)
    return width * height / area if width > 0 and height > 0 and area > 0 else 0.0


def _annotations(raw: Any, page: Any) -> Iterator[Any]:
    for index in range(max(0, raw.FPDFPage_GetAnnotCount(page))):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        if annotation:
            try:
                yield annotation
            finally:
                raw.FPDFPage_CloseAnnot(annotation)


def _of_annotation(raw: Any, annotation: Any) -> tuple[str, list[tuple[float, float]] | None]:
    """The text of an annotation, and its corners if it is a stamp, which is a picture."""
    kind = raw.FPDFAnnot_GetSubtype(annotation)
    if kind in (raw.FPDF_ANNOT_FREETEXT, raw.FPDF_ANNOT_TEXT):
        return _value(raw, annotation, b"Contents"), None
    if kind == raw.FPDF_ANNOT_WIDGET:
        return _value(raw, annotation, b"V"), None
    if kind == raw.FPDF_ANNOT_STAMP:
        rectangle = raw.FS_RECTF()
        if raw.FPDFAnnot_GetRect(annotation, rectangle):
            sides = (rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)
            return "", _corners(_IDENTITY, *sides)
    return "", None


def _value(raw: Any, annotation: Any, key: bytes) -> str:
    # A name is the state of a check box, not text.
    kinds = (raw.FPDF_OBJECT_STRING, raw.FPDF_OBJECT_STREAM, raw.FPDF_OBJECT_REFERENCE)
    if raw.FPDFAnnot_GetValueType(annotation, key) not in kinds:
        return ""
    size = raw.FPDFAnnot_GetStringValue(annotation, key, None, 0)
    if size <= 2:  # only the terminating zero
        return ""
    buffer = (raw.FPDF_WCHAR * ((size + 1) // 2))()
    raw.FPDFAnnot_GetStringValue(annotation, key, buffer, size)
    value = bytes(buffer)[: size - 2].decode("utf-16-le", errors="ignore")
    return value.replace("\r\n", "\n").replace("\r", "\n")
