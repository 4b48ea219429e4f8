"""Damaged and malicious pictures."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from corpus import Expect, Plan, kind
from load_samples import animation, chunk, detailed, encoded, png, solid, word_document
from PIL import Image

SUFFIXES = {
    "JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tif", "BMP": ".bmp",
    "AVIF": ".avif",
}  # fmt: skip
BOMB_SIDE = 60_000


def sound(seed=0, image_format="PNG", size=(96, 80), **options):
    return encoded(detailed(seed, size), image_format, **options)


@kind(Expect.REFUSED)
def cut_off(plan: Plan):
    for image_format, suffix in SUFFIXES.items():
        data = sound(1, image_format)
        for place in (1, 9, len(data) // 4, len(data) // 2, len(data) * 2 // 3):
            yield f"{image_format}_{place}{suffix}", data[:place]


@kind(Expect.EITHER)
def bits_flipped(plan: Plan):
    rng = plan.random("bits")
    for number in range(6):
        for image_format, suffix in SUFFIXES.items():
            data = bytearray(sound(number, image_format))
            for _ in range(1 + number * 3):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            yield f"{image_format}_{number}{suffix}", bytes(data)


@kind(Expect.REFUSED)
def random_bytes(plan: Plan):
    rng = plan.random("bytes")
    for suffix in (*SUFFIXES.values(), ".docx", ".pdf", ".fdx", ".fadein", ".zip", ".exe", ""):
        yield f"noise{suffix}", rng.randbytes(5000)


@kind(Expect.REFUSED)
def marked_noise(plan: Plan):
    """The right first bytes, and then noise."""
    rng = plan.random("marked")
    for image_format, suffix in SUFFIXES.items():
        head = sound(0, image_format)[:40]
        for number in range(3):
            yield f"{image_format}_{number}{suffix}", head + rng.randbytes(3000)


@kind(Expect.GOOD)
def wrong_suffix(plan: Plan):
    for place, image_format in enumerate(SUFFIXES):
        other = [*SUFFIXES.values(), ".txt"][(place + 3) % 7]
        yield f"really_{image_format}{other}", sound(place, image_format)


@kind(Expect.REFUSED)
def foreign_content(plan: Plan):
    foreign = {
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "html": b"<html><img src=x onerror=alert(1)></html>",
        "elf": b"\x7fELF\x02\x01\x01" + bytes(200),
        "gzip": b"\x1f\x8b\x08" + bytes(200),
        "psd": b"8BPS\x00\x01" + bytes(200),
        "ps": b"%!PS-Adobe-3.0\n(%pipe%touch /tmp/made) (w) file\n" * 4,
        "mvg": b"push graphic-context\nimage over 0,0 0,0 'https://127.0.0.1/x'\n",
    }
    for what, data in foreign.items():
        for suffix in (".png", ".jpg"):
            yield f"{what}{suffix}", data


def claiming(image_format, width, height):
    """A small file whose header claims a picture of another size."""
    data = bytearray(encoded(solid("red", (8, 6)), image_format))
    if image_format == "PNG":
        return png(width, height, 8, 2, [b"\0" * 24])
    if image_format == "WEBP":
        extended = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        body = b"WEBPVP8X" + struct.pack("<I", len(extended)) + extended + bytes(data[12:])
        return b"RIFF" + struct.pack("<I", len(body)) + body
    if image_format == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", height, width)
    elif image_format == "GIF":
        data[6:10] = struct.pack("<HH", width, height)
    elif image_format == "BMP":
        data[18:26] = struct.pack("<ii", width, height)
    elif image_format == "AVIF":
        at = data.index(b"ispe") + 8
        data[at : at + 8] = struct.pack(">II", width, height)
    else:
        (start,) = struct.unpack("<I", data[4:8])
        for tag in range(struct.unpack("<H", data[start : start + 2])[0]):
            at = start + 2 + 12 * tag
            (which,) = struct.unpack("<H", data[at : at + 2])
            if which in (256, 257):
                value = width if which == 256 else height
                data[at + 2 : at + 12] = struct.pack("<HII", 4, 1, value)
    return bytes(data)


@kind(Expect.REFUSED)
def claims_much(plan: Plan):
    for image_format, suffix in SUFFIXES.items():
        for width, height in ((BOMB_SIDE, BOMB_SIDE), (65_000, 9), (9, 65_000)):
            if image_format in ("WEBP", "GIF", "JPEG") and 9 in (width, height):
                continue  # a canvas of that size is sound, and a JPEG decoder fills it with grey
            yield (
                f"{image_format}_{width}x{height}{suffix}",
                claiming(image_format, width, height),
            )


def bare_png(width, height, rows, depth=1, colour_type=0, *extra):
    """A PNG of `rows` zero rows, compressed in pieces so that making it takes no memory."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width * depth + 7) // 8)
    pixels = b"".join(packer.compress(row) for _ in range(rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@kind(Expect.REFUSED)
def png_bombs(plan: Plan):
    """Whole pictures that unpack to much: beyond the bound on pixels, and beyond that on memory."""
    yield "over_pixels.png", bare_png(BOMB_SIDE, 5000, 5000)
    yield "over_memory.png", bare_png(15_500, 15_500, 15_500)
    for number in range(3):
        yield f"thin_{number}.png", bare_png(2**31 - 1, 1 + number, 1)


@kind(Expect.EITHER)
def chunks_that_unpack(plan: Plan):
    # A decoder reads the rows that the header states, and may ignore the others.
    yield "more_rows_than_said.png", bare_png(64, 64, plan.size(2_000_000), 8)
    rows = [bytes([0, 200, 90]) * 8] * 8
    for place, mark in enumerate((b"iCCP", b"zTXt", b"iTXt")):
        head = {b"iCCP": b"p\0\0", b"zTXt": b"C\0\0", b"iTXt": b"C\0\1\0\0\0"}[mark]
        packed = zlib.compress(bytes(plan.size(2**27)))
        yield f"{mark.decode()}.png", png(8, 8, 8, 2, rows, chunk(mark, head + packed))
        many = [chunk(mark, head + zlib.compress(bytes(2**16)))] * (200 + place)
        yield f"{mark.decode()}_many.png", png(8, 8, 8, 2, rows, *many)


def gif_of(frames):
    frame = (
        b"\x21\xf9\x04\x04\x01\x00\x00\x00" b"\x2c\0\0\0\0\1\0\1\0\0" b"\x02\x02\x44\x01\x00"
    )  # fmt: skip
    return b"GIF89a\1\0\1\0\x80\0\0\xff\xff\xff\0\0\0" + frame * frames + b";"


@kind(Expect.REFUSED)
def animations(plan: Plan):
    """Frames by the hundred and by the million: sampled with a note, or out of time."""
    yield "million.gif", gif_of(plan.size(1_000_000))
    yield "thousands.gif", gif_of(5_000)
    frames = [Image.new("L", (2, 2), one % 256) for one in range(150)]
    for image_format in ("PNG", "WEBP", "TIFF", "GIF"):
        suffix = SUFFIXES[image_format]
        yield f"many{suffix}", animation(frames, image_format)
    whole = animation(frames[:20], "PNG")
    at = whole.index(b"acTL") + 4
    lies = whole[:at] + struct.pack(">I", 2**30) + whole[at + 4 :]
    fixed = lies[: at + 8] + struct.pack(">I", zlib.crc32(lies[at - 4 : at + 8])) + lies[at + 12 :]
    yield "claims_a_billion.png", fixed


@kind(Expect.EITHER)
def exif_bombs(plan: Plan):
    rng = plan.random("exif")
    for number in range(12):
        entries = b"".join(
            struct.pack(
                "<HHII", rng.choice((0x0112, 0x8769, 0x8825, 0xA005, rng.randrange(65536))),
                rng.randrange(14), rng.choice((1, 2**31, 2**32 - 1, 1000)), rng.randrange(2**16),
            )
            for _ in range(40)
        )  # fmt: skip
        head = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 40) + entries + b"\x08\0\0\0"
        yield f"exif_{number}.jpg", sound(number, "JPEG", exif=head)


@kind(Expect.EITHER)
def colour_profiles(plan: Plan):
    from PIL import ImageCms

    rng = plan.random("icc")
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for number in range(12):
        broken = bytearray(profile) if number % 2 else bytearray(rng.randbytes(600))
        for _ in range(30):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        image_format = ("JPEG", "PNG", "WEBP", "TIFF")[number % 4]
        data = sound(number, image_format, icc_profile=bytes(broken))
        yield f"profile_{number}{SUFFIXES[image_format]}", data


@kind(Expect.EITHER)
def tiff_tricks(plan: Plan):
    rng = plan.random("tiff")
    whole = encoded(detailed(3, (40, 32)), "TIFF")
    (start,) = struct.unpack("<I", whole[4:8])
    (entries,) = struct.unpack("<H", whole[start : start + 2])
    for number in range(14):
        data = bytearray(whole)
        if number == 0:  # directories in a circle
            at = start + 2 + 12 * entries
            data[at : at + 4] = struct.pack("<I", start)
        else:
            at = start + 2 + 12 * rng.randrange(entries)
            value = rng.choice((0, 2**31, 2**32 - 1, start, len(data) - 1))
            data[at + 4 : at + 12] = struct.pack("<II", rng.choice((1, 2**28, 2**32 - 1)), value)
        yield f"tiff_{number}.tif", bytes(data)


@kind(Expect.EITHER)
def scans_without_end(plan: Plan):
    """Progressive JPEGs whose scans are repeated: small files that take long."""
    data = encoded(detailed(4, (512, 512)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    for count in (10, plan.size(400), plan.size(800)):
        yield f"scans_{count}.jpg", data[:last] + data[last:-2] * count + b"\xff\xd9"


@kind(Expect.EITHER)
def polyglots(plan: Plan):
    from load_samples import paragraph, pdf, words_at

    document = word_document(paragraph("Words in a document. " * 20))
    page = pdf([words_at("Words on a page")])
    for image_format, suffix in SUFFIXES.items():
        yield f"{image_format}_and_zip{suffix}", sound(5, image_format) + document
        yield f"{image_format}_and_pdf.pdf", sound(5, image_format) + page
    yield "gif_and_script.gif", b"GIF89a/*" + bytes(20) + b"*/=1;alert(1)"
    yield "pdf_and_zip.docx", page + document


@kind(Expect.EITHER)
def lengths_that_lie(plan: Plan):
    """Lengths of chunks and boxes that point beyond the file, or nowhere."""
    rng = plan.random("lengths")
    for image_format in ("PNG", "WEBP", "AVIF"):
        for number in range(6):
            data = bytearray(sound(number, image_format))
            at = rng.randrange(8, max(9, len(data) // 3)) // 4 * 4
            data[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4)))
            yield f"{image_format}_{number}{SUFFIXES[image_format]}", bytes(data)


@kind(Expect.EITHER)
def bitmaps(plan: Plan):
    rng = plan.random("bmp")
    palette = np.asarray(detailed(6, (64, 64)).convert("P"))
    buffer = io.BytesIO()
    Image.fromarray(palette).save(buffer, "BMP")
    for number in range(10):
        data = bytearray(buffer.getvalue())
        data[30:34] = struct.pack("<I", 1 + number % 3)  # run lengths, where there are none
        for _ in range(number):
            data[rng.randrange(14, 54)] = rng.randrange(256)
        yield f"bitmap_{number}.bmp", bytes(data)
