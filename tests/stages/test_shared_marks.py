"""Unrelated pictures that share a watermark, frame, logo or pattern: none of these pairs may be
flagged by local features under the packaged calibration.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw
from stage_samples import entries, image

from pipeline.core.records import Fingerprint, Kind
from pipeline.risk.fuse import risk_of
from pipeline.screening.config import Config
from pipeline.stages.local_features import LocalFeatures
from training.synthetic import picture
from training.synthetic.canvas import font
from training.synthetic.printed import letter

pytestmark = pytest.mark.slow

SIDE = 448
RED, WHITE, INK = (200, 30, 40), (255, 255, 255), (50, 50, 60)


def resized(one, width=SIDE, height=SIDE):
    return cv2.resize(np.ascontiguousarray(one), (width, height), interpolation=cv2.INTER_AREA)


def rgb(values):
    return np.ascontiguousarray(np.clip(values, 0, 255).astype(np.uint8))


def watermark(one):
    """Half-transparent words, tiled and slanted."""
    sheet = Image.new("L", (2 * SIDE, 2 * SIDE))
    draw = ImageDraw.Draw(sheet)
    for y in range(0, 2 * SIDE, 110):
        draw.text((0, y), "preview   " * 14, 255, font(50))
    turn = cv2.getRotationMatrix2D((SIDE, SIDE), 30, 1.0)
    words = cv2.warpAffine(np.array(sheet), turn, (2 * SIDE, 2 * SIDE))
    part = words[SIDE // 2 : SIDE // 2 + SIDE, SIDE // 2 : SIDE // 2 + SIDE, None]
    return rgb(one + (255 - one.astype(np.float32)) * (part / 255 * 0.4))


def banner(one):
    """An opaque banner of a fifth of the height."""
    tall = SIDE // 5
    band = np.full((tall, SIDE, 3), RED, np.uint8)
    band = letter(band, "BREAKING NEWS 24", (14, tall * 0.12), tall * 0.45, WHITE)
    band = letter(band, "more at nine o'clock", (14, tall * 0.62), tall * 0.25, (250, 220, 40))
    one = one.copy()
    one[SIDE - tall :] = band
    return one


def frame(one):
    """The same picture frame, a tenth of the side wide."""
    edge = SIDE // 10
    page = resized(picture(77, 400))
    page[edge:-edge, edge:-edge] = resized(one, SIDE - 2 * edge, SIDE - 2 * edge)
    return page


def logo(one):
    """A logo on 8 per cent of the area, in a corner."""
    side = round(SIDE * 0.08**0.5)
    mark = np.full((side, side, 3), 255, np.uint8)
    cv2.circle(mark, (side // 2, side // 2), side // 2 - 3, (220, 30, 30), -1, cv2.LINE_AA)
    cv2.circle(mark, (side // 2, side // 2), side // 3, WHITE, -1, cv2.LINE_AA)
    mark = letter(mark, "ACME", (side * 0.15, side * 0.35), side * 0.28, (20, 20, 120))
    one = one.copy()
    one[8 : 8 + side, SIDE - side - 8 : SIDE - 8] = mark
    return one


def emblem(one):
    """A detailed emblem on 5 per cent of the area."""
    side = round(SIDE * 0.05**0.5)
    one = one.copy()
    one[8 : 8 + side, 8 : 8 + side] = resized(picture(91, 400), side, side)
    return one


def checkerboard(one):
    """A checkerboard around it, on 60 per cent of the area."""
    y, x = np.mgrid[:SIDE, :SIDE]
    page = rgb(np.repeat(((x // 28 + y // 28) % 2 * 80 + 130)[..., None], 3, axis=2))
    inner = round(SIDE * 0.4**0.5)
    start = (SIDE - inner) // 2
    page[start : start + inner, start : start + inner] = resized(one, inner, inner)
    return page


def dots(one):
    """Three rows of equal dots over it."""
    one = one.copy()
    for row in (0.1, 0.5, 0.9):
        for k in range(24):
            place = (int((k + 0.5) * SIDE / 24), int(SIDE * row))
            cv2.circle(one, place, SIDE // 80, (240, 240, 240), -1, cv2.LINE_AA)
            cv2.circle(one, place, SIDE // 80, (10, 10, 10), 1, cv2.LINE_AA)
    return one


def screen(one):
    """The frame of one program around it."""
    page = np.full((SIDE, 640, 3), 246, np.uint8)
    page[:62] = 225
    page = letter(page, "https://example.org/gallery", (100, 12), 20, INK)
    page = letter(page, "Home   Explore   Pictures   People   About", (18, 40), 15, INK)
    for k, name in enumerate(("Inbox", "Starred", "Albums", "Shared", "Archive", "Settings")):
        cv2.rectangle(page, (12, 82 + 48 * k), (30, 100 + 48 * k), (90, 120, 200), -1)
        page = letter(page, name, (40, 82 + 48 * k), 17, INK)
    page[72 : SIDE - 36, 140:630] = resized(one, 490, SIDE - 108)
    return letter(page, "Like   Comment   Share   Save", (142, SIDE - 28), 18, INK)


def halftone(one):
    """The same printer's screen."""
    grey = cv2.cvtColor(one, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    y, x = np.mgrid[:SIDE, :SIDE] * (np.pi / 8)
    dotted = 0.5 + 0.25 * (np.cos(x + y) + np.cos(x - y))[..., None]
    return rgb(np.repeat((grey / 255 > dotted) * 255.0, 3, axis=2))


def grid(one):
    """Lines across it, 24 pixels apart."""
    one = one.copy()
    one[::24], one[1::24], one[:, ::24], one[:, 1::24] = 20, 20, 20, 20
    return one


MARKS = {
    mark.__name__: mark
    for mark in (
        watermark, banner, frame, logo, emblem, checkerboard, dots, screen, halftone, grid,
    )
}  # fmt: skip


@pytest.fixture(scope="module")
def stage():
    return LocalFeatures.create()


@pytest.fixture(scope="module")
def distractors(photos):
    """Unrelated pictures, photographs alternating with drawn ones."""
    drawn = [resized(picture(seed, 400)) for seed in (60, 61, 63, 64, 65, 3)]
    real = [resized(np.asarray(photo)) for photo in photos.values()]
    return [one for pair in zip(real, drawn, strict=True) for one in pair]


def row_of_dots(seed):
    rng = np.random.default_rng(seed)
    page = np.full((SIDE, SIDE, 3), rng.integers(20, 235, 3), np.uint8)
    for _ in range(int(rng.integers(2, 6))):
        y, count, size = rng.uniform(0.1, 0.9) * SIDE, rng.integers(10, 30), rng.integers(5, 12)
        colour = [int(one) for one in rng.integers(0, 256, 3)]
        for k in range(count):
            place = (int((k + 0.5) * SIDE / count), int(y))
            cv2.circle(page, place, int(size), colour, -1, cv2.LINE_AA)
    return page


def flagged(stage, pictures):
    """Every pair that would be flagged, with its risk and measures, if all pairs are candidates."""
    config = Config()
    model = config.loaded_calibration.kinds[Kind.IMAGE]
    prints = [
        one for one in stage.fingerprint([image(one) for one in pictures])
        if isinstance(one, Fingerprint)
    ]  # fmt: skip
    works, assets = prints[::2], prints[1::2]
    everything = [dict.fromkeys(range(len(works)), ("another stage",))] * len(assets)
    settings = type(stage).Settings()
    results = stage.search_with_candidates(assets, entries(stage, works), settings, everything)
    pairs = []
    for asset, evidence in enumerate(results):
        for one in evidence:
            added = model.contributions({stage.name: one.measures})
            risk = risk_of(model.prior + sum(added.values()))
            if risk >= config.bands.review:
                pairs.append((asset, one.work_id, round(risk, 2), dict(one.measures)))
    return pairs


@pytest.mark.parametrize("mark", MARKS)
def test_distractors_with_a_shared_mark_are_not_flagged(stage, distractors, mark):
    assert not flagged(stage, [MARKS[mark](one) for one in distractors])


def test_rows_of_dots_are_not_flagged(stage):
    assert not flagged(stage, [row_of_dots(seed) for seed in range(16)])


def test_distractors_without_a_mark_are_not_flagged(stage, distractors):
    assert not flagged(stage, distractors)
