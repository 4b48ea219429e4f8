"""A pool of procedural pictures on disk, drawn once and then read through a memory map."""

from __future__ import annotations

import argparse
import multiprocessing
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synthetic import picture

FIRST_TRAINING_SEED = 1_000_000_000
FIRST_VALIDATION_SEED = 2_000_000_000
SIZE = 224


def _draw(seed: int) -> NDArray[np.uint8]:
    cv2.setNumThreads(1)
    return picture(seed, SIZE)


def pool(path: Path, first_seed: int, count: int, workers: int = 2) -> NDArray[np.uint8]:
    """Pictures of `count` seeds from `first_seed` on: uint8 (count, 224, 224, 3), memory-mapped.

    Drawn into `path` unless it is there already, whole and of this shape.
    """
    shape = (count, SIZE, SIZE, 3)
    if path.exists():
        stored: NDArray[np.uint8] = np.load(path, mmap_mode="r")
        if stored.shape == shape:
            return stored
    part = path.with_suffix(".part")
    drawn = np.lib.format.open_memmap(part, "w+", np.uint8, shape)
    with multiprocessing.get_context("spawn").Pool(workers) as processes:
        seeds = range(first_seed, first_seed + count)
        for k, one in enumerate(processes.imap(_draw, seeds, chunksize=32)):
            drawn[k] = one
    drawn.flush()
    del drawn
    part.rename(path)
    whole: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return whole


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--training", type=int, default=16_000)
    arguments.add_argument("--validation", type=int, default=800)
    options = arguments.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    pool(options.folder / "validation.npy", FIRST_VALIDATION_SEED, options.validation)
    pool(options.folder / "training.npy", FIRST_TRAINING_SEED, options.training)
