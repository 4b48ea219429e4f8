"""Images: the frames of a file as upright 8-bit sRGB arrays, each complete or the file refused."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from pipeline.core.errors import Reason
from pipeline.load.image.colour import Colours, scale_key_colour
from pipeline.load.image.truncation import cut_off, lacks_end_mark, refuse_cut_off
from pipeline.load.limits import Limits
from pipeline.load.loaded import WORKING_EDGE, LoadedImage
from pipeline.load.opening import unreadable
from pipeline.load.refusal import FileRefusedError, one_line, too_large

# The reader of each format is called directly. `Image.open` would try readers that are not
# supported here, and apply Pillow's process-wide limit on pixels.
_READERS: Mapping[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.jpeg_factory,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}
_SEQUENTIAL = frozenset({"PNG", "WEBP", "GIF"})
"""Formats whose frames depend on earlier frames, so that all have to be decoded in turn."""

_ORIENTATION, _ICC_PROFILE = 0x0112, 34675
_AVIF_SIZE = re.compile(rb"ispe\0{4}(.{4})(.{4})", re.DOTALL)
WORK_PICTURE_EDGE = 640
"""Longer side, in pixels, of the copy of a work's picture in an index: enough to compare details by
eye, and far less than the work."""
_THUMBNAIL_QUALITY = 82

SHORTEST_EDGE = 256
"""Pixels. A narrow picture is not averaged down to a shorter side below this."""


def load_image(stream: BinaryIO, image_format: str, limits: Limits) -> LoadedImage:
    """Decodes the frames of an image file.

    Large frames are averaged down (`WORKING_EDGE`), a JPEG during decoding as far as its format
    allows. EXIF orientation is applied, ICC profiles are converted to sRGB with perceptual intent,
    transparency is composited over white, and a cut-out over black as well. Of an animation, or a
    TIFF of several pages, up to `limits.max_frames` frames are decoded, spread evenly, with a note
    if there are more.

    Args:
        stream: the open file.
        image_format: Pillow's name, as `formats.recognise` returned it.
        limits: checked before anything is decoded.

    Raises:
        FileRefusedError: CORRUPT if a selected frame can't be decoded completely; TOO_LARGE.
    """
    _silence_decoders()
    try:
        refuse_cut_off(stream, image_format)
        stream.seek(0)
        with _READERS[image_format](stream) as image:
            return _frames_of(image, stream, limits)
    except (FileRefusedError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise FileRefusedError(
            Reason.TOO_LARGE, f"the picture is too large for its decoder ({one_line(error)})"
        ) from error
    except Exception as error:
        if image_format == "AVIF":
            # Its decoder reports exceeded limits as parse errors.
            _check_pixels(_avif_pixels(stream), limits)
        raise _refusal(error, image_format) from error


def thumbnail(image: LoadedImage, edge: int = WORK_PICTURE_EDGE) -> bytes:
    """The first frame as a JPEG without metadata, its longer side at most `edge` pixels.

    The same frame gives the same bytes. Small pictures are not enlarged.
    """
    small = Image.fromarray(image.frames[0])
    small.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_THUMBNAIL_QUALITY, optimize=True)
    return buffer.getvalue()


def _frames_of(image: ImageFile.ImageFile, stream: BinaryIO, limits: Limits) -> LoadedImage:
    # Before pixels are decoded; counting frames may decode some.
    _check_size(image, limits)
    image_format = str(image.format)
    total = int(getattr(image, "n_frames", 1))
    pixels = image.width * image.height
    colours = Colours()
    decodable = total
    if image_format in _SEQUENTIAL:
        decodable = min(total, max(1, limits.max_animation_pixels // pixels))
    max_loaded = min(limits.max_frames, max(1, limits.max_pixels // pixels))
    frames: list[NDArray[np.uint8]] = []
    loaded_pixels = 0
    if image_format == "PNG":
        scale_key_colour(image)
    numbers: list[int] = []
    loaded = 0
    for number in _seek_each(image, _evenly(decodable, max_loaded), limits):
        loaded_pixels += image.width * image.height
        if frames and loaded_pixels > limits.max_pixels:
            break
        if image_format == "JPEG":
            factor = _factor(*image.size)
            image.draft(None, (image.width // factor, image.height // factor))
        image.load()
        views = [_averaged_down(view) for view in _upright(image, colours)]
        loaded_pixels += (len(views) - 1) * image.width * image.height
        frames += views
        numbers += [number] * len(views)
        loaded += 1
    if loaded < total:
        what = "pages" if image_format == "TIFF" else "frames"
        part = f"its first {decodable:,}" if decodable < total else "the whole"
        looked_at = (
            "only the first was looked at"
            if loaded == 1
            else f"{loaded:,} of them, spread over {part}, were looked at"
        )
        limit = (
            "max_animation_pixels"
            if decodable < total
            else "max_frames"
            if loaded >= limits.max_frames
            else "max_pixels"
        )
        colours.note(
            f"It has {total:,} {what}; {looked_at}; to look at more, raise limits.{limit} in the "
            "configuration."
        )
    elif image_format == "JPEG" and "mp" in image.info:
        colours.note(
            "It carries further pictures, such as a preview or a gain map, which were left out."
        )
    complete = loaded == total
    if lacks_end_mark(stream, image_format):
        colours.note("The file has no end mark; later frames may be missing from it.")
        complete = False
    return LoadedImage(
        tuple(frames), image_format, total, tuple(colours.notes), complete, tuple(numbers)
    )


def _seek_each(
    image: ImageFile.ImageFile, numbers: tuple[int, ...], limits: Limits
) -> Iterator[int]:
    """Seeks each of the frames in turn, checking the size of every frame passed."""
    current = 0
    for number in numbers:
        # Sequential formats are decoded frame by frame on the way, and any may be larger.
        steps = range(current + 1, number + 1) if image.format in _SEQUENTIAL else (number,)
        for step in steps:
            image.seek(step)
            _check_size(image, limits)
        current = number
        yield number


def _evenly(total: int, count: int) -> tuple[int, ...]:
    """`count` numbers from 0 to `total` - 1, evenly spaced with both ends; all if total ≤ count."""
    if total <= count:
        return tuple(range(total))
    if count == 1:
        return (0,)
    # Rounded to the nearest, in integers: i × (total - 1) / (count - 1).
    return tuple((2 * i * (total - 1) + count - 1) // (2 * (count - 1)) for i in range(count))


def _check_size(image: ImageFile.ImageFile, limits: Limits) -> None:
    _check_pixels(image.width * image.height, limits)


def _check_pixels(pixels: int, limits: Limits) -> None:
    if pixels > limits.max_pixels:
        raise too_large("the picture", pixels, "pixels", limits.max_pixels, "max_pixels")


def _avif_pixels(stream: BinaryIO) -> int:
    """Pixels of the largest image in the `ispe` properties of an AVIF (ISO 23008-12, 6.5.3)."""
    stream.seek(0)
    sizes = _AVIF_SIZE.findall(stream.read(2**16))
    return max(
        (int.from_bytes(width, "big") * int.from_bytes(height, "big") for width, height in sizes),
        default=0,
    )


def _upright(image: ImageFile.ImageFile, colours: Colours) -> list[NDArray[np.uint8]]:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        # Its reader has rotated the pixels already.
        return colours.to_srgb(image, image.tag_v2.get(_ICC_PROFILE))
    profile = image.info.get("icc_profile")
    orientation = _orientation(image, colours)
    return [_rotated(view, orientation) for view in colours.to_srgb(image, profile)]


def _orientation(image: ImageFile.ImageFile, colours: Colours) -> int:
    try:
        value = image.getexif().get(_ORIENTATION, 1)
        return value if isinstance(value, int) and 1 <= value <= 8 else 1
    except Exception as error:  # broken metadata does not make a picture unusable
        colours.note(f"Its EXIF metadata are broken and were ignored ({one_line(error)}).")
        return 1


def _rotated(frame: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """The frame, upright, by EXIF 2.32 (4.6.4, Orientation)."""
    if orientation in (5, 6, 7, 8):
        frame = frame.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        frame = frame[:, ::-1]
    if orientation in (3, 4, 7, 8):
        frame = frame[::-1]
    return np.ascontiguousarray(frame)


def _factor(width: int, height: int) -> int:
    """The integer factor by which a picture is averaged down."""
    longer, shorter = max(width, height), min(width, height)
    return max(1, min(longer // WORKING_EDGE, shorter // SHORTEST_EDGE))


def _averaged_down(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = _factor(frame.shape[1], frame.shape[0])
    if factor == 1:
        return frame
    return np.asarray(Image.fromarray(frame).reduce(factor), np.uint8)


_CUT_OFF = ("truncated", "premature", "no more")  # in messages of decoders


def _refusal(error: Exception, image_format: str) -> FileRefusedError:
    if isinstance(error, OSError) and error.errno is not None:
        return unreadable(error)
    message = str(error).lower()
    if isinstance(error, EOFError) or any(words in message for words in _CUT_OFF):
        return cut_off(image_format)
    return FileRefusedError(
        Reason.CORRUPT,
        f"the {image_format} picture can't be decoded ({one_line(error)}); save it again from the "
        "program that made it, as an ordinary 8-bit picture",
    )


_PILLOW = r"PIL\."


def _silence_decoders() -> None:
    """Ignores Pillow's warnings about metadata (EXIF that can't be parsed, unknown tags).

    They do not affect pixels. Warning filters are process-wide and files are decoded on several
    threads, so the filter is installed for good, for Pillow's modules only.
    """
    if not any(
        f[0] == "ignore" and getattr(f[3], "pattern", None) == _PILLOW for f in warnings.filters
    ):
        warnings.filterwarnings("ignore", module=_PILLOW)
