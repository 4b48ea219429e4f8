"""The copy benchmark's run: works registered and drops screened by the code that Clearance runs."""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.copy_baselines import baselines
from benchmarks.copy_set import CopySet, copy_files, write_queries
from benchmarks.throughput import in_turns, open_clip_loop
from pipeline.core.records import Match, RiskRow
from pipeline.drops.discover import asset_of, discover
from pipeline.load.limits import Limits
from pipeline.load.load import load
from pipeline.load.loaded import LoadedImage
from pipeline.screening.config import Config
from pipeline.screening.register import add_works, create_index
from pipeline.screening.screen import screen_assets
from pipeline.screening.stage_runner import StageRunner, open_runners
from reference_index.store import ReferenceIndex

FLAGGED = ("escalate", "review")


@dataclass(frozen=True)
class Screened:
    """One drop as it was screened.

    Attributes:
        names: of its files, in the order of `rows`.
        rows: of the risk table.
    """

    names: tuple[str, ...]
    rows: tuple[RiskRow, ...]


@dataclass(frozen=True)
class Answer:
    """What the run found.

    Attributes:
        copies: the set that was asked.
        works: place of each registered work, by work id.
        truth: int64 (queries,), the place of each query's work, -1 for none.
        edited, clean: the two drops.
        scores: each baseline's scores.
    """

    copies: CopySet
    works: dict[str, int]
    truth: NDArray[np.int64]
    edited: Screened
    clean: Screened
    scores: dict[str, NDArray[np.float64]]


def pair_band(match: Match, config: Config) -> str:
    """The band that one match alone would give its row."""
    if match.identical_file:
        return "escalate"
    if match.risk >= config.bands.escalate:
        return "review" if match.likeness_only else "escalate"
    return "review" if match.risk >= config.bands.review else "info"


def screened(
    drop: Path, index: ReferenceIndex, runners: list[StageRunner], config: Config
) -> Screened:
    """Every file of a drop, judged."""
    rows = tuple(one.row for one in screen_assets(discover(drop), index, runners, config))
    return Screened(tuple(row.asset.asset_path for row in rows), rows)


def run(copies: CopySet, out: Path, config: Config, options: argparse.Namespace) -> Answer:
    """Writes the set's files, registers its works and screens its queries and clean distractors."""
    told = Told()
    write_queries(copies.queries, out / "drop", options.processes)
    told(f"{len(copies.queries)} queries drawn")
    named = copy_files(copies.works, out / "works")
    copy_files(copies.distractors[: options.clean], out / "clean")
    create_index(out / "index", model=options.model)
    add_works(out / "index", out / "works", skip_bad=True)
    index = ReferenceIndex.open(out / "index")
    told(f"{len(index.works)} of {len(copies.works)} works registered")
    runners = open_runners(index, config.stage_settings)
    edited = screened(out / "drop", index, runners, config)
    told(f"{len(edited.rows)} queries screened")
    clean = screened(out / "clean", index, runners, config)
    told(f"{len(clean.rows)} clean distractors screened")
    works = {work_id: place for place, work_id in enumerate(named)}
    by_key = {work.key: place for place, work in enumerate(named.values())}
    ordered = {query.name: query for query in copies.queries}
    queries = tuple(ordered[name] for name in edited.names)
    copies = CopySet(copies.works, copies.distractors, copies.grounds, queries)
    truth = np.array([by_key[q.source.key] if q.copied else -1 for q in queries], np.int64)
    scores = baselines(runners, out / "drop", edited.names, works)
    told(f"{len(scores)} baselines")
    _write_labels(out / "labelled.csv", copies, truth, list(works))
    _write_found(out / "found.json", edited, truth, list(works))
    return Answer(copies, works, truth, edited, clean, scores)


def _write_labels(
    file: Path, copies: CopySet, truth: NDArray[np.int64], works: Sequence[str]
) -> None:
    """What `clearance evaluate` reads."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["asset", "work_id", "edit"])
        for query, place in zip(copies.queries, truth.tolist(), strict=True):
            writer.writerow([f"drop/{query.name}", works[place] if place >= 0 else "", query.edit])


def _write_found(
    file: Path, edited: Screened, truth: NDArray[np.int64], works: Sequence[str]
) -> None:
    """Names of the copies whose true work is among their matches, for `benchmarks.copy_views`."""
    found = [
        name
        for name, row, place in zip(edited.names, edited.rows, truth.tolist(), strict=True)
        if place >= 0 and any(match.work_id == works[place] for match in row.matches)
    ]
    file.write_text(json.dumps(found) + "\n", encoding="utf-8")


class Told:
    """Says what is done and how long it took, on standard error."""

    def __init__(self) -> None:
        self.since = time.perf_counter()

    def __call__(self, what: str) -> None:
        now = time.perf_counter()
        print(f"{now - self.since:6.1f} s  {what}", file=sys.stderr, flush=True)
        self.since = now


def cost(out: Path, config: Config, pictures: int, rounds: int) -> dict[str, Any]:
    """Screening beside a bare ViT-B-32 loop over the same files, in turns; decoding is in ours.

    Files are taken in turn from the edited drop and from the clean one.
    """
    index = ReferenceIndex.open(out / "index")
    runners = open_runners(index, config.stage_settings)
    found: dict[str, Any] = {}
    for drop in ("drop", "clean"):
        files = sorted((out / drop).iterdir())
        files = files[:: max(1, len(files) // pictures)][:pictures]
        assets = [asset_of(file, file.name) for file in files]
        loaded = [one for asset in assets if isinstance(one := load(asset, Limits()), LoadedImage)]
        taken = in_turns(
            lambda assets=assets: list(screen_assets(assets, index, runners, config)),  # type: ignore[misc]
            open_clip_loop(loaded),
            rounds,
        )
        ratios = [bare / ours for ours, bare in taken]
        found[drop] = {
            "pictures": len(files),
            "rounds": rounds,
            "times_as_fast": median(ratios),
            "lowest": min(ratios),
            "highest": max(ratios),
            "ours_ms": 1000 * median(ours for ours, _ in taken) / len(files),
            "bare_ms": 1000 * median(bare for _, bare in taken) / len(files),
        }
    return found
