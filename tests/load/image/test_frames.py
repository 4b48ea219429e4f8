"""Animations and files of several pages: every frame, or an even sample with a note."""

import struct

import numpy as np
import pytest
from load_samples import animation, assert_near, detailed, encoded, solid
from PIL import Image

# Several frames

MOVING = {"GIF": 0, "WEBP": 0, "PNG": 0, "TIFF": 0, "AVIF": 12}


def shades(count, size=(16, 16)):
    """Frames whose colour encodes their number."""
    return [solid((10 + 8 * number, 250 - 8 * number, 100), size) for number in range(count)]


def moving(count, image_format):
    options = {"lossless": True} if image_format == "WEBP" else {}
    options = {"quality": 95} if image_format == "AVIF" else options
    return animation(shades(count), image_format, **options)


def numbers(loaded, near):
    """Which of `shades` the frames are."""
    result = []
    for frame in loaded.frames:
        number = round((int(np.median(frame[:, :, 0])) - 10) / 8)
        assert_near(frame, np.full((16, 16, 3), (10 + 8 * number, 250 - 8 * number, 100)), near)
        result.append(number)
    return result


@pytest.mark.parametrize("image_format", MOVING)
def test_every_frame_comes_in_order(read, image_format):
    loaded = read("a.png", moving(5, image_format), max_frames=5)
    assert numbers(loaded, MOVING[image_format]) == [0, 1, 2, 3, 4]
    assert (loaded.frame_count, loaded.notes, loaded.format) == (5, (), image_format)
    assert loaded.complete


@pytest.mark.parametrize("image_format", MOVING)
def test_more_frames_than_the_limit_are_sampled_and_noted(read, image_format):
    loaded = read("a.png", moving(9, image_format), max_frames=3)
    assert numbers(loaded, MOVING[image_format]) == [0, 4, 8]
    assert loaded.frame_count == 9
    what = "pages" if image_format == "TIFF" else "frames"
    assert loaded.notes == (
        f"It has 9 {what}; 3 of them, spread over the whole, were looked at; to look at more, "
        "raise limits.max_frames in the configuration.",
    )
    assert not loaded.complete


def test_a_single_frame_of_many_is_noted(read):
    loaded = read("a.gif", moving(4, "GIF"), max_frames=1)
    assert numbers(loaded, 0) == [0]
    assert loaded.notes[0].startswith("It has 4 frames; only the first was looked at;")
    assert not loaded.complete


def test_gif_frames_depend_on_earlier_ones(read):
    """A frame that paints only a corner shows the earlier frame elsewhere."""
    first = np.zeros((16, 16, 3), np.uint8)
    second = first.copy()
    second[:4, :4] = (255, 0, 0)
    third = second.copy()
    third[12:, 12:] = (0, 255, 0)
    truth = [first, second, third]
    loaded = read("a.gif", animation([Image.fromarray(one) for one in truth], "GIF"))
    for frame, expected in zip(loaded.frames, truth, strict=True):
        assert_near(frame, expected, 0)


def test_transparent_frames_of_an_animation_are_composited_over_white(read):
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


def test_every_picture_of_a_stereo_jpeg_is_loaded(read):
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
    assert not loaded.complete
    assert read("b.gif", data + bytes(100)).notes == ()
