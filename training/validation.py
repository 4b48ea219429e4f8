"""Procedural validation: works and edited queries of seeds that training never sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.measures import by_edit
from training.synthetic.edits import EDITS
from training.views import squash

STORED_SIDE = 192


def queries(pictures: NDArray[np.uint8], path: Path) -> NDArray[np.uint8]:
    """Each picture under one edit, edit after edit in turn: uint8 (n, 192, 192, 3)."""
    if path.exists():
        return np.asarray(np.load(path))
    names = list(EDITS)
    edited = np.stack(
        [
            squash(
                EDITS[names[k % len(names)]](np.array(one), np.random.default_rng(k)), STORED_SIDE
            )
            for k, one in enumerate(pictures)
        ]
    )
    np.save(path, edited)
    return edited


def normalised(
    views: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]
) -> torch.Tensor:
    """uint8 (n, 3, h, w) to float32 of the model's mean and deviation, channels last."""
    shift = torch.tensor(mean).view(1, 3, 1, 1) * 255
    scale = torch.tensor(std).view(1, 3, 1, 1) * 255
    return ((views.float() - shift) / scale).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def embed(
    tower: torch.nn.Module,
    images: NDArray[np.uint8],
    size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> NDArray[np.float32]:
    """Unit embeddings (n, dims) of pictures (n, h, w, 3), squashed to `size` pixels a side."""
    tower.eval()
    parts = []
    for start in range(0, len(images), 64):
        views = np.stack([squash(np.asarray(one), size) for one in images[start : start + 64]])
        batch = torch.from_numpy(views.transpose(0, 3, 1, 2).copy())
        parts.append(torch.nn.functional.normalize(tower(normalised(batch, mean, std)), dim=-1))
    return np.asarray(torch.cat(parts).numpy(), np.float32)


def validate(
    tower: torch.nn.Module,
    pictures: NDArray[np.uint8],
    edited: NDArray[np.uint8],
    size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> dict[str, tuple[float, float, float]]:
    """`by_edit` with the first half of `pictures` as works and the rest as distractors."""
    half = len(pictures) // 2
    works = embed(tower, pictures[:half], size, mean, std)
    found = embed(tower, edited, size, mean, std) @ works.T
    nearest, names = found.argmax(1), list(EDITS)
    has_work = np.arange(len(pictures)) < half
    correct = has_work & (nearest == np.arange(len(pictures)))
    return by_edit(
        found.max(1), correct, has_work, [names[k % len(names)] for k in range(len(pictures))]
    )
