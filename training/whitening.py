"""Whiten clearance-mini's embeddings by how edits move them, and fold that into its last layer.

    python -m training.whitening --start FOLDER --out FOLDER [--photographs FOLDER]

What edits change of a picture's features should count for little, and what tells pictures apart
for much. The pooled features of views are taken; the covariance of the differences between a mild
and a strong view of a picture is whitened, and the axes that remain are those of the mild views,
drawn together somewhat (learned whitening: Mikolajczyk and Matas, "Improving descriptors for fast
tree matching by optimal linear projection", ICCV 2007; Radenović et al., "Fine-tuning CNN image
retrieval with no human annotation", 2018). As the last layer is linear, this is one matrix for
another: the model costs nothing more.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import open_clip
import torch
from safetensors.torch import load_file

from training.photographs import photographs
from training.pool import FIRST_TRAINING_SEED, pool
from training.train_clearance_mini import MEAN, NAME, STD, configuration, save
from training.validation import normalised
from training.views import Batches


def whitening(
    features: torch.Tensor, dims: int, ease: float, flatten: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The matrix (dims, d) and offset (dims,) of a linear layer that whitens features.

    Args:
        features: (v, n, d), the first row those of the mild views.
        dims: of the embedding, at most d.
        ease: share of the mean variance that is added to every direction's, so that those that
            edits hardly move in these views are not overrated.
        flatten: 0 leaves the variance of the mild views along each axis, 0.5 makes it one.
    """
    mild = features[0]
    mean = mild.mean(0)
    moved = (features[1:] - mild).flatten(0, 1)
    variance, axes = torch.linalg.eigh(moved.T @ moved / len(moved))
    scale = (variance + ease * variance.mean()) ** -0.5
    still = axes * scale @ axes.T
    variance, axes = torch.linalg.eigh(torch.cov(((mild - mean) @ still).T))
    kept = axes.flip(1)[:, :dims] * variance.flip(0)[:dims].clamp(min=1e-6) ** -flatten
    matrix = (still @ kept).T
    # Embeddings of length one or so: float16 holds them as well as it can.
    matrix = matrix / ((mild - mean) @ matrix.T).norm(dim=1).mean()
    return matrix, -matrix @ mean


@torch.inference_mode()
def pooled(tower: torch.nn.Module, batches: Batches, count: int) -> torch.Tensor:
    """The features before the last layer of `count` batches of views, (v, n, d)."""
    parts = []
    feed = iter(batches)
    for _ in range(count):
        views, _ = next(feed)
        maps = tower.trunk.forward_features(normalised(views.flatten(0, 1), MEAN, STD))
        flat = tower.trunk.forward_head(maps, pre_logits=True)
        parts.append(flat.unflatten(0, views.shape[:2]))
    return torch.cat(parts, dim=1)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("--start", type=Path, required=True, help="folder of trained weights")
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--pool", type=Path, default=Path("/tmp/clearance-pool"))  # noqa: S108
    arguments.add_argument("--photographs", type=Path, help="folder of pictures cut into tiles")
    arguments.add_argument("--repeat", type=int, default=2, help="how often a tile is seen")
    arguments.add_argument("--pictures", type=int, default=16_000)
    arguments.add_argument("--batches", type=int, default=100, help="of 32 pictures")
    arguments.add_argument("--size", type=int, help="of the input in pixels, if not the model's")
    arguments.add_argument("--dims", type=int, default=512)
    arguments.add_argument("--ease", type=float, default=0.3)
    arguments.add_argument("--flatten", type=float, default=0.25)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=20261)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)

    settings = json.loads((options.start / f"{NAME}.json").read_text())
    vision = settings["vision_cfg"]
    size = options.size or vision["image_size"]
    open_clip.add_model_config(options.start / f"{NAME}.json")
    trained = open_clip.create_model(NAME)
    weights = load_file(options.start / "model.safetensors")
    trained.load_state_dict({key: value.float() for key, value in weights.items()})
    tower = trained.visual.eval()

    stored = [options.pool / "training.npy"]
    count = len(pool(stored[0], FIRST_TRAINING_SEED, options.pictures))
    if options.photographs:
        tiles, of = photographs(options.photographs, options.pool / "photographs.npy", options.seed)
        stored += [tiles] * options.repeat
        count += len(of) * options.repeat
    controls = torch.tensor([float(size), 1.0])
    batches = Batches(stored, np.zeros(count, np.intp), 32, controls, options.seed)
    matrix, offset = whitening(
        pooled(tower, batches, options.batches), options.dims, options.ease, options.flatten
    )
    architecture = vision["timm_model_name"]
    options.out.mkdir(parents=True, exist_ok=True)
    settings = configuration(architecture, size, options.dims)
    (options.out / f"{NAME}.json").write_text(json.dumps(settings))
    open_clip.add_model_config(options.out / f"{NAME}.json")
    whitened = open_clip.create_model(NAME)
    state = tower.state_dict() | {"trunk.fc.weight": matrix, "trunk.fc.bias": offset}
    whitened.visual.load_state_dict(state)
    save(whitened, options.out, architecture, size, options.dims)
    print(f"{options.batches} batches at {size} px; {options.dims} dimensions")


if __name__ == "__main__":
    main()
