"""How many edited copies of pictures are found, and what is flagged falsely, on your pictures.

    python -m benchmarks.copies --images DIR [DIR ...] --out DIR

The pictures are grouped by work and split by work. On one side some are registered as works, by
the code of `clearance index add`; edited copies of them, and of distractors, are screened by the
code of `clearance screen`. Simple fingerprints search for the same copies, for comparison, and the
screening is timed alternately with a bare open_clip ViT-B-32.

--out receives results.md, results.json, the set itself (works, drop, clean, labelled.csv, index)
and, in misses/, a picture for each missed copy and each false flag.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.copy_edits import EDITS
from benchmarks.copy_faults import MOST_MISSES, faults_of, write_misses, write_sheet
from benchmarks.copy_figures import Ranking, by_edit, overall, per_10000, threshold_at, upper_bound
from benchmarks.copy_report import OURS, in_markdown, set_in_words
from benchmarks.copy_screening import FLAGGED, Answer, Told, cost, pair_band, run
from benchmarks.copy_set import copy_set, pool_of
from pipeline.core.records import RiskRow
from pipeline.screening.config import Config, load_config
from pipeline.screening.register import DEFAULT_MODEL

MARK = ".made-by-benchmarks-copies"
FOLDERS = ("works", "drop", "clean", "index", "misses")


def fresh(out: Path) -> Path:
    """The folder of results, without the results of an earlier run."""
    if out.exists() and any(out.iterdir()) and not (out / MARK).exists():
        raise SystemExit(f"{out} has other content; name a new or empty folder as --out.")
    out.mkdir(parents=True, exist_ok=True)
    (out / MARK).touch()
    for name in FOLDERS:
        shutil.rmtree(out / name, ignore_errors=True)
    return out


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
    """All results but the cost."""
    truth, queries = answer.truth, answer.copies.queries
    ours = ranking_of(answer.edited.rows, answer.works)
    rankings = {OURS: ours, f"{OURS}, first match alone": ours.first()}
    rankings |= {name: Ranking.nearest(scores) for name, scores in answer.scores.items()}
    listed = np.array([not EDITS[query.edit].beyond for query in queries])
    true_bands, wrong = _pairs(answer, config)
    row_bands = [str(row.band) for row in answer.edited.rows]
    distractor_bands = [band for band, place in zip(row_bands, truth, strict=True) if place < 0]
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
        "evidence": evidence_by_stage(answer),
        "strangers_edited": per_10000(distractor_bands),
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


def evidence_by_stage(answer: Answer) -> dict[str, dict[str, Any]]:
    """For each stage, the copies whose true work it had evidence of, and evidence of other works.

    A measure whose name ends in `found_by` is counted by its values over the true pairs.
    """
    copies = max(1, int((answer.truth >= 0).sum()))
    stages: dict[str, dict[str, Any]] = {}
    rows = [*zip(answer.edited.rows, answer.truth.tolist(), strict=True)]
    for row, place in [*rows, *((row, -1) for row in answer.clean.rows)]:
        for outcome in row.outcomes:
            for one in outcome.evidence:
                stage = stages.setdefault(outcome.stage, {"copies": 0, "unrelated": 0})
                true = answer.works[one.work_id] == place
                stage["copies" if true else "unrelated"] += 1
                for name, value in one.measures.items():
                    if true and name.endswith("found_by"):
                        ways = stage.setdefault(name, {})
                        ways[str(value)] = ways.get(str(value), 0) + 1
    for stage in stages.values():
        stage["share"] = stage["copies"] / copies
    return stages


def _unrelated_pairs(answer: Answer) -> int:
    rows = [*answer.edited.rows, *answer.clean.rows]
    of_works: int = sum(
        place >= 0 and row.works_compared > 0
        for row, place in zip(answer.edited.rows, answer.truth.tolist(), strict=True)
    )
    return sum(row.works_compared for row in rows) - int(of_works)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--works", type=int, default=400, help="registered (default 400)")
    parser.add_argument(
        "--queries", type=int, default=720, help="half of distractors (default 720)"
    )
    parser.add_argument("--clean", type=int, default=300, help="unedited distractors (default 300)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", choices=("test", "calibration"), default="test")
    parser.add_argument("--config", type=Path, help="of the screening; by default the shipped one")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="as of `clearance index create`")
    parser.add_argument("--sheet", type=int, default=0, metavar="N", help="draw N escalated rows")
    parser.add_argument("--rounds", type=int, default=3, help="of timing; 0 for none (default 3)")
    parser.add_argument("--timed", type=int, default=48, help="pictures timed (default 48)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    options = arguments().parse_args(argv)
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
