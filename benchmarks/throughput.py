"""Images and words a second of each stage, beside the bare libraries, in one run.

    python -m benchmarks.throughput [--images DIR] [--texts DIR] [--rounds 5]

Ours and the bare library take turns on the same inputs, round by round; the ratio of a round is
free of the machine's drift, and the median of the rounds is printed, with the lowest and highest.
Without folders, photographs of the demo and generated text are used.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
from PIL import Image
from rich.console import Console
from rich.table import Table

from pipeline.cli.demo.material import PHOTOGRAPHS_FOLDER
from pipeline.core.records import Fingerprint
from pipeline.drops.discover import discover
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import Loaded, LoadedImage, LoadedScript, Span
from pipeline.stages import STAGES, Stage
from reference_index.interface import StageEntries, WorkFile

PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg")


def pictures_of(folder: Path | None, limit: int) -> list[LoadedImage]:
    root = folder or PHOTOGRAPHS_FOLDER
    images = []
    for asset in discover(root):
        if folder is None and asset.file.name not in PHOTOS:
            continue
        loaded = load(asset, Limits())
        if isinstance(loaded, LoadedImage):
            images.append(LoadedImage(loaded.frames[:1], loaded.format))
    random.Random(0).shuffle(images)
    while len(images) < limit:
        images = images + images
    return images[:limit]


def texts_of(folder: Path | None, words: int) -> list[LoadedScript]:
    if folder is not None:
        scripts = [
            one
            for asset in discover(folder)
            if isinstance(one := load(asset, Limits()), LoadedScript)
        ]
        if scripts:
            return scripts
    rng = random.Random(0)
    vocabulary = [
        "".join(rng.choices("abcdefghiklmnoprstuwy", k=rng.randint(2, 9))) for _ in range(8000)
    ]
    scripts = []
    for _ in range(max(1, words // 20_000)):
        text = " ".join(rng.choices(vocabulary, k=20_000))
        scripts.append(LoadedScript(text, (Span(0, len(text)),), "txt"))
    return scripts


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turns(
    ours: Callable[[], object], bare: Callable[[], object], rounds: int
) -> list[tuple[float, float]]:
    """(seconds of ours, seconds of the bare library) for each round, the order alternating."""
    ours(), bare()
    taken = []
    for number in range(rounds):
        if number % 2:
            b, o = seconds(bare), seconds(ours)
        else:
            o, b = seconds(ours), seconds(bare)
        taken.append((o, b))
    return taken


def imagehash_loop(pictures: Sequence[LoadedImage]) -> Callable[[], object]:
    import imagehash

    images = [Image.fromarray(picture.frames[0]) for picture in pictures]
    return lambda: [imagehash.phash(image) for image in images]


def open_clip_loop(pictures: Sequence[LoadedImage]) -> Callable[[], object]:
    """A bare ViT-B-32 encode loop in batches, with random weights: a yardstick of cost alone."""
    import open_clip
    import torch

    model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32")
    model.eval()
    images = [Image.fromarray(picture.frames[0]) for picture in pictures]

    def loop() -> None:
        with torch.inference_mode():
            for start in range(0, len(images), 16):
                batch = torch.stack([preprocess(image) for image in images[start : start + 16]])
                model.encode_image(batch, normalize=True)

    return loop


def datasketch_loop(scripts: Sequence[LoadedScript]) -> Callable[[], object]:
    """MinHash of the same windows (100 words, stride 50, 3-word shingles), one update a window."""
    from datasketch import MinHash

    def loop() -> None:
        for script in scripts:
            words = script.text.lower().split()
            for start in range(0, max(1, len(words) - 50), 50):
                window = words[start : start + 100]
                shingles = [" ".join(window[i : i + 3]).encode() for i in range(len(window) - 2)]
                if shingles:
                    MinHash(num_perm=128).update_batch(shingles)

    return loop


@dataclass(frozen=True)
class Trial:
    """One stage's step beside a bare library's loop over the same inputs."""

    name: str
    beside: str
    ours: Callable[[], object]
    bare: Callable[[], object]
    unit: str
    count: int


def entries_of(prints: Sequence[Fingerprint]) -> StageEntries:
    files = tuple(
        WorkFile(f"w{i:06d}", f"w{i:06d}", f"{i:064x}", "image", "x", 0) for i in range(len(prints))
    )
    rows = pa.Table.from_batches([one.rows for one in prints])
    place = np.repeat(np.arange(len(prints)), [one.rows.num_rows for one in prints])
    return StageEntries(rows, place.astype(np.int64), files)


def searching(stage: Stage, items: Sequence[Loaded]) -> Callable[[], object]:
    """A search of every item against all of them, the search structures built beforehand."""
    prints = [p for p in stage.fingerprint(items) if isinstance(p, Fingerprint)]
    entries = entries_of(prints)
    settings = type(stage).Settings()
    stage.search(prints[:1], entries, settings)
    return lambda: stage.search(prints, entries, settings)


def trials(pictures: Sequence[LoadedImage], scripts: Sequence[LoadedScript]) -> list[Trial]:
    hashes = STAGES["perceptual_hash"].create()
    embedding = STAGES["clip_embedding"].create(model="clearance-mini")
    local = STAGES["local_features"].create()
    overlap = STAGES["text_overlap"].create()
    loop = {
        "imagehash.phash loop": imagehash_loop(pictures),
        "open_clip ViT-B-32 loop": open_clip_loop(pictures),
        "datasketch MinHash loop": datasketch_loop(scripts),
    }
    words = sum(len(script.text.split()) for script in scripts)

    def images(name: str, beside: str, ours: Callable[[], object]) -> Trial:
        return Trial(name, beside, ours, loop[beside], "images/s", len(pictures))

    def texts(name: str, ours: Callable[[], object]) -> Trial:
        beside = "datasketch MinHash loop"
        return Trial(name, beside, ours, loop[beside], "words/s", words)

    def every() -> None:
        for stage in (hashes, embedding, local):
            stage.fingerprint(pictures)

    phash, vit = "imagehash.phash loop", "open_clip ViT-B-32 loop"
    return [
        images("perceptual_hash fingerprint", phash, lambda: hashes.fingerprint(pictures)),
        images("perceptual_hash search", phash, searching(hashes, pictures)),
        images("clip_embedding fingerprint", vit, lambda: embedding.fingerprint(pictures)),
        images("clip_embedding search", vit, searching(embedding, pictures)),
        images("local_features fingerprint", vit, lambda: local.fingerprint(pictures)),
        images("local_features search", vit, searching(local, pictures)),
        images("all image fingerprints", vit, every),
        texts("text_overlap fingerprint", lambda: overlap.fingerprint(scripts)),
        texts("text_overlap search", searching(overlap, scripts)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, help="a folder of pictures")
    parser.add_argument("--texts", type=Path, help="a folder of scripts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=64)
    options = parser.parse_args()
    pictures = pictures_of(options.images, options.pictures)
    scripts = texts_of(options.texts, 100_000)
    words = sum(len(script.text.split()) for script in scripts)
    table = Table(
        title=f"{len(pictures)} pictures, {len(scripts)} texts of {words:,} words, "
        f"{options.rounds} rounds in turns"
    )
    for column in ("stage", "beside", "times as fast (min–max)", "ours", "bare", "unit"):
        table.add_column(column, overflow="fold")
    for trial in trials(pictures, scripts):
        taken = in_turns(trial.ours, trial.bare, options.rounds)
        ratios = [b / o for o, b in taken]
        table.add_row(
            trial.name,
            trial.beside,
            f"{median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})",
            f"{trial.count / median(o for o, _ in taken):,.0f}",
            f"{trial.count / median(b for _, b in taken):,.0f}",
            trial.unit,
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
