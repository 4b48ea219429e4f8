"""Scripts of the passage benchmark as files of each format, and where their passages lie in them.

Offsets are of the text as Clearance decodes it. For plain formats that is the file itself; of the
others, places are found by what all formats keep: the order of the characters that are no space.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.passage_disguises import Tracked
from benchmarks.passage_planting import WAYS, Script
from benchmarks.passage_texts import cue_length
from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import LoadedScript

PAGE_LINES = 54
LINE_WIDTH = 84
ENDS_SOUGHT = 40
"""Characters by which the two ends of a passage are found."""

_BLOCK = re.compile(r"[^\n]*\S[^\n]*(?:\n[^\n]*\S[^\n]*)*")
_PASSED_OVER = re.compile(r"[\s\u00ad\u2010-\u2015-]")


def paragraphs_of(text: str) -> list[tuple[str, str]]:
    """(element, line) of each line: a cue is `Character`, its lines `Dialogue`, others `Action`."""
    paragraphs = []
    for block in _BLOCK.finditer(text):
        cue = cue_length(block.group())
        lines = block.group().split("\n")
        for place, line in enumerate(lines):
            element = "Action" if not cue else "Dialogue" if place else "Character"
            paragraphs.append((element, line))
    return paragraphs


def as_fountain(script: Tracked) -> Tracked:
    """With a title page and scene headings."""
    edits = [(0, 0, "Title: Untitled Draft\nCredit: Written by\nAuthor: A. N. Other\n\n")]
    for number, block in enumerate(_BLOCK.finditer(script.text)):
        # Not in the middle of a lifted passage.
        if number % 25 == 12 and script.piece[block.start()] < 0:
            edits.append((block.start(), block.start(), "INT. A HALL - NIGHT\n\n"))
    return script.replaced(edits)


def as_srt(script: Tracked) -> Tracked:
    """What is said, two lines a cue, without the names of those who say it."""
    edits: list[tuple[int, int, str]] = []
    number = 0
    before = 0
    for block in _BLOCK.finditer(script.text):
        cue = cue_length(block.group())
        place = block.start() + cue
        for _ in range(0, block.group()[cue:].count("\n") + 1, 2):
            number += 1
            seconds = 3 * number
            stamp = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
            head = f"{number}\n{stamp},000 --> {stamp},900\n"
            edits.append((before, place, head if not before else f"\n\n{head}"))
            lines = script.text[place : block.end()].split("\n")[:2]
            before = place + len("\n".join(lines))
            place = before + 1
    return script.replaced(edits)


def as_fdx(text: str) -> bytes:
    """Final Draft XML."""
    root = ElementTree.Element("FinalDraft", DocumentType="Script", Template="No", Version="5")
    content = ElementTree.SubElement(root, "Content")
    for element, line in paragraphs_of(text):
        paragraph = ElementTree.SubElement(content, "Paragraph", Type=element)
        ElementTree.SubElement(paragraph, "Text").text = line
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def as_docx(text: str) -> bytes:
    """A Word document, a line a paragraph."""
    import docx

    document = docx.Document()
    for _, line in paragraphs_of(text):
        document.add_paragraph(line)
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def as_pdf(text: str) -> bytes:
    """Pages of a typewriter's letters, with page numbers; characters must be of Windows-1252."""
    rows: list[tuple[int, str]] = []
    for element, line in paragraphs_of(text):
        if element != "Dialogue":
            rows.append((0, ""))
        indent = {"Character": 260, "Dialogue": 180, "Action": 108}[element]
        rows += [(indent, part) for part in _wrapped(line, LINE_WIDTH - indent // 6)]
    pages = [rows[place : place + PAGE_LINES] for place in range(0, len(rows), PAGE_LINES)]
    return _pdf([_page(page, number) for number, page in enumerate(pages, 1)])


def _wrapped(line: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(line, width, break_on_hyphens=False) or [""]


def _page(rows: Sequence[tuple[int, str]], number: int) -> bytes:
    operators = [b"BT /F1 12 Tf", b"1 0 0 1 500 760 Tm (%d.) Tj" % number]
    for place, (indent, line) in enumerate(rows):
        if line:
            coded = line.encode("cp1252")
            for special in (b"\\", b"(", b")"):
                coded = coded.replace(special, b"\\" + special)
            operators.append(b"1 0 0 1 %d %d Tm (%s) Tj" % (indent, 730 - 12 * place, coded))
    return b"\n".join([*operators, b"ET"])


def _pdf(pages: Sequence[bytes]) -> bytes:
    """PDF 1.4 by hand (PDF Reference, 3.4): a catalog, pages, one font, contents."""
    kids = b" ".join(b"%d 0 R" % (4 + 2 * place) for place in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(pages), kids),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
    ]
    for page in pages:
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 "
            b"R >> >> /Contents %d 0 R >>" % (len(objects) + 2)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page))
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    tail = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return out + tail % (len(objects) + 1, table)


Places = dict[int, tuple[int, int]]
"""Where each piece of a script begins and ends, in characters of the decoded text."""


def write_script(script: Script, folder: Path) -> tuple[Path, Places]:
    """The script as a file in `folder`, and the places of its pieces in the text decoded from it.

    Raises:
        ValueError: if Clearance can't read the file, or a piece is not in what it read.
    """
    file = folder / f"{script.name}{script.suffix}"
    tracked = script.tracked
    if script.suffix in (".fountain", ".srt"):
        tracked = (as_fountain if script.suffix == ".fountain" else as_srt)(tracked)
    coded = {".fdx": as_fdx, ".docx": as_docx, ".pdf": as_pdf}.get(script.suffix)
    if script.suffix == ".pdf":
        tracked = _printable(tracked)
    encoding = "utf-8"
    if script.way in WAYS and WAYS[script.way].utf16:
        encoding = "utf-16"
        tracked = tracked.replaced(
            (place, place + 1, "\r\n") for place, one in enumerate(tracked.text) if one == "\n"
        )
    file.write_bytes(coded(tracked.text) if coded else tracked.text.encode(encoding))
    loaded = load(asset_of(file, file.name), Limits())
    if not isinstance(loaded, LoadedScript):
        raise ValueError(f"{file.name}: {loaded}")  # noqa: TRY004 - what it holds, not its type
    pieces = [piece for one in script.planted for piece in one.pieces]
    if loaded.text == tracked.text:
        return file, {piece: tracked.place_of(piece) for piece in pieces}
    return file, {piece: _located(tracked, piece, loaded.text) for piece in pieces}


def _printable(script: Tracked) -> Tracked:
    """Characters that the PDF's font has not, as a question mark."""
    return script.replaced(
        (place, place + 1, "?")
        for place, letter in enumerate(script.text)
        if letter != "\n" and not letter.encode("cp1252", "ignore")
    )


def _located(script: Tracked, piece: int, decoded: str) -> tuple[int, int]:
    """Start and end of a piece in another layout of the same characters.

    Hyphens are ignored like spaces: readers of some formats join words hyphenated at a line's end.
    """
    start, end = script.place_of(piece)
    sought = _PASSED_OVER.sub("", script.text[start:end])
    places = [place for place, letter in enumerate(decoded) if not _PASSED_OVER.fullmatch(letter)]
    letters = "".join(decoded[place] for place in places)
    # Where it should be about: furniture that the format adds is short.
    before = len(_PASSED_OVER.sub("", script.text[:start]))
    opening, ending = sought[:ENDS_SOUGHT], sought[-ENDS_SOUGHT:]
    first = _nearest(letters, opening, before)
    last = _nearest(letters, ending, before + len(sought) - len(ending))
    if first is None or last is None or first[0] >= last[1]:
        raise ValueError(f"a passage is not in the text decoded from {script.text[:40]!r}")
    return places[first[0]], places[last[1] - 1] + 1


def _nearest(text: str, sought: str, place: int) -> tuple[int, int] | None:
    """The occurrence of `sought` nearest to `place`, with or without a page's number in it."""
    pattern = r"(?:\d+\.)?".join(re.escape(letter) for letter in sought)
    spans = [match.span() for match in re.finditer(pattern, text)]
    return min(spans, key=lambda one: abs(one[0] - place), default=None)
