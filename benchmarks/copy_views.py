"""What each view of an asset finds that the others do not, and what it costs.

    python -m benchmarks.copy_views --run DIR

over the drop and the index that `benchmarks.copies --out DIR` left. Two tables: the views that
`local_features` searches, each left out once; and views that could be hashed too,
borders stripped and crops, with what they would add to hashes alone and to what Clearance found.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.copy_baselines import bits_of
from pipeline.core.records import Fingerprint
from pipeline.drops.discover import asset_of
from pipeline.load.detail import has_detail
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import LoadedImage
from pipeline.screening.config import Config
from pipeline.screening.stage_runner import StageRunner, fingerprint_all, open_runners
from pipeline.stages import Stage
from pipeline.stages.image import matching
from pipeline.stages.image.sift import View
from reference_index.store import ReferenceIndex

Picture = NDArray[np.uint8]
Drop = list[tuple[str, LoadedImage]]

PDQ_WITHIN = 60
"""Bits within which a hash counts as found: far fewer than unrelated pictures differ by."""
NONE = 1e-9
"""A share of the features that is none of them, by which can be divided."""
PLAIN = 6.0
"""Standard deviation of grey levels up to which a row or column is border."""


def stripped(frame: Picture) -> Picture:
    """The frame without plain rows and columns at its edges."""
    grey = frame.mean(axis=2)
    rows, columns = (np.flatnonzero(grey.std(axis=axis) > PLAIN) for axis in (1, 0))
    if len(rows) < 32 or len(columns) < 32:
        return frame
    return np.ascontiguousarray(frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def windows(frame: Picture, share: float) -> list[Picture]:
    """Windows of a share of both sides: the four corners and the middle."""
    height, width = frame.shape[:2]
    tall, wide = round(height * share), round(width * share)
    places = ((0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5))
    return [
        np.ascontiguousarray(frame[y : y + tall, x : x + wide])
        for y, x in (
            (int(down * (height - tall)), int(right * (width - wide))) for down, right in places
        )
    ]


EXTRA: dict[str, Callable[[Picture], list[Picture]]] = {
    "borders stripped": lambda frame: [stripped(frame)],
    "five windows of half the sides": lambda frame: windows(frame, 0.5),
    "five windows of 70 % of the sides": lambda frame: windows(frame, 0.7),
}


def left_out(
    runner: StageRunner, prints: Sequence[Fingerprint | None], truth: Sequence[str]
) -> Iterator[tuple[str, int, float]]:
    """(views searched, copies found, ms an asset), without candidates of other stages."""
    if runner.stage is None or runner.entries is None:
        raise SystemExit("The index can't be searched by local_features; run benchmarks.copies.")
    asked = [(one, work) for one, work in zip(prints, truth, strict=True) if one is not None]
    every = matching.CANDIDATES
    sets = [("all three", every)]
    sets += [
        (f"without {view.value}", replace(every, **{f"{view.name.lower()}_share": NONE}))
        for view in View
    ]
    for name, candidates in sets:
        with patch.object(matching, "CANDIDATES", candidates):
            began = time.perf_counter()
            found = runner.stage.search([one for one, _ in asked], runner.entries, runner.settings)
            taken = time.perf_counter() - began
        hits = sum(
            any(one.work_id == work for one in evidence)
            for evidence, (_, work) in zip(found, asked, strict=True)
        )
        yield name, hits, 1000 * taken / len(asked)


def hashed(
    stage: Stage, drop: Drop, runner: StageRunner, truth: Sequence[str], known: frozenset[str]
) -> Iterator[tuple[str, int, int, int, float]]:
    """(view, copies whose hash is found, found beyond the whole picture's, of these not found by
    Clearance, ms an asset).
    """
    if runner.entries is None:
        raise SystemExit("The index can't be searched by perceptual_hash; run benchmarks.copies.")
    stored = bits_of(runner.entries.rows["pdq"].to_pylist())[:, :256]
    work_of = np.array([runner.entries.files[int(n)].work_id for n in runner.entries.file_of_row])
    whole: set[str] = set()
    for name, views in {"the whole picture": lambda frame: [frame], **EXTRA}.items():
        began = time.perf_counter()
        found: set[str] = set()
        for (file, image), work in zip(drop, truth, strict=True):
            frames = [one for one in views(image.frames[0]) if has_detail(one)]
            loaded = [LoadedImage((one,), image.format) for one in frames]
            for answer in fingerprint_all(stage, loaded):
                if isinstance(answer, Fingerprint):
                    forms = bits_of(answer.rows["pdq"].to_pylist()).reshape(-1, 256)
                    near = ((256 - forms @ stored.T) / 2).min(axis=0) <= PDQ_WITHIN
                    found |= {file} if work in set(work_of[near].tolist()) else set()
        taken = time.perf_counter() - began
        whole = whole or found
        beyond = found - whole
        yield name, len(found), len(beyond), len(beyond - known), 1000 * taken / len(drop)


def main(given: Sequence[str] | None = None) -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="--out of benchmarks.copies")
    options = parser.parse_args(given)
    with (options.run / "labelled.csv").open(encoding="utf-8", newline="") as stream:
        labels = {Path(row["asset"]).name: row["work_id"] for row in csv.DictReader(stream)}
    index = ReferenceIndex.open(options.run / "index")
    ready = {runner.name: runner for runner in open_runners(index, Config().stage_settings)}
    drop: Drop = []
    for name in sorted(name for name, work in labels.items() if work):
        loaded = load(asset_of(options.run / "drop" / name, name), Limits())
        if isinstance(loaded, LoadedImage):
            drop.append((name, loaded))
    truth = [labels[name] for name, _ in drop]
    known = frozenset(json.loads((options.run / "found.json").read_text(encoding="utf-8")))
    local, hashes = ready["local_features"], ready["perceptual_hash"]
    if local.stage is None or hashes.stage is None:
        raise SystemExit("The index lacks a stage; run benchmarks.copies again.")
    answers = fingerprint_all(local.stage, [image for _, image in drop])
    prints = [one if isinstance(one, Fingerprint) else None for one in answers]
    print(f"{len(drop)} copies\n")
    print("| views searched | copies found by features | ms an asset |\n| --- | --- | --- |")
    for name, hits, cost in left_out(local, prints, truth):
        print(f"| {name} | {hits} | {cost:.1f} |")
    print(
        "\n| view that is hashed | copies found | beyond the whole picture | "
        "beyond Clearance | ms an asset |\n| --- | --- | --- | --- | --- |"
    )
    for name, hits, beyond, new, cost in hashed(hashes.stage, drop, hashes, truth, known):
        print(f"| {name} | {hits} | {beyond} | {new} | {cost:.1f} |")


if __name__ == "__main__":
    main()
