"""Damaged and malicious scripts."""

from __future__ import annotations

import struct
import zipfile
import zlib

from corpus import Expect, Plan, kind
from load_samples import archive, final_draft, paragraph, pdf, word_document, word_xml, words_at

WORDS = "She waits by the window and says nothing at all until the lamp goes out. "
LINE = "<Paragraph Type='Action'><Text>" + WORDS + "</Text></Paragraph>"


def fade_in(xml):
    return archive({"document.xml": xml})


def in_every_xml(head, inner="&a;"):
    """The same document type in every format that holds XML, as (suffix, bytes)."""
    body = f'<?xml version="1.0"?>{head}'
    text = f"<Paragraph><Text>{inner}</Text></Paragraph>"
    yield (
        ".fdx",
        f'{body}<FinalDraft DocumentType="Script"><Content>{text}</Content></FinalDraft>'.encode(),
    )
    main = word_xml(paragraph(inner))
    main = body + main[main.index("<w:document") :]
    yield ".docx", archive({"word/document.xml": main})
    para = f"<paragraphs><para><text>{inner}</text></para></paragraphs>"
    yield ".fadein", fade_in(f"{body}<document>{para}</document>")


@kind(Expect.REFUSED)
def billion_laughs(plan: Plan):
    for depth in (2, 9, 30):
        levels = "".join(
            f'<!ENTITY a{n} "{f"&a{n + 1};" * 10}">' for n in range(1, depth)
        )  # fmt: skip
        head = f'<!DOCTYPE l [<!ENTITY a "&a1;">{levels}<!ENTITY a{depth} "ha">]>'
        for suffix, data in in_every_xml(head):
            yield f"laughs_{depth}{suffix}", data


@kind(Expect.REFUSED)
def quadratic_blow_up(plan: Plan):
    head = f'<!DOCTYPE l [<!ENTITY a "{"a" * 50_000}">]>'
    for count in (10, 5_000):
        for suffix, data in in_every_xml(head, "&a;" * count):
            yield f"blow_up_{count}{suffix}", data


@kind(Expect.REFUSED)
def external_entities(plan: Plan):
    secret = (plan.outside / "secret.txt").as_uri()
    heads = {
        "http": f'<!DOCTYPE l [<!ENTITY a SYSTEM "{plan.url}/a">]>',
        "file": f'<!DOCTYPE l [<!ENTITY a SYSTEM "{secret}">]>',
        "dtd": f'<!DOCTYPE l SYSTEM "{plan.url}/a.dtd">',
        "public": f'<!DOCTYPE l PUBLIC "-//X//Y" "{plan.url}/b.dtd" [<!ENTITY a "a">]>',
        "parameter": f'<!DOCTYPE l [<!ENTITY % p SYSTEM "{plan.url}/p"> %p;]>',
    }
    for name, head in heads.items():
        for suffix, data in in_every_xml(head):
            yield f"{name}{suffix}", data


@kind(Expect.EITHER)
def references_outside(plan: Plan):
    """What a program might fetch while it opens a document."""
    relation = (
        '<?xml version="1.0"?><Relationships '
        'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship '
        f'Id="r1" Type="http://x/attachedTemplate" Target="{plan.url}/t" TargetMode="External"/>'
        "</Relationships>"
    )
    main = word_xml(paragraph(WORDS * 3) + '<w:altChunk r:id="r1" xmlns:r="http://x"/>')
    parts = {"word/document.xml": main, "word/_rels/document.xml.rels": relation}
    yield "template.docx", archive(parts)
    include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{plan.url}/i"/>'
    yield "include.fdx", final_draft(LINE + include)
    sheet = f'<?xml-stylesheet href="{plan.url}/s.xsl"?>'
    yield "sheet.fdx", final_draft(LINE, f'<?xml version="1.0"?>{sheet}')
    yield (
        "page.pdf",
        pdf([words_at(WORDS)]).replace(
            b"/Type /Catalog",
            b"/Type /Catalog /OpenAction << /S /URI /URI (%s) >>" % plan.url.encode(),
        ),
    )
    yield "link.md", f"![x]({plan.url}/x.png) {WORDS * 3}".encode()


@kind(Expect.REFUSED)
def xml_without_end(plan: Plan):
    deep = plan.size(2_000_000) // 10
    yield "deep.fdx", final_draft("<Paragraph>" * deep + "</Paragraph>" * deep)
    yield "deep.docx", word_document("<w:sdt>" * deep + paragraph("x") + "</w:sdt>" * deep)
    tags = 12_000_000 if plan.large else 200_000
    yield "tags.docx", word_document("<a/>" * tags) if plan.large else word_document("<a>" * tags)
    yield "cut.fdx", final_draft(LINE * 50)[:-300]
    yield "two.fdx", final_draft(LINE) * 2
    yield "nul.fdx", final_draft(LINE).replace(b"She", b"\0")
    yield "declared.fdx", final_draft(LINE, '<?xml version="1.0" encoding="utf-7"?>')


@kind(Expect.EITHER)
def zip_slip(plan: Plan):
    main = word_xml(paragraph(WORDS * 3))
    names = (
        "../../slipped.txt", "/tmp/slipped.txt", "..\\..\\slipped.txt", "C:\\slipped.txt",
        "word/../../../slipped.txt", "a\0b.txt", "word/document.xml/../../x",
    )  # fmt: skip
    for place, name in enumerate(names):
        yield f"slip_{place}.docx", archive({name: "slipped", "word/document.xml": main})
        xml = f"<document><paragraphs><para><text>{WORDS}</text></para></paragraphs></document>"
        yield f"slip_{place}.fadein", archive({name: "slipped", "document.xml": xml})


@kind(Expect.REFUSED)
def zip_bombs(plan: Plan):
    much = " " * plan.size(140 * 2**20)
    if plan.large:
        yield "spaces.docx", word_document(paragraph(much))
        yield "spaces.fadein", fade_in(f"<document>{much}</document>")
    inner = archive({f"{n}.zip": bytes(2**16) for n in range(16)})
    for _ in range(4):
        inner = archive({f"{n}.zip": inner for n in range(16)})
    yield "nested.docx", inner
    yield "nested.fadein", inner
    whole = word_document(paragraph(WORDS))
    start, end = whole.index(b"PK\x01\x02"), whole.rindex(b"PK\x05\x06")
    for count in (300_000, 1_000_000):
        listing = whole[start:end] * plan.size(count)
        tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(listing), start, 0)
        if plan.large:
            yield f"listing_{count}.docx", whole[:start] + listing + tail


@kind(Expect.REFUSED)
def archives_broken(plan: Plan):
    whole = word_document(paragraph(WORDS * 20))
    for place in (5, len(whole) // 3, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        yield f"cut_{place}.docx", whole[:place]
    listing = whole.rindex(b"PK\x01\x02")
    for name, at, value in (
        ("encrypted", 8, b"\1\0"), ("method", 10, b"\x63\0"), ("offset", 42, b"\xff\xff\xff\x7f"),
        ("crc", 16, b"abcd"),
    ):  # fmt: skip
        data = bytearray(whole)
        data[listing + at : listing + at + len(value)] = value
        yield f"{name}.docx", bytes(data)
    yield "empty.docx", archive({})
    yield "no_story.docx", archive({"word/styles.xml": "<a/>"})
    yield "method_lzma.docx", archive({"word/document.xml": "no xml"}, zipfile.ZIP_LZMA)


@kind(Expect.EITHER)
def archive_bits_flipped(plan: Plan):
    rng = plan.random("archive")
    xml = f"<document><paragraphs><para><text>{WORDS}</text></para></paragraphs></document>"
    seeds = {".docx": word_document(paragraph(WORDS)), ".fadein": fade_in(xml)}
    seeds |= {".fdx": final_draft(LINE), ".pdf": pdf([words_at(WORDS)])}
    lying = bytearray(seeds[".docx"])
    listing = lying.rindex(b"PK\x01\x02")
    lying[listing + 20 : listing + 24] = b"\xff\xff\xff\x7f"
    yield "claims_to_be_long.docx", bytes(lying)  # and is all there
    for number in range(8):
        for suffix, whole in seeds.items():
            data = bytearray(whole)
            for _ in range(1 + number):
                data[rng.randrange(len(data))] = rng.randrange(256)
            yield f"flipped_{number}{suffix}", bytes(data)


def pdf_of(*objects, root=1):
    """A PDF of the given objects, written as they are."""
    out, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer << /Size %d /Root %d 0 R >>\n" % (
        size, table, size, root,
    ) + b"startxref\n%d\n%%%%EOF\n" % len(out)  # fmt: skip


def stream(data, extra=b""):
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), extra, data)


@kind(Expect.REFUSED)
def pdf_tricks(plan: Plan):
    catalog, page = b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Page /Parent 2 0 R %s >>"
    tree = b"<< /Type /Pages /Count %d /Kids [%s] >>"
    yield "kids_in_a_circle.pdf", pdf_of(catalog, tree % (9, b"2 0 R"))
    yield "pages_without_end.pdf", pdf_of(catalog, tree % (2**31 - 1, b"3 0 R"), page % b"")
    yield "no_catalog.pdf", pdf_of(b"<< >>")
    yield "itself.pdf", pdf_of(b"1 0 R")
    bomb = zlib.compress(zlib.compress(bytes(2**24)) * 4)
    chain = b"/Filter [%s]" % (b"/FlateDecode " * 60)
    contents = page % b"/MediaBox [0 0 9 9] /Contents 4 0 R"
    yield "filters.pdf", pdf_of(catalog, tree % (1, b"3 0 R"), contents, stream(bomb, chain))
    once = stream(zlib.compress(b" " * plan.size(2**27)), b"/Filter /FlateDecode")
    yield "inflates.pdf", pdf_of(catalog, tree % (1, b"3 0 R"), contents, once)
    length = b"<< /Length 4 0 R >>\nstream\nBT ET\nendstream"
    yield "length_of_itself.pdf", pdf_of(catalog, tree % (1, b"3 0 R"), contents, length)
    nested = b"<< /A " * 20_000 + b">> " * 20_000
    yield "nested.pdf", pdf_of(catalog, tree % (1, b"3 0 R"), nested)
    whole = pdf([words_at(WORDS)] * 3)
    for share in (3, 2):
        yield f"cut_{share}.pdf", whole[: len(whole) // share]
    yield "locked.pdf", pdf([words_at(WORDS)], user_password="secret")  # noqa: S106


@kind(Expect.EITHER)
def texts_without_a_space(plan: Plan):
    size = plan.size(20_000_000)
    for suffix, head in ((".txt", b""), (".fountain", b"INT. X - DAY\n\n"), (".md", b"# X\n\n")):
        yield f"letters{suffix}", head + b"a" * size
    cue = b"1\n00:00:01,000 --> 00:00:02,000\n"
    yield "letters.srt", cue + b"b" * size
    yield "letters.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\n" + b"c" * size
    yield "chinese.txt", "語".encode() * (size // 3)
    yield "lines.txt", b"x\n" * (size // 20)


@kind(Expect.EITHER)
def patterns_that_take_long(plan: Plan):
    count = plan.size(2_000_000) // 10
    yield from (
        ("boneyard.fountain", b"INT. HOUSE - DAY\n" + b"/* " * count),
        ("title.fountain", b"Title: " + b"a: " * count),
        ("stars.fountain", b"*" * count + b"x" + b"_*" * count),
        ("tags.srt", b"<a " * count), ("braces.srt", b"{\\" * count),
        ("digits.srt", b"1" * count), ("spaces.srt", b" " * count + b"x"),
        ("numbers.srt", b"1\n" * count), ("tags.vtt", b"WEBVTT\n\n" + b"<1" * count),
        ("arrows.vtt", b"WEBVTT\n\n" + b"00:01.000 --> 00:02.000\n" * (count // 10) + b"x"),
        ("stars.md", b"[" * count + b"](" * count),
    )  # fmt: skip


@kind(Expect.EITHER)
def encodings(plan: Plan):
    text = WORDS * 6
    for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-16", "utf-7", "cp037", "shift_jis"):
        for suffix in (".txt", ".fountain"):
            yield f"{name}{suffix}", text.encode(name)
    yield "half.txt", text.encode("utf-16")[:-1]
    yield "surrogates.txt", b"\xff\xfe" + b"\x00\xd8" * 400
    yield "overlong.txt", b"\xc0\xaf" * 400
    yield "marks.txt", ("a" + "\u0301" * 5_000).encode()
    yield "controls.txt", bytes(range(1, 32)) * 200


@kind(Expect.REFUSED)
def zeros(plan: Plan):
    for suffix in (".txt", ".fountain", ".srt", ".vtt", ".md", ".png", ".pdf", ".docx", ".fdx"):
        yield f"zeros{suffix}", bytes(5000)
