"""How well copies of pictures are found, and what is flagged that is none, on pictures of yours.

    python -m benchmarks.copies --images DIR [DIR ...] --out DIR

The pictures are grouped by work and split by work. Of one side some are registered as works, by the
code that `clearance index add` runs; edited copies of them, and of pictures that were never
registered, are screened by the code that `clearance screen` runs. Simple fingerprints look for the
same copies beside it, and a bare open_clip ViT-B-32 takes turns with the screening.

--out receives results.md, results.json, the set itself (works, drop, clean, labelled.csv, index)
and, in misses/, a picture for each copy that was missed and each flag that was false.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.copy_baselines import baselines
from benchmarks.copy_edits import EDITS
from benchmarks.copy_figures import (
    Ranking,
    by_edit,
    edits_table,
    markdown,
    methods_table,
    overall,
    per_10000,
    threshold_at,
    upper_bound,
)
from benchmarks.copy_set import CopySet, Pool, copy_files, copy_set, pool_of, write_queries
from benchmarks.copy_sheets import cell, in_a_name, save, sheet_of
from benchmarks.throughput import in_turns, open_clip_loop
from pipeline.config import Config, load_config
from pipeline.discover import asset_of, discover
from pipeline.judge import Bench, open_benches
from pipeline.load import load
from pipeline.load.limits import Limits
from pipeline.records import LoadedImage, Match, RiskRow
from pipeline.register import DEFAULT_MODEL, add_works, create_index
from pipeline.screen import judge_assets
from reference_index.store import ReferenceIndex

OURS = "Clearance"
MARK = ".made-by-benchmarks-copies"
MADE = ("works", "drop", "clean", "index", "misses")
FLAGGED = ("escalate", "review")
MOST_MISSES = 300


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


def fresh(out: Path) -> Path:
    """The folder of results, without what an earlier run left in it."""
    if out.exists() and any(out.iterdir()) and not (out / MARK).exists():
        raise SystemExit(f"{out} holds something else; name a new or empty folder as --out.")
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).touch()
    for name in MADE:
        shutil.rmtree(out / name, ignore_errors=True)
    return out


def screened(drop: Path, index: ReferenceIndex, benches: list[Bench], config: Config) -> Screened:
    """Every file of a drop, judged."""
    rows = tuple(one.row for one in judge_assets(discover(drop), index, benches, config))
    return Screened(tuple(row.asset.asset_path for row in rows), rows)


def run(copies: CopySet, out: Path, config: Config, options: argparse.Namespace) -> Answer:
    """Writes the set's files, registers its works and screens its queries and clean strangers."""
    told = Told()
    write_queries(copies.queries, out / "drop", options.processes)
    told(f"{len(copies.queries)} queries drawn")
    named = copy_files(copies.works, out / "works")
    copy_files(copies.strangers[: options.clean], out / "clean")
    create_index(out / "index", model=options.model)
    add_works(out / "index", out / "works", skip_bad=True)
    index = ReferenceIndex.open(out / "index")
    told(f"{len(index.works)} of {len(copies.works)} works registered")
    benches = open_benches(index, config.stage_settings)
    edited = screened(out / "drop", index, benches, config)
    told(f"{len(edited.rows)} queries screened")
    clean = screened(out / "clean", index, benches, config)
    told(f"{len(clean.rows)} clean strangers screened")
    works = {work_id: place for place, work_id in enumerate(named)}
    by_key = {work.key: place for place, work in enumerate(named.values())}
    ordered = {query.name: query for query in copies.queries}
    queries = tuple(ordered[name] for name in edited.names)
    copies = CopySet(copies.works, copies.strangers, copies.grounds, queries)
    truth = np.array([by_key[q.source.key] if q.copied else -1 for q in queries], np.int64)
    scores = baselines(benches, out / "drop", edited.names, works)
    told(f"{len(scores)} baselines")
    _write_labels(out / "labelled.csv", copies, truth, list(works))
    return Answer(copies, works, truth, edited, clean, scores)


def _write_labels(
    file: Path, copies: CopySet, truth: NDArray[np.int64], works: Sequence[str]
) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["asset_path", "work_id", "edit"])
        for query, place in zip(copies.queries, truth.tolist(), strict=True):
            writer.writerow([query.name, works[place] if place >= 0 else "", query.edit])


class Told:
    """Says what is done and how long it took, on standard error."""

    def __init__(self) -> None:
        self.since = time.perf_counter()

    def __call__(self, what: str) -> None:
        now = time.perf_counter()
        print(f"{now - self.since:6.1f} s  {what}", file=sys.stderr, flush=True)
        self.since = now


# Figures ------------------------------------------------------------------------------------------


def ranking_of(rows: Sequence[RiskRow], works: dict[str, int]) -> Ranking:
    """Every match of every row, by its risk."""
    return Ranking.of(
        [
            (place, works[match.work_id], match.risk)
            for place, row in enumerate(rows)
            for match in row.matches
        ]
    )


def figures(answer: Answer, config: Config) -> dict[str, Any]:
    """All that is measured but the cost."""
    truth, queries = answer.truth, answer.copies.queries
    ours = ranking_of(answer.edited.rows, answer.works)
    rankings = {OURS: ours, f"{OURS}, first match alone": ours.first()}
    rankings |= {name: Ranking.nearest(scores) for name, scores in answer.scores.items()}
    listed = np.array([not EDITS[query.edit].beyond for query in queries])
    true_bands, wrong = _pairs(answer, config)
    row_bands = [str(row.band) for row in answer.edited.rows]
    stranger_bands = [band for band, place in zip(row_bands, truth, strict=True) if place < 0]
    order = {name: place for place, name in enumerate(EDITS)}
    lines = by_edit(ours, truth, [query.edit for query in queries], true_bands, row_bands)
    unrelated = _unrelated_pairs(answer)
    return {
        "methods": {name: overall(one, truth) for name, one in rankings.items()},
        "methods_listed_edits": {
            name: overall(one.only(listed), np.where(listed, truth, -1))
            for name, one in rankings.items()
        },
        "threshold_at_0.99": threshold_at(ours, truth, 0.99),
        "edits": dict(sorted(lines.items(), key=lambda line: order[line[0]])),
        "strangers_edited": per_10000(stranger_bands),
        "strangers_clean": per_10000([str(row.band) for row in answer.clean.rows]),
        "unrelated_pairs": {
            "compared": unrelated,
            "escalate": wrong.count("escalate"),
            "review": wrong.count("review"),
            "info": wrong.count("info"),
            "at_most_above_info_per_100000": 1e5
            * upper_bound(sum(band in FLAGGED for band in wrong), unrelated),
        },
    }


def _pairs(answer: Answer, config: Config) -> tuple[list[str], list[str]]:
    """Each query's band of the pair with its true work ("" if none), and of each wrong pair."""
    true_bands, wrong = [], []
    for row, place in zip(answer.edited.rows, answer.truth.tolist(), strict=True):
        bands = {answer.works[m.work_id]: pair_band(m, config) for m in row.matches}
        true_bands.append(bands.pop(place, ""))
        wrong += list(bands.values())
    wrong += [pair_band(m, config) for row in answer.clean.rows for m in row.matches]
    return true_bands, wrong


def _unrelated_pairs(answer: Answer) -> int:
    rows = [*answer.edited.rows, *answer.clean.rows]
    of_works: int = sum(
        place >= 0 and row.works_compared > 0
        for row, place in zip(answer.edited.rows, answer.truth.tolist(), strict=True)
    )
    return sum(row.works_compared for row in rows) - int(of_works)


def cost(out: Path, config: Config, pictures: int, rounds: int) -> dict[str, Any]:
    """Screening beside a bare ViT-B-32 loop over the same files, in turns; decoding is in ours.

    Files are taken in turn from the edited drop and from the clean one.
    """
    index = ReferenceIndex.open(out / "index")
    benches = open_benches(index, config.stage_settings)
    found: dict[str, Any] = {}
    for drop in ("drop", "clean"):
        files = sorted((out / drop).iterdir())
        files = files[:: max(1, len(files) // pictures)][:pictures]
        assets = [asset_of(file, file.name) for file in files]
        loaded = [one for asset in assets if isinstance(one := load(asset, Limits()), LoadedImage)]
        taken = in_turns(
            lambda assets=assets: list(judge_assets(assets, index, benches, config)),  # type: ignore[misc]
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


# Pictures -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """A copy that was missed, or a flag that was false.

    Attributes:
        kind: "missed", or the band of the false flag.
        drop: "drop" or "clean".
        row: of the asset.
        edit: of the asset.
        true: work id of the asset's work, None for a stranger.
        found: the match that is false, or that stands first instead.
        risk: of the match that is false, or of the true one; 0 if that was not found.
    """

    kind: str
    drop: str
    row: RiskRow
    edit: str
    true: str | None
    found: Match | None
    risk: float


def faults_of(answer: Answer, config: Config) -> list[Fault]:
    """What was missed or falsely flagged: false escalations first, then missed copies."""
    names = list(answer.works)
    faults = []
    for row, place, query in zip(
        answer.edited.rows, answer.truth.tolist(), answer.copies.queries, strict=True
    ):
        faults += _faults_of_row(
            "drop", row, query.edit, names[place] if place >= 0 else None, config
        )
    for row in answer.clean.rows:
        faults += _faults_of_row("clean", row, "clean", None, config)
    order = {"escalate": 0, "missed": 1}
    return sorted(faults, key=lambda fault: (order.get(fault.kind, 2), -fault.risk))


def _faults_of_row(
    drop: str, row: RiskRow, edit: str, true: str | None, config: Config
) -> list[Fault]:
    bands = {match.work_id: pair_band(match, config) for match in row.matches}
    faults = [
        Fault(bands[match.work_id], drop, row, edit, true, match, match.risk)
        for match in row.matches
        if match.work_id != true and bands[match.work_id] in FLAGGED
    ]
    if true is not None and bands.get(true) not in FLAGGED:
        risk = next((match.risk for match in row.matches if match.work_id == true), 0.0)
        first = row.matches[0] if row.matches else None
        faults.append(Fault("missed", drop, row, edit, true, first, risk))
    return faults


def write_misses(faults: Sequence[Fault], out: Path) -> None:
    """A picture (asset, true work, found work) for each of the first `MOST_MISSES`."""
    folder = out / "misses"
    folder.mkdir()
    for fault in faults[:MOST_MISSES]:
        asset, found = fault.row.asset.asset_path, fault.found
        panels = [
            (out / fault.drop / asset, f"{asset}: {fault.edit}"),
            (out / "works" / fault.true if fault.true else None, f"its work: {fault.true}"),
            (
                out / "works" / found.work_id if found else None,
                f"found: {found.work_id}, risk {found.risk:.3f}" if found else "found: none",
            ),
        ]
        kind = fault.kind if fault.kind == "missed" else f"false-{fault.kind}"
        work = Path(found.work_id).stem if found and fault.kind != "missed" else ""
        parts = [kind, in_a_name(fault.edit), f"{fault.risk:.3f}", Path(asset).stem, work]
        save(cell(panels), folder / f"{'_'.join(filter(None, parts))}.jpg")


def write_sheet(answer: Answer, out: Path, count: int, seed: int) -> int:
    """A contact sheet of escalated rows, drawn by chance: each asset beside the work found."""
    rows = [row for row in answer.edited.rows if row.band == "escalate" and row.matches]
    order = np.random.default_rng(seed).permutation(len(rows))[:count]
    cells = [drawn_row(rows[int(place)], out) for place in order]
    if cells:
        save(sheet_of(cells), out / "sheet.png")
    return len(cells)


def drawn_row(row: RiskRow, out: Path) -> NDArray[np.uint8]:
    """One cell of the contact sheet."""
    match = row.matches[0]
    return cell(
        [
            (out / "drop" / row.asset.asset_path, row.asset.asset_path),
            (out / "works" / match.work_id, f"{match.work_id}, risk {match.risk:.3f}"),
        ]
    )


# The whole ----------------------------------------------------------------------------------------


def set_in_words(pool: Pool, copies: CopySet, answer: Answer, options: argparse.Namespace) -> str:
    """What was measured on, in one paragraph."""
    left_out = "; ".join(f"{count} {why}" for why, count in sorted(pool.left_out.items()))
    copied = int((answer.truth >= 0).sum())
    fewer = len(copies.works) < options.works or len(copies.queries) < options.queries // 2 * 2
    return (
        f"{pool.read:,} pictures could be used{f' ({left_out} left out)' if left_out else ''}, "
        f"{pool.merged} of them of a work that another shows: {len(pool.works):,} works. On the "
        f"side {options.split!r}, seed {options.seed}: {len(copies.works)} registered, "
        f"{len(copies.strangers)} strangers, {len(copies.grounds)} laid behind insets; "
        f"{len(copies.queries)} queries, {copied} of them copies, over {len(EDITS)} edits; "
        f"{len(answer.clean.rows)} clean strangers."
        + (
            f" Asked for were {options.works} works and {options.queries} queries, for which there "
            "are too few pictures."
            if fewer
            else ""
        )
    )


def in_markdown(words: str, results: dict[str, Any]) -> str:
    """The results as a part of benchmarks/README.md."""
    flags = [
        (name, results[key])
        for name, key in (("edited", "strangers_edited"), ("clean", "strangers_clean"))
    ]
    pairs = results["unrelated_pairs"]
    parts = [
        words,
        "Every edit:",
        methods_table(results["methods"]),
        f"Without {', '.join(name for name, one in EDITS.items() if one.beyond)}:",
        methods_table(results["methods_listed_edits"]),
        f"{OURS} by edit; recall at the threshold of precision 0.99 over all edits "
        f"(risk {results['threshold_at_0.99']:.4f}), bands of the pair with the true work:",
        edits_table(results["edits"]),
        "Pictures of no registered work, flagged in 10,000:",
        markdown(
            ["strangers", "screened", "escalate", "review", "info"],
            [
                [name, one["assets"], *(f"{v:.1f}" for v in one["per_10000"].values())]
                for name, one in flags
            ],
        ),
        f"Unrelated pairs compared: {pairs['compared']:,}. Of them {pairs['escalate']} reached "
        f"`escalate`, {pairs['review']} `review`, {pairs['info']} `info`; above `info` are, at 95 "
        f"% confidence, at most {pairs['at_most_above_info_per_100000']:.2f} in 100,000.",
    ]
    if "cost" in results:
        rows = [
            [
                {"drop": "edited, half of them copies", "clean": "clean"}[drop],
                one["pictures"],
                f"{one['times_as_fast']:.2f} ({one['lowest']:.2f}–{one['highest']:.2f})",
                f"{one['ours_ms']:.1f}",
                f"{one['bare_ms']:.1f}",
            ]
            for drop, one in results["cost"].items()
        ]
        head = ["assets", "pictures", "times as fast (min–max)", "ours, ms", "ViT-B-32, ms"]
        cores = os.cpu_count()
        parts += [
            "Screening of an asset, decoding included, beside a bare open_clip ViT-B-32 encode "
            f"loop over the decoded pictures, in turns, on {cores} cores:",
            markdown(head, rows),
        ]
    return "\n\n".join(parts) + "\n"


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--works", type=int, default=400, help="registered (default 400)")
    parser.add_argument("--queries", type=int, default=720, help="half of strangers (default 720)")
    parser.add_argument("--clean", type=int, default=300, help="unedited strangers (default 300)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", choices=("test", "calibration"), default="test")
    parser.add_argument("--config", type=Path, help="of the screening; by default the shipped one")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="as of `clearance index create`")
    parser.add_argument("--sheet", type=int, default=0, metavar="N", help="draw N escalated rows")
    parser.add_argument("--rounds", type=int, default=3, help="of timing; 0 for none (default 3)")
    parser.add_argument("--timed", type=int, default=48, help="pictures timed (default 48)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return parser


def main(given: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    options = arguments().parse_args(given)
    config = load_config(options.config)
    out = fresh(options.out)
    told = Told()
    pool = pool_of(options.images, options.processes)
    told(f"{pool.read} pictures read, {pool.merged} merged into works that are there")
    copies = copy_set(pool.works, options.split, options.seed, options.works, options.queries)
    answer = run(copies, out, config, options)
    results = figures(answer, config)
    if options.rounds:
        told = Told()
        results["cost"] = cost(out, config, options.timed, options.rounds)
        told(f"cost measured, {options.rounds} rounds")
    words = set_in_words(pool, copies, answer, options)
    results["set"] = words
    results["config_fingerprint"] = config.fingerprint()
    page = in_markdown(words, results)
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (out / "results.md").write_text(page, encoding="utf-8")
    faults = faults_of(answer, config)
    write_misses(faults, out)
    drawn = write_sheet(answer, out, options.sheet, options.seed) if options.sheet else 0
    print(page)
    missed = sum(fault.kind == "missed" for fault in faults)
    print(
        f"{missed} copies missed, {len(faults) - missed} pairs flagged falsely; the gravest "
        f"{min(len(faults), MOST_MISSES)} are drawn in {out / 'misses'}"
    )
    if drawn:
        print(f"{drawn} escalated rows, drawn in {out / 'sheet.png'}")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
