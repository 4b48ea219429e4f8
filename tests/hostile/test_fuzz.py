"""Bytes changed in files of every kind: a reader gives what is well formed, or says why not.

CLEARANCE_FUZZ_EXAMPLES sets how many are check of each kind; `make fuzz` tries many.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from load_samples import (
    animation,
    archive,
    checked,
    detailed,
    encoded,
    final_draft,
    paragraph,
    pdf,
    word_document,
    words_at,
)

from pipeline.core.records import Fault
from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.workers.pool import Workers

EXAMPLES = int(os.environ.get("CLEARANCE_FUZZ_EXAMPLES", "25"))
LIMITS = Limits(
    max_pixels=2_000_000, max_frames=4, max_file_bytes=100_000, max_unpacked_bytes=1_000_000,
    max_text_chars=1_000_000, max_pdf_pages=20, max_worker_bytes=1024 * 2**20, max_load_seconds=20,
)  # fmt: skip
TINY = detailed(0, (19, 17))
MOVING = [detailed(one, (9, 7)) for one in range(3)]
PROFILE = {"icc_profile": b"\0" * 128, "exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}
DIALOGUE = (
    "INT. HOUSE - DAY\n\n/* a note */\n\nMARTA (V.O.)\n(quietly)\nWords are *said*.\n\nCUT TO:\n"
)
FADE_IN = "<document><paragraphs><para><text>words</text></para></paragraphs></document>"
SEEDS = {
    **{name: (f"a.{name.lower()}", [encoded(TINY, name)])
       for name in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")},
    "JPEG of parts": ("a.jpg", [encoded(TINY, "JPEG", progressive=True, **PROFILE)]),
    "PNG of other depths": ("a.png", [encoded(TINY.convert(mode), "PNG") for mode in
                                      ("1", "L", "P", "LA", "RGBA", "I;16")]),
    "TIFF of other codings": ("a.tif", [encoded(TINY, "TIFF", compression=name) for name in
                                        ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")]),
    "animation": ("a.gif", [animation(MOVING, name) for name in ("GIF", "PNG", "WEBP", "TIFF")]),
    "pdf": ("a.pdf", [pdf([words_at("words on a page"), words_at("and more")]),
                      pdf([words_at("words")], user_password="")]),
    "docx": ("a.docx", [word_document(paragraph("words in a paragraph"))]),
    "fadein": ("a.fadein", [archive({"document.xml": FADE_IN})]),
    "fdx": ("a.fdx", [final_draft("<Paragraph Type='Action'><Text>words</Text></Paragraph>")]),
    "fountain": ("a.fountain", [("Title: A\n\n" + DIALOGUE).encode()]),
    "srt": ("a.srt", [b"1\n00:00:01,000 --> 00:00:02,000\n<i>words</i> {\\an8}\n\n" * 3]),
    "vtt": ("a.vtt", [b"WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000\n<v A>words\n\n" * 2]),
    "txt": ("a.txt", ["Élan vital".encode(name) for name in ("utf-8", "utf-16", "latin-1")]),
    "md": ("a.md", [b"# A title\n\n> words\n\n```\ncode\n```\n"]),
}  # fmt: skip
SPECIAL = [
    b"\0" * 4,
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\1\0",
    b"<",
    b"&a;",
    b"%",
]


@st.composite
def changed(draw, seeds):
    """A valid file with bytes changed, removed, added, repeated or mixed with another."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(data)))
        match draw(
            st.sampled_from(["bit", "bytes", "special", "cut", "add", "drop", "again", "mix"])
        ):
            case "bit" if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "bytes":
                data[at : at + 4] = draw(st.binary(min_size=1, max_size=4))
            case "special":
                value = draw(st.sampled_from(SPECIAL))
                data[at : at + len(value)] = value
            case "cut":
                del data[at:]
            case "add":
                data[at:at] = draw(st.binary(max_size=16))
            case "drop":
                del data[at : at + draw(st.integers(1, 40))]
            case "again":
                data[at:at] = data[at : at + draw(st.integers(1, 200))] * draw(st.integers(1, 5))
            case "mix":
                other = draw(st.sampled_from(seeds))
                data[at:] = other[at:]
    return bytes(data[: LIMITS.max_file_bytes])


@pytest.fixture(scope="module")
def loading():
    with Workers(LIMITS) as workers:
        yield workers


@pytest.mark.parametrize("kind", SEEDS)
def test_a_changed_file_loads_or_has_a_fault(kind, loading):
    name, seeds = SEEDS[kind]
    few = 5 if kind == "pdf" else 1  # each starts a process

    @settings(
        max_examples=max(1, EXAMPLES // few),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(changed(seeds))
    def check(data):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_bytes(data)
            result = checked(loading.load(asset_of(file, name)))
        if isinstance(result, Fault):
            assert "not there" not in result.detail

    check()
