"""PDF: the text layer page by page, and a plain word where there is none."""

import threading

import pypdfium2
import pytest
from load_samples import SQUARE, content, pdf, reason, words_at

from pipeline.discover import asset_of
from pipeline.errors import Reason
from pipeline.load import Limits, load
from pipeline.records import Span


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


def test_a_word_that_is_parted_at_the_end_of_a_line_is_joined(read):
    script = read("a.pdf", pdf([words_at("She will re-", "turn at once.")]))
    assert "return at once" in script.text


def test_pages_without_a_text_layer_are_counted_in_a_note(read):
    script = read("a.pdf", pdf([words_at("words"), SQUARE, b"", SQUARE]))
    assert script.text == "words"
    assert len(script.notes) == 1
    assert not script.whole
    assert script.notes[0].startswith("2 of its 4 pages have no text layer")
    assert (
        read("b.pdf", pdf([words_at("words"), SQUARE]))
        .notes[0]
        .startswith("1 of its 2 pages has no text layer")
    )


def test_blank_pages_are_no_loss(read):
    script = read("a.pdf", pdf([b"", words_at("words"), b""]))
    assert (script.notes, script.whole) == ((), True)


@pytest.mark.parametrize(
    ("pages", "said"), [([SQUARE], "OCR"), ([SQUARE, b""], "OCR"), ([b""], "blank")]
)
def test_a_document_without_text(read, pages, said):
    result = read("a.pdf", pdf(pages))
    assert reason(result) is Reason.NO_TEXT
    assert said in result.detail


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
def test_letters_that_are_no_characters_never_come_out(read, code):
    """`read` checks that there are no lone surrogates and no zeros."""
    script = read("a.pdf", pdf([words_at("word A word")], to_unicode=to_unicode(code)))
    assert script.text.startswith("word")
    assert script.text.endswith("word")


@pytest.mark.parametrize("name", ["a.pdf", "a.txt", "a"])
def test_a_document_that_was_cut_off(read, name):
    data = pdf([words_at("words"), words_at("more words")])
    for cut in (8, 100, len(data) // 2, len(data) - 8):
        assert reason(read(name, data[:cut])) is Reason.CORRUPT


def test_what_is_no_pdf(read):
    for data in (b"words", bytes(2000), b"%PDF-1.4\nnothing\n%%EOF\n", b"x" * 1100 + pdf([SQUARE])):
        assert reason(read("a.pdf", data)) is Reason.CORRUPT


def test_a_little_before_and_after_the_document_does_no_harm(read):
    """As mail programs and printers add it; the format allows it (PDF 1.7, H.3)."""
    data = pdf([words_at("words")])
    assert read("a.pdf", b"junk\n" * 20 + data).text == "words"
    assert read("a.pdf", data + b"\n" * 500).text == "words"


def test_documents_on_many_threads(tmp_path):
    """PDFium itself may be called from one thread alone."""
    assets = []
    for number in range(12):
        file = tmp_path / f"{number}.pdf"
        file.write_bytes(pdf([words_at(f"document {number} page {page}") for page in range(3)]))
        assets.append(asset_of(file, file.name))
    found = {}

    def one(number):
        found[number] = load(assets[number], Limits()).text

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(12):
        assert found[number].split("\n") == [f"document {number} page {page}" for page in range(3)]
