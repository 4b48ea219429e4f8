"""Views of one picture: nearly as published, and as copies of it might look."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from training.synthetic.edits import EDITS

Picture = NDArray[np.uint8]

STRONG_VIEWS = 2
GROUNDS = 12
"""Pictures that a batch's insets lie on: few, so that copies of unlike works share a ground."""
MILD = ("jpeg", "crop80", "contrast", "brightness", "blur", "aspect", "downscale", "noise")
GEOMETRY = ("rotate_small", "aspect", "perspective", "local_warp")
OVERLAYS = ("banner", "stickers", "stickers", "watermark")
INTERPOLATIONS = (cv2.INTER_AREA, cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)


def squash(image: Picture, size: int, interpolation: int = cv2.INTER_AREA) -> Picture:
    """The whole picture as (size, size, 3): aspect options up so that nothing is cut off."""
    return cv2.resize(image, (size, size), interpolation=interpolation)  # type: ignore[return-value]


def fresh(image: Picture, rng: np.random.Generator) -> Picture:
    """A picture like the stored one but new: a large part of it, perhaps mirrored.

    All views of one step are of this picture, so that a pool is seen as many more works than
    it holds.
    """
    if rng.random() < 0.7:
        image = _window(image, rng, float(rng.uniform(0.4, 1.0)))
    return np.ascontiguousarray(image[:, ::-1]) if rng.random() < 0.5 else image


def mild(image: Picture, rng: np.random.Generator, size: int) -> Picture:
    """A view such as a work is registered with: untouched half the time."""
    if rng.random() < 0.5:
        image = EDITS[MILD[int(rng.integers(len(MILD)))]](image, rng)
    return squash(image, size, INTERPOLATIONS[int(rng.integers(4))])


def strong(
    image: Picture, grounds: Picture, rng: np.random.Generator, size: int, strength: float
) -> Picture:
    """A view as a copy: cut, turned, recoloured, blurred, written over, set into a ground.

    `strength` in (0, 1] scales how often each happens, and how deep the cuts go.
    """
    if rng.random() < 0.5:
        least = 0.6 - 0.45 * strength
        image = _window(image, rng, math.exp(rng.uniform(math.log(least), math.log(0.9))))
    if rng.random() < 0.3:
        image = EDITS["mirror"](image, rng)
    if rng.random() < 0.17 * strength:
        image = EDITS["rotate90"](image, rng)
    # Cheaper and just as instructive: what follows works at little more than the final size.
    longest = max(image.shape[:2])
    if longest > 1.2 * size:
        scale = 1.2 * size / longest
        shape = (max(24, int(image.shape[1] * scale)), max(24, int(image.shape[0] * scale)))
        image = cv2.resize(image, shape, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    if rng.random() < 0.3 * strength:
        image = EDITS[GEOMETRY[int(rng.integers(len(GEOMETRY)))]](image, rng)
    if rng.random() < 0.75:
        image = light(image, rng, strength)
    if rng.random() < 0.3:
        image = soften(image, rng)
    if rng.random() < 0.07 * strength:
        image = EDITS["negative"](image, rng)
    if rng.random() < 0.25 * strength:
        image = EDITS[OVERLAYS[int(rng.integers(len(OVERLAYS)))]](image, rng)
    frame = rng.random() / strength
    if frame < 0.05:
        image = EDITS["letterbox"](image, rng)
    elif frame < 0.1:
        image = EDITS["screenshot"](image, rng)
    elif frame < 0.35:
        ground = grounds[int(rng.integers(len(grounds)))]
        image = _inset(image, ground, rng, size, 0.5 - 0.42 * strength)
    if rng.random() < 0.2:
        image = EDITS["jpeg"](image, rng)
    if rng.random() < 0.1:
        image = EDITS["downscale"](image, rng)
    return squash(image, size, INTERPOLATIONS[int(rng.integers(4))])


def light(image: Picture, rng: np.random.Generator, strength: float) -> Picture:
    """Light and colour changed in one to three ways, each of a kind that copies are seen with."""
    count = int(rng.choice([1, 2, 3], p=[0.55, 0.3, 0.15])) if rng.random() < strength else 1
    for way in rng.choice(len(_LIGHT), count, replace=False):
        image = _LIGHT[way](image, rng)
    return image


def _curve(image: Picture, rng: np.random.Generator) -> Picture:
    """A tone curve: gamma, gain, and offset, the same for all channels."""
    x = np.arange(256) / 255
    gamma, gain = math.exp(rng.uniform(-0.8, 0.8)), math.exp(rng.uniform(-0.9, 0.7))
    curve = gain * x**gamma + rng.uniform(-0.15, 0.15)
    return cv2.LUT(image, np.clip(255 * curve, 0, 255).astype(np.uint8))  # type: ignore[return-value]


def _balance(image: Picture, rng: np.random.Generator) -> Picture:
    """Each channel's own gamma and gain, as another white balance or a tint."""
    x = np.arange(256)[:, None] / 255
    curves = np.exp(rng.uniform(-0.6, 0.3, 3)) * x ** np.exp(rng.uniform(-0.5, 0.5, 3))
    table = np.clip(255 * curves, 0, 255).astype(np.uint8)[:, None, :]
    return cv2.LUT(image, table)  # type: ignore[return-value]


def _mix(image: Picture, rng: np.random.Generator) -> Picture:
    """Channels exchanged or mixed, at times down to little saturation."""
    mixed = np.eye(3)[rng.permutation(3)] if rng.random() < 0.5 else rng.dirichlet([1, 1, 1], 3)
    return cv2.transform(image, mixed.astype(np.float32))  # type: ignore[return-value]


def _levels(image: Picture, rng: np.random.Generator) -> Picture:
    """Histogram equalised, stretched, or reduced to two levels of grey."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    way = int(rng.integers(3))
    if way == 0:
        equal = cv2.equalizeHist(grey).astype(np.float32)
        ratio = (equal + 1) / (grey.astype(np.float32) + 1)
        return np.clip(image * ratio[..., None], 0, 255).astype(np.uint8)
    if way == 1:
        low, high = np.percentile(grey, [rng.uniform(1, 20), rng.uniform(80, 99)])
        x = (np.arange(256) - low) * 255 / max(high - low, 8)
        return cv2.LUT(image, np.clip(x, 0, 255).astype(np.uint8))  # type: ignore[return-value]
    soft = cv2.GaussianBlur(grey, (0, 0), 1.0).astype(np.float32)
    steep = 255 / (1 + np.exp(-(soft - np.median(soft)) / rng.uniform(4, 20)))
    return np.repeat(steep.astype(np.uint8)[..., None], 3, axis=2)


def _painted(image: Picture, rng: np.random.Generator) -> Picture:
    """Flattened into patches, in few levels, as a painted or drawn version."""
    way = int(rng.integers(3))
    if way == 0:
        return EDITS["cartoon"](image, rng)
    flat = cv2.medianBlur(image, int(rng.choice([3, 5, 7])))
    if way == 1:
        return EDITS["posterise"](np.asarray(flat, np.uint8), rng)
    edges = cv2.Laplacian(cv2.cvtColor(flat, cv2.COLOR_RGB2GRAY), cv2.CV_32F, ksize=3)
    ink = np.clip(np.abs(edges) * rng.uniform(1, 4), 0, 255)[..., None]
    paper = np.full(image.shape, 255.0) if rng.random() < 0.3 else flat.astype(np.float32)
    return np.clip(paper - ink, 0, 255).astype(np.uint8)


_LIGHT = (
    EDITS["hue"], EDITS["hue"], EDITS["gray"], EDITS["gray"], EDITS["brightness"],
    EDITS["contrast"], EDITS["contrast"], EDITS["posterise"], EDITS["noise"],
    _curve, _curve, _curve, _balance, _mix, _levels, _painted,
)  # fmt: skip


def soften(image: Picture, rng: np.random.Generator) -> Picture:
    """Blurred by a Gaussian, along a line, or by being made small and large again."""
    height, width = image.shape[:2]
    way = int(rng.integers(3))
    if way == 0:
        return EDITS["blur"](image, rng)
    if way == 1:
        reach = max(3, int(min(height, width) * rng.uniform(0.02, 0.09)))
        line = np.zeros((reach, reach), np.float32)
        angle = rng.uniform(0, math.pi)
        ends = (reach - 1) / 2 * np.array([[-1, -1], [1, 1]]) * (math.cos(angle), math.sin(angle))
        first, last = (tuple(int(v) for v in np.round(e + (reach - 1) / 2)) for e in ends)
        cv2.line(line, first, last, 1.0)
        return np.asarray(cv2.filter2D(image, -1, line / line.sum()), np.uint8)
    share = rng.uniform(0.15, 0.5)
    shape = (max(8, int(width * share)), max(8, int(height * share)))
    small = cv2.resize(image, shape, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _window(image: Picture, rng: np.random.Generator, share: float) -> Picture:
    height, width = image.shape[:2]
    squeeze = float(np.exp(rng.uniform(-0.3, 0.3)))
    h = min(height, max(16, int(height * math.sqrt(share) * squeeze)))
    w = min(width, max(16, int(width * math.sqrt(share) / squeeze)))
    top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
    return np.ascontiguousarray(image[top : top + h, left : left + w])


def _inset(
    image: Picture, ground: Picture, rng: np.random.Generator, size: int, least: float
) -> Picture:
    """The picture on a ground, over between `least` and 0.7 of its area."""
    side = int(1.2 * size)
    page = squash(ground, side)
    share = math.exp(rng.uniform(math.log(least), math.log(0.7)))
    reach, squeeze = side * math.sqrt(share), float(np.exp(rng.uniform(-0.3, 0.3)))
    h, w = min(side, int(reach * squeeze)), min(side, int(reach / squeeze))
    top, left = int(rng.integers(0, side - h + 1)), int(rng.integers(0, side - w + 1))
    page[top : top + h, left : left + w] = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    return page


class Batches(torch.utils.data.IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless views, uint8 (3, batch, 3, size, size): mild, strong, strong; and pictures' numbers.

    The pictures are those of the pools at `stored`, one after another. From the second epoch on,
    every other batch holds pictures of one family, which are harder to tell apart. One worker
    process at most, or the batches repeat. `controls` is shared and holds the side of the views in
    pixels and their strength, which change while training runs.
    """

    def __init__(
        self,
        stored: Sequence[Path],
        families: NDArray[np.intp],
        batch: int,
        controls: torch.Tensor,
        seed: int,
    ) -> None:
        super().__init__()
        self.stored, self.families, self.batch = list(stored), families, batch
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

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        cv2.setNumThreads(1)
        rng = np.random.default_rng(self.seed)
        pools = [np.load(path, mmap_mode="r") for path in self.stored]
        starts = np.cumsum([0, *(len(pool) for pool in pools)])

        def read(k: int) -> Picture:
            pool = int(np.searchsorted(starts, k, "right")) - 1
            return np.array(pools[pool][k - starts[pool]])

        for epoch in itertools.count():
            for ids in self._order(rng, epoch):
                size, strength = int(self.controls[0]), float(self.controls[1])
                others = np.setdiff1d(rng.integers(0, len(self.families), GROUNDS), ids)
                grounds = np.stack([read(k) for k in others])
                views = np.empty((1 + STRONG_VIEWS, self.batch, size, size, 3), np.uint8)
                for place, k in enumerate(ids):
                    source = fresh(read(k), rng)
                    views[0, place] = mild(source, rng, size)
                    for view in views[1:]:
                        view[place] = strong(source, grounds, rng, size, strength)
                packed = np.ascontiguousarray(views.transpose(0, 1, 4, 2, 3))
                yield torch.from_numpy(packed), torch.from_numpy(ids)
