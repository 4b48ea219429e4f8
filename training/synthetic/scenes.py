"""Picture families with things in them: landscapes, streets, faces, figures, solids, still life."""

from __future__ import annotations

import math

import cv2
import numpy as np

from training.synthetic.canvas import (
    Colour,
    Field,
    Picture,
    colourise,
    fill,
    grid,
    light,
    mix,
    outline,
    palette,
    texture,
    unit,
    value_noise,
)


def sky(rng: np.random.Generator, size: int) -> Picture:
    """A vertical gradient with a sun or moon, clouds, and at times stars."""
    _, y = grid(size)
    picture = colourise(y, palette(rng, int(rng.integers(2, 4))))
    if rng.random() < 0.6:
        place = tuple(int(v) for v in rng.uniform(0.1, 0.9, 2) * (size, 0.5 * size))
        cv2.circle(
            picture, place, int(size * rng.uniform(0.02, 0.12)), palette(rng, 1)[0], -1, cv2.LINE_AA
        )
    if rng.random() < 0.6:
        cover = np.clip(
            (value_noise(rng, size, int(rng.integers(2, 5)), 5) - rng.uniform(0.4, 0.65)) * 4, 0, 1
        )
        picture = mix(picture, np.full_like(picture, int(rng.integers(60, 255))), cover)
    if rng.random() < 0.2:
        for px, py in rng.integers(0, size, (int(rng.integers(10, 60)), 2)):
            picture[py // 2, px] = 255
    return picture


def landscape(rng: np.random.Generator, size: int) -> Picture:
    """Ridges one before the other under a sky, with trees, houses and figures."""
    picture = sky(rng, size)
    levels = np.sort(rng.uniform(0.3, 0.95, int(rng.integers(1, 5))))
    line = np.arange(size)
    for depth, level in enumerate(levels):
        rough = value_noise(rng, size, int(rng.integers(2, 8)), 5, rng.uniform(0.3, 0.65))[0]
        ridge = size * (level + rng.uniform(0.05, 0.4) * (rough - 0.5))
        points = np.concatenate([np.stack([line, ridge], -1), [[size, size], [0, size]]]).astype(
            np.int32
        )
        ground = texture(rng, size) if rng.random() < 0.6 else palette(rng, 1)[0]
        fill(picture, points, ground)
        scale = size * 0.25 * (depth + 1) / len(levels)
        for _ in range(int(rng.integers(0, 8))):
            at = int(rng.integers(size))
            draw = (tree, tree, house, figure)[int(rng.integers(4))]
            draw(rng, picture, (at, float(ridge[at]) + 3), scale * rng.uniform(0.4, 1.2))
    if rng.random() < 0.2:
        mist = np.clip(grid(size)[1] * rng.uniform(0.2, 1.0), 0, 1).astype(np.float32)
        picture = mix(picture, np.full_like(picture, palette(rng, 1)[0]), mist)
    return picture


def street(rng: np.random.Generator, size: int) -> Picture:
    """Blocks of flats with lit windows, at times drawn towards a vanishing point."""
    picture, ground = sky(rng, size), int(size * rng.uniform(0.7, 0.95))
    left, colours = -int(size * 0.1), palette(rng, 6)
    while left < size:
        width, height = (int(size * rng.uniform(*span)) for span in ((0.1, 0.35), (0.15, 0.8)))
        wall = colours[int(rng.integers(6))]
        corners = np.array(
            [
                [left, ground],
                [left, ground - height],
                [left + width, ground - height],
                [left + width, ground],
            ]
        )
        fill(picture, corners.astype(np.int32), wall if rng.random() < 0.7 else texture(rng, size))
        columns, rows, lit = int(rng.integers(2, 7)), int(rng.integers(2, 12)), rng.random()
        pane = colours[int(rng.integers(6))]
        for row in range(rows):
            for column in range(columns):
                if rng.random() < lit:
                    x = left + int((column + 0.25) * width / columns)
                    y = ground - height + int((row + 0.3) * height / rows)
                    far = (x + int(width / columns * 0.5), y + int(height / rows * 0.5))
                    cv2.rectangle(picture, (x, y), far, pane, -1)
        left += int(width * rng.uniform(0.8, 1.3))
    picture[ground:] = texture(rng, size)[ground:]
    for _ in range(int(rng.integers(0, 5))):
        draw = (figure, tree)[int(rng.integers(2))]
        draw(
            rng,
            picture,
            (rng.uniform(0, size), rng.uniform(ground, size)),
            size * rng.uniform(0.1, 0.4),
        )
    if rng.random() < 0.4:
        shift = rng.uniform(0, 0.35, 4) * size
        source = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)
        target = np.array(
            [[0, 0], [size, shift[0]], [size, size - shift[1]], [0, size]], np.float32
        )
        view = cv2.getPerspectiveTransform(source, target)
        picture = cv2.warpPerspective(picture, view, (size, size), borderMode=cv2.BORDER_REFLECT)  # type: ignore[assignment]
    return picture


def tree(
    rng: np.random.Generator, picture: Picture, foot: tuple[float, float], height: float
) -> None:
    """A trunk with a round, pointed or bare crown, standing at `foot`; drawn in place."""
    x, y = foot
    bark, leaf, shade = palette(rng, 3)
    top = (int(x + rng.normal(0, 0.05) * height), int(y - height * 0.6))
    cv2.line(picture, (int(x), int(y)), top, bark, max(1, int(height * 0.07)), cv2.LINE_AA)
    kind = rng.integers(3)
    if kind == 0:
        for _ in range(int(rng.integers(2, 7))):
            place = (top[0] + rng.normal(0, 0.15) * height, top[1] + rng.normal(0, 0.12) * height)
            fill(
                picture,
                outline(rng, place, height * rng.uniform(0.12, 0.3), "blob"),
                leaf if rng.random() < 0.6 else shade,
            )
    elif kind == 1:
        for tier in range(int(rng.integers(1, 5))):
            peak, base = y - height * (1 - 0.15 * tier), y - height * (0.6 - 0.15 * tier)
            half = height * (0.15 + 0.06 * tier)
            fill(
                picture,
                np.array([[x, peak], [x - half, base], [x + half, base]], np.float32).astype(
                    np.int32
                ),
                leaf,
            )
    else:
        branches: list[tuple[float, float, float, float]] = [(*top, -np.pi / 2, height * 0.3)]
        for _ in range(4):
            grown = []
            for bx, by, angle, length in branches:
                for side in (-1, 1):
                    way = angle + side * rng.uniform(0.2, 0.7)
                    tip = (bx + length * np.cos(way), by + length * np.sin(way))
                    cv2.line(
                        picture,
                        (int(bx), int(by)),
                        (int(tip[0]), int(tip[1])),
                        bark,
                        1,
                        cv2.LINE_AA,
                    )
                    grown.append((*tip, way, length * 0.7))
            branches = grown


def house(
    rng: np.random.Generator, picture: Picture, foot: tuple[float, float], height: float
) -> None:
    """Walls, a roof, a door and windows standing at `foot`; drawn in place."""
    x, y = foot
    wall, roof, pane = palette(rng, 3)
    half, tall = height * rng.uniform(0.3, 0.8), height * rng.uniform(0.35, 0.7)
    eave = half * rng.uniform(1.0, 1.3)
    box = [[x - half, y], [x - half, y - tall], [x + half, y - tall], [x + half, y]]
    fill(picture, np.array(box).astype(np.int32), wall)
    ridge = x + half * rng.uniform(-0.8, 0.8)
    fill(
        picture,
        np.array([[x - eave, y - tall], [ridge, y - height], [x + eave, y - tall]]).astype(
            np.int32
        ),
        roof,
    )
    for place in rng.uniform(-0.7, 0.7, int(rng.integers(1, 4))):
        corner = (int(x + place * half), int(y - tall * 0.7))
        cv2.rectangle(
            picture, corner, (corner[0] + int(half * 0.25), corner[1] + int(tall * 0.3)), pane, -1
        )


def figure(
    rng: np.random.Generator, picture: Picture, foot: tuple[float, float], height: float
) -> None:
    """A person of a head, a torso and jointed limbs, standing at `foot`; drawn in place."""
    x, y = foot
    skin, coat, legs, hair = palette(rng, 4)
    hip, neck = y - height * 0.48, y - height * 0.82
    thick = max(1, int(height * rng.uniform(0.05, 0.1)))
    for side in (-1, 1):
        knee = (x + side * height * rng.uniform(0, 0.12), y - height * 0.25)
        end = (knee[0] + height * rng.normal(0, 0.06), y)
        _limb(picture, [(x, hip), knee, end], legs, thick)
    half = height * rng.uniform(0.08, 0.16)
    skirt = half * rng.uniform(0.6, 2.0)
    torso = np.array(
        [
            [x - half, neck],
            [x + half, neck],
            [x + skirt, hip + height * 0.1],
            [x - skirt, hip + height * 0.1],
        ]
    )
    fill(picture, torso.astype(np.int32), coat)
    for side in (-1, 1):
        elbow = (x + side * height * rng.uniform(0.12, 0.3), neck + height * rng.uniform(0.0, 0.25))
        hand = (elbow[0] + height * rng.normal(0, 0.12), elbow[1] + height * rng.normal(0.05, 0.15))
        _limb(picture, [(x + side * half, neck), elbow, hand], coat, thick)
    head = (int(x), int(y - height * 0.91))
    cv2.circle(picture, head, max(1, int(height * 0.09)), skin, -1, cv2.LINE_AA)
    cv2.ellipse(
        picture, head, (max(1, int(height * 0.095)),) * 2, 0, 180, 360, hair, -1, cv2.LINE_AA
    )


def _limb(picture: Picture, joints: list[tuple[float, float]], colour: Colour, thick: int) -> None:
    cv2.polylines(picture, [np.array(joints).astype(np.int32)], False, colour, thick, cv2.LINE_AA)


def portrait(rng: np.random.Generator, size: int) -> Picture:
    """A head and shoulders with hair, features and soft light before a backdrop."""
    picture = texture(rng, size)
    if rng.random() < 0.6:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(2, 8))  # type: ignore[assignment]
    skin, hair, coat, iris, lip, trim = palette(rng, 6)
    x, y, r = (
        size * rng.uniform(0.35, 0.65),
        size * rng.uniform(0.35, 0.5),
        size * rng.uniform(0.13, 0.26),
    )
    lean = rng.uniform(-0.3, 0.3)
    if rng.random() < 0.6:
        fill(
            picture,
            outline(rng, (x, y + r * rng.uniform(-0.3, 0.6)), r * rng.uniform(1.4, 2.2), "blob"),
            hair,
        )
    half = r * rng.uniform(1.4, 2.6)
    chest = [
        [x - half, size],
        [x - half * 0.8, y + 2 * r],
        [x, y + 1.3 * r],
        [x + half * 0.8, y + 2 * r],
        [x + half, size],
    ]
    fill(
        picture,
        np.array(chest).astype(np.int32),
        coat if rng.random() < 0.5 else texture(rng, size),
    )
    neck = [
        [x - 0.35 * r, y],
        [x + 0.35 * r, y],
        [x + 0.45 * r, y + 1.7 * r],
        [x - 0.45 * r, y + 1.7 * r],
    ]
    fill(picture, np.array(neck).astype(np.int32), skin)
    axes = (int(r * rng.uniform(0.7, 0.95)), int(r * rng.uniform(1.0, 1.3)))
    cv2.ellipse(picture, (int(x), int(y)), axes, lean * 40, 0, 360, skin, -1, cv2.LINE_AA)
    centre = x + lean * r
    for side in (-1, 1):
        eye = (int(centre + side * 0.38 * r), int(y - 0.1 * r))
        cv2.ellipse(
            picture,
            eye,
            (int(r * 0.18) + 1, int(r * 0.1) + 1),
            0,
            0,
            360,
            (235, 235, 230),
            -1,
            cv2.LINE_AA,
        )
        cv2.circle(picture, eye, max(1, int(r * 0.08)), iris, -1, cv2.LINE_AA)
        brow = (eye[0], eye[1] - int(r * rng.uniform(0.15, 0.25)))
        cv2.ellipse(
            picture,
            brow,
            (int(r * 0.24), int(r * 0.08) + 1),
            side * 8,
            180,
            360,
            hair,
            max(1, int(r * 0.06)),
            cv2.LINE_AA,
        )
    nose = [
        [centre, y],
        [centre + lean * r * 0.5 + r * 0.1, y + 0.35 * r],
        [centre - r * 0.05, y + 0.35 * r],
    ]
    cv2.polylines(picture, [np.array(nose).astype(np.int32)], False, hair, 1, cv2.LINE_AA)
    mouth = (int(centre), int(y + 0.62 * r))
    cv2.ellipse(
        picture,
        mouth,
        (int(r * rng.uniform(0.15, 0.4)), int(r * rng.uniform(0.03, 0.15)) + 1),
        0,
        0,
        int(rng.choice([180, 360])),
        lip,
        -1,
        cv2.LINE_AA,
    )
    crown = outline(rng, (x, y - r * rng.uniform(0.8, 1.2)), r * rng.uniform(0.8, 1.3))
    fill(picture, crown, hair if rng.random() < 0.6 else texture(rng, size))
    if rng.random() < 0.4:
        fill(picture, outline(rng, (x + half * rng.uniform(-0.6, 0.6), y + 2.2 * r), r * 0.3), trim)
    return light(picture, value_noise(rng, size, 2, int(rng.integers(1, 5))), 0.45, 1.25)


def solids(rng: np.random.Generator, size: int) -> Picture:
    """Shaded balls over a floor in perspective, with cast shadows and shininess (Phong)."""
    x, y = grid(size)
    horizon = rng.uniform(0.25, 0.65)
    picture = sky(rng, size) if rng.random() < 0.5 else texture(rng, size)
    depth = 0.25 / np.maximum(y - horizon, 0.01)
    scale, turn = rng.uniform(60, 400), rng.uniform(0, 1.5)
    u, v = (x - 0.5) * depth * scale, depth * scale
    floor = texture(rng, size)
    column = (np.abs(u * math.cos(turn) - v * math.sin(turn)) % size).astype(np.intp)
    row = (np.abs(u * math.sin(turn) + v * math.cos(turn)) % size).astype(np.intp)
    ground = light(
        floor[row, column], np.clip(1.5 / (1 + depth), 0, 1).astype(np.float32), 0.3, 1.1
    )
    picture = np.where((y > horizon)[..., None], ground, picture)
    way = rng.normal(0, 1, 3) + np.array([0, -1.2, 1.5])
    lamp: list[float] = (way / np.linalg.norm(way)).tolist()
    for foot in np.sort(rng.uniform(horizon + 0.05, 1.05, int(rng.integers(1, 7)))).tolist():
        radius = rng.uniform(0.15, 0.5) * (foot - horizon + 0.15)
        cx, cy = rng.uniform(0.05, 0.95), foot - radius * rng.uniform(0.9, 1.3)
        shadow = np.exp(
            -(((x - cx + lamp[0] * radius) / radius) ** 2 + ((y - foot) / (0.35 * radius)) ** 2)
        )
        picture = light(picture, 1 - 0.7 * shadow, 0, 1)
        picture = _ball(rng, picture, ((x - cx) / radius, (y - cy) / radius), lamp)
    return picture


def _ball(
    rng: np.random.Generator, picture: Picture, local: tuple[Field, Field], lamp: list[float]
) -> Picture:
    a, b = local
    box = rng.random() < 0.35
    if box:
        angle = rng.uniform(0.2, 1.3)
        split = math.cos(angle) * 0.8
        mask = ((np.abs(a) < 0.85) & (np.abs(b) < 0.85)).astype(np.float32)
        shade = np.where(a < split - 0.5 + 0.2 * b, 1.0, 0.55) * np.where(b < -0.6, 1.25, 1.0)
        gloss = np.zeros_like(a)
    else:
        inside = 1 - a * a - b * b
        mask = np.clip(inside * 20, 0, 1).astype(np.float32)
        depth = np.sqrt(np.maximum(inside, 0))
        facing = a * lamp[0] + b * lamp[1] + depth * lamp[2]
        shade = 0.25 + 0.85 * np.maximum(facing, 0)
        shine = np.maximum(2 * facing * depth - lamp[2], 0) ** rng.uniform(8, 60)
        gloss = (shine * rng.uniform(0, 1)).astype(np.float32)
    surface = texture(rng, picture.shape[0])
    lit = np.clip(surface * shade[..., None] + 255 * gloss[..., None], 0, 255).astype(np.uint8)
    return mix(picture, lit, mask)


def still_life(rng: np.random.Generator, size: int) -> Picture:
    """One subject, built of several shaded parts, alone on a plain, graded or textured ground."""
    plain = rng.random() < 0.6
    picture = (
        np.full((size, size, 3), palette(rng, 1)[0], np.uint8) if plain else texture(rng, size)
    )
    if rng.random() < 0.3:
        picture = np.full((size, size, 3), int(rng.choice([0, 255, 128])), np.uint8)
    middle, reach = rng.uniform(0.35, 0.65, 2) * size, size * rng.uniform(0.12, 0.4)
    colours, even = palette(rng, 5), rng.random() < 0.4
    for part in range(int(rng.integers(3, 14))):
        place = middle + rng.normal(0, 0.5, 2) * reach
        points = outline(rng, tuple(place), reach * rng.uniform(0.15, 0.8))
        paint = texture(rng, size) if rng.random() < 0.3 else colours[part % 5]
        fill(picture, points, paint)
        if even:
            mirrored = points.copy()
            mirrored[:, 0] = 2 * int(middle[0]) - points[:, 0]
            fill(picture, mirrored, paint)
        if rng.random() < 0.3:
            cv2.polylines(picture, [points], True, colours[0], 1 + size // 200, cv2.LINE_AA)
    if rng.random() < 0.3:
        figure(rng, picture, (middle[0], middle[1] + reach), reach * 2)
    if rng.random() < 0.4:
        x, y = grid(size)
        slope = unit(x * rng.normal() + y * rng.normal())
        picture = light(picture, slope, 0.6, 1.2)
    return picture
