"""What the picture families draw with: palettes, noise, textures, outlines, masks.

Pictures are uint8 arrays of shape (height, width, 3) in RGB order; noise fields are float32 arrays
of shape (size, size) with values in [0, 1].
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

Picture = NDArray[np.uint8]
Field = NDArray[np.float32]
Colour = tuple[int, int, int]

OUTLINES = ("ellipse", "polygon", "star", "blob", "rectangle", "crescent", "cross", "drop")

_SYLLABLES = (
    "ka",
    "lo",
    "mi",
    "ra",
    "ten",
    "sol",
    "var",
    "del",
    "ni",
    "qua",
    "ar",
    "bor",
    "chi",
    "dun",
    "el",
    "fa",
    "gor",
    "hi",
    "in",
    "jo",
    "kel",
    "lu",
    "mor",
    "na",
    "o",
    "pre",
    "ri",
    "sta",
    "tu",
    "un",
    "ve",
    "wi",
    "yo",
    "ze",
    "the",
    "of",
    "and",
    "for",
    "a",
    "to",
    "night",
    "moon",
    "last",
    "iron",
    "red",
    "star",
    "city",
    "road",
    "king",
)


def palette(rng: np.random.Generator, count: int) -> list[Colour]:
    """`count` RGB colours that belong together: one of several harmonies, or none at all."""
    base, scheme = rng.uniform(0, 180), rng.integers(5)
    if scheme == 0:
        hue = rng.uniform(0, 180, count)
    elif scheme == 1:
        hue = base + rng.normal(0, 10, count)
    elif scheme == 2:
        hue = base + 90.0 * rng.integers(0, 2, count) + rng.normal(0, 6, count)
    elif scheme == 3:
        hue = base + 60.0 * rng.integers(0, 3, count) + rng.normal(0, 6, count)
    else:
        hue = base + rng.normal(0, 30, count)
    strength = rng.uniform(0.05, 1.0)
    saturation = 255 * np.clip(strength * rng.uniform(0.4, 1.3, count), 0, 1)
    value = 255 * rng.uniform(0.08, 1.0, count) ** rng.choice([0.5, 1.0])
    hsv = np.stack([hue % 180, saturation, value], -1).astype(np.uint8)[None]
    return [tuple(int(v) for v in colour) for colour in cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0]]  # type: ignore[misc]


def value_noise(
    rng: np.random.Generator, size: int, cells: int = 4, octaves: int = 4, gain: float = 0.5
) -> Field:
    """Smooth noise: random grids, each twice as fine as the last, enlarged and summed."""
    total = np.zeros((size, size), np.float32)
    weight = 1.0
    for octave in range(octaves):
        count = min(cells << octave, size)
        grid = rng.random((count, count), np.float32)
        total += weight * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
        weight *= gain
    return unit(total)


def spectral_noise(rng: np.random.Generator, size: int, exponent: float) -> Field:
    """Gaussian noise whose amplitude falls as 1/f**exponent; photographs lie near exponent 1.

    The statistic is that of Field, "Relations between the statistics of natural images and the
    response properties of cortical cells", JOSA A 4 (1987).
    """
    across = np.fft.rfftfreq(size).astype(np.float32)
    frequency = np.hypot(np.fft.fftfreq(size).astype(np.float32)[:, None], across[None])
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((size, size), np.float32)) / frequency**exponent
    return unit(np.fft.irfft2(spectrum, (size, size)).astype(np.float32))


def unit(field: NDArray[np.floating]) -> Field:
    """The field stretched to [0, 1]; a constant field becomes zeros."""
    low, high = float(field.min()), float(field.max())
    return ((field - low) / max(high - low, 1e-6)).astype(np.float32)


def grid(size: int) -> tuple[Field, Field]:
    """(x, y) coordinates in [0, 1), each of shape (size, size)."""
    line = np.arange(size, dtype=np.float32) / size
    return np.tile(line, (size, 1)), np.tile(line[:, None], (1, size))


def colourise(field: Field, colours: list[Colour]) -> Picture:
    """The field seen through a colour ramp that passes through `colours` evenly."""
    stops = np.linspace(0, 255, len(colours))
    ramp = np.stack(
        [np.interp(np.arange(256), stops, [c[k] for c in colours]) for k in range(3)], 1
    )
    return ramp.astype(np.uint8)[(np.clip(field, 0, 1) * 255).astype(np.uint8)]


def mix(under: Picture, over: Picture, mask: Field) -> Picture:
    """`over` laid on `under`, with opacity `mask` in [0, 1] of the same height and width."""
    opacity = mask[..., None]
    return (under + (over.astype(np.float32) - under) * opacity).astype(np.uint8)


def light(picture: Picture, field: Field, low: float, high: float) -> Picture:
    """The picture multiplied by `field` stretched from [0, 1] to [low, high]."""
    lit = picture * (low + (high - low) * field)[..., None]
    return np.clip(lit, 0, 255).astype(np.uint8)


def texture(rng: np.random.Generator, size: int, colours: list[Colour] | None = None) -> Picture:
    """A surface of one of twelve kinds, from flat through stripes and bricks to marble."""
    colours = colours or palette(rng, int(rng.integers(2, 5)))
    kind = rng.integers(12)
    if kind == 0:
        return np.full((size, size, 3), colours[0], np.uint8)
    x, y = grid(size)
    angle = rng.uniform(0, np.pi)
    cos, sin = math.cos(angle), math.sin(angle)
    along, across = x * cos + y * sin, y * cos - x * sin
    rate = float(rng.uniform(3, 24))
    if kind == 1:
        return colourise(unit(along), colours)
    if kind == 2:
        field = (along * rate % 1 < rng.uniform(0.2, 0.8)).astype(np.float32)
    elif kind == 3:
        field = ((along * rate % 2 < 1) ^ (across * rate % 2 < 1)).astype(np.float32)
    elif kind == 4:
        radius = rng.uniform(0.15, 0.5)
        field = (np.hypot(along * rate % 1 - 0.5, across * rate % 1 - 0.5) < radius) * np.float32(1)
    elif kind == 5:
        row = np.floor(across * rate)
        mortar = ((across * rate % 1) < 0.12) | (((along * rate / 2 + row / 2) % 1) < 0.07)
        field = np.where(mortar, 0, 0.5 + 0.5 * np.sin(row * 7 + np.floor(along * rate / 2) * 3))
    elif kind == 6:
        field = 0.5 + 0.5 * np.sin(20 * (along + 0.3 * value_noise(rng, size, 3, 4)))
    elif kind == 7:
        field = 0.5 + 0.5 * np.sin(rate * 2 * np.hypot(x - rng.random(), y - rng.random()))
    elif kind == 8:
        field = rng.random((size, size), np.float32)
    elif kind == 9:
        field = value_noise(rng, size, int(rng.integers(4, 40)), 2)
    elif kind == 10:
        field = np.abs(value_noise(rng, size, 4, 5, 0.6) * 2 - 1)
    else:
        field = spectral_noise(rng, size, rng.uniform(0.6, 1.8))
    return colourise(unit(np.asarray(field)), colours)


def outline(
    rng: np.random.Generator, centre: tuple[float, float], radius: float, kind: str | None = None
) -> NDArray[np.int32]:
    """Points (n, 2) of a closed shape about `centre`; `kind` is one of `OUTLINES`."""
    kind = kind or str(rng.choice(OUTLINES))
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    if kind == "ellipse":
        reach = np.ones_like(turn)
    elif kind == "polygon":
        turn = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 9))))
        reach = rng.uniform(0.6, 1.1, turn.size)
    elif kind == "star":
        turn = np.linspace(0, 2 * np.pi, 2 * int(rng.integers(3, 9)), endpoint=False)
        reach = np.where(np.arange(turn.size) % 2, rng.uniform(0.3, 0.7), 1.0)
    elif kind == "blob":
        reach = np.ones_like(turn)
        for k in range(2, 6):
            reach += rng.normal(0, 0.25 / k) * np.sin(k * turn + rng.uniform(0, 6))
    elif kind == "rectangle":
        turn, reach = np.pi / 4 + np.arange(4) * np.pi / 2, np.ones(4)
    elif kind == "crescent":
        turn = np.concatenate([turn[:30], turn[:30][::-1]])
        reach = np.concatenate([np.ones(30), np.full(30, rng.uniform(0.5, 0.85))])
    elif kind == "cross":
        turn = np.repeat(np.arange(4) * np.pi / 2, 3) + np.tile([-0.25, 0.25, np.pi / 4], 4)
        reach = np.tile([1.0, 1.0, rng.uniform(0.25, 0.5)], 4)
    else:
        reach = 0.6 + 0.4 * np.cos(turn / 2) ** 4
    stretch, angle = rng.uniform(0.35, 1.0), rng.uniform(0, 2 * np.pi)
    x, y = radius * reach * np.cos(turn), radius * stretch * reach * np.sin(turn)
    px = centre[0] + x * np.cos(angle) - y * np.sin(angle)
    py = centre[1] + x * np.sin(angle) + y * np.cos(angle)
    return np.stack([px, py], -1).round().astype(np.int32)


def fill(picture: Picture, points: NDArray[np.int32], paint: Picture | Colour) -> None:
    """Fill a closed shape in place, with a colour or with a texture as large as the picture."""
    if isinstance(paint, tuple):
        cv2.fillPoly(picture, [points], paint, cv2.LINE_AA)
        return
    height, width = picture.shape[:2]
    left, top = np.maximum(points.min(0), 0)
    right, bottom = np.minimum(points.max(0) + 1, (width, height))
    if right <= left or bottom <= top:
        return
    mask = np.zeros((bottom - top, right - left), np.uint8)
    shifted = (points - np.array([left, top])).astype(np.int32)
    cv2.fillPoly(mask, [shifted], 255, cv2.LINE_AA)
    part = picture[top:bottom, left:right]
    opacity = mask[..., None].astype(np.uint16)
    part[:] = (part * (255 - opacity) + paint[top:bottom, left:right] * opacity) // 255


def words(rng: np.random.Generator, count: int) -> str:
    """`count` invented words in mixed case, separated by spaces."""
    made = ["".join(rng.choice(_SYLLABLES, int(rng.integers(1, 4)))) for _ in range(count)]
    text = " ".join(made)
    return (text.upper(), text.title(), text)[int(rng.integers(3))]


@lru_cache(maxsize=64)
def font(points: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The typeface that ships inside Pillow, so that no font need be installed."""
    return ImageFont.load_default(points)
