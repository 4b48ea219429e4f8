"""Measure clearance-mini on real pictures that it has not seen, beside simpler fingerprints.

    python -m training.evaluate_clearance_mini --images FOLDER [FOLDER ...]

Half of the works are registered and the other half are distractors; every picture of both halves
is edited by every edit and looked up. Then the halves change places, and the figures are the means
of the two. Procedural pictures may fill up the index (`--fill`).
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import imagehash
import numpy as np
import open_clip
import pdqhash
import torch
from numpy.typing import NDArray
from PIL import Image

from pipeline.stages.clip_embedding import BACKGROUND_WORKS
from training.measures import by_edit
from training.synthetic.edits import EDITS, random_stack, set_into
from training.synthetic.pictures import picture

Picture = NDArray[np.uint8]
# Pictures in, unit-length or ±1 vectors out; similarity is the dot product over the dimensions.
Describe = Callable[[list[Picture]], NDArray[np.float32]]


class Method(NamedTuple):
    """One way to compare a query with the works.

    Attributes:
        works: vectors (n, d) of works.
        queries: vectors (v, n, d) of queries, of which the most similar counts; None as `works`.
        background: other works whose mean similarity is taken off, None for none.
    """

    works: Describe
    queries: Describe | None = None
    background: int | None = None


SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
FIRST_FILL_SEED = 3_000_000_000
LONGEST = 640
# Folders that hold edits of one single picture.
ONE_WORK = {"bridge-mods": "bridge", "modes": "bridge", "dih": "bridge", "pytx-resources": "park"}
LEAST_DEVIATION = 8.0


def work_of(file: Path) -> str:
    """The work that a file shows: variants, animation frames and stereo halves fall together."""
    stem = re.sub(r"(_left|_right|_GRAY|_RGB|_bad|(?<=\d)[ab])$", "", file.stem)
    for part in file.parts:
        if part in ONE_WORK:
            return ONE_WORK[part]
        if part == "units":
            return "unit/" + re.split(r"[-\d]", stem.removeprefix("bad_"))[0]
    if file.parent.name.startswith("portraits"):
        return f"portrait/{stem}"
    return f"{file.parent.name}/{stem}"


def load(file: Path) -> Picture | None:
    """The first frame on white, at most 640 pixels a side; None without enough detail."""
    with Image.open(file) as opened:
        opened.thumbnail((LONGEST, LONGEST), Image.Resampling.BICUBIC)
        layer = opened.convert("RGBA")
    sheet = Image.new("RGBA", layer.size, (255, 255, 255, 255))
    sheet.alpha_composite(layer)
    array = np.array(sheet.convert("RGB"))
    return array if array.std() >= LEAST_DEVIATION else None


def works(folders: list[Path]) -> dict[str, Picture]:
    """One picture a work, the first file in order of path."""
    found: dict[str, Picture] = {}
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.suffix.lower() not in SUFFIXES or work_of(file) in found:
                continue
            loaded = load(file)
            if loaded is None:
                print(f"left out, too little detail: {file.name}")
            else:
                found[work_of(file)] = loaded
    return found


def phash(images: list[Picture]) -> NDArray[np.float32]:
    """imagehash's 64-bit pHash as ±1 vectors."""
    bits = np.stack([imagehash.phash(Image.fromarray(one)).hash.ravel() for one in images])
    return np.where(bits, 1, -1).astype(np.float32)


def pdq(images: list[Picture]) -> NDArray[np.float32]:
    """PDQ's 256 bits as ±1 vectors."""
    bits = np.stack([pdqhash.compute(one)[0] for one in images])
    return np.where(bits, 1, -1).astype(np.float32)


def pdq_eight(images: list[Picture]) -> NDArray[np.float32]:
    """PDQ's 256 bits of a picture turned and mirrored in all eight ways: ±1 (8, n, 256)."""
    bits = np.stack([pdqhash.compute_dihedral(one)[0] for one in images], axis=1)
    return np.where(bits, 1, -1).astype(np.float32)


def stand_out(
    similarity: NDArray[np.float32], background: int | None
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Each query's score with its nearest work, (n,), and that work's place, (n,).

    The score is the similarity, less its mean with the `background` nearest other works: the
    score normalisation of SSCD (Pizzi et al. 2022) with the index as background.

    Raises ValueError if there are too few works.
    """
    nearest = similarity.argmax(1)
    best = similarity.max(1)
    if background is None:
        return best, nearest
    if background >= similarity.shape[1]:
        raise ValueError(f"a background of {background} needs more works")
    top = -np.partition(-similarity, background, axis=1)[:, : background + 1]
    return best - (top.sum(1) - best) / background, nearest


def describe(folder: Path, weights: bool, size: int | None = None) -> Describe:
    """A model folder's embedding function, or the same architecture as it starts out."""
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    model, _, preprocess = open_clip.create_model_and_transforms(
        "clearance-mini",
        pretrained=str(folder / "model.safetensors") if weights else None,
        require_pretrained=weights,
        image_resize_mode="squash",
        force_image_size=size,
    )
    model.eval()

    @torch.inference_mode()
    def embed(images: list[Picture]) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(images), 64):
            chunk = images[start : start + 64]
            batch = torch.stack([preprocess(Image.fromarray(one)) for one in chunk])
            parts.append(model.encode_image(batch, normalize=True))
        return np.asarray(torch.cat(parts).numpy(), np.float32)

    return embed


def edited(
    pictures: list[Picture], grounds: list[Picture]
) -> tuple[list[Picture], list[str], NDArray[np.intp]]:
    """Every picture under every edit, the name of each edit, the place of each picture.

    Besides the named edits: "inset40 real", into a picture of `grounds`, and stacks of three.
    """
    images, names, places = [], [], []
    for place, one in enumerate(pictures):
        for k, (name, edit) in enumerate(EDITS.items()):
            images.append(edit(one, np.random.default_rng([place, k])))
            names.append(name)
        rng = np.random.default_rng([place, len(EDITS)])
        images.append(set_into(one, grounds[int(rng.integers(len(grounds)))], rng, 0.4))
        images.append(random_stack(one, rng, 3))
        names += ["inset40 real", "stack of 3"]
        places += [place] * (len(EDITS) + 2)
    return images, names, np.array(places)


def measure(
    methods: dict[str, Method], first: list[Picture], second: list[Picture], fill: list[Picture]
) -> dict[str, dict[str, tuple[float, float, float]]]:
    """`by_edit` by method, the mean over both ways to register one half and leave out the other."""
    folds: dict[str, list[dict[str, tuple[float, float, float]]]] = {name: [] for name in methods}
    for registered, others in ((first, second), (second, first)):
        # Grounds are distractors too: no part of an inset but the inset itself is registered.
        images, names, places = edited(registered, others)
        extra, extra_names, _ = edited(others, others)
        has_work = np.arange(len(images) + len(extra)) < len(images)
        known: dict[tuple[Describe, Describe | None], NDArray[np.float32]] = {}
        for name, method in methods.items():
            # Methods that share their vectors have them made once.
            key = method.works, method.queries
            if key not in known:
                asked = (method.queries or method.works)(images + extra)
                index = method.works(registered + fill)
                found = asked @ index.T
                known[key] = found if found.ndim == 2 else found.max(0)
            scores, nearest = stand_out(known[key], method.background)
            correct = has_work.copy()
            correct[: len(images)] &= nearest[: len(images)] == places
            folds[name].append(by_edit(scores, correct, has_work, names + extra_names))
    return {
        name: {
            edit: tuple(float(v) for v in np.mean([fold[edit] for fold in both], 0))  # type: ignore[misc]
            for edit in both[0]
        }
        for name, both in folds.items()
    }


def cost(method: Describe, side: int = 512) -> float:
    """Milliseconds a picture, preprocessing included, in batches of 32; the best of three."""
    batch = [picture(FIRST_FILL_SEED + k, side) for k in range(32)]
    method(batch)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        method(batch)
        times.append(time.perf_counter() - start)
    return 1000 * min(times) / len(batch)


def tower_cost(name: str, size: int) -> float:
    """Milliseconds a picture of an image tower alone, random weights, batches of 32."""
    tower = open_clip.create_model(name).visual.eval()
    batch = torch.randn(32, 3, size, size)
    with torch.inference_mode():
        tower(batch)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            tower(batch)
            times.append(time.perf_counter() - start)
    return 1000 * min(times) / len(batch)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("--images", type=Path, nargs="+", required=True)
    mini = Path("pipeline/stages/image/models/clearance-mini")
    arguments.add_argument("--model", type=Path, default=mini)
    arguments.add_argument("--size", type=int, help="of the input in pixels, if not the model's")
    arguments.add_argument("--fill", type=int, default=1000, help="procedural works in the index")
    arguments.add_argument("--methods", nargs="+", help="names of columns; all of them if left out")
    arguments.add_argument("--seed", type=int, default=0, help="of the split into halves")
    arguments.add_argument("--cost", action="store_true", help="time the towers, beside ViT-B-32")
    options = arguments.parse_args()
    cv2.setNumThreads(1)

    every = works(options.images)
    names = sorted(every)
    order = np.random.default_rng(options.seed).permutation(len(names))
    half = len(names) // 2
    first, second = ([every[names[k]] for k in part] for part in (order[:half], order[half:]))
    fill = [picture(FIRST_FILL_SEED + k, 256) for k in range(options.fill)]
    queries = len(names) * (len(EDITS) + 2)
    print(f"{len(names)} works ({len(first)} + {len(second)}), {len(fill)} procedural works beside")
    print(f"them, {queries} queries a fold, half of them of works that are not registered\n")

    mini = describe(options.model, weights=True, size=options.size)
    methods = {
        "clearance-mini": Method(mini),
        "clearance-mini, margin": Method(mini, background=BACKGROUND_WORKS),
        "random weights": Method(describe(options.model, weights=False, size=options.size)),
        "pHash 64": Method(phash),
        "PDQ 256": Method(pdq),
        "PDQ 256, eight ways": Method(pdq, pdq_eight),
    }
    if options.methods:
        methods = {name: methods[name] for name in options.methods}
    rows = measure(methods, first, second, fill)
    print("µAP / recall at precision 0.99 / right at rank one\n")
    print("| edit | " + " | ".join(rows) + " |\n|---|" + "---|" * len(rows))
    for edit in next(iter(rows.values())):
        cells = (" / ".join(f"{v:.3f}" for v in row[edit]) for row in rows.values())
        print(f"| {edit} | " + " | ".join(cells) + " |")
    if options.cost:
        stored = json.loads((options.model / "clearance-mini.json").read_text())
        size = options.size or stored["vision_cfg"]["image_size"]
        own, other = tower_cost("clearance-mini", size), tower_cost("ViT-B-32", 224)
        print(f"\nimage tower, {torch.get_num_threads()} threads: clearance-mini at {size} px")
        print(f"{own:.2f} ms a picture, ViT-B-32 at 224 px {other:.2f} ms: {other / own:.1f} times")
        whole = cost(mini)
        print(f"clearance-mini from 512 px pictures, preprocessing included: {whole:.2f} ms")


if __name__ == "__main__":
    main()
