"""Procedurally generated pictures with known truth: two seeds, two different works.

They train the embedding model that ships with the package and stand in for works and assets in
tests and benchmarks. Some of them come with the package, to measure the scale of any embedding
model's similarities (`training.scale_pairs`).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic import abstract, printed, scenes
from training.synthetic.canvas import Picture, grid, mix, outline, palette, value_noise

_Draw = Callable[[np.random.Generator, int], Picture]


def _comic(rng: np.random.Generator, size: int) -> Picture:
    return printed.comic(rng, size, _any_scene)


def _poster(rng: np.random.Generator, size: int) -> Picture:
    return printed.poster(rng, size, _any_scene)


FAMILIES: dict[str, tuple[_Draw, float]] = {
    "dead_leaves": (abstract.dead_leaves, 2.0),
    "warped_noise": (abstract.warped_noise, 1.0),
    "julia": (abstract.julia, 0.6),
    "flame": (abstract.flame, 0.7),
    "spectrum": (abstract.spectrum, 1.5),
    "pattern": (abstract.pattern, 0.5),
    "maze": (abstract.maze, 0.5),
    "landscape": (scenes.landscape, 2.0),
    "street": (scenes.street, 1.2),
    "portrait": (scenes.portrait, 2.0),
    "solids": (scenes.solids, 1.5),
    "still_life": (scenes.still_life, 2.0),
    "poster": (_poster, 1.0),
    "logo": (printed.logo, 1.0),
    "comic": (_comic, 1.0),
    "chart": (printed.chart, 0.4),
}
"""Each family's drawing function and how often it is drawn, relative to the others."""

_NAMES = tuple(FAMILIES)
_SHARES = np.array([share for _, share in FAMILIES.values()])
_SHARES = _SHARES / _SHARES.sum()


def family_of(seed: int) -> str:
    """The family that `picture(seed)` belongs to, without drawing it."""
    return _NAMES[int(np.random.default_rng(seed).choice(len(_NAMES), p=_SHARES))]


def picture(seed: int, size: int = 256) -> NDArray[np.uint8]:
    """Draw the picture of `seed`: uint8, (size, size, 3), RGB.

    Deterministic: a seed and a size give the same bytes on one machine and one set of library
    versions (another processor may round a sine otherwise, in the last bit). A seed drawn at two
    sizes gives two different pictures. Raises ValueError for a negative seed or a size under 32.
    """
    if seed < 0 or size < 32:
        raise ValueError(f"seed must be >= 0 and size >= 32, not seed={seed}, size={size}")
    rng = np.random.default_rng(seed)
    draw = FAMILIES[_NAMES[int(rng.choice(len(_NAMES), p=_SHARES))]][0]
    drawn = draw(rng, size)
    if rng.random() < 0.2:
        drawn = _montage(rng, drawn)
    return np.ascontiguousarray(_develop(rng, drawn))


def _any_scene(rng: np.random.Generator, size: int) -> Picture:
    draw = (
        scenes.landscape, scenes.street, scenes.portrait, scenes.solids, scenes.still_life,
        abstract.spectrum, abstract.dead_leaves, abstract.warped_noise,
    )[int(rng.integers(8))]  # fmt: skip
    return draw(rng, max(size, 32))[:size, :size]


def _montage(rng: np.random.Generator, drawn: Picture) -> Picture:
    """Part of a second picture laid in, cut out by a shape or by smooth noise."""
    size = drawn.shape[0]
    other = _any_scene(rng, size)
    if rng.random() < 0.5:
        mask = np.zeros((size, size), np.float32)
        place = tuple(rng.uniform(0, size, 2))
        cv2.fillPoly(mask, [outline(rng, place, size * rng.uniform(0.2, 0.6))], 1.0, cv2.LINE_AA)
    else:
        mask = np.clip((value_noise(rng, size, 2, 3) - 0.5) * rng.uniform(3, 40), 0, 1)
    return mix(drawn, other, mask.astype(np.float32))


def _develop(rng: np.random.Generator, drawn: Picture) -> Picture:
    """What a camera or a scanner adds: tone curve, tint, softness, vignette, grain, frame."""
    size = drawn.shape[0]
    ramp = (np.arange(256) / 255.0)[:, None] ** np.exp(
        rng.normal(0, 0.25, (1, 1)) + rng.normal(0, 0.08, (1, 3))
    )
    low, high = rng.uniform(0, 0.12), rng.uniform(0.85, 1.0)
    curve = (255 * (low + (high - low) * ramp)).astype(np.uint8)
    developed = np.stack([curve[drawn[..., k], k] for k in range(3)], -1)
    if rng.random() < 0.08:
        developed = cv2.cvtColor(cv2.cvtColor(developed, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.3:
        developed = cv2.GaussianBlur(developed, (0, 0), rng.uniform(0.4, 1.5))
    if rng.random() < 0.25:
        x, y = grid(size)
        fall = 1 - rng.uniform(0.3, 1.2) * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
        developed = np.clip(developed * fall[..., None], 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        grain = rng.standard_normal((size, size, 1), np.float32) * rng.uniform(1, 12)
        developed = np.clip(developed + grain, 0, 255).astype(np.uint8)
    if rng.random() < 0.08:
        cv2.rectangle(
            developed,
            (0, 0),
            (size - 1, size - 1),
            palette(rng, 1)[0],
            int(size * rng.uniform(0.02, 0.12)),
        )
    return developed
