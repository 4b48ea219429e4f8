"""Picture families from print and screens: posters, logos, comics pages, charts."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageDraw

from training.synthetic.canvas import (
    Colour,
    Picture,
    fill,
    font,
    outline,
    palette,
    texture,
    words,
)

Draw = Callable[[np.random.Generator, int], Picture]


def letter(
    picture: Picture, text: str, corner: tuple[float, float], points: float, colour: Colour
) -> Picture:
    """The picture with `text` set at `corner` (x, y), `points` pixels high."""
    sheet = Image.fromarray(picture)
    size = max(6, int(points))
    ImageDraw.Draw(sheet).text(corner, text, fill=colour, font=font(size - size % 2))
    return np.array(sheet)


def poster(rng: np.random.Generator, size: int, within: Draw) -> Picture:
    """A title and smaller lines over a picture by `within`, with bars and emblems."""
    picture = within(rng, size) if rng.random() < 0.6 else texture(rng, size)
    colours = palette(rng, 4)
    if rng.random() < 0.4:
        top = int(rng.uniform(0, 0.8) * size)
        picture[top : top + int(rng.uniform(0.1, 0.35) * size)] = colours[0]
    for _ in range(int(rng.integers(1, 4))):
        height = size * rng.uniform(0.06, 0.26)
        place = (rng.uniform(-0.05, 0.4) * size, rng.uniform(0, 0.9) * size)
        picture = letter(
            picture,
            words(rng, int(rng.integers(1, 3))),
            place,
            height,
            colours[1 + int(rng.integers(3))],
        )
    if rng.random() < 0.5:
        left, top = rng.uniform(0, 0.6, 2) * size
        for line in range(int(rng.integers(2, 9))):
            picture = letter(
                picture, words(rng, 6), (left, top + line * size * 0.045), size * 0.04, colours[2]
            )
    return picture


def logo(rng: np.random.Generator, size: int) -> Picture:
    """Flat shapes nested about one centre, at times with a name, on a plain ground."""
    colours = palette(rng, 5)
    ground = colours[0] if rng.random() < 0.6 else (255, 255, 255)
    picture = np.full((size, size, 3), ground, np.uint8)
    middle = rng.uniform(0.4, 0.6, 2) * size
    reach = size * rng.uniform(0.2, 0.45)
    for layer in range(int(rng.integers(1, 5))):
        points = outline(rng, tuple(middle), reach)
        fill(picture, points, colours[1 + layer % 4])
        if rng.random() < 0.5:
            turns, rate = int(rng.integers(2, 7)), reach * rng.uniform(0.3, 0.7)
            small = points - middle.astype(np.int32)
            for turn in range(turns):
                angle = 2 * np.pi * turn / turns
                spot = middle + rate * np.array([np.cos(angle), np.sin(angle)])
                fill(picture, (spot + small * 0.3).astype(np.int32), colours[1 + (layer + 1) % 4])
        reach *= rng.uniform(0.5, 0.85)
    if rng.random() < 0.6:
        height = size * rng.uniform(0.1, 0.3)
        place = (rng.uniform(0, 0.3) * size, rng.choice([0.02, 0.4, 0.72]) * size)
        picture = letter(picture, words(rng, 1), place, height, colours[-1])
    return picture


def comic(rng: np.random.Generator, size: int, within: Draw) -> Picture:
    """Panels drawn by `within`, outlined, with speech balloons."""
    page = np.full((size, size, 3), int(rng.choice([255, 255, 0, 230])), np.uint8)
    gap, rows = max(1, int(size * rng.uniform(0.008, 0.03))), int(rng.integers(1, 4))
    cuts = np.linspace(0, size, rows + 1).astype(int)
    for top, bottom in itertools.pairwise(cuts):
        columns = int(rng.integers(1, 4)) if rows > 1 else 2
        bounds = np.concatenate([[0], np.sort(rng.uniform(0.25, 0.75, columns - 1)), [1]]) * size
        for left, right in zip(bounds.astype(int), bounds.astype(int)[1:], strict=False):
            height, width = bottom - top - 2 * gap, right - left - 2 * gap
            if min(height, width) < 12:
                continue
            side = max(height, width)
            drawn = within(rng, side)
            y, x = (side - height) // 2, (side - width) // 2
            panel = np.ascontiguousarray(drawn[y : y + height, x : x + width])
            if rng.random() < 0.5:
                panel = _balloon(rng, panel)
            cv2.rectangle(panel, (0, 0), (width - 1, height - 1), (0, 0, 0), 1)
            page[top + gap : top + gap + height, left + gap : left + gap + width] = panel
    return page


def _balloon(rng: np.random.Generator, panel: Picture) -> Picture:
    height, width = panel.shape[:2]
    centre = (int(width * rng.uniform(0.3, 0.7)), int(height * rng.uniform(0.15, 0.35)))
    axes = (int(width * 0.28), max(4, int(height * 0.14)))
    cv2.ellipse(panel, centre, axes, 0, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)
    cv2.ellipse(panel, centre, axes, 0, 0, 360, (0, 0, 0), 1, cv2.LINE_AA)
    place = (centre[0] - axes[0] * 0.7, centre[1] - axes[1] * 0.6)
    return letter(panel, words(rng, 2), place, axes[1] * 0.9, (0, 0, 0))


def chart(rng: np.random.Generator, size: int) -> Picture:
    """Bars, lines or slices with labels: what a screen shows besides pictures."""
    colours = palette(rng, 6)
    dark = rng.random() < 0.4
    picture = np.full((size, size, 3), 25 if dark else 245, np.uint8)
    ink: Colour = (230, 230, 230) if dark else (30, 30, 30)
    edge, kind = int(size * 0.12), rng.integers(3)
    values = rng.uniform(0.05, 0.85, int(rng.integers(4, 14)))
    if kind == 0:
        wide = (size - 2 * edge) / values.size
        for k, value in enumerate(values):
            first = (int(edge + k * wide), size - edge)
            last = (int(edge + (k + 0.7) * wide), int(size - edge - value * (size - 2 * edge)))
            cv2.rectangle(picture, first, last, colours[k % 6 if dark else 1], -1)
    elif kind == 1:
        for colour in colours[: int(rng.integers(1, 4))]:
            walk = np.cumsum(rng.normal(0, 1, 40))
            walk = (walk - walk.min()) / max(float(np.ptp(walk)), 1e-6)
            x = np.linspace(edge, size - edge, 40)
            points = np.stack([x, size - edge - walk * (size - 2.2 * edge)], -1).astype(np.int32)
            cv2.polylines(picture, [points], False, colour, 2, cv2.LINE_AA)
    else:
        ends = np.cumsum(values) / values.sum() * 360
        for k, (start, end) in enumerate(zip(np.concatenate([[0], ends]), ends, strict=False)):
            cv2.ellipse(
                picture,
                (size // 2,) * 2,
                (int(size * 0.36),) * 2,
                0,
                start,
                end,
                colours[k % 6],
                -1,
                cv2.LINE_AA,
            )
    cv2.line(picture, (edge, size - edge), (size - edge, size - edge), ink, 1)
    cv2.line(picture, (edge, edge), (edge, size - edge), ink, 1)
    picture = letter(picture, words(rng, 3), (edge, 2), size * 0.07, ink)
    return letter(picture, words(rng, 5), (edge, size - edge + 2), size * 0.045, ink)
