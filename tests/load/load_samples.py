"""Sample files for the loading tests, and the checks that every result of loading must pass."""

from __future__ import annotations

import hashlib
import io
import itertools
import re
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

from pipeline.core.records import Fault
from pipeline.core.wording.text import visible
from pipeline.load.loaded import LoadedImage, LoadedScript

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def checked(result):
    """`result`, after the promises of its kind have been checked."""
    if isinstance(result, Fault):
        detail = result.detail
        assert len(detail) > 15
        assert visible(detail) == detail, "one line, nothing that acts on a terminal"
        assert "Traceback" not in detail
        assert "0x" not in detail
    elif isinstance(result, LoadedImage):
        assert result.frames
        assert len(result.numbers) == len(result.frames)
        assert len(set(result.numbers)) <= result.frame_count
        for frame in result.frames:
            assert frame.dtype == np.uint8
            assert frame.ndim == 3
            assert frame.shape[2] == 3
            assert frame.size
            assert frame.flags.c_contiguous
    else:
        assert isinstance(result, LoadedScript)
        check_spans(result.text, result.spans)
        assert any(result.text[span.start : span.end].strip() for span in result.spans)
        result.text.encode("utf-8")  # no unpaired surrogates
        assert "\0" not in result.text
    return result


def check_spans(text, spans):
    """Within the text, not empty, in order, not overlapping."""
    for span in spans:
        assert 0 <= span.start < span.end <= len(text)
        assert span.element
    for one, other in itertools.pairwise(spans):
        assert one.end <= other.start


def content(script):
    """The content of a script, span by span."""
    assert isinstance(script, LoadedScript), script
    return [script.text[span.start : span.end] for span in script.spans]


def reason(result):
    assert isinstance(result, Fault), result
    return result.reason


# Pictures


def encoded(image, image_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


LOSSLESS = {
    "PNG": (".png", {}),
    "WEBP": (".webp", {"lossless": True}),
    "TIFF": (".tif", {}),
    "BMP": (".bmp", {}),
}
LOSSY = {
    "JPEG": (".jpg", {"quality": 95, "subsampling": 0}),
    "AVIF": (".avif", {"quality": 95, "subsampling": "4:4:4"}),
}
EVERY = LOSSLESS | LOSSY


def written(image, image_format, **options):
    return encoded(image, image_format, **(EVERY[image_format][1] | options))


def one_frame(loaded, near=0):
    assert isinstance(loaded, LoadedImage), loaded
    assert set(loaded.numbers) == {0}
    return loaded.frames[0].astype(int)


def assert_near(frame, expected, within):
    assert frame.shape == np.shape(expected)
    assert np.abs(frame.astype(int) - np.asarray(expected, int)).max() <= within


def corners():
    """Four plain quarters, each of another colour, wider than high."""
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24], upright[:16, 24:] = (220, 30, 30), (30, 220, 30)
    upright[16:, :24], upright[16:, 24:] = (30, 30, 220), (230, 230, 230)
    return upright


def solid(colour, size=(8, 6), mode="RGB"):
    return Image.new(mode, size, colour)


def detailed(seed=0, size=(40, 32)):
    """A smooth picture with detail in every corner."""
    blocks = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.BICUBIC)


def animation(frames, image_format, **options):
    if image_format == "GIF":
        options = {"optimize": False, "disposal": 1, **options}
    return encoded(
        frames[0], image_format, save_all=True, append_images=list(frames[1:]), **options
    )


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, colour_type, rows, *extra):
    """A PNG by hand (PNG, section 5): `rows` are unpacked scan lines without their filter byte."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            *extra,
            chunk(b"IDAT", pixels),
            chunk(b"IEND", b""),
        ]
    )


# Word


def word_xml(body, root="document"):
    inner = f"<w:body>{body}</w:body>" if root == "document" else body
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f'<w:{root} xmlns:w="{WORD}" '
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
        f'xmlns:v="urn:schemas-microsoft-com:vml">{inner}</w:{root}>'
    )


def paragraph(text):
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def archive(parts, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in parts.items():
            # Of a fixed time, so that the same parts are the same bytes.
            file.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data, compression)
    return buffer.getvalue()


def word_document(body, **parts):
    """A .docx of a body's XML; further parts by the last part of their name, without `.xml`."""
    return archive(
        {
            "word/document.xml": word_xml(body),
            **{f"word/{name}.xml": data for name, data in parts.items()},
        }
    )


# PDF


def words_at(*lines):
    """A page's content stream that writes lines one under the other."""
    lines_shown = b" 0 -14 Td ".join(b"(%s) Tj" % line.encode("latin-1") for line in lines)
    return b"BT /F1 12 Tf 20 300 Td %s ET" % lines_shown


def pages_of_runs(*pages, font=b"Courier"):
    """A PDF of pages of (x, y, text), which are written one by one in their order, 12 points."""
    contents = []
    for runs in pages:
        operators = [b"BT /F1 12 Tf"]
        for x, y, text in runs:
            coded = re.sub(rb"([\\()])", rb"\\\1", text.encode("cp1252"))
            operators.append(b"1 0 0 1 %d %d Tm (%s) Tj" % (x, y, coded))
        contents.append(b"\n".join([*operators, b"ET"]))
    return pdf(contents, font=font, box=b"0 0 612 792")


SQUARE = b"10 10 50 50 re f"
PERMISSIONS = -44
FILE_ID = bytes(range(16))
_PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")


def pdf(
    pages,
    user_password=None,
    owner_password="owner",  # noqa: S107
    to_unicode=None,
    font=b"Helvetica",
    box=b"0 0 400 400",
):
    """A PDF by hand of content streams; encrypted with 40-bit RC4 if it is given a password.

    An empty user password makes a file that anybody can open, but not change: very common.
    """
    key = encrypt_entry = None
    if user_password is not None:
        key, encrypt_entry = _security(user_password.encode(), owner_password.encode())
    kids = b" ".join(b"%d 0 R" % (4 + 2 * place) for place in range(len(pages)))
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>" % font
    if to_unicode is not None:
        font = font[:-2] + b"/ToUnicode %d 0 R >>" % (4 + 2 * len(pages))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(pages), kids),
        font,
    ]
    for page in pages:
        number = len(objects) + 2
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [%s] "
            b"/Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>" % (box, number)
        )
        data = page if key is None else _rc4(_object_key(key, number), page)
        objects.append(_stream(data))
    if to_unicode is not None:
        objects.append(_stream(to_unicode))
    trailer = b"/Size %d /Root 1 0 R" % (len(objects) + 1)
    if encrypt_entry:
        trailer += b" /Encrypt %s /ID [<%s> <%s>]" % (
            encrypt_entry,
            FILE_ID.hex().encode(),
            FILE_ID.hex().encode(),
        )
    out = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"trailer << %s >>\nstartxref\n%d\n%%%%EOF\n" % (trailer, table)


def _stream(data):
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(data), data)


def _md5(data):
    return hashlib.md5(data, usedforsecurity=False).digest()


def _security(user, owner):
    """Key and dictionary of the standard security handler, revision 2 (PDF 1.7, 7.6.3)."""
    owner_key = _md5((owner + _PADDING)[:32])[:5]
    owner_entry = _rc4(owner_key, (user + _PADDING)[:32])
    permissions = struct.pack("<i", PERMISSIONS)
    key = _md5((user + _PADDING)[:32] + owner_entry + permissions + FILE_ID)[:5]
    return key, b"<< /Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P %d >>" % (
        owner_entry.hex().encode(),
        _rc4(key, _PADDING).hex().encode(),
        PERMISSIONS,
    )


def _object_key(key, number):
    return _md5(key + struct.pack("<I", number)[:3] + b"\0\0")[:10]


def _rc4(key, data):
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    out = bytearray()
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def final_draft(paragraphs, head='<?xml version="1.0" encoding="UTF-8" standalone="no" ?>\n'):
    """A .fdx of paragraphs' XML."""
    return (
        f'{head}<FinalDraft DocumentType="Script" Template="No" Version="5"><Content>'
        f"{paragraphs}</Content></FinalDraft>"
    ).encode()


def by_hand(*objects):
    """A PDF of objects, numbered from 1; the first is the catalogue, its pages are object 2."""
    out = b"%PDF-1.5\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return out + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, table)


def stream_of(data, entries=b""):
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


def one_page(contents, *further, xobjects=b"", annotations=b"", filtered=b""):
    """A document of one page, 400 units square; the objects `further` are numbered from 5."""
    return by_hand(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 400] /Contents 4 0 R "
        b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> "
        b"/XObject << %s >> >> /Annots [%s] >>" % (xobjects, annotations),
        stream_of(contents, filtered),
        *further,
    )


def many_operators():
    data = zlib.compress(b"0 0 m 9 9 l S " * 2_000_000)
    return one_page(data, filtered=b"/Filter /FlateDecode")
