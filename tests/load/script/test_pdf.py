"""PDF: the text layer page by page, and a clear reason where there is none."""

import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pypdfium2
import pytest
from load_samples import (
    SQUARE,
    content,
    many_operators,
    one_page,
    pdf,
    reason,
    stream_of,
    words_at,
)

from pipeline.core.errors import Reason
from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import Span
from pipeline.load.script import pdf as pdf_reader

ROOT = Path(__file__).resolve().parents[3]


def test_pages_are_lines_of_text_with_a_span_each(read):
    script = read("a.pdf", pdf([words_at("INT. KITCHEN", "Anna waits."), words_at("CUT TO:")]))
    assert script.text == "INT. KITCHEN\nAnna waits.\nCUT TO:"
    assert script.spans == (Span(0, 24), Span(25, 32))
    assert (script.format, script.encoding, script.notes) == ("pdf", None, ())


def test_the_same_text_as_the_library_reads(read):
    data = pdf(
        [words_at(*(f"Line {line} of page {page}." for line in range(9))) for page in range(5)]
    )
    document = pypdfium2.PdfDocument(data)
    expected = []
    for number in range(len(document)):
        page = document[number]
        layer = page.get_textpage()
        expected.append(layer.get_text_bounded().replace("\r\n", "\n"))
        layer.close()
        page.close()
    document.close()
    assert content(read("a.pdf", data)) == expected


def test_a_word_hyphenated_at_the_end_of_a_line_is_joined(read):
    script = read("a.pdf", pdf([words_at("She will re-", "turn at once.")]))
    assert "return at once" in script.text


def test_pages_without_a_text_layer_are_counted_in_a_note(read):
    script = read("a.pdf", pdf([words_at("words"), SQUARE, b"", SQUARE]))
    assert script.text == "words"
    assert len(script.notes) == 1
    assert not script.complete
    assert script.notes[0].startswith("2 of its 4 pages have no text layer")
    assert (
        read("b.pdf", pdf([words_at("words"), SQUARE]))
        .notes[0]
        .startswith("1 of its 2 pages has no text layer")
    )


def test_blank_pages_are_not_noted(read):
    script = read("a.pdf", pdf([b"", words_at("words"), b""]))
    assert (script.notes, script.complete) == ((), True)
    assert script.pages == (2,)


@pytest.mark.parametrize(
    ("pages", "message"), [([SQUARE], "OCR"), ([SQUARE, b""], "OCR"), ([b""], "blank")]
)
def test_a_document_without_text(read, pages, message):
    result = read("a.pdf", pdf(pages))
    assert reason(result) is Reason.NO_TEXT
    assert message in result.detail


def test_a_document_without_pages(read):
    assert reason(read("a.pdf", pdf([]))) in {Reason.NO_TEXT, Reason.CORRUPT}


def test_a_document_with_a_password(read):
    result = read("a.pdf", pdf([words_at("words")], user_password="secret"))  # noqa: S106
    assert reason(result) is Reason.ENCRYPTED
    assert "password" in result.detail


def test_a_document_that_anybody_may_open_but_not_change_is_read(read):
    assert read("a.pdf", pdf([words_at("words")], user_password="")).text == "words"


def to_unicode(code):
    """A map that makes the letter A the UTF-16 code units `code` (PDF 1.7, 9.10.3)."""
    return (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        b"1 begincodespacerange <00> <FF> endcodespacerange\n"
        b"1 beginbfchar <41> <%s> endbfchar\n"
        b"endcmap CMapName currentdict /CMap defineresource pop end end" % code
    )


@pytest.mark.parametrize("code", [b"D83D", b"DE00", b"DE00D83D", b"D83DDE00", b"0000", b"FFFE"])
def test_surrogates_and_zeros_never_come_out(read, code):
    """`read` checks that there are no unpaired surrogates and no zeros."""
    script = read("a.pdf", pdf([words_at("word A word")], to_unicode=to_unicode(code)))
    assert script.text.startswith("word")
    assert script.text.endswith("word")


@pytest.mark.parametrize("name", ["a.pdf", "a.txt", "a"])
def test_a_document_that_was_cut_off(read, name):
    data = pdf([words_at("words"), words_at("more words")])
    for cut in (8, 100, len(data) // 2, len(data) - 8):
        assert reason(read(name, data[:cut])) is Reason.CORRUPT


def test_a_file_that_is_not_a_pdf_is_refused(read):
    for data in (b"words", bytes(2000), b"%PDF-1.4\nnothing\n%%EOF\n", b"x" * 1100 + pdf([SQUARE])):
        assert reason(read("a.pdf", data)) is Reason.CORRUPT


def test_a_little_before_and_after_the_document_does_no_harm(read):
    """As mail programs and printers add it; the format allows it (PDF 1.7, H.3)."""
    data = pdf([words_at("words")])
    assert read("a.pdf", b"junk\n" * 20 + data).text == "words"
    assert read("a.pdf", data + b"\n" * 500).text == "words"


def test_documents_on_many_threads(tmp_path):
    """PDFium itself may only be called from one thread."""
    assets = []
    for number in range(12):
        file = tmp_path / f"{number}.pdf"
        file.write_bytes(pdf([words_at(f"document {number} page {page}") for page in range(3)]))
        assets.append(asset_of(file, file.name))
    texts = {}

    def one(number):
        texts[number] = load(assets[number], Limits()).text

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(12):
        assert texts[number].split("\n") == [f"document {number} page {page}" for page in range(3)]


def form(contents, xobjects=b"", entries=b""):
    return stream_of(
        contents,
        b"/Type /XObject /Subtype /Form /BBox [0 0 400 400] "
        b"/Resources << /XObject << %s >> >> %s" % (xobjects, entries),
    )


def recursive_form():
    """A form that invokes itself twice: 700 bytes that exhaust all memory."""
    return one_page(b"/X Do", form(b"/X Do /X Do 0 0 m", b"/X 5 0 R"), xobjects=b"/X 5 0 R")


def chained_forms():
    forms = [form(b"/X Do /X Do /X Do", b"/X %d 0 R" % (6 + place)) for place in range(28)]
    return one_page(b"/X Do", *forms, form(SQUARE), xobjects=b"/X 5 0 R")


@pytest.mark.parametrize("document", [recursive_form, chained_forms, many_operators])
def test_a_document_made_to_take_all_memory_is_refused(read, monkeypatch, document):
    monkeypatch.setattr(pdf_reader, "READER_BYTES", 256 * 2**20)
    monkeypatch.setattr(pdf_reader, "READER_SECONDS", 20.0)
    before = time.monotonic()
    result = read("a.pdf", document())
    assert time.monotonic() - before < 30
    assert reason(result) is Reason.TOO_LARGE
    assert "made to do harm" in result.detail
    monkeypatch.undo()
    assert read("b.pdf", pdf([words_at("words")])).text == "words"


def test_a_document_that_takes_too_long_is_refused(read, monkeypatch):
    monkeypatch.setattr(pdf_reader, "READER_SECONDS", 0.01)
    result = read("a.pdf", pdf([words_at("words")]))
    assert reason(result) is Reason.TOO_LARGE
    assert "seconds" in result.detail


def test_the_bounds_leave_room_for_a_large_document(read):
    line = "She waits by the window and says nothing at all until the lamp goes out."
    pages = [words_at(*(f"{number} {line}" for number in range(20)))] * 300
    assert len(content(read("a.pdf", pdf(pages)))) == 300


def test_a_stream_that_is_not_a_file():
    assert pdf_reader.read_pdf(io.BytesIO(pdf([words_at("words")])), Limits()).text == "words"


def test_the_reader_starts_from_any_folder_and_prints_nothing(tmp_path, monkeypatch, capfd, read):
    """Modules in the current folder are not imported in place of the library's."""
    for name in ("json", "pypdfium2", "pipeline"):
        (tmp_path / f"{name}.py").write_text("print('not this one'); raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert read("a.pdf", pdf([words_at("words")])).text == "words"
    assert reason(read("b.pdf", b"%PDF-1.4\nnothing\n%%EOF\n")) is Reason.CORRUPT
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(
    not hasattr(os, "fork"), reason="the test identifies the reader by its parent process"
)
def test_the_reader_exits_with_its_parent(tmp_path):
    """No reader keeps running for a minute after its parent was killed."""
    program = (
        "import os, subprocess, sys, time; "
        "from pipeline.load.workers.bounds import command; "
        "limits = {'memory_bytes': 2**34, 'seconds': 60, 'max_pdf_pages': 9, 'max_text_chars': 9}; "
        "subprocess.Popen(command(sys.argv[1], {**limits, 'parent': os.getpid()}), "
        "stdin=open(sys.argv[2], 'rb'), stderr=subprocess.DEVNULL); time.sleep(1); os._exit(0)"
    )
    file = tmp_path / "a.pdf"
    file.write_bytes(chained_forms())
    command = [sys.executable, "-c", program, pdf_reader._PROGRAM, str(file)]
    # The reader holds the other end of the pipe for as long as it lives.
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=15)


PICTURE = stream_of(
    b"\x80", b"/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray "
    b"/BitsPerComponent 8"
)  # fmt: skip
PROSE = words_at(
    "She waits by the window and says", "nothing at all until the lamp goes", *"abcdefgh"
)


def with_picture(contents, width, height, times=1):
    """A page with `contents` and, so many times, a picture of that size."""
    place = b"q %d 0 0 %d 9 9 cm /I Do Q " % (width, height)
    return one_page(place * times + contents, PICTURE, xobjects=b"/I 5 0 R")


def test_a_scan_with_a_page_number_is_no_page_that_was_read(read):
    script = read("a.pdf", with_picture(words_at("Page 3"), 380, 380))
    assert script.text == "Page 3"
    assert not script.complete
    assert len(script.notes) == 1
    assert script.notes[0].startswith("1 of its 1 pages has no text layer, or hardly any")


def test_a_scan_stored_in_strips(read):
    strips = b"".join(b"q 380 0 0 19 9 %d cm /I Do Q " % (9 + 19 * at) for at in range(20))
    data = one_page(strips + words_at("Page 3"), PICTURE, xobjects=b"/I 5 0 R")
    assert "hardly any" in read("a.pdf", data).notes[0]


@pytest.mark.parametrize(
    ("width", "height", "times", "notes"),
    [
        (380, 380, 1, ["It holds a picture, which was not compared; export it to screen it."]),
        (
            150, 150, 2,
            ["It holds 2 pictures, which were not compared; export them to screen them."],
        ),
        (60, 60, 1, []),
    ],
)  # fmt: skip
def test_pictures_on_a_page_with_text_are_noted(read, width, height, times, notes):
    script = read("a.pdf", with_picture(PROSE, width, height, times))
    assert "nothing at all" in script.text
    assert list(script.notes) == notes
    assert script.complete == (not notes)


def test_few_words_and_a_small_picture_are_no_scan(read):
    script = read("a.pdf", with_picture(words_at("THE END"), 60, 60))
    assert (script.text, script.notes, script.complete) == ("THE END", (), True)


@pytest.mark.parametrize("inner", [b"1 0 0 1", b"380 0 0 380"])
def test_a_picture_inside_forms_is_measured_as_it_is_shown(read, inner):
    """A picture of the unit square that its forms enlarge, and one that is large itself."""
    large = inner.startswith(b"380")
    outer = b"1 0 0 1 0 0" if large else b"38 0 0 38 0 0"
    between = b"" if large else b"/Matrix [10 0 0 10 0 0]"
    cm = b"q 380 0 0 380 0 0 cm" if large else b"q 1 0 0 1 0 0 cm"
    data = one_page(
        b"q %s cm /X Do Q " % outer + PROSE,
        form(b"/Y Do", b"/Y 6 0 R", between),
        form(cm + b" /I Do Q", b"/I 7 0 R"),
        PICTURE,
        xobjects=b"/X 5 0 R",
    )
    assert "a picture" in read("a.pdf", data).notes[0]


def annotation(kind, entries):
    return b"<< /Type /Annot /Subtype /%s /Rect [50 50 350 350] %s >>" % (kind, entries)


@pytest.mark.parametrize(
    ("kind", "entries"),
    [
        (b"FreeText", b"/Contents (It was a dark night.)"),
        (b"Text", b"/Contents (It was a dark night.)"),
        (b"Widget", b"/FT /Tx /T (name) /V (It was a dark night.)"),
    ],
)
def test_text_of_annotations_and_form_fields_follows_its_page(read, kind, entries):
    data = one_page(words_at("words"), annotation(kind, entries), annotations=b"5 0 R")
    script = read("a.pdf", data)
    assert content(script) == ["words\nIt was a dark night."]
    assert (script.notes, script.complete) == ((), True)
    annotation_only = one_page(b"", annotation(kind, entries), annotations=b"5 0 R")
    assert content(read("b.pdf", annotation_only)) == ["It was a dark night."]


def test_check_boxes_and_links_have_no_text(read):
    kinds = (
        annotation(b"Widget", b"/FT /Btn /T (box) /V /Yes /AS /Yes"),
        annotation(b"Link", b"/Contents (a link)"),
    )
    script = read("a.pdf", one_page(words_at("words"), *kinds, annotations=b"5 0 R 6 0 R"))
    assert (script.text, script.notes, script.complete) == ("words", (), True)


def test_a_stamp_is_a_picture(read):
    stamp = annotation(b"Stamp", b"")
    script = read("a.pdf", one_page(PROSE, stamp, annotations=b"5 0 R"))
    assert "a picture" in script.notes[0]
    result = read("b.pdf", one_page(b"", stamp, annotations=b"5 0 R"))
    assert reason(result) is Reason.NO_TEXT
    assert "OCR" in result.detail
