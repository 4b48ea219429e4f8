"""Training and evaluation of clearance-mini: losses, tiles, views and scores by brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from training.evaluate_clearance_mini import stand_out
from training.photographs import LARGEST_SIDE, LEAST_SIDE, partition, photographs
from training.synthetic import picture
from training.train_clearance_mini import contrast, spread
from training.views import Batches, light, soften, strong
from training.whitening import whitening


@pytest.mark.parametrize("shape", [(224, 224), (720, 360), (170, 2000), (1920, 1080), (900, 341)])
@pytest.mark.parametrize("seed", range(3))
def test_tiles_cover_a_photograph_and_share_no_pixel(shape, seed):
    width, height = shape
    cover = np.zeros((height, width), int)
    for left, top, right, bottom in partition(width, height, np.random.default_rng(seed)):
        cover[top:bottom, left:right] += 1
        assert min(right - left, bottom - top) >= LEAST_SIDE
        assert max(right - left, bottom - top) <= LARGEST_SIDE
    assert (cover == 1).all()


def test_photographs_give_tiles_by_their_number(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.fromarray(np.full((300, 300, 3), 200, np.uint8)).save(folder / "a.png")
    Image.fromarray(picture(5, 1000)).save(folder / "b.jpg")
    Image.fromarray(picture(6, 300)).save(folder / "c.png")
    path, of = photographs(folder, tmp_path / "pool" / "tiles.npy", 1)
    tiles = np.load(path)
    assert tiles.shape == (len(of), 224, 224, 3)
    assert tiles.dtype == np.uint8
    # A blank picture gives none; a small one is a tile; a large one is cut.
    assert (of == 2).sum() == 1
    assert (of == 1).sum() > 3
    assert not (of == 0).any()
    assert np.array_equal(photographs(folder, path, 1)[1], of)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="no picture"):
        photographs(empty, tmp_path / "none.npy", 1)


@pytest.mark.parametrize("seed", range(4))
def test_edits_of_light_keep_the_form(seed):
    image = picture(20 + seed, 96)[:, :80]
    rng = np.random.default_rng(seed)
    for _ in range(60):
        for edited in (light(image, rng, 1.0), soften(image, rng)):
            assert edited.shape == image.shape
            assert edited.dtype == np.uint8


def test_views_have_the_requested_size_and_are_repeatable(tmp_path):
    pool = np.stack([picture(seed, 64) for seed in range(6)])
    np.save(tmp_path / "a.npy", pool[:4])
    np.save(tmp_path / "b.npy", pool[4:])
    paths = [tmp_path / "a.npy", tmp_path / "b.npy"]
    controls = torch.tensor([32.0, 1.0])

    def first():
        return next(iter(Batches(paths, np.zeros(6, np.intp), 3, controls, 1)))

    views, numbers = first()
    assert views.shape == (3, 3, 3, 32, 32)
    assert views.dtype == torch.uint8
    assert set(numbers.tolist()) <= set(range(6))
    assert torch.equal(first()[0], views)
    one = strong(pool[0], pool[1:], np.random.default_rng(3), 48, 0.5)
    assert one.shape == (48, 48, 3)


def test_the_contrast_is_that_of_the_plain_sum():
    torch.manual_seed(0)
    views = torch.nn.functional.normalize(torch.randn(3, 4, 8), dim=-1)
    ids = torch.tensor([5, 7, 5, 9])
    losses = []
    for view in (1, 2):
        for place in range(4):
            for a, b in ((0, view), (view, 0)):
                anchor = views[a, place]
                good = math.exp(float(anchor @ views[b, place]) / 0.1)
                bad = sum(
                    math.exp(float(anchor @ views[v, n]) / 0.1)
                    for v in range(3)
                    for n in range(4)
                    if ids[n] != ids[place]
                )
                losses.append(-math.log(good / (good + bad)))
    assert float(contrast(views, ids, 0.1)) == pytest.approx(np.mean(losses), rel=1e-5)


def test_the_spread_is_over_the_nearest_of_other_pictures():
    at = torch.tensor([[0.0, 0.1, 1.0, 1.3]])
    views = torch.stack([at.cos(), at.sin()], dim=-1)
    same = spread(views, torch.tensor([0, 0, 1, 1]))
    chord = [2 * math.sin(d / 2) for d in (1.0, 0.9, 0.9, 1.2)]
    assert float(same) == pytest.approx(-np.mean(np.log(chord)), abs=1e-4)


@pytest.mark.parametrize("background", [None, 1, 3, 9])
def test_scores_are_margins_over_the_nearest_others(background):
    rng = np.random.default_rng(0)
    table = rng.uniform(-1, 1, (20, 10)).astype(np.float32)
    scores, nearest = stand_out(table, background)
    for row, score, place in zip(table, scores, nearest, strict=True):
        order = np.sort(row)[::-1]
        assert row[place] == order[0]
        off = 0 if background is None else order[1 : background + 1].mean()
        assert score == pytest.approx(order[0] - off, abs=1e-6)
    with pytest.raises(ValueError, match="needs more works"):
        stand_out(table, 10)


def test_whitening_makes_edits_count_equally_and_keeps_what_distinguishes_pictures():
    rng = torch.Generator().manual_seed(0)
    mild = torch.randn(4000, 6, generator=rng) * torch.tensor([5.0, 3.0, 2.0, 1.0, 0.1, 0.1])
    # Edits vary in the first direction as much as pictures do, and little in the others.
    noise = torch.tensor([5.0, 0.1, 0.1, 0.1, 0.1, 0.1])
    strong = mild + torch.randn(2, 4000, 6, generator=rng) * noise
    matrix, offset = whitening(torch.cat([mild[None], strong]), 3, 0.0, 0.0)
    assert matrix.shape == (3, 6)
    out = torch.cat([mild[None], strong]) @ matrix.T + offset
    assert out[0].mean(0).abs().max() < 1e-4
    moved = torch.cov((out[1] - out[0]).T)
    assert torch.allclose(moved / moved[0, 0], torch.eye(3), atol=0.1)
    directions = torch.linalg.svd(matrix).Vh[:3]
    assert directions[:, 0].norm() < 0.1
    assert directions[:, 1:4].norm() > 1.6
    flat = whitening(torch.cat([mild[None], strong]), 3, 0.0, 0.5)
    variances = torch.cov(((mild @ flat[0].T) + flat[1]).T).diagonal()
    assert variances.max() / variances.min() < 1.1
