"""Train clearance-mini, the copy-detection descriptor that ships with the package.

    python -m training.train_clearance_mini --minutes 45 --out FOLDER \\
        [--start pipeline/stages/image/models/clearance-mini] [--photographs FOLDER]

The loss is the contrastive one of SSCD (Pizzi et al., "A self-supervised descriptor for image copy
detection", CVPR 2022): InfoNCE over views of each picture, with the KoLeo term that spreads the
embeddings. Edits grow from mild to strong over the first part of a run. Procedural pictures are
drawn; a folder of photographs, if given, is cut into tiles that are pictures of their own. With
`--start` training goes on from the weights in a folder. With `--steps` the schedule follows the
count of steps; with `--minutes`, the clock.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path

import numpy as np
import open_clip
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize

from training.photographs import photographs
from training.pool import FIRST_TRAINING_SEED, FIRST_VALIDATION_SEED, pool
from training.synthetic import family_of
from training.validation import normalised, queries, validate
from training.views import Batches

NAME = "clearance-mini"
MEAN, STD = tuple(OPENAI_DATASET_MEAN), tuple(OPENAI_DATASET_STD)
# Sides of the training views in pixels, each with the share of the run at which it begins: small
# views first, because twice as many fit in the time.
SIZES = ((0.0, 96), (0.55, 112), (0.85, 128))
START_STRENGTH, FULL_STRENGTH = 0.4, 0.35


def configuration(architecture: str, image_size: int, dims: int) -> dict[str, object]:
    """The open_clip configuration; the text tower is as small as open_clip allows, and unused."""
    return {
        "embed_dim": dims,
        "vision_cfg": {
            "image_size": image_size,
            "timm_model_name": architecture,
            "timm_model_pretrained": False,
            "timm_pool": "avgmax",
            "timm_proj": "",
        },
        "text_cfg": {"context_length": 8, "vocab_size": 8, "width": 8, "heads": 1, "layers": 1},
    }


def save(model: torch.nn.Module, out: Path, architecture: str, image_size: int, dims: int) -> None:
    """Write configuration and weights, each in one move so that a reader never sees half a file."""
    out.mkdir(parents=True, exist_ok=True)
    settings = json.dumps(configuration(architecture, image_size, dims), indent=2) + "\n"
    (out / f"{NAME}.json.part").write_text(settings)
    (out / f"{NAME}.json.part").rename(out / f"{NAME}.json")
    # Matrices as fp16; the few vectors (batch-norm statistics among them) keep their precision.
    stored = {
        key: (value.half() if value.ndim > 1 else value).contiguous().clone()
        for key, value in model.state_dict().items()
    }
    save_file(stored, out / "model.safetensors.part", metadata={"format": "pt"})
    (out / "model.safetensors.part").chmod(0o644)
    (out / "model.safetensors.part").rename(out / "model.safetensors")


def contrast(views: torch.Tensor, ids: torch.Tensor, temperature: float) -> torch.Tensor:
    """InfoNCE between each mild view and each strong view of the same picture.

    Every such pair, both ways round, is told from the views of all other pictures of the batch.
    Two strong views of a picture are neither drawn together nor pushed apart.

    Args:
        views: unit embeddings (v, n, d), the first row those of the mild views.
        ids: the pictures' numbers, (n,).
        temperature: by which cosine similarities are divided.
    """
    count = views.shape[1]
    flat, whose = views.flatten(0, 1), ids.repeat(len(views))
    near = flat @ flat.T / temperature
    same = whose[:, None] == whose[None, :]
    against = torch.logsumexp(near.masked_fill(same, float("-inf")), dim=1)
    losses = []
    for view in range(1, len(views)):
        mild = torch.arange(count)
        strong = mild + view * count
        for anchor, partner in ((mild, strong), (strong, mild)):
            good = near[anchor, partner]
            losses.append(torch.logaddexp(good, against[anchor]) - good)
    return torch.cat(losses).mean()


def spread(views: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """KoLeo: minus the mean log distance to the nearest embedding of another picture."""
    flat, whose = views.flatten(0, 1), ids.repeat(len(views))
    with torch.no_grad():
        near = (flat @ flat.T).masked_fill(whose[:, None] == whose[None, :], -2)
        nearest = near.argmax(1)
    return -torch.log((flat - flat[nearest]).norm(dim=1) + 1e-6).mean()


def train(options: argparse.Namespace) -> None:
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    options.pool.mkdir(parents=True, exist_ok=True)
    held = pool(options.pool / "validation.npy", FIRST_VALIDATION_SEED, 800)
    edited = queries(held, options.pool / "queries.npy")
    stored = [options.pool / "training.npy"]
    pool(stored[0], FIRST_TRAINING_SEED, options.pictures)
    names = [family_of(FIRST_TRAINING_SEED + k) for k in range(options.pictures)]
    families = np.unique(names, return_inverse=True)[1]
    picture_of = np.arange(options.pictures)
    if options.photographs:
        tiles, of = photographs(options.photographs, options.pool / "photographs.npy", options.seed)
        stored += [tiles] * options.repeat
        families = np.concatenate([families, *[families.max() + 1 + of] * options.repeat])
        numbers_of = options.pictures + np.arange(len(of))
        picture_of = np.concatenate([picture_of, *[numbers_of] * options.repeat])
        print(f"{len(of)} tiles of {len(np.unique(of))} photographs", flush=True)

    if options.start:
        options.dims = json.loads((options.start / f"{NAME}.json").read_text())["embed_dim"]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{NAME}.json").write_text(
        json.dumps(configuration(options.architecture, 160, options.dims), indent=2)
    )
    open_clip.add_model_config(options.out / f"{NAME}.json")
    model = open_clip.create_model(NAME)
    if options.start:
        weights = load_file(options.start / "model.safetensors")
        model.load_state_dict({key: value.float() for key, value in weights.items()})
    tower = model.visual.to(memory_format=torch.channels_last)
    average = copy.deepcopy(tower).eval()

    heavy = [p for p in tower.parameters() if p.ndim > 1]
    light = [p for p in tower.parameters() if p.ndim <= 1]
    groups = [{"params": heavy, "weight_decay": 0.03}, {"params": light, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.98))

    controls = torch.tensor([float(SIZES[0][1]), START_STRENGTH])
    controls.share_memory_()  # type: ignore[no-untyped-call]
    batches = Batches(stored, families, options.batch, controls, options.seed)
    # Spawned: a fork of a process in which OpenCV has started threads hangs.
    feed = iter(
        torch.utils.data.DataLoader(
            batches,
            batch_size=None,
            num_workers=1,
            prefetch_factor=4,
            multiprocessing_context="spawn",
        )
    )

    started = saved = time.monotonic()
    seen, step = 0, 0
    trace: list[tuple[float, float]] = []
    while True:
        spent = (time.monotonic() - started) / 60
        done = step / options.steps if options.steps else spent / options.minutes
        if done >= 1:
            break
        controls[0] = next(size for start, size in reversed(SIZES) if done >= start)
        controls[1] = min(1.0, START_STRENGTH + (1 - START_STRENGTH) * done / FULL_STRENGTH)
        warm = min(1.0, (step + 1) / 100)
        for group in optimiser.param_groups:
            group["lr"] = options.rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))

        views, numbers = next(feed)
        ids = torch.from_numpy(picture_of)[numbers]
        images = normalised(views.flatten(0, 1), MEAN, STD)
        tower.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bfloat16):
            raw = tower(images)
        both = normalize(raw.float(), dim=-1).unflatten(0, views.shape[:2])
        loss = contrast(both, ids, options.temperature)
        koleo = spread(both, ids)
        optimiser.zero_grad(set_to_none=True)
        (loss + options.spread * koleo).backward()
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 5.0)
        optimiser.step()

        step += 1
        seen += both.shape[0] * both.shape[1]
        with torch.no_grad():
            keep = min(options.keep, 1 - 10 / (10 + step))
            for own, other in zip(
                average.state_dict().values(), tower.state_dict().values(), strict=True
            ):
                if own.is_floating_point():
                    own.lerp_(other, 1 - keep)
                else:
                    own.copy_(other)
        trace.append((float(loss.detach()), float(koleo.detach())))
        if step % 50 == 0:
            recent = np.mean(trace[-50:], 0)
            print(
                f"{spent:5.1f} min step {step} views {seen} side {views.shape[-1]} "
                f"loss {recent[0]:.3f} koleo {recent[1]:.3f}",
                flush=True,
            )
        if time.monotonic() - saved > 60 * options.every:
            saved = time.monotonic()
            _report(average, held, edited, (128,))
            _write(model, average, options, 128)
    best = _report(average, held, edited, (112, 128, 144))
    _write(model, average, options, best)
    print(f"finished: {step} steps, {seen} views, input {best} px", flush=True)


def _write(
    model: torch.nn.Module, average: torch.nn.Module, options: argparse.Namespace, size: int
) -> None:
    whole = copy.deepcopy(model)
    whole.visual = average
    save(whole, options.out, options.architecture, size, options.dims)


def _report(
    tower: torch.nn.Module, held: np.ndarray, edited: np.ndarray, sizes: tuple[int, ...]
) -> int:
    """Print the validation of each input size; the size of the best µAP."""
    scored = {}
    for size in sizes:
        rows = validate(tower, held, edited, size, MEAN, STD)
        scored[size] = rows["all"][0]
        weak = sorted(rows.items(), key=lambda row: row[1][0])[:6]
        print(
            f"validation at {size} px: µAP {rows['all'][0]:.4f} recall@p99 {rows['all'][1]:.4f} "
            f"rank one {rows['all'][2]:.4f}; weakest "
            + ", ".join(f"{name} {row[0]:.2f}" for name, row in weak),
            flush=True,
        )
    return max(scored, key=lambda size: scored[size])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("--minutes", type=float, default=45)
    arguments.add_argument("--steps", type=int, default=0, help="instead of --minutes, repeatable")
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--pool", type=Path, default=Path("/tmp/clearance-pool"))  # noqa: S108
    arguments.add_argument("--pictures", type=int, default=16_000)
    arguments.add_argument("--architecture", default="resnet10t")
    arguments.add_argument("--start", type=Path, help="folder of the weights to go on from")
    arguments.add_argument("--photographs", type=Path, help="folder of pictures cut into tiles")
    arguments.add_argument("--repeat", type=int, default=2, help="how often an epoch sees a tile")
    arguments.add_argument("--keep", type=float, default=0.998, help="decay of averaged weights")
    arguments.add_argument("--dims", type=int, default=512, help="if no --start says it")
    arguments.add_argument("--bfloat16", action=argparse.BooleanOptionalAction, default=True)
    arguments.add_argument(
        "--batch", type=int, default=32, help="pictures a step, three views each"
    )
    arguments.add_argument("--rate", type=float, default=7e-4)
    arguments.add_argument("--temperature", type=float, default=0.05)
    arguments.add_argument("--spread", type=float, default=1.0)
    arguments.add_argument("--every", type=float, default=5.0, help="minutes between checkpoints")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=20260)
    train(arguments.parse_args())


if __name__ == "__main__":
    main()
