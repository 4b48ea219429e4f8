"""Pictures of every format: correct pixels, upright, in sRGB, or a refusal with a reason."""

import io

import numpy as np
import pytest
from load_samples import (
    EVERY,
    LOSSLESS,
    animation,
    assert_near,
    corners,
    detailed,
    encoded,
    one_frame,
    solid,
    written,
)
from PIL import Image

from pipeline.core.errors import Reason
from pipeline.load.image.images import thumbnail
from pipeline.load.loaded import LoadedImage


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
def test_every_page_of_a_tiff_is_rotated(read, orientation):
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


# Names


@pytest.mark.parametrize("name", ["a.jpg", "a.PNG", "a.txt", "a.docx", "a.pdf", "a", "a.xyz"])
@pytest.mark.parametrize("image_format", [*EVERY, "GIF"])
def test_content_takes_precedence_over_the_name(read, image_format, name):
    loaded = read(name, encoded(detailed(), image_format))
    assert isinstance(loaded, LoadedImage)
    assert loaded.format == image_format


# Large pictures


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((2047, 1500), (2047, 1500)),
        ((2048, 1500), (1024, 750)),
        ((3100, 2100), (1034, 700)),
        ((1100, 4200), (275, 1050)),
        ((9000, 300), (9000, 300)),
    ],
)
def test_large_pictures_are_averaged_down_once(read, image_format, size, expected):
    image = detailed(0, (40, 30)).resize(size, Image.Resampling.BICUBIC)
    frame = one_frame(read("a.bin.png", written(image, image_format)))
    if image_format == "JPEG" and frame.shape[0] != expected[1]:
        # Its decoder halves, and cannot make thirds.
        assert frame.shape[1] in (size[0] // 2, -(-size[0] // 2))
        expected = frame.shape[1::-1]
    assert frame.shape[1::-1] == expected
    smaller = np.asarray(image.resize(expected, Image.Resampling.BOX), int)
    assert np.abs(frame - smaller).mean() < 3


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", SIDES)
def test_large_pictures_are_upright(read, image_format, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = np.array(Image.fromarray(corners()).resize((2600, 2200), Image.Resampling.NEAREST))
    data = written(stored_for(upright, orientation), image_format, exif=exif)
    frame = one_frame(read("a.png", data))
    assert frame.shape[:2] == (1100, 1300)
    assert_near(frame[::1099, ::1299], upright[::2199, ::2599], 6)


def test_limits_apply_to_the_size_in_the_file(read):
    fault = read("a.jpg", written(detailed(0, (2400, 1800)), "JPEG"), max_pixels=2_000_000)
    assert fault.reason is Reason.TOO_LARGE
    assert "4,320,000" in fault.detail


# Thumbnails


@pytest.mark.parametrize(
    ("size", "expected"), [((500, 250), (240, 120)), ((30, 20), (30, 20)), ((240, 240), (240, 240))]
)
def test_thumbnails(read, size, expected):
    exif = Image.Exif()
    exif[0x010E] = "secret description"
    loaded = read("a.png", written(detailed(0, size), "PNG", exif=exif))
    data = thumbnail(loaded, 240)
    assert data == thumbnail(loaded, 240)
    assert b"secret" not in data
    with Image.open(io.BytesIO(data)) as small:
        assert small.size == expected
        assert small.format == "JPEG"
