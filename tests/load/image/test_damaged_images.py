"""Damaged pictures are refused with a reason; missing pixels are never invented."""

import struct

import numpy as np
import pytest
from load_samples import animation, detailed, encoded, reason, solid

from pipeline.core.errors import Reason
from pipeline.load.loaded import LoadedImage

# Damage

DAMAGED = {
    "JPEG": encoded(detailed(), "JPEG"),
    "JPEG progressive": encoded(detailed(), "JPEG", progressive=True),
    "JPEG with a preview": encoded(
        detailed(), "JPEG", exif=b"Exif\0\0" + encoded(detailed(1, (16, 16)), "JPEG")
    ),
    "PNG": encoded(detailed(), "PNG"),
    "PNG animated": animation([detailed(one) for one in range(3)], "PNG"),
    "WEBP": encoded(detailed(), "WEBP"),
    "WEBP animated": animation([detailed(one) for one in range(3)], "WEBP"),
    "GIF": encoded(detailed(), "GIF"),
    "TIFF": encoded(detailed(), "TIFF"),
    "TIFF deflated": encoded(detailed(), "TIFF", compression="tiff_adobe_deflate"),
    "TIFF pages": animation([detailed(one) for one in range(3)], "TIFF"),
    "BMP": encoded(detailed(), "BMP"),
    "AVIF": encoded(detailed(), "AVIF"),
    "AVIF animated": animation([detailed(one) for one in range(3)], "AVIF"),
}


@pytest.mark.parametrize("which", DAMAGED)
def test_a_file_that_was_cut_off_is_refused_or_gives_all_it_had(read, which):
    """Missing pixels are never invented."""
    data = DAMAGED[which]
    suffix = "." + which.split()[0].lower().replace("jpeg", "jpg")
    whole = read(f"whole{suffix}", data)
    cuts = {1, 2, 3, 8, 16, 30, *range(40, len(data), max(1, len(data) // 40)), len(data) - 1}
    refused = 0
    for cut in sorted(cuts):
        loaded = read(f"cut{suffix}", data[:cut])
        if isinstance(loaded, LoadedImage):
            assert len(loaded.frames) == len(whole.frames)
            for frame, expected in zip(loaded.frames, whole.frames, strict=True):
                assert np.array_equal(frame, expected)
        else:
            refused += 1
            assert loaded.reason is Reason.CORRUPT, (cut, loaded)
    assert refused >= len(cuts) - 4


@pytest.mark.parametrize(
    "which", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "TIFF deflated", "BMP", "AVIF"]
)
def test_the_reason_names_truncation(read, which):
    data = DAMAGED[which]
    assert "cut off" in read("a.png", data[: len(data) * 2 // 3]).detail


@pytest.mark.parametrize(
    "suffix", [".jpg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif"]
)
def test_empty_and_foreign_content_under_a_picture_s_name(read, suffix):
    assert reason(read(f"empty{suffix}", b"")) is Reason.EMPTY_FILE
    for data in (b"\0", bytes(5000), b"words, not pixels", b"\xff" * 100):
        loaded = read(f"a{suffix}", data)
        assert loaded.reason is Reason.CORRUPT
        assert suffix in loaded.detail


def test_damage_in_the_middle_of_a_png_is_noticed(read):
    data = bytearray(DAMAGED["PNG"])
    data[len(data) // 2] ^= 0xFF
    assert reason(read("a.png", bytes(data))) is Reason.CORRUPT


@pytest.mark.parametrize("at", [4, 12])
def test_a_tiff_with_circular_directories_has_each_page_once(read, at):
    data = bytearray(encoded(solid("red"), "TIFF"))
    (directory,) = struct.unpack("<I", data[4:8])
    (entries,) = struct.unpack("<H", data[directory : directory + 2])
    following = directory + 2 + 12 * entries
    data[following : following + 4] = struct.pack("<I", directory)
    assert len(read("a.tif", bytes(data)).frames) == 1
