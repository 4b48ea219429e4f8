"""Pairs of views of one picture: nearly as published, and as a copy of it might look."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.synthetic.edits import EDITS

Picture = NDArray[np.uint8]

MILD = ("jpeg", "crop80", "contrast", "brightness", "blur", "aspect", "downscale", "noise")
GEOMETRY = ("rotate_small", "aspect", "perspective", "local_warp")
LIGHT = ("hue", "gray", "brightness", "contrast", "blur", "noise", "posterise", "hue", "contrast")
OVERLAYS = ("banner", "stickers", "stickers", "watermark")
INTERPOLATIONS = (cv2.INTER_AREA, cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)


def squash(image: Picture, size: int, interpolation: int = cv2.INTER_AREA) -> Picture:
    """The whole picture as (size, size, 3): aspect given up so that nothing is cut off."""
    return cv2.resize(image, (size, size), interpolation=interpolation)  # type: ignore[return-value]


def mild(image: Picture, rng: np.random.Generator, size: int) -> Picture:
    """A view such as a work is registered with: untouched half the time."""
    if rng.random() < 0.5:
        image = EDITS[MILD[int(rng.integers(len(MILD)))]](image, rng)
    return squash(image, size, INTERPOLATIONS[int(rng.integers(4))])


def strong(
    image: Picture, grounds: Picture, rng: np.random.Generator, size: int, strength: float
) -> Picture:
    """A view as a copy: cut, turned, recoloured, written over, set into one of `grounds`.

    `strength` in (0, 1] scales how often each happens, and how deep the cuts go.
    """
    if rng.random() < 0.5:
        image = _window(image, rng, rng.uniform(0.6 - 0.45 * strength, 0.9))
    if rng.random() < 0.3:
        image = EDITS["mirror"](image, rng)
    if rng.random() < 0.1 * strength:
        image = EDITS["rotate90"](image, rng)
    # Cheaper and just as instructive: what follows works at little more than the final size.
    longest = max(image.shape[:2])
    if longest > 1.2 * size:
        scale = 1.2 * size / longest
        shape = (max(24, int(image.shape[1] * scale)), max(24, int(image.shape[0] * scale)))
        image = cv2.resize(image, shape, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    if rng.random() < 0.3 * strength:
        image = EDITS[GEOMETRY[int(rng.integers(len(GEOMETRY)))]](image, rng)
    for _ in range(int(rng.choice([0, 1, 2], p=[0.35, 0.45, 0.2]))):
        if rng.random() > 0.3 + 0.7 * strength:
            continue
        image = EDITS[LIGHT[int(rng.integers(len(LIGHT)))]](image, rng)
    if rng.random() < 0.05 * strength:
        image = EDITS["negative" if rng.random() < 0.5 else "cartoon"](image, rng)
    if rng.random() < 0.25 * strength:
        image = EDITS[OVERLAYS[int(rng.integers(len(OVERLAYS)))]](image, rng)
    frame = rng.random() / strength
    if frame < 0.07:
        image = EDITS["letterbox"](image, rng)
    elif frame < 0.13:
        image = EDITS["screenshot"](image, rng)
    elif frame < 0.33:
        image = _inset(image, grounds[int(rng.integers(len(grounds)))], rng, size)
    if rng.random() < 0.2:
        image = EDITS["jpeg"](image, rng)
    if rng.random() < 0.1:
        image = EDITS["downscale"](image, rng)
    return squash(image, size, INTERPOLATIONS[int(rng.integers(4))])


def _window(image: Picture, rng: np.random.Generator, share: float) -> Picture:
    height, width = image.shape[:2]
    squeeze = float(np.exp(rng.uniform(-0.3, 0.3)))
    h = min(height, int(height * math.sqrt(share) * squeeze))
    w = min(width, int(width * math.sqrt(share) / squeeze))
    top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
    return np.ascontiguousarray(image[top : top + h, left : left + w])


def _inset(image: Picture, ground: Picture, rng: np.random.Generator, size: int) -> Picture:
    side = int(1.2 * size)
    page = squash(ground, side)
    reach, squeeze = side * math.sqrt(rng.uniform(0.15, 0.6)), float(np.exp(rng.uniform(-0.3, 0.3)))
    h, w = min(side, int(reach * squeeze)), min(side, int(reach / squeeze))
    top, left = int(rng.integers(0, side - h + 1)), int(rng.integers(0, side - w + 1))
    page[top : top + h, left : left + w] = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    return page


class Batches(torch.utils.data.IterableDataset[torch.Tensor]):
    """Endless views, uint8 (2, batch, 3, size, size), mild then strong.

    From the second epoch on, every other batch holds pictures of one family, which are harder to
    tell apart. One worker process at most, or the batches repeat. `controls` is shared and holds
    the side of the views in pixels and their strength, which change while training runs.
    """

    def __init__(
        self,
        stored: Path,
        families: NDArray[np.intp],
        batch: int,
        controls: torch.Tensor,
        seed: int,
    ) -> None:
        super().__init__()
        self.stored, self.families, self.batch = stored, families, batch
        self.controls, self.seed = controls, seed

    def _order(self, rng: np.random.Generator, epoch: int) -> NDArray[np.intp]:
        """The places of an epoch's pictures, (batches, batch)."""
        order = rng.permutation(len(self.families))
        if epoch:
            half = order[len(order) // 2 :]
            order[len(order) // 2 :] = half[np.argsort(self.families[half], kind="stable")]
        whole = len(order) // self.batch * self.batch
        batches = order[:whole].reshape(-1, self.batch)
        return rng.permutation(batches)

    def __iter__(self) -> Iterator[torch.Tensor]:
        cv2.setNumThreads(1)
        rng = np.random.default_rng(self.seed)
        pictures = np.load(self.stored, mmap_mode="r")
        for epoch in itertools.count():
            for ids in self._order(rng, epoch):
                size, strength = int(self.controls[0]), float(self.controls[1])
                others = np.setdiff1d(rng.integers(0, len(pictures), 48), ids)
                grounds = np.stack([pictures[k] for k in others])
                views = np.empty((2, self.batch, size, size, 3), np.uint8)
                for place, k in enumerate(ids):
                    source = np.array(pictures[k])
                    views[0, place] = mild(source, rng, size)
                    views[1, place] = strong(source, grounds, rng, size, strength)
                packed = np.ascontiguousarray(views.transpose(0, 1, 4, 2, 3))
                yield torch.from_numpy(packed)
