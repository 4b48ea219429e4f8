"""Train the codebook that local descriptors are compressed with.

    python -m training.train_codebook --out pipeline/local/codebook.safetensors

Descriptors of drawn pictures, clustered by k-means: coarse cells first, then words for what the
cells leave. Only pictures that `pipeline.synthetic` draws are seen; the same seed gives the same
codebook on one machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
from pathlib import Path

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from pipeline.local.codes import PARTS, WORDS
from pipeline.local.features import DIMS, LARGEST_EDGE, extract, luma
from pipeline.synthetic import picture

FIRST_SEED = 1_500_000_000
A_PICTURE = 100


def _descriptors(seed: int) -> NDArray[np.float32]:
    cv2.setNumThreads(1)
    _, found = extract(luma(picture(seed, 384), LARGEST_EDGE))
    order = np.random.default_rng(seed).permutation(len(found))[:A_PICTURE]
    return found[order]


def centroids(points: NDArray[np.float32], count: int, rounds: int) -> NDArray[np.float32]:
    """k-means centroids (count, dim)."""
    found = faiss.Kmeans(
        points.shape[1], count, niter=rounds, seed=1, max_points_per_centroid=10_000
    )
    found.train(np.ascontiguousarray(points))
    return np.asarray(found.centroids, np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--cells", type=int, default=512)
    given = parser.parse_args()
    with multiprocessing.get_context("spawn").Pool(2) as processes:
        seeds = range(FIRST_SEED, FIRST_SEED + given.pictures)
        points = np.concatenate(processes.map(_descriptors, seeds, chunksize=16))
    cells = centroids(points, given.cells, 20).astype(np.float16)
    _, nearest = faiss.knn(points, cells.astype(np.float32), 1)
    rest = (points - cells.astype(np.float32)[nearest[:, 0]]).reshape(-1, PARTS, DIMS // PARTS)
    words = np.stack([centroids(rest[:, part], WORDS, 20) for part in range(PARTS)])
    save_file({"cells": cells, "words": words.astype(np.float16)}, given.out)
    print(f"{len(points):,} descriptors of {given.pictures:,} pictures; wrote {given.out}")


if __name__ == "__main__":
    main()
