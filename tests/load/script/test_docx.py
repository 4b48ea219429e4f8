"""Word documents: the text in the order in which it is read."""

import io
import zipfile

import docx
import pytest
from load_samples import (
    archive,
    content,
    encoded,
    paragraph,
    reason,
    solid,
    word_document,
    word_xml,
)

from pipeline.core.errors import Reason

PROSE = ["INT. KITCHEN - NIGHT", "Anna pours the tea.", "“It’s cold.” 語 🎬", "She waits."]


def saved(document):
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def run(text):
    return f"<w:r><w:t>{text}</w:t></w:r>"


def test_paragraphs_as_the_word_library_writes_and_reads_them(read):
    document = docx.Document()
    document.add_heading("Title", 0)
    for text in PROSE:
        document.add_paragraph(text)
    document.add_paragraph("")
    mixed = document.add_paragraph("Bold ")
    mixed.add_run("and").bold = True
    mixed.add_run(" not")
    data = saved(document)
    again = docx.Document(io.BytesIO(data))
    expected = [one.text for one in again.paragraphs if one.text.strip()]
    script = read("a.docx", data)
    assert content(script) == expected == ["Title", *PROSE, "Bold and not"]
    assert script.text == "\n".join(expected)
    assert (script.format, script.encoding, script.notes) == ("docx", None, ())


def test_tables_in_their_place(read):
    document = docx.Document()
    document.add_paragraph("before")
    table = document.add_table(2, 2)
    for place, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = f"cell {place}"
    inner = table.rows[1].cells[1].add_table(1, 1)
    inner.rows[0].cells[0].text = "nested"
    document.add_paragraph("after")
    assert content(read("a.docx", saved(document))) == [
        "before", "cell 0", "cell 1", "cell 2", "cell 3", "nested", "after",
    ]  # fmt: skip


def test_headers_and_footers_follow(read):
    document = docx.Document()
    document.add_paragraph("words")
    document.sections[0].header.paragraphs[0].text = "A header"
    document.sections[0].footer.paragraphs[0].text = "A footer"
    script = read("a.docx", saved(document))
    assert content(script) == ["words", "A header", "A footer"]
    assert (script.notes, script.complete) == ((), True)


def test_a_document_that_is_all_header(read):
    data = word_document("<w:p/>", header1=word_xml(paragraph("a header"), "hdr"))
    assert content(read("a.docx", data)) == ["a header"]


def test_comments_follow(read):
    data = word_document(
        paragraph("words"),
        comments=word_xml(f"<w:comment>{paragraph('Rewrite!')}</w:comment>", "comments"),
        commentsExtended="this is not read",
        footnotes=word_xml(f"<w:footnote>{paragraph('a footnote')}</w:footnote>", "footnotes"),
        footer1=word_xml(paragraph("a footer"), "ftr"),
        header1=word_xml(paragraph("a header"), "hdr"),
        header2=word_xml(paragraph("a header"), "hdr"),
    )
    script = read("a.docx", data)
    assert content(script) == [
        "words", "a footnote", "a header", "a header", "a footer", "Rewrite!",
    ]  # fmt: skip
    assert (script.notes, script.complete) == ((), True)


@pytest.mark.parametrize("name", ["Header1", "chapter", "hdr-3"])
def test_paragraphs_in_a_part_of_any_name_are_read(read, name):
    """Which part is a header is stated by relations; its name is arbitrary."""
    data = word_document(paragraph("words"), **{name: word_xml(paragraph("more"), "hdr")})
    assert content(read("a.docx", data)) == ["words", "more"]


def test_deleted_passages_of_a_header_are_noted(read):
    gone = "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>"
    script = read("a.docx", word_document(paragraph("words"), header1=word_xml(gone, "hdr")))
    assert content(script) == ["words"]
    assert ["delete" in note for note in script.notes] == [True]


def test_pictures_are_noted(read):
    parts = {"word/document.xml": word_xml(paragraph("words")), "docProps/thumbnail.jpeg": "x"}
    assert read("a.docx", archive(parts)).complete
    script = read("b.docx", archive(parts | {"word/media/image1.png": "x"}))
    assert script.notes == (
        "It holds a picture, which was not compared; save it as a file to screen it.",
    )
    assert not script.complete
    more = {f"word/media/image{number}.png": "x" for number in range(3)}
    assert read("c.docx", archive(parts | more)).notes == (
        "It holds 3 pictures, which were not compared; save them as files to screen them.",
    )


def test_a_picture_as_the_word_library_adds_it(read):
    document = docx.Document()
    document.add_paragraph("words")
    document.add_picture(io.BytesIO(encoded(solid((9, 9, 9)), "PNG")))
    assert not read("a.docx", saved(document)).complete


@pytest.mark.parametrize(
    "name",
    [
        "word/afchunk1.mht",
        "word/diagrams/data1.xml",
        "word/charts/chart1.xml",
        "word/embeddings/Microsoft_Excel_Sheet1.xlsx",
    ],
)
def test_parts_that_may_hold_text_of_another_form_are_noted(read, name):
    script = read("a.docx", archive({"word/document.xml": word_xml(paragraph("a")), name: "x"}))
    assert content(script) == ["a"]
    assert ["not read" in note for note in script.notes] == [True]
    assert not script.complete


def test_an_inserted_file_under_any_name_is_noted(read):
    script = read("a.docx", word_document(paragraph("words") + "<w:altChunk/>"))
    assert ["not read" in note for note in script.notes] == [True]
    assert not script.complete


def test_footnotes_and_endnotes_follow(read):
    data = word_document(
        paragraph("words"),
        footnotes=word_xml(f"<w:footnote>{paragraph('a footnote')}</w:footnote>", "footnotes"),
        endnotes=word_xml(f"<w:endnote>{paragraph('an endnote')}</w:endnote>", "endnotes"),
    )
    assert sorted(content(read("a.docx", data))) == ["a footnote", "an endnote", "words"]
    assert content(read("a.docx", data))[0] == "words"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r></w:p>", "a\tb\nc"),
        ("<w:p><w:r><w:t>re</w:t><w:noBreakHyphen/><w:t>do</w:t></w:r></w:p>", "re\u2011do"),
        (f"<w:p><w:hyperlink>{run('a link')}</w:hyperlink></w:p>", "a link"),
        (f"<w:p><w:ins>{run('added')}</w:ins>{run(' here')}</w:p>", "added here"),
        (
            f"<w:sdt><w:sdtContent>{paragraph('in a control')}</w:sdtContent></w:sdt>",
            "in a control",
        ),
        (f"<w:p><w:fldSimple>{run('a field')}</w:fldSimple></w:p>", "a field"),
        ("<w:p><w:r><w:instrText>PAGE</w:instrText></w:r>" + run("1") + "</w:p>", "1"),
        ("<w:p><w:pPr><w:tabs><w:tab/></w:tabs></w:pPr>" + run("text") + "</w:p>", "text"),
        (f'<w:p>{run("a ")}<w:r><w:sym w:font="Arial" w:char="0062"/></w:r></w:p>', "a b"),
        (f'<w:p>{run("a ")}<w:r><w:sym w:font="Wingdings" w:char="F04A"/></w:r></w:p>', "a "),
        (f'<w:p>{run("a")}<w:r><w:sym w:char="x"/><w:sym w:char="D800"/><w:sym/></w:r></w:p>', "a"),
        ("<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden too</w:t></w:r></w:p>", "hidden too"),
    ],
)
def test_contents_of_a_paragraph(read, body, expected):
    script = read("a.docx", word_document(body))
    assert script.text == expected
    assert script.notes == ()


def test_deleted_and_moved_passages_are_left_out_and_noted(read):
    body = (
        f"<w:p>{run('kept')}<w:del><w:r><w:delText> gone</w:delText></w:r></w:del></w:p>"
        f"<w:p><w:moveFrom>{run('moved')}</w:moveFrom></w:p>"
        f"<w:p><w:moveTo>{run('moved')}</w:moveTo></w:p>"
    )
    script = read("a.docx", word_document(body))
    assert content(script) == ["kept", "moved"]
    assert ["delete" in note for note in script.notes] == [True]


def test_a_text_box_is_read_once_and_after_its_paragraph(read):
    box = f"<w:txbxContent>{paragraph('boxed')}{paragraph('text')}</w:txbxContent>"
    body = (
        "<w:p><w:r><w:t>around</w:t></w:r><w:r><mc:AlternateContent>"
        f"<mc:Choice><w:drawing>{box}</w:drawing></mc:Choice>"
        f"<mc:Fallback><w:pict><v:shape>{box}</v:shape></w:pict></mc:Fallback>"
        "</mc:AlternateContent></w:r><w:r><w:t> it</w:t></w:r></w:p>" + paragraph("after")
    )
    assert content(read("a.docx", word_document(body))) == ["around it", "boxed", "text", "after"]


def test_the_main_story_under_another_name_and_in_the_strict_namespace(read):
    strict = word_xml(paragraph("words")).replace(
        "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        "http://purl.oclc.org/ooxml/wordprocessingml/main",
    )
    assert read("a.docx", archive({"word/document2.xml": strict})).text == "words"


@pytest.mark.parametrize("body", ["", "<w:p/>", paragraph(" "), "<w:p><w:r><w:br/></w:r></w:p>"])
def test_a_document_without_words(read, body):
    assert reason(read("a.docx", word_document(body))) is Reason.NO_TEXT


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>',
        '<!DOCTYPE l [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE l SYSTEM "http://127.0.0.1/x.dtd">',
    ],
)
@pytest.mark.parametrize("part", ["document", "footnotes", "header1", "comments"])
def test_document_types_and_entities_are_refused_in_every_part(read, head, part):
    attack = word_xml(paragraph("&b;" if "ENTITY" in head else "x")).replace("?>", f"?>{head}", 1)
    parts = {"word/document.xml": word_xml(paragraph("words")), f"word/{part}.xml": attack}
    result = read("a.docx", archive(parts))
    assert reason(result) is Reason.CORRUPT
    assert "DTD" in result.detail


def test_a_document_with_a_password(read):
    """Word wraps an encrypted document into the container of its old format."""
    result = read("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000))
    assert reason(result) is Reason.ENCRYPTED
    assert "password" in result.detail


def test_an_archive_with_a_password(read):
    data = bytearray(word_document(paragraph("words")))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    assert reason(read("a.docx", bytes(data))) is Reason.ENCRYPTED


def test_a_document_that_was_cut_off(read):
    data = saved(docx.Document())
    for cut in (1, 4, 30, len(data) // 2, len(data) - 100, len(data) - 1):
        result = read("a.docx", data[:cut])
        assert reason(result) is Reason.CORRUPT, cut
        assert result.detail


def test_damage_inside_is_noticed(read):
    """The archive keeps a checksum of every part."""
    prose = "".join(paragraph(f"words number {number}") for number in range(200))
    data = bytearray(word_document(prose))
    data[data.index(b"word/document.xml") + 60] ^= 0x55
    assert reason(read("a.docx", bytes(data))) is Reason.CORRUPT


def test_a_listing_that_points_before_the_file(read):
    data = bytearray(word_document(paragraph("words")))
    end = data.rindex(b"PK\x05\x06")
    data[end + 16 : end + 20] = b"\xff\xff\xff\x7f"
    result = read("a.docx", bytes(data))
    assert reason(result) is Reason.CORRUPT
    assert "damaged" in result.detail


def test_archives_that_are_not_word_documents(read):
    for parts in ({}, {"a.txt": "words"}, {"word/document.xml.bak": "words"}):
        result = read("a.docx", archive(parts))
        assert reason(result) is Reason.CORRUPT
        assert "not a Word document" in result.detail


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_parts_of_one_name_are_refused(read):
    """Which of them is shown is the choice of the program that opens the document."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive_file:
        for text in ("what is read", "what is shown"):
            archive_file.writestr("word/document.xml", word_xml(paragraph(text)))
    fault = read("a.docx", stream.getvalue())
    assert fault.reason is Reason.CORRUPT
    assert "two parts of one name" in fault.detail
