"""Train what local descriptors are compressed with, and what they are aggregated with.

    python -m training.train_codebook --out pipeline/stages/image/codebook.safetensors
    python -m training.train_codebook --aggregates pipeline/stages/image/aggregates.safetensors

Descriptors of drawn pictures, clustered by k-means. For --out, coarse cells first, then words for
what the cells leave. For --aggregates, the axes and centroids of pictures' aggregated vectors, and
words for these vectors. Only pictures that `training.synthetic` draws are seen; the
same seed gives the same codebook on one machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from pipeline.load.detail import to_grey
from pipeline.stages.image import vlad
from pipeline.stages.image.codebook import CODEWORDS, SUB_QUANTIZERS
from pipeline.stages.image.feature_schema import FEWEST
from pipeline.stages.image.sift import DIMS, extract
from pipeline.stages.image.vlad import VladCodebook, residuals
from training.synthetic import picture

FIRST_SEED = 1_500_000_000
DESCRIPTORS_A_PICTURE = 100


def _descriptors(seed: int) -> NDArray[np.float16]:
    cv2.setNumThreads(1)
    _, found = extract(to_grey(picture(seed, 384)))
    return found.astype(np.float16)


def _some(pictures: Sequence[NDArray[np.float16]]) -> NDArray[np.float32]:
    """Up to `DESCRIPTORS_A_PICTURE` descriptors of each picture."""
    orders = (
        np.random.default_rng(place).permutation(len(one))[:DESCRIPTORS_A_PICTURE]
        for place, one in enumerate(pictures)
    )
    chosen = [one[order] for one, order in zip(pictures, orders, strict=True)]
    return np.concatenate(chosen).astype(np.float32)


def centroids(points: NDArray[np.float32], count: int, rounds: int) -> NDArray[np.float32]:
    """k-means centroids (count, dim)."""
    found = faiss.Kmeans(
        points.shape[1], count, niter=rounds, seed=1, max_points_per_centroid=10_000
    )
    found.train(np.ascontiguousarray(points))
    return np.asarray(found.centroids, np.float32)


def codebook_arrays(points: NDArray[np.float32], count: int) -> dict[str, NDArray[np.float16]]:
    """Coarse cells of descriptors (n, 128), and words of what they leave."""
    cells = centroids(points, count, 20).astype(np.float16)
    _, nearest = faiss.knn(points, cells.astype(np.float32), 1)
    rest = (points - cells.astype(np.float32)[nearest[:, 0]]).reshape(
        -1, SUB_QUANTIZERS, DIMS // SUB_QUANTIZERS
    )
    words = np.stack([centroids(rest[:, part], CODEWORDS, 20) for part in range(SUB_QUANTIZERS)])
    return {"cells": cells, "words": words.astype(np.float16)}


def principal_axes(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Principal axes about 0 of points (n, dim), the longest first, in columns (dim, dim)."""
    axes = np.linalg.eigh(points.T.astype(np.float64) @ points)[1][:, ::-1]
    return np.ascontiguousarray(axes, np.float32)


def vlad_arrays(
    pictures: Sequence[NDArray[np.float16]], points: NDArray[np.float32]
) -> dict[str, NDArray[np.float16]]:
    """All of `VladCodebook`, from the descriptors of pictures and some of these, `points`."""
    mean = points.mean(axis=0)
    axes = principal_axes(points - mean)[:, : vlad.REDUCED]
    found = centroids((points - mean) @ axes, vlad.CENTROIDS, 20)
    # Rounded before anything is built on them.
    mean, axes, found = (one.astype(np.float16).astype(np.float32) for one in (mean, axes, found))
    nearest, rest = residuals(points, mean, axes, found)
    turns = np.stack([principal_axes(rest[nearest == place]) for place in range(len(found))])
    turns = turns.astype(np.float16).astype(np.float32)
    book = VladCodebook(mean, axes, found, turns, np.empty((0, 0, 0), np.float32), "")
    vectors = np.concatenate(
        [
            book.aggregate(one.astype(np.float32), np.ones((1, len(one)), np.bool_))
            for one in pictures
            if len(one) >= FEWEST
        ]
    ).reshape(-1, vlad.SUB_QUANTIZERS, vlad.SIZE // vlad.SUB_QUANTIZERS)
    words = np.stack(
        [centroids(vectors[:, part], vlad.CODEWORDS, 12) for part in range(vlad.SUB_QUANTIZERS)]
    )
    whole = {"mean": mean, "axes": axes, "centroids": found, "turns": turns, "words": words}
    return {name: one.astype(np.float16) for name, one in whole.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--aggregates", type=Path)
    parser.add_argument("--pictures", type=int, default=2400)
    parser.add_argument("--cells", type=int, default=512)
    options = parser.parse_args()
    with multiprocessing.get_context("spawn").Pool(2) as processes:
        seeds = range(FIRST_SEED, FIRST_SEED + options.pictures)
        pictures = processes.map(_descriptors, seeds, chunksize=16)
    points = _some(pictures)
    if options.out:
        save_file(codebook_arrays(points, options.cells), options.out)
    if options.aggregates:
        save_file(vlad_arrays(pictures, points), options.aggregates)
    print(f"{len(points):,} descriptors of {options.pictures:,} pictures")


if __name__ == "__main__":
    main()
