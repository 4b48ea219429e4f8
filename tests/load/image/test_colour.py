"""Conversion to sRGB from every mode and depth; transparency is composited over white."""

import io

import cv2
import numpy as np
import pytest
from load_samples import (
    LOSSLESS,
    assert_near,
    chunk,
    corners,
    detailed,
    encoded,
    one_frame,
    png,
    solid,
    written,
)
from PIL import Image, ImageCms

# Colour


def swapped_profile():
    """sRGB's profile with the primaries of red and blue exchanged, under another name."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_an_icc_profile_is_converted_to_srgb(read, image_format):
    stored = corners()
    data = written(Image.fromarray(stored), image_format, icc_profile=swapped_profile())
    loaded = read("a.png", data)
    assert_near(one_frame(loaded), stored[:, :, ::-1], 3 if image_format in LOSSLESS else 45)
    assert loaded.notes == ()


def test_an_srgb_profile_does_not_change_colours(read):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = written(detailed(), "PNG", icc_profile=profile)
    assert_near(one_frame(read("a.png", data)), detailed(), 0)


def test_a_profile_applies_with_transparency_too(read):
    data = encoded(solid((200, 10, 20, 128), mode="RGBA"), "PNG", icc_profile=swapped_profile())
    part = 128 / 255
    expected = [round(value * part + 255 * (1 - part)) for value in (20, 10, 200)]
    assert_near(one_frame(read("a.png", data)), np.full((6, 8, 3), expected), 2)


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        (b"no profile at all", "profile is broken"),
        (swapped_profile()[:200], "profile is broken"),
        (swapped_profile()[:16] + b"CMYK" + swapped_profile()[20:], "profile"),
    ],
)
def test_a_useless_profile_is_noted_and_ignored(read, profile, message):
    loaded = read("a.png", written(detailed(), "PNG", icc_profile=profile))
    assert_near(one_frame(loaded), detailed(), 0)
    assert len(loaded.notes) == 1
    assert message in loaded.notes[0]
    assert "ignored" in loaded.notes[0]


def test_grey_pictures_with_a_colour_profile_stay_grey(read):
    grey = Image.fromarray(np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8))
    frame = one_frame(read("a.png", encoded(grey, "PNG", icc_profile=swapped_profile())))
    assert_near(frame, np.repeat(np.asarray(grey)[:, :, None], 3, axis=2), 2)


def test_cmyk_is_converted_with_a_note(read):
    for image_format in ("JPEG", "TIFF"):
        options = {"quality": 95} if image_format == "JPEG" else {}
        for inks, expected in [
            ((0, 0, 0, 0), (255, 255, 255)),
            ((255, 0, 0, 0), (0, 255, 255)),
            ((0, 255, 0, 0), (255, 0, 255)),
            ((0, 0, 0, 255), (0, 0, 0)),
        ]:
            data = encoded(solid(inks, (16, 16), "CMYK"), image_format, **options)
            loaded = read("a.jpg", data)
            assert_near(one_frame(loaded), np.full((16, 16, 3), expected), 4)
            assert ["CMYK" in note and "approximate" in note for note in loaded.notes] == [True]


def test_lab(read):
    loaded = read("a.tif", encoded(Image.new("LAB", (4, 4), (255, 128, 128)), "TIFF"))
    assert_near(one_frame(loaded), np.full((4, 4, 3), 255), 3)


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP", "GIF"])
def test_one_bit(read, image_format):
    bits = np.random.default_rng(3).random((9, 13)) < 0.5
    loaded = read("a.png", encoded(Image.fromarray(bits), image_format))
    assert_near(one_frame(loaded), np.repeat(bits[:, :, None] * 255, 3, axis=2), 0)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "packbits"])
def test_one_bit_fax_is_not_inverted(read, compression):
    bits = np.zeros((16, 16), bool)
    bits[:4, :] = True
    data = encoded(Image.fromarray(bits), "TIFF", compression=compression)
    assert_near(one_frame(read("a.tif", data)), np.repeat(bits[:, :, None] * 255, 3, axis=2), 0)


def test_16_bit_grey_keeps_its_scale(read):
    deep = np.array([[0, 1000, 128 * 257], [300, 65534, 65535]], np.uint16)
    expected = np.rint(deep / 257.0)
    for data in (
        encoded(Image.fromarray(deep), "PNG"),
        encoded(Image.fromarray(deep), "TIFF"),
        cv2.imencode(".png", deep)[1].tobytes(),
        cv2.imencode(".tiff", deep)[1].tobytes(),
    ):
        assert_near(one_frame(read("a.png", data)), np.repeat(expected[:, :, None], 3, axis=2), 0)


def test_16_bit_grey_in_the_other_byte_order(read):
    deep = np.array([[0, 1000, 65535]], ">u2")
    data = encoded(Image.frombytes("I;16B", (3, 1), deep.tobytes()), "TIFF")
    assert data.startswith(b"MM")
    assert one_frame(read("a.tif", data))[0, :, 0].tolist() == [0, 4, 255]


def test_a_dark_16_bit_grey_picture_is_dark(read):
    deep = np.full((4, 4), 200, np.uint16)
    assert_near(
        one_frame(read("a.png", encoded(Image.fromarray(deep), "PNG"))), [[[1] * 3] * 4] * 4, 0
    )


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bit_rgb(read, suffix):
    deep = np.random.default_rng(4).integers(0, 65536, (7, 9, 3), dtype=np.uint16)
    frame = one_frame(read("a.png", cv2.imencode(suffix, deep)[1].tobytes()))
    assert_near(frame, deep[:, :, ::-1] / 257.0, 1)


def test_16_bit_with_alpha(read):
    deep = np.full((2, 2, 4), 65535, np.uint16)
    deep[0, 0] = (0, 0, 0, 0)
    deep[1, 1] = (0, 0, 65535, 65535)
    frame = one_frame(read("a.png", cv2.imencode(".png", deep)[1].tobytes()))
    assert frame.tolist() == [[[255] * 3, [255] * 3], [[255] * 3, [255, 0, 0]]]


def test_white_is_zero_in_16_bits(read):
    data = encoded(Image.fromarray(np.array([[0, 65535]], np.uint16)), "TIFF", tiffinfo={262: 0})
    with Image.open(io.BytesIO(data)) as image:
        if image.tag_v2[262] != 0:
            pytest.skip("this Pillow writes its own photometric interpretation")
    assert one_frame(read("a.tif", data)).tolist() == [[[255] * 3, [0] * 3]]


@pytest.mark.parametrize(
    ("values", "expected", "noted"),
    [
        (np.array([[0, 100, 255]], np.int32), [0, 100, 255], False),
        (np.array([[0, 256, 65535]], np.int32), [0, 1, 255], False),
        (np.array([[-10, 0, 10]], np.int32), [0, 128, 255], True),
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255], False),
        (np.array([[0.0, 100.0, 255.0]], np.float32), [0, 100, 255], False),
        (np.array([[np.nan, np.inf, 0.0]], np.float32), [0, 255, 0], False),
        (np.array([[5.0, 5.0, 1e9]], np.float32), [0, 0, 255], True),
    ],
)
def test_deep_values_of_no_stated_range(read, values, expected, noted):
    loaded = read("a.tif", encoded(Image.fromarray(values), "TIFF"))
    assert one_frame(loaded)[0, :, 0].tolist() == expected
    assert any("spread over black to white" in note for note in loaded.notes) == noted


# Transparency


@pytest.mark.parametrize("opacity", [0, 1, 64, 128, 254, 255])
@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_composited_over_white(read, image_format, opacity):
    image = solid((200, 0, 30, opacity), mode="RGBA")
    options = {"lossless": True, "exact": True} if image_format == "WEBP" else {}
    frame = one_frame(read("a.png", encoded(image, image_format, **options)))
    part = opacity / 255
    expected = [value * part + 255 * (1 - part) for value in (200, 0, 30)]
    assert_near(frame, np.full((6, 8, 3), np.rint(expected)), 1)


def test_alpha_of_avif(read):
    image = solid((0, 0, 0, 0), (16, 16), "RGBA")
    assert_near(one_frame(read("a.avif", encoded(image, "AVIF"))), np.full((16, 16, 3), 255), 2)


def test_grey_with_alpha(read):
    frame = one_frame(read("a.png", encoded(solid((0, 128), mode="LA"), "PNG")))
    assert_near(frame, np.full((6, 8, 3), 127), 1)


def two_colours():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    return image


@pytest.mark.parametrize("image_format", ["PNG", "GIF"])
def test_a_palette_with_a_transparent_colour(read, image_format):
    data = encoded(two_colours(), image_format, transparency=0)
    assert one_frame(read("a.gif", data)).tolist() == [[[255, 255, 255], [0, 0, 255]]]


def test_a_palette_with_opacities(read):
    data = encoded(two_colours(), "PNG", transparency=bytes([128, 255]))
    assert_near(one_frame(read("a.png", data)), [[[255, 127, 127], [0, 0, 255]]], 1)


@pytest.mark.parametrize(
    ("depth", "colour_type", "row", "key", "expected"),
    [
        (1, 0, b"\x40", b"\0\1", [0, 255]),
        (1, 0, b"\x40", b"\0\0", [255, 255]),
        (2, 0, b"\x60", b"\0\1", [255, 170]),
        (4, 0, b"\x16", b"\0\1", [255, 102]),
        (8, 0, b"\x07\x50", b"\0\7", [255, 80]),
        (16, 0, b"\x12\x34\x34\x00", b"\x12\x34", [255, 52]),
        (8, 2, b"\x07\x07\x07\x50\x50\x50", b"\0\7\0\7\0\7", [255, 80]),
        (16, 2, b"\x12\x34" * 3 + b"\x34\x00" * 3, b"\x12\x34" * 3, [255, 52]),
    ],
)
def test_the_one_transparent_colour_of_a_png(read, depth, colour_type, row, key, expected):
    data = png(2, 1, depth, colour_type, [row], chunk(b"tRNS", key))
    frame = one_frame(read("a.png", data))
    assert frame.tolist() == [[[value] * 3 for value in expected]]
