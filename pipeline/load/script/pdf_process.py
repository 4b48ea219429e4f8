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
_SCAN_SHARE = 0.5  # of a page's area; a page under pictures with fewer words than these is a scan
_SCAN_WORDS = 20
_PICTURE_SHARE = 0.1  # smaller pictures are logos and ornaments
_MAX_DEPTH = 12  # of forms inside forms
_HUGE = 1e9
_MARGINS = re.compile(r"\s*(?:\d+[A-Z]?[.)]?\s+)?(.*?)(?:\s+\d+[A-Z]?[.)]?)?\s*")
_TOP_LINE = 2  # lies in any block of three lines that begins with the page, or below its header
_GAP = 1.5  # of the height of letters
_CLOSE = 2.5  # the same, between the middles of two lines

Box = tuple[float, float, float, float]
"""Left, right, bottom, top."""

Matrix = tuple[float, float, float, float, float, float]
_IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class Page(NamedTuple):
    """What a page holds.

    Attributes:
        text: its text layer, then the text of its notes and form fields.
        unread: whether something is drawn on it that is likely to be writing, but not as text.
        pictures: how many pictures of some size stand beside its text.
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
    """Whether a page is worth reading word by word.

    A cheap look: at the rectangles of lines that may be two cues, and of one near the top, where
    columns of the page before may go on.
    """
    said = text.split("\r\n")
    starts = itertools.accumulate((len(line) + 2 for line in said), initial=0)
    lines = list(zip(starts, said, strict=False))
    if len(lines) > _TOP_LINE and _two_sided(raw, layer, lines[_TOP_LINE]):
        beside = lines[_TOP_LINE - 1 : _TOP_LINE + 2 : 2]
        if any(_two_sided(raw, layer, line) for line in beside):
            return True
    led_before = False
    for number, line in enumerate(lines):
        led = _led(line[1])
        if led and (led_before or " " in line[1].strip()):
            apart = _two_sided(raw, layer, line)
            if led_before and not apart:
                # PDFium makes two lines of what stands very far apart.
                above = lines[number - 1]
                apart = _apart([*_boxes(raw, layer, *above), *_boxes(raw, layer, *line)])
            if apart and _followed(raw, layer, lines, number):
                return True
        led_before = led
    return False


def _led(words: str) -> bool:
    """Whether a line begins as a cue does.

    PDFium makes one line of two cues and what is said below them where that is very short.
    """
    first = words.split(maxsplit=1)[0] if words.strip() else ""
    return words.partition("(")[0].isupper() or (len(first) > 1 and first.isupper())


def _two_sided(raw: Any, layer: Any, line: tuple[int, str]) -> bool:
    """Whether a wide gap parts a line."""
    boxes = _boxes(raw, layer, *line)
    return _apart(boxes) if len(boxes) > 1 else _spread(raw, layer, *line, boxes)


def _boxes(raw: Any, layer: Any, start: int, words: str) -> list[Box]:
    """The rectangles around a line's pieces, without numbers in its margins."""
    found = _MARGINS.fullmatch(words)
    if found is not None:
        start, words = start + found.start(1), found.group(1)
    sides = [ctypes.c_double() for _ in range(4)]
    boxes = []
    for number in range(raw.FPDFText_CountRects(layer, start, len(words))):
        raw.FPDFText_GetRect(layer, number, *sides)
        left, top, right, bottom = (side.value for side in sides)
        boxes.append((left, right, bottom, top))
    return boxes


def _apart(boxes: list[Box]) -> bool:
    """Whether two of the rectangles stand beside each other with a wide gap."""
    ordered = sorted(boxes)
    for number, one in enumerate(ordered):
        level = (two for two in ordered[number + 1 :] if min(one[3], two[3]) > max(one[2], two[2]))
        other = next(level, None)
        if other is not None and other[0] - one[1] > _GAP * max(
            one[3] - one[2], other[3] - other[2]
        ):
            return True
    return False


def _spread(raw: Any, layer: Any, start: int, words: str, boxes: list[Box]) -> bool:
    """Whether a line in one piece is wider than its letters.

    PDFium leaves one space of many, by which a typewriter's columns are parted.
    """
    words = words.rstrip()
    at = start + words.find(words.lstrip("0123456789. ")[:2])
    here, there, y = (ctypes.c_double() for _ in range(3))
    raw.FPDFText_GetCharOrigin(layer, at, here, y)
    raw.FPDFText_GetCharOrigin(layer, at + 1, there, y)
    step = there.value - here.value
    return step > 0 and any(
        right - left > (len(words.lstrip()) + 1.5) * step for left, right, _, _ in boxes
    )


def _followed(raw: Any, layer: Any, lines: list[tuple[int, str]], number: int) -> bool:
    """Whether a line has one close above or below it, or is made of two."""
    here = _boxes(raw, layer, *lines[number])
    if not here:
        return False
    _, _, bottom, top = here[0]
    near = here[1:]
    for other in (number + 1, number - 1):
        if 0 <= other < len(lines):
            near += _boxes(raw, layer, *lines[other])[:1]
    # What stands in the same line is less than half a letter higher or lower.
    return any(
        (top - bottom) / 2 < abs(high + low - top - bottom) / 2 < _CLOSE * (top - bottom)
        for _, _, low, high in near
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
            # Line ends come as \r\n, and U+FFFE stands where a hyphen parted a word.
            text = text.replace("\r\n", "\n").replace("\ufffe", "")
        finally:
            layer.close()
        drawn = raw.FPDFPage_CountObjects(page.raw) > 0
        box = page.get_bbox()
        shares = [_share(corners, box) for corners in _pictures(raw, page.raw)]
        written: list[str] = []
        for annotation in _annotations(raw, page.raw):
            said, stamp = _of_annotation(raw, annotation)
            if said.strip():
                written.append(said)
            if stamp is not None:
                drawn = True
                shares.append(_share(stamp, box))
    finally:
        page.close()
    text = "\n".join([part for part in (text, *written) if part]).replace("\0", "")
    covered = sum(shares)
    few = len(text.split()) < _SCAN_WORDS
    if not text.strip() or (few and covered > _SCAN_SHARE):
        return Page(text, drawn, 0)
    # A picture may be cut into strips.
    large = sum(share > _PICTURE_SHARE for share in shares)
    return Page(text, False, large or int(covered > _PICTURE_SHARE))


def _pictures(raw: Any, page: Any) -> Iterator[list[tuple[float, float]]]:
    """The corners of every picture on a page, those inside forms too."""
    tops = (raw.FPDFPage_GetObject(page, at) for at in range(raw.FPDFPage_CountObjects(page)))
    stack: list[tuple[Iterator[Any], Matrix]] = [(tops, _IDENTITY)]
    while stack:
        objects, matrix = stack[-1]
        thing = next(objects, None)
        if thing is None:
            stack.pop()
            continue
        kind = raw.FPDFPageObj_GetType(thing)
        if kind == raw.FPDF_PAGEOBJ_IMAGE:
            left, bottom, right, top = (ctypes.c_float() for _ in range(4))
            if raw.FPDFPageObj_GetBounds(thing, left, bottom, right, top):
                yield _corners(matrix, left.value, bottom.value, right.value, top.value)
        elif kind == raw.FPDF_PAGEOBJ_FORM and len(stack) <= _MAX_DEPTH:
            stack.append((_inside(raw, thing), _product(_matrix(raw, thing), matrix)))


def _inside(raw: Any, form: Any) -> Iterator[Any]:
    for at in range(max(0, raw.FPDFFormObj_CountObjects(form))):
        yield raw.FPDFFormObj_GetObject(form, at)


def _matrix(raw: Any, thing: Any) -> Matrix:
    found = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(thing, found):
        return _IDENTITY
    return (found.a, found.b, found.c, found.d, found.e, found.f)


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
    """How much of the page's area the upright box around `corners` covers, 0 to 1."""
    left, bottom, right, top = box
    xs = [x if math.isfinite(x) else _HUGE for x, _ in corners]
    ys = [y if math.isfinite(y) else _HUGE for _, y in corners]
    width = min(right, max(xs)) - max(left, min(xs))
    height = min(top, max(ys)) - max(bottom, min(ys))
    whole = (right - left) * (top - bottom)
    return width * height / whole if width > 0 and height > 0 and whole > 0 else 0.0


def _annotations(raw: Any, page: Any) -> Iterator[Any]:
    for at in range(max(0, raw.FPDFPage_GetAnnotCount(page))):
        annotation = raw.FPDFPage_GetAnnot(page, at)
        if annotation:
            try:
                yield annotation
            finally:
                raw.FPDFPage_CloseAnnot(annotation)


def _of_annotation(raw: Any, annotation: Any) -> tuple[str, list[tuple[float, float]] | None]:
    """What is written in an annotation, and its corners if it is a stamp, which is a picture."""
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
    # A name is the state of a box to tick, not something written.
    kinds = (raw.FPDF_OBJECT_STRING, raw.FPDF_OBJECT_STREAM, raw.FPDF_OBJECT_REFERENCE)
    if raw.FPDFAnnot_GetValueType(annotation, key) not in kinds:
        return ""
    size = raw.FPDFAnnot_GetStringValue(annotation, key, None, 0)
    if size <= 2:  # only the zero at the end
        return ""
    buffer = (raw.FPDF_WCHAR * ((size + 1) // 2))()
    raw.FPDFAnnot_GetStringValue(annotation, key, buffer, size)
    value = bytes(buffer)[: size - 2].decode("utf-16-le", errors="ignore")
    return value.replace("\r\n", "\n").replace("\r", "\n")
