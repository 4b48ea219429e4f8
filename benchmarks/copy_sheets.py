"""Pictures for people to look at: what the copy benchmark missed or flagged, side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from benchmarks.copy_edits import Picture
from benchmarks.copy_set import picture_of
from training.synthetic.canvas import font

SIDE = 300
MARGIN = 6
CAPTION = 20
COLUMNS = 3


Shown = Picture | Path | None
"""A picture, the file that holds it, or nothing to show."""


def panel(shown: Shown, title: str, side: int = SIDE) -> Picture:
    """A picture in a square of `side` pixels with a line above it."""
    sheet = np.full((side + CAPTION, side, 3), 255, np.uint8)
    image = picture_of(shown, side) if isinstance(shown, Path) else shown
    if image is not None:
        factor = side / max(image.shape[:2])
        size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
        large = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else 1)
        top, left = (side - large.shape[0]) // 2, (side - large.shape[1]) // 2
        sheet[CAPTION + top : CAPTION + top + large.shape[0], left : left + large.shape[1]] = large
    drawing = Image.fromarray(sheet)
    ImageDraw.Draw(drawing).text((2, 2), title, (0, 0, 0), font(14))
    return np.array(drawing)


def cell(panels: Sequence[tuple[Shown, str]], side: int = SIDE) -> Picture:
    """Pictures side by side, each with the line above it."""
    gap = np.full((side + CAPTION, MARGIN, 3), 255, np.uint8)
    parts: list[Picture] = []
    for file, title in panels:
        parts += [panel(file, title, side), gap]
    return np.concatenate(parts[:-1], axis=1)


def sheet_of(cells: Sequence[Picture], columns: int = COLUMNS) -> Picture:
    """Cells of one size in rows of `columns`."""
    height, width = (side + 2 * MARGIN for side in cells[0].shape[:2])
    rows = -(-len(cells) // columns)
    sheet = np.full((rows * height, min(columns, len(cells)) * width, 3), 200, np.uint8)
    for number, one in enumerate(cells):
        y, x = number // columns * height + MARGIN, number % columns * width + MARGIN
        sheet[y : y + one.shape[0], x : x + one.shape[1]] = one
    return sheet


def save(image: Picture, file: Path) -> None:
    """A picture as a file, in the format that its suffix names."""
    Image.fromarray(image).save(file, quality=85)


def in_a_name(text: str) -> str:
    """A name as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
