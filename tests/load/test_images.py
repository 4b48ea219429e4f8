"""Pictures of every format: the right pixels, upright, in sRGB, on white, or a plain refusal."""

import io
import struct

import cv2
import numpy as np
import pytest
from load_samples import animation, chunk, detailed, encoded, png, reason, solid
from PIL import Image, ImageCms

from pipeline.errors import Reason
from pipeline.load.images import thumbnail
from pipeline.records import LoadedImage

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
    assert len(loaded.frames) == 1
    return loaded.frames[0].astype(int)


def assert_near(frame, expected, within):
    assert frame.shape == np.shape(expected)
    assert np.abs(frame.astype(int) - np.asarray(expected, int)).max() <= within


@pytest.mark.parametrize("image_format", EVERY)
def test_pixels_of_every_format(read, image_format):
    image = detailed()
    loaded = read(f"a{EVERY[image_format][0]}", written(image, image_format))
    assert (loaded.format, loaded.frame_count, loaded.notes) == (image_format, 1, ())
    frame = one_frame(loaded)
    if image_format in LOSSLESS:
        assert_near(frame, np.asarray(image), 0)
    else:
        assert np.abs(frame - np.asarray(image, int)).mean() < 4


def test_pixels_of_gif(read):
    palette = detailed().quantize(64)
    loaded = read("a.gif", encoded(palette, "GIF"))
    assert_near(one_frame(loaded), np.asarray(palette.convert("RGB")), 0)
    assert loaded.format == "GIF"


@pytest.mark.parametrize(
    ("image_format", "options"),
    [
        ("JPEG", {"progressive": True, "quality": 95}),
        ("JPEG", {"quality": 95, "restart_marker_blocks": 2}),
        ("PNG", {"optimize": True}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"compression": "packbits"}),
        ("TIFF", {"compression": "jpeg", "quality": 95}),
        ("TIFF", {"big_tiff": True}),
    ],
)
def test_variants_of_a_format(read, image_format, options):
    image = detailed()
    frame = one_frame(read("a.bin.png", encoded(image, image_format, **options)))
    assert np.abs(frame - np.asarray(image, int)).mean() < 4


@pytest.mark.parametrize("size", [(1, 1), (1, 37), (37, 1), (2, 3)])
@pytest.mark.parametrize("image_format", [*EVERY, "GIF"])
def test_the_smallest_pictures(read, image_format, size):
    data = encoded(solid((200, 100, 50), size), image_format)
    frame = one_frame(read("a.png", data))
    assert_near(frame, np.full((size[1], size[0], 3), (200, 100, 50)), 6)


# Orientation

# Where the stored picture's first row and first column are, seen upright (EXIF 2.32, 4.6.4).
SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def stored_for(upright, orientation):
    """The pixels a camera would store so that `orientation` shows `upright`."""
    first_row, first_column = SIDES[orientation]
    stored = upright if first_row in ("top", "bottom") else upright.swapaxes(0, 1)
    if first_row in ("bottom", "right"):
        stored = stored[::-1]
    if first_column in ("bottom", "right"):
        stored = stored[:, ::-1]
    return Image.fromarray(np.ascontiguousarray(stored))


def corners():
    """Four plain quarters, each of another colour, wider than high."""
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24], upright[:16, 24:] = (220, 30, 30), (30, 220, 30)
    upright[16:, :24], upright[16:, 24:] = (30, 30, 220), (230, 230, 230)
    return upright


@pytest.mark.parametrize("orientation", SIDES)
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_orientation_is_applied(read, image_format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = corners()
    data = written(stored_for(upright, orientation), image_format, exif=exif)
    frame = one_frame(read("a.jpg", data))
    assert_near(frame, upright, 0 if image_format in LOSSLESS else 40)


@pytest.mark.parametrize("orientation", [2, 6, 7])
def test_every_page_of_a_tiff_is_turned(read, orientation):
    pages = [corners(), 255 - corners()]
    stored = [stored_for(page, orientation) for page in pages]
    data = animation(stored, "TIFF", tiffinfo={0x0112: orientation})
    for frame, page in zip(read("a.tif", data).frames, pages, strict=True):
        assert_near(frame, page, 0)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_changes_nothing(read, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_near(one_frame(read("a.png", written(detailed(), "PNG", exif=exif))), detailed(), 0)


def test_broken_exif_does_not_cost_the_picture(read):
    data = written(detailed(), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xffbroken beyond repair")
    assert_near(one_frame(read("a.png", data)), detailed(), 0)


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


def test_the_profile_srgb_leaves_colours_alone(read):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = written(detailed(), "PNG", icc_profile=profile)
    assert_near(one_frame(read("a.png", data)), detailed(), 0)


def test_a_profile_holds_under_transparency_too(read):
    data = encoded(solid((200, 10, 20, 128), mode="RGBA"), "PNG", icc_profile=swapped_profile())
    part = 128 / 255
    expected = [round(value * part + 255 * (1 - part)) for value in (20, 10, 200)]
    assert_near(one_frame(read("a.png", data)), np.full((6, 8, 3), expected), 2)


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (b"no profile at all", "profile is broken"),
        (swapped_profile()[:200], "profile is broken"),
        (swapped_profile()[:16] + b"CMYK" + swapped_profile()[20:], "profile"),
    ],
)
def test_a_useless_profile_is_noted_and_ignored(read, profile, said):
    loaded = read("a.png", written(detailed(), "PNG", icc_profile=profile))
    assert_near(one_frame(loaded), detailed(), 0)
    assert len(loaded.notes) == 1
    assert said in loaded.notes[0]
    assert "ignored" in loaded.notes[0]


def test_grey_pictures_with_a_colour_profile_stay_grey(read):
    grey = Image.fromarray(np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8))
    frame = one_frame(read("a.png", encoded(grey, "PNG", icc_profile=swapped_profile())))
    assert_near(frame, np.repeat(np.asarray(grey)[:, :, None], 3, axis=2), 2)


def test_cmyk_is_converted_and_called_approximate(read):
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


# Several frames

MOVING = {"GIF": 0, "WEBP": 0, "PNG": 0, "TIFF": 0, "AVIF": 12}


def shades(count, size=(16, 16)):
    """Frames that tell their number by their colour."""
    return [solid((10 + 8 * number, 250 - 8 * number, 100), size) for number in range(count)]


def moving(count, image_format):
    options = {"lossless": True} if image_format == "WEBP" else {}
    options = {"quality": 95} if image_format == "AVIF" else options
    return animation(shades(count), image_format, **options)


def numbers(loaded, near):
    """Which of `shades` the frames are."""
    found = []
    for frame in loaded.frames:
        number = round((int(np.median(frame[:, :, 0])) - 10) / 8)
        assert_near(frame, np.full((16, 16, 3), (10 + 8 * number, 250 - 8 * number, 100)), near)
        found.append(number)
    return found


@pytest.mark.parametrize("image_format", MOVING)
def test_every_frame_comes_in_order(read, image_format):
    loaded = read("a.png", moving(5, image_format), max_frames=5)
    assert numbers(loaded, MOVING[image_format]) == [0, 1, 2, 3, 4]
    assert (loaded.frame_count, loaded.notes, loaded.format) == (5, (), image_format)


@pytest.mark.parametrize("image_format", MOVING)
def test_more_frames_than_the_limit_are_sampled_and_noted(read, image_format):
    loaded = read("a.png", moving(9, image_format), max_frames=3)
    assert numbers(loaded, MOVING[image_format]) == [0, 4, 8]
    assert loaded.frame_count == 9
    what = "pages" if image_format == "TIFF" else "frames"
    assert loaded.notes == (f"It has 9 {what}; 3 of them, spread over the whole, were looked at.",)


def test_a_single_frame_of_many_says_so(read):
    loaded = read("a.gif", moving(4, "GIF"), max_frames=1)
    assert numbers(loaded, 0) == [0]
    assert loaded.notes == ("It has 4 frames; only the first was looked at.",)


def test_gif_frames_build_on_each_other(read):
    """A frame that paints a corner alone shows the earlier frame elsewhere."""
    first = np.zeros((16, 16, 3), np.uint8)
    second = first.copy()
    second[:4, :4] = (255, 0, 0)
    third = second.copy()
    third[12:, 12:] = (0, 255, 0)
    truth = [first, second, third]
    loaded = read("a.gif", animation([Image.fromarray(one) for one in truth], "GIF"))
    for frame, expected in zip(loaded.frames, truth, strict=True):
        assert_near(frame, expected, 0)


def test_transparent_frames_of_an_animation_lie_on_white(read):
    clear, red = solid((0, 0, 0, 0), (8, 8), "RGBA"), solid((255, 0, 0, 255), (8, 8), "RGBA")
    data = encoded(red, "WEBP", save_all=True, append_images=[clear], lossless=True)
    loaded = read("a.webp", data)
    assert [frame[0, 0].tolist() for frame in loaded.frames] == [[255, 0, 0], [255, 255, 255]]


def test_pages_of_a_tiff_may_differ_in_size_and_mode(read):
    pages = [solid("red", (8, 8)), solid(128, (5, 9), "L"), solid(1, (3, 2), "1")]
    loaded = read("a.tif", animation(pages, "TIFF"))
    assert [frame.shape for frame in loaded.frames] == [(8, 8, 3), (9, 5, 3), (2, 3, 3)]
    assert [frame[0, 0].tolist() for frame in loaded.frames] == [
        [255, 0, 0], [128, 128, 128], [255, 255, 255],
    ]  # fmt: skip


def several_in_a_jpeg():
    """As cameras write a stereo pair, or a picture and its preview (CIPA DC-007)."""
    return encoded(detailed(1), "MPO", save_all=True, append_images=[detailed(2)], quality=95)


def test_every_picture_of_a_stereo_jpeg_is_seen(read):
    loaded = read("a.jpg", several_in_a_jpeg())
    assert loaded.frame_count == 2
    for frame, seed in zip(loaded.frames, (1, 2), strict=True):
        assert np.abs(frame - np.asarray(detailed(seed), int)).mean() < 4


def test_a_gain_map_is_left_out_with_a_note(read):
    words = b'http://ns.adobe.com/xap/1.0/\0<x hdrgm:Version="1.0"/>'
    segment = b"\xff\xe1" + struct.pack(">H", len(words) + 2) + words
    data = several_in_a_jpeg()
    loaded = read("a.jpg", data[:2] + segment + data[2:])
    assert (loaded.format, loaded.frame_count) == ("JPEG", 1)
    assert ["gain map" in note for note in loaded.notes] == [True]


def test_a_gif_without_its_end_mark_is_noted(read):
    data = moving(3, "GIF")
    loaded = read("a.gif", data[:-1])
    assert numbers(loaded, 0) == [0, 1, 2]
    assert ["no end mark" in note for note in loaded.notes] == [True]
    assert read("b.gif", data + bytes(100)).notes == ()


# Names


@pytest.mark.parametrize("name", ["a.jpg", "a.PNG", "a.txt", "a.docx", "a.pdf", "a", "a.xyz"])
@pytest.mark.parametrize("image_format", [*EVERY, "GIF"])
def test_content_goes_before_the_name(read, image_format, name):
    loaded = read(name, encoded(detailed(), image_format))
    assert isinstance(loaded, LoadedImage)
    assert loaded.format == image_format


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
    """Nothing is ever made up for what is missing."""
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
def test_a_cut_off_file_is_called_cut_off(read, which):
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
def test_a_tiff_whose_directories_go_round_in_a_circle_ends(read, at):
    data = bytearray(encoded(solid("red"), "TIFF"))
    (directory,) = struct.unpack("<I", data[4:8])
    (entries,) = struct.unpack("<H", data[directory : directory + 2])
    following = directory + 2 + 12 * entries
    data[following : following + 4] = struct.pack("<I", directory)
    assert len(read("a.tif", bytes(data)).frames) == 1


# Thumbnails


@pytest.mark.parametrize(
    ("size", "expected"), [((500, 250), (240, 120)), ((30, 20), (30, 20)), ((240, 240), (240, 240))]
)
def test_thumbnails(read, size, expected):
    exif = Image.Exif()
    exif[0x010E] = "secret description"
    loaded = read("a.png", written(detailed(0, size), "PNG", exif=exif))
    data = thumbnail(loaded)
    assert data == thumbnail(loaded)
    assert b"secret" not in data
    with Image.open(io.BytesIO(data)) as small:
        assert small.size == expected
        assert small.format == "JPEG"
