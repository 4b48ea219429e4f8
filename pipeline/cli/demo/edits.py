"""Edits that make the pictures of the demo's drop, each a function of a picture.

Pictures are RGB `PIL.Image.Image`s; nothing is random.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps


def crop(image: Image.Image, share: float) -> Image.Image:
    """An off-centre part of the picture, with `share` of each side."""
    width, height = round(image.width * share), round(image.height * share)
    left, top = (image.width - width) * 2 // 5, (image.height - height) // 5
    return image.crop((left, top, left + width, top + height))


def mirror(image: Image.Image) -> Image.Image:
    """The picture mirrored left to right."""
    return ImageOps.mirror(image)


def rotate(image: Image.Image) -> Image.Image:
    """The picture rotated anticlockwise by 90 degrees."""
    return image.transpose(Image.Transpose.ROTATE_90)


def scale(image: Image.Image, share: float) -> Image.Image:
    """Both sides multiplied by `share`."""
    size = (round(image.width * share), round(image.height * share))
    return image.resize(size, Image.Resampling.LANCZOS)


def recolour(image: Image.Image) -> Image.Image:
    """Hues shifted by a third of the colour circle, and brightened a little."""
    red, green, blue = image.split()
    moved = Image.merge("RGB", (blue, red, green))
    return moved.point([min(255, round(255 * (level / 255) ** 0.85)) for level in range(256)] * 3)


def add_banner(image: Image.Image, text: str) -> Image.Image:
    """A solid banner over the lowest fifth, with `text` on it."""
    edited = image.copy()
    draw = ImageDraw.Draw(edited)
    top = round(image.height * 0.8)
    draw.rectangle((0, top, image.width, image.height), fill=(176, 24, 32))
    font = ImageFont.load_default(size=round(image.height * 0.12))
    middle = (image.width / 2, (top + image.height) / 2)
    draw.text(middle, text, font=font, fill=(255, 255, 255), anchor="mm")
    return edited


def inset(image: Image.Image, behind: Image.Image, share: float) -> Image.Image:
    """`image` at `share` of the width of `behind`, pasted on it with a white edge."""
    edited = behind.copy()
    width = round(behind.width * share)
    small = image.resize(
        (width, round(image.height * width / image.width)), Image.Resampling.LANCZOS
    )
    framed = ImageOps.expand(small, border=6, fill=(250, 250, 246))
    edited.paste(framed, ((behind.width - framed.width) // 3, (behind.height - framed.height) // 2))
    return edited


def white(size: tuple[int, int]) -> Image.Image:
    """A blank white picture of (width, height)."""
    return Image.new("RGB", size, (255, 255, 255))


def jpeg(image: Image.Image, quality: int) -> bytes:
    """The picture as a JPEG file of the given quality."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def png(image: Image.Image) -> bytes:
    """The picture as a PNG file."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def animation(images: Sequence[Image.Image], size: tuple[int, int]) -> bytes:
    """The pictures as frames of an animated WebP, each fitted to `size` by cropping."""
    frames = [ImageOps.fit(image, size, Image.Resampling.LANCZOS) for image in images]
    stream = io.BytesIO()
    frames[0].save(
        stream, "WEBP", save_all=True, append_images=frames[1:], duration=800, quality=80
    )
    return stream.getvalue()


def truncate(content: bytes) -> bytes:
    """The first half of a file, as an interrupted transfer leaves it."""
    return content[: len(content) // 2]


def empty_photoshop_file() -> bytes:
    """A valid header of a Photoshop file (version 1, RGB, 64 x 64), and an empty body.

    Source: Adobe Photoshop File Formats Specification, "File Header Section".
    """
    header = b"8BPS" + (1).to_bytes(2, "big") + bytes(6) + (3).to_bytes(2, "big")
    sides = (64).to_bytes(4, "big") * 2
    depth_and_mode = (8).to_bytes(2, "big") + (3).to_bytes(2, "big")
    no_sections = (0).to_bytes(4, "big") * 3
    raw_pixels = (0).to_bytes(2, "big") + bytes(64 * 64 * 3)
    return header + sides + depth_and_mode + no_sections + raw_pixels
