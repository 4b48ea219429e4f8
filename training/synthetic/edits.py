"""Named edits of pictures: what happens to a picture between one work and its copy.

Every edit takes a uint8 (height, width, 3) RGB picture of at least 16 x 16 pixels and a numpy
Generator, and returns a new uint8 RGB picture, often of other height and width. The same picture
and a generator in the same state give the same bytes. The choice follows the benchmarks of Douze
et al., "The 2021 image similarity dataset and challenge" (2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from training.synthetic.canvas import Colour, font, outline, value_noise, words
from training.synthetic.pictures import picture
from training.synthetic.printed import letter

Picture = NDArray[np.uint8]
Edit = Callable[[Picture, np.random.Generator], Picture]

INSET_SEEDS = (2**40, 2**41)
"""The range that seeds of backgrounds are drawn from; keep works' seeds out of it."""


def _rgb(values: object) -> Picture:
    return np.ascontiguousarray(np.clip(np.asarray(values), 0, 255).astype(np.uint8))


def _colour(rng: np.random.Generator) -> Colour:
    red, green, blue = (int(v) for v in rng.integers(0, 256, 3))
    return red, green, blue


def _warp(image: Picture, matrix: NDArray[np.float32], rng: np.random.Generator) -> Picture:
    height, width = image.shape[:2]
    return _rgb(
        cv2.warpPerspective(
            image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=_colour(rng)
        )
    )


def _resized(image: Picture, height: float, width: float) -> Picture:
    shape = (max(8, round(width)), max(8, round(height)))
    smaller = shape[0] * shape[1] < image.shape[0] * image.shape[1]
    return _rgb(
        cv2.resize(image, shape, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    )


def _cropped(image: Picture, rng: np.random.Generator, share: float) -> Picture:
    """A window that holds about `share` of the area, of an aspect up to a fifth off."""
    height, width = image.shape[:2]
    squeeze = float(np.exp(rng.uniform(-0.18, 0.18)))
    h = min(height, max(8, round(height * math.sqrt(share) * squeeze)))
    w = min(width, max(8, round(width * math.sqrt(share) / squeeze)))
    top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
    return image[top : top + h, left : left + w].copy()


def jpeg(image: Picture, rng: np.random.Generator) -> Picture:
    """JPEG at quality 10 to 60, decoded again."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(10, 61))]
    _, data = cv2.imencode(".jpg", image[..., ::-1], quality)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if decoded is None:  # never seen; the codec refuses only damaged data
        raise ValueError("OpenCV could not decode the JPEG that it wrote")
    return _rgb(decoded[..., ::-1])


def downscale(image: Picture, rng: np.random.Generator) -> Picture:
    """Each side reduced to between a fifth and a half."""
    factor = rng.uniform(0.2, 0.5)
    return _resized(image, image.shape[0] * factor, image.shape[1] * factor)


def crop80(image: Picture, rng: np.random.Generator) -> Picture:
    """A window of 80 percent of the area."""
    return _cropped(image, rng, 0.8)


def crop50(image: Picture, rng: np.random.Generator) -> Picture:
    """A window of half the area."""
    return _cropped(image, rng, 0.5)


def crop25(image: Picture, rng: np.random.Generator) -> Picture:
    """A window of a quarter of the area."""
    return _cropped(image, rng, 0.25)


def mirror(image: Picture, _rng: np.random.Generator) -> Picture:
    """Left and right exchanged."""
    return np.ascontiguousarray(image[:, ::-1])


def rotate90(image: Picture, rng: np.random.Generator) -> Picture:
    """A quarter, half or three-quarter turn."""
    return np.ascontiguousarray(np.rot90(image, int(rng.integers(1, 4))))


def rotate_small(image: Picture, rng: np.random.Generator) -> Picture:
    """A turn of 3 to 20 degrees about the centre, the corners filled with one colour."""
    height, width = image.shape[:2]
    angle = rng.uniform(3, 20) * (1 if rng.random() < 0.5 else -1)
    matrix = np.eye(3, dtype=np.float32)
    matrix[:2] = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    return _warp(image, matrix, rng)


def letterbox(image: Picture, rng: np.random.Generator) -> Picture:
    """Bars of one colour above and below, or left and right."""
    height, width = image.shape[:2]
    colour = (0, 0, 0) if rng.random() < 0.5 else _colour(rng)
    share = rng.uniform(0.1, 0.4)
    tall = rng.random() < 0.5
    y, x = (int(height * share), 0) if tall else (0, int(width * share))
    return _rgb(cv2.copyMakeBorder(image, y, y, x, x, cv2.BORDER_CONSTANT, value=colour))


def aspect(image: Picture, rng: np.random.Generator) -> Picture:
    """One side stretched or squeezed by up to 1.8 times."""
    factor = float(np.exp(rng.uniform(0.2, 0.6))) ** (1 if rng.random() < 0.5 else -1)
    return _resized(image, image.shape[0], image.shape[1] * factor)


def perspective(image: Picture, rng: np.random.Generator) -> Picture:
    """The corners moved inwards by up to a fifth of each side."""
    height, width = image.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], np.float32)
    moved = source + inwards * rng.uniform(0.0, 0.2, (4, 2)) * (width, height)
    matrix = cv2.getPerspectiveTransform(source, moved.astype(np.float32))
    return _warp(image, matrix.astype(np.float32), rng)


def banner(image: Picture, rng: np.random.Generator) -> Picture:
    """A band with a line of text over the top or the bottom, or a caption across the middle."""
    height, width = image.shape[:2]
    tall = max(6, int(height * rng.uniform(0.12, 0.28)))
    top = int(rng.choice([0, (height - tall) // 2, height - tall]))
    edited = image.copy()
    if rng.random() < 0.7:
        edited[top : top + tall] = _colour(rng)
    return letter(
        edited, words(rng, 4), (width * 0.03, top + tall * 0.15), tall * 0.6, _colour(rng)
    )


def watermark(image: Picture, rng: np.random.Generator) -> Picture:
    """Half-transparent words repeated over the whole picture, often slanted."""
    height, width = image.shape[:2]
    side = int(1.5 * max(height, width))
    sheet = Image.new("L", (side, side))
    draw, name = ImageDraw.Draw(sheet), words(rng, 1)
    points = max(8, int(min(height, width) * rng.uniform(0.08, 0.2)))
    for y in range(0, side, int(points * rng.uniform(2, 5))):
        draw.text(
            (int(rng.integers(-points, points)), y),
            (name + "   ") * 8,
            255,
            font(points - points % 2),
        )
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-45, 45), 1.0)
    turned = cv2.warpAffine(np.array(sheet), turn, (side, side))
    top, left = (side - height) // 2, (side - width) // 2
    opacity = turned[top : top + height, left : left + width, None] * (rng.uniform(0.25, 0.6) / 255)
    ink = 255.0 if rng.random() < 0.7 else 0.0
    return _rgb(image + (ink - image) * opacity)


def stickers(image: Picture, rng: np.random.Generator) -> Picture:
    """One to five opaque shapes or words on the picture."""
    height, width = image.shape[:2]
    edited = image.copy()
    for _ in range(int(rng.integers(1, 6))):
        place = (rng.uniform(0, width), rng.uniform(0, height))
        reach = min(height, width) * rng.uniform(0.06, 0.2)
        if rng.random() < 0.75:
            points = outline(rng, place, reach)
            cv2.fillPoly(edited, [points], _colour(rng), cv2.LINE_AA)
            if rng.random() < 0.5:
                cv2.polylines(edited, [points], True, _colour(rng), 2, cv2.LINE_AA)
        else:
            edited = letter(
                edited, words(rng, 1), (place[0] - reach, place[1]), reach, _colour(rng)
            )
    return edited


def hue(image: Picture, rng: np.random.Generator) -> Picture:
    """All hues turned by 20 to 160 degrees one way, saturation scaled."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(10, 80) * (1 if rng.random() < 0.5 else -1)) % 180
    hsv[..., 1] *= rng.uniform(0.5, 1.5)
    return _rgb(cv2.cvtColor(_rgb(hsv), cv2.COLOR_HSV2RGB))


def gray(image: Picture, rng: np.random.Generator) -> Picture:
    """Luma alone, at times in sepia."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    tint = (1.07, 1.0, 0.8) if rng.random() < 0.25 else (1.0, 1.0, 1.0)
    return _rgb(luma * np.array(tint))


def brightness(image: Picture, rng: np.random.Generator) -> Picture:
    """All values scaled by 0.4 to 0.75, or by 1.3 to 1.9."""
    return _rgb(image * (rng.uniform(0.4, 0.75) if rng.random() < 0.5 else rng.uniform(1.3, 1.9)))


def contrast(image: Picture, rng: np.random.Generator) -> Picture:
    """Distance from the mean scaled by 0.35 to 0.7, or by 1.4 to 2.2."""
    factor = rng.uniform(0.35, 0.7) if rng.random() < 0.5 else rng.uniform(1.4, 2.2)
    mean = float(image.mean())
    return _rgb(mean + (image.astype(np.float32) - mean) * factor)


def negative(image: Picture, _rng: np.random.Generator) -> Picture:
    """Every value subtracted from 255."""
    return 255 - image


def blur(image: Picture, rng: np.random.Generator) -> Picture:
    """Gaussian blur of a radius of 0.8 to 2.2 percent of the shorter side."""
    sigma = min(image.shape[:2]) * rng.uniform(0.008, 0.022)
    return _rgb(cv2.GaussianBlur(image, (0, 0), sigma))


def noise(image: Picture, rng: np.random.Generator) -> Picture:
    """Gaussian noise of standard deviation 10 to 45, per channel or shared."""
    channels = 3 if rng.random() < 0.5 else 1
    grain = rng.standard_normal((*image.shape[:2], channels), np.float32) * rng.uniform(10, 45)
    return _rgb(image + grain)


def posterise(image: Picture, rng: np.random.Generator) -> Picture:
    """Each channel reduced to 3 to 6 levels."""
    step = 255 / (int(rng.integers(3, 7)) - 1)
    return _rgb(np.round(image / step) * step)


def cartoon(image: Picture, rng: np.random.Generator) -> Picture:
    """Flattened colours with dark outlines, in the manner of a painted restyle."""
    smooth = cv2.medianBlur(image, 5)
    smooth = _rgb(cv2.bilateralFilter(smooth, 7, 40, 5))
    luma = cv2.medianBlur(cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY), 3)
    edges = cv2.adaptiveThreshold(
        luma, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 9, float(rng.uniform(2, 6))
    )
    step = 255 / int(rng.integers(4, 9))
    return _rgb(np.where(edges[..., None] == 0, 20, np.round(smooth / step) * step))


def local_warp(image: Picture, rng: np.random.Generator) -> Picture:
    """Every part moved by up to four percent of the shorter side, smoothly."""
    height, width = image.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    reach = min(height, width) * rng.uniform(0.04, 0.09)
    shifts = []
    for _ in range(2):
        field = value_noise(rng, 64, int(rng.integers(3, 7)), 1)
        shifts.append(np.float32(reach) * (cv2.resize(field, (width, height)) - np.float32(0.5)))
    moved = cv2.remap(
        image, x + shifts[0], y + shifts[1], cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT
    )
    return _rgb(moved)


def set_into(image: Picture, ground: Picture, rng: np.random.Generator, share: float) -> Picture:
    """The picture, made smaller, at a random place of `ground`, over `share` of its area.

    Raises ValueError unless 0 < share < 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, not {share}")
    tall, wide = ground.shape[:2]
    side = math.sqrt(tall * wide * share)
    ratio = math.sqrt(float(np.clip(image.shape[1] / image.shape[0], 0.5, 2.0)))
    small = _resized(image, min(side / ratio, tall * 0.98), min(side * ratio, wide * 0.98))
    height, width = small.shape[:2]
    top, left = int(rng.integers(0, tall - height + 1)), int(rng.integers(0, wide - width + 1))
    page = ground.copy()
    page[top : top + height, left : left + width] = small
    return page


def _inset(image: Picture, rng: np.random.Generator, share: float) -> Picture:
    return set_into(image, picture(int(rng.integers(*INSET_SEEDS)), 256), rng, share)


def inset40(image: Picture, rng: np.random.Generator) -> Picture:
    """The picture set into another picture, over 40 percent of its area."""
    return _inset(image, rng, 0.4)


def inset20(image: Picture, rng: np.random.Generator) -> Picture:
    """The picture set into another picture, over 20 percent of its area."""
    return _inset(image, rng, 0.2)


def screenshot(image: Picture, rng: np.random.Generator) -> Picture:
    """The picture in the frame of a browser or a feed, with bars, names and buttons."""
    height, width = image.shape[:2]
    dark = rng.random() < 0.5
    paper, ink = (24, 228) if dark else (246, 40)
    top, bottom = (int(height * rng.uniform(0.08, 0.2)) for _ in range(2))
    side = int(width * rng.uniform(0.0, 0.25))
    page = np.full((height + top + bottom, width + side, 3), paper, np.uint8)
    left = int(side * rng.random())
    page[top : top + height, left : left + width] = image
    accent = _colour(rng)
    radius = max(2, top // 4)
    cv2.circle(page, (2 * radius, top // 2), radius, accent, -1, cv2.LINE_AA)
    page = letter(page, words(rng, 2), (4 * radius, top * 0.2), top * 0.5, (ink, ink, ink))
    for k in range(int(rng.integers(2, 6))):
        place = (int((2 + 4 * k) * radius), height + top + bottom // 2)
        cv2.circle(page, place, radius, accent if k == 0 else (128, 128, 128), 1, cv2.LINE_AA)
    return page


EDITS: dict[str, Edit] = {
    edit.__name__: edit
    for edit in (
        jpeg, downscale, crop80, crop50, crop25, mirror, rotate90, rotate_small, letterbox, aspect,
        perspective, banner, watermark, stickers, hue, gray, brightness, contrast, negative, blur,
        noise, posterise, cartoon, local_warp, inset40, inset20, screenshot,
    )
}  # fmt: skip
"""Every edit by its name."""

_GEOMETRY = (
    "crop80", "crop50", "crop25", "rotate_small", "aspect", "perspective", "local_warp",
)  # fmt: skip
_FRAMES = ("letterbox", "inset40", "inset20", "screenshot")


def random_stack(image: Picture, rng: np.random.Generator, n: int) -> Picture:
    """`n` different edits applied one after another, in an order that a real copy could take.

    At most one crop, and at most one edit that shrinks the picture inside a frame, so that
    something is left to find. Raises ValueError unless 0 <= n <= 8.
    """
    if not 0 <= n <= 8:
        raise ValueError(f"a stack has 0 to 8 edits, not {n}")
    chosen: list[str] = []
    for name in (str(v) for v in rng.permutation(list(EDITS))):
        cut = name.startswith("crop") and any(other.startswith("crop") for other in chosen)
        framed = name in _FRAMES and any(other in _FRAMES for other in chosen)
        if len(chosen) < n and not cut and not framed:
            chosen.append(name)
    # First the change of content, then the frame, last the compression of what was put together.
    rank = dict.fromkeys(_GEOMETRY, 0) | dict.fromkeys(_FRAMES, 2) | {"jpeg": 3, "downscale": 3}
    for name in sorted(chosen, key=lambda name: rank.get(name, 1)):
        image = EDITS[name](image, rng)
    return image
