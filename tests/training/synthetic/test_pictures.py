"""Procedural pictures: deterministic, varied, of known family."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from training.synthetic import FAMILIES, family_of, picture

ROOT = Path(__file__).parents[3]
SEEDS = range(40)


@pytest.fixture(scope="module")
def drawn() -> list[np.ndarray]:
    return [picture(seed, 96) for seed in SEEDS]


def test_shape_and_type(drawn):
    for one in drawn:
        assert one.shape == (96, 96, 3)
        assert one.dtype == np.uint8
        assert one.flags.c_contiguous


def test_a_seed_gives_the_same_bytes(drawn):
    for seed in SEEDS:
        assert np.array_equal(picture(seed, 96), drawn[seed])


def test_a_seed_gives_the_same_bytes_in_another_process():
    here = hashlib.sha256(picture(7, 96).tobytes()).hexdigest()
    command = (
        "import hashlib; from training.synthetic import picture;"
        "print(hashlib.sha256(picture(7, 96).tobytes()).hexdigest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert run.stdout.strip() == here


def test_drawing_does_not_change_the_global_random_state():
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    picture(11, 96)
    assert np.array_equal(np.random.get_state()[1], before)


def test_two_seeds_give_two_pictures(drawn):
    assert len({one.tobytes() for one in drawn}) == len(drawn)
    small = np.stack([one.astype(float).reshape(12, 8, 12, 8, 3).mean((1, 3)) for one in drawn])
    apart = np.abs(small[:, None] - small[None]).mean((2, 3, 4))
    assert apart[~np.eye(len(drawn), dtype=bool)].min() > 4


def test_pictures_hold_detail(drawn):
    assert np.median([one.std() for one in drawn]) > 30
    assert min(one.std() for one in drawn) > 2


def test_every_family_is_drawn_and_named_right():
    families = {family_of(seed) for seed in range(400)}
    assert families == set(FAMILIES)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("size", [32, 65])
def test_every_family_at_small_and_odd_sizes(name, size):
    drawn = FAMILIES[name][0](np.random.default_rng(5), size)
    assert drawn.shape == (size, size, 3)
    assert drawn.dtype == np.uint8


@pytest.mark.parametrize(("seed", "size"), [(-1, 256), (0, 31), (0, 0), (0, -5)])
def test_refuses_what_it_cannot_draw(seed, size):
    with pytest.raises(ValueError, match="seed must be >= 0 and size >= 32"):
        picture(seed, size)


def test_smallest_size_is_drawn():
    assert picture(0, 32).shape == (32, 32, 3)
