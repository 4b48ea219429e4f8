"""A pool of tiles cut out of photographs and drawings that the user has, beside the drawn pool."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipeline.load.detail import has_detail
from training.pool import SIZE

Picture = NDArray[np.uint8]
Box = tuple[int, int, int, int]

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
LONGEST = 3840
LEAST_SIDE, LARGEST_SIDE = 170, 560
"""A tile's sides in pixels of the photograph: finer tiles would be little but blur."""
LARGEST_CLIPPING = 400
"""Photographs of at most this many pixels on the longer side make one tile, the whole."""


def partition(width: int, height: int, rng: np.random.Generator) -> list[Box]:
    """Tiles (left, top, right, bottom) that share no pixel and cover the whole rectangle.

    The rectangle is cut in two at random, across the longer side, until every part is small
    enough; a part that is already small enough is at times left whole, so that tiles show
    things at many scales.
    """
    done: list[Box] = []
    open_: list[Box] = [(0, 0, width, height)]
    while open_:
        left, top, right, bottom = open_.pop()
        w, h = right - left, bottom - top
        small = max(w, h) <= LARGEST_SIDE and max(w, h) <= 1.8 * min(w, h)
        if max(w, h) < 2 * LEAST_SIDE or (small and rng.random() < 0.4):
            done.append((left, top, right, bottom))
            continue
        if w >= h:
            at = left + int(rng.integers(LEAST_SIDE, w - LEAST_SIDE + 1))
            open_ += [(left, top, at, bottom), (at, top, right, bottom)]
        else:
            at = top + int(rng.integers(LEAST_SIDE, h - LEAST_SIDE + 1))
            open_ += [(left, top, right, at), (left, at, right, bottom)]
    return done


def read(file: Path) -> Picture:
    """The picture of a file on white, RGB, at most 3,840 pixels a side."""
    with Image.open(file) as opened:
        opened.draft("RGB", (LONGEST, LONGEST))
        opened.thumbnail((LONGEST, LONGEST), Image.Resampling.BICUBIC)
        layer = ImageOps.exif_transpose(opened).convert("RGBA")
    sheet = Image.new("RGBA", layer.size, (255, 255, 255, 255))
    sheet.alpha_composite(layer)
    return np.array(sheet.convert("RGB"))


def photographs(folder: Path, path: Path, seed: int) -> tuple[Path, NDArray[np.intp]]:
    """Tiles of every picture under `folder`, and the photograph that each is of.

    The tiles are written to `path`, uint8 (n, 224, 224, 3), and the photographs' numbers (n,)
    beside it, unless both are there already. Tiles without enough detail to be told apart are
    left out.

    Raises:
        ValueError: if no picture under the folder gives a tile.
    """
    numbers = path.with_suffix(".of.npy")
    if path.exists() and numbers.exists():
        return path, np.asarray(np.load(numbers))
    tiles: list[Picture] = []
    of: list[int] = []
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    for number, file in enumerate(files):
        whole = read(file)
        height, width = whole.shape[:2]
        rng = np.random.default_rng([seed, number])
        boxes = [(0, 0, width, height)]
        if max(width, height) > LARGEST_CLIPPING:
            boxes = partition(width, height, rng)
        for left, top, right, bottom in boxes:
            part = whole[top:bottom, left:right]
            smaller = min(part.shape[:2]) >= SIZE
            way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
            tile = np.asarray(cv2.resize(part, (SIZE, SIZE), interpolation=way), np.uint8)
            if has_detail(tile):
                tiles.append(tile)
                of.append(number)
    if not tiles:
        raise ValueError(f"no picture with enough detail under {folder}")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.stack(tiles))
    np.save(numbers, np.array(of, np.intp))
    return path, np.array(of, np.intp)
