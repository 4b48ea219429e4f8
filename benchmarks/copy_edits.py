"""The edits of the copy benchmark: other and harder than those that calibration and training use.

`training.synthetic.edits` is what the calibration is fitted to and the models are
trained with; a benchmark that drew from it would measure how well they remember it. What is mild or
drawn there is harsh or real here: insets lie in real pictures, blur reaches 4 percent of the
shorter side.

Every edit takes a uint8 (height, width, 3) RGB picture, a numpy Generator and other pictures to lay
it into or under, and returns a new one. The same arguments give the same bytes. Long because it is
a list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic import edits as shipped
from training.synthetic.canvas import outline, value_noise, words
from training.synthetic.edits import set_into
from training.synthetic.printed import letter

Picture = NDArray[np.uint8]
Grounds = Sequence[Picture]
Edit = Callable[[Picture, np.random.Generator, Grounds], Picture]
Colour = tuple[int, int, int]


def _rgb(values: object) -> Picture:
    return np.ascontiguousarray(np.clip(np.asarray(values), 0, 255).astype(np.uint8))


def _colour(rng: np.random.Generator) -> Colour:
    red, green, blue = (int(v) for v in rng.integers(0, 256, 3))
    return red, green, blue


def _either(rng: np.random.Generator, low: tuple[float, float], high: tuple[float, float]) -> float:
    return float(rng.uniform(*(low if rng.random() < 0.5 else high)))


def _resized(image: Picture, height: float, width: float) -> Picture:
    size = (max(8, round(width)), max(8, round(height)))
    smaller = size[0] * size[1] < image.shape[0] * image.shape[1]
    return _rgb(
        cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    )


def _coded(image: Picture, suffix: str, setting: int, quality: int) -> Picture:
    _, data = cv2.imencode(suffix, image[..., ::-1], [setting, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return _rgb(decoded[..., ::-1])


# Loss of detail -----------------------------------------------------------------------------------


def compression(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """JPEG at quality 4 to 25, or WebP at 1 to 12."""
    if rng.random() < 0.6:
        return _coded(image, ".jpg", cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(4, 26)))
    return _coded(image, ".webp", cv2.IMWRITE_WEBP_QUALITY, int(rng.integers(1, 13)))


def downscale(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """The longer side reduced to 80 to 180 pixels."""
    factor = rng.uniform(80, 180) / max(image.shape[:2])
    return _resized(image, image.shape[0] * factor, image.shape[1] * factor)


def blur(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """Gaussian blur of a sigma of 1 to 4 percent of the shorter side."""
    return _rgb(cv2.GaussianBlur(image, (0, 0), min(image.shape[:2]) * rng.uniform(0.01, 0.04)))


def noise(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """Gaussian noise of standard deviation 30 to 75, per channel or shared."""
    channels = 3 if rng.random() < 0.5 else 1
    grain = rng.standard_normal((*image.shape[:2], channels), np.float32) * rng.uniform(30, 75)
    return _rgb(image + grain)


def mosaic(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """Square tiles of 1.5 to 3 percent of the shorter side, each of one colour."""
    height, width = image.shape[:2]
    tile = max(2.0, min(height, width) * rng.uniform(0.015, 0.03))
    small = _resized(image, height / tile, width / tile)
    return _rgb(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST))


# Geometry -----------------------------------------------------------------------------------------


def _crop(share: float) -> Edit:
    def crop(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
        height, width = image.shape[:2]
        squeeze = float(np.exp(rng.uniform(-0.25, 0.25)))
        h = min(height, max(8, round(height * share**0.5 * squeeze)))
        w = min(width, max(8, round(width * height * share / h)))
        h = min(height, max(8, round(width * height * share / w)))
        top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
        return image[top : top + h, left : left + w].copy()

    return crop


def mirror(image: Picture, _rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """Left and right exchanged."""
    return np.ascontiguousarray(image[:, ::-1])


def rotate90(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """A quarter, half or three-quarter turn; one in three is mirrored too."""
    rotated = np.rot90(image, int(rng.integers(1, 4)))
    return np.ascontiguousarray(rotated[:, ::-1] if rng.random() < 0.33 else rotated)


def rotate_small(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """A turn of 3 to 30 degrees: on a larger sheet, or cut back to the former frame."""
    height, width = image.shape[:2]
    angle = _either(rng, (-30, -3), (3, 30))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    size = (width, height)
    if rng.random() < 0.5:
        cosine, sine = abs(turn[0, 0]), abs(turn[0, 1])
        size = (
            int(width * cosine + height * sine) + 1,
            int(width * sine + height * cosine) + 1,
        )
        turn[:, 2] += ((size[0] - width) / 2, (size[1] - height) / 2)
    return _rgb(cv2.warpAffine(image, turn, size, borderValue=_colour(rng)))


def aspect(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """One side stretched or squeezed by 1.25 to 2.2 times."""
    factor = rng.uniform(1.25, 2.2)
    return _resized(
        image, image.shape[0], image.shape[1] * (factor if rng.random() < 0.5 else 1 / factor)
    )


def perspective(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """The corners moved inwards by up to 28 percent of each side."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], np.float32)
    moved = corners + inwards * rng.uniform(0.0, 0.28, (4, 2)) * (width, height)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return _rgb(cv2.warpPerspective(image, matrix, (width, height), borderValue=_colour(rng)))


def local_warp(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """Every part moved by up to 8 percent of the shorter side, smoothly, or the middle twirled."""
    height, width = image.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    if rng.random() < 0.65:
        reach = np.float32(min(height, width) * rng.uniform(0.06, 0.16))
        cells = int(rng.integers(3, 7))
        right, down = (
            reach * (cv2.resize(value_noise(rng, 64, cells, 1), (width, height)) - np.float32(0.5))
            for _ in range(2)
        )
        x, y = x + right, y + down
    else:
        middle = np.array([width, height]) * rng.uniform(0.35, 0.65, 2)
        dx, dy = x - middle[0], y - middle[1]
        near = np.exp(-(dx**2 + dy**2) / (min(height, width) * rng.uniform(0.2, 0.35)) ** 2)
        angle = near * _either(rng, (-1.6, -0.6), (0.6, 1.6))
        x = (middle[0] + dx * np.cos(angle) - dy * np.sin(angle)).astype(np.float32)
        y = (middle[1] + dx * np.sin(angle) + dy * np.cos(angle)).astype(np.float32)
    return _rgb(cv2.remap(image, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT))


# Covers -------------------------------------------------------------------------------------------


def banner(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """One or two bands with a line of text over the picture."""
    for _ in range(int(rng.integers(1, 3))):
        image = shipped.banner(image, rng)
    return image


def watermark(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """Half-transparent words over the whole picture."""
    return shipped.watermark(image, rng)


def stickers(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """Three to nine opaque shapes or words on the picture."""
    height, width = image.shape[:2]
    edited = image.copy()
    for _ in range(int(rng.integers(3, 10))):
        place = (rng.uniform(0.05, 0.95) * width, rng.uniform(0.05, 0.95) * height)
        reach = min(height, width) * rng.uniform(0.07, 0.2)
        if rng.random() < 0.7:
            points = outline(rng, place, reach)
            cv2.fillPoly(edited, [points], _colour(rng), cv2.LINE_AA)
            cv2.polylines(edited, [points], True, _colour(rng), 2, cv2.LINE_AA)
        else:
            edited = letter(
                edited, words(rng, 1), (place[0] - reach, place[1]), reach, _colour(rng)
            )
    return edited


def overlay(image: Picture, rng: np.random.Generator, grounds: Grounds) -> Picture:
    """Another picture laid over it, with an opacity of 25 to 45 percent."""
    over = _resized(grounds[0], *image.shape[:2])
    opacity = float(rng.uniform(0.25, 0.45))
    return _rgb(cv2.addWeighted(image, 1 - opacity, over, opacity, 0))


# Colour -------------------------------------------------------------------------------------------


def hue(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """All hues shifted by 20 to 160 degrees one way, or the channels exchanged."""
    if rng.random() < 0.7:
        return shipped.hue(image, rng)
    order = ((2, 1, 0), (1, 2, 0), (2, 0, 1), (0, 2, 1))[int(rng.integers(4))]
    return np.ascontiguousarray(image[..., order])


def grey(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """Luma or one channel alone, at times in sepia."""
    if rng.random() < 0.6:
        return shipped.gray(image, rng)
    return np.repeat(image[..., [int(rng.integers(3))]], 3, axis=2)


def brightness(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """All values scaled by 0.2 to 0.5 or by 1.6 to 2.5, or a gamma of 0.3 to 0.5 or 2 to 3.5."""
    if rng.random() < 0.5:
        return _rgb(image * _either(rng, (0.2, 0.5), (1.6, 2.5)))
    return _rgb(255 * (image / 255) ** _either(rng, (0.3, 0.5), (2.0, 3.5)))


def contrast(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """Distance from the mean scaled by 0.15 to 0.45, or by 2 to 3.5."""
    mean = float(image.mean())
    factor = _either(rng, (0.15, 0.45), (2.0, 3.5))
    return _rgb(mean + (image.astype(np.float32) - mean) * factor)


def negative(image: Picture, _rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """Every value subtracted from 255."""
    return 255 - image


# Style --------------------------------------------------------------------------------------------


def posterise(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """Each channel reduced to 2 to 4 levels."""
    step = 255 / (int(rng.integers(2, 5)) - 1)
    return _rgb(np.round(image / step) * step)


def cartoon(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """Flat colours of 4 to 7 levels with dark outlines."""
    smooth = _rgb(
        cv2.edgePreservingFilter(image, flags=1, sigma_s=float(rng.uniform(20, 60)), sigma_r=0.4)
    )
    luma = cv2.medianBlur(cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY), 5)
    lines = cv2.adaptiveThreshold(
        luma, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 11, float(rng.uniform(2, 5))
    )
    step = 255 / (int(rng.integers(4, 8)) - 1)
    return _rgb(np.where(lines[..., None] == 0, 15, np.round(smooth / step) * step))


def repainted(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """In the manner of a watercolour, or of oil: strokes of the colours that prevail there."""
    if rng.random() < 0.5:
        return _rgb(
            cv2.stylization(
                image, sigma_s=float(rng.uniform(30, 90)), sigma_r=float(rng.uniform(0.3, 0.6))
            )
        )
    return _oil(image, int(rng.integers(3, 7)), int(rng.integers(8, 16)))


def _oil(image: Picture, radius: int, levels: int) -> Picture:
    """Each pixel takes the mean colour of the brightness that prevails around it."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.int32) * levels // 256
    most = np.full(luma.shape, -1.0, np.float32)
    painted = np.zeros(image.shape, np.float32)
    size = (2 * radius + 1, 2 * radius + 1)
    for level in range(levels):
        mask = (luma == level).astype(np.float32)
        count = cv2.boxFilter(mask, -1, size)
        mean = cv2.boxFilter(image * mask[..., None], -1, size) / np.maximum(count, 1e-6)[..., None]
        better = count > most
        painted[better] = mean[better]
        most = np.maximum(most, count)
    return _rgb(painted)


def sketch(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """A pencil drawing after it, grey or coloured."""
    grey_one, coloured = cv2.pencilSketch(
        image, sigma_s=float(rng.uniform(20, 60)), sigma_r=0.07, shade_factor=0.04
    )
    return _rgb(coloured if rng.random() < 0.5 else np.repeat(grey_one[..., None], 3, axis=2))


# Frames -------------------------------------------------------------------------------------------


def letterbox(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """Bars on two sides, of 15 to 60 percent: of one colour, or of the picture itself, blurred."""
    height, width = image.shape[:2]
    share = rng.uniform(0.15, 0.6)
    y, x = (int(height * share), 0) if rng.random() < 0.5 else (0, int(width * share))
    tall, wide = height + 2 * y, width + 2 * x
    if rng.random() < 0.35:
        factor = max(tall / height, wide / width)
        large = _resized(image, height * factor + 1, width * factor + 1)
        page = _rgb(cv2.GaussianBlur(large[:tall, :wide], (0, 0), min(height, width) * 0.06))
    else:
        page = np.full((tall, wide, 3), (0, 0, 0) if rng.random() < 0.5 else _colour(rng), np.uint8)
    page[y : y + height, x : x + width] = image
    return page


def screenshot(image: Picture, rng: np.random.Generator, _grounds: Grounds) -> Picture:
    """The picture in the frame of a browser or a feed, with bars, names and buttons."""
    return shipped.screenshot(image, rng)


def _inset(share: float) -> Edit:
    def inset(image: Picture, rng: np.random.Generator, grounds: Grounds) -> Picture:
        return set_into(image, grounds[0], rng, share)

    return inset


def collage(image: Picture, rng: np.random.Generator, grounds: Grounds) -> Picture:
    """One of four pictures of equal size, a quarter of the sheet."""
    cells = [_resized(one, *image.shape[:2]) for one in (image, *grounds[:3])]
    order = rng.permutation(4)
    rows = [np.concatenate([cells[order[i]], cells[order[i + 1]]], axis=1) for i in (0, 2)]
    return np.concatenate(rows)


# Named --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Named:
    """One edit of the benchmark.

    Attributes:
        name: in tables.
        edit: what it does.
        family: a stack takes at most one of a family, so that a person still sees the copy.
        grounds: how many other pictures it needs.
        beyond: whether it goes beyond what a copy detector is commonly held to.
    """

    name: str
    edit: Edit
    family: str
    grounds: int = 0
    beyond: bool = False


_FAMILIES = ("shape", "cut", "turn", "style", "colour", "cover", "frame", "loss")
"""In the order in which a stack applies them: content, then what lies over and around it, last the
compression of what was put together."""

SINGLE = (
    Named("compression", compression, "loss"),
    Named("downscale", downscale, "loss"),
    Named("crop to 80 %", _crop(0.8), "cut"),
    Named("crop to 50 %", _crop(0.5), "cut"),
    Named("crop to 25 %", _crop(0.25), ""),
    Named("mirror", mirror, "turn"),
    Named("quarter turns", rotate90, "turn"),
    Named("small rotation", rotate_small, "turn"),
    Named("letterbox", letterbox, "frame"),
    Named("aspect", aspect, "shape"),
    Named("perspective", perspective, "shape"),
    Named("banner", banner, "cover"),
    Named("watermark", watermark, "cover"),
    Named("stickers", stickers, "cover"),
    Named("hue", hue, "colour"),
    Named("grey", grey, "colour"),
    Named("brightness", brightness, "colour"),
    Named("contrast", contrast, "colour"),
    Named("negative", negative, "colour"),
    Named("blur", blur, "loss"),
    Named("noise", noise, "loss"),
    Named("posterise", posterise, "style"),
    Named("cartoon", cartoon, "style"),
    Named("local warp", local_warp, "shape"),
    Named("inset, 40 % of the area", _inset(0.4), "frame", 1),
    Named("inset, 20 % of the area", _inset(0.2), "", 1),
    Named("inset, 40 % of the sides", _inset(0.16), "", 1),
    Named("inset, 20 % of the sides", _inset(0.04), "", 1),
    Named("screenshot", screenshot, "frame"),
    Named("repainted", repainted, "style", beyond=True),
    Named("sketch", sketch, "", beyond=True),
    Named("mosaic", mosaic, "loss", beyond=True),
    Named("overlay", overlay, "cover", 1, beyond=True),
    Named("collage", collage, "", 3, beyond=True),
)


def stack(
    image: Picture,
    rng: np.random.Generator,
    grounds: Grounds,
    count: int,
    *,
    without: Sequence[str] = (),
) -> Picture:
    """`count` edits of as many families, one on top of the other.

    Args:
        without: families that are left out.
    """
    pool = [one for one in SINGLE if one.family and not one.beyond and one.family not in without]
    families = sorted({one.family for one in pool}, key=_FAMILIES.index)
    if not 0 <= count <= len(families):
        raise ValueError(f"a stack has 0 to {len(families)} edits, not {count}")
    chosen = sorted(int(place) for place in rng.permutation(len(families))[:count])
    for family in (families[place] for place in chosen):
        fitting = [one for one in pool if one.family == family]
        image = fitting[int(rng.integers(len(fitting)))].edit(image, rng, grounds)
    return image


def _stack_of(count: int) -> Edit:
    return lambda image, rng, grounds: stack(image, rng, grounds, count)


def _stacked_inset(share: float) -> Edit:
    def edit(image: Picture, rng: np.random.Generator, grounds: Grounds) -> Picture:
        edited = stack(image, rng, grounds, int(rng.integers(1, 4)), without=("frame", "loss"))
        return set_into(edited, grounds[0], rng, share)

    return edit


EDITS: dict[str, Named] = {
    one.name: one
    for one in (
        *SINGLE,
        Named("stack of 2", _stack_of(2), "", 1),
        Named("stack of 3", _stack_of(3), "", 1),
        Named("stack of 4", _stack_of(4), "", 1),
        Named("stacked, inset, 40 % of the area", _stacked_inset(0.4), "", 1),
        Named("stacked, inset, 20 % of the area", _stacked_inset(0.2), "", 1),
    )
}
"""Every edit by its name."""
