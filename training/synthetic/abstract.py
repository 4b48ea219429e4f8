"""Picture families without things in them: leaves, noise, fractals, spectra, patterns."""

from __future__ import annotations

import cv2
import numpy as np

from training.synthetic.canvas import (
    Field,
    Picture,
    colourise,
    fill,
    grid,
    light,
    mix,
    outline,
    palette,
    spectral_noise,
    texture,
    unit,
    value_noise,
)


def dead_leaves(rng: np.random.Generator, size: int) -> Picture:
    """Textured shapes of power-law sizes that occlude one another.

    The model is that of Lee, Mumford and Huang, "Occlusion models for natural images", IJCV 41
    (2001); that such pictures teach useful features is from Baradad et al., "Learning to see by
    looking at noise", NeurIPS 2021.
    """
    picture = texture(rng, size)
    paints = [texture(rng, size) for _ in range(int(rng.integers(3, 7)))]
    flat = palette(rng, 12)
    kind = (
        None if rng.random() < 0.5 else str(rng.choice(["ellipse", "polygon", "blob", "rectangle"]))
    )
    smallest, largest = size * rng.uniform(0.01, 0.05), size * rng.uniform(0.15, 0.5)
    plain = rng.random()
    for share in rng.random(int(rng.integers(20, 160))):
        # The inverse of the cumulative distribution of p(r) ~ r**-3 between the two radii.
        radius = (largest**-2 + share * (smallest**-2 - largest**-2)) ** -0.5
        points = outline(rng, tuple(rng.uniform(0, size, 2)), radius, kind)
        chosen = rng.integers(12)
        fill(
            picture, points, flat[chosen] if rng.random() < plain else paints[chosen % len(paints)]
        )
        if rng.random() < 0.1:
            cv2.polylines(picture, [points], True, flat[0], 1, cv2.LINE_AA)
    return picture


def warped_noise(rng: np.random.Generator, size: int) -> Picture:
    """Noise looked up through noise (domain warping, after Quilez), coloured by a ramp."""
    x, y = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    field = value_noise(rng, size, int(rng.integers(2, 8)), 5, rng.uniform(0.4, 0.7))
    for _ in range(int(rng.integers(1, 3))):
        reach = size * rng.uniform(0.1, 0.6)
        dx, dy = (value_noise(rng, size, 3, 3) - 0.5 for _ in range(2))
        dx, dy = x + np.float32(reach) * dx, y + np.float32(reach) * dy
        bent = cv2.remap(field, dx, dy, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)
        field = bent.astype(np.float32)
    if rng.random() < 0.4:
        field = unit(np.sin(field * rng.uniform(6, 30)))
    picture = colourise(unit(field), palette(rng, int(rng.integers(3, 7))))
    if rng.random() < 0.5:
        slope = cv2.Sobel(field, cv2.CV_32F, 1, 1, ksize=5)
        picture = light(picture, unit(np.clip(slope, -3, 3)), 0.5, 1.5)
    return picture


def julia(rng: np.random.Generator, size: int) -> Picture:
    """Escape times of z -> z**n + c over a random window."""
    side = min(size, 160)
    x, y = grid(side)
    angle, zoom = rng.uniform(0, 6.283), rng.uniform(0.5, 2.6)
    place = rng.normal(0, 0.3, 2)
    z = (x - 0.5 + 1j * (y - 0.5)) * np.exp(1j * angle) * zoom + complex(*place)
    c = 0.7885 * np.exp(1j * rng.uniform(0, 6.283)) * rng.uniform(0.85, 1.05)
    power = int(rng.choice([2, 2, 2, 3]))
    z = z.astype(np.complex64).ravel()
    time = np.zeros(z.size, np.float32)
    left = np.arange(z.size)
    for step in range(1, 40):
        z = z * z + c if power == 2 else z * z * z + c
        inside = (z.real**2 + z.imag**2) < 16
        time[left[~inside]] = step
        left, z = left[inside], z[inside]
    field = unit(np.log1p(time.reshape(side, side)))
    large = cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC)
    return colourise(large.astype(np.float32), palette(rng, int(rng.integers(3, 8))))


def flame(rng: np.random.Generator, size: int) -> Picture:
    """The chaos game on a few random affine maps with bent variations, seen by log density.

    After Draves and Reckase, "The fractal flame algorithm" (2003).
    """
    maps = int(rng.integers(2, 5))
    linear, shift = rng.uniform(-0.9, 0.9, (maps, 2, 2)), rng.uniform(-0.8, 0.8, (maps, 2))
    hues = np.asarray(palette(rng, maps), np.float32)
    bend = rng.integers(0, 4, maps)
    point = rng.uniform(-1, 1, (3000, 2))
    tint = np.zeros((3000, 3), np.float32)
    places, tints = [], []
    for step in range(24):
        groups = rng.integers(0, maps, 3000)
        point = np.einsum("nij,nj->ni", linear[groups], point) + shift[groups]
        radius = np.linalg.norm(point, axis=1, keepdims=True) + 1e-3
        kind = bend[groups][:, None]
        point = np.where(
            kind == 1, np.sin(point * 1.6), np.where(kind == 2, point / radius**1.2, point)
        )
        point = np.clip(point, -3, 3)
        tint = 0.5 * tint + 0.5 * hues[groups]
        if step > 5:
            places.append(point.copy())
            tints.append(tint)
    spots = np.concatenate(places)
    low, high = np.quantile(spots, 0.02, 0), np.quantile(spots, 0.98, 0)
    where = ((spots - low) / np.maximum(high - low, 1e-3) * size).astype(np.int64)
    keep = ((where >= 0) & (where < size)).all(1)
    cell = where[keep, 1] * size + where[keep, 0]
    colour = np.concatenate(tints)[keep]
    count = np.bincount(cell, minlength=size * size).astype(np.float32)
    sums = np.stack([np.bincount(cell, colour[:, k], size * size) for k in range(3)], -1)
    shade = sums / np.maximum(count, 1)[:, None]
    density = unit(
        cv2.GaussianBlur(np.log1p(count).reshape(size, size), (3, 3), 0).astype(np.float32)
    )
    under = (
        texture(rng, size, palette(rng, 2))
        if rng.random() < 0.4
        else np.zeros((size, size, 3), np.uint8)
    )
    glow = cv2.GaussianBlur(shade.reshape(size, size, 3).astype(np.float32), (5, 5), 0)
    bright = np.clip(glow * 1.6 + 40, 0, 255).astype(np.uint8)
    return mix(under, bright, np.sqrt(density))


def spectrum(rng: np.random.Generator, size: int) -> Picture:
    """Layers of 1/f noise, cut out along noise contours, lit and blurred by their depth."""
    picture = _spectral_colour(rng, size)
    for layer in range(int(rng.integers(1, 5))):
        cut = value_noise(rng, size, int(rng.integers(2, 6)), int(rng.integers(1, 5)))
        edge = rng.uniform(0.02, 0.2) if rng.random() < 0.3 else 0.01
        mask = np.clip((cut - rng.uniform(0.4, 0.7)) / edge, 0, 1)
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 3.0) / (layer + 1))  # type: ignore[assignment]
        shadow = cv2.GaussianBlur(np.roll(mask, (4, 4), (0, 1)), (0, 0), 4)
        picture = light(picture, (1 - shadow).astype(np.float32), 0.5, 1.0)
        picture = mix(picture, _spectral_colour(rng, size), mask)
    return picture


def pattern(rng: np.random.Generator, size: int) -> Picture:
    """A motif repeated on a lattice, with a chance of one odd member."""
    picture = texture(rng, size)
    step = int(size / rng.integers(2, 8))
    motif = texture(rng, step)
    for colour in palette(rng, int(rng.integers(1, 5))):
        fill(
            motif,
            outline(rng, tuple(rng.uniform(0.2, 0.8, 2) * step), step * rng.uniform(0.15, 0.45)),
            colour,
        )
    turns = bool(rng.random() < 0.5)
    for row in range(0, size, step):
        for column in range(0, size, step):
            if rng.random() < 0.06:
                continue
            tile = np.rot90(motif, (row + column) // step % 4) if turns else motif
            part = picture[row : row + step, column : column + step]
            part[:] = tile[: part.shape[0], : part.shape[1]]
    return picture


def maze(rng: np.random.Generator, size: int) -> Picture:
    """Blocks, arcs or diagonals on a grid: the look of diagrams, mosaics and circuit boards."""
    cells, colours = int(rng.integers(4, 16)), palette(rng, 6)
    step = size / cells
    picture = np.full((size, size, 3), colours[0], np.uint8)
    kind, thick = rng.integers(4), max(1, int(step * rng.uniform(0.08, 0.4)))
    for row in range(cells):
        for column in range(cells):
            x, y = int(column * step), int(row * step)
            far = (int(x + step), int(y + step))
            colour = colours[int(rng.integers(1, 6))]
            if kind == 0:
                cv2.rectangle(picture, (x, y), far, colour, -1)
            elif kind == 1:
                ends = ((x, y), far) if rng.random() < 0.5 else ((x, far[1]), (far[0], y))
                cv2.line(picture, *ends, colours[1], thick, cv2.LINE_AA)
            elif kind == 2:
                corner = (x, y) if rng.random() < 0.5 else far
                cv2.circle(picture, corner, int(step / 2), colour, thick, cv2.LINE_AA)
            elif rng.random() < 0.5:
                cv2.circle(
                    picture,
                    (x + int(step / 2), y + int(step / 2)),
                    int(step * 0.45),
                    colour,
                    -1,
                    cv2.LINE_AA,
                )
    return picture


def _spectral_colour(rng: np.random.Generator, size: int) -> Picture:
    exponent = rng.uniform(0.8, 2.0)
    first: Field = spectral_noise(rng, size, exponent)
    picture = colourise(first, palette(rng, int(rng.integers(2, 5))))
    if rng.random() < 0.5:
        picture = light(picture, value_noise(rng, size, 2, 2), 0.4, 1.2)
    return picture
