"""What each step of screening a picture costs, beside a bare ViT-B-32.

    python -m benchmarks.copy_budget --run DIR

over the drops and the index that `benchmarks.copies --out DIR` left. Processor time, one step after
the other, on one thread, so that the sum is what an asset costs and not how long it takes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from benchmarks.throughput import open_clip_loop
from pipeline.core.records import Fingerprint
from pipeline.drops.discover import asset_of
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import LoadedImage
from pipeline.screening.config import Config
from pipeline.screening.stage_runner import StageRunner, fingerprint_all, open_runners
from reference_index.store import ReferenceIndex

Found = TypeVar("Found")

CANDIDATES = 2


def timed(work: Callable[[], Found]) -> tuple[Found, float]:
    """What the work gives, and seconds of processor time it took."""
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def steps(files: Sequence[Path], runners: Sequence[StageRunner]) -> Iterator[tuple[str, float]]:
    """(step, seconds of all files)."""
    assets = [asset_of(file, file.name) for file in files]
    loaded, taken = timed(lambda: [load(asset, Limits()) for asset in assets])
    yield "load", taken
    images = [one for one in loaded if isinstance(one, LoadedImage)]
    _, taken = timed(lambda: [image.detailed for image in images])
    yield "gate on detail", taken
    named: list[dict[int, tuple[str, ...]]] = [{} for _ in images]
    for runner in runners:
        stage, entries = runner.stage, runner.entries
        if stage is None or entries is None:
            continue
        answers, taken = timed(lambda stage=stage: fingerprint_all(stage, images))  # type: ignore[misc]
        yield f"`{runner.name}` fingerprint", taken
        asked = [n for n, one in enumerate(answers) if isinstance(one, Fingerprint)]
        prints = [one for one in answers if isinstance(one, Fingerprint)]
        ways = [named[n] for n in asked]
        _, taken = timed(
            lambda stage=stage, prints=prints, entries=entries, runner=runner, ways=ways: (  # type: ignore[misc]
                stage.search_with_candidates(prints, entries, runner.settings, ways)
            )
        )
        if stage.verifies:
            yield f"`{runner.name}` search and verification", taken
            continue
        found, more = timed(
            lambda stage=stage, prints=prints, entries=entries, runner=runner: (  # type: ignore[misc]
                stage.candidates(prints, entries, runner.settings, CANDIDATES)
            )
        )
        yield f"`{runner.name}` search and candidates", taken + more
        for its, positions in zip(ways, found, strict=True):
            its.update(dict.fromkeys(positions, (stage.title,)))
    _, taken = timed(open_clip_loop(images))
    yield "bare ViT-B-32", taken


def main(given: Sequence[str] | None = None) -> None:
    """Prints the table."""
    import faiss
    import torch
    from threadpoolctl import threadpool_limits

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="--out of benchmarks.copies")
    parser.add_argument("--pictures", type=int, default=96)
    options = parser.parse_args(given)
    index = ReferenceIndex.open(options.run / "index")
    runners = open_runners(index, Config().stage_settings)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    table: dict[str, list[float]] = {}
    with threadpool_limits(1):
        for drop in ("drop", "clean"):
            files = sorted((options.run / drop).iterdir())
            files = files[:: max(1, len(files) // options.pictures)][: options.pictures]
            list(steps(files[:4], runners))  # what is built at first use
            for step, seconds in steps(files, runners):
                table.setdefault(step, []).append(1000 * seconds / len(files))
    bare = np.array(table.pop("bare ViT-B-32"))
    whole = np.array(list(table.values())).sum(axis=0)
    print("| step | edited, ms | clean, ms | share of a ViT-B-32 |\n| --- | --- | --- | --- |")
    for step, its in [*table.items(), ("all", whole), ("bare ViT-B-32", bare)]:
        print(f"| {step} | {its[0]:.1f} | {its[1]:.1f} | {np.mean(its / bare):.0%} |")


if __name__ == "__main__":
    main()
